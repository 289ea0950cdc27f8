"""Real expressions as Coq writes them, and the canonical text of kernel polynomials.

In: trees of this module, or polynomials. Out: Coq text, always fully parenthesised. A tree is what
a statement says (built from graph nodes by `statement.py`) or what a rule does to its premises;
`Canon` is a polynomial in its one canonical form. What has no Coq text raises `NotExported`, with a
reason that is shown: nothing is approximated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import Atom, Poly, atom, poly


class NotExported(Exception):
    """Something that the export does not express; the message says what."""


@dataclass(frozen=True)
class Num:
    value: Fraction


@dataclass(frozen=True)
class Var:
    """A real variable (or a Boolean one, as 0 or 1) at indices."""

    name: str
    at: tuple[Atom, ...]


@dataclass(frozen=True)
class Size:
    """The real number of a size."""

    size: Poly


@dataclass(frozen=True)
class Add:
    parts: tuple[E, ...]


@dataclass(frozen=True)
class Sub:
    left: E
    right: E


@dataclass(frozen=True)
class Mul:
    parts: tuple[E, ...]


@dataclass(frozen=True)
class Pow:
    base: E
    exponent: int


@dataclass(frozen=True)
class Inv:
    base: E


@dataclass(frozen=True)
class Fn:
    """A named function: exp, ln, sqrt, relu, Rmax, Rmin, Rabs, ge0, eq0, sin, cos, tanh."""

    name: str
    args: tuple[E, ...]


@dataclass(frozen=True)
class Sum:
    index: Atom
    body: E


@dataclass(frozen=True)
class Delta:
    i: Atom
    j: Atom


@dataclass(frozen=True)
class Ix:
    """An index as a real number."""

    i: Atom


@dataclass(frozen=True)
class Product:
    """The product of a body for an index from 0 to `last`, with it; in statements alone."""

    last: Atom
    index: Atom
    body: E


@dataclass(frozen=True)
class Step:
    """One value below a place, another from there on; in statements alone."""

    at: Atom
    place: Poly
    below: E
    above: E


@dataclass(frozen=True)
class Pi:
    pass


@dataclass(frozen=True)
class Canon:
    poly: Poly

    @property
    def tree(self) -> E:
        """The same as a tree of the other kinds, with the same text."""
        return tree_of(self.poly)


E = (
    Num | Var | Size | Add | Sub | Mul | Pow | Inv | Fn | Sum | Delta | Ix | Pi | Canon
    | Product | Step
)  # fmt: skip

FUNCTIONS = {"exp": "exp", "log": "ln", "relu": "relu", "ge0": "ge0", "eq0": "eq0"}
NAMED = ("sin", "cos", "tanh")
_trees: dict[Poly, E] = {}


def tree_of(p: Poly) -> E:
    """The canonical tree of a polynomial: terms in the order of `ordered`."""
    found = _trees.get(p)
    if found is None:
        terms = [_term(m, c) for m, c in ordered(p)]
        found = terms[0] if len(terms) == 1 else Add(tuple(terms)) if terms else Num(Fraction(0))
        _trees[p] = found
    return found


def ordered(p: Poly) -> list[tuple[tuple[tuple[Atom, Fraction], ...], Fraction]]:
    """The terms in an order that depends on the polynomial alone."""
    return sorted(p.terms.items(), key=lambda row: [(a.serial, k) for a, k in row[0]])


def _term(m: Iterable[tuple[Atom, Fraction]], c: Fraction) -> E:
    factors = [factor(a, k) for a, k in m]
    if not factors:
        return Num(c)
    if c != 1:
        factors.insert(0, Num(c))
    return factors[0] if len(factors) == 1 else Mul(tuple(factors))


def factor(a: Atom, k: Fraction) -> E:
    base = tree_of(a.args[0]) if a.kind == "P" else of_kernel_atom(a)
    if a.kind == "P" and len(a.args[0].terms) >= 1:
        base = Canon(a.args[0])
    if k.denominator == 2:
        base, k = Fn("sqrt", (base,)), k * 2
    if k.denominator != 1:
        raise NotExported(f"a power {k}")
    base = Inv(base) if k < 0 else base
    return base if abs(k) == 1 else Pow(base, abs(int(k)))


def of_kernel_atom(a: Atom) -> E:
    match a.kind:
        case "var" | "bool":
            return Var(a.args[0], a.args[1])
        case "dim":
            return Size(poly({((a, Fraction(1)),): Fraction(1)}))
        case "exp" | "log" | "relu" | "ge0" | "eq0":
            return Fn(FUNCTIONS[a.kind], (Canon(a.args[0]),))
        case "un" if a.args[0] in NAMED:
            return Fn(a.args[0], (Canon(a.args[1]),))
        case "S":
            body: E = Canon(poly({a.args[1]: Fraction(1)}))
            for b in reversed(a.args[0]):
                body = Sum(b, body)
            return body
        case "d":
            return Delta(*a.args)
        case "ixval":
            return Ix(a.args[0])
        case "pi":
            return Pi()
        case "fn":
            raise NotExported("an opaque function of other terms")
        case _:
            raise NotExported(f"an atom {a.kind}")


# ---- text --------------------------------------------------------------------------------


@dataclass
class Names:
    """Coq names: of variables (by kernel name), of sizes, of indices."""

    variables: Mapping[str, str]
    atoms: dict[str, tuple[str, str]] = field(default_factory=dict)  # kind ("var", "bool"), sign
    composite: dict[Poly, str] = field(default_factory=dict)  # sizes that have a name of their own
    used: set[str] = field(default_factory=set)
    _texts: dict[Poly, str] = field(default_factory=dict)

    def variable(self, name: str) -> str:
        found = self.variables.get(name)
        return found if found is not None else "u_" + re.sub(r"\W", "_", name)

    def dim(self, name: str) -> str:
        return "d" + name.replace("'", "_")

    def index(self, i: Atom) -> str:
        """The text of an index as a natural number."""
        match i.kind:
            case "i":
                return index_name(i)
            case "ic":
                return self.nat(i.args[0])
            case "nat":
                return f"({f' {i.args[0]} '.join(self.index(x) for x in i.args[1])})%nat"
            case "ix" if i.args[0] in ("argmin", "argmax"):
                (lam,) = i.args[1]
                (b,), body = lam.args
                f = f"(fun {index_name(b)} => {self.text(Canon(body))})"
                return f"({i.args[0]} {self.nat(b.args[1])} {f})"
            case "ix" if len(i.args[1]) == 0 or all(x.kind != "lam" for x in i.args[1]):
                if i.args[0].startswith("affine:"):
                    raise NotExported("arithmetic of indices")
                return _applied(self.variable(i.args[0]), [self.index(x) for x in i.args[1]])
            case _:
                raise NotExported(f"an index {i.kind}")

    def nat(self, size: Poly) -> str:
        """A size as a natural number; sizes with divisions or differences get a name."""
        rows = []
        for m, c in ordered(size):
            fits = c.denominator == 1 and c > 0 and all(k > 0 and k.denominator == 1 for _, k in m)
            if not fits or not all(a.kind == "dim" for a, _ in m):
                return self.composite.setdefault(size, f"s{len(self.composite) + 1}")
            factors = [self.dim(a.args[0]) for a, k in m for _ in range(int(k))]
            factors = ([str(c)] if c != 1 or not factors else []) + factors
            rows.append(" * ".join(factors))
        if not rows:
            return "0%nat"
        if len(rows) == 1 and " " not in rows[0]:
            return f"{rows[0]}" if not rows[0].isdigit() else f"{rows[0]}%nat"
        return f"({' + '.join(rows)})%nat"

    def text(self, e: E) -> str:
        match e:
            case Num(value):
                return number(value)
            case Var(name, at):
                return _applied(self.variable(name), [self.index(i) for i in at])
            case Size(size):
                return f"(INR {self.nat(size)})"
            case Add(parts):
                return "(" + " + ".join(self.text(x) for x in parts) + ")"
            case Sub(left, right):
                return f"({self.text(left)} - {self.text(right)})"
            case Mul(parts):
                return "(" + " * ".join(self.text(x) for x in parts) + ")"
            case Pow(base, exponent):
                return f"({self.text(base)} ^ {exponent})"
            case Inv(base):
                return f"(/ {self.text(base)})"
            case Fn(name, args):
                return f"({name} {' '.join(self.text(x) for x in args)})"
            case Sum(index, body):
                below = self.nat(index.args[1])
                return f"(rsum {below} (fun {index_name(index)} => {self.text(body)}))"
            case Delta(i, j):
                return f"(delta {self.index(i)} {self.index(j)})"
            case Ix(i):
                return f"(INR {self.index(i)})"
            case Pi():
                return "PI"
            case Product(last, index, body):
                own = f"(fun {index_name(index)} => {self.text(body)})"
                return f"(rprod (S {self.index(last)}) {own})"
            case Step(i, place, below, above):
                test = f"({self.index(i)} <? {self.nat(place)})%nat"
                return f"(if {test} then {self.text(below)} else {self.text(above)})"
            case Canon(p):
                found = self._texts.get(p)
                if found is None:
                    found = self._texts[p] = self.text(tree_of(p))
                return found


def _applied(name: str, args: list[str]) -> str:
    return f"({name} {' '.join(args)})" if args else name


def number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value) if value >= 0 else f"({value})"
    return f"({value.numerator} / {value.denominator})"


def index_name(i: Atom) -> str:
    """Bound names by depth, free ones by number: never the same for two indices in one term."""
    name = str(i.args[0])
    prefix = {"#": "h", "$": "i", "@": "k"}.get(name[0])
    if prefix is not None:
        return prefix + name[1:]
    return "a_" + re.sub(r"\W", "_", name)


# ---- substitution in trees ------------------------------------------------------------------


def renamed(e: E, indices: Mapping[Atom, Atom]) -> E:
    """Indices replaced; bound ones are renamed first, so nothing is captured."""
    match e:
        case Num() | Size() | Pi():
            return e
        case Product() | Step():
            raise NotExported("a running product or a concatenation within a proof")
        case Var(name, at):
            return Var(name, tuple(_index(i, indices) for i in at))
        case Add(parts):
            return Add(tuple(renamed(x, indices) for x in parts))
        case Sub(left, right):
            return Sub(renamed(left, indices), renamed(right, indices))
        case Mul(parts):
            return Mul(tuple(renamed(x, indices) for x in parts))
        case Pow(base, exponent):
            return Pow(renamed(base, indices), exponent)
        case Inv(base):
            return Inv(renamed(base, indices))
        case Fn(name, args):
            return Fn(name, tuple(renamed(x, indices) for x in args))
        case Sum(index, body):
            new = n.fresh(index.args[1])
            return Sum(new, renamed(body, {**indices, index: new}))
        case Delta(i, j):
            return Delta(_index(i, indices), _index(j, indices))
        case Ix(i):
            return Ix(_index(i, indices))
        case Canon(p):
            return renamed(tree_of(p), indices) if p.free & set(indices) else e


def _index(i: Atom, indices: Mapping[Atom, Atom]) -> Atom:
    return n.substitute(i, indices)


def replaced(e: E, name: str, formals: tuple[Atom, ...], value: E) -> E:
    """`value` (over the indices `formals`) for the variable `name`."""
    match e:
        case Var(own, at) if own == name:
            return renamed(value, dict(zip(formals, at, strict=True)))
        case Add(parts):
            return Add(tuple(replaced(x, name, formals, value) for x in parts))
        case Sub(left, right):
            return Sub(replaced(left, name, formals, value), replaced(right, name, formals, value))
        case Mul(parts):
            return Mul(tuple(replaced(x, name, formals, value) for x in parts))
        case Pow(base, exponent):
            return Pow(replaced(base, name, formals, value), exponent)
        case Inv(base):
            return Inv(replaced(base, name, formals, value))
        case Fn(own, args):
            return Fn(own, tuple(replaced(x, name, formals, value) for x in args))
        case Sum(index, body):
            new = n.fresh(index.args[1])
            return Sum(new, replaced(renamed(body, {index: new}), name, formals, value))
        case Canon(p):
            return replaced(tree_of(p), name, formals, value) if name in p.names else e
        case _:
            return e


__all__ = ["Canon", "E", "Names", "NotExported", "atom", "renamed", "replaced", "tree_of"]
