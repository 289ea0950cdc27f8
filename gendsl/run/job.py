"""A job: everything about a run that is settled before a folder is made or a step taken.

`Job` is plain data; `Examples` is what the loop asks of the data. Always: the numbers of a run are
a function of the job alone (and of the target's arithmetic).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from gendsl.core.program import Interface, Recipe
from gendsl.ir.graph import Graph
from gendsl.precision import FLOAT32
from gendsl.run.settings import Settings
from gendsl.target import Target

Array = np.ndarray[Any, Any]

NO_AVERAGES = "the program keeps no averaged weights (`ema` in `train:`): `--raw` changes nothing"


class Examples(Protocol):
    """The bound data: counts, and batches by field name, as the program reads them."""

    @property
    def train_count(self) -> int: ...

    @property
    def held_out_count(self) -> int: ...

    def train(self, rows: Array) -> dict[str, Array]: ...

    def held_out(self, rows: Array) -> dict[str, Array]: ...


@dataclass(frozen=True)
class ClaimLine:
    """A settled claim; verdict: "proved", "certified", "measured", "refuted" or "unknown"."""

    name: str
    statement: str
    verdict: str
    detail: str = ""


@dataclass(frozen=True)
class DataLine:
    """Where the data comes from, for the manifest and the report."""

    name: str
    data_hash: str
    provenance: str
    licence: str


@dataclass(frozen=True)
class Source:
    """The program as analysed: its name ("vae"), text, graph and verdicts; `modules` are the texts
    of what it imports besides the stdlib, by path."""

    name: str
    path: str
    text: str
    interface: Interface
    recipe: Recipe
    graph: Graph
    graph_hash: str
    claims: tuple[ClaimLine, ...] = ()
    modules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """`settings` are the chosen numbers, `sizes` all sizes with those of the data; `steps` how far
    to train, and `steps_given` whether the user said so; `precision` is that of products;
    `tune` asks the target to measure its kernels first; `command` repeats the run."""

    source: Source
    settings: Settings
    sizes: Mapping[str, int]
    steps: int
    steps_given: bool
    seed: int
    examples: Examples | None
    data: DataLine | None
    target: Target = field(repr=False)
    precision: str = FLOAT32
    tune: bool = False
    raw: bool = False
    passes: str = "all"
    allow_refuted: bool = False
    command: str = ""

    @property
    def batch(self) -> int:
        return self.sizes[self.batch_name] if self.batch_name else 0

    @property
    def batch_name(self) -> str:
        """The example axis, "" for a program without one."""
        kinds = ((n, d.kind) for n, d in self.source.interface.dims.items())
        return next((name for name, kind in kinds if kind == "batch"), "")

    @property
    def averages(self) -> bool:
        """Whether training keeps averaged weights."""
        return self.source.recipe.ema is not None

    @property
    def refuted(self) -> tuple[ClaimLine, ...]:
        return tuple(c for c in self.source.claims if c.verdict == "refuted")

    def identity(self) -> dict[str, Any]:
        """What has to be equal for a run to be resumed."""
        from gendsl.run.manifest import recipe_text

        return {
            "graph_hash": self.source.graph_hash,
            "sizes": dict(self.sizes),
            "hypers": dict(self.settings.hypers),
            "recipe": recipe_text(self.source.recipe, self.source.graph.schedules),
            "seed": self.seed,
            "data_hash": self.data.data_hash if self.data else None,
            "precision": self.precision,
        }

    def with_steps(self, steps: int) -> Job:
        return replace(self, steps=steps)
