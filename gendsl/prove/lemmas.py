"""Rules that follow from the kernel's: tangents, roots, powers, cases, rewriting.

In: what each says it needs. Out: a theorem, noted to be made by the lemma (its name, premises and
data), so that proof objects have one step for it: the checkers judge that step by a rule or a lemma
of their own. Untrusted: the kernel made every theorem here. Where a lemma does not apply, or a form
is not the one that its derivation expects, `KernelError` is raised.

Most lemmas are proved once, about variables, and then hold for any terms (`_applied`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import permutations

from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.normal import need
from gendsl.prove.kernel.rules import Prop, Thm, prop
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, const, of_atom

A, B = (of_atom(atom("var", f"axiom:{name}", (), "")) for name in "ab")
MINUS = const(-1)


def _var(name: str, sign: str = "") -> Poly:
    return of_atom(atom("var", f"lemma:{name}", (), sign))


@cache
def _axiom(name: str) -> Thm:
    return r.axiom(name)


def _applied(schema: Thm, values: Mapping[str, Poly], premises: Sequence[Thm]) -> Thm:
    """A theorem about variables for these values; its hypotheses are the premises, the declared
    signs of the variables too. Domain conditions of the values hold for all their free indices."""
    own = frozenset[object]().union(*(h.poly.names for h in (schema.concl, *schema.hyps)))
    t = schema
    for name, value in values.items():
        signed = [rel for sign, rel in (("+", "gt"), ("0+", "ge")) if (name, sign) in own]
        wanted = [prop(rel, value) for rel in signed]
        lemma = next((p for p in premises if p.concl in wanted), None)
        t = r.instance(t, name, (), value, lemma)
    for premise in premises:
        t = r.cut(t, premise)
    given = frozenset[Prop]().union(*(p.hyps for p in premises))
    for h in t.hyps - given:
        if h.rel != "eq" and not h.binders and r.EVIDENT[h.rel](h.poly):
            t = r.cut(t, r.evident(h.rel, h.poly))
        elif h.rel == "eq" and h.poly is ZERO:
            t = r.cut(t, r.evident("eq", ZERO))
        elif h.poly.free and not h.binders:
            t = r.cut(t, everywhere(h.rel, h.poly))
    return t


def everywhere(rel: str, p: Poly) -> Thm:
    """p rel 0, assumed for all values of its free indices."""
    free = sorted(p.free, key=lambda i: i.serial)
    t = r.assume(prop(rel, p, free))
    for order in permutations(free):
        if [n.size_of(i) for i in order] == [n.size_of(b) for b in t.concl.binders]:
            made = r.specialize(t, order) if order else t
            if made.poly is p:
                return made
    raise n.KernelError("no instance has this form")


def _same(t: Thm, rel: str, p: Poly) -> Thm:
    need(t.concl == prop(rel, p), "the lemma has another form here")
    return t


# ---- comparisons -------------------------------------------------------------------------


def weaken(t: Thm, rel: str) -> Thm:
    """> 0 is >= 0 and != 0, = 0 is >= 0."""
    strict = t.concl.rel == "gt"
    need((strict and rel in ("ge", "ne")) or (t.concl.rel, rel) == ("eq", "ge"), "no weakening")
    made = r.times(t, _nonzero_one()) if rel == "ne" else r.linear(rel, t.poly, [(ONE, t)])
    return r.noted(made, "weaken", [t], ())


@cache
def _nonzero_one() -> Thm:
    return r.evident("ne", ONE)


@cache
def _nonzero_minus_one() -> Thm:
    """-1 != 0, since (-1)(-1) != 0."""
    return _applied(_axiom("zero_factor"), {"axiom:a": MINUS, "axiom:b": MINUS}, [_nonzero_one()])


def opposite(t: Thm) -> Thm:
    """p = 0 is -p = 0, p != 0 is -p != 0."""
    need(t.concl.rel in ("eq", "ne"), "needs = or !=")
    p = n.scale(t.poly, -1)
    zero = t.concl.rel == "eq"
    made = r.linear("eq", p, [(MINUS, t)]) if zero else r.times(t, _nonzero_minus_one())
    return r.noted(made, "opposite", [t], ())


def combine(t: Thm, u: Thm) -> Thm:
    """p >= 0 and p != 0 make p > 0; p >= 0 and -p >= 0 make p = 0."""
    name = "strict" if u.concl.rel == "ne" else "antisymmetric"
    rel, p = ("gt" if name == "strict" else "eq"), t.poly
    fits = u.poly is (p if name == "strict" else n.scale(p, -1)) and u.concl.rel in ("ge", "ne")
    need(fits and t.concl.rel == "ge", "the premises are not about one number")
    made = _same(_applied(_axiom(name), {"axiom:a": p}, [t, u]), rel, p)
    return r.noted(made, "combine", [t, u], ())


def absurd(t: Thm, rel: str, goal: Poly) -> Thm:
    """Anything, from a false comparison of a number with 0."""
    c = t.poly.constant
    need(c is not None, "not a comparison of numbers")
    c = c or Fraction(0)
    holds = {"eq": c == 0, "ne": c != 0, "ge": c >= 0, "gt": c > 0}[t.concl.rel]
    need(not holds, "the premise is true")
    shift = ONE if rel in ("gt", "ne") else ZERO
    zero = _any_zero(t, c, n.sub(goal, shift))
    if rel == "eq":
        made = zero
    elif rel == "ge":
        made = weaken(zero, "ge")
    else:
        made = r.linear("gt", goal, [(ONE, r.evident("gt", ONE)), (ONE, zero)])
        made = weaken(made, "ne") if rel == "ne" else made
    return r.noted(made, "absurd", [t], ())


def _any_zero(t: Thm, c: Fraction, goal: Poly) -> Thm:
    """goal = 0, from a false comparison of c with 0."""
    if c:  # c < 0 is said not to be, or c != 0 to be 0
        zero = (
            t
            if t.concl.rel == "eq"
            else combine(r.linear("ge", t.poly, [(ONE, t)]), r.evident("ge", const(-c)))
        )
        return r.linear("eq", goal, [(n.scale(goal, 1 / c), zero)])
    nonzero = t if t.concl.rel == "ne" else weaken(t, "ne")  # 0 != 0
    return divide(r.evident("eq", ZERO), nonzero, goal)


def cases(p: Poly, above: Thm, below: Thm) -> Thm:
    """From p >= 0, H |- A and -p >= 0, H' |- A: H, H' |- A."""
    strict = weaken(r.assume(prop("gt", n.scale(p, -1))), "ge")
    used = r.cut(below, strict) if strict.concl in below.hyps else below
    return r.noted(r.cases(p, above, used), "cases", [above, below], (p,))


# ---- squares, exponentials, logarithms -----------------------------------------------------


@cache
def _schema_square() -> Thm:
    p = _var("u")
    return r.evident("ge", n.mul(p, p))


def square(p: Poly) -> Thm:
    """p^2 >= 0."""
    return r.noted(r.instance(_schema_square(), "lemma:u", (), p), "square", (), (p,))


def exp_above_tangent(u: Poly) -> Thm:
    """exp(u) - u - 1 >= 0."""
    t = r.instance(_axiom("exp_above_tangent"), "axiom:a", (), u)
    return r.noted(t, "exp_above_tangent", (), (u,))


def log_below_tangent(x: Poly) -> Thm:
    """x - 1 - log x >= 0, the tangent of exp at log x."""
    goal = n.sub(n.sub(x, ONE), n.log(x))
    t = _same(exp_above_tangent(n.log(x)), "ge", goal)
    return r.noted(_positive(t, x), "log_below_tangent", (), (x,))


def _positive(t: Thm, x: Poly) -> Thm:
    """The theorem under the hypothesis x > 0 too."""
    if n.positive(x):
        return t
    bit = _applied(_axiom("bit_off"), {"axiom:a": n.scale(x, -1)}, [everywhere("gt", x)])
    return r.linear(t.concl.rel, t.poly, [(ONE, t), (ZERO, bit)])


def _gap(u: Poly) -> Poly:
    return n.sub(n.exp(u), n.add(u, ONE))


@cache
def _above_parabola() -> Thm:
    """exp(u) - u - 1 >= u^2 / 4 where u / 2 + 1 >= 0: exp(u / 2) >= u / 2 + 1, squared."""
    u = _var("u")
    half = n.scale(u, Fraction(1, 2))
    h, e = n.add(half, ONE), n.exp(half)
    right = r.assume(prop("ge", h))
    both = r.linear("ge", n.add(e, h), [(ONE, r.evident("ge", e)), (ONE, right)])
    return r.times(exp_above_tangent(half), both)


@cache
def _far_left() -> Thm:
    """exp(u) - u - 1 > 0 where u / 2 + 1 < 0."""
    u = _var("u")
    left = r.assume(prop("gt", n.scale(n.add(n.scale(u, Fraction(1, 2)), ONE), -1)))
    rows = [(ONE, r.evident("gt", n.add(n.exp(u), ONE))), (const(2), left)]
    return r.linear("gt", _gap(u), rows)


@cache
def _schema_strict() -> Thm:
    """From u != 0: exp(u) - u - 1 > 0."""
    u = _var("u")
    nonzero = r.assume(prop("ne", u))
    squared = combine(square(u), r.times(nonzero, nonzero))
    rows = [(ONE, _above_parabola()), (const(Fraction(1, 4)), squared)]
    return r.cases(
        n.add(n.scale(u, Fraction(1, 2)), ONE), r.linear("gt", _gap(u), rows), _far_left()
    )


@cache
def _schema_touch() -> Thm:
    """From exp(u) - u - 1 = 0: u = 0."""
    u = _var("u")
    zero = r.assume(prop("eq", _gap(u)))
    rows = [(const(4), _above_parabola()), (const(-4), zero)]
    low = r.linear("ge", n.scale(n.mul(u, u), -1), rows)
    near = _square_zero(combine(square(u), low), u)
    far = absurd(r.linear("gt", ZERO, [(ONE, _far_left()), (MINUS, zero)]), "eq", u)
    return r.cases(n.add(n.scale(u, Fraction(1, 2)), ONE), near, far)


def exp_strictly_above(t: Thm) -> Thm:
    """From p != 0: exp(p) - p - 1 > 0."""
    need(t.concl.rel == "ne", "needs !=")
    made = _applied(_schema_strict(), {"lemma:u": t.poly}, [t])
    return r.noted(made, "exp_strictly_above", [t], ())


def _square_zero(t: Thm, p: Poly) -> Thm:
    return _same(_applied(_axiom("zero_square"), {"axiom:a": p}, [t]), "eq", p)


def zero_root(zero: Thm, p: Poly) -> Thm:
    """p = 0 from p^2 = 0, exp(p) - p - 1 = 0 or p - log(p + 1) = 0."""
    x = n.add(p, ONE)
    need(zero.concl.rel == "eq", "needs an equation")
    if zero.poly is n.power(p, 2):
        made = _square_zero(zero, p)
    elif zero.poly is _gap(p):
        made = _applied(_schema_touch(), {"lemma:u": p}, [zero])
    else:
        need(zero.poly is n.sub(p, n.log(x)), "no zero that says so")
        log = _applied(_schema_touch(), {"lemma:u": n.log(x)}, [zero])  # log x = 0
        made = _positive(same_image(log, n.log(x), "exp"), x)
    return r.noted(_same(made, "eq", p), "zero_root", [zero], (p,))


def root(y: Thm, squares: Thm, x: Poly) -> Thm:
    """From y >= 0 and y^2 - x^2 >= 0: y - x >= 0."""
    p = y.poly
    need(y.concl.rel == squares.concl.rel == "ge", "needs >=")
    need(squares.poly is n.sub(n.mul(p, p), n.mul(x, x)), "not the difference of the squares")
    made = _applied(_schema_root(), {"axiom:a": x, "axiom:b": p}, [y, squares])
    return r.noted(made, "root", [y, squares], (x,))


@cache
def _schema_root() -> Thm:
    """Otherwise a > b >= 0, so that a^2 > b^2."""
    high, low = r.assume(prop("ge", B)), r.assume(prop("gt", n.sub(A, B)))
    squares = r.assume(prop("ge", n.sub(n.mul(B, B), n.mul(A, A))))
    above = r.linear("gt", n.add(A, B), [(ONE, low), (const(2), high)])
    below = r.linear("gt", ZERO, [(ONE, r.times(low, above)), (ONE, squares)])
    gap = n.sub(B, A)
    return r.cases(gap, r.assume(prop("ge", gap)), absurd(below, "ge", gap))


# ---- relu and indicators -------------------------------------------------------------------


def indicator_at(t: Thm) -> Thm:
    """The value of an indicator: of [p >= 0] by p >= 0, of [-p >= 0] by p > 0, of [p = 0]."""
    rel, p = t.concl.rel, t.poly
    match rel:
        case "ge":
            made = _applied(_axiom("bit_on"), {"axiom:a": p}, [t])
        case "gt":
            made = _applied(_axiom("bit_off"), {"axiom:a": n.scale(p, -1)}, [t])
        case "ne":
            made = _applied(_axiom("eq0_off"), {"axiom:a": p}, [t])
        case _:
            made = r.congruence(n.indicator("eq0", _var("u")), "lemma:u", (), p, ZERO, t)
    return r.noted(made, "indicator_at", [t], ())


@cache
def _schema_gate(side: bool) -> Thm:
    on = indicator_at(r.assume(prop("ge", A)))  # [a >= 0] - 1 = 0
    low = r.assume(prop("gt", n.scale(A, -1)))
    off = indicator_at(low)  # [a >= 0] = 0
    if side:
        goal = n.mul(n.indicator("ge0", A), A)
        bit = r.evident("ge", n.indicator("ge0", A))
        first = r.times(bit, r.assume(prop("ge", A)))
        return r.cases(A, first, weaken(r.linear("eq", goal, [(A, off)]), "ge"))
    goal = n.mul(n.sub(n.indicator("ge0", A), ONE), A)
    first = weaken(r.linear("eq", goal, [(A, on)]), "ge")
    return r.cases(A, first, r.linear("ge", goal, [(A, off), (ONE, low)]))


def gate(u: Poly, side: bool) -> Thm:
    """[u >= 0] u >= 0, and ([u >= 0] - 1) u >= 0."""
    made = r.instance(_schema_gate(side), "axiom:a", (), u)
    return r.noted(made, "gate", (), (u, side))


def at_most_one(a: Atom) -> Thm:
    """1 - a >= 0 for an indicator, being its own square."""
    p = n.sub(ONE, of_atom(a))
    return r.noted(_same(square(p), "ge", p), "at_most_one", (), ())


@cache
def _schema_relu() -> Thm:
    rows = [(ONE, r.axiom("relu")), (ONE, gate(A, False))]
    return r.linear("ge", n.sub(n.relu(A), A), rows)


def relu_above(u: Poly) -> Thm:
    """relu(u) - u >= 0."""
    return r.noted(r.instance(_schema_relu(), "axiom:a", (), u), "relu_above", (), (u,))


@cache
def _schema_relu_at() -> Thm:
    on = indicator_at(r.assume(prop("ge", A)))
    return r.linear("eq", n.sub(n.relu(A), A), [(ONE, r.axiom("relu")), (A, on)])


def relu_at(t: Thm) -> Thm:
    """From u >= 0: relu(u) - u = 0."""
    need(t.concl.rel == "ge", "needs >=")
    return r.noted(_applied(_schema_relu_at(), {"axiom:a": t.poly}, [t]), "relu_at", [t], ())


def relu_flip(u: Poly) -> Thm:
    """relu(u) - relu(-u) - u = 0."""
    minus = n.scale(u, -1)
    goal = n.sub(n.sub(n.relu(u), n.relu(minus)), u)
    if goal is ZERO:
        return r.noted(r.linear("eq", goal, []), "relu_flip", (), (u,))
    up, down = (_relu_sides(p) for p in (u, minus))
    first = r.linear("eq", goal, [(ONE, up[0]), (MINUS, up[1])])
    second = r.linear("eq", goal, [(ONE, down[1]), (MINUS, down[0])])
    return r.noted(cases(u, first, second), "relu_flip", (), (u,))


def _relu_sides(p: Poly) -> tuple[Thm, Thm]:
    """From p >= 0: relu(p) - p = 0, relu(-p) = 0."""
    t, low = r.assume(prop("ge", p)), n.scale(p, -1)
    bit = n.indicator("ge0", low)
    product = combine(gate(low, True), r.times(r.evident("ge", bit), t))  # [-p >= 0] (-p) = 0
    kink = r.instance(_axiom("relu"), "axiom:a", (), low)
    return relu_at(t), r.linear("eq", n.relu(low), [(ONE, kink), (ONE, product)])


def bounded(a: Atom, side: int) -> Thm:
    """1 - f >= 0 or 1 + f >= 0, for tanh, sin, cos and erf."""
    need(a.kind == "un" and side in (1, -1), "not a bounded function")
    made = r.instance(_axiom(f"{a.args[0]}{side:+}"), "axiom:a", (), a.args[1])
    return r.noted(made, "bounded", (), (Fraction(side),))


# ---- powers and products -------------------------------------------------------------------


@cache
def _schema_raised(k: Fraction) -> Thm:
    return r.evident("gt", n.power(_var("u", "+"), k))


def raise_to(t: Thm, k: Fraction | int) -> Thm:
    """From p > 0: p^k > 0."""
    k = Fraction(k)
    made = r.instance(_schema_raised(k), "lemma:u", (), t.poly, t)
    return r.noted(made, "raise_to", [t], (k,))


@cache
def _schema_cancel(k: Fraction, sign: str) -> Thm:
    """a e = a^k for e = a^(k - 1)."""
    a, e = _var("a", sign), _var("e")
    given = r.assume(prop("eq", n.sub(e, n.power(a, k - 1))))
    return r.linear("eq", n.sub(n.mul(a, e), n.power(a, k)), [(a, given)])


def cancel(q: Poly, k: Fraction | int) -> Thm:
    """q q^(k - 1) = q^k."""
    k = Fraction(k)
    low, sign = n.power(q, k - 1), "" if k.denominator == 1 else "+" if k < 1 else "0+"
    given = [everywhere("gt" if sign == "+" else "ge", q)] if sign else []
    made = _applied(_schema_cancel(k, sign), {"lemma:a": q, "lemma:e": low}, given)
    made = _same(made, "eq", n.sub(n.mul(q, low), n.power(q, k)))
    return r.noted(made, "cancel", (), (q, k, low))


@cache
def _schema_product(k: Fraction | None, first: str, second: str) -> Thm:
    """e^k = a^k b^k for e = a b and a, b of these signs; the logarithms for no k."""
    e, a, b, h = _var("e"), _var("a", first), _var("b", second), _var("h")
    given = r.assume(prop("eq", n.sub(e, n.mul(a, b))))
    context = n.log(h) if k is None else n.power(h, k)
    return r.congruence(context, "lemma:h", (), e, n.mul(a, b), given)


def _of_product(t: Thm, u: Thm, k: Fraction | None) -> Thm:
    signs = ["+" if x.concl.rel == "gt" else "0+" for x in (t, u)]
    values = {"lemma:a": t.poly, "lemma:b": u.poly, "lemma:e": n.mul(t.poly, u.poly)}
    product = r.times(t, u)
    weak = [] if product.concl.rel == "ge" else [weaken(product, rel) for rel in ("ge", "ne")]
    return _applied(_schema_product(k, *signs), values, [t, u, product, *weak])


def power_of_product(t: Thm, u: Thm, k: Fraction) -> Thm:
    """From p, q >= 0 (> 0 if k < 0): (p q)^k - p^k q^k = 0."""
    need({t.concl.rel, u.concl.rel} <= {"ge", "gt"}, "needs inequalities")
    need(k > 0 or t.concl.rel == u.concl.rel == "gt", "needs positive factors")
    left, right = n.power(n.mul(t.poly, u.poly), k), n.mul(n.power(t.poly, k), n.power(u.poly, k))
    made = _same(_of_product(t, u, k), "eq", n.sub(left, right))
    return r.noted(made, "power_of_product", [t, u], (k, left, right))


def log_of_product(t: Thm, u: Thm) -> Thm:
    """From p, q > 0: log(p q) - log p - log q = 0."""
    need(t.concl.rel == u.concl.rel == "gt", "needs positive factors")
    left, right = n.log(n.mul(t.poly, u.poly)), n.add(n.log(t.poly), n.log(u.poly))
    made = _same(_of_product(t, u, None), "eq", n.sub(left, right))
    return r.noted(made, "log_of_product", [t, u], (left, right))


def divide(t: Thm, by: Thm, x: Poly) -> Thm:
    """From q x rel 0 and q > 0 (q != 0 for = and !=): x rel 0."""
    rel, sign = t.concl.rel, by.concl.rel
    need(sign == "gt" or (sign == "ne" and rel in ("eq", "ne")), "the sign of the divisor")
    need(t.poly is n.mul(by.poly, x), "not this product")
    if rel == "ne":
        made = _applied(_axiom("zero_factor"), {"axiom:a": x, "axiom:b": by.poly}, [t])
    else:
        made = _applied(_schema_quotient(rel, sign), {"axiom:a": x, "lemma:b": by.poly}, [t, by])
    return r.noted(_same(made, rel, x), "divide", [t, by], ())


@cache
def _schema_quotient(rel: str, sign: str) -> Thm:
    """a = (a b) / b."""
    b = _var("b", "+" if sign == "gt" else "")
    return r.linear(rel, A, [(n.power(b, -1), r.assume(prop(rel, n.mul(A, b))))])


def zero_base(zero: Thm, q: Poly, k: Fraction) -> Thm:
    """From q^k = 0, k > 0: q = 0."""
    need(zero.concl.rel == "eq" and k > 0, "not a power that is 0")
    need(zero.poly is n.power(q, k), "not a power of this base")
    made = _applied(_schema_zero(k), {"axiom:a": q}, [zero])
    return r.noted(_same(made, "eq", q), "zero_base", [zero], (q, k))


@cache
def _schema_zero(k: Fraction) -> Thm:
    """a^k = 0 makes a^m = 0 for the next m = 1, 2, 4, ...; then square roots."""
    m = 1
    while m < k:
        m *= 2
    t = r.linear("eq", n.power(A, m), [(n.power(A, m - k), r.assume(prop("eq", n.power(A, k))))])
    while m > 1:
        m //= 2
        t = _square_zero(t, n.power(A, m))
    return t


# ---- equations -----------------------------------------------------------------------------


def same_power(t: Thm, x: Poly, y: Poly, k: Fraction) -> Thm:
    """From x - y = 0: x^k - y^k = 0."""
    left, right = n.power(x, k), n.power(y, k)
    made = r.congruence(n.power(_var("h"), k), "lemma:h", (), x, y, t)
    made = _same(made, "eq", n.sub(left, right))
    return r.noted(made, "same_power", [t], (x, y, k, left, right))


def same_image(t: Thm, x: Poly, name: str) -> Thm:
    """From x - y = 0: exp x - exp y = 0, or the same of logarithms."""
    f, y = (n.exp if name == "exp" else n.log), n.sub(x, t.poly)
    made = _same(r.congruence(f(_var("h")), "lemma:h", (), x, y, t), "eq", n.sub(f(x), f(y)))
    return r.noted(made, "same_image", [t], (x, name, f(x), f(y)))


def zero_summand(zero: Thm, summand: Thm, i: Atom) -> Thm:
    """From (sum over i of q) = 0 and q >= 0 for all i: q = 0; -q is the sum of the other terms."""
    q = summand.poly
    need(zero.concl.rel == "eq", "needs an equation")
    need(summand.concl.rel == "ge" and zero.poly is n.nsum(i, q), "not the sum of the summand")
    if i not in q.free:
        made = divide(zero, r.evident("gt", n.size_of(i)), q)
        return r.noted(made, "zero_summand", [zero, summand], (i,))
    j = n.fresh(n.size_of(i))
    other = r.specialize(r.generalize(summand, [i]), [j])
    bit = next(a for m in n.delta(i, j).terms for a, _ in m)
    rest = r.total(r.times(at_most_one(bit), other), j)
    low = r.linear("ge", n.scale(q, -1), [(ONE, rest), (MINUS, zero)])
    return r.noted(combine(summand, low), "zero_summand", [zero, summand], (i,))


def rewrite(p: Poly, equation: Thm, at: Atom) -> Thm:
    """From (for all i: v[i] = r(i)) as `v[i] - r(i) = 0`, with `at` the atom v[i] of the opened
    equation's pattern: p = p with r for v everywhere."""
    free, binders = r.opened(equation.concl)
    need(equation.concl.rel == "eq" and at.kind == "var", "needs an equation for a variable")
    renamed = dict(zip(equation.concl.binders, binders, strict=True))
    pattern = tuple(n.substitute(i, renamed) for i in at.args[1])
    left = of_atom(atom("var", at.args[0], pattern, at.args[2]))
    value = n.sub(left, free)
    own = tuple(i for i in pattern if i.kind == "i")
    need({*own} <= {*binders} and len({*pattern}) == len(pattern), "the pattern is not general")
    need(at.args[0] not in value.names, "the variable is not solved for")
    need(not value.free & ({*binders} - {*own}), "the value has a loose index")
    place = of_atom(atom("var", f"lemma:{at.args[0]}", own, ""))
    context = n.substitute(p, {}, {at.args[0]: ((pattern, place),)})
    made = r.congruence(context, f"lemma:{at.args[0]}", own, left, value, equation)
    new = n.sub(p, made.poly)
    return r.noted(made, "rewrite", [equation], (p, new, at))
