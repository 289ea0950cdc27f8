"""Theorems: sequents `hypotheses |- conclusion` that only the rules below can make.

A theorem says: for all sizes >= 1, all real values of its variables (of their declared sign), all
values of its free index variables: if every hypothesis holds then the conclusion holds. The domain
conditions of each term that a rule mentions (log of a positive, no division by zero) are among
the hypotheses; `cut` removes them by proofs. Propositions compare a polynomial with 0, under index
quantifiers. Nothing here searches; whatever data a rule is given, it checks. What else search
applies is derived from these rules in `gendsl/prove/lemmas.py`, which is not trusted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.normal import add, mul, need, scale, sub, substitute
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, of_atom

EVIDENT: Mapping[str, Callable[[Poly], bool]] = {
    "ge": n.nonnegative, "gt": n.positive, "ne": n.positive, "eq": lambda p: p is ZERO,
}  # fmt: skip
_TOKEN = object()


@dataclass(frozen=True)
class Prop:
    """`poly rel 0` for all values of `binders` (canonical names; make with `prop`)."""

    rel: str
    poly: Poly
    binders: tuple[Atom, ...] = ()


def prop(rel: str, p: Poly, binders: Iterable[Atom] = ()) -> Prop:
    """`p rel 0` for all values of the index variables `binders`."""
    need(rel in EVIDENT, f"no relation {rel}")
    orders = itertools.islice(itertools.permutations(b for b in binders if b in p.free), 24)
    names, named = min((n.bind(order, p) for order in orders), key=lambda row: row[1].serial)
    return Prop(rel, named, names)


def opened(a: Prop) -> tuple[Poly, list[Atom]]:
    """The polynomial of a proposition with fresh names for its binders."""
    names = {b: n.fresh(b.args[1]) for b in a.binders}
    return substitute(a.poly, names), list(names.values())


@dataclass(frozen=True, eq=False)
class Thm:
    """A proved sequent. `rule`, `premises`, `data` say how it was made; nothing rests on them."""

    hyps: frozenset[Prop]
    concl: Prop
    rule: str
    premises: tuple[Thm, ...]
    data: tuple[Any, ...]
    token: InitVar[object] = None

    def __post_init__(self, token: object) -> None:
        need(token is _TOKEN, "theorems are made by rules")

    @property
    def poly(self) -> Poly:
        """The conclusion's polynomial, if it has no quantifier."""
        need(not self.concl.binders, "the conclusion is quantified")
        return self.concl.poly


def _thm(
    rule: str, concl: Prop, premises: Sequence[Thm] = (), data: Sequence[Any] = (),
    *, hyps: Iterable[Prop] | None = None,
) -> Thm:  # fmt: skip
    inherited = (h for t in premises for h in t.hyps) if hyps is None else hyps
    mentioned = (conditions(d) for d in (concl.poly, *data) if isinstance(d, Poly))
    every = frozenset(inherited).union(*mentioned)
    return Thm(every, concl, rule, tuple(premises), tuple(data), _TOKEN)


@cache
def conditions(x: object) -> frozenset[Prop]:
    """What has to hold for a term (or what is in it) to be defined, for all its free indices."""
    match x:
        case Poly():
            return conditions(tuple(x.terms))
        case Atom():
            inner = [("gt", x.args[0])] if x.kind == "log" else []
            return _unless_evident(inner) | conditions(x.args)
        case (Atom() as a, Fraction() as k):
            base = a.args[0] if a.kind == "P" else of_atom(a)
            root = k.denominator != 1
            rel = ("gt" if root else "ne") if k < 0 else "ge"
            return _unless_evident([(rel, base)] if root or k < 0 else []) | conditions(a)
        case tuple():
            return frozenset().union(*map(conditions, x))
        case _:
            return frozenset()


def _unless_evident(rows: Iterable[tuple[str, Poly]]) -> frozenset[Prop]:
    return frozenset(prop(rel, p, p.free) for rel, p in rows if not EVIDENT[rel](p))


