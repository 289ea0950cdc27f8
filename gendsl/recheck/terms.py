"""The terms of a proof object: tables of atoms and polynomials, and their values at points.

In: the `proof` tables of a certificate. Out: `Terms`, which evaluates an atom or a polynomial at a
point for given values of its free indices, tells which index variables are free, which variables
occur, which signs are evident, and on which conditions a term is defined. The kinds of atoms are
those of the proof format; their meaning is written down here once more, by values instead of by a
normal form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mpmath import mp, mpf

from .arrays import TINY, Array, Undefined, places
from .evaluate import apply, random_function
from .functions import exp, log, number, power, same
from .node_text import Op, read_attributes
from .points import Point
from .sizes import Malformed, read_size

Env = Mapping[str, int]  # index variable (by reference) to its value
Mono = tuple[tuple[str, Fraction], ...]
CALL = ("tanh", "sin", "cos", "erf", "floor")


@dataclass(frozen=True)
class Override:
    """The variable `name` has the value `value(point, env, indices)` where that is not None."""

    name: str
    value: Callable[[Point, Env, tuple[int, ...]], Any]


class Terms:
    def __init__(self, tables: Mapping[str, Any], functions: Mapping[str, str]) -> None:
        self.atoms: list[list[Any]] = [list(row) for row in tables["atoms"]]
        self.polys: list[list[tuple[Fraction, Mono]]] = [
            [(Fraction(c), tuple((a, Fraction(k)) for a, k in m)) for c, m in row]
            for row in tables["polys"]
        ]
        self.functions = functions
        self._free: dict[str, frozenset[str]] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._values: dict[Any, Any] = {}
        self._check_order()

    def _check_order(self) -> None:
        """References go backwards only: a term contains no cycle."""
        state: dict[str, int] = {}
        roots = [f"a{k}" for k in range(len(self.atoms))] + [
            f"p{k}" for k in range(len(self.polys))
        ]
        for root in roots:
            stack = [(root, False)]
            while stack:
                ref, done = stack.pop()
                if done:
                    state[ref] = 2
                elif state.get(ref) == 1:
                    raise Malformed(f"{ref} contains itself")
                elif ref not in state:
                    state[ref] = 1
                    stack.append((ref, True))
                    stack.extend((x, False) for x in self._parts(ref) if state.get(x) != 2)

    # ---- structure ------------------------------------------------------------------------

    def atom(self, ref: str) -> list[Any]:
        if not ref.startswith("a"):
            raise Malformed(f"{ref} is not an atom")
        return self.atoms[int(ref[1:])]

    def poly(self, ref: str) -> list[tuple[Fraction, Mono]]:
        if not ref.startswith("p"):
            raise Malformed(f"{ref} is not a polynomial")
        return self.polys[int(ref[1:])]

    def _parts(self, ref: str) -> list[str]:
        """The atoms and polynomials that a term mentions directly."""
        if ref.startswith("p"):
            return [a for _, m in self.poly(ref) for a, _ in m]
        found: list[str] = []
        stack: list[Any] = list(self.atom(ref)[1:])
        while stack:
            x = stack.pop()
            if isinstance(x, list):
                stack.extend(x)
            elif isinstance(x, str) and x[:1] in "ap":
                found.append(x)
        return found

    def free(self, ref: str) -> frozenset[str]:
        """The free index variables, as references."""
        found = self._free.get(ref)
        if found is None:
            found = frozenset().union(*(self.free(x) for x in self._parts(ref)))
            if ref.startswith("a"):
                kind, *args = self.atom(ref)
                if kind == "i":
                    found |= {ref}
                elif kind in ("S", "lam"):
                    found -= set(args[0])
            self._free[ref] = found
        return found

    def names(self, ref: str) -> frozenset[str]:
        """The names of the real variables that occur, each with its sign: "name|sign"."""
        found = self._names.get(ref)
        if found is None:
            found = frozenset().union(*(self.names(x) for x in self._parts(ref)))
            if ref.startswith("a") and self.atom(ref)[0] == "var":
                _, name, _, sign = self.atom(ref)
                found |= {f"{name[1:]}|{sign[1:]}"}
            self._names[ref] = found
        return found

    def mentions(self, ref: str, name: str) -> bool:
        return any(x.rpartition("|")[0] == name for x in self.names(ref))

    # ---- values ---------------------------------------------------------------------------

    def value(self, ref: str, point: Point, env: Env, over: Override | None = None) -> Any:
        """A polynomial's value."""
        free = self.free(ref)
        key = (ref, id(point), tuple(sorted((i, env[i]) for i in free if i in env)), over)
        found = self._values.get(key)
        if found is None:
            try:
                found = self._sum(ref, point, env, over)
            except Undefined as problem:
                found = problem
            if over is None or not self.names(ref):
                self._values[key] = found
        if isinstance(found, Undefined):
            raise found
        return found

    def _sum(self, ref: str, point: Point, env: Env, over: Override | None) -> Any:
        total = mpf(0)
        for c, m in self.poly(ref):
            total += number(c) * self.mono(m, point, env, over)
        return total

    def mono(self, m: Sequence[Any], point: Point, env: Env, over: Override | None) -> Any:
        product = mpf(1)
        for a, k in m:
            k = k if isinstance(k, Fraction) else Fraction(k[1:] if k.startswith("q") else k)
            product *= power(self.atom_value(a, point, env, over), k)
        return product

    def atom_value(self, ref: str, point: Point, env: Env, over: Override | None = None) -> Any:
        kind, *args = self.atom(ref)
        match kind:
            case "var":
                return self._variable(args, point, env, over)
            case "dim":
                return mpf(point.sizes[args[0][1:]])
            case "exp" | "log" | "relu" | "P" | "ge0" | "eq0":
                return function_of(kind, self.value(args[0], point, env, over))
            case "un":
                return _named(args[0][1:], self.value(args[1], point, env, over))
            case "pi":
                return +mp.pi
            case "S":
                rows = self.assignments(args[0], point, env)
                return sum((self.mono(args[1], point, row, over) for row in rows), mpf(0))
            case "d":
                i, j = (self.index(x, point, env, over) for x in args)
                return mpf(int(i == j))
            case "ixval":
                return mpf(self.index(args[0], point, env, over))
            case "bool":
                at = tuple(self.index(i, point, env, over) for i in args[1])
                return mpf(int(point.truth(args[0][1:], at)))
            case "fn":
                return self._function(args, point, env, over)
            case _:
                raise Malformed(f"no value of an atom {kind}")

    def _variable(self, args: list[Any], point: Point, env: Env, over: Override | None) -> Any:
        name, sign = args[0][1:], args[2][1:]
        at = tuple(self.index(i, point, env, over) for i in args[1])
        value = over.value(point, env, at) if over is not None and over.name == name else None
        if value is None:
            value = point.real(name, at)
        if (sign == "+" and value <= 0) or (sign == "0+" and value < 0):
            raise Undefined(f"{name} has not its declared sign")
        return value

    def _function(self, args: list[Any], point: Point, env: Env, over: Override | None) -> Any:
        """An opaque function: an op's own meaning where its text is known, else any one."""
        name, at = args[0][1:], tuple(self.index(i, point, env, over) for i in args[1])
        tables = [self._table(x, point, env, over) for x in args[2]]
        text = self.functions.get(name)
        if text is None:
            return random_function(name, at, [t.entries for t in tables])
        opname, _, attributes = text.partition("(")
        op = Op(opname, attributes[:-1], read_attributes(attributes[:-1]))
        lead = 1 if opname in ("conv2d", "conv_transpose2d") else 0
        if lead:
            tables[0] = Array((1, *tables[0].shape), tables[0].entries)
            at = (0, *at[0:]) if len(at) == 3 else at
        shape = self._result_shape(op, tables, point)
        return apply(op, tables, shape, point.sizes).at(at)

    def _result_shape(self, op: Op, tables: list[Array], point: Point) -> tuple[int, ...]:
        if op.name == "conv2d":
            stride = int(op["stride"].number)
            top, bottom, left, right = (int(p.number) for p in op["pads"])
            x, w = tables[0].shape, tables[1].shape
            rows = (x[2] + top + bottom - w[2]) // stride + 1
            return (x[0], w[0], rows, (x[3] + left + right - w[3]) // stride + 1)
        if op.name == "conv_transpose2d":
            height, width = (op[k].count(point.sizes) for k in ("out_height", "out_width"))
            return (tables[0].shape[0], tables[1].shape[1], height, width)
        return tables[0].shape

    def _table(self, ref: str, point: Point, env: Env, over: Override | None) -> Array:
        """The values of a function of indices."""
        kind, binders, body = self.atom(ref)
        if kind != "lam":
            raise Malformed(f"{ref} is not a function")
        shape = tuple(self.size(b, point) for b in binders)
        rows = [
            self.value(body, point, {**env, **dict(zip(binders, i, strict=True))}, over)
            for i in places(shape)
        ]
        return Array(shape, rows)

    # ---- indices --------------------------------------------------------------------------

    def size(self, ref: str, point: Point) -> int:
        """How many values an index ranges over."""
        kind, *args = self.atom(ref)
        if kind == "mix":
            found = mpf(1)
            for s in args[1]:
                found *= self.value(s, point, {})
        else:
            found = self.value(args[-1], point, {})
        whole = int(mp.nint(found))
        if not same(found, mpf(whole)) or whole < 1:
            raise Undefined("a size is not a number of things")
        return whole

    def fits(self, sizes: Mapping[str, int]) -> bool:
        """Whether every index variable ranges over a whole number of values."""
        point = Point(0, sizes, "wide")
        try:
            return all(
                self.size(f"a{k}", point) for k, row in enumerate(self.atoms) if row[0] == "i"
            )
        except Undefined:
            return False
        finally:
            self._values.clear()

    def assignments(self, binders: Sequence[str], point: Point, env: Env) -> list[dict[str, int]]:
        """All values of some index variables."""
        shape = [self.size(b, point) for b in binders]
        return [{**env, **dict(zip(binders, i, strict=True))} for i in places(shape)]

    def index(self, ref: str, point: Point, env: Env, over: Override | None = None) -> int:
        kind, *args = self.atom(ref)
        match kind:
            case "i":
                if ref in env:
                    return env[ref]
                name = args[0][1:]
                if name.startswith("arg:"):
                    return point.index(f"argument:{name[4:]}", (), self.size(ref, point))
                raise Malformed(f"a loose index {name}")
            case "ic":
                value = self.value(args[0], point, {})
                return int(mp.nint(value))
            case "mix":
                total = 0
                for x, s in zip(args[0], args[1], strict=True):
                    count = int(mp.nint(self.value(s, point, {})))
                    total = total * count + self.index(x, point, env, over)
                return total
            case "part":
                stride, size = (int(mp.nint(self.value(s, point, {}))) for s in args[1:])
                return self.index(args[0], point, env, over) // stride % size
            case "shift":
                by = int(mp.nint(self.value(args[1], point, {})))
                return self.index(args[0], point, env, over) + by
            case "ix":
                return self._selected(ref, args, point, env, over)
            case _:
                raise Malformed(f"no index {kind}")

    def _selected(
        self, ref: str, args: list[Any], point: Point, env: Env, over: Override | None
    ) -> int:
        name, bound = args[0][1:], self.size(ref, point)
        if name in ("argmin", "argmax"):
            row = self._table(args[1][0], point, env, over).entries
            return row.index(min(row) if name == "argmin" else max(row))
        if name.startswith("affine:"):
            offset, scale, divide = (read_size(x).value(point.sizes) for x in name[7:].split(":"))
            k = int(offset) + int(scale) * self.index(args[1][0], point, env, over) // int(divide)
            return min(max(k, 0), bound - 1)
        at, tables = [], []
        for x in args[1]:
            if self.atom(x)[0] == "lam":
                tables.append(self._table(x, point, env, over).entries)
            else:
                at.append(self.index(x, point, env, over))
        if not tables:
            return point.index(name, at, bound)
        return int(random_function(name, at, tables) * 1000 + 2000) % bound

    # ---- evident signs and conditions -----------------------------------------------------

    def sign(self, ref: str) -> str:
        """ "+" positive, "0+" not negative, wherever defined; "" not known."""
        if ref.startswith("z"):
            return "0+"
        kind, *args = self.atom(ref)
        match kind:
            case "dim" | "exp" | "pi":
                return "+"
            case "relu" | "ge0" | "eq0" | "bool" | "d" | "ixval":
                return "0+"
            case "var":
                return str(args[2][1:])
            case "P":
                return "+" if self.positive(args[0]) else ""
            case "S":
                return self._mono_sign([(a, Fraction(k[1:])) for a, k in args[1]])
            case _:
                return ""

    def _mono_sign(self, m: Sequence[tuple[str, Fraction]]) -> str:
        signs = []
        for a, k in m:
            s = self.sign(a)
            if not s and a.startswith("a") and self.atom(a)[0] == "P" and k.denominator > 1:
                s = "0+" if k > 0 else "+"
            elif not s and k.denominator == 1 and k % 2 == 0:
                s = "0+"
            signs.append(s)
        return "" if "" in signs else "0+" if "0+" in signs else "+"

    def positive(self, ref: str) -> bool:
        return "+" in (self._sum_sign(self.poly(ref)), self._sum_sign(self._shifted(ref)))

    def nonnegative(self, ref: str) -> bool:
        return bool(self._sum_sign(self.poly(ref)) or self._sum_sign(self._shifted(ref)))

    def _sum_sign(self, rows: Sequence[tuple[Fraction, Mono]]) -> str:
        signs = [self._mono_sign(m) if c > 0 else "" for c, m in rows]
        return "" if "" in signs else "+" if "+" in signs else "0+"

    def _shifted(self, ref: str) -> list[tuple[Fraction, Mono]]:
        """With 1 + N' for each size N, where N' >= 0 is written "z" and the size's atom."""
        total: dict[Mono, Fraction] = {}
        for c, m in self.poly(ref):
            parts: dict[tuple[tuple[str, int], ...], Fraction] = {(): c}
            rest: list[tuple[str, Fraction]] = []
            for a, k in m:
                if self.atom(a)[0] != "dim" or k < 0 or k.denominator != 1:
                    rest.append((a, k))
                    continue
                for _ in range(int(k)):
                    grown: dict[tuple[tuple[str, int], ...], Fraction] = {}
                    for key, x in parts.items():
                        powers = dict(key)
                        powers[a] = powers.get(a, 0) + 1
                        for new in (key, tuple(sorted(powers.items()))):
                            grown[new] = grown.get(new, Fraction(0)) + x
                    parts = grown
            for key, x in parts.items():
                mono = (*rest, *(("z" + a, Fraction(k)) for a, k in key))
                total[mono] = total.get(mono, Fraction(0)) + x
        return [(x, m) for m, x in total.items() if x] or [(Fraction(0), ())]

    def conditions(self, ref: str) -> list[tuple[str, str]]:
        """What has to hold for a term to be defined, for all values of its free indices: pairs of a
        relation to zero and an atom (its value) or a polynomial."""
        found: dict[tuple[str, str], None] = {}
        seen: set[str] = set()
        stack = [ref]
        while stack:
            x = stack.pop()
            if x in seen:
                continue
            seen.add(x)
            stack.extend(self._parts(x))
            if x.startswith("p"):
                for _, m in self.poly(x):
                    self._mono_conditions(m, found)
            else:
                kind, *args = self.atom(x)
                if kind == "S":
                    self._mono_conditions([(a, Fraction(k[1:])) for a, k in args[1]], found)
                if kind == "log" and not self.positive(args[0]):
                    found["gt", args[0]] = None
        return list(found)

    def _mono_conditions(
        self, m: Sequence[tuple[str, Fraction]], found: dict[tuple[str, str], None]
    ) -> None:
        for a, k in m:
            kind, *args = self.atom(a)
            base = args[0] if kind == "P" else a
            positive = self.positive(base) if kind == "P" else self.sign(a) == "+"
            fine = self.nonnegative(base) if kind == "P" else self.sign(a) != ""
            if k < 0 and not positive:
                found["ne" if k.denominator == 1 else "gt", base] = None
            elif k.denominator != 1 and not fine:
                found["ge", base] = None

    def any_value(self, ref: str, point: Point, env: Env, over: Override | None = None) -> Any:
        """The value of a real atom or of a polynomial."""
        if ref.startswith("p"):
            return self.value(ref, point, env, over)
        return self.atom_value(ref, point, env, over)


def function_of(kind: str, x: Any) -> Any:
    match kind:
        case "exp":
            return exp(x)
        case "log":
            return log(x)
        case "relu":
            return x if x > 0 else mpf(0)
        case "ge0":
            return mpf(1) if x > -TINY else mpf(0)
        case "eq0":
            return mpf(1) if abs(x) < TINY else mpf(0)
        case _:
            return x


def _named(name: str, x: Any) -> Any:
    if name not in CALL:
        raise Malformed(f"no function {name}")
    return getattr(mp, name)(x)
