"""A group that no step trains is reported, unless it is used under `stop_grad` only."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse

PROGRAM = """batch B
data x: [B, D] from digits
param centre: [D]
param scale: [D]

objective o:
    minimize mse[B, D](x, centre * {scale})

train:
    step o over {groups} with sgd(lr = 0.1)
    batch B = 8
    steps 3
"""


@pytest.mark.parametrize(
    ("line", "codes"), [("schedule lr = constant(rate)", []), ("clip 1.0", ["W0801"])]
)
def test_a_scheduled_rate_changes_something(tmp_path: Path, line: str, codes: list[str]) -> None:
    text = PROGRAM.format(scale="scale", groups=f"centre, scale with adam()\n    {line}")
    text = text.replace(" with sgd(lr = 0.1)", "")
    path = tmp_path / "p.gml"
    path.write_text(f"import schedules: constant\nhyper rate = 0.1\n{text}")
    sink = Sink()
    analyse(str(path), sink, prove=False)
    assert [d.code for d in sink.sorted()] == codes


@pytest.mark.parametrize(
    ("scale", "groups", "codes"),
    [
        ("scale", "centre", ["W0805"]),
        ("scale", "centre, scale", []),
        ("stop_grad(scale)", "centre", []),
        ("(scale + stop_grad(scale))", "centre", ["W0805"]),
    ],
)
def test_what_no_step_trains(tmp_path: Path, scale: str, groups: str, codes: list[str]) -> None:
    path = tmp_path / "p.gml"
    path.write_text(PROGRAM.format(scale=scale, groups=groups))
    sink = Sink()
    analyse(str(path), sink, prove=False)
    assert [d.code for d in sink.sorted()] == codes