def noted(t: Thm, rule: str, premises: Sequence[Thm], data: Sequence[Any]) -> Thm:
    """The same theorem (under the conditions of `data` too), said to be made by another rule."""
    return _thm(rule, t.concl, premises, data, hyps=t.hyps)


# ---- logic -------------------------------------------------------------------------------


def assume(a: Prop) -> Thm:
    """A |- A."""
    return _thm("assume", prop(a.rel, *opened(a)), (), (a,), hyps=[a])


def specialize(t: Thm, values: Sequence[Atom]) -> Thm:
    """From (for all i: P i), P at index terms of the right sizes."""
    free, names = opened(t.concl)
    need([n.size_of(v) for v in values] == [b.args[1] for b in names], "sizes differ")
    p = substitute(free, dict(zip(names, values, strict=True)))
    return _thm("specialize", prop(t.concl.rel, p), [t], values)


def generalize(t: Thm, binders: Sequence[Atom]) -> Thm:
    """From P i, where i is not free in the hypotheses, (for all i: P i)."""
    _arbitrary(binders, t.hyps)
    return _thm("generalize", prop(t.concl.rel, t.poly, binders), [t], binders)


def _arbitrary(indices: Iterable[Atom], hyps: Iterable[Prop]) -> None:
    fixed = frozenset[Atom]().union(*(h.poly.free for h in hyps))
    need(all(i.kind == "i" and i not in fixed for i in indices), "index free in a hypothesis")


def cut(t: Thm, lemma: Thm) -> Thm:
    """From A, H |- B and H' |- A: H, H' |- B."""
    return Thm((t.hyps - {lemma.concl}) | lemma.hyps, t.concl, "cut", (t, lemma), (), _TOKEN)


def cases(p: Poly, above: Thm, below: Thm) -> Thm:
    """From p >= 0, H |- A and -p > 0, H' |- A: H, H' |- A. (Real numbers are totally ordered.)"""
    need(above.concl == below.concl, "the cases prove different things")
    hyps = (above.hyps - {prop("ge", p)}) | (below.hyps - {prop("gt", scale(p, -1))})
    return _thm("cases", above.concl, [above, below], (p,), hyps=hyps)


def induct(base: Thm, step: Thm, rel: str, p: Poly, i: Atom, k: Atom) -> Thm:
    """From P(0), and P(k + 1) where P(k) is a hypothesis: P(i), for P(i) being `p rel 0`."""
    size = n.size_of(i)
    need(i.kind == k.kind == "i" and sub(size, n.size_of(k)) is ONE, "k is not a step below i")
    at = (n.index_const(ZERO, size), n.shift(k, ZERO, size), n.shift(k, ONE, size))
    first, before, after = (prop(rel, substitute(p, {i: x})) for x in at)
    need(base.concl == first and step.concl == after, "not the base and the step")
    rest = step.hyps - {before}
    need(k not in p.free, "the index of the step is in the statement")
    _arbitrary([k], rest)
    return _thm("induct", prop(rel, p), [base, step], (p, i, k), hyps=base.hyps | rest)


# ---- axioms ------------------------------------------------------------------------------

_A, _B = (of_atom(atom("var", f"axiom:{name}", (), "")) for name in "ab")
_BELOW, _BIT = scale(_A, -1), n.indicator("ge0", _A)
# For all real numbers a and b: hypotheses, conclusion.
AXIOMS: Mapping[str, tuple[tuple[tuple[str, Poly], ...], tuple[str, Poly]]] = {
    "exp_above_tangent": ((), ("ge", sub(n.exp(_A), add(_A, ONE)))),  # exp is convex
    "relu": ((), ("eq", sub(n.relu(_A), mul(_BIT, _A)))),  # max(a, 0) = [a >= 0] a
    "bit_on": ((("ge", _A),), ("eq", sub(_BIT, ONE))),
    "bit_off": ((("gt", _BELOW),), ("eq", _BIT)),
    "eq0_off": ((("ne", _A),), ("eq", n.indicator("eq0", _A))),
    "strict": ((("ge", _A), ("ne", _A)), ("gt", _A)),
    "antisymmetric": ((("ge", _A), ("ge", _BELOW)), ("eq", _A)),
    "zero_square": ((("eq", mul(_A, _A)),), ("eq", _A)),  # no nilpotents
    "zero_factor": ((("ne", mul(_A, _B)),), ("ne", _A)),  # 0 b = 0
    **{
        f"{name}{side:+}": ((), ("ge", sub(ONE, scale(of_atom(atom("un", name, _A)), side))))
        for name in ("tanh", "sin", "cos", "erf")  # between -1 and 1
        for side in (1, -1)
    },
}


