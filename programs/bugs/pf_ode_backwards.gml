# The probability-flow ODE run the wrong way in time: each step adds the noise that it should take.
fn pf_ode_euler(a_t: real, a_s: real, x: [..s], eps: [..s]) -> [..s]:
    slope = sqrt((1 - a_t) / a_t) - sqrt((1 - a_s) / a_s)
    return sqrt(a_s) * (x / sqrt(a_t) + slope * eps)

claims pf_ode_euler(a_t, a_s, x, eps):
    zero_step:   given a_t > 0 and a_t <= 1: pf_ode_euler(a_t, a_t, x, eps) == x
    exact_noise: given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        pf_ode_euler(a_t, a_s, sqrt(a_t) * x + sqrt(1 - a_t) * eps, eps)
        == sqrt(a_s) * x + sqrt(1 - a_s) * eps
