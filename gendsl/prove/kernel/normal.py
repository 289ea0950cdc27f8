"""The normal form: arithmetic, powers, exp, log, relu, formal sums; all return canonical `Poly`s.

In: polynomials, index atoms. Out: a polynomial equal to the named operation for all sizes and
reals *where every partial operation in it is defined* (see `rules.conditions`: log of a positive,
even root of a nonnegative, inverse of a nonzero; what an argument of a rule mentions becomes a
hypothesis of its theorem). Always: no rule depends on a context, so interned results are valid
everywhere; bound names are opened only with fresh ones.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm

from gendsl.prove.kernel.term import (
    F0,
    F1,
    ONE,
    ZERO,
    Atom,
    Mono,
    Poly,
    atom,
    const,
    of_atom,
    poly,
)

# For a real variable: values at patterns of indices (index variables match anything).
Env = Mapping[str, Sequence[tuple[tuple[Atom, ...], Poly]]]
_IDEMPOTENT = frozenset(("d", "bool", "ge0", "eq0"))
_counter = itertools.count()
_stop_at = [float("inf")]


class KernelError(Exception):
    """A rule was applied where it does not fit, or a form is outside the kernel's reach."""


def stop_at(deadline: float) -> None:
    """Make arithmetic fail after this value of `time.process_time()`: search must end."""
    _stop_at[0] = deadline


# ---- polynomial arithmetic ---------------------------------------------------------------


def add(*ps: Poly) -> Poly:
    total: dict[Mono, Fraction] = {}
    for p in ps:
        for m, c in p.terms.items():
            total[m] = total.get(m, F0) + c
    return poly(total)


def scale(p: Poly, c: Fraction | int) -> Poly:
    return poly({m: c * k for m, k in p.terms.items()})


def sub(p: Poly, q: Poly) -> Poly:
    return add(p, scale(q, -1))


def mul(p: Poly, q: Poly) -> Poly:
    if p is ONE or q is ONE:
        return q if p is ONE else p
    if len(p.terms) * len(q.terms) > 20000 or time.process_time() > _stop_at[0]:
        raise KernelError("a product is too large, or the time is over")
    total: dict[Mono, Fraction] = {}
    for (m, c), (n, d) in itertools.product(p.terms.items(), q.terms.items()):
        exponents = dict(m)
        for a, k in n:
            exponents[a] = exponents.get(a, F0) + k
        for r, e in assemble(exponents, c * d).terms.items():
            total[r] = total.get(r, F0) + e
    return poly(total)


def assemble(exponents: Mapping[Atom, Fraction], coefficient: Fraction = F1) -> Poly:
    """The product of powers of atoms, normalised."""
    plain: dict[Atom, Fraction] = {}
    extra: list[Poly] = []
    argument = ZERO
    for a, k in exponents.items():
        whole = k.numerator // k.denominator
        if a.kind == "exp":
            argument = add(argument, scale(a.args[0], k))
        elif a.kind == "P" and a.args[0].constant:
            coefficient *= a.args[0].constant ** whole
            plain[a] = k - whole
        elif a.kind == "P" and whole > 0:
            extra.append(power(a.args[0], whole))
            plain[a] = k - whole
        else:
            plain[a] = F1 if a.kind in _IDEMPOTENT and k > 0 else k
    rest = {}
    for m, c in argument.terms.items():
        if len(m) == 1 and m[0][0].kind == "log" and m[0][1] == 1:
            extra.append(power(m[0][0].args[0], c))  # exp(c log a) = a^c, a > 0
        else:
            rest[m] = c
    if rest:
        plain[atom("exp", poly(rest))] = F1
    for a in [a for a in plain if a.kind == "d" and plain[a] > 0]:
        i, j = sorted(a.args, key=lambda x: (x.kind == "i", x.serial), reverse=True)
        if a in plain and i.kind == "i" and i not in j.free:
            for b in [b for b in plain if b is not a and i in b.free]:
                extra.append(power(substitute(of_atom(b), {i: j}), plain.pop(b)))
    mono = tuple(sorted(((a, k) for a, k in plain.items() if k), key=lambda x: x[0].serial))
    result = poly({mono: coefficient})
    for e in extra:
        result = mul(result, e)
    return result


