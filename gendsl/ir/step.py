"""The joint graph of one training step: losses, gradients, optimizer, states and EMA as nodes.

Keys of values name what they are: "param:encoder.h.w" (stored value), "slot:m:encoder.h.w"
(optimizer state), "state:NAME", "ema:encoder.h.w" (shadow weights). Everything that a step reads
besides data, hyperparameters, noise and the step number is one of these; `updates` gives their
after-step values, all computed from the before-step ones except across several `step` lines, where
a later line sees the updates of the earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gendsl.ir.graph import Builder, Node


@dataclass(frozen=True)
class OptimizerGroup:
    """What a target needs to replace the update nodes of one step line by a fused kernel that is
    equal to them: the parameter keys with their (clipped) gradient nodes, and the rule's numbers.

    `count` is the number of this update, from 1; `before` and `after` hold, per parameter, its
    stored value and its slots around the update (with one line, inputs and `updates`); `slots`
    are the slots' names: the key of one is "slot:NAME:PATH"."""

    rule: str
    options: Mapping[str, float]
    lr: Node
    parameters: tuple[str, ...]
    gradients: tuple[Node, ...]
    count: Node | None = None
    before: tuple[tuple[Node, ...], ...] = ()
    after: tuple[tuple[Node, ...], ...] = ()
    slots: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node that the group names."""
        count = () if self.count is None else (self.count,)
        rows = (node for row in (*self.before, *self.after) for node in row)
        return (*self.gradients, self.lr, *count, *rows)

    def mapped(self, where: Mapping[Node, Node]) -> OptimizerGroup:
        """The group after a pass that took each node to `where[node]`."""
        return replace(
            self,
            lr=where[self.lr],
            gradients=tuple(where[n] for n in self.gradients),
            count=None if self.count is None else where[self.count],
            before=tuple(tuple(where[n] for n in row) for row in self.before),
            after=tuple(tuple(where[n] for n in row) for row in self.after),
        )


@dataclass(frozen=True)
class StepGraph:
    """One training step. `metrics` are scalar nodes by dotted name: "neg_elbo", "neg_elbo.kl"."""

    builder: Builder = field(repr=False)
    metrics: Mapping[str, Node]
    updates: Mapping[str, Node]
    groups: tuple[OptimizerGroup, ...] = ()
