"""Batch claims: unchanged by repeating the batch, separable over the batch axis.

In: a scalar node and the name of the batch size. Out: an `Outcome`. A value is shown to be the mean
of its values at the single examples (`examples.py`, with kernel theorems), which says both. Only
where it is unchanged by repeating the batch without being one such mean (the logarithm of a mean),
the argument is about its form and leaves no proof object: where every sum over the batch comes with
one factor 1/B and entry b of every tensor depends on example b alone, repeating a batch repeats
summands, and the weight 1/B takes that back.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from gendsl.ir.graph import Node, reachable
from gendsl.ops import broadcast as br
from gendsl.ops import contract as ct
from gendsl.ops import conv as cv
from gendsl.ops import leaf as lf
from gendsl.ops import movement as mv
from gendsl.ops import reduce as rd
from gendsl.ops import select as se
from gendsl.ops.arity import Binary, Compare, Logic, Unary
from gendsl.ops.compare import ToReal, Where, Widen
from gendsl.ops.symbolic import NetCall
from gendsl.prove.case import Case, Outcome
from gendsl.prove.examples import Coupled, subgoals
from gendsl.prove.kernel.normal import KernelError
from gendsl.prove.kernel.term import Atom, Mono, Poly, atom, of_atom
from gendsl.prove.reading import SHAPED, frontier, visible
from gendsl.prove.refute import refute_batch
from gendsl.shape.dim import Dim

FREE = -1  # does not depend on the examples


class Axes:
    """For each node, the axis along which entry b depends on example b only, or `FREE`."""

    def __init__(self, batch: str) -> None:
        self.size = Dim.name(batch)
        self.batch = batch
        self._memo: dict[Node, int] = {}

    def of(self, node: Node) -> int:
        for x in reachable([node]):
            if x not in self._memo:
                self._memo[x] = self._of(x, [self._memo[y] for y in x.inputs])
        return self._memo[node]

    def _of(self, x: Node, below: list[int]) -> int:
        op = x.op
        if isinstance(op, lf.Leaf):
            return self._leaf(x)
        if all(k == FREE for k in below):
            if isinstance(op, br.Broadcast):
                new = [p for p in op.new_axes if op.shape[p] == self.size]
                return new[0] if len(new) == 1 else self._unless(not new, x)
            return self._unless(self.size not in x.type.shape, x)
        if isinstance(op, Unary | Binary | Compare | Logic | Where | ToReal | Widen):
            ranks = {k for k, y in zip(below, x.inputs, strict=True) if y.type.shape}
            return ranks.pop() if len(ranks) == 1 else self._unless(False, x)
        return self._moved(x, below)

    def _leaf(self, x: Node) -> int:
        at = [k for k, d in enumerate(x.type.shape) if d == self.size]
        op = x.op
        if isinstance(op, lf.Input) and op.kind in ("data", "argument") and at == [0]:
            return 0
        if isinstance(op, lf.Draw) and at and op.example_axis == at[0] and len(at) == 1:
            return at[0]
        mentions = isinstance(op, lf.SizeValue | lf.Index) and self.batch in str(x.op)
        return self._unless(not at and not mentions, x)

    def _moved(self, x: Node, below: list[int]) -> int:
        op, k = x.op, below[0]
        match op:
            case br.Broadcast():
                new = [p for p in op.new_axes if op.shape[p] == self.size]
                return op.positions[k] if not new else self._unless(False, x)
            case br.Sum() | rd.Max() | rd.Min() | rd.LogSumExp() | rd.All() | rd.Any():
                return (
                    k - sum(a < k for a in op.axes) if k not in op.axes else self._unless(False, x)
                )
            case rd.Softmax() | rd.LogSoftmax() | rd.CumSum() | rd.CumProd() | rd.ArgSort():
                return k if op.axis != k else self._unless(False, x)
            case rd.ArgMin() | rd.ArgMax():
                return k - (op.axis < k) if op.axis != k else self._unless(False, x)
            case mv.Transpose():
                return op.perm.index(k)
            case mv.Reshape():
                return 0 if k == 0 and op.shape[0] == self.size else self._unless(False, x)
            case mv.Slice() | mv.Flip() | mv.Pad():
                return k if op.axis != k else self._unless(False, x)
            case mv.Concat():
                same = all(j == k for j in below) and op.axis != k
                return k if same else self._unless(False, x)
            case ct.Contract():
                return self._contracted(x, op, below)
            case se.Gather():
                return self._gathered(x, op, below)
            case se.OneHot():
                return k
            case cv.Conv2d() | cv.ConvTranspose2d():
                return 0 if k == 0 and below[1] == FREE else self._unless(False, x)
            case NetCall():
                fits = op.mapped_axes > 0 and set(below) <= {0, FREE}
                return 0 if fits else self._unless(False, x)
            case _:
                return self._unless(False, x)

    def _contracted(self, x: Node, op: ct.Contract, below: list[int]) -> int:
        labels = {
            names[k] for names, k in zip((op.left, op.right), below, strict=True) if k != FREE
        }
        if len(labels) != 1 or not labels <= set(op.out):
            return self._unless(False, x)
        (label,) = labels
        alone = all(
            label not in names or k != FREE
            for names, k in zip((op.left, op.right), below, strict=True)
        )
        return op.out.index(label) if alone else self._unless(False, x)

    def _gathered(self, x: Node, op: se.Gather, below: list[int]) -> int:
        table, index = below
        if table == FREE:
            return index
        if table == 0 and index == 0 and op.batch > 0:
            return 0
        return self._unless(False, x)

    def _unless(self, fine: bool, x: Node) -> int:
        if not fine:
            raise Coupled(f"{x!r} couples examples along {self.batch}")
        return FREE


def per_example(nodes: Iterable[Node], batch: str) -> tuple[frozenset[Node], Axes]:
    """The nodes of which entry b depends on example b only (or on none)."""
    axes, fine = Axes(batch), set[Node]()
    for x in nodes:
        try:
            axes.of(x)
        except Coupled:
            continue
        fine.add(x)
    return frozenset(fine), axes


class Form:
    """How a term changes when every example is repeated R times: by which power of R."""

    def __init__(self, batch: str) -> None:
        self.batch = batch
        self.size = of_atom(atom("dim", batch))

    def invariant(self, p: Poly) -> None:
        """Raises `Coupled` unless no term of p changes."""
        for m in p.terms:
            if self.term(m) != 0:
                raise Coupled(f"a sum over {self.batch} without 1/{self.batch}, or the reverse")

    def term(self, m: Mono) -> Fraction:
        return sum((k * self.atom(a) for a, k in m), Fraction(0))

    def atom(self, a: Atom) -> Fraction:
        match a.kind:
            case "dim":
                return Fraction(a.args[0] == self.batch)
            case "S":
                return self._own(a) + self.term(a.args[1])
            case "d" | "ixval":
                if any(self._touches(i) for i in a.args):
                    raise Coupled("the number of an example is used")
            case _:
                pass
        self._arguments(a.args)
        return Fraction(0)

    def _own(self, a: Atom) -> int:
        for b in a.args[0]:
            self._binder(b)
        return sum(b.args[1] is self.size for b in a.args[0])

    def _binder(self, b: Atom) -> None:
        if b.args[1] is not self.size and self._in_size(b.args[1]):
            raise Coupled(f"an axis of a size made of {self.batch}")

    def _in_size(self, p: Poly) -> bool:
        return any(a.kind == "dim" and a.args[0] == self.batch for m in p.terms for a, _ in m)

    def _touches(self, i: Atom) -> bool:
        """Whether an index ranges over examples, or is made from one that does."""
        if i.kind == "i":
            return self._in_size(i.args[1])
        return any(self._in_size(j.args[1]) for j in i.free) or self._in_size(i.args[-1])

    def _arguments(self, args: Iterable[Any]) -> None:
        for x in args:
            if isinstance(x, Poly):
                self.invariant(x)
            elif isinstance(x, tuple):
                self._arguments(x)
            elif isinstance(x, Atom):
                self._index(x)

    def _index(self, i: Atom) -> None:
        if i.kind == "lam":
            if any(self._in_size(b.args[1]) for b in i.args[0]):
                raise Coupled("a function of the whole batch")
            self.invariant(i.args[1])
        elif i.kind == "ix" and not i.args[0].startswith("affine:"):
            if self._in_size(i.args[2]):
                raise Coupled("an example is chosen by number")
            self._arguments(i.args[1])
        elif i.kind == "i":
            self._binder(i)
        elif self._touches(i):
            raise Coupled("the number of an example is used")


def decide(case: Case, value: Node, batch: str, *, separable: bool) -> Outcome:
    """Whether the value is separable over the batch, or unchanged by repeating it."""
    if value.type.shape:
        return Outcome("unknown", goal="the value has axes")
    failing = refute_batch(case, value, batch, range(8, 14), separable=separable)
    if failing is not None:
        return failing
    fine, axes = per_example(reachable([value]), batch)
    try:
        shown = subgoals(case.setting, value, batch, {x: axes.of(x) for x in fine})
        return Outcome("proved", laws=("mean over examples",), subgoals=shown)
    except (Coupled, KernelError) as problem:
        if separable:
            return Outcome("unknown", goal=str(problem))
    return _by_form(case, value, batch, fine)


def _by_form(case: Case, value: Node, batch: str, fine: frozenset[Node]) -> Outcome:
    """A value made of several means over the batch, by the form of its term."""
    below = reachable([value])
    named = frozenset(x for x in below if x in case.setting.build.names and x.inputs)
    reason = ""
    for stop in (edge(value, fine, named), edge(value, fine, frozenset())):
        leaves = [x for x in visible([value], stop) if not x.inputs]
        loose = [x for x in leaves if x not in fine and not isinstance(x.op, lf.SizeValue)]
        if loose:
            return Outcome("unknown", goal=f"{loose[0]!r} couples examples along {batch}")
        try:
            Form(batch).invariant(case.setting.reader(stop).real(value))
        except (Coupled, KernelError) as problem:
            reason = str(problem)
            continue
        return Outcome("proved", laws=("means over examples that do not see each other",))
    return Outcome("unknown", goal=reason)


def edge(value: Node, fine: frozenset[Node], named: frozenset[Node]) -> frozenset[Node]:
    """The nodes to read as variables: per-example ones, named or not made of simpler sums."""
    return frontier([value], SHAPED, named & fine) & fine | (named & fine)