def axiom(name: str) -> Thm:
    """The axiom of this name, about the variables "axiom:a" and "axiom:b" (see `instance`)."""
    need(name in AXIOMS, f"no axiom {name}")
    given, (rel, p) = AXIOMS[name]
    return _thm("axiom", prop(rel, p), (), (name,), hyps=[prop(*h) for h in given])


def evident(rel: str, p: Poly) -> Thm:
    """p rel 0, by the signs of what it consists of."""
    need(rel in EVIDENT and EVIDENT[rel](p), "not evident")
    return _thm("evident", prop(rel, p))


def index_below(i: Atom) -> Thm:
    """An index is at most its size - 1."""
    return _thm("index_below", prop("ge", sub(sub(n.size_of(i), ONE), n.value_of(i))), (), (i,))


def staircase(i: Atom, j: Atom) -> Thm:
    """[i >= j] - [i >= j + 1] = [i = j], as indices are whole numbers; of one size, or [i = j]
    would be no comparison."""
    need(n.size_of(i) is n.size_of(j), "sizes differ")
    gap = sub(n.value_of(i), n.value_of(j))
    rise = sub(n.indicator("ge0", gap), n.indicator("ge0", sub(gap, ONE)))
    return _thm("staircase", prop("eq", sub(rise, n.delta(i, j))), (), (i, j))


def selected(i: Atom, j: Atom) -> Thm:
    """f(j) >= f(i) for i = argmin f, f(i) >= f(j) for i = argmax f, and j of the size of i."""
    need(i.kind == "ix" and i.args[0] in ("argmin", "argmax"), "not a selected index")
    ((b,), body) = i.args[1][0].args
    need(n.size_of(i) is n.size_of(j) is b.args[1], "sizes differ")
    gap = sub(substitute(body, {b: j}), substitute(body, {b: i}))
    side = 1 if i.args[0] == "argmin" else -1
    return _thm("selected", prop("ge", scale(gap, side)), (), (i, j))


# ---- arithmetic --------------------------------------------------------------------------


def linear(rel: str, target: Poly, rows: Sequence[tuple[Poly, Thm]]) -> Thm:
    """target rel 0, from target = sum of factor * premise; inequalities take factors of evident
    sign, equations any."""
    strict = False
    for factor, t in rows:
        fits = t.concl.rel == "eq" or (t.concl.rel in ("ge", "gt") and n.nonnegative(factor))
        need(fits and (rel != "eq" or t.concl.rel == "eq"), "a premise of a wrong relation or sign")
        strict |= t.concl.rel == "gt" and n.positive(factor)
    need(rel in ("eq", "ge") or (rel == "gt" and strict), "the conclusion is too strong")
    need(add(*(mul(f, t.poly) for f, t in rows)) is target, "the combination is not the target")
    return _thm("linear", prop(rel, target), [t for _, t in rows], [f for f, _ in rows])


def times(t: Thm, u: Thm) -> Thm:
    """From p and q both >= 0, > 0 or != 0 (> 0 being both others): p q is that too."""
    rels = {t.concl.rel, u.concl.rel}
    rel = next((x for x in ("gt", "ge", "ne") if rels <= {x, "gt"}), "")
    return _thm("times", prop(rel, mul(t.poly, u.poly)), [t, u])