def times_power(p: Poly, a: Atom, k: Fraction) -> Poly:
    """p * a^k, term by term, so that powers of a cancel before they are expanded."""
    return add(
        *(scale(assemble({**dict(m), a: dict(m).get(a, F0) + k}), c) for m, c in p.terms.items())
    )


def _primes(c: Fraction) -> list[tuple[int, int]]:
    """c > 0 as powers of primes (a large cofactor stays whole)."""
    found = []
    for number, side in ((c.numerator, 1), (c.denominator, -1)):
        p = 2
        while number > 1:
            p = number if p * p > number or p > 1000 else p
            e = 0
            while number % p == 0:
                number, e = number // p, e + 1
            if e:
                found.append((p, e * side))
            p += 1
    return found


def content(p: Poly, *, signed: bool = False) -> tuple[Poly, Poly]:
    """(f, r) with p = f * r, f one term: the rational content, common powers of positive atoms (of
    all atoms, and a sign, if `signed`), and an exponential if one choice stands out."""
    numbers = list(p.terms.values())
    c = Fraction(gcd(*(x.numerator for x in numbers)), lcm(*(x.denominator for x in numbers)))
    common = dict(next(iter(p.terms)))
    for m in p.terms:
        powers = dict(m)
        common = {a: min(common.get(a, F0), powers.get(a, F0)) for a in {*common, *powers}}
    skip = ("exp", "P", *_IDEMPOTENT)
    usable = {
        a: k for a, k in common.items() if k and a.kind not in skip and (signed or sign(a) == "+")
    }
    arguments = {next((a.args[0] for a, _ in m if a.kind == "exp"), ZERO) for m in p.terms}
    if arguments != {ZERO} and len(arguments) <= 8:
        forms = sorted((mul(p, exp(scale(q, -1))).shape, q.serial, q) for q in arguments)
        if len(forms) == 1 or forms[0][0] != forms[1][0]:
            usable[atom("exp", forms[0][2])] = F1
    negatives = sum(x < 0 for x in numbers)
    if signed and (2 * negatives, scale(p, -1).shape) > (len(numbers), p.shape):
        c = -c
    inverse = assemble({a: -k for a, k in usable.items()}, 1 / c)
    return assemble(usable, c), mul(p, inverse)


def _splittable(mono: Mono, c: Fraction) -> set[Atom] | None:
    """The factors of unknown sign if a root or a logarithm of the term splits over its factors:
    at most one, to the power 1 or -1 (it is then positive where the term is)."""
    unknown = {a for a, e in mono if not sign(a) and not (a.kind == "P" and e.denominator > 1)}
    fits = c > 0 and len(unknown) <= 1 and all(abs(dict(mono)[a]) == 1 for a in unknown)
    return unknown if fits else None


