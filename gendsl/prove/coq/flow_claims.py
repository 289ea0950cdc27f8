"""Gradient claims as derivatives: a combination of values that does not move with a group.

In: `GradEqual` bodies, and gradients that do not depend on a variable. Out: a theorem

    derivable_pt_lim (fun t => V (p + t * d)) 0 0

for every direction d of everything in the combination V that depends on parameters of the group.
V is the left sum minus the right one, as the graph that trains differentiates it: what stands under
`stop_grad`, indices and truth values are fixed; `straight_through(a, b)` is a plus something fixed.
Named results are variables: those that depend on the group move in any direction. Which depend on
the group is read off the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gendsl.core import claim as c
from gendsl.ir.graph import Builder, Node, ParamInfo, reachable
from gendsl.ir.rewrite import substitute
from gendsl.ops import arithmetic as ar
from gendsl.ops import unary as un
from gendsl.ops.broadcast import fill
from gendsl.ops.leaf import Const, Input
from gendsl.prove.coq.expr import NotExported
from gendsl.prove.coq.header import Theorem
from gendsl.prove.coq.normalise import Writer
from gendsl.prove.coq.statement import Source
from gendsl.prove.coq.whole import Prove, assembled
from gendsl.prove.props import comparison
from gendsl.prove.reading import Sequent, Setting
from gendsl.prove.terms import leaf_name
from gendsl.shape.tensor_type import Bool, Fin, Real

FIXED = (ar.StopGrad, un.Floor, un.Sign)


def theorems(
    body: c.Plain | c.Independent,
    params: Mapping[str, ParamInfo],
    setting: Setting,
    name: str,
    prove: Prove,
) -> tuple[Theorem, ...]:
    build = setting.build
    equal = _as_equation(build, body)
    roots = [t.value for t in (*equal.left, *equal.right)]
    group = {t.group for t in (*equal.left, *equal.right)}
    if len(group) != 1 or any(x.type.shape for x in roots):
        raise NotExported("gradients of several groups, or of something with axes")
    infos = [p for p in params.values() if p.group in group]
    own = {p.path for p in infos}
    whole = combination(build, equal, own)
    made = _Trained(build, own).of(whole)
    moving, still = _leaves(build, made, own, {*roots})
    flat = substitute(build, [made], {**moving, **still})[0]
    parts = []
    inside = [x for x in moving.values() if x in set(reachable([flat]))]
    primed = {x: _primed(build, x) for x in inside}
    if inside:
        goal = comparison("==", substitute(build, [flat], primed)[0], flat, build)
        parts.append(prove(Sequent((), goal), setting, f"{name}_1"))
    unused = [] if inside else _parameters(build, made, infos)
    stated = _Stated(Source({}), flat, inside, unused, primed)
    bound = [leaf_name(x) for x in (*inside, *primed.values(), *unused)]
    last = assembled(name, stated.source, [p for _, p in parts], setting, (), stated.goal, bound)
    return (*(t for t, _ in parts), last)


def _as_equation(build: Builder, body: c.Plain | c.Independent) -> c.GradEqual:
    match body:
        case c.Plain(c.GradEqual() as equal):
            return equal
        case c.Independent(value, str(group), variable) if isinstance(variable.op, Input):
            op = variable.op
            new = build.apply(Input(op.kind, f"{op.key}'", op.shape, op.elem))
            moved = substitute(build, [value], {variable: new})[0]
            return c.GradEqual((c.GradTerm(value, group),), (c.GradTerm(moved, group),))
        case _:
            raise NotExported("several statements about gradients")


def combination(build: Builder, equal: c.GradEqual, own: set[str]) -> Node:
    """The sum of the left values minus that of the right ones, with their factors."""
    total = build.apply(Const(Fraction(0)))
    for terms, op in ((equal.left, ar.Add()), (equal.right, ar.Sub())):
        for t in terms:
            value = t.value
            if t.factor is not None:
                if _depends([t.factor], own):
                    raise NotExported("a factor that depends on the group")
                factor = fill(build, t.factor, value)
                value = build.apply(ar.Mul(), factor, value)
            total = build.apply(op, total, value)
    return total


def _depends(roots: Sequence[Node], own: set[str]) -> set[Node]:
    """The nodes below that depend on parameters of the group."""
    found: set[Node] = set()
    for x in reachable(list(roots)):
        leaf = isinstance(x.op, Input) and x.op.kind == "param" and x.op.key in own
        if leaf or any(y in found for y in x.inputs):
            found.add(x)
    return found & set(reachable(list(roots)))


@dataclass(frozen=True)
class _Trained:
    """A node as the graph that trains differentiates it: what has no gradient is a fixed leaf."""

    build: Builder
    own: set[str]

    def of(self, root: Node) -> Node:
        depends, table = _depends([root], self.own), dict[Node, Node]()
        for x in reachable([root]):
            below = [table[y] for y in x.inputs]
            if x not in depends:
                table[x] = x
            elif isinstance(x.op, FIXED) or isinstance(x.type.elem, Fin | Bool):
                table[x] = self._fixed(x, "stopped")
            elif isinstance(x.op, ar.StraightThrough):
                table[x] = self.build.apply(ar.Add(), below[0], self._fixed(x, "gap"))
            else:
                table[x] = self.build.apply(x.op, *below)
            if x in self.build.names:
                self.build.names.setdefault(table[x], self.build.names[x])
        return table[root]

    def _fixed(self, x: Node, what: str) -> Node:
        return self.build.apply(Input("argument", f"{what}{x.id}", x.type.shape, x.type.elem))


def _leaves(
    build: Builder, root: Node, own: set[str], roots: set[Node]
) -> tuple[dict[Node, Node], dict[Node, Node]]:
    """Leaves for named results and parameters: those that move with the group, and the others.
    The root, and what the claim names, are opened."""
    depends = _depends([root], own)
    names = {build.names.get(x) for x in roots} - {None}
    moving, still = dict[Node, Node](), dict[Node, Node]()
    stack, seen = [root], set[Node]()
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        name = build.names.get(x)
        named = x.inputs and isinstance(x.type.elem, Real) and name and name not in names
        param = x in depends and not x.inputs
        if named or param:
            key = name or str(getattr(x.op, "key", x.id))
            leaf = build.apply(Input("argument", key, x.type.shape, x.type.elem))
            (moving if x in depends else still)[x] = leaf
        else:
            stack.extend(x.inputs)
    return moving, still


def _primed(build: Builder, x: Node) -> Node:
    assert isinstance(x.op, Input)
    return build.apply(Input(x.op.kind, f"{x.op.key}'", x.op.shape, x.op.elem))


def _parameters(build: Builder, made: Node, infos: Sequence[ParamInfo]) -> list[Node]:
    """The group's parameters, where the combination has none of them left."""
    if _depends([made], {p.path for p in infos}):
        raise NotExported("a combination that depends on the group")
    return [build.apply(Input("param", p.path, p.shape)) for p in infos]


