"""What is due at a step is a function of the step."""

from __future__ import annotations

from gendsl.run import cadence


def test_the_ladder() -> None:
    found = {cadence.interval(step, 10, 200) for step in range(100, 200_001, 100)}
    assert found == {10, 20, 50, 100, 200, 500, 1000}
    assert [cadence.interval(s, 10, 200) for s in (1, 3999, 4000, 10_000, 20_000)] == [
        10,
        10,
        20,
        50,
        100,
    ]


def test_a_run_of_two_thousand_steps() -> None:
    steps = range(2001)
    assert [s for s in steps if cadence.evaluates(s)] == list(range(0, 2001, 100))
    assert [s for s in steps if cadence.logs(s)][:4] == [0, 1, 10, 20]
    assert [s for s in steps if cadence.draws(s)] == [100, 200, 500, 1000, 2000]
    assert [s for s in steps if cadence.checkpoints(s)] == list(range(100, 2001, 100))


def test_a_long_run_writes_little() -> None:
    due = [sum(check(s) for s in range(1, 200_001)) for check in (cadence.logs, cadence.evaluates)]
    assert due[0] < 2000
    assert due[1] < 200
