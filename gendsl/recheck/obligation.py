"""What a claim has to show, rebuilt from its record; its link to theorems; its values at points.

In: the record of a claim (a body over nodes). Out: `Duty`s: from some comparisons, one of several
sets of comparisons. Written from the meaning of the claim forms, without the prover's code. A
theorem is linked to a duty by values: its conclusion, read at the indices of an entry, is the
difference of the two sides of the comparison there, and each of its hypotheses is one of the claim,
or a declared range.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mpmath import mpf

from .arrays import TINY, Array, Undefined, places, tabulate
from .evaluate import Evaluator
from .functions import same
from .node_text import Node, Nodes, Type, below
from .points import Point
from .replay import Prop, Rejected, Replay
from .sizes import Malformed, Misfit, Size, read_size

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """`left rel right` everywhere; rel is eq, ge, gt or ne. A scalar side is spread."""

    rel: str
    left: Node
    right: Node

    def sides(self, at: Evaluator) -> list[tuple[Any, Any]]:
        difference = self._difference(at)
        if difference is not None:
            return [(v, mpf(0)) for v in at.value(difference).entries]
        a, b = at.value(self.left), at.value(self.right)
        shape = max(a.shape, b.shape, key=len)
        return [(_entry(a, i), _entry(b, i)) for i in places(shape)]

    def holds(self, at: Evaluator) -> bool:
        return all(_compare(self.rel, a, b) for a, b in self.sides(at))

    @property
    def kernel_rel(self) -> str:
        index = self.left.type.elem == "fin"
        return {"ne": "eq", "gt": "ge"}.get(self.rel, self.rel) if index else self.rel

    def _difference(self, at: Evaluator) -> Node | None:
        """A node that is left - right and stands for a variable."""
        for x in at.stands:
            if x.op.name == "sub" and all(
                _spread_of(y, side)
                for y, side in zip(x.inputs, (self.left, self.right), strict=True)
            ):
                return x
        return None

    def gap(self, at: Evaluator) -> Array:
        """What the conclusion of a theorem about this compares with zero, at each entry."""
        difference = self._difference(at)
        if difference is not None:
            return at.value(difference)
        a, b = at.value(self.left), at.value(self.right)
        shape = max(a.shape, b.shape, key=len)
        return tabulate(shape, lambda i: self._gap(_entry(a, i), _entry(b, i)))

    def _gap(self, a: Any, b: Any) -> Any:
        if self.left.type.elem != "fin":
            return (mpf(int(a)) - mpf(int(b))) if isinstance(a, bool) else a - b
        match self.rel:
            case "eq":
                return mpf(int(a == b) - 1)
            case "ne":
                return mpf(int(a == b))
            case "gt":
                return mpf(a - b - 1)
            case _:
                return mpf(a - b)


def _spread_of(x: Node, side: Node) -> bool:
    """Whether x is the side, or the side spread over a shape."""
    return x is side or (x.op.name == "broadcast" and x.inputs == (side,))


def _entry(x: Array, i: tuple[int, ...]) -> Any:
    return x.at(i) if x.shape else x.entries[0]


def _compare(rel: str, a: Any, b: Any) -> bool:
    if isinstance(a, bool | int):
        return bool({"eq": a == b, "ne": a != b, "ge": a >= b, "gt": a > b}[rel])
    slack = TINY * (1 + abs(a) + abs(b))
    match rel:
        case "eq":
            return same(a, b)
        case "ne":
            return not same(a, b)
        case "ge":
            return bool(a - b >= -slack)
        case _:
            return bool(a - b > slack)


Conjunction = tuple[Comparison, ...]
_SWAP = {"<": "gt", "<=": "ge", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_NOT = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True)
class Duty:
    """From all of `given`, all of one of `goals`."""

    given: Conjunction
    goals: tuple[Conjunction, ...]


class Claim:
    """The record of a claim over a table of nodes."""

    def __init__(self, record: Record, nodes: Nodes, outputs: Mapping[str, Node]) -> None:
        self.body: Record = record["body"]
        self.given: Sequence[Record] = record["given"]
        self.variables: Sequence[Record] = record["variables"]
        self.nodes, self.outputs = nodes, outputs

    def node(self, record: Record) -> Node:
        return self.outputs[record["node"]]

    def compare(self, op: str, left: Node, right: Node) -> Comparison:
        if op in ("<", "<="):
            left, right = right, left
        return Comparison(_SWAP[op], left, right)

    def alternatives(self, p: Record) -> list[Conjunction]:
        """A proposition as an "or" of "and"s."""
        match p["is"]:
            case "Compare":
                return [(self.compare(p["op"], self.node(p["left"]), self.node(p["right"])),)]
            case "Holds":
                true = self.nodes.leaf("truth", "value = true", Type("bool", None, ()))
                return [(Comparison("eq", self.node(p["value"]), true),)]
            case "And":
                rows = itertools.product(*(self.alternatives(q) for q in p["parts"]))
                return [tuple(itertools.chain(*row)) for row in rows]
            case "Or":
                return [row for q in p["parts"] for row in self.alternatives(q)]
            case "Not":
                return self._negated(p["part"])
            case other:
                raise Malformed(f"no comparison: {other}")

    def _negated(self, p: Record) -> list[Conjunction]:
        match p["is"]:
            case "Compare":
                left, right = self.node(p["left"]), self.node(p["right"])
                if left.type.shape or right.type.shape:
                    raise Malformed("a negated statement about all entries")
                return [(self.compare(_NOT[p["op"]], left, right),)]
            case "Not":
                return self.alternatives(p["part"])
            case "And" | "Or":
                parts = [{"is": "Not", "part": q} for q in p["parts"]]
                other = "Or" if p["is"] == "And" else "And"
                return self.alternatives({"is": other, "parts": parts})
            case other:
                raise Malformed(f"no negation of {other}")

    @property
    def hypotheses(self) -> list[Conjunction]:
        return self.alternatives({"is": "And", "parts": self.given})

    def duties(self) -> list[Duty] | None:
        """What sequents have to show; None for a form that is judged by evaluation alone."""
        body = self.body
        match body["is"]:
            case "Plain" if not _has_gradient(body["prop"]):
                goals = tuple(self.alternatives(body["prop"]))
                return [Duty(h, goals) for h in self.hypotheses]
            case "Iff":
                return [
                    Duty(h, tuple(self.alternatives(b)))
                    for a, b in ((body["left"], body["right"]), (body["right"], body["left"]))
                    for h in self.alternatives({"is": "And", "parts": [*self.given, a]})
                ]
            case "Monotone":
                return self._monotone(body)
            case "InRange":
                value, rows = self.node(body["value"]), []
                for op, side in ((">=", body["low"]), ("<=", body["high"])):
                    if side is not None:
                        rows.append(self.compare(op, value, self.node(side)))
                return [Duty(h, (tuple(rows),)) for h in self.hypotheses]
            case "Independent" if body["group"] is None:
                value, variable = self.node(body["value"]), self.node(body["variable"])
                moved = self.nodes.replaced(value, variable, self.primed(variable))
                goal = self.compare("==", moved, value)
                return [Duty(h, ((goal,),)) for h in self.hypotheses]
            case _:
                return None

    def primed(self, leaf: Node) -> Node:
        """Another leaf of the same kind."""
        old = json.dumps(leaf.op["key"], ensure_ascii=False)
        text = leaf.op.text.replace(f"key = {old}", f"key = {old[:-1]}'\"", 1)
        return self.nodes.leaf("input", text, leaf.type)

    def _monotone(self, body: Record) -> list[Duty]:
        value, old = self.node(body["value"]), self.node(body["variable"])
        if old.op.name != "input" or old.type.shape:
            raise Malformed("monotone in something that is not a scalar variable")
        new = self.primed(old)
        op = ">=" if body["direction"] == "nondecreasing" else "<="
        goal = self.compare(op, self.nodes.replaced(value, old, new), value)
        order = self.compare(">=", new, old)
        found = []
        for a in self.hypotheses:
            for b in self.hypotheses:
                moved = tuple(
                    Comparison(
                        q.rel,
                        self.nodes.replaced(q.left, old, new),
                        self.nodes.replaced(q.right, old, new),
                    )
                    for q in b
                )
                found.append(Duty((*a, order, *moved), ((goal,),)))
        return found

    @property
    def roots(self) -> list[Node]:
        """The nodes of the body and of the hypotheses."""
        found: list[Node] = []
        stack: list[Any] = [self.body, list(self.given)]
        while stack:
            x = stack.pop()
            if isinstance(x, dict):
                if set(x) == {"node"}:
                    found.append(self.node(x))
                else:
                    stack.extend(x.values())
            elif isinstance(x, list):
                stack.extend(x)
        return found

    def index_bounds(self) -> dict[str, tuple[Size | None, Size | None]]:
        """The bounds of index arguments, by key."""
        found = {}
        for v in self.variables:
            low, high = (read_size(x["size"]) if _sized(x) else None for x in (v["low"], v["high"]))
            node = self.node(v["node"])
            if node.key is not None and (low is not None or high is not None):
                found[node.key] = (low, high)
        return found

    def argument_ranges(self) -> dict[str, tuple[Fraction | None, Fraction | None]]:
        found = {}
        for v in self.variables:
            ends = tuple(
                Fraction(x["number"]) if isinstance(x, dict) and "number" in x else None
                for x in (v["low"], v["high"])
            )
            key = self.node(v["node"]).key
            if key is not None and ends != (None, None):
                found[key] = (ends[0], ends[1])
        return found


def _sized(x: Any) -> bool:
    return isinstance(x, dict) and "size" in x


def _has_gradient(p: Record) -> bool:
    if p["is"] in ("GradEqual", "Lipschitz"):
        return True
    return any(_has_gradient(q) for q in p.get("parts", ()))


# ---- links --------------------------------------------------------------------------------

Entries = Callable[[Point], Array]


def linked(replay: Replay, p: Prop, rel: str, entries: Entries) -> bool:
    """Whether a proposition says `entry rel 0` for every entry."""
    if p.rel != rel:
        return False
    rows = []
    for point in replay.points:
        try:
            rows.append((point, entries(point)))
        except (Undefined, Misfit, OverflowError):
            continue
    if not rows:
        return False
    rank = len(rows[0][1].shape)
    axes = itertools.permutations(range(rank), len(p.binders))
    return any(_fits(replay, p, chosen, rows) for chosen in axes)


def _fits(
    replay: Replay, p: Prop, axes: Sequence[int], rows: Sequence[tuple[Point, Array]]
) -> bool:
    tested = 0
    for point, array in rows:
        try:
            for b, k in zip(p.binders, axes, strict=True):
                if replay.terms.size(b, point) != array.shape[k]:
                    return False
            all_places = list(places(array.shape))
            for i in all_places[:: max(1, len(all_places) // 12)]:
                env = {b: i[k] for b, k in zip(p.binders, axes, strict=True)}
                if not same(replay.terms.value(p.poly, point, env), array.at(i)):
                    return False
            tested += 1
        except (Undefined, Misfit, OverflowError):
            continue
    return tested > 0


class Sequent:
    """A sequent of the certificate, with the nodes that its theorem reads as variables."""

    def __init__(self, row: Record, claim: Claim) -> None:
        self.given = tuple(self._comparison(q, claim) for q in row["given"])
        self.goal = self._comparison(row["goal"], claim)
        self.theorem, self.conditions = int(row["theorem"]), [int(k) for k in row["conditions"]]
        self.stands = {claim.outputs[name]: v for v, name in row["stands"].items()}

    @staticmethod
    def _comparison(q: Record, claim: Claim) -> Comparison:
        if q["rel"] not in ("eq", "ge", "gt", "ne"):
            raise Malformed(f"no relation {q['rel']}")
        return Comparison(q["rel"], claim.outputs[q["left"]], claim.outputs[q["right"]])

    def cut(self, replay: Replay) -> dict[Node, str]:
        """The nodes that are variables in the theorem: those that it mentions, and the others at
        which the prover stopped reading (which no theorem was instantiated at)."""
        inner = {str(t.data[0])[1:] for t in replay.theorems if t.rule == "instance"}
        own = self._mentioned(replay, self.theorem)
        return {x: v for x, v in self.stands.items() if v in own or v not in inner}

    def _mentioned(self, replay: Replay, theorem: int) -> set[str]:
        t = replay.theorems[theorem]
        polys = [replay.prop(h).poly for h in (t.concl, *t.hyps)]
        return {x.rpartition("|")[0] for p in polys for x in replay.terms.names(p)}

    def link(self, replay: Replay, facts: Sequence[tuple[str, Entries]]) -> None:
        """Raises `Rejected` unless the theorem is about this sequent."""
        stands = self.cut(replay)
        goal = replay.prop(replay.theorems[self.theorem].concl)
        if not linked(replay, goal, self.goal.kernel_rel, _entries(self.goal, stands)):
            raise Rejected("the theorem's conclusion is not the claim's")
        self._hypotheses(replay, self.theorem, stands, facts)
        for k in self.conditions:
            own = self._mentioned(replay, k)
            named = {x: v for x, v in self.stands.items() if v in own}
            self._hypotheses(replay, k, named, facts)

    def _hypotheses(
        self,
        replay: Replay,
        theorem: int,
        stands: Mapping[Node, str],
        facts: Sequence[tuple[str, Entries]],
    ) -> None:
        """Each hypothesis of a theorem is one of the sequent's, or a declared fact."""
        allowed = [*((q.kernel_rel, _entries(q, stands)) for q in self.given), *facts]
        for h in replay.theorems[theorem].hyps:
            p = replay.prop(h)
            if not any(linked(replay, p, rel, entries) for rel, entries in allowed):
                raise Rejected("a hypothesis of the theorem is none of the claim's")

    @property
    def nodes(self) -> list[Node]:
        return below([x for q in (*self.given, self.goal) for x in (q.left, q.right)])


def _entries(q: Comparison, stands: Mapping[Node, str]) -> Entries:
    return lambda point: q.gap(Evaluator(point, stands))


def covers(duty: Duty, sequents: Sequence[Sequent]) -> bool:
    """Whether the sequents show one alternative of the duty from its hypotheses."""
    have = {(frozenset(s.given), s.goal) for s in sequents}
    usable = {goal for given, goal in have if given <= frozenset(duty.given)}
    return any(all(q in usable for q in goals) for goals in duty.goals)