def power(p: Poly, k: Fraction | int) -> Poly:
    """p^k; for a fractional k p is not negative, for a negative one not zero."""
    k, term = Fraction(k), p.single()
    whole = k.denominator == 1
    if k == 0 or p is ONE:
        return ONE
    if not p.terms:
        return ZERO if k > 0 else of_atom(atom("P", ZERO), k)  # 0 != 0 is then a hypothesis
    if term is not None:
        mono, c = term
        if whole:
            return assemble({a: e * k for a, e in mono}, c**k.numerator)
        unknown = _splittable(mono, c)
        if unknown is not None:
            roots = [(atom("P", const(n)), Fraction(e)) for n, e in _primes(c)]
            bare = {a for a in unknown if a.kind != "P"}
            roots += [(atom("P", of_atom(a)) if a in bare else a, e) for a, e in mono]
            return prod_poly(assemble({a: e * k}) for a, e in roots)
        return assemble({atom("P", p): k})
    if whole and k > 0:
        half = power(p, k.numerator // 2)
        square = mul(half, half)
        return mul(square, p) if k.numerator % 2 else square
    factor, rest = content(p, signed=whole)
    if factor is ONE:
        return assemble({atom("P", rest): k})
    return mul(power(factor, k), assemble({atom("P", rest): k}))


def prod_poly(factors: Iterable[Poly]) -> Poly:
    result = ONE
    for factor in factors:
        result = mul(result, factor)
    return result


def exp(p: Poly) -> Poly:
    return assemble({atom("exp", p): F1})


def log(p: Poly) -> Poly:
    """log p, p > 0."""
    term = p.single()
    if term is None:
        factor, rest = content(p, signed=False) if p.terms else (ONE, ZERO)
        return add(ZERO if factor is ONE else log(factor), of_atom(atom("log", rest)))
    mono, c = term
    if _splittable(mono, c) is None:
        return of_atom(atom("log", p))
    parts = [scale(of_atom(atom("log", const(n))), e) for n, e in _primes(c)]
    for a, e in mono:
        inner = a.args[0] if a.kind == "exp" else log(a.args[0]) if a.kind == "P" else None
        parts.append(scale(of_atom(atom("log", of_atom(a))) if inner is None else inner, e))
    return add(*parts)


def relu(p: Poly) -> Poly:
    """max(p, 0)."""
    opposite = scale(p, -1)
    if nonnegative(p) or nonnegative(opposite):
        return p if nonnegative(p) else ZERO
    if opposite.shape < p.shape:
        return add(relu(opposite), p)
    c = abs(next(iter(p.terms.values()))) if p.single() else F1
    return scale(of_atom(atom("relu", scale(p, 1 / c))), c)


def indicator(kind: str, p: Poly) -> Poly:
    """1 where p >= 0 (kind "ge0") or p = 0 (kind "eq0"), else 0."""
    if p.constant is not None:
        return ONE if (p.constant >= 0 if kind == "ge0" else p.constant == 0) else ZERO
    return of_atom(atom(kind, p))


def delta(i: Atom, j: Atom) -> Poly:
    """1 if the indices are equal, else 0."""
    if i is j:
        return ONE
    if {i.kind, j.kind} <= {"ic", "shift"}:
        gap = sub(value_of(i), value_of(j))
        if positive(gap) or positive(scale(gap, -1)):
            return ZERO
    if i.kind == j.kind == "mix" and i.args[1] == j.args[1]:
        return prod_poly(delta(a, b) for a, b in zip(i.args[0], j.args[0], strict=True))
    return assemble({atom("d", *sorted((i, j), key=lambda x: x.serial)): F1})


# ---- signs -------------------------------------------------------------------------------


def sign(a: Atom) -> str:
    """ "+" or "0+" when the atom is positive or not negative wherever it is defined, else ""."""
    match a.kind:
        case "dim" | "exp" | "pi":
            return "+"
        case "relu" | "ge0" | "eq0" | "bool" | "d" | "ixval":
            return "0+"
        case "var":
            return str(a.args[2])
        case "P":
            return "+" if positive(a.args[0]) else ""
        case "S":
            return _mono_sign(a.args[1])
        case _:
            pass
    return ""


def _mono_sign(mono: Mono) -> str:
    result = "+"
    for a, k in mono:
        s = sign(a)
        if not s and a.kind == "P" and k.denominator > 1:
            s = "0+" if k > 0 else "+"
        elif not s and k.denominator == 1 and k % 2 == 0:
            s = "0+"
        if not s:
            return ""
        result = s if s == "0+" else result
    return result


def _poly_sign(p: Poly) -> str:
    signs = [_mono_sign(m) if c > 0 else "" for m, c in p.terms.items()]
    return "" if "" in signs else "+" if "+" in signs else "0+"


def _shifted(p: Poly) -> Poly:
    """p with every size N written as 1 + N', N' >= 0."""
    atoms = {a for m in p.terms for a, k in m if a.kind == "dim" and k > 0}
    if not atoms or all(c > 0 for c in p.terms.values()):
        return p
    rise = {a: add(ONE, of_atom(atom("var", f"{a.args[0]}'", (), "0+"))) for a in atoms}
    rows = (
        prod_poly([const(c), *(power(rise[a], k) if a in rise and k > 0 and k % 1 == 0
                               else assemble({a: k}) for a, k in m)])
        for m, c in p.terms.items()
    )  # fmt: skip
    return add(*rows)


def positive(p: Poly) -> bool:
    return _poly_sign(p) == "+" or _poly_sign(_shifted(p)) == "+"


def nonnegative(p: Poly) -> bool:
    return _poly_sign(p) != "" or _poly_sign(_shifted(p)) != ""


# ---- indices -----------------------------------------------------------------------------


def size_of(i: Atom) -> Poly:
    """How many values the index ranges over."""
    if i.kind == "mix":
        return prod_poly(i.args[1])
    size: Poly = i.args[-1]
    return size


def mix(parts: Iterable[Atom]) -> Atom:
    """The row-major index of `parts`; adjacent parts of one index grow together."""
    flat: list[Atom] = []
    for x in (y for p in parts for y in (p.args[0] if p.kind == "mix" else (p,))):
        last = flat[-1] if flat else None
        joins = last is not None and last.kind == x.kind == "part" and last.args[0] is x.args[0]
        if joins and last is not None and last.args[1] is mul(x.args[1], x.args[2]):
            flat[-1] = part(x.args[0], x.args[1], mul(last.args[2], x.args[2]))
        elif size_of(x) is not ONE:
            flat.append(x)
    if len(flat) == 1:
        return flat[0]
    return (
        atom("mix", tuple(flat), tuple(size_of(x) for x in flat))
        if flat
        else index_const(ZERO, ONE)
    )


def part(x: Atom, stride: Poly, size: Poly) -> Atom:
    """floor(x / stride) mod size."""
    if size is ONE:
        return index_const(ZERO, ONE)
    if stride is ONE and size_of(x) is size:
        return x
    if x.kind == "part" and mul(mul(stride, size), x.args[1]) is mul(x.args[1], x.args[2]):
        return part(x.args[0], mul(x.args[1], stride), size)
    if x.kind == "mix":
        below, run = ONE, list[Atom]()
        for y in reversed(x.args[0]):
            if run or below is stride:
                run.insert(0, y)
                if prod_poly(size_of(z) for z in run) is size:
                    return mix(run)
            else:
                below = mul(below, size_of(y))
    return atom("part", x, stride, size)


def shift(i: Atom, by: Poly, size: Poly) -> Atom:
    """i + by as an index of the given size."""
    inner, by = (i.args[0], add(by, i.args[1])) if i.kind == "shift" else (i, by)
    if by is ZERO and size_of(inner) is size:
        return inner
    if not nonnegative(by) or not nonnegative(sub(size, add(by, size_of(inner)))):
        raise KernelError("an index out of range")
    if inner.kind == "ic":
        return index_const(add(inner.args[0], by), size)
    return atom("shift", inner, by, size)


def index_const(value: Poly, size: Poly) -> Atom:
    return atom("ic", value, size)


# ---- substitution ------------------------------------------------------------------------


def fresh(size: Poly) -> Atom:
    """An index variable that occurs nowhere else."""
    return atom("i", f"${next(_counter)}", size)


def substitute(p: Poly, indices: Mapping[Atom, Atom], env: Env | None = None) -> Poly:
    """Replace index variables, and real variables by values, without capture."""
    env = env or {}
    keys = frozenset(indices)
    if not env and not (keys & p.free):
        return p
    rows = []
    for m, c in p.terms.items():
        factors = (_rebuild(a, indices, keys, env, k) for a, k in m)
        rows.append(scale(prod_poly(factors), c))
    return add(*rows)


def _rebuild(
    a: Atom, ix: Mapping[Atom, Atom], keys: frozenset[Atom], env: Env, k: Fraction
) -> Poly:
    if not env and not (keys & a.free):
        return assemble({a: k})
    args = a.args
    match a.kind:
        case "var" | "bool":
            at = tuple(substitute_index(i, ix, env) for i in args[1])
            for formals, value in env.get(args[0], ()) if a.kind == "var" else ():
                match_ = {f: i for f, i in zip(formals, at, strict=True) if f.kind == "i"}
                if any(size_of(f) is not size_of(i) for f, i in match_.items()):
                    raise KernelError("index sizes differ")
                if all(f.kind == "i" or f is i for f, i in zip(formals, at, strict=True)):
                    return power(substitute(value, match_), k)
            return assemble({atom(a.kind, args[0], at, *args[2:]): k})
        case "fn":
            at = tuple(substitute_index(i, ix, env) for i in args[1])
            return assemble({atom("fn", args[0], at, tuple(_lam(x, ix, env) for x in args[2])): k})
        case "d":
            return power(delta(*(substitute_index(i, ix, env) for i in args)), k)
        case "ixval":
            return power(value_of(substitute_index(args[0], ix, env)), k)
        case "S":
            binders, body = open_sum(a)
            body = substitute(body, ix, env)
            for b in reversed(binders):
                body = nsum(b, body)
            return power(body, k)
        case _:
            pass
    inner = substitute(args[-1], ix, env) if a.kind not in ("dim", "pi") else ZERO
    match a.kind:
        case "exp":
            return exp(scale(inner, k))
        case "P":
            return power(inner, k)
        case "log" | "relu":
            return power(log(inner) if a.kind == "log" else relu(inner), k)
        case "ge0" | "eq0":
            return power(indicator(a.kind, inner), k)
        case "un":
            return assemble({atom("un", args[0], inner): k})
        case _:
            pass
    return assemble({a: k})


def substitute_index(i: Atom, ix: Mapping[Atom, Atom], env: Env | None = None) -> Atom:
    """`substitute` in an index."""
    if i.kind == "i":
        return ix.get(i, i)
    match i.kind:
        case "mix":
            return mix([substitute_index(x, ix, env) for x in i.args[0]])
        case "part":
            return part(substitute_index(i.args[0], ix, env), *i.args[1:])
        case "shift":
            return shift(substitute_index(i.args[0], ix, env), *i.args[1:])
        case "ix":
            at = tuple(
                _lam(x, ix, env) if x.kind == "lam" else substitute_index(x, ix, env)
                for x in i.args[1]
            )
            return atom("ix", i.args[0], at, i.args[2])
        case _:
            pass
    return i


def value_of(i: Atom) -> Poly:
    """The index as a real number."""
    if i.kind == "shift":
        return add(value_of(i.args[0]), i.args[1])
    return i.args[0] if i.kind == "ic" else of_atom(atom("ixval", i))


def lam(binders: Iterable[Atom], body: Poly) -> Atom:
    """The function of `binders` with this value, as an argument of an opaque function."""
    binders = tuple(binders)
    top = body.height + 1
    names = tuple(atom("i", f"#{top + n}", b.args[1]) for n, b in enumerate(binders))
    return atom("lam", names, substitute(body, dict(zip(binders, names, strict=True))))


def _lam(a: Atom, ix: Mapping[Atom, Atom], env: Env | None) -> Atom:
    opened = {b: fresh(b.args[1]) for b in a.args[0]}
    body = substitute(substitute(a.args[1], opened), ix, env)
    return lam(opened.values(), body)


# ---- formal sums -------------------------------------------------------------------------


def open_sum(a: Atom) -> tuple[list[Atom], Poly]:
    """The binders of a sum under fresh names, and its body."""
    opened = {b: fresh(b.args[1]) for b in a.args[0]}
    return list(opened.values()), substitute(poly({a.args[1]: F1}), opened)


def nsum(i: Atom, p: Poly) -> Poly:
    """The sum of p over all values of the index variable i."""
    return add(*(scale(_sum_over([i], poly({m: F1})), c) for m, c in p.terms.items()))


def _sum_over(binders: list[Atom], body: Poly) -> Poly:
    """The sum over several index variables (fresh or free, never canonical names)."""
    if not binders:
        return body
    term = body.single()
    if term is None:
        return add(*(scale(_sum_over(binders, poly({m: F1})), c) for m, c in body.terms.items()))
    mono, c = term
    for a, k in mono:
        if a.kind == "d" and k > 0:
            for i, j in (a.args, a.args[::-1]):
                if i in binders and i not in j.free and size_of(j) is i.args[1]:
                    rest = substitute(poly({tuple(x for x in mono if x[0] is not a): c}), {i: j})
                    return _sum_over([b for b in binders if b is not i], rest)
    bound = frozenset(binders)
    outside, inside, inner = poly({(): c}), dict[Atom, Fraction](), list[Atom]()
    for a, k in mono:
        if not a.free & bound:
            outside = mul(outside, assemble({a: k}))
        elif a.kind == "exp":
            free = {m: x for m, x in a.args[0].terms.items() if not poly({m: F1}).free & bound}
            outside = mul(outside, exp(poly(free)))
            inside[atom("exp", sub(a.args[0], poly(free)))] = k
        elif a.kind == "S" and k.denominator == 1 and k > 0:
            inner += [a] * k.numerator
        else:
            inside[a] = k
    if inner:
        whole = assemble(inside)
        for s in inner:
            more, factor = open_sum(s)
            binders, whole = binders + more, mul(whole, factor)
        return mul(outside, _sum_over(binders, whole))
    for b in bound:
        if not any(b in a.free for a in inside):
            outside = mul(outside, b.args[1])
    return prod_poly([outside, *(_canonical(*part) for part in _components(binders, inside))])


def _components(
    binders: list[Atom], inside: Mapping[Atom, Fraction]
) -> list[tuple[list[Atom], list[tuple[Atom, Fraction]]]]:
    """Split a product into factors that share no summation index."""
    found: list[tuple[set[Atom], list[tuple[Atom, Fraction]]]] = []
    for a, k in inside.items():
        here, factors = set(a.free) & set(binders), [(a, k)]
        for other in [f for f in found if f[0] & here]:
            found.remove(other)
            here, factors = here | other[0], other[1] + factors
        found.append((here, factors))
    return [([b for b in binders if b in here], factors) for here, factors in found]


def _canonical(binders: list[Atom], factors: list[tuple[Atom, Fraction]]) -> Poly:
    """The sum of a connected product: bound names are the least over their permutations."""
    top = max(a.height for a, _ in factors) + 1
    marks = {b: sorted((a.shape, k) for a, k in factors if b in a.free) for b in binders}
    groups = [
        list(g)
        for _, g in itertools.groupby(
            sorted(binders, key=lambda b: (b.args[1].serial, marks[b])),
            key=lambda b: (b.args[1].serial, marks[b]),
        )
    ]
    orders = itertools.product(*(itertools.permutations(g) for g in groups))
    best: tuple[list[tuple[int, Fraction]], tuple[Atom, ...], Poly] | None = None
    for order in itertools.islice(orders, 720):
        row = list(itertools.chain(*order))
        names = tuple(atom("i", f"#{top + n}", b.args[1]) for n, b in enumerate(row))
        named = substitute(assemble(dict(factors)), dict(zip(row, names, strict=True)))
        if named.single() is None:
            raise KernelError("renaming changed the form of a summand")
        key = [(a.serial, k) for a, k in next(iter(named.terms))]
        if best is None or key < best[0]:
            best = (key, names, named)
    assert best is not None
    (mono, c) = next(iter(best[2].terms.items()))
    return poly({((atom("S", best[1], mono), F1),): c})