@dataclass(frozen=True)
class _Stated:
    """The statement: `inside` are the leaves that move, `unused` parameters that do not occur."""

    source: Source
    flat: Node
    inside: Sequence[Node]
    unused: Sequence[Node]
    primed: Mapping[Node, Node]

    def __post_init__(self) -> None:
        self.source.real(self.flat, ())
        for x in self.unused:
            self.source.nodes[leaf_name(x)] = x
            self.source.arity[leaf_name(x)] = (len(x.type.shape), "real")

    def goal(self, w: Writer) -> tuple[str, list[str]]:
        rows = [(w.names.variable(leaf_name(x)), len(x.type.shape)) for x in self._moving]
        types = [" -> ".join(["nat"] * count + ["R"]) for _, count in rows]
        pairs = list(zip((v for v, _ in rows), types, strict=True))
        binders = " ".join(f"({v} : {t})" for v, t in pairs)
        directions = " ".join(f"({v}_dir : {t})" for v, t in pairs)
        at = [self._along(v, count, "t") for v, count in rows]
        body = w.t(self.source.real(self.flat, ()))
        forall = f"forall {binders} {directions}, " if rows else ""
        function = f"(fun {binders} => {body})" if rows else body
        call = f"V {' '.join(at)}" if rows else "V"
        said = f"let V := {function} in\n  {forall}derivable_pt_lim (fun t => {call}) 0 0"
        names = [v for v, _ in rows] + [f"{v}_dir" for v, _ in rows]
        lines = [f"intros V {' '.join(names)}; apply still; intros t; unfold V; clear V."]
        if not self.inside:
            return said, [*lines, "reflexivity."]
        others = [w.names.variable(leaf_name(self.primed[x])) for x in self.inside]
        again = " ".join(f"({v} : {t})" for v, t in zip(others, types, strict=True))
        start = [self._along(v, count, "0") for v, count in rows]
        part = f"(fun {binders} {again} => {{0}})"
        lines.append(f"pose proof ({part} {' '.join(start)} {' '.join(at)}) as A.")
        return said, [*lines, "cbv beta in A |- *; exact A."]

    @property
    def _moving(self) -> Sequence[Node]:
        return [*self.inside, *self.unused]

    @staticmethod
    def _along(v: str, count: int, t: str) -> str:
        names = " ".join(f"n{k}" for k in range(count))
        if not count:
            return f"({v} + {t} * {v}_dir)"
        return f"(fun {names} => {v} {names} + {t} * {v}_dir {names})"
