"""The normal form: arithmetic, powers, exp, log, relu, formal sums; all return canonical `Poly`s.

In: polynomials, index atoms. Out: a polynomial equal to the named operation for all sizes and
reals *where every partial operation in it is defined* (see `rules.conditions`: what an argument of
a rule mentions becomes a hypothesis of its theorem). Always: nothing depends on a context, so that
interned results are valid everywhere; bound names are opened only with fresh ones. Which of several
equal forms is taken is asked of `ADVICE`, which is not trusted: what it says is checked.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, TypeVar

from gendsl.prove.kernel.term import F0, F1, ONE, ZERO, Atom, Mono, Poly, atom, of_atom, poly

# For a real variable: values at patterns of indices (index variables match anything).
Env = Mapping[str, Sequence[tuple[tuple[Atom, ...], Poly]]]
Factors = Sequence[tuple[Poly, Fraction]]
X = TypeVar("X", Atom, Poly)
ADVICE: dict[str, Callable[..., Any]] = {
    "factors": lambda p, whole: ((p, F1),),  # p as a product of powers
    "order": lambda binders, factors: binders,  # of the bound indices of a sum
    "flip": lambda p: False,  # relu(p) as p + relu(-p)
}
_stop_at = [float("inf")]
_INDEX = frozenset(("i", "ic", "ix", "mix", "part", "shift"))
_BITS = frozenset(("d", "bool", "ge0", "eq0"))
_SIGN = dict.fromkeys(("dim", "exp", "pi"), "+") | dict.fromkeys(("relu", "ixval", *_BITS), "0+")
_counter = itertools.count()


class KernelError(Exception):
    """A rule was applied where it does not fit, or a form is outside the kernel's reach."""


def need(test: object, message: str) -> None:
    if not test:
        raise KernelError(message)


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
    need(len(p.terms) * len(q.terms) <= 20000, "a product is too large")
    need(time.process_time() <= _stop_at[0], "the time is over")
    total: dict[Mono, Fraction] = {}
    for (m, c), (w, d) in itertools.product(p.terms.items(), q.terms.items()):
        exponents = dict(m)
        for a, k in w:
            exponents[a] = exponents.get(a, F0) + k
        for r, e in assemble(exponents, c * d).terms.items():
            total[r] = total.get(r, F0) + e
    return poly(total)


def prod_poly(factors: Iterable[Poly]) -> Poly:
    result = ONE
    for factor in factors:
        result = mul(result, factor)
    return result


