"""Theorems: sequents `hypotheses |- conclusion` that only the rules below can make.

A theorem says: for all sizes >= 1, all real values of its variables (of their declared sign), all
values of its free index variables: if every hypothesis holds then the conclusion holds. The domain
conditions of each term that a rule mentions (log of a positive, no division by zero) are among
the hypotheses; `cut` removes them by proofs. Propositions compare a polynomial with 0, under index
quantifiers. Nothing here searches; whatever data a rule is given, it checks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.normal import KernelError, add, mul, scale, sub, substitute
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, const, of_atom, poly

RELATIONS = ("eq", "ge", "gt", "ne")


@dataclass(frozen=True)
class Prop:
    """`poly rel 0` for all values of `binders` (canonical names; make with `prop`)."""

    rel: str
    poly: Poly
    binders: tuple[Atom, ...] = ()


def prop(rel: str, p: Poly, binders: Iterable[Atom] = ()) -> Prop:
    """`p rel 0` for all values of the index variables `binders`."""
    if rel not in RELATIONS:
        raise KernelError(f"no relation {rel}")
    top, best = p.height + 1, None
    for order in itertools.islice(itertools.permutations(b for b in binders if b in p.free), 24):
        names = tuple(atom("i", f"#{top + k}", b.args[1]) for k, b in enumerate(order))
        named = substitute(p, dict(zip(order, names, strict=True)))
        if best is None or named.serial < best.poly.serial:
            best = Prop(rel, named, names)
    assert best is not None
    return best


def opened(a: Prop) -> tuple[Poly, list[Atom]]:
    """The polynomial of a proposition with fresh names for its binders."""
    names = {b: n.fresh(b.args[1]) for b in a.binders}
    return substitute(a.poly, names), list(names.values())


_TOKEN = object()


class Thm:
    """A proved sequent. `rule`, `premises`, `data` say how it was made (for certificates)."""

    __slots__ = ("concl", "data", "hyps", "premises", "rule")

    def __init__(
        self,
        token: object,
        hyps: frozenset[Prop],
        concl: Prop,
        rule: str,
        premises: tuple[Thm, ...],
        data: tuple[Any, ...],
    ) -> None:
        if token is not _TOKEN:
            raise KernelError("theorems are made by rules")
        self.hyps, self.concl, self.rule = hyps, concl, rule
        self.premises, self.data = premises, data

    @property
    def poly(self) -> Poly:
        """The conclusion's polynomial, if it has no quantifier."""
        if self.concl.binders:
            raise KernelError("the conclusion is quantified")
        return self.concl.poly


def _thm(
    rule: str, rel: str, p: Poly, premises: Sequence[Thm] = (), data: Sequence[Any] = (),
    *, binders: Iterable[Atom] = (), hyps: Iterable[Prop] | None = None,
) -> Thm:  # fmt: skip
    inherited = (h for t in premises for h in t.hyps) if hyps is None else hyps
    mentioned = (d for d in (p, *data) if isinstance(d, Poly))
    every = frozenset(inherited).union(*map(conditions, mentioned))
    return Thm(_TOKEN, every, prop(rel, p, binders), rule, tuple(premises), tuple(data))


@cache
def conditions(p: Poly) -> frozenset[Prop]:
    """What has to hold for p to be defined, for all values of its free indices."""
    found: set[Prop] = set()
    for m in p.terms:
        for a, k in m:
            base = a.args[0] if a.kind == "P" else of_atom(a)
            rel = "ne" if k.denominator == 1 else "gt"
            if k < 0 and not n.positive(base):
                found.add(prop(rel, base, base.free))
            elif k.denominator != 1 and not n.nonnegative(base):
                found.add(prop("ge", base, base.free))
            if a.kind == "log" and not n.positive(a.args[0]):
                found.add(prop("gt", a.args[0], a.args[0].free))
            found |= _inner_conditions(a.args)
    return frozenset(found)


def _inner_conditions(args: tuple[Any, ...]) -> set[Prop]:
    found: set[Prop] = set()
    for x in args:
        if isinstance(x, Poly):
            found |= conditions(x)
        elif isinstance(x, Atom):
            found |= _inner_conditions(x.args)
        elif isinstance(x, tuple) and x and isinstance(x[0], tuple):
            found |= conditions(poly({x: Fraction(1)}))
        elif isinstance(x, tuple):
            found |= _inner_conditions(x)
    return found


