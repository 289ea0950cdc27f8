# The probability-flow ODE dx = -1/2 score d(sigma^2) without its factor 1/2, in the variable
# x / sqrt(a): since d(sigma^2) = 2 sigma dsigma, the slope is twice what it should be.
fn pf_ode_euler(a_t: real, a_s: real, x: [..s], eps: [..s]) -> [..s]:
    slope = 2 * (sqrt((1 - a_s) / a_s) - sqrt((1 - a_t) / a_t))
    return sqrt(a_s) * (x / sqrt(a_t) + slope * eps)

claims pf_ode_euler(a_t, a_s, x, eps):
    zero_step:   given a_t > 0 and a_t <= 1: pf_ode_euler(a_t, a_t, x, eps) == x
    exact_noise: given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        pf_ode_euler(a_t, a_s, sqrt(a_t) * x + sqrt(1 - a_t) * eps, eps)
        == sqrt(a_s) * x + sqrt(1 - a_s) * eps
