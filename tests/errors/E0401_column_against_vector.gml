# The last layer gives a column [B, 1]; the labels are a vector [B].
import losses: squared_error
import nn: dense

batch B
data x: [B, D] from digits
data target: [B] in 0..1 from digits

net regressor(x: [..b, I]) -> [..b, 1]:
    return dense[1](x)

objective fit:
    minimize mean[B](squared_error(regressor(x), target))