def _need(test: object, message: str) -> None:
    if not test:
        raise KernelError(message)


def _is(t: Thm, rel: str, p: Poly) -> None:
    _need(t.concl == Prop(rel, p), f"expected a proof of {rel} {p!r}")


# ---- logic -------------------------------------------------------------------------------


def assume(a: Prop) -> Thm:
    """A |- A."""
    free, names = opened(a)
    return _thm("assume", a.rel, free, data=(a,), binders=names, hyps=[a])


def specialize(t: Thm, values: Sequence[Atom]) -> Thm:
    """From (for all i: P i), P at index terms of the right sizes."""
    free, names = opened(t.concl)
    _need(len(names) == len(values), "one value for each quantified index")
    _need(
        all(n.size_of(v) is b.args[1] for v, b in zip(values, names, strict=True)), "sizes differ"
    )
    p = substitute(free, dict(zip(names, values, strict=True)))
    return _thm("specialize", t.concl.rel, p, [t], tuple(values))


def generalize(t: Thm, binders: Sequence[Atom]) -> Thm:
    """From P i, where i is not free in the hypotheses, (for all i: P i)."""
    _need(not any(b in h.poly.free for b in binders for h in t.hyps), "index free in a hypothesis")
    return _thm("generalize", t.concl.rel, t.poly, [t], tuple(binders), binders=binders)


def cut(t: Thm, lemma: Thm) -> Thm:
    """From A, H |- B and H' |- A: H, H' |- B."""
    free, names = opened(t.concl)
    hyps = (t.hyps - {lemma.concl}) | lemma.hyps
    made = _thm("cut", t.concl.rel, free, [t, lemma], binders=names, hyps=hyps)
    return Thm(_TOKEN, hyps, made.concl, "cut", made.premises, ())


def cases(p: Poly, above: Thm, below: Thm) -> Thm:
    """From p >= 0, H |- A and -p >= 0, H' |- A: H, H' |- A."""
    _need(above.concl == below.concl, "the cases prove different things")
    free, names = opened(above.concl)
    hyps = (above.hyps - {prop("ge", p)}) | (below.hyps - {prop("ge", scale(p, -1))})
    return _thm("cases", above.concl.rel, free, [above, below], (p,), binders=names, hyps=hyps)


def absurd(t: Thm, rel: str, p: Poly) -> Thm:
    """From a false comparison of numbers, anything."""
    c = t.poly.constant
    false = {
        "eq": lambda x: x != 0,
        "ne": lambda x: x == 0,
        "ge": lambda x: x < 0,
        "gt": lambda x: x <= 0,
    }
    _need(c is not None and false[t.concl.rel](c), "the premise is not false")
    return _thm("absurd", rel, p, [t])


def weaken(t: Thm, rel: str) -> Thm:
    """> 0 implies >= 0 and != 0; = 0 implies >= 0."""
    _need((t.concl.rel, rel) in (("gt", "ge"), ("gt", "ne"), ("eq", "ge")), "does not follow")
    return _thm("weaken", rel, t.poly, [t])


def opposite(t: Thm) -> Thm:
    """p != 0 gives -p != 0; p = 0 gives -p = 0."""
    _need(t.concl.rel in ("ne", "eq"), "the sign would change")
    return _thm("opposite", t.concl.rel, scale(t.poly, -1), [t])


def combine(t: Thm, u: Thm) -> Thm:
    """>= 0 and != 0 give > 0; p >= 0 and -p >= 0 give p = 0."""
    if u.concl.rel == "ne":
        _is(t, "ge", u.poly)
        return _thm("combine", "gt", t.poly, [t, u])
    _is(t, "ge", scale(u.poly, -1))
    _is(u, "ge", u.poly)
    return _thm("combine", "eq", t.poly, [t, u])


# ---- facts -------------------------------------------------------------------------------


def evident(rel: str, p: Poly) -> Thm:
    """p >= 0, p > 0 or p != 0 by the signs of its terms."""
    fits = n.nonnegative(p) if rel == "ge" else n.positive(p)
    _need(fits and rel in ("ge", "gt", "ne"), "the sign is not evident")
    return _thm("evident", rel, p)


