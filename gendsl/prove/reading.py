"""How the graph is read for a proof: what a claim may use, and which nodes are variables.

A `Setting` holds declared ranges and bounds. A `Reading` is a set of nodes that stand for
themselves: a theorem about arbitrary values of them holds for their real ones, so that a proof
looks no deeper into the graph than it has to.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import compare as cm
from gendsl.ops import movement as mv
from gendsl.ops.arity import Binary, Unary
from gendsl.ops.leaf import Const, Draw, Input, SizeValue
from gendsl.ops.symbolic import Pi
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Prop, Thm, prop
from gendsl.prove.kernel.term import atom, const, of_atom
from gendsl.prove.props import Comparison
from gendsl.prove.signs import number as number
from gendsl.prove.terms import Reader, indices, leaf_name, size
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Range, Real


@dataclass(frozen=True)
class Setting:
    """What a claim may use: declared ranges of leaves (by variable name), lower bounds of sizes,
    bounds of index arguments, and when to stop."""

    build: Builder
    ranges: Mapping[str, Range]
    at_least: Mapping[str, Dim]
    index_bounds: Mapping[Node, tuple[Dim | None, Dim | None]]
    deadline: float
    opaque: frozenset[Node] = frozenset()
    signs: Mapping[str, str] = field(default_factory=dict)
    defined: set[Node] = field(default_factory=set)

    def later(self, seconds: float) -> Setting:
        """The setting with at least this much time left."""
        deadline = max(self.deadline, time.process_time() + seconds)
        n.stop_at(deadline)
        return replace(self, deadline=deadline)

    def reader(self, opaque: Iterable[Node] = ()) -> Reader:
        return Reader({x: f"%{x.id}" for x in opaque}, self.ranges, self.signs)

    def expired(self) -> bool:
        return time.process_time() > self.deadline


def with_ranges(setting: Setting, ranges: Mapping[str, Range]) -> Setting:
    return replace(setting, ranges=ranges)


@dataclass(frozen=True)
class Sequent:
    """From every comparison in `given`, `goal`."""

    given: tuple[Comparison, ...]
    goal: Comparison

    @property
    def nodes(self) -> list[Node]:
        return [
            x for q in (*self.given, self.goal) for x in (q.node, q.left, q.right) if x is not None
        ]


@dataclass(frozen=True)
class Reading:
    """Which nodes are variables; `inner` are only so until the theorem is instantiated."""

    level: str
    opaque: frozenset[Node]
    inner: frozenset[Node] = frozenset()

    @property
    def ground(self) -> frozenset[Node]:
        return self.opaque - self.inner


def readings(sequent: Sequent, setting: Setting) -> list[Reading]:
    """The sets of nodes to read as variables, from most to least abstract."""
    below = reachable(sequent.nodes)
    named = frozenset(x for x in below if x in setting.build.names and x.inputs)
    named |= setting.opaque & frozenset(below)
    shape = frontier(sequent.nodes, SHAPED, named) | named
    skeleton = frontier(sequent.nodes, _SIGNED, named) | named
    terms = frontier(sequent.nodes, _SPLIT, named) | named
    sides = [x for q in (*sequent.given, sequent.goal) for x in (q.left, q.right)]
    gaps = frontier(sides, SHAPED, named, halt=(ar.Sub, ar.Add)) | named
    return [
        Reading("terms", terms | skeleton, terms - skeleton),
        Reading("terms", terms | shape, terms - shape),
        Reading("shape", shape),
        Reading("gaps", gaps),
        Reading("nets", named),
        Reading("full", setting.opaque),
    ]


def signed(setting: Setting, given: Iterable[Comparison]) -> Setting:
    return replace(setting, signs={**setting.signs, **signs_given(given)})


def signs_given(given: Iterable[Comparison]) -> dict[str, str]:
    """The signs of leaves that hypotheses of the form `leaf > 0` and `leaf >= 0` declare."""
    found: dict[str, str] = {}
    for q in given:
        limit = number(q.right)
        leaf = isinstance(q.left.op, Input) and isinstance(q.left.type.elem, Real)
        if leaf and limit is not None and limit >= 0 and q.rel in ("gt", "ge"):
            strict = q.rel == "gt" or limit > 0
            name = leaf_name(q.left)
            found[name] = "+" if strict or found.get(name) == "+" else "0+"
    for _ in range(3):  # leaf >= other leaf passes the sign on
        for q in given:
            pair = isinstance(q.left.op, Input) and isinstance(q.right.op, Input)
            sign = found.get(leaf_name(q.right)) if pair and q.rel in ("gt", "ge") else None
            if sign is not None and not isinstance(q.left.type.elem, Fin):
                strict = sign == "+" or q.rel == "gt" or found.get(leaf_name(q.left)) == "+"
                found[leaf_name(q.left)] = "+" if strict else "0+"
    return found


_SPLIT = (ar.Add, ar.Sub, ar.Mul, ar.Neg, ar.Div, br.Broadcast)


_SIGNED = (*_SPLIT, br.Sum, ar.Square, ar.Maximum, ar.StopGrad, mv.Transpose, mv.Reshape)


SHAPED = (Unary, Binary, br.Sum, br.Broadcast, mv.Transpose, mv.Reshape, cm.Where, cm.ToReal)


_LEAVES = (Const, SizeValue, Input, Draw, Pi)


def frontier(
    roots: Iterable[Node],
    through: tuple[type, ...],
    stop: frozenset[Node],
    halt: tuple[type, ...] = (),
) -> frozenset[Node]:
    """Where a descent from `roots` through some ops ends: real nodes that are not leaves."""
    found: set[Node] = set()
    stack, seen = list(roots), set[Node]()
    while stack:
        x = stack.pop()
        if x in seen or x in stop:
            continue
        seen.add(x)
        passes = isinstance(x.op, through) and not isinstance(x.op, halt)
        if isinstance(x.type.elem, Fin | Bool) or passes:
            below = [y for y in x.inputs if not _halts(x, through)]
            stack.extend(below)
            found.update(y for y in x.inputs if y not in below and not isinstance(y.op, _LEAVES))
        elif not isinstance(x.op, _LEAVES):
            found.add(x)
    return frozenset(found)


def _halts(x: Node, through: tuple[type, ...]) -> bool:
    """A square is not looked into when only signs matter."""
    own = isinstance(x.op, ar.Mul) and x.inputs[0] is x.inputs[1]
    return through is _SIGNED and (own or isinstance(x.op, ar.Square))


def visible(roots: Iterable[Node], opaque: frozenset[Node]) -> list[Node]:
    """The nodes that are reached from `roots` without passing an opaque one."""
    found: set[Node] = set()
    stack = list(roots)
    while stack:
        x = stack.pop()
        if x not in found and x not in opaque:
            found.add(x)
            stack.extend(x.inputs)
    return sorted(found, key=lambda x: x.id)


def declared(nodes: Iterable[Node], setting: Setting) -> list[Thm]:
    """The declared ranges of the leaves below `nodes`, and of sizes, as assumed theorems."""
    found: list[Prop] = []
    for x in reachable(list(nodes)):
        if isinstance(x.op, Input | Draw):
            found += _leaf_facts(x, setting)
    for name, least in setting.at_least.items():
        gap = n.sub(of_atom(atom("dim", name)), size(least))
        if not n.nonnegative(gap):
            found.append(prop("ge", gap))
    return [r.assume(p) for p in dict.fromkeys(found)]


def _leaf_facts(x: Node, setting: Setting) -> list[Prop]:
    if isinstance(x.type.elem, Fin):
        low, high = setting.index_bounds.get(x, (None, None))
        if x.type.shape or not (low or high):
            return []
        v = n.value_of(Reader().index(x, ()))
        sides = [n.sub(v, size(low))] if low is not None else []
        sides += [n.sub(size(high), v)] if high is not None else []
        return [prop("ge", s) for s in sides if not n.nonnegative(s)]
    uniform = isinstance(x.op, Draw) and x.op.dist == "uniform"
    bounds = Range(None, Fraction(1)) if uniform else setting.ranges.get(leaf_name(x))
    if bounds is None:
        return []
    at = indices(x.type.shape)
    v = setting.reader().real(x, at)
    sides = [n.sub(v, const(bounds.low))] if bounds.low is not None else []
    sides += [n.sub(const(bounds.high), v)] if bounds.high is not None else []
    return [prop("ge", s, at) for s in sides if not n.nonnegative(s)]
