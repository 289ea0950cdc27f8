"""The effective beta: how a loss weighs its KL term against its likelihood.

In: an objective under the battery. Out: rows that say which term is a multiple of the KL of a
diagonal Gaussian from the standard one, which is a multiple of a Gaussian or Bernoulli negative
log-likelihood (up to its constant), and the ratio of the two weights: 1 for the evidence lower
bound. Factors are found by comparing normal forms (untrusted) and settled as claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from gendsl.core import claim as c
from gendsl.ir.build import add, exp, mean_of, mul, square, sub, sum_of
from gendsl.ir.graph import Node, reachable
from gendsl.ir.op import NodeType
from gendsl.ops.leaf import Input
from gendsl.ops.unary import Softplus
from gendsl.prove.equal import extent, mentioned, quotient
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.normal import KernelError
from gendsl.prove.kernel.term import Poly
from gendsl.prove.zero_set import as_node
from gendsl.shape.tensor_type import Real

if TYPE_CHECKING:
    from gendsl.prove.battery import Battery, Row

CANDIDATES = 40  # tensors of one shape that are tried
HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Match:
    """`term == factor * standard`, the standard being a KL or a likelihood in nats per example."""

    term: str
    factor: Poly
    standard: str


def effective_beta(asked: Battery) -> Iterator[Row]:
    """The KL term, the likelihood term, and the ratio of their weights."""
    from gendsl.prove.battery import Row, fraction, weighted

    weights = asked.weights()
    divergence = next(_found(asked, _divergences), None) if weights is not None else None
    if weights is None or divergence is None:
        return
    printer = asked.printer()
    for match in _found(asked, _likelihoods):
        top = n.mul(weights[divergence.term], divergence.factor)
        bottom = n.mul(weights[match.term], match.factor)
        if not bottom.terms:
            continue
        answer = fraction(n.mul(top, n.power(bottom, -1)), printer)
        kl = weighted(divergence.factor, divergence.standard, printer)
        likelihood = weighted(match.factor, match.standard, printer)
        detail = {
            "kl": f"{divergence.term} = {kl}",
            "likelihood": f"{match.term} = {likelihood} + constant",
        }
        if match.standard.startswith("normal"):
            detail["variance"] = answer
        yield Row("effective beta", asked.name, answer, verdict="proved", detail=detail)
        return


Make = Callable[["Battery", Node], Iterator[tuple[str, Node]]]


def _found(asked: Battery, candidates: Make) -> Iterator[Match]:
    """Terms that are multiples of a candidate, up to a constant of sizes and hyperparameters:
    found by normal forms, settled as a claim."""
    build = asked.graph.builder
    for name, term in asked.terms.items():
        for standard, node in candidates(asked, term):
            found = _factor(asked, term, node)
            if found is None:
                continue
            factor, rest = found
            side = as_node(build, factor, asked.leaves())
            if side is None or (rest.terms and candidates is _divergences):
                continue
            body: c.Body = c.Plain(c.Compare("==", term, mul(build, side, node)))
            if rest.terms:
                body = c.UpTo(term, node, True, True, tuple(asked.groups))
            statement = f"{name} == {asked.printer().poly(factor)} * {standard}"
            if asked.ask(body, statement).verdict == "proved":
                yield Match(name, factor, standard)
                break


def _factor(asked: Battery, term: Node, standard: Node) -> tuple[Poly, Poly] | None:
    """The ratio of two normal forms and what is left over, if both are made of sizes and
    hyperparameters."""
    stop = asked.tensors(term) | asked.tensors(standard)
    reader = asked.setting.reader(stop - {term, standard})
    try:
        p, q = reader.real(term), reader.real(standard)
        if not p.terms or not q.terms:
            return None
        (k, e) = max(q.terms.items(), key=lambda x: sum(extent(a) for a, _ in x[0]))
        for m, d in p.terms.items():
            ratio = n.scale(quotient(m, k), d / e)
            rest = n.sub(p, n.mul(ratio, q)) if _plain(ratio) else p
            if _plain(ratio) and ratio.terms and _free(rest):
                return ratio, rest
    except (KernelError, RecursionError):
        return None
    return None


def _free(p: Poly) -> bool:
    """Whether only hyperparameters occur as variables, at any depth."""
    return all(name.startswith("hyper:") for name in mentioned(p))


def _plain(p: Poly) -> bool:
    """Whether only sizes and hyperparameters occur."""
    return all(
        a.kind == "dim" or (a.kind == "var" and a.args[0].startswith("hyper:"))
        for m in p.terms
        for a, _ in m
    )


def _tensors(asked: Battery, term: Node) -> list[Node]:
    below = [x for x in reachable([term]) if isinstance(x.type.elem, Real) and x.type.rank >= 2]
    named = asked.tensors(term)
    return sorted(below, key=lambda x: (x not in named, -x.id))[:CANDIDATES]


def _divergences(asked: Battery, term: Node) -> Iterator[tuple[str, Node]]:
    """KL of normal(mu, exp(l)) from the standard normal, for named tensors of one shape."""
    build, names = asked.graph.builder, asked.printer()
    found = [x for x in _tensors(asked, term) if x in asked.tensors(term)]
    for mu in found:
        for lv in found:
            if mu is lv or mu.type != lv.type:
                continue
            inner = sub(build, sub(build, add(build, exp(build, lv), square(build, mu)), 1), lv)
            rest = range(1, mu.type.rank)
            entry = sum_of(build, mul(build, HALF, inner), list(rest))
            label = f"KL({names.names.get(f'%{mu.id}')}, {names.names.get(f'%{lv.id}')})"
            yield label, mean_of(build, entry)


def _likelihoods(asked: Battery, term: Node) -> Iterator[tuple[str, Node]]:
    """Gaussian (variance 1) and Bernoulli likelihoods of a data field, up to their constants."""
    build, printer = asked.graph.builder, asked.printer()
    data = [x for x in reachable([term]) if isinstance(x.op, Input) and x.op.kind == "data"]
    for x in data:
        if not isinstance(x.type.elem, Real) or x.type.rank < 2:
            continue
        axes = list(range(1, x.type.rank))
        for m in _same_shape(asked, term, x.type):
            if m is x:
                continue
            label = printer.names.get(f"%{m.id}", "the prediction")
            cross = sub(build, build.apply(Softplus(), m), mul(build, x, m))
            yield f"Bernoulli(logits = {label})", mean_of(build, sum_of(build, cross, axes))
            gap = mul(build, HALF, square(build, sub(build, x, m)))
            yield f"normal({label}, var = 1)", mean_of(build, sum_of(build, gap, axes))


def _same_shape(asked: Battery, term: Node, type_: NodeType) -> list[Node]:
    return [x for x in _tensors(asked, term) if x.type == type_]