def square(p: Poly) -> Thm:
    """p^2 >= 0."""
    return _thm("square", "ge", n.power(p, 2), data=(p,))


def exp_above_tangent(u: Poly) -> Thm:
    """exp u - u - 1 >= 0."""
    return _thm("exp_above_tangent", "ge", sub(n.exp(u), add(u, ONE)), data=(u,))


def exp_strictly_above(t: Thm) -> Thm:
    """From u != 0: exp u - u - 1 > 0."""
    _need(t.concl.rel == "ne", "needs u != 0")
    return _thm("exp_strictly_above", "gt", sub(n.exp(t.poly), add(t.poly, ONE)), [t])


def log_below_tangent(x: Poly) -> Thm:
    """x - 1 - log x >= 0 (x > 0 is a domain condition)."""
    guard = [prop("gt", x, x.free)] if not n.positive(x) else []
    return _thm("log_below_tangent", "ge", sub(sub(x, ONE), n.log(x)), data=(x,), hyps=guard)


def relu_above(u: Poly) -> Thm:
    """relu u - u >= 0."""
    return _thm("relu_above", "ge", sub(n.relu(u), u), data=(u,))


def relu_at(t: Thm) -> Thm:
    """From u >= 0: relu u = u."""
    _need(t.concl.rel == "ge", "needs u >= 0")
    return _thm("relu_at", "eq", sub(n.relu(t.poly), t.poly), [t])


def relu_flip(u: Poly) -> Thm:
    """relu u - relu(-u) - u = 0."""
    p = sub(sub(n.relu(u), n.relu(scale(u, -1))), u)
    return _thm("relu_flip", "eq", p, data=(u,))


def cancel(q: Poly, k: Fraction | int) -> Thm:
    """q * q^(k - 1) - q^k = 0 (q != 0, or q > 0, is a domain condition)."""
    p = sub(mul(q, n.power(q, Fraction(k) - 1)), n.power(q, k))
    return _thm("cancel", "eq", p, data=(q, Fraction(k), n.power(q, Fraction(k) - 1)))


def indicator_at(t: Thm) -> Thm:
    """From u >= 0: [u >= 0] = 1; from u > 0: [-u >= 0] = 0; u = 0 and u != 0 likewise."""
    u, rel = t.poly, t.concl.rel
    if rel in ("ge", "eq"):
        return _thm("indicator_at", "eq", sub(n.indicator(f"{rel}0", u), ONE), [t])
    kind, v = ("eq0", u) if rel == "ne" else ("ge0", scale(u, -1))
    return _thm("indicator_at", "eq", n.indicator(kind, v), [t])


def gate(u: Poly, *, open_: bool) -> Thm:
    """[u >= 0] u >= 0 (open) and (1 - [u >= 0]) (-u) >= 0 (closed)."""
    bit = n.indicator("ge0", u)
    p = mul(bit, u) if open_ else mul(sub(bit, ONE), u)
    return _thm("gate", "ge", p, data=(u, open_))


def at_most_one(a: Atom) -> Thm:
    """An indicator, Boolean or delta is at most 1."""
    _need(a.kind in ("ge0", "eq0", "bool", "d"), "not an indicator")
    return _thm("at_most_one", "ge", sub(ONE, of_atom(a)))


def index_below(i: Atom) -> Thm:
    """An index is at most its size - 1."""
    return _thm("index_below", "ge", sub(sub(n.size_of(i), ONE), n.value_of(i)))


def staircase(i: Atom, j: Atom) -> Thm:
    """[i >= j] - [i >= j + 1] - [i = j] = 0, for indices of one size."""
    _need(n.size_of(i) is n.size_of(j), "sizes differ")
    gap = sub(n.value_of(i), n.value_of(j))
    p = sub(n.indicator("ge0", gap), n.indicator("ge0", sub(gap, ONE)))
    return _thm("staircase", "eq", sub(p, n.delta(i, j)), data=(i, j))


