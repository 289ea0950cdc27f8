"""Laws and expectations of terms that are polynomials in independent standard normal draws.

In: a node, the draws to average, a law. Out: an `Outcome` with three subgoals for each alternative
of the hypotheses: the value is affine in its draws, its mean and its covariance are the declared
ones. A hypothesis about the draws themselves is refused. Trusted: an affine image of
independent standard normals is normal with the mean and covariance computed here; moments of
standard normals (Isserlis 1918: the mean of a product is the sum over pairings). Two draws are
independent when their names or their indices differ; a draw used twice is the same variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from gendsl.core import claim as c
from gendsl.ir.evaluate import input_key
from gendsl.ir.graph import Node, reachable
from gendsl.lazy import np
from gendsl.ops import arithmetic as ar
from gendsl.ops.leaf import Const, Draw
from gendsl.prove import moments
from gendsl.prove.case import Case, Outcome
from gendsl.prove.compare import discharge
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.term import Poly
from gendsl.prove.props import Comparison, IllPosed, comparison
from gendsl.prove.reading import SHAPED, Sequent, Setting, declared, frontier, signed, visible
from gendsl.prove.refute import show, worlds
from gendsl.prove.sequent import Proof
from gendsl.prove.signs import Signs, number
from gendsl.prove.subgoal import Scope, Subgoal
from gendsl.prove.terms import At, Reader, indices, leaf_name
from gendsl.prove.witness import NoWorld, World

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

AFFINE = "an affine image of independent standard normals is normal"
MOMENTS = "moments of independent standard normals"


Entry = Callable[[At], Poly]


def has_law(case: Case, value: Node, law: c.LawSpec) -> Outcome:
    """Mean and covariance of an affine function of fresh normals."""
    if law.dist != "normal":
        return Outcome("unknown", goal=f"laws of {law.dist} are not derived")
    fixed = frozenset(x for a in law.arguments.values() for x in draws_below(a))
    averaged = [x for x in draws_below(value) if x not in fixed]
    bad = next((x for x in averaged if x.op.dist != "normal"), None)  # type: ignore[attr-defined]
    if bad is not None or not averaged:
        return Outcome("unknown", goal="the value is not a function of normal draws")
    for x in (x for row in case.given for q in row for x in (q.left, q.right)):
        if not set(draws_below(x)).isdisjoint(averaged):
            raise IllPosed("a hypothesis about the draws that the law is over")
    last = Outcome("unknown", goal="the value is not affine in its draws")
    for given in case.given:
        for reading in law_readings(case, value, law, averaged, given):
            try:
                last = _compare(case, value, law, averaged, reading, given)
            except (n.KernelError, RecursionError) as problem:
                last = Outcome("unknown", goal=str(problem))
            if last.verdict == "proved":
                break
        if last.verdict != "proved":
            break
    return last if last.verdict == "proved" else refute_law(case, value, law, averaged) or last


def refute_law(case: Case, value: Node, law: c.LawSpec, averaged: Sequence[Node]) -> Outcome | None:
    """A point where the mean or the covariance of an affine value is not the declared one."""
    arguments = list(law.arguments.values())
    for world in worlds(case, [value, *arguments], range(8, 14)):
        try:
            found = _moments_differ(world, value, law, averaged)
        except (NoWorld, IllPosed):
            continue
        if found is not None:
            return Outcome("refuted", witness=show(world, None, **found))
    return None


def _moments_differ(
    world: World, value: Node, law: c.LawSpec, averaged: Sequence[Node]
) -> dict[str, object] | None:
    keys = [str(input_key(x)) for x in averaged]
    shapes = [np.asarray(world.values[k]).shape for k in keys]
    total = sum(int(np.prod(s, dtype=int)) for s in shapes)
    if total > 64:
        raise NoWorld("too many draws")

    def at(flat: Array) -> Array:
        values, start = {}, 0
        for k, s in zip(keys, shapes, strict=True):
            size = int(np.prod(s, dtype=int))
            values[k], start = flat[start : start + size].reshape(s), start + size
        return world.with_values(values).run([value])[0].ravel()

    mean = at(np.zeros(total))
    columns = [at(row) - mean for row in np.eye(total)]
    slope = np.stack(columns, axis=1)
    probe = np.linspace(-2.0, 1.5, total)
    if not np.allclose(at(probe), mean + slope @ probe, rtol=1e-9, atol=1e-9):
        raise NoWorld("not affine")
    arguments = dict(zip(law.arguments, world.run(list(law.arguments.values())), strict=True))
    said = np.broadcast_to(arguments["mean"], world.run([value])[0].shape).ravel()
    if "var" in arguments:
        shape = world.run([value])[0].shape
        wanted = np.diag(np.broadcast_to(arguments["var"], shape).ravel())
    elif law.batch_axes == 0:
        wanted = np.asarray(arguments["cov"]).reshape(len(mean), len(mean))
    else:
        raise NoWorld("a batch of covariances")
    for what, a, b in (("mean", mean, said), ("covariance", slope @ slope.T, wanted)):
        gap = np.abs(a - b)
        if (gap > 1e-7 * (1 + np.abs(a) + np.abs(b))).any():
            k = np.unravel_index(int(np.argmax(gap)), gap.shape)
            return {"moment": what, "left": float(a[k]), "right": float(b[k]), "relation": "=="}
    return None


def draws_below(node: Node) -> list[Node]:
    return [x for x in reachable([node]) if isinstance(x.op, Draw)]


def law_readings(
    case: Case,
    value: Node,
    law: c.LawSpec,
    averaged: Sequence[Node],
    given: tuple[Comparison, ...],
) -> Iterator[frozenset[Node]]:
    """Opaque sets that hold no averaged draw."""
    roots = [value, *law.arguments.values(), *(x for q in given for x in (q.left, q.right))]
    moving = above(roots, averaged)
    named = frozenset(x for x in reachable(roots) if x in case.setting.build.names and x.inputs)
    shape = frontier(roots, SHAPED, named - moving)
    yield from ((shape | named) - moving, named - moving, frozenset[Node]())


def above(roots: Sequence[Node], draws: Sequence[Node]) -> frozenset[Node]:
    found = set(draws)
    for x in reachable(roots):
        if any(y in found for y in x.inputs):
            found.add(x)
    return frozenset(found)


def _compare(
    case: Case,
    value: Node,
    law: c.LawSpec,
    averaged: Sequence[Node],
    opaque: frozenset[Node],
    given: tuple[Comparison, ...],
) -> Outcome:
    setting = signed(case.setting, given)
    reader = setting.reader(opaque)
    names = frozenset(leaf_name(x) for x in averaged)
    at, other = indices(value.type.shape), indices(value.type.shape)
    p = reader.real(value, at)
    mean, rest = moments.split_affine(p, names)
    second = n.substitute(rest, dict(zip(at, other, strict=True)))
    covariance = moments.expectation(n.mul(rest, second), names)
    declared_ = _declared(reader, law, at, other)
    goals = [
        ("affine", moments.superposition(p, names), at, p),
        ("mean", n.sub(mean, spread_law(reader, law.arguments["mean"], at)), at, mean),
        ("covariance", n.sub(covariance, declared_), (*at, *other), covariance),
    ]
    roots = (value, *law.arguments.values())
    scope = Scope(setting, given, roots, opaque)
    shown = [x for x in visible(roots, frozenset()) if x in opaque]
    found: list[Subgoal] = []
    for what, gap, free, read in goals:
        term = read, free
        done = scope.show(what, ("eq", gap), reader, free, term)
        if done is None and not scope.lemmas:
            scope = replace(scope, lemmas=tuple(node_facts(shown, setting)))
            done = scope.show(what, ("eq", gap), reader, free, term)
        if done is None:
            return Outcome("unknown", goal=f"the {what} differs from the declared one")
        found.append(done)
    return Outcome("proved", laws=(AFFINE, MOMENTS), subgoals=tuple(found))


def node_facts(nodes: Sequence[Node], setting: Setting) -> Iterator[Proof]:
    """For nodes that a reader takes as variables: v >= 0 and 1 - v >= 0 where their own terms
    are proved so. (A theorem about any v with these facts holds for the node's value.)"""
    zero, one = (setting.build.apply(Const(Fraction(k))) for k in (0, 1))
    for x in nodes:
        if setting.expired():
            return
        hidden, at = _clamped(x), indices(x.type.shape)
        deep, facts = setting.reader(hidden), declared([x], setting)
        cone, allowed = Cone(facts, setting.expired, effort=0), {f.concl for f in facts}
        signs = Signs(deep, cone)
        for side, left, right in ((signs.above, x, zero), (signs.room, one, x)):
            try:
                t = side(x, at)
                closed = t and r.generalize(t, [i for i in at if i in t.poly.free])
                done = closed and discharge(closed, allowed, cone)
            except n.KernelError:
                continue
            if not done:
                continue
            goal = comparison({"gt": ">", "ge": ">="}[done.concl.rel], left, right, setting.build)
            if done.concl == goal.prop(deep):
                yield Proof(Sequent((), goal), done, (), deep, "deep", hidden)


def _clamped(x: Node) -> frozenset[Node]:
    """What a minimum or maximum below a node bounds: its sign does not matter there."""
    bounded = [y for y in reachable([x]) if isinstance(y.op, ar.Minimum | ar.Maximum)]
    operands = {z for y in bounded for z in y.inputs if z.inputs and number(z) is None}
    return frozenset(operands - set(bounded))


def spread_law(reader: Reader, node: Node, at: At) -> Poly:
    """A law's argument at an entry: of the value's shape, or a scalar."""
    if node.type.shape and len(node.type.shape) != len(at):
        raise IllPosed("an argument of the law has another shape than the value")
    return reader.real(node, at if node.type.shape else ())


def _declared(reader: Reader, law: c.LawSpec, at: At, other: At) -> Poly:
    """The covariance of two entries that the law declares."""
    if "var" in law.arguments:
        same = n.prod_poly(n.delta(i, j) for i, j in zip(at, other, strict=True))
        return n.mul(same, spread_law(reader, law.arguments["var"], at))
    if "cov" not in law.arguments:
        raise IllPosed("a normal law needs var or cov")
    k = law.batch_axes
    same = n.prod_poly(n.delta(i, j) for i, j in zip(at[:k], other[:k], strict=True))
    cov = law.arguments["cov"]
    lead = at[:k] if len(cov.type.shape) == 2 * len(at) - k else ()
    return n.mul(same, reader.real(cov, (*lead, *at[k:], *other[k:])))
