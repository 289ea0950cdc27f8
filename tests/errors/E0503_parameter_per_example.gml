# A parameter for each example of the batch.
batch B
dim Z = 4
data x: [B, Z] from digits
param offset: [B, Z]

objective o:
    minimize mean[B, Z](square(x - offset))