def selected(i: Atom, j: Atom) -> Thm:
    """f(j) - f(argmin f) >= 0, and f(argmax f) - f(j) >= 0."""
    _need(i.kind == "ix" and i.args[0] in ("argmin", "argmax"), "not a selected index")
    (f,) = i.args[1]
    _need(len(f.args[0]) == 1 and n.size_of(j) is f.args[0][0].args[1], "sizes differ")
    at = [substitute(f.args[1], {f.args[0][0]: x}) for x in (j, i)]
    p = sub(at[0], at[1]) if i.args[0] == "argmin" else sub(at[1], at[0])
    return _thm("selected", "ge", p, data=(i, j))


# |f| <= bound; each named real function takes all reals.
BOUNDED: Mapping[str, int] = {"tanh": 1, "sin": 1, "cos": 1, "erf": 1}


def bounded(a: Atom, side: int) -> Thm:
    """bound - side * f(p) >= 0 for a bounded named function and side 1 or -1."""
    _need(a.kind == "un" and a.args[0] in BOUNDED and side in (1, -1), "not a bounded function")
    return _thm(
        "bounded", "ge", sub(const(BOUNDED[a.args[0]]), scale(of_atom(a), side)), data=(side,)
    )


# ---- arithmetic --------------------------------------------------------------------------


def linear(rel: str, target: Poly, rows: Sequence[tuple[Poly, Thm]]) -> Thm:
    """target rel 0, from target = sum of factor * premise; inequalities take factors of evident
    sign, equations any."""
    total = poly({})
    strict = False
    for factor, t in rows:
        ok = t.concl.rel == "eq" or (t.concl.rel in ("ge", "gt") and n.nonnegative(factor))
        _need(
            ok and (rel != "eq" or t.concl.rel == "eq"), "a premise has the wrong relation or sign"
        )
        strict |= t.concl.rel == "gt" and n.positive(factor)
        total = add(total, mul(factor, t.poly))
    _need(rel in ("eq", "ge") or (rel == "gt" and strict), "the conclusion is too strong")
    _need(total is target, "the combination is not the target")
    factors = tuple(f for f, _ in rows)
    return _thm("linear", rel, target, [t for _, t in rows], factors)


def times(t: Thm, u: Thm) -> Thm:
    """The product of two inequalities (both strict: strict), or of two that are nonzero."""
    rels = {t.concl.rel, u.concl.rel}
    _need(rels <= {"ge", "gt"} or rels <= {"ne", "gt"}, "needs inequalities")
    rel = "gt" if rels == {"gt"} else "ge" if rels <= {"ge", "gt"} else "ne"
    return _thm("times", rel, mul(t.poly, u.poly), [t, u])


def raise_to(t: Thm, k: Fraction | int) -> Thm:
    """p > 0 gives p^k > 0."""
    _need(t.concl.rel == "gt", "needs p > 0")
    return _thm("raise_to", "gt", n.power(t.poly, k), [t], (Fraction(k),))


def same_power(t: Thm, p: Poly, k: Fraction | int) -> Thm:
    """From p - q = 0: p^k - q^k = 0."""
    _need(t.concl.rel == "eq", "needs p = q")
    q = sub(p, t.poly)
    left, right = n.power(p, k), n.power(q, k)
    return _thm("same_power", "eq", sub(left, right), [t], (p, q, Fraction(k), left, right))


def power_of_product(t: Thm, u: Thm, k: Fraction | int) -> Thm:
    """From p > 0 and q > 0 (or >= 0, for k > 0): (p q)^k - p^k q^k = 0."""
    rels = {t.concl.rel, u.concl.rel}
    _need(rels <= {"ge", "gt"} and (k > 0 or rels == {"gt"}), "the signs of the factors")
    left, right = n.power(mul(t.poly, u.poly), k), mul(n.power(t.poly, k), n.power(u.poly, k))
    return _thm("power_of_product", "eq", sub(left, right), [t, u], (Fraction(k), left, right))


def log_of_product(t: Thm, u: Thm) -> Thm:
    """From p > 0 and q > 0: log(p q) - log p - log q = 0."""
    _need({t.concl.rel, u.concl.rel} == {"gt"}, "the signs of the factors")
    left, right = n.log(mul(t.poly, u.poly)), add(n.log(t.poly), n.log(u.poly))
    return _thm("log_of_product", "eq", sub(left, right), [t, u], (left, right))


