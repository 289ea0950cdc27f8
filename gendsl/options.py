"""What the user asked of `gendsl run`, as the command line read it.

Numbers in `settings` are text: only the program's declarations say what they may be. Paths are as
the user wrote them. Nothing here has been checked against a program, data or a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# `gendsl check --emit` prints these; `gendsl run --emit` all, with sizes bound by the data.
FRONT_STAGES = ("ast", "core", "graph")
STAGES = (*FRONT_STAGES, "joint", "plan", "torch", "triton")

DEVICES = {"cpu": "torch_cpu", "cuda": "triton_cuda"}


@dataclass(frozen=True)
class RunOptions:
    """One `gendsl run`.

    program: a path to a `.gml` file, or the name of a shipped program, resolved to a path.
    device: "cpu" or "cuda"; `target` is the backend's name for it.
    data: a data set's name or a path; None takes the program's own default.
    settings: `--set NAME=VALUE` in the order given.
    steps: None takes the program's `steps`.
    out: None takes `runs/PROGRAM`.
    emit: print this stage to stdout and neither train nor write.
    allow_refuted: train in spite of a refuted claim, and mark the run.
    passes: the graph passes before planning: "all", "none", or names joined by commas.
    precision: a policy of `gendsl.precision`; None takes the program's.
    tune: measure tiles of kernels on this GPU before training.
    raw: draw samples with the trained weights even where there are averaged (EMA) ones.
    format: how diagnostics are rendered: "text", "concise" or "json".
    texts: files as a run has kept them, by path, which are not read from the disk.
    """

    program: str
    device: str = "cpu"
    data: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    steps: int | None = None
    seed: int = 0
    out: Path | None = None
    resume: bool = False
    emit: str | None = None
    allow_refuted: bool = False
    precision: str | None = None
    tune: bool = False
    raw: bool = False
    passes: str = "all"
    format: str = "text"
    texts: Mapping[str, str] | None = None

    @property
    def target(self) -> str:
        return DEVICES[self.device]

    @property
    def name(self) -> str:
        """The program's name: `vae` for `programs/vae.gml`."""
        return Path(self.program).stem