def assemble(exponents: Mapping[Atom, Fraction], coefficient: Fraction = F1) -> Poly:
    """The product of powers of atoms, normalised."""
    plain, extra, argument = dict[Atom, Fraction](), list[Poly](), ZERO
    for a, k in exponents.items():
        if a.kind == "exp":
            argument = add(argument, scale(a.args[0], k))
        elif a.kind == "P" and (k >= 1 or a.args[0].constant):
            extra.append(power(a.args[0], k // 1))
            plain[a] = k % 1
        elif a.kind == "P" and k.denominator == 1 and _splits(a.args[0]):
            extra.append(power(a.args[0], k))
        else:
            plain[a] = F1 if a.kind in _BITS and k > 0 else k
    rest = dict(argument.terms)
    for m in argument.terms:
        if len(m) == 1 and m[0][0].kind == "log" and m[0][1] == 1:
            extra.append(power(m[0][0].args[0], rest.pop(m)))  # exp(c log a) = a^c, a > 0
    if rest:
        plain[atom("exp", poly(rest))] = F1
    for a in [a for a in plain if a.kind == "d" and plain[a] > 0]:
        i, j = sorted(a.args, key=lambda x: (x.kind == "i", x.serial), reverse=True)
        if a in plain and i.kind == "i" and i not in j.free:
            for b in [b for b in plain if b is not a and i in b.free]:
                extra.append(power(substitute(of_atom(b), {i: j}), plain.pop(b)))
    mono = tuple(sorted(((a, k) for a, k in plain.items() if k), key=lambda x: x[0].serial))
    return prod_poly((poly({mono: coefficient}), *extra))


@cache
def _factors(p: Poly, whole: bool) -> Factors:
    """Powers of which p is the product; unless `whole`, none is negative where p is not."""
    rows: Factors = ADVICE["factors"](p, whole)
    signed = [e for b, e in rows if e.denominator == 1 and not nonnegative(b)]
    fits = whole or signed in ([], [1], [-1])
    return rows if fits and prod_poly(power(b, e) for b, e in rows) is p else ((p, F1),)


def _splits(p: Poly) -> bool:
    """Whether p is a product whose last factor is split no further."""
    rest = _factors(p, True)[-1][0]
    return rest is not p and _factors(rest, True)[-1][0] is rest


def _alone(p: Poly) -> Atom | None:
    """The atom that p is, if it is one."""
    a = next((a for m in p.terms for a, _ in m), None)
    return a if a is not None and p is of_atom(a) else None


def power(p: Poly, k: Fraction | int) -> Poly:
    """p^k; for a fractional k p is not negative, for a negative one not zero."""
    k, term = Fraction(k), p.single()
    whole = k.denominator == 1
    if k == 0 or p is ONE:
        return ONE
    if not p.terms:
        return ZERO if k > 0 else of_atom(atom("P", ZERO), k)  # 0 != 0 is then a hypothesis
    if whole and term is not None:
        return assemble({a: e * k for a, e in term[0]}, term[1] ** k.numerator)
    if whole and k > 0:
        half = power(p, k.numerator // 2)
        square = mul(half, half)
        return mul(square, p) if k.numerator % 2 else square
    return prod_poly(_root(b, e * k) for b, e in _factors(p, whole))


def _root(p: Poly, k: Fraction) -> Poly:
    """p^k for a p that is not split further."""
    a = _alone(p)
    if k.denominator == 1 and p.single():
        return power(p, k)
    return assemble({a if a is not None and sign(a) else atom("P", p): k})


def exp(p: Poly) -> Poly:
    return assemble({atom("exp", p): F1})


def log(p: Poly) -> Poly:
    """log p, p > 0."""
    rows = [(b, _alone(b), e) for b, e in _factors(p, False)]
    of = (a.args[0] if a and a.kind == "exp" else of_atom(atom("log", b)) for b, a, _ in rows)
    return add(*map(scale, of, (e for _, _, e in rows)))


def relu(p: Poly) -> Poly:
    """max(p, 0)."""
    opposite = scale(p, -1)
    if nonnegative(p) or nonnegative(opposite):
        return p if nonnegative(p) else ZERO
    if ADVICE["flip"](p):
        return add(relu(opposite), p)
    c = abs(next(iter(p.terms.values()))) if p.single() else F1
    return scale(of_atom(atom("relu", scale(p, 1 / c))), c)


def indicator(kind: str, p: Poly) -> Poly:
    """1 where p >= 0 (kind "ge0") or p = 0 (kind "eq0"), else 0."""
    c = p.constant
    if c is None:
        return of_atom(atom(kind, p))
    return ONE if c == 0 or (kind == "ge0" and c > 0) else ZERO


def delta(i: Atom, j: Atom) -> Poly:
    """1 if the indices are equal, else 0."""
    if i is j:
        return ONE
    if {i.kind, j.kind} <= {"ic", "shift"}:
        gap = sub(value_of(i), value_of(j))
        if positive(gap) or positive(scale(gap, -1)):
            return ZERO
    if i.kind == j.kind == "mix" and i.args[1] == j.args[1]:
        return prod_poly(map(delta, i.args[0], j.args[0]))
    return assemble({atom("d", *sorted((i, j), key=lambda x: x.serial)): F1})


# ---- signs -------------------------------------------------------------------------------


def sign(a: Atom) -> str:
    """ "+" or "0+" when the atom is positive or not negative wherever it is defined, else ""."""
    if a.kind == "P":
        return "+" if positive(a.args[0]) else ""
    if a.kind == "S":
        return _mono_sign(a.args[1])
    return str(a.args[2]) if a.kind == "var" else _SIGN.get(a.kind, "")


def _mono_sign(mono: Mono) -> str:
    found = set()
    for a, k in mono:
        root, even = a.kind == "P" and k.denominator > 1, k.denominator == 1 and k % 2 == 0
        found.add(sign(a) or ("+" if root and k < 0 else "0+" if root or even else ""))
    return "" if "" in found else "0+" if "0+" in found else "+"


def _sign(p: Poly) -> str:
    signs = {_mono_sign(m) if c > 0 else "" for m, c in p.terms.items()}
    return "" if "" in signs else "+" if "+" in signs else "0+"


def _shifted(p: Poly) -> Poly:
    """p with every size N written as 1 + N', N' >= 0."""
    rows = []
    for m, c in p.terms.items():
        up = {a: k for a, k in m if a.kind == "dim" and k > 0 and k.denominator == 1}
        rise = (
            power(add(ONE, of_atom(atom("var", f"{a.args[0]}'", (), "0+"))), k)
            for a, k in up.items()
        )
        rows.append(prod_poly([assemble({a: k for a, k in m if a not in up}, c), *rise]))
    return add(*rows)


@cache
def positive(p: Poly) -> bool:
    return _sign(p) == "+" or (any(c < 0 for c in p.terms.values()) and _sign(_shifted(p)) == "+")


@cache
def nonnegative(p: Poly) -> bool:
    return _sign(p) != "" or (any(c < 0 for c in p.terms.values()) and _sign(_shifted(p)) != "")


# ---- indices -----------------------------------------------------------------------------


def size_of(i: Atom) -> Poly:
    """How many values the index ranges over."""
    size: Poly = prod_poly(i.args[1]) if i.kind == "mix" else i.args[-1]
    return size


def value_of(i: Atom) -> Poly:
    """The index as a real number."""
    if i.kind == "shift":
        return add(value_of(i.args[0]), i.args[1])
    return i.args[0] if i.kind == "ic" else of_atom(atom("ixval", i))


def index_const(value: Poly, size: Poly) -> Atom:
    return atom("ic", value, size)


def mix(parts: Iterable[Atom]) -> Atom:
    """The row-major index of `parts`; adjacent parts of one index grow together."""
    flat: list[Atom] = []
    for x in (y for p in parts for y in (p.args[0] if p.kind == "mix" else (p,))):
        z = flat[-1] if flat else x
        if z.kind == x.kind == "part" and z.args[0] is x.args[0] and z.args[1] is mul(*x.args[1:]):
            flat[-1] = part(x.args[0], x.args[1], mul(z.args[2], x.args[2]))
        elif size_of(x) is not ONE:
            flat.append(x)
    if len(flat) < 2:
        return flat[0] if flat else index_const(ZERO, ONE)
    return atom("mix", tuple(flat), tuple(map(size_of, flat)))


def part(x: Atom, stride: Poly, size: Poly) -> Atom:
    """floor(x / stride) mod size."""
    if x.kind == "part" and mul(stride, size) is x.args[2]:
        return part(x.args[0], mul(x.args[1], stride), size)
    digits = x.args[0] if x.kind == "mix" else (x,)
    sizes = [ONE if size is ONE else stride, size]
    for a, b in itertools.combinations_with_replacement(range(len(digits) + 1), 2):
        if [prod_poly(map(size_of, ds)) for ds in (digits[b:], digits[a:b])] == sizes:
            return mix(digits[a:b])
    return atom("part", x, stride, size)


def shift(i: Atom, by: Poly, size: Poly) -> Atom:
    """i + by as an index of the given size."""
    inner, by = (i.args[0], add(by, i.args[1])) if i.kind == "shift" else (i, by)
    if by is ZERO and size_of(inner) is size:
        return inner
    room = sub(size, add(by, size_of(inner)))
    need(nonnegative(by) and nonnegative(room), "an index out of range")
    if inner.kind == "ic":
        return index_const(add(inner.args[0], by), size)
    return atom("shift", inner, by, size)


# ---- binders and substitution ------------------------------------------------------------


def fresh(size: Poly) -> Atom:
    """An index variable that occurs nowhere else."""
    return atom("i", f"${next(_counter)}", size)


def bind(binders: Sequence[Atom], p: Poly) -> tuple[tuple[Atom, ...], Poly]:
    """Canonical names for index variables that are to be bound in p, and p with these."""
    names = {b: atom("i", f"#{p.height + 1 + k}", b.args[1]) for k, b in enumerate(binders)}
    need(not (p.free - set(binders)) & set(names.values()), "a free index has a bound name")
    return tuple(names.values()), substitute(p, names)


def lam(binders: Iterable[Atom], body: Poly) -> Atom:
    """The function of `binders` with this value, as an argument of an opaque function."""
    return atom("lam", *bind(tuple(binders), body))


def open_sum(a: Atom) -> tuple[list[Atom], Poly]:
    """The binders of a sum (or of a function) under fresh names, and its body."""
    names = {b: fresh(b.args[1]) for b in a.args[0]}
    body = poly({a.args[1]: F1}) if a.kind == "S" else a.args[1]
    return list(names.values()), substitute(body, names)


def substitute(x: X, indices: Mapping[Atom, Atom], env: Env | None = None) -> X:
    """A term or an index with index variables, and real variables, replaced without capture."""
    y: X = _map(x, indices, env or {})
    return y


_MAKE: Mapping[str, Callable[..., Any]] = {
    "exp": exp, "log": log, "relu": relu, "d": delta, "ixval": value_of, "shift": shift,
    "ge0": lambda p: indicator("ge0", p), "eq0": lambda p: indicator("eq0", p), "P": lambda p: p,
    "mix": lambda parts, _: mix(parts), "part": part,
}  # fmt: skip


def _map(x: Any, ix: Mapping[Atom, Atom], env: Env) -> Any:
    """`substitute` in an index, a polynomial, a real atom (which gives a polynomial), a tuple."""
    if isinstance(x, tuple):
        return tuple(_map(y, ix, env) for y in x)
    if not isinstance(x, Atom | Poly) or not (ix.keys() & x.free or env.keys() & x.names):
        return x
    if isinstance(x, Poly):
        made = ([(_map(a, ix, env), a, k) for a, k in m] for m in x.terms)
        rows = (
            prod_poly(assemble({a: k}) if p is a else power(p, k) for p, a, k in row)
            for row in made
        )
        return add(*map(scale, rows, x.terms.values()))
    if x.kind == "i":
        return ix.get(x, x)
    if x.kind in ("S", "lam"):
        binders, body = open_sum(x)
        body = _map(body, ix, env)
        for b in reversed(binders if x.kind == "S" else ()):
            body = nsum(b, body)
        return body if x.kind == "S" else lam(binders, body)
    args = _map(x.args, ix, env)
    for formals, value in env.get(x.args[0], ()) if x.kind == "var" else ():
        if all(f.kind == "i" or f is i for f, i in zip(formals, args[1], strict=True)):
            at = {f: i for f, i in zip(formals, args[1], strict=True) if f.kind == "i"}
            need(all(size_of(f) is size_of(i) for f, i in at.items()), "index sizes differ")
            return _map(value, at, {})
    new: Atom | Poly = _MAKE[x.kind](*args) if x.kind in _MAKE else atom(x.kind, *args)
    return new if isinstance(new, Poly) or x.kind in _INDEX else of_atom(new)


# ---- formal sums -------------------------------------------------------------------------


def nsum(i: Atom, p: Poly) -> Poly:
    """The sum of p over all values of the index variable i."""
    return add(*(scale(_sum_over([i], m), c) for m, c in p.terms.items()))


def _sum_over(binders: list[Atom], mono: Mono) -> Poly:
    """The sum of a product over index variables, of which all but one are from inner sums."""
    for a, k in mono:
        for i, j in (a.args, a.args[::-1]) if a.kind == "d" and k > 0 else ():
            if i in binders and i not in j.free and size_of(j) is i.args[1]:
                rest = substitute(poly({tuple(x for x in mono if x[0] is not a): F1}), {i: j})
                for b in reversed([b for b in binders if b is not i]):
                    rest = nsum(b, rest)
                return rest
    bound, outside = frozenset(binders), list[Poly]()
    inside, inner = dict[Atom, Fraction](), list[tuple[list[Atom], Poly]]()
    for a, k in mono:
        if not a.free & bound:
            outside.append(assemble({a: k}))
        elif a.kind == "exp":
            terms = a.args[0].terms
            free = poly({m: x for m, x in terms.items() if not poly({m: F1}).free & bound})
            outside.append(exp(free))
            inside[atom("exp", sub(a.args[0], free))] = k
        elif a.kind == "S" and k.denominator == 1 and k > 0:
            inner += [open_sum(a) for _ in range(k.numerator)]
        else:
            inside[a] = k
    if inner:
        every = [*binders, *(b for more, _ in inner for b in more)]
        whole = prod_poly([assemble(inside), *(body for _, body in inner)])
        rows = (scale(_sum_over(every, m), c) for m, c in whole.terms.items())
        return prod_poly([*outside, add(*rows)])
    used = [b for b in binders if any(b in a.free for a in inside)]
    outside += [b.args[1] for b in binders if b not in used]
    return prod_poly([*outside, _canonical(used, inside)] if used else outside)


def _canonical(binders: Sequence[Atom], inside: Mapping[Atom, Fraction]) -> Poly:
    """The sum of a product under canonical names, in the order that `ADVICE` finds best."""
    order = ADVICE["order"](binders, inside)
    need(set(order) == set(binders), "not an order of the bound indices")
    names, named = bind(order, assemble(inside))
    (mono, c) = named.single() or ((), F0)
    need(mono, "renaming changed the form of a summand")
    return poly({((atom("S", names, mono), F1),): c})
