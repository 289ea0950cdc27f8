"""Claims that compare up to a scale and a constant, and bounds derived from a declared model.

In: `UpTo` and `Bounds` bodies. Out: an `Outcome` that prints the scale and the constant found. The
negative evidence lower bound is derived from the declared laws: reconstruction plus the mean, under
the posterior, of log posterior minus log prior. Subgoals: the law of the latent, this identity,
that the divergence is not negative, and the tangent of the logarithm, whose mean is Jensen's
inequality. Trusted: that these say that the value is a bound, for a model in which the data of an
example enter its likelihood through its own latent alone (read off the graph, or `IllPosed`).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from gendsl.core import claim as c
from gendsl.ir.graph import Node, reachable
from gendsl.ops.leaf import Input
from gendsl.prove import batch as batches
from gendsl.prove import laws, moments
from gendsl.prove.case import Case, Outcome
from gendsl.prove.equal import mentioned, quotient
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.term import ONE, Atom, Poly, atom, const, of_atom, poly
from gendsl.prove.props import Comparison, IllPosed
from gendsl.prove.reading import signed, visible
from gendsl.prove.show import Printer
from gendsl.prove.subgoal import Scope, Subgoal
from gendsl.prove.terms import At, Reader, indices, leaf_name, size
from gendsl.shape.dim import Dim

GIBBS = "E_q[log q - log p] >= 0 (Gibbs): the bound holds"
HALF = Fraction(1, 2)
WEIGHT, EVIDENCE = "weight", "evidence"  # variables of the inequality for logarithms


def up_to(case: Case, body: c.UpTo) -> Outcome:
    """left == scale * right + constant, with both free of the groups' parameters."""
    build = case.graph.builder
    below = reachable([body.left, body.right])
    named = frozenset(x for x in below if x in build.names and x.inputs)
    printed = Printer({f"%{x.id}": build.names[x] for x in named})
    shown, notes = list[Subgoal](), list[str]()
    for given in case.given:
        setting = signed(case.setting, given)
        for opaque in (named, frozenset[Node]()):
            reader = setting.reader(opaque)
            loose = _dependent(case, below, opaque, body.groups)
            try:
                found = _scale(reader, body, loose)
            except n.KernelError:
                found = None
            scope = Scope(case.setting, given, (body.left, body.right), opaque)
            subgoals = found and _certain(scope, reader, body, found)
            if found and subgoals:
                scale, rest, _ = found
                notes.append(f"scale {printed.poly(scale)}, constant {printed.poly(rest)}")
                shown += subgoals
                break
        else:
            return Outcome("unknown", goal="no scale and constant were found")
    return Outcome("proved", note="; or ".join(dict.fromkeys(notes)), subgoals=tuple(shown))


def _dependent(
    case: Case, below: list[Node], opaque: frozenset[Node], groups: tuple[str, ...]
) -> frozenset[str]:
    """The variables that depend on parameters of the groups."""
    moved = {
        x
        for x in below
        if isinstance(x.op, Input)
        and x.op.kind == "param"
        and case.graph.params[x.op.key].group in groups
    }
    names = {leaf_name(x) for x in moved}
    for x in below:
        if any(y in moved for y in x.inputs):
            moved.add(x)
            if x in opaque:
                names.add(f"%{x.id}")
    return frozenset(names)


Found = tuple[Poly, Poly, At]  # scale, constant, and the indices of its entries


def _scale(reader: Reader, body: c.UpTo, loose: frozenset[str]) -> Found | None:
    at = indices(body.left.type.shape)
    p, q = reader.real(body.left, at), reader.real(body.right, at)
    p_moving, q_moving = _moving(p, loose), _moving(q, loose)
    scales = [ONE]
    if body.scale and p_moving.terms and q_moving.terms:
        (m, c1), tries = next(iter(p_moving.terms.items())), q_moving.terms.items()
        scales += [n.scale(quotient(m, k), c1 / c2) for k, c2 in tries]
    for scale in scales:
        rest = n.sub(p, n.mul(scale, q))
        free = not (mentioned(scale) | mentioned(rest)) & loose
        if free and (body.constant or not rest.terms):
            return scale, rest, at
    return None


def _moving(p: Poly, loose: frozenset[str]) -> Poly:
    rows = {m: k for m, k in p.terms.items() if mentioned(poly({m: k})) & loose}
    return poly(rows)


def _certain(
    scope: Scope, reader: Reader, body: c.UpTo, found: Found
) -> tuple[Subgoal, Subgoal] | None:
    """The scale is positive, the two sides differ by the constant, and everything is defined."""
    scale, rest, at = found
    reader.conditions |= {*r.conditions(rest), *r.conditions(scale)}
    p, q = reader.real(body.left, at), reader.real(body.right, at)
    gap = n.sub(p, n.add(n.mul(scale, q), rest))
    positive = scope.show("scale", ("gt", scale), reader, (), (scale, ()))
    equal = scope.show("constant", ("eq", gap), reader, at, (rest, at))
    return (positive, equal) if positive and equal else None


# ---- bounds ------------------------------------------------------------------------------


