# DDIM one step off (ControlNet #587, stablediffusion #345): the table of "the alpha_bar before"
# starts with alpha_bar_0 instead of 1, so that the last step stops short of the clean image.
import diffusion: ddim_update, predict_x0

dim T = 50 >= 2

const betas: [T] = linspace[T](1e-3, 0.1)
const alpha_bar: [T] = cumprod[T](1 - betas)
const alpha_bar_before: [T] = concat[T](
    slice[T](alpha_bar, start = 0, size = 1),
    slice[T](alpha_bar, start = 0, size = T - 1),
)

# The last step, from the first noisy time to the clean image.
fn last_step(x: [..s], eps: [..s]) -> [..s]:
    return ddim_update(alpha_bar[0], alpha_bar_before[0], 0, x, eps, 0)

claims:
    clean: alpha_bar_before[0] == 1

claims last_step(x, eps):
    returns_x0: last_step(x, eps) == predict_x0(alpha_bar[0], x, eps)