def same_image(t: Thm, p: Poly, name: str) -> Thm:
    """From p - q = 0: f p - f q = 0, for f exp or log (p > 0 and q > 0 are conditions)."""
    _need(t.concl.rel == "eq" and name in ("exp", "log"), "needs p = q, and exp or log")
    left, right = ((n.exp if name == "exp" else n.log)(x) for x in (p, sub(p, t.poly)))
    return _thm("same_image", "eq", sub(left, right), [t], (p, name, left, right))


def total(t: Thm, i: Atom) -> Thm:
    """The sum over i of a comparison that holds for every i."""
    _need(t.concl.rel in ("eq", "ge", "gt"), "not a comparison that sums")
    _need(i.kind == "i" and not any(i in h.poly.free for h in t.hyps), "index free in a hypothesis")
    return _thm("total", t.concl.rel, n.nsum(i, t.poly), [t], (i,))


def divide(t: Thm, by: Thm, quotient: Poly) -> Thm:
    """From q * p rel 0, and q != 0 (for =, !=) or q > 0 (for >=, >): p rel 0."""
    _need(
        by.concl.rel == "gt" or (by.concl.rel == "ne" and t.concl.rel in ("eq", "ne")), "sign of q"
    )
    _need(mul(by.poly, quotient) is t.poly, "not a factor")
    return _thm("divide", t.concl.rel, quotient, [t, by])


def divide_power(t: Thm, by: Thm, a: Atom, k: Fraction, quotient: Poly) -> Thm:
    """`divide` by a power of an atom: q a^k rel 0, a != 0 (a > 0 for inequalities and roots)."""
    _need(by.poly is (a.args[0] if a.kind == "P" else of_atom(a)) and k > 0, "not the base")
    whole = k.denominator == 1 and t.concl.rel in ("eq", "ne")
    _need(by.concl.rel == "gt" or (whole and by.concl.rel == "ne"), "sign of the base")
    _need(n.times_power(quotient, a, k) is t.poly, "not a factor")
    return _thm("divide_power", t.concl.rel, quotient, [t, by], (a, k))


def root(bound: Thm, squares: Thm, x: Poly) -> Thm:
    """From y >= 0 and y^2 - x^2 >= 0: y - x >= 0."""
    y = bound.poly
    _is(bound, "ge", y)
    _is(squares, "ge", sub(mul(y, y), mul(x, x)))
    return _thm("root", "ge", sub(y, x), [bound, squares], (x,))


def induct(base: Thm, step: Thm, rel: str, p: Poly, i: Atom, k: Atom) -> Thm:
    """From P(0), and P(k + 1) where P(k) is a hypothesis: P(i), for P(i) being `p rel 0`."""
    size = n.size_of(i)
    _need(i.kind == k.kind == "i" and sub(size, n.size_of(k)) is ONE, "k is not a step below i")
    at = (n.index_const(ZERO, size), n.shift(k, ZERO, size), n.shift(k, ONE, size))
    first, before, after = (prop(rel, substitute(p, {i: x})) for x in at)
    _need(base.concl == first and step.concl == after, "not the base and the step")
    rest = step.hyps - {before}
    _need(not any(k in q.free for q in (p, *(h.poly for h in rest))), "index free in a hypothesis")
    return _thm("induct", rel, p, [base, step], (p, i, k), hyps=base.hyps | rest)


# ---- from a zero to the zeros of its parts -------------------------------------------------


def zero_part(t: Thm, parts: Sequence[Thm], which: int) -> Thm:
    """From a sum of nonnegative parts = 0: each part = 0."""
    _need(all(p.concl.rel in ("ge", "gt") for p in parts), "the parts must not be negative")
    _is(t, "eq", add(*(p.poly for p in parts)))
    return _thm("zero_part", "eq", parts[which].poly, [t, *parts], (which,))


def zero_summand(t: Thm, summand: Thm, i: Atom) -> Thm:
    """From sum_i h(i) = 0 and h(i) >= 0: h(i) = 0 for every i."""
    _need(summand.concl.rel == "ge", "the summand must not be negative")
    for h in t.hyps | summand.hyps:
        _need(i not in h.poly.free, "index free in a hypothesis")
    _is(t, "eq", n.nsum(i, summand.poly))
    return _thm("zero_summand", "eq", summand.poly, [t, summand], (i,))


