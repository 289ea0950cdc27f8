# Values that change during training: functions of the optimizer step, which counts from 0. The
# training recipe supplies `step`.

fn constant(value: real, step: real) -> real:
    return value

# From `first` to `last` in `steps` steps, then `last`.
fn linear_warmup(first: real, last: real, steps: real, step: real) -> real:
    return first + (last - first) * clamp(step / steps, 0, 1)

# Half a cosine from `first` to `last` in `steps` steps, then `last` (Loshchilov & Hutter 2017).
fn cosine(first: real, last: real, steps: real, step: real) -> real:
    return last + (first - last) * 0.5 * (1 + cos(3.14159265358979 * clamp(step / steps, 0, 1)))

# Rises from `first` to `last` in the first half of every cycle, then stays (Fu et al. 2019).
fn cyclical(first: real, last: real, period: real, step: real) -> real:
    phase = step / period - floor(step / period)
    return first + (last - first) * clamp(2 * phase, 0, 1)

claims linear_warmup(first, last, steps, step):
    warmup_starts: given steps > 0 and step == 0: linear_warmup(first, last, steps, step) == first
    warmup_ends:   given steps > 0 and step >= steps:
        linear_warmup(first, last, steps, step) == last
