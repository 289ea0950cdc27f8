"""When a run logs, evaluates, saves and draws: functions of the step number.

Nothing here knows how long a run will be, so a run that is extended or resumed does at every step
exactly what an unbroken one does. Checkpoints alone also come by the clock, for runs with slow
steps: which of them there are changes nothing that a run goes through. Intervals grow with the step
on the ladder 1, 2, 5, 10, ... so that the number of log lines grows with the logarithm of the
length. Steps count from 1: step k is over when k updates are done.
"""

from __future__ import annotations

LOG_EVERY = 10
EVALUATE_EVERY = 100
CHECKPOINT_EVERY = 100
CHECKPOINT_SECONDS = 30.0  # since the last one: what a kill costs at most, and one step
FIRST_PICTURE = 100


def interval(step: int, base: int, share: int) -> int:
    """The largest of base, 2 base, 5 base, 10 base, ... that is at most step / share."""
    best, scale = base, base
    while scale * share <= step:
        for factor in (1, 2, 5):
            if factor * scale * share <= step:
                best = factor * scale
        scale *= 10
    return best


def _due(step: int, base: int, share: int) -> bool:
    return step % interval(step, base, share) == 0


def logs(step: int) -> bool:
    """A line of training metrics: step 1, every 10 steps, later every 200th part of the run."""
    return step == 1 or _due(step, LOG_EVERY, 200)


def evaluates(step: int) -> bool:
    """Held-out evaluation: before training, every 100 steps, later every 20th part of the run."""
    return step == 0 or _due(step, EVALUATE_EVERY, 20)


def checkpoints(step: int) -> bool:
    """A checkpoint on disk; the end of a run adds one."""
    return step > 0 and _due(step, CHECKPOINT_EVERY, 50)


def draws(step: int) -> bool:
    """Samples and reconstructions as pictures: steps 100, 200, 500, 1000, 2000, ..."""
    scale = FIRST_PICTURE
    while scale <= step:
        if step in (scale, 2 * scale, 5 * scale):
            return True
        scale *= 10
    return False
