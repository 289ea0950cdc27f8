"""One example at a time: a value of a batch as the mean of its values at the single examples.

In: a scalar node, the name of the batch size B. Out: subgoals

    value                    V(B; x) = (1/B) sum over e of V(1; x[e])
    example   for each tensor y that the value is read over:  y(B; x)[e] = y(1; x[e])

or `Coupled` with the reason. V(1; ..) is the same graph, built again with 1 for B in every op and
the single example in every leaf. Together they say that V is separable over the batch, and so that
repeating a batch does not change it. In each, the tensors
next below are variables, which have subgoals of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Op
from gendsl.ops import broadcast as br
from gendsl.ops import leaf as lf
from gendsl.ops import movement as mv
from gendsl.ops import select as se
from gendsl.ops.loop import LoopBody
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import ONE as UNIT
from gendsl.prove.kernel.term import ZERO, Atom, Poly
from gendsl.prove.reading import Setting
from gendsl.prove.subgoal import Scope, Subgoal
from gendsl.prove.terms import indices, size
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin

EXAMPLE = "example"  # the argument that numbers an example
ONE = Dim.of(1)


class Coupled(Exception):
    """An entry depends on other examples; the argument says where."""


@dataclass(frozen=True)
class Single:
    """The graph at one example. `fine` are tensors thought to have one example along one axis (by
    node): whether they have is what the subgoals show."""

    build: Builder
    batch: str
    fine: Mapping[Node, int]

    @property
    def number(self) -> Node:
        op = lf.Input("argument", EXAMPLE, (), Fin(Dim.name(self.batch)))
        return self.build.apply(op)

    def of(self, x: Node) -> Node:
        """x[e] of a tensor, with an axis of size 1 where the batch was."""
        k, rank = self.fine[x], x.type.rank
        rest = [p for p in range(rank) if p != k]
        front = self.build.apply(mv.Transpose((k, *rest)), x) if k else x
        entry = self.build.apply(se.Gather(), front, self.number)
        shape = tuple(ONE if p == k else d for p, d in enumerate(x.type.shape))
        return self.build.apply(br.Broadcast(shape, tuple(rest)), entry)

    def alone(self, root: Node, cut: frozenset[Node]) -> Node:
        """The root at batch size 1 and one example, over the examples of the tensors in `cut`."""
        table: dict[Node, Node] = {x: self.of(x) for x in cut}
        stack = [(root, False)]
        while stack:
            x, ready = stack.pop()
            if x in table:
                continue
            if not ready:
                stack += [(x, True), *((y, False) for y in x.inputs)]
            elif isinstance(x.op, lf.Leaf) and x in self.fine:
                table[x] = self.of(x)
            else:
                table[x] = self.build.apply(self._op(x), *(table[y] for y in x.inputs))
        return table[root]

    def _op(self, x: Node) -> Op:
        """The op with 1 for the batch size."""
        changed = {f.name: self._one(getattr(x.op, f.name)) for f in fields(x.op)}  # type: ignore[arg-type]
        kept = {k: v for k, v in changed.items() if v != getattr(x.op, k)}
        if kept and isinstance(x.op, lf.Input | lf.Draw):
            raise Coupled(f"{x!r} couples examples along {self.batch}")
        return replace(x.op, **kept) if kept else x.op  # type: ignore[type-var]

    def _one(self, value: Any) -> Any:
        match value:
            case Dim():
                return value.substitute({self.batch: ONE})
            case Fin(bound):
                return Fin(self._one(bound))
            case tuple():
                return tuple(map(self._one, value))
            case LoopBody():
                raise Coupled("a loop")
            case _:
                return value


def subgoals(
    setting: Setting, value: Node, batch: str, fine: Mapping[Node, int]
) -> tuple[Subgoal, ...]:
    """The value, and every tensor that it is read over; raises `Coupled` or `KernelError`."""
    single = Single(setting.build, batch, {x: k for x, k in fine.items() if k >= 0})
    cut = _cut([value], single)
    found, done = [_mean(setting, value, single, cut)], set[Node]()
    todo = list(cut)
    while todo:
        x = todo.pop()
        if x in done:
            continue
        done.add(x)
        below = _cut(x.inputs, single)
        found.append(_example(setting, x, single, below))
        todo += below
    return tuple(found)


def _cut(roots: Sequence[Node], single: Single) -> frozenset[Node]:
    """The tensors to read as variables: those with one example along an axis that a descent from
    `roots` meets first."""
    found, seen, stack = set[Node](), set[Node](), list(roots)
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        if x in single.fine and x.inputs and not isinstance(x.type.elem, Bool):
            found.add(x)
        else:
            stack.extend(x.inputs)
    return frozenset(found)


def _mean(setting: Setting, value: Node, single: Single, cut: frozenset[Node]) -> Subgoal:
    reader = setting.reader(cut)
    e = reader.index(single.number, ())
    alone = reader.real(single.alone(value, cut))
    mean = n.mul(n.nsum(e, alone), n.power(size(Dim.name(single.batch)), -1))
    gap = n.sub(reader.real(value), mean)
    reader.conditions.clear()  # where the value is not defined, nothing is claimed
    scope = Scope(setting, (), (value,), cut)
    found = scope.show("value", ("eq", gap), reader, (), (mean, ()) if plain(mean) else None)
    if found is None:
        raise Coupled(f"not shown to be a mean over {single.batch}")
    return found


def _example(setting: Setting, x: Node, single: Single, cut: frozenset[Node]) -> Subgoal:
    reader = setting.reader(cut)
    at = indices(x.type.shape)
    k, e = single.fine[x], reader.index(single.number, ())
    here, first = ((*at[:k], i, *at[k + 1 :]) for i in (e, n.index_const(ZERO, UNIT)))
    single_x = single.alone(x, cut)
    if isinstance(x.type.elem, Fin):
        same = n.delta(reader.index(x, here), reader.index(single_x, first))
        gap, alone = n.sub(same, UNIT), None
    else:
        alone = reader.real(single_x, first)
        gap = n.sub(reader.real(x, here), alone)
    reader.conditions.clear()
    free = [*at[:k], *at[k + 1 :]]
    scope = Scope(setting, (), (x,), cut)
    term = (alone, free) if alone is not None and plain(alone) else None
    found = scope.show("example", ("eq", gap), reader, free, term)
    if found is None:
        raise Coupled(f"{x!r} couples examples along {single.batch}")
    return replace(found, about=x)


def plain(p: Poly) -> bool:
    """Whether every function in a term has a meaning that a checker knows by its name."""
    stack: list[Any] = [p]
    seen: set[object] = set()
    while stack:
        x = stack.pop()
        if isinstance(x, tuple):
            stack.extend(x)
        elif isinstance(x, Poly | Atom) and x not in seen:
            seen.add(x)
            if isinstance(x, Poly):
                stack.extend(a for m in x.terms for a, _ in m)
                continue
            opaque = x.kind == "fn" and not x.args[0].startswith("net:")
            chosen = x.kind == "ix" and x.args[0] not in ("argmin", "argmax")
            if opaque or (chosen and any(a.kind == "lam" for a in x.args[1])):
                return False
            stack.extend(x.args)
    return True
