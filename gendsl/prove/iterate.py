"""Laws of iterated kernels, by induction on the number of steps.

In: a claim `for all t: iterate(step, x, t) has law normal(mean = m(t), var = v(t))`. Out: an
`Outcome`. At t = 0 the law is the point x: m(0) = x and v(0) = 0. If the state has the law of k
steps, it is m(k) + v(k)^(1/2) z with a standard normal z that is independent of the step's own
draws; then step k + 1 has the law of k + 1 steps: an affine image, with the mean and covariance
computed here. Trusted: the laws that `laws.py` trusts, and induction.
"""

from __future__ import annotations

from fractions import Fraction

from gendsl.core import claim as c
from gendsl.ir.graph import Node
from gendsl.ir.rewrite import substitute
from gendsl.ops.compare import Widen
from gendsl.ops.leaf import Index, Input
from gendsl.ops.select import IndexAffine
from gendsl.prove import laws, moments
from gendsl.prove.case import Case, Outcome
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import Poly, atom, of_atom
from gendsl.prove.props import Comparison, IllPosed
from gendsl.prove.reading import signed
from gendsl.prove.subgoal import Scope, Subgoal
from gendsl.prove.terms import At, Reader, indices, leaf_name
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin

INDUCTION = "induction on the number of steps"
STATE = "draw:iterate.state"


def iterated(case: Case, body: c.IterateLaw) -> Outcome:
    """The law at 0, and from k to k + 1."""
    if body.law.dist != "normal" or "var" not in body.law.arguments:
        return Outcome("unknown", goal="only normal laws with a diagonal are shown by induction")
    elem = body.count.type.elem
    if not isinstance(elem, Fin) or any(
        isinstance(v.low, Dim) and v.low.terms for v in case.claim.variables if v.node is body.count
    ):
        raise IllPosed("the number of steps is counted from 0")
    assumed = [x for row in case.given for q in row for x in (q.left, q.right)]
    if any(
        map(laws.draws_below, (body.initial, *body.law.arguments.values(), *body.held, *assumed))
    ):
        return Outcome("unknown", goal="only the steps themselves may draw")
    found: list[Subgoal] = []
    for given in case.given:
        try:
            for row in (_base(case, body, given), _step(case, body, given)):
                if isinstance(row, str):
                    return Outcome("unknown", goal=row)
                found += row
        except (n.KernelError, RecursionError) as problem:
            return Outcome("unknown", goal=str(problem))
    laws_used = (laws.AFFINE, laws.MOMENTS, INDUCTION)
    return Outcome("proved", laws=laws_used, subgoals=tuple(found))


def _law_at(case: Case, body: c.IterateLaw, count: Node) -> tuple[Node, Node]:
    """Mean and variance after `count` steps."""
    arguments = body.law.arguments
    build = case.graph.builder
    mean, var = substitute(build, [arguments["mean"], arguments["var"]], {body.count: count})
    return mean, var


def _base(case: Case, body: c.IterateLaw, given: tuple[Comparison, ...]) -> list[Subgoal] | str:
    elem = body.count.type.elem
    assert isinstance(elem, Fin)
    setting = signed(case.setting, given)
    reader = setting.reader()
    zero = case.graph.builder.apply(Index(Dim.of(0), elem.bound))
    mean, var = _law_at(case, body, zero)
    at = indices(body.initial.type.shape)
    start = reader.real(body.initial, at)
    scope = Scope(setting, given, (mean, var, body.initial))
    found: list[Subgoal] = []
    for what, gap in (
        ("mean", n.sub(laws.spread_law(reader, mean, at), start)),
        ("variance", laws.spread_law(reader, var, at)),
    ):
        done = scope.show(f"{what} at the start", ("eq", gap), reader, at)
        if done is None:
            return f"the {what} after 0 steps is that of the start"
        found.append(done)
    return found


def _step(case: Case, body: c.IterateLaw, given: tuple[Comparison, ...]) -> list[Subgoal] | str:
    build, elem = case.graph.builder, body.count.type.elem
    assert isinstance(elem, Fin)
    setting = signed(case.setting, given)
    reader, one = setting.reader(), Dim.of(1)
    k = build.apply(Input("argument", "iterate.k", (), Fin(elem.bound - 1)))
    here = build.apply(Widen(elem.bound), k)
    after = build.apply(IndexAffine(one, one, one, elem.bound), k)
    (step,) = substitute(build, [body.step], {body.index: after})
    mean, var = _law_at(case, body, after)
    draws = laws.draws_below(step)
    if any(x.op.dist != "normal" for x in draws):  # type: ignore[attr-defined]
        return "the steps draw from normal laws"
    names = frozenset([STATE, *(leaf_name(x) for x in draws)])
    at, other = (indices(body.initial.type.shape) for _ in range(2))
    value = _with_state(case, body, reader, here, reader.real(step, at))
    found, rest = moments.split_affine(value, names)
    second = n.substitute(rest, dict(zip(at, other, strict=True)))
    covariance = moments.expectation(n.mul(rest, second), names)
    same = n.prod_poly(n.delta(i, j) for i, j in zip(at, other, strict=True))
    declared = n.mul(same, laws.spread_law(reader, var, at))
    scope, shown = Scope(setting, given, (step, mean, var)), list[Subgoal]()
    for what, gap, free, read in (
        ("affine", moments.superposition(value, names), at, value),
        ("mean", n.sub(found, laws.spread_law(reader, mean, at)), at, found),
        ("covariance", n.sub(covariance, declared), (*at, *other), covariance),
    ):
        done = scope.show(what, ("eq", gap), reader, free, (read, free))
        if done is None:
            return f"the {what} after k + 1 steps, from the law after k"
        shown.append(done)
    return shown


def _with_state(case: Case, body: c.IterateLaw, reader: Reader, here: Node, value: Poly) -> Poly:
    """The value where the state is mean + deviation * z, of the law after k steps."""
    mean, var = _law_at(case, body, here)
    at: At = indices(body.state.type.shape)
    deviation = n.power(laws.spread_law(reader, var, at), Fraction(1, 2))
    noise = of_atom(atom("var", STATE, at, ""))
    state = n.add(laws.spread_law(reader, mean, at), n.mul(deviation, noise))
    return n.substitute(value, {}, {leaf_name(body.state): ((at, state),)})