def times_power(p: Poly, a: Atom, k: Fraction) -> Poly:
    """p * a^k, term by term, so that powers of a cancel before they are expanded."""
    rows = (({**dict(m), a: dict(m).get(a, Fraction(0)) + k}, c) for m, c in p.terms.items())
    return add(*(n.assemble(exponents, c) for exponents, c in rows))


def divide_power(t: Thm, by: Thm, a: Atom, k: Fraction, x: Poly) -> Thm:
    """From x a^k rel 0 and a > 0 (a != 0 for whole k, = and !=): x rel 0; a a base or an atom."""
    rel, sign = t.concl.rel, by.concl.rel
    whole = sign == "ne" and k.denominator == 1 and rel in ("eq", "ne")
    need(k > 0 and (sign == "gt" or whole), "the sign of the divisor")
    base = a.args[0] if a.kind == "P" else of_atom(a)
    need(t.poly is times_power(x, a, k) and by.poly is base, "not this product")
    return _thm("divide_power", prop(rel, x), [t, by], (a, k))


def total(t: Thm, i: Atom) -> Thm:
    """From p rel 0 for any i (of which there is at least one): sum over i of p rel 0."""
    _arbitrary([i], t.hyps)
    need(t.concl.rel != "ne", "a sum of numbers that are not 0 may be 0")
    return _thm("total", prop(t.concl.rel, n.nsum(i, t.poly)), [t], [i])


# ---- substitution ------------------------------------------------------------------------


def _function(formals: Sequence[Atom], value: Poly) -> tuple[tuple[tuple[Atom, ...], Poly], ...]:
    need(all(f.kind == "i" for f in formals), "formal indices are variables")
    need(len(set(formals)) == len(formals), "formal indices are distinct")
    return ((tuple(formals), value),)


def instance(
    t: Thm, name: str, formals: Sequence[Atom], value: Poly, lemma: Thm | None = None
) -> Thm:
    """The theorem with `value` (a function of the indices `formals`) for the variable `name`; if
    the variable has a sign, `lemma` proves it for the value unless it is evident."""
    env = {name: _function(formals, value)}
    names = frozenset[object]().union(*(q.names for q in (t.concl.poly, *(h.poly for h in t.hyps))))
    for sign, rel in (("+", "gt"), ("0+", "ge")):
        fits = lemma is not None and lemma.concl == prop(rel, value, formals)
        need((name, sign) not in names or fits or EVIDENT[rel](value), "the sign is not proved")

    def of(a: Prop) -> Prop:
        free, binders = opened(a)
        return prop(a.rel, substitute(free, {}, env), binders)

    premises = [t] if lemma is None else [t, lemma]
    hyps = {*map(of, t.hyps), *(h for x in premises[1:] for h in x.hyps)}
    return _thm("instance", of(t.concl), premises, (name, *formals, value), hyps=hyps)


def congruence(
    context: Poly, name: str, formals: Sequence[Atom], left: Poly, right: Poly, equation: Thm
) -> Thm:
    """From (for all i: l(i) = r(i)): C[l] - C[r] = 0, for a term C with a variable `name` of the
    indices i for the place, of no declared sign. Equal functions are interchangeable, under sums
    too, as the equation is for all i; other indices of l and r stay free in C[l], as substitution
    captures none. C has to be defined at l; then it is at r, which has the same values."""
    need(equation.concl == prop("eq", sub(left, right), formals), "not the sides of the equation")
    need(not {(name, "+"), (name, "0+")} & context.names, "the place has a sign")
    envs = [{name: _function(formals, x)} for x in (left, right)]
    before, after = (substitute(context, {}, env) for env in envs)
    moved = ((h.rel, substitute(opened(h)[0], {}, envs[0])) for h in conditions(context))
    hyps = equation.hyps | _unless_evident(moved)
    data = (name, *formals, left, right, before, after)
    return _thm("congruence", prop("eq", sub(before, after)), [equation], data, hyps=hyps)
