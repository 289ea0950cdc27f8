"""Search for proofs of equations: rewriting by known equations, then clearing denominators.

In: a polynomial, equations as theorems. Out: a theorem `p = 0`, or None. Untrusted: every step is a
kernel rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import islice, permutations, product

from gendsl.prove import lemmas
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import ONE, Atom, Mono, Poly, of_atom, poly

ROUNDS = 24


def prove_zero(p: Poly, equations: Sequence[Thm] = ()) -> Thm | None:
    """p = 0 from the equations (conclusions `= 0`, quantified or not)."""
    steps, rest = reduced(p, equations)
    if rest.terms:
        last = _cleared(rest, equations)
        if last is None:
            return None
        steps.append(last)
    return r.linear("eq", p, [(ONE, t) for t in steps])


def reduced(p: Poly, equations: Sequence[Thm]) -> tuple[list[Thm], Poly]:
    """p rewritten by the equations: theorems (before - after) = 0, and what is left."""
    steps: list[Thm] = []
    gone: set[str] = set()  # variables that were replaced do not come back
    equations = sorted(equations, key=lambda e: len(e.concl.poly.terms))
    for _ in range(ROUNDS if equations else 0):
        step = _rewritten(p, equations, gone) or _divided(p, equations) if p.terms else None
        if step is None:
            break
        steps.append(step)
        p = n.sub(p, step.poly)
    return steps, p


def _rewritten(p: Poly, equations: Sequence[Thm], gone: set[str]) -> Thm | None:
    """The first rewriting of a variable in p."""
    names = mentioned(p)
    for e in equations:
        for solved, at in orientations(e, names):
            try:
                step = lemmas.rewrite(p, solved, at)
            except n.KernelError:
                continue
            after = mentioned(n.sub(p, step.poly)) if step.poly.terms else None
            if after is not None and len(after) <= len(names) and not after & gone:
                gone |= names - after
                return step
    return None


def orientations(e: Thm, names: frozenset[str]) -> Iterator[tuple[Thm, Atom]]:
    """The equation solved for one of its variables: (theorem with coefficient 1, pattern atom)."""
    if e.concl.rel != "eq":
        return
    for m, c in sorted(e.concl.poly.terms.items(), key=_opaque_first):
        if len(m) != 1 or m[0][1] != 1 or m[0][0].kind != "var" or m[0][0].args[0] not in names:
            continue
        rest = n.sub(e.concl.poly, poly({m: c}))
        if m[0][0].args[0] in mentioned(rest):
            continue
        yield (e if c == 1 else _rescaled(e, 1 / c)), m[0][0]


def _opaque_first(term: tuple[Mono, Fraction]) -> bool:
    """Values of nodes are replaced by variables rather than the reverse."""
    m = term[0]
    return not (len(m) == 1 and m[0][0].kind == "var" and m[0][0].args[0].startswith("%"))


def _rescaled(e: Thm, c: Fraction) -> Thm:
    names = [n.fresh(b.args[1]) for b in e.concl.binders]
    t = r.specialize(e, names) if names else e
    return r.generalize(r.linear("eq", n.scale(t.poly, c), [(poly({(): c}), t)]), names)


def mentioned(p: Poly) -> frozenset[str]:
    """The names of the real variables in p, at any depth."""
    return frozenset(name for name in p.names if isinstance(name, str))


def _divided(p: Poly, equations: Sequence[Thm]) -> Thm | None:
    """One step of division by an unquantified equation that makes p shorter."""
    for e in (x for q in equations for x in instances(q, p)):
        if e.concl.rel != "eq" or not e.poly.terms:
            continue
        for (m, c), (lead, d) in ((x, y) for x in p.terms.items() for y in e.poly.terms.items()):
            ratio = n.scale(quotient(m, lead), c / d)
            if any(k < 0 and n.sign(a) != "+" for q in ratio.terms for a, k in q):
                continue
            multiple = n.mul(ratio, e.poly)
            if len(n.sub(p, multiple).terms) < len(p.terms):
                return r.linear("eq", multiple, [(ratio, e)])
    return None


def instances(e: Thm, p: Poly) -> Iterator[Thm]:
    """An equation at the free indices of p (a few)."""
    if not e.concl.binders:
        yield e
        return
    free = sorted(p.free, key=lambda i: i.serial)
    choices = [[i for i in free if n.size_of(i) is b.args[1]] for b in e.concl.binders]
    for values in islice(product(*choices), 6):
        yield r.specialize(e, values)


def quotient(m: Mono, by: Mono) -> Poly:
    exponents = dict(m)
    for a, k in by:
        exponents[a] = exponents.get(a, Fraction(0)) - k
    return n.assemble(exponents)


def nonzero(base: Poly, *, strict: bool) -> Thm:
    """base != 0 (or > 0): evident, or a domain condition that is assumed."""
    if n.positive(base):
        return r.evident("gt", base)
    free = sorted(base.free, key=lambda i: i.serial)
    return specialized(r.assume(r.prop("gt" if strict else "ne", base, free)), base)


def specialized(t: Thm, p: Poly) -> Thm:
    """The instance of a quantified theorem whose polynomial is p."""
    free = sorted(p.free, key=lambda i: i.serial)
    for order in permutations(free):
        sizes = [n.size_of(b) for b in t.concl.binders]
        if [n.size_of(i) for i in order] == sizes:
            made = r.specialize(t, list(order)) if order else t
            if made.poly is p:
                return made
    raise n.KernelError("no instance has this form")


@cache
def extent(x: Atom | Poly) -> int:
    """How large a term is; unlike its text, not by how long the names in it are."""
    return 1 + sum(extent(y) for y in _inner(x.args if isinstance(x, Atom) else tuple(x.terms)))


def _inner(parts: tuple[object, ...]) -> Iterator[Atom | Poly]:
    for y in parts:
        if isinstance(y, Atom | Poly):
            yield y
        elif isinstance(y, tuple):
            yield from _inner(y)


def _cleared(p: Poly, equations: Sequence[Thm], depth: int = 6) -> Thm | None:
    """p = 0 from q p = 0, where q is a power of a sum that p divides by."""
    worst: dict[Atom, Fraction] = {}
    for m in p.terms:
        for a, k in m:
            if a.kind in ("P", "S") and k < 0:
                worst[a] = max(worst.get(a, Fraction(0)), -k)
    if not worst or not depth:
        return None
    a, k = max(worst.items(), key=lambda x: (x[0].height, extent(x[0])))
    cleared = r.times_power(p, a, k)
    steps, rest = reduced(cleared, equations)
    if rest.terms:
        last = _cleared(rest, equations, depth - 1)
        if last is None:
            return None
        steps.append(last)
    zero = r.linear("eq", cleared, [(ONE, t) for t in steps])
    base = a.args[0] if a.kind == "P" else of_atom(a)
    return r.divide_power(zero, nonzero(base, strict=k.denominator != 1), a, k, p)
