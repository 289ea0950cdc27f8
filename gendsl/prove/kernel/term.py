"""The term type: hash-consed atoms and polynomials over them.

In: constructors' arguments. Out: interned objects, so that equality is identity. What always holds:
an `Atom` or `Poly` is immutable; `free` holds its free index variables, `names` the names of its
real variables (and pairs of name and sign); `height` is the largest number of a bound index name
inside.

Index atoms: ("i", name, size) a variable · ("ic", value, size) a constant · ("ix", name, args,
size) an opaque index-valued function · ("mix", parts, sizes) row-major · ("part", x, stride, size)
which is floor(x / stride) mod size · ("shift", x, by, size) which is x + by.
Real atoms: ("var", name, indices, sign) with sign "" | "0+" | "+" · ("fn", name, indices, args) an
opaque function · ("dim", name) a size >= 1 · ("exp" | "log" | "relu" | "P", poly), P being the base
of a power that is not expanded · ("S", binders, mono) a sum · ("d", i, j) Kronecker's delta ·
("ge0", poly) 1 where poly >= 0, else 0 · ("eq0", poly) · ("bool", name, indices) in {0, 1} ·
("ixval", i) the value of an index · ("pi",) · ("un", name, poly) a named real function.
("lam", binders, poly) is an argument of "fn" and "ix". Sizes are polynomials over "dim" atoms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

Mono = tuple[tuple["Atom", Fraction], ...]
F0, F1 = Fraction(0), Fraction(1)


class Atom:
    """An indecomposable value or index. Make with `atom`."""

    __slots__ = ("args", "free", "height", "kind", "names", "serial")
    free: frozenset[Atom]
    height: int
    names: frozenset[object]

    def __init__(self, kind: str, args: tuple[Any, ...], serial: int) -> None:
        self.kind, self.args, self.serial = kind, args, serial
        parts = list(_parts(args))
        free: frozenset[Atom] = frozenset().union(*(p.free for p in parts))
        self.names = frozenset().union(*(p.names for p in parts))
        self.height: int = max((p.height for p in parts), default=0)
        if kind == "i":
            free = free | {self}
        elif kind == "var":
            self.names |= {args[0], (args[0], args[2])}
        elif kind in ("S", "lam"):
            free = free - set(args[0])
            self.height = max([self.height, *(int(b.args[0][1:]) for b in args[0])])
        self.free = free

    def __repr__(self) -> str:
        return f"{self.kind}{self.args!r}"


class Poly:
    """A finite sum of coefficient times monomial. Make with `poly`."""

    __slots__ = ("free", "height", "names", "serial", "terms")

    def __init__(self, terms: dict[Mono, Fraction], serial: int) -> None:
        self.terms, self.serial = terms, serial
        atoms = [a for m in terms for a, _ in m]
        self.free: frozenset[Atom] = frozenset().union(*(a.free for a in atoms))
        self.names: frozenset[object] = frozenset().union(*(a.names for a in atoms))
        self.height = max((a.height for a in atoms), default=0)

    def __repr__(self) -> str:
        return (
            " + ".join(f"{c}" + "".join(f"*{a}^{k}" for a, k in m) for m, c in self.terms.items())
            or "0"
        )

    @property
    def constant(self) -> Fraction | None:
        """The rational value of a polynomial without atoms."""
        if not self.terms:
            return F0
        return self.terms.get(()) if len(self.terms) == 1 else None

    def single(self) -> tuple[Mono, Fraction] | None:
        """The only term, if there is exactly one."""
        return next(iter(self.terms.items())) if len(self.terms) == 1 else None


_ATOMS: dict[tuple[Any, ...], Atom] = {}
_POLYS: dict[frozenset[tuple[Mono, Fraction]], Poly] = {}


def _parts(args: Iterable[Any]) -> Iterable[Atom | Poly]:
    for a in args:
        if isinstance(a, Atom | Poly):
            yield a
        elif isinstance(a, tuple):
            yield from _parts(a)


def atom(kind: str, *args: Any) -> Atom:
    """The atom of this kind and arguments: always the same object."""
    key = (kind, *args)
    found = _ATOMS.get(key)
    if found is None:
        found = _ATOMS[key] = Atom(kind, args, len(_ATOMS))
    return found


def poly(terms: Mapping[Mono, Fraction]) -> Poly:
    """The polynomial with these terms (zero coefficients are dropped)."""
    kept = {m: c for m, c in terms.items() if c}
    key = frozenset(kept.items())
    found = _POLYS.get(key)
    if found is None:
        found = _POLYS[key] = Poly(kept, len(_POLYS))
    return found


def const(value: int | Fraction) -> Poly:
    return poly({(): Fraction(value)})


def of_atom(a: Atom, exponent: int | Fraction = 1) -> Poly:
    return poly({((a, Fraction(exponent)),): F1})


ZERO, ONE = const(0), const(1)
