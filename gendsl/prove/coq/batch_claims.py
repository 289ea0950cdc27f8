"""Batch claims as equalities: a value of a batch that is repeated, or put together from two.

In: `RepeatInvariant` and `Separable` bodies. Out: a theorem about the value as a function V of the
number of examples and of everything that has an example axis:

    V (R * B) (fun b => x (b mod R)) = V B x
    V (A + B) (x followed by y) = (A * V A x + B * V B y) / (A + B)

Terms whose entry b depends on example b alone are variables (the theorem is for all values of
them): that a net sees one example at a time is not shown here, it is read off the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gendsl.ir.graph import Node, reachable
from gendsl.prove.batch import edge, per_example
from gendsl.prove.coq.expr import (
    Add,
    Canon,
    E,
    Fn,
    Inv,
    Mul,
    NotExported,
    Pow,
    Sub,
    Sum,
    index_name,
)
from gendsl.prove.coq.header import Theorem
from gendsl.prove.coq.normalise import Writer
from gendsl.prove.coq.statement import Source
from gendsl.prove.coq.whole import assembled
from gendsl.prove.reading import Setting
from gendsl.prove.terms import size
from gendsl.shape.dim import Dim


def theorem(
    value: Node, batch: str, setting: Setting, name: str, *, separable: bool
) -> tuple[Theorem, ...]:
    if value.type.shape:
        raise NotExported("the value has axes")
    last = NotExported("no reading")
    below = reachable([value])
    fine, _ = per_example(below, batch)
    named = frozenset(x for x in below if x in setting.build.names and x.inputs)
    for stop in (edge(value, fine, named), edge(value, fine, frozenset())):
        try:
            source = Source({x: f"%{x.id}" for x in stop})
            tree = source.real(value, ())
            return (_stated(source, tree, batch, setting, name, separable),)
        except NotExported as problem:
            last = problem
    raise last


@dataclass(frozen=True)
class _Value:
    """The value as a function, and its sums over examples."""

    w: Writer
    source: Source
    tree: E
    batch: str

    @property
    def moving(self) -> list[tuple[str, int]]:
        """The variables with an example axis, and which axis that is."""
        found = []
        for x in sorted(self.source.arity):
            axes = [k for k, d in enumerate(self._shape(x)) if d == Dim.name(self.batch)]
            if len(axes) > 1:
                raise NotExported("two example axes")
            found += [(x, axes[0])] if axes else []
        return found

    def _shape(self, name: str) -> tuple[Dim, ...]:
        node = self.source.nodes[name]
        if any(self.batch in str(d) and d != Dim.name(self.batch) for d in node.type.shape):
            raise NotExported("an axis of a size made of the batch")
        return node.type.shape

    def type(self, name: str) -> str:
        count, kind = self.source.arity[name]
        return " -> ".join(["nat"] * count + ["nat" if kind == "index" else "R"])

    @property
    def binders(self) -> str:
        return " ".join(f"({self.w.names.variable(x)} : {self.type(x)})" for x, _ in self.moving)

    def function(self, body: str, last: str = "") -> str:
        return f"(fun ({self.dim} : nat) {self.binders}{last} => {body})"

    @property
    def dim(self) -> str:
        return self.w.names.dim(self.batch)

    def entry(self, name: str, axis: int, given: str) -> str:
        """A variable with another index in place of b on its example axis."""
        count = self.source.arity[name][0]
        names = [f"n{k}" if k != axis else "b" for k in range(count)]
        at = [f"n{k}" if k != axis else given for k in range(count)]
        return f"(fun {' '.join(names)} => {{v}} {' '.join(at)})"


def _sums(e: E, batch: str) -> Iterator[Sum]:
    """The outermost sums over examples."""
    match e:
        case Sum(i, body):
            if i.args[1] is size(Dim.name(batch)):
                yield e
            else:
                inside = list(_sums(body, batch))
                if inside:
                    raise NotExported("a sum over examples inside another sum")
        case Add(parts) | Mul(parts) | Fn(_, parts):
            for x in parts:
                yield from _sums(x, batch)
        case Sub(left, right):
            yield from _sums(left, batch)
            yield from _sums(right, batch)
        case Pow(base) | Inv(base):
            yield from _sums(base, batch)
        case Canon():
            yield from _sums(e.tree, batch)
        case _:
            return


def _stated(
    source: Source, tree: E, batch: str, setting: Setting, name: str, separable: bool
) -> Theorem:
    def goal(w: Writer) -> tuple[str, list[str]]:
        v = _Value(w, source, tree, batch)
        sums = list(dict.fromkeys(_sums(tree, batch)))
        return (_parts if separable else _repeated)(v, sums)

    moving = [
        x
        for x, node in ((x, source.nodes[x]) for x in source.arity)
        if Dim.name(batch) in node.type.shape
    ]
    made = assembled(name, source, (), setting, [size(Dim.name(batch))], goal, bound=moving)
    return made


def _repeated(v: _Value, sums: list[Sum]) -> tuple[str, list[str]]:
    w, d = v.w, v.dim
    names = [w.names.variable(x) for x, _ in v.moving]
    again = " ".join(
        v.entry(x, k, f"(b mod {d})%nat").replace("{v}", w.names.variable(x)) for x, k in v.moving
    )
    own = " ".join(names)
    bound = f"forall (copies : nat) (Hcopies : (0 < copies)%nat) {v.binders}"
    said = (
        f"let V := {v.function(w.t(v.tree))} in\n  {bound},\n"
        f"  V (copies * {d})%nat {again} = V {d} {own}"
    )
    lines = [f"intros V copies Hcopies {own}; unfold V; clear V; cbv beta."]
    for k, s in enumerate(sums):
        i = index_name(s.index)
        lines.append(
            f"pose proof (rsum_repeat copies {d} (fun {i} => {w.t(s.body)}) H{d}) as S{k};"
            f" cbv beta in S{k}; rewrite S{k}; clear S{k}."
        )
    return said, [*lines, "rewrite ?mult_INR; fin."]


def _parts(v: _Value, sums: list[Sum]) -> tuple[str, list[str]]:
    w, d = v.w, v.dim
    first = {x: w.names.variable(x) for x, _ in v.moving}
    second = {x: f"{name}_then" for x, name in first.items()}
    joined = []
    for x, k in v.moving:
        one = v.entry(x, k, "b").replace("{v}", first[x])
        two = v.entry(x, k, f"(b - {d})%nat").replace("{v}", second[x])
        head, _, one_body = one[1:-1].partition(" => ")
        two_body = two[1:-1].partition(" => ")[2]
        joined.append(f"({head} => if (b <? {d})%nat then {one_body} else {two_body})")
    own, other = " ".join(first.values()), " ".join(second.values())
    more = " ".join(f"({second[x]} : {v.type(x)})" for x, _ in v.moving)
    bound = f"forall (more : nat) (Hmore : (0 < more)%nat) {v.binders} {more}"
    said = (
        f"let V := {v.function(w.t(v.tree))} in\n  {bound},\n"
        f"  V ({d} + more)%nat {' '.join(joined)}\n"
        f"  = (INR {d} * V {d} {own} + INR more * V more {other}) * / (INR {d} + INR more)"
    )
    lines = [f"intros V more Hmore {own} {other}; unfold V; clear V; cbv beta."]
    for k, s in enumerate(sums):
        i = index_name(s.index)
        f = f"(fun {v.binders} {i} => {w.t(s.body)})"
        whole = f"({f} {' '.join(joined)})"
        lines += [
            f"pose proof (rsum_concat {d} more ({f} {own}) ({f} {other}) {whole}) as S{k};"
            f" cbv beta in S{k}.",
            f"rewrite S{k}; clear S{k};"
            f" [ | intros i0 Hi0; apply Nat.ltb_lt in Hi0; rewrite Hi0; reflexivity"
            f" | intros i0 Hi0; replace ({d} + i0 <? {d})%nat with false by"
            f" (symmetry; apply Nat.ltb_ge; lia);"
            f" replace ({d} + i0 - {d})%nat with i0 by lia; reflexivity ].",
        ]
    apart = f"assert (0 < INR {d} + INR more) by (apply Rplus_lt_0_compat; apply lt_0_INR; lia)."
    return said, [*lines, apart, "rewrite ?plus_INR; fin."]