def bounds(case: Case, body: c.Bounds) -> Outcome:
    """The value is the negative evidence lower bound of the declared model, per example."""
    if body.likelihood.dist == "bernoulli":
        raise IllPosed(
            "the data are real numbers: a Bernoulli likelihood needs values in {0, 1}; on grey "
            "values the cross-entropy is no likelihood"
        )
    if body.likelihood.dist != "normal" or {body.prior.dist, body.posterior.dist} != {"normal"}:
        return Outcome("unknown", goal="only normal models are derived")
    _generative(body)
    _per_example(body)
    law = laws.has_law(case, body.latent, body.posterior)
    if law.verdict != "proved":
        return Outcome(law.verdict, witness=law.witness, goal=f"law of the latent: {law.goal}")
    shown = list(law.subgoals)
    for given in case.given:
        for found in _elbo(case, body, given):
            if isinstance(found, str):
                return Outcome("unknown", goal=found[:400])
            shown.append(found)
    return Outcome("proved", laws=(*law.laws, GIBBS), subgoals=tuple(shown))


def _generative(body: c.Bounds) -> None:
    """Prior times likelihood is a density of the data only if the prior sees neither the data nor
    the latent, and the likelihood sees the data through the latent alone."""
    known = {x for x in reachable([body.target]) if isinstance(x.op, Input)}
    known |= {*laws.draws_below(body.latent), body.target}
    for name, law, through in (
        ("prior", body.prior, frozenset[Node]()),
        ("likelihood", body.likelihood, frozenset({body.latent})),
    ):
        seen = {*visible(law.arguments.values(), through)} - through
        if seen & known or (name == "prior" and body.latent in seen):
            raise IllPosed(
                f"the {name} depends on what is modelled: the data may enter the likelihood "
                "through the latent only, and the prior not at all"
            )


def _per_example(body: c.Bounds) -> None:
    """The likelihood of an example has to see the latent of that example alone: through another's
    latent it would see the other's data, and its own again."""
    size_ = Dim.name(body.batch)
    if any(x.type.shape[:1] != (size_,) for x in (body.target, body.latent)):
        raise IllPosed(f"the first axis of the data and of the latent is {body.batch}")
    arguments = list(body.likelihood.arguments.values())
    fine, axes = batches.per_example(reachable(arguments), body.batch)
    for x in arguments:
        if x not in fine or axes.of(x) not in (0, batches.FREE):
            raise IllPosed("the likelihood of an example sees the latent of another")


def _elbo(case: Case, body: c.Bounds, given: tuple[Comparison, ...]) -> Iterator[Subgoal | str]:
    """value = mean over examples of (nll of x given z + KL of posterior to prior), KL >= 0, and the
    tangent of the logarithm: log w <= w / c - 1 + log c, whose mean under the posterior, for
    w = p(x, z) / q(z) and c = p(x), is Jensen's inequality."""
    setting = signed(case.setting, given)
    draws = laws.draws_below(body.latent)
    spec = (*body.prior.arguments.values(), *body.posterior.arguments.values())
    roots = [body.value, body.target, body.latent, *body.likelihood.arguments.values(), *spec]
    moving = laws.above(roots, draws)
    named = frozenset(x for x in reachable(roots) if x in setting.build.names and x.inputs)
    outer, inner = setting.reader(named), setting.reader(named - moving)
    b = n.fresh(size(Dim.name(body.batch)))

    def misfit(at: At) -> Poly:
        return _normal_nll(outer, body.likelihood, body.target, at)

    def excess(at: At) -> Poly:
        prior = _normal_nll(inner, body.prior, body.latent, at)
        return n.sub(prior, _normal_nll(inner, body.posterior, body.latent, at))

    def mean(p: Poly) -> Poly:
        return n.mul(n.nsum(b, p), n.power(b.args[1], -1))

    nll = _summed(outer, body.target, b, misfit)
    names = frozenset(leaf_name(x) for x in draws)
    divergence = moments.expectation(_summed(inner, body.latent, b, excess), names)
    outer.conditions |= inner.conditions
    derived = mean(n.add(nll, divergence))
    gap = n.sub(outer.real(body.value), derived)
    scope = Scope(setting, given, tuple(roots), named)
    yield scope.show("bound", ("eq", gap), outer, (), (derived, ())) or (
        f"the value minus the derived bound is {Printer().poly(gap)}"
    )
    kl = mean(divergence)
    yield scope.show("divergence", ("ge", kl), outer, (), (kl, ())) or (
        "the divergence of posterior and prior is not shown to be >= 0"
    )
    w, evidence = (of_atom(atom("var", name, (), "+")) for name in (WEIGHT, EVIDENCE))
    ratio = n.mul(w, n.power(evidence, -1))
    tangent = n.sub(n.sub(n.add(ratio, n.log(evidence)), ONE), n.log(w))
    yield scope.show("tangent", ("ge", tangent), outer) or "log w <= w / c - 1 + log c"


def _summed(reader: Reader, node: Node, b: Atom, entry: laws.Entry) -> Poly:
    at = (b, *indices(node.type.shape[1:]))
    p = entry(at)
    for i in reversed(at[1:]):
        p = n.nsum(i, p)
    return p


def _normal_nll(reader: Reader, law: c.LawSpec, value: Node, at: At) -> Poly:
    """(x - mean)^2 / (2 var) + log(2 pi var) / 2 at one entry."""
    if "var" not in law.arguments:
        raise n.KernelError("a full covariance has no derived bound")
    mean, var = (laws.spread_law(reader, law.arguments[k], at) for k in ("mean", "var"))
    reader.need("gt", var)
    gap = n.sub(reader.real(value, at), mean)
    square = n.prod_poly([gap, gap, n.power(var, -1)])
    volume = n.log(n.prod_poly([const(2), of_atom(atom("pi")), var]))
    return n.scale(n.add(square, volume), HALF)