def zero_root(t: Thm, p: Poly) -> Thm:
    """From p^2 = 0: p = 0. From exp u - u - 1 = 0: u = 0. From x - 1 - log x = 0: x - 1 = 0."""
    if t.concl == Prop("eq", n.power(p, 2)) or t.concl == Prop("eq", exp_above_tangent(p).poly):
        return _thm("zero_root", "eq", p, [t], (p,))
    x = add(p, ONE)
    log_form = log_below_tangent(x)
    _is(t, "eq", log_form.poly)
    return _thm("zero_root", "eq", p, [t], (p,), hyps=t.hyps | log_form.hyps)


def zero_base(t: Thm, p: Poly, k: Fraction | int) -> Thm:
    """From p^k = 0, k > 0: p = 0."""
    _need(k > 0, "not a positive power")
    _is(t, "eq", n.power(p, k))
    return _thm("zero_base", "eq", p, [t], (p, Fraction(k)))


# ---- substitution ------------------------------------------------------------------------


def instance(
    t: Thm, name: str, formals: Sequence[Atom], value: Poly, lemma: Thm | None = None
) -> Thm:
    """The theorem with `value` (a function of the indices `formals`) for the variable `name`; if
    the variable has a sign, `lemma` proves it for the value unless it is evident."""
    _need(all(f.kind == "i" for f in formals), "formal indices are variables")
    _need(len(set(formals)) == len(formals), "formal indices are distinct")
    signs = {s for q in (t.concl.poly, *(h.poly for h in t.hyps)) for s in _signs(q, name)}
    for s in signs - {""}:
        if not (n.positive(value) if s == "+" else n.nonnegative(value)):
            want = prop("gt" if s == "+" else "ge", value, formals)
            _need(lemma is not None and lemma.concl == want, "the value's sign is not proved")
    env = {name: ((tuple(formals), value),)}
    free, names = opened(t.concl)
    hyps = {_instance_of(h, env) for h in t.hyps} | (lemma.hyps if lemma else frozenset())
    made = substitute(free, {}, env)
    given = [t] if lemma is None else [t, lemma]
    return _thm(
        "instance", t.concl.rel, made, given, (name, *formals, value), binders=names, hyps=hyps
    )


def _instance_of(h: Prop, env: n.Env) -> Prop:
    free, names = opened(h)
    return prop(h.rel, substitute(free, {}, env), names)


def _signs(p: Poly, name: str) -> set[str]:
    found: set[str] = set()
    stack: list[Any] = [p]
    while stack:
        x = stack.pop()
        if isinstance(x, Poly):
            stack.extend(a for m in x.terms for a, _ in m)
        elif isinstance(x, Atom):
            if x.kind == "var" and x.args[0] == name:
                found.add(x.args[2])
            stack.extend(x.args)
        elif isinstance(x, tuple):
            stack.extend(x)
    return found


def rewrite(p: Poly, equation: Thm, at: Atom) -> Thm:
    """From (for all i: v[i] = r(i)) as `v[i] - r(i) = 0`, with `at` the atom v[i] of the opened
    equation's pattern: p = p with r for v everywhere."""
    free, names = opened(equation.concl)
    _need(equation.concl.rel == "eq" and at.kind == "var", "needs an equation for a variable")
    pattern = substitute(of_atom(at), dict(zip(equation.concl.binders, names, strict=True)))
    left = next(iter(pattern.terms))[0][0]
    _need(all(i.kind != "i" or i in names for i in left.args[1]), "a pattern index is not bound")
    _need(len(set(left.args[1])) == len(left.args[1]), "a pattern index is repeated")
    _need(free.terms.get(((left, Fraction(1)),)) == 1, "the variable is not solved for")
    value = sub(of_atom(left), free)
    _need(not _signs(value, left.args[0]), "the value mentions the variable")
    _need(
        not any(b in value.free - set(left.args[1]) for b in names), "the value has a loose index"
    )
    new = substitute(p, {}, {left.args[0]: ((left.args[1], value),)})
    return _thm("rewrite", "eq", sub(p, new), [equation], (p, new, at))
