"""Theorems: sequents `hypotheses |- conclusion` that only the rules below can make.

A theorem says: for all sizes >= 1, all real values of its variables (of their declared sign), all
values of its free index variables: if every hypothesis holds then the conclusion holds. The domain
conditions of each term that a rule mentions (log of a positive, no division by zero) are among
the hypotheses; `cut` removes them by proofs. Propositions compare a polynomial with 0, under index
quantifiers. Nothing here searches; whatever data a rule is given, it checks. Each row of the three
tables is a rule that is called by its name, as in `square(p)`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import InitVar, dataclass
from fractions import Fraction
from functools import cache, partial
from typing import Any

from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.normal import add, mul, need, scale, sub, substitute
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, of_atom

RELATIONS = ("eq", "ge", "gt", "ne")
# Arguments that the conclusion repeats are not recorded.
_RECORDED = {"bounded": slice(1, 2), "divide_power": slice(2)} | dict.fromkeys(
    ("evident", "at_most_one", "index_below", "weaken", "absurd", "divide"), slice(0)
)
Row = tuple[Any, ...]  # relation, polynomial, and what else it mentions or assumes
_TOKEN = object()


@dataclass(frozen=True)
class Prop:
    """`poly rel 0` for all values of `binders` (canonical names; make with `prop`)."""

    rel: str
    poly: Poly
    binders: tuple[Atom, ...] = ()


def prop(rel: str, p: Poly, binders: Iterable[Atom] = ()) -> Prop:
    """`p rel 0` for all values of the index variables `binders`."""
    need(rel in RELATIONS, f"no relation {rel}")
    orders = itertools.islice(itertools.permutations(b for b in binders if b in p.free), 24)
    names, named = min((n.bind(order, p) for order in orders), key=lambda row: row[1].serial)
    return Prop(rel, named, names)


def opened(a: Prop) -> tuple[Poly, list[Atom]]:
    """The polynomial of a proposition with fresh names for its binders."""
    names = {b: n.fresh(b.args[1]) for b in a.binders}
    return substitute(a.poly, names), list(names.values())


@dataclass(frozen=True, eq=False)
class Thm:
    """A proved sequent. `rule`, `premises`, `data` say how it was made (for certificates)."""

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
    rule: str, concl: Prop, premises: Sequence[Thm], data: Sequence[Any] = (),
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
    evident = {"ge": n.nonnegative, "gt": n.positive, "ne": n.positive}
    return frozenset(prop(rel, p, p.free) for rel, p in rows if not evident[rel](p))


def _fixed(theorems: Iterable[Thm]) -> frozenset[Atom]:
    """The indices that are free in hypotheses."""
    return frozenset(i for t in theorems for h in t.hyps for i in h.poly.free)


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
    need(not _fixed([t]) & set(binders), "index free in a hypothesis")
    return _thm("generalize", prop(t.concl.rel, t.poly, binders), [t], binders)


def cut(t: Thm, lemma: Thm) -> Thm:
    """From A, H |- B and H' |- A: H, H' |- B."""
    return Thm((t.hyps - {lemma.concl}) | lemma.hyps, t.concl, "cut", (t, lemma), (), _TOKEN)


def cases(p: Poly, above: Thm, below: Thm) -> Thm:
    """From p >= 0, H |- A and -p >= 0, H' |- A: H, H' |- A."""
    need(above.concl == below.concl, "the cases prove different things")
    hyps = (above.hyps - {prop("ge", p)}) | (below.hyps - {prop("ge", scale(p, -1))})
    return _thm("cases", above.concl, [above, below], (p,), hyps=hyps)


def induct(base: Thm, step: Thm, rel: str, p: Poly, i: Atom, k: Atom) -> Thm:
    """From P(0), and P(k + 1) where P(k) is a hypothesis: P(i), for P(i) being `p rel 0`."""
    size = n.size_of(i)
    need(i.kind == k.kind == "i" and sub(size, n.size_of(k)) is ONE, "k is not a step below i")
    at = (n.index_const(ZERO, size), n.shift(k, ZERO, size), n.shift(k, ONE, size))
    first, before, after = (prop(rel, substitute(p, {i: x})) for x in at)
    need(base.concl == first and step.concl == after, "not the base and the step")
    rest = step.hyps - {before}
    need(not any(k in q.free for q in (p, *(h.poly for h in rest))), "index free in a hypothesis")
    return _thm("induct", prop(rel, p), [base, step], (p, i, k), hyps=base.hyps | rest)


# ---- tables ------------------------------------------------------------------------------


def __getattr__(rule: str) -> Callable[..., Thm]:
    """The rule of this name in the tables, as a function of its premises and data."""
    if rule.startswith("_"):
        raise AttributeError(rule)
    return partial(_infer, rule)


def _infer(rule: str, *arguments: Any) -> Thm:
    premises = [t for t in arguments if isinstance(t, Thm)]
    data = [Fraction(x) if type(x) is int else x for x in arguments if not isinstance(x, Thm)]
    need(len(premises) < 3, "too many premises")
    table = (_fact, _from_one, _from_two)[len(premises)]
    step = (rule, *(t.concl.rel for t in premises), *data)
    row = table(step, premises, *(t.poly for t in premises))
    need(row, f"{rule} does not apply")
    rel, p, *more = row or ()
    kept = (*data[_RECORDED.get(rule, slice(None))], *(q for q in more if isinstance(q, Poly)))
    hyps = [h for t in premises for h in t.hyps] + [h for h in more if isinstance(h, Prop)]
    return _thm(rule, prop(rel, p), premises, kept, hyps=hyps)


def _exp_gap(u: Poly) -> Poly:
    return sub(n.exp(u), add(u, ONE))


def _fact(step: Row, _: Sequence[Thm]) -> Row | None:
    """What holds without premises."""
    match step:
        case "evident", "ge", p if n.nonnegative(p):
            return "ge", p
        case "evident", "gt" | "ne" as rel, p if n.positive(p):
            return rel, p
        case "square", p:
            return "ge", n.power(p, 2)
        case "exp_above_tangent", u:
            return "ge", _exp_gap(u)
        case "log_below_tangent", x:
            return "ge", sub(sub(x, ONE), n.log(x)), *_unless_evident([("gt", x)])
        case "relu_above", u:
            return "ge", sub(n.relu(u), u)
        case "relu_flip", u:
            return "eq", sub(sub(n.relu(u), n.relu(scale(u, -1))), u)
        case "gate", u, True:  # [u >= 0] u >= 0
            return "ge", mul(n.indicator("ge0", u), u)
        case "gate", u, False:  # ([u >= 0] - 1) u >= 0
            return "ge", mul(sub(n.indicator("ge0", u), ONE), u)
        case "cancel", q, k:  # q q^(k - 1) = q^k
            lower = n.power(q, k - 1)
            return "eq", sub(mul(q, lower), n.power(q, k)), lower
        case "at_most_one", Atom(kind="ge0" | "eq0" | "bool" | "d") as a:
            return "ge", sub(ONE, of_atom(a))
        case "bounded", Atom(kind="un", args=("tanh" | "sin" | "cos" | "erf", _)) as a, 1 | -1 as k:
            return "ge", sub(ONE, scale(of_atom(a), k))
        case "index_below", i:
            return "ge", sub(sub(n.size_of(i), ONE), n.value_of(i))
        case "staircase", i, j if n.size_of(i) is n.size_of(j):  # [i >= j] - [i >= j + 1] = [i = j]
            gap = sub(n.value_of(i), n.value_of(j))
            rise = sub(n.indicator("ge0", gap), n.indicator("ge0", sub(gap, ONE)))
            return "eq", sub(rise, n.delta(i, j))
        case "selected", Atom(kind="ix", args=("argmin", (f,), _)) as i, j:  # f(j) >= f(argmin f)
            return "ge", sub(_at(f, j), _at(f, i))
        case "selected", Atom(kind="ix", args=("argmax", (f,), _)) as i, j:
            return "ge", sub(_at(f, i), _at(f, j))
        case _:
            return None


def _at(f: Atom, i: Atom) -> Poly:
    """The value of a function of one index."""
    ((b,), body) = f.args
    need(n.size_of(i) is b.args[1], "sizes differ")
    return substitute(body, {b: i})


def _from_one(step: Row, given: Sequence[Thm], p: Poly) -> Row | None:
    """What follows from `p rel 0`."""
    match step:
        case "relu_at", "ge":
            return "eq", sub(n.relu(p), p)
        case "indicator_at", "ge" | "eq" as rel:
            return "eq", sub(n.indicator(f"{rel}0", p), ONE)
        case "indicator_at", "ne":
            return "eq", n.indicator("eq0", p)
        case "indicator_at", "gt":
            return "eq", n.indicator("ge0", scale(p, -1))
        case ("weaken", "gt", "ge" | "ne" as weak) | ("weaken", "eq", "ge" as weak):
            return weak, p
        case "opposite", "eq" | "ne" as rel:
            return rel, scale(p, -1)
        case "absurd", "eq" | "ne" | "ge" | "gt" as rel, goal, q if p.constant is not None:
            c = p.constant
            holds = {"eq": c == 0, "ne": c != 0, "ge": c >= 0, "gt": c > 0}[rel]
            return None if holds else (goal, q)
        case "exp_strictly_above", "ne":
            return "gt", _exp_gap(p)
        case "raise_to", "gt", k:
            return "gt", n.power(p, k)
        case "same_power", "eq", x, y, k if p is sub(x, y):
            left, right = n.power(x, k), n.power(y, k)
            return "eq", sub(left, right), left, right
        case "same_image", "eq", x, "exp" | "log" as name:
            left, right = ((n.exp if name == "exp" else n.log)(q) for q in (x, sub(x, p)))
            return "eq", sub(left, right), left, right
        case "total", "eq" | "ge" | "gt" as rel, Atom(kind="i") as i if i not in _fixed(given):
            return rel, n.nsum(i, p)
        case "zero_root", "eq", q if p in (n.power(q, 2), _exp_gap(q)):
            return "eq", q
        case "zero_root", "eq", q if p is sub(q, n.log(add(q, ONE))):
            return "eq", q, *_unless_evident([("gt", add(q, ONE))])
        case "zero_base", "eq", q, k if k > 0 and p is n.power(q, k):
            return "eq", q
        case _:
            return None


def _from_two(step: Row, given: Sequence[Thm], p: Poly, q: Poly) -> Row | None:
    """What follows from `p rel 0` and `q rel 0`."""
    match step:
        case "combine", "ge", "ne" if p is q:
            return "gt", p
        case "combine", "ge", "ge" if p is scale(q, -1):
            return "eq", p
        case "times", "gt", "gt":
            return "gt", mul(p, q)
        case "times", "ge" | "gt", "ge" | "gt":
            return "ge", mul(p, q)
        case "times", "ne" | "gt", "ne" | "gt":
            return "ne", mul(p, q)
        case "power_of_product", "ge" | "gt" as rel, "ge" | "gt" as other, k:
            left, right = n.power(mul(p, q), k), mul(n.power(p, k), n.power(q, k))
            fits = k > 0 or rel == other == "gt"
            return ("eq", sub(left, right), left, right) if fits else None
        case "log_of_product", "gt", "gt":
            left, right = n.log(mul(p, q)), add(n.log(p), n.log(q))
            return "eq", sub(left, right), left, right
        case "divide", rel, sign, x if p is mul(q, x):
            return (rel, x) if sign == "gt" or (sign == "ne" and rel in ("eq", "ne")) else None
        case "divide_power", rel, sign, a, k, x if p is n.times_power(x, a, k) and k > 0:
            whole = sign == "ne" and k.denominator == 1 and rel in ("eq", "ne")
            base = a.args[0] if a.kind == "P" else of_atom(a)
            return (rel, x) if q is base and (sign == "gt" or whole) else None
        case "root", "ge", "ge", x if q is sub(mul(p, p), mul(x, x)):  # p is y, q is y^2 - x^2
            return "ge", sub(p, x)
        case "zero_summand", "eq", "ge", Atom(kind="i") as i if p is n.nsum(i, q):
            return ("eq", q) if i not in _fixed(given) else None
        case _:
            return None


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


# ---- substitution ------------------------------------------------------------------------


def instance(
    t: Thm, name: str, formals: Sequence[Atom], value: Poly, lemma: Thm | None = None
) -> Thm:
    """The theorem with `value` (a function of the indices `formals`) for the variable `name`; if
    the variable has a sign, `lemma` proves it for the value unless it is evident."""
    need(all(f.kind == "i" for f in formals), "formal indices are variables")
    need(len(set(formals)) == len(formals), "formal indices are distinct")
    names = frozenset[object]().union(*(q.names for q in (t.concl.poly, *(h.poly for h in t.hyps))))
    for sign, rel in (("+", "gt"), ("0+", "ge")):
        lack = _unless_evident([(rel, value)]) if (name, sign) in names else frozenset()
        fits = lemma is not None and lemma.concl == prop(rel, value, formals)
        need(not lack or fits, "the value's sign is not proved")
    env = {name: ((tuple(formals), value),)}

    def of(a: Prop) -> Prop:
        free, binders = opened(a)
        return prop(a.rel, substitute(free, {}, env), binders)

    premises = [t] if lemma is None else [t, lemma]
    hyps = {*map(of, t.hyps), *(h for x in premises[1:] for h in x.hyps)}
    return _thm("instance", of(t.concl), premises, (name, *formals, value), hyps=hyps)


def rewrite(p: Poly, equation: Thm, at: Atom) -> Thm:
    """From (for all i: v[i] = r(i)) as `v[i] - r(i) = 0`, with `at` the atom v[i] of the opened
    equation's pattern: p = p with r for v everywhere."""
    free, binders = opened(equation.concl)
    need(equation.concl.rel == "eq" and at.kind == "var", "needs an equation for a variable")
    renamed = dict(zip(equation.concl.binders, binders, strict=True))
    pattern = tuple(n.substitute_index(i, renamed) for i in at.args[1])
    name, left = at.args[0], of_atom(atom("var", at.args[0], pattern, at.args[2]))
    value = sub(left, free)
    own = {i for i in pattern if i.kind == "i"}
    need(own <= set(binders) and len(set(pattern)) == len(pattern), "the pattern is not general")
    need(name not in value.names, "the variable is not solved for")
    need(not value.free & (set(binders) - own), "the value has a loose index")
    new = substitute(p, {}, {name: ((pattern, value),)})
    return _thm("rewrite", prop("eq", sub(p, new)), [equation], (p, new, at))
