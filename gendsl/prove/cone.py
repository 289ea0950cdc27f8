"""Search for cone certificates: a target as a nonnegative combination of known nonnegative terms.

In: a polynomial and known theorems. Out: a theorem `target >= 0` (or > 0), or None. Generators come
from what occurs: tangent lines of exp and log, squares of half-monomials, relu, indicators, known
facts; each is summed over its loose indices and multiplied by monomials of evident sign. An exact
linear program picks the combination. Untrusted: every step is a kernel rule.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.prove import lemmas, lp
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import F1, ONE, Atom, Mono, Poly, atom, const, of_atom, poly
from gendsl.prove.sample import Point, Undefined

MAX_COLUMNS = 900
SEEDS, POINTS = 80, 8  # random points to look at, and to keep


@dataclass(frozen=True)
class Column:
    """A polynomial known to be nonnegative (or zero: `free`), and how to prove that."""

    poly: Poly
    make: Callable[[], Thm]
    free: bool = False
    strict: bool = False


@dataclass
class Cone:
    """`facts` are theorems >= 0, > 0 or = 0, quantified or not; `deadline` stops the search."""

    facts: Sequence[Thm] = ()
    expired: Callable[[], bool] = lambda: False
    effort: int = 2
    _pool: dict[tuple[Poly, int], Atom] = field(default_factory=dict)
    _found: list[Point] | None = None
    _known: dict[Atom, tuple[int, Thm] | None] = field(default_factory=dict)  # signs of bases

    def prove(self, target: Poly, rel: str = "ge", effort: int | None = None) -> Thm | None:
        """`target rel 0` for rel "ge" (or better: > 0) or "gt"."""
        if n.positive(target) or (rel == "ge" and n.nonnegative(target)):
            return r.evident(rel, target)
        if not target.terms:
            return r.linear("ge", target, []) if rel == "ge" else None
        if self._false(target, rel):
            return None
        self._learn(target)
        # The generators as they are decide most goals, and cost little beside their multiples.
        found = self._solve(target, rel, 0, multiples=False)
        if found is not None:
            return found
        for depth in range(1 + (self.effort if effort is None else effort)):
            if self.expired():
                return None
            found = self._solve(target, rel, depth)
            if found is not None:
                return found
        return None

    def contradiction(self) -> Thm | None:
        """0 > 0, if the facts give it at once."""
        return self._solve(poly({}), "gt", 0)

    def _learn(self, target: Poly) -> None:
        """The signs, by the facts, of what the target divides by."""
        for a in [a for m in target.terms for a, k in m if a.kind == "P" and k < 0]:
            if a in self._known or n.sign(a):
                continue
            self._known[a] = None  # not while it is looked for
            for side in (1, -1):
                t = self.prove(n.scale(a.args[0], side), "gt", effort=0)
                if t is not None:
                    self._known[a] = (side, t)
                    break

    def _sure(self, p: Poly) -> Callable[[], Thm] | None:
        """How to prove that a term is not negative: by evident signs and known bases."""
        if n.nonnegative(p):
            rel = "gt" if n.positive(p) else "ge"
            return lambda: r.evident(rel, p)
        term = p.single()
        known = [(a, k, self._known[a]) for a, k in term[0] if self._known.get(a)] if term else []
        if term is None or not known or any(s[0] < 0 and k % 1 for _, k, s in known if s):
            return None
        flips = sum(k.numerator for _, k, s in known if s and s[0] < 0)
        others = {a: k for a, k in term[0] if not self._known.get(a)}
        rest = n.assemble(others, term[1] * (-1) ** (flips % 2))
        if not n.nonnegative(rest):
            return None

        def make() -> Thm:
            t = r.evident("gt" if n.positive(rest) else "ge", rest)
            for _, k, s in known:
                t = r.times(t, lemmas.raise_to(s[1], k)) if s else t
            return t

        return make

    def nonzero(self, p: Poly) -> bool:
        """Whether a sampled point where the facts hold shows that p = 0 is false."""
        return self._false(p, "ge") or self._false(n.scale(p, -1), "ge")

    def _false(self, target: Poly, rel: str) -> bool:
        """A sampled point where the facts hold and the target does not."""
        for point in self._points():
            try:
                free = sorted(target.free, key=lambda i: i.serial)
                for row in itertools.islice(point.entries(free, {}), 40):
                    v = point.value(target, row)
                    if v < -1e-6 or (rel == "gt" and v <= 0):
                        return True
            except (Undefined, KeyError, OverflowError):
                continue
        return False

    def _points(self) -> list[Point]:
        if self._found is None:
            self._found = []
            for seed in range(SEEDS if self.facts else 12):
                point = Point(seed)
                try:
                    if all(point.holds(f.concl) for f in self.facts):
                        self._found.append(point)
                    if len(self._found) >= POINTS:
                        break
                except (Undefined, KeyError, OverflowError):
                    continue
        return self._found

    # ---- the linear program ---------------------------------------------------------------
    def _solve(self, target: Poly, rel: str, depth: int, *, multiples: bool = True) -> Thm | None:
        columns = self._columns(target, depth, multiples)
        vectors: list[lp.Vector] = []
        owners: list[tuple[int, int]] = []
        for k, c in enumerate(columns):
            for side in (1, -1) if c.free else (1,):
                vectors.append({m: side * x for m, x in c.poly.terms.items()})
                owners.append((k, side))
        found = _strictly(vectors, owners, columns, target) if rel == "gt" else None
        found = found or (lp.combine(vectors, target.terms) if rel == "ge" else None)
        if found is None:
            return None
        rows: dict[int, Fraction] = {}
        for v, x in found.items():
            k, side = owners[v]
            rows[k] = rows.get(k, Fraction(0)) + side * x
        parts = [(poly({(): x}), columns[k].make()) for k, x in rows.items() if x]
        if rel == "gt" and not any(t.concl.rel == "gt" for _, t in parts):
            return None
        if all(t.concl.rel == "eq" for _, t in parts):
            return lemmas.weaken(r.linear("eq", target, parts), "ge")
        strict = any(t.concl.rel == "gt" and n.positive(f) for f, t in parts)
        return r.linear("gt" if strict else rel, target, parts)

    def _columns(self, target: Poly, depth: int, multiples: bool) -> list[Column]:
        columns: dict[tuple[Poly, bool], Column] = {}

        def enter(column: Column) -> None:
            key = (column.poly, column.free)
            if column.poly.terms and (key not in columns or column.strict):
                columns[key] = column

        for column in self._evident(target.terms):
            enter(column)
        base = list(self._generators(target, depth))
        for column in base:
            enter(column)
        seen = set(target.terms) or {m for c in base for m in c.poly.terms}
        for _ in range(1 + (depth > 1) if multiples else 0):
            for column in base:
                for ratio in self._ratios(column.poly, seen, signed=not column.free):
                    if len(columns) > MAX_COLUMNS or self.expired():
                        break
                    enter(self._scaled(column, ratio))
            seen = {m for c in columns.values() for m in c.poly.terms}
            if depth < 2 or len(seen) > 120:
                break
        rest = {m for c in columns.values() for m in c.poly.terms}
        for column in self._evident(rest):
            enter(column)
        return list(columns.values())

    def _evident(self, monos: Iterable[Mono]) -> Iterator[Column]:
        for m in monos:
            for p in (poly({m: F1}), poly({m: Fraction(-1)})):
                make = self._sure(p)
                if make is not None:
                    yield Column(p, make, strict=n.positive(p))

    def _ratios(self, g: Poly, monos: Iterable[Mono], *, signed: bool = True) -> list[Poly]:
        """Terms (of known sign, if `signed`) that carry some term of g to one of `monos`."""
        found: dict[Poly, None] = {}
        for m, own in itertools.product(monos, g.terms):
            exponents = dict(m)
            for a, k in own:
                exponents[a] = exponents.get(a, Fraction(0)) - k
            ratio = n.assemble(exponents)
            if ratio is ONE or ratio in found or any(self._divides(mm) for mm in ratio.terms):
                continue
            for p in (ratio, n.scale(ratio, -1)) if signed else (ratio,):
                if not signed or self._sure(p) is not None:
                    found[p] = None
        return list(found)

    def _divides(self, m: Mono) -> bool:
        """Whether a monomial divides by something that may be zero, or by a sum."""
        return any(
            k < 0 and (a.kind == "S" or (n.sign(a) != "+" and self._known.get(a) is None))
            for a, k in m
        )

    def _scaled(self, column: Column, ratio: Poly) -> Column:
        sure = self._sure(ratio)

        def make() -> Thm:
            t = column.make()
            if t.concl.rel == "eq":
                return r.linear("eq", n.mul(ratio, t.poly), [(ratio, t)])
            assert sure is not None  # only equations are scaled by a term of any sign
            return r.times(sure(), t)

        strict = column.strict and n.positive(ratio)
        return Column(n.mul(ratio, column.poly), make, column.free, strict)

    # ---- generators -----------------------------------------------------------------------
    def _generators(self, target: Poly, depth: int) -> Iterator[Column]:
        opened = [self._open(m) for m in target.terms]
        inner = [p for p in (o[0] for o in opened) if p is not ONE]
        atoms = {a: None for p in [target, *inner] for m in p.terms for a, _ in m}
        made = [*_tangents(list(atoms), depth), *_relations(list(atoms))]
        made += [lambda p=p: lemmas.square(p) for p in self._halves(target, inner, depth)]  # type: ignore[misc]
        bodies = [m for p in inner for m in p.terms]
        for make in made:
            yield from self._lift(make)
            yield from self._weighted(make, bodies)
        for i, j in _choices(target):
            yield from self._lift(lambda i=i, j=j: r.selected(i, j))  # type: ignore[misc]
        known = [t for f in self.facts for t in self.instances(f, inner + [target])]
        for t in known:
            if t.concl.rel != "ne":
                yield from self._lift(lambda t=t: t)  # type: ignore[misc]
            elif any(a.kind == "exp" for a in atoms):
                yield from self._lift(lambda t=t: lemmas.exp_strictly_above(t))  # type: ignore[misc]
        if depth:
            strict = [t for t in known if t.concl.rel in ("ge", "gt")][:12]
            for t, u in itertools.combinations_with_replacement(strict, 2):
                yield from self._lift(lambda t=t, u=u: r.times(t, u))  # type: ignore[misc]
            singles = [make for make in made if depth > 1]
            for t, make in itertools.product(strict[:6], singles[:24]):
                yield from self._lift(lambda t=t, make=make: _product(t, make()))  # type: ignore[misc]

    def _weighted(self, make: Callable[[], Thm], bodies: Sequence[Mono]) -> Iterator[Column]:
        """A generator times monomials over its own loose indices, then summed."""
        try:
            t = make()
        except n.KernelError:
            return
        loose = t.poly.free & set(self._pool.values())
        for ratio in self._ratios(t.poly, bodies)[:12] if loose else ():
            if ratio.free & loose and t.concl.rel != "eq":
                sure = self._sure(ratio)
                if sure is not None:
                    yield from self._lift(lambda sure=sure: r.times(sure(), t))  # type: ignore[misc]

    def _lift(self, make: Callable[[], Thm]) -> Iterator[Column]:
        """The generator summed over the pool indices that are loose in it."""
        try:
            t = make()
            for i in sorted(t.poly.free, key=lambda a: a.serial):
                if i in self._pool.values():
                    t = r.total(t, i)
        except n.KernelError:
            return
        if t.poly.terms:
            yield Column(t.poly, lambda: t, t.concl.rel == "eq", t.concl.rel == "gt")

    def _open(self, m: Mono) -> tuple[Poly, Poly]:
        """(body of the sums in a monomial over pool indices, the other factors)."""
        inner, outer, used = ONE, ONE, dict[Poly, int]()
        for a, k in m:
            if a.kind != "S" or k.denominator != 1 or k < 0:
                outer = n.mul(outer, n.assemble({a: k}))
                continue
            for _ in range(k.numerator):
                binders, body = n.open_sum(a)
                names = {}
                for b in binders:
                    used[b.args[1]] = used.get(b.args[1], -1) + 1
                    names[b] = self._index(b.args[1], used[b.args[1]])
                inner = n.mul(inner, n.substitute(body, names))
        return inner, outer

    def _index(self, size: Poly, number: int) -> Atom:
        return self._pool.setdefault((size, number), atom("i", f"@{number}", size))

    def _halves(self, target: Poly, inner: Sequence[Poly], depth: int) -> list[Poly]:
        """Sums and differences of square roots of the even monomials."""
        roots: dict[Poly, None] = {}
        cross: set[Mono] = set()
        for p in [*inner, *(poly({m: F1}) for m in target.terms)]:
            for m in p.terms:
                if all(n.sign(a) or k % 2 == 0 for a, k in m):
                    roots[n.assemble({a: k / 2 for a, k in m})] = None
                cross.add(m)
        if depth:
            for p in [*roots]:
                for q in self._permuted(p):
                    roots[q] = None
        found: dict[Poly, None] = {}
        rows = list(roots)[:24]
        for p, q in itertools.combinations(rows, 2):
            both = n.mul(p, q)
            if depth or (both.terms.keys() & cross):
                found[n.sub(p, q)] = None
                found[n.add(p, q)] = None
        more = [self._whole_square(target), _completed(inner) if depth else None]
        return [*found, *(p for p in more if p is not None)]

    def _whole_square(self, target: Poly) -> Poly | None:
        """A sum of three or more terms whose square may be the body of the sums in a term."""
        body = n.add(*(n.scale(n.mul(*self._open(m)), c) for m, c in target.terms.items()))
        even = [(m, c) for m, c in body.terms.items() if m and all(k % 2 == 0 for _, k in m)]
        roots = [n.assemble({a: k / 2 for a, k in m}, c) for m, c in even if c == 1]
        if not 3 <= len(roots) <= 8 or len(roots) != len(even):
            return None
        whole = roots[0]
        for p in roots[1:]:
            ((m, c),) = n.mul(roots[0], p).terms.items()
            whole = n.add(whole, n.scale(p, 1 if body.terms.get(m, c) > 0 else -1))
        return whole

    def _permuted(self, p: Poly) -> Iterator[Poly]:
        """The same monomial with pool indices of one size exchanged."""
        free = sorted((i for i in p.free if i in self._pool.values()), key=lambda a: a.serial)
        for i, j in itertools.combinations(free, 2):
            if i.args[1] is j.args[1]:
                yield n.substitute(p, {i: j, j: i})

    def instances(self, fact: Thm, polys: Sequence[Poly]) -> Iterator[Thm]:
        """A fact at pool and free indices of the right sizes."""
        if not fact.concl.binders:
            yield fact
            return
        free = sorted({i for p in polys for i in p.free}, key=lambda a: a.serial)
        choices = [
            [i for i in free if n.size_of(i) is b.args[1]] or [self._index(b.args[1], 0)]
            for b in fact.concl.binders
        ]
        for values in itertools.islice(itertools.product(*choices), 8):
            yield r.specialize(fact, values)


def _completed(inner: Sequence[Poly]) -> Poly | None:
    """v - 1/2, if the bodies are made of one variable v."""
    atoms = {a for p in inner for m in p.terms for a, _ in m if a.kind == "var"}
    return n.sub(of_atom(atoms.pop()), const(Fraction(1, 2))) if len(atoms) == 1 else None


def _strictly(
    vectors: list[lp.Vector],
    owners: list[tuple[int, int]],
    columns: Sequence[Column],
    target: Poly,
) -> dict[int, Fraction] | None:
    """Multipliers that give the target with some strict column: the strict ones sum to 1 in a
    combination that gives a multiple t of the target, and t > 0 is divided out."""
    marked = [
        {**v, "strict": Fraction(1)} if columns[owners[k][0]].strict else v
        for k, v in enumerate(vectors)
    ]
    marked.append({m: -c for m, c in target.terms.items()})
    found = lp.combine(marked, {"strict": Fraction(1)})
    if not target.terms:
        return found
    t = found.pop(len(vectors), None) if found is not None else None
    return {k: x / t for k, x in found.items()} if found is not None and t else None


def _choices(target: Poly) -> Iterator[tuple[Atom, Atom]]:
    """The argmin and argmax indices in a term, with the other indices of the same size."""
    found: dict[Atom, None] = {}
    stack: list[object] = [target]
    while stack:
        x = stack.pop()
        if isinstance(x, Poly):
            stack.extend(a for m in x.terms for a, _ in m)
        elif isinstance(x, tuple):
            stack.extend(x)
        elif isinstance(x, Atom) and x not in found:
            found[x] = None
            stack.extend(x.args)
    for i in found:
        if i.kind == "ix" and i.args[0] in ("argmin", "argmax"):
            for j in sorted(target.free, key=lambda a: a.serial):
                if n.size_of(j) is i.args[2]:
                    yield i, j


def _product(t: Thm, u: Thm) -> Thm:
    if u.concl.rel == "eq":
        return r.linear("eq", n.mul(t.poly, u.poly), [(t.poly, u)])
    return r.times(t, u)


def _tangents(atoms: Sequence[Atom], depth: int) -> Iterator[Callable[[], Thm]]:
    """Tangent lines of the exponentials and logarithms that occur."""
    logs = [a.args[0] for a in atoms if a.kind == "log"]
    for a in atoms:
        if a.kind == "exp":
            u = a.args[0]
            yield lambda u=u: lemmas.exp_above_tangent(u)  # type: ignore[misc]
            if depth:
                yield lambda u=u: r.times(  # type: ignore[misc]
                    r.evident("gt", n.exp(u)), lemmas.exp_above_tangent(n.scale(u, -1))
                )
    for x in logs:
        yield lambda x=x: lemmas.log_below_tangent(x)  # type: ignore[misc]
        yield lambda x=x: lemmas.log_below_tangent(n.power(x, -1))  # type: ignore[misc]
        if x.single() is None:
            yield lambda x=x: lemmas.cancel(x, 0)  # type: ignore[misc]
        for u in {a.args[0]: None for m in x.terms for a, _ in m if a.kind == "exp"}:
            ratio = n.power(n.mul(x, n.exp(n.scale(u, -1))), -1)
            yield lambda p=ratio: lemmas.log_below_tangent(p)  # type: ignore[misc]
    for x, y in itertools.permutations(logs[:6], 2):
        yield lambda x=x, y=y: lemmas.log_below_tangent(n.mul(x, n.power(y, -1)))  # type: ignore[misc]
    for x, y, z in itertools.permutations(logs[:3], 3) if depth else ():
        if y.serial < z.serial:
            ratio = n.mul(x, n.power(n.mul(y, z), -1))
            yield lambda p=ratio: lemmas.log_below_tangent(p)  # type: ignore[misc]


def _relations(atoms: Sequence[Atom]) -> Iterator[Callable[[], Thm]]:
    """Facts of relu, indicators, deltas and inverses that occur."""
    for a in atoms:
        match a.kind:
            case "relu":
                yield lambda u=a.args[0]: lemmas.relu_above(u)  # type: ignore[misc]
                yield lambda u=a.args[0]: relu_square(u)  # type: ignore[misc]
            case "ge0":
                yield lambda a=a: lemmas.at_most_one(a)  # type: ignore[misc]
                yield lambda u=a.args[0]: lemmas.gate(u, True)  # type: ignore[misc]
                yield lambda u=a.args[0]: lemmas.gate(u, False)  # type: ignore[misc]
            case "eq0" | "bool" | "d":
                yield lambda a=a: lemmas.at_most_one(a)  # type: ignore[misc]
            case "un":
                for side in (1, -1):
                    yield lambda a=a, side=side: lemmas.bounded(a, side)  # type: ignore[misc]
            case "P":
                yield lambda q=a.args[0]: lemmas.cancel(q, 0)  # type: ignore[misc]
            case "ixval":
                yield lambda a=a: r.index_below(a.args[0])  # type: ignore[misc]
            case _:
                pass


def relu_square(u: Poly) -> Thm:
    """relu(u)^2 - u relu(u) = 0, by cases on the sign of u."""
    v = n.relu(u)
    goal = n.sub(n.mul(v, v), n.mul(u, v))
    above = lemmas.relu_at(r.assume(r.prop("ge", u)))  # relu u - u = 0
    first = r.linear("eq", goal, [(v, above)])
    zero = relu_zero(u, r.assume(r.prop("ge", n.scale(u, -1))))
    second = r.linear("eq", goal, [(n.sub(v, u), zero)])
    return lemmas.cases(u, first, second)


def relu_zero(u: Poly, below: Thm) -> Thm:
    """relu u = 0 from -u >= 0."""
    under = lemmas.relu_at(below)  # relu(-u) + u = 0
    flip = lemmas.relu_flip(u)  # relu u - relu(-u) - u = 0
    return r.linear("eq", n.relu(u), [(ONE, flip), (ONE, under)])
