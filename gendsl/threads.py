"""How threads of PyTorch wait for each other on the CPU.

In: the environment of the process, before PyTorch is loaded. Out: the same with `GOMP_SPINCOUNT`,
where the user has not said how threads wait. Always: results do not depend on it.

Note [Short spinning]: libgomp's threads wait at the end of every operation, by default in a loop of
300,000 turns, 4 ms, before they sleep. A waiting thread holds a processor that, on a busy machine,
the one it waits for needs: a run of 60 steps of `flow_matching` beside two busy processes on two
processors took 11 and 18 s, and 6.3 and 6.2 s with the following. 2,000 turns, about 30 us, are
longer than what lies between two operations of a step, and short enough that a thread which is not
running costs a few wakings in place of whole time slices. On an idle machine steps take the same
time.
"""

from __future__ import annotations

import os

TURNS = 2_000
ASKED = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")  # with either, the user has decided


def spin_briefly() -> None:
    """Let waiting threads sleep soon; to be called before PyTorch is loaded."""
    if not any(name in os.environ for name in ASKED):
        os.environ["GOMP_SPINCOUNT"] = str(TURNS)
