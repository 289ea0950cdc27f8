"""Values as polynomials of the prover's kernel, and when two of them are equal.

In: values over free index variables. Out: kernel polynomials, canonical for all sizes and reals;
`equal` says None, or why two values are not shown equal. Pointwise ops mean what they mean in
claims (`gendsl.prove.terms.pointwise`). Always: sums over tiles become sums over elements by the
steps of `merge.py`, whose guards need padding that normalises to 0 (to minus infinity below a
maximum).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from gendsl.ops.arithmetic import Neg
from gendsl.prove import advice
from gendsl.prove.budget import undisturbed
from gendsl.prove.equal import prove_zero
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, const, of_atom
from gendsl.prove.terms import HALF, chosen, pointwise, sigmoid
from gendsl.validate import merge
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.alike import alike
from gendsl.validate.simplify import simple
from gendsl.validate.value import Value
from gendsl.validate.whole import Unit, Unmodelled, Whole

SECONDS = 6.0


class Forms:
    """Turns values into polynomials; `notes` say what stands in the way (padding that counts)."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._polys: dict[Value, Poly] = {}
        self._atoms: dict[Unit, Atom] = {}

    # ---- integers -------------------------------------------------------------------------
    def size(self, x: Whole) -> Poly:
        """A size, over "dim" atoms: floor divisions of sizes are sizes of their own."""
        return n.add(
            *(n.scale(n.prod_poly(self._size(a, e) for a, e in m), c) for m, c in x.terms.items())
        )

    def _size(self, a: Unit, e: int) -> Poly:
        if a.kind == "size":
            return of_atom(atom("dim", a.args[0]), e)
        if a.kind == "div" and not w.variables(w.of_unit(a)):
            if w.nonnegative(a.args[0] - a.args[1]):
                return of_atom(atom("dim", str(a)), e)
            return of_atom(atom("ixval", atom("ix", str(a), (), ONE)), e)
        return n.power(n.value_of(self.unit(a)), e)

    def variable(self, i: Unit) -> Atom:
        found = self._atoms.get(i)
        if found is None:
            found = self._atoms[i] = n.fresh(self.size(i.args[1]))
        return found

    def unit(self, a: Unit) -> Atom:
        """A variable, a loaded index, or a division, as an index atom."""
        match a.kind:
            case "var":
                return self.variable(a)
            case "get":
                return self.key(a.args[0], self.size(a.args[1]))
            case "div":
                parts = tuple(self.place(x, ONE) for x in a.args)
                return atom("ix", "floordiv", parts, ONE)
            case _:
                return atom("ix", f"{a.kind}:{a.args[0]}", (), ONE)

    def place(self, x: Whole, bound: Poly) -> Atom:
        """An index that arithmetic made: opaque in its text, applied to the variables in it."""
        if len(x.terms) == 1 and x.atoms and x is w.of_unit(next(iter(x.atoms))):
            return self.unit(next(iter(x.atoms)))
        if all(a.kind == "size" for a in x.atoms):
            return n.index_const(self.size(x), bound)
        rows = sorted((self._row(m, c) for m, c in x.terms.items()), key=lambda r: r[0])
        names: dict[Atom, str] = {}
        texts = []
        for _, head, moving in rows:
            marks = [names.setdefault(a, f"{{{len(names)}}}") + f"^{e}" for a, e in moving]
            texts.append("*".join([head, *marks]))
        return atom("ix", " + ".join(texts), tuple(names), bound)

    def _row(self, m: w.Mono, c: int) -> tuple[tuple[object, ...], str, list[tuple[Atom, int]]]:
        fixed = "*".join(sorted(f"{a}^{e}" for a, e in m if a.kind == "size"))
        moving = [(self.unit(a), e) for a, e in m if a.kind != "size"]
        moving.sort(key=lambda x: (advice.shape(x[0]), x[1], x[0].serial))
        head = f"{c}*{fixed}" if fixed else str(c)
        key = (
            len(moving),
            head,
            [(advice.shape(a), e) for a, e in moving],
            [a.serial for a, _ in moving],
        )
        return key, head, moving

    def key(self, x: Value, bound: Poly) -> Atom:
        match x.kind:
            case "get":
                return atom("ix", f"get:{x.args[0]}", (self.place(x.args[1], ONE),), bound)
            case "choice":
                condition = n.lam((), self.poly(x.args[0]))
                return atom(
                    "ix", "choice", (condition, *(self.place(p, ONE) for p in x.args[1:])), bound
                )
            case "pick":
                kind, i, body = x.args
                return chosen(kind, self.variable(i), self.poly(body))
            case "draw":
                dist, path, places, loop = x.args
                at = tuple(self.place(p, ONE) for p in (*places, *loop))
                return atom("ix", f"{dist}:{path}", at, bound)
            case "fn":
                name, places, bodies = x.args
                at = tuple(self.place(p, ONE) for p in places)
                return atom("ix", name, (*at, *(self._function(*b) for b in bodies)), bound)
            case _:
                raise Unmodelled(f"an index from {x.kind}")

    def _function(self, variables: Sequence[Unit], body: Value) -> Atom:
        return n.lam([self.variable(i) for i in variables], self.poly(body))

    # ---- reals and truth values -------------------------------------------------------------
    def poly(self, x: Value) -> Poly:
        found = self._polys.get(x)
        if found is None:
            found = self._polys[x] = self._poly(x)
        return found

    def _poly(self, x: Value) -> Poly:
        args = x.args
        match x.kind:
            case "num":
                return const(args[0])
            case "pi":
                return of_atom(atom("pi"))
            case "whole":
                return self.size(args[0])
            case "get":
                one = (self.place(args[1], ONE),)
                if args[2] == "bool":
                    return of_atom(atom("bool", args[0], one))
                return of_atom(atom("var", args[0], one, ""))
            case "op":
                made = _pointwise(args[0], [self.poly(a) for a in args[1]])
                if made is None:
                    raise Unmodelled(f"the op {args[0].name}")
                return made
            case "where":
                c, yes, no = (self.poly(a) for a in args)
                return n.add(no, n.mul(c, n.sub(yes, no)))
            case "sum":
                return self._sum(x)
            case "max" | "min":
                return self._extreme(x)
            case "draw":
                dist, path, places, loop = args
                at = tuple(self.place(p, ONE) for p in (*places, *loop))
                return of_atom(atom("var", f"{dist}:{path}", at, "+" if dist == "uniform" else ""))
            case "fn":
                name, places, bodies = args
                at = tuple(self.place(p, ONE) for p in places)
                return of_atom(atom("fn", name, at, tuple(self._function(*b) for b in bodies)))
            case "inf":
                raise Unmodelled("an infinity in arithmetic")
            case _:
                return self._truth(x)

    def _truth(self, x: Value) -> Poly:
        args = x.args
        match x.kind:
            case "truth":
                return ONE if args[0] else ZERO
            case "ge0":
                gap = args[0]
                if sum(c < 0 for c in gap.terms.values()) * 2 > len(gap.terms):
                    return n.sub(ONE, n.indicator("ge0", self.size(-gap - 1)))
                return n.indicator("ge0", self.size(gap))
            case "eq0":
                return self._same(args[0])
            case "not":
                return n.sub(ONE, self.poly(args[0]))
            case "and" | "or":
                a, b = (self.poly(y) for y in args)
                product = n.mul(a, b)
                return product if x.kind == "and" else n.sub(n.add(a, b), product)
            case "cmp":
                kind, a, b = args[0], self.poly(args[1]), self.poly(args[2])
                if kind == "less":
                    return n.sub(ONE, n.indicator("ge0", n.sub(a, b)))
                if kind == "less_equal":
                    return n.indicator("ge0", n.sub(b, a))
                equal_ = n.indicator("eq0", n.sub(a, b))
                return equal_ if kind == "equal" else n.sub(ONE, equal_)
            case _:
                raise Unmodelled(f"a value of kind {x.kind}")

    def _same(self, gap: Whole) -> Poly:
        """Kronecker's delta where the difference is of two indices, else an indicator."""
        plus = [m for m, c in gap.terms.items() if c == 1 and len(m) == 1 and m[0][1] == 1]
        minus = [m for m, c in gap.terms.items() if c == -1 and len(m) == 1 and m[0][1] == 1]
        if len(gap.terms) == 2 and plus and minus:
            a, b = plus[0][0][0], minus[0][0][0]
            if {a.kind, b.kind} <= {"var", "get"}:
                i, j = self.unit(a), self.unit(b)
                if n.size_of(i) is n.size_of(j):
                    return n.delta(i, j)
        one = next(iter(gap.terms.values()), 1)
        return n.indicator("eq0", self.size(gap if one > 0 else -gap))

    # ---- reductions -------------------------------------------------------------------------
    def _sum(self, x: Value) -> Poly:
        rows = addends(x.args[1])
        return n.add(*(self._summed(v.total(x.args[0], y)) for y in rows if y is not v.ZERO))

    def _summed(self, x: Value) -> Poly:
        x = v.freshened(flat(x))
        variables, (body,), _ = merge.settle(
            x.args[0], [x.args[1]], partial(self._guard, zero=self._vanishes)
        )
        assert isinstance(body, Value)
        if body.kind == "sum" or len(addends(body)) > 1:
            return self._sum(v.total(variables, body)) if variables else self.poly(body)
        p = self.poly(body)
        for i in variables:
            p = n.nsum(self.variable(i), p)
        return p

    def _extreme(self, x: Value) -> Poly:
        x = v.freshened(flat(x))
        lowest = v.value("inf", -1 if x.kind == "max" else 1)
        variables, (body,), _ = merge.settle(
            x.args[0], [x.args[1]], partial(self._guard, zero=lambda y: y is lowest)
        )
        assert isinstance(body, Value)
        p = self.poly(body)
        kind = "argmax" if x.kind == "max" else "argmin"
        for i in sorted(variables, key=lambda i: i.serial):
            p = n.substitute(p, {self.variable(i): chosen(kind, self.variable(i), p)})
        return p

    def _vanishes(self, x: Value) -> bool:
        p = self.poly(x)
        if p.terms:
            self.notes.append(f"padding lanes contribute {v.show(x)}")
        return not p.terms

    def _guard(
        self,
        variables: Sequence[Unit],
        things: Sequence[merge.Thing],
        zero: Callable[[Value], bool],
    ) -> tuple[Unit, Whole] | None:
        """A variable and the bound that a condition gives it, where all beyond vanishes."""
        (body,) = things
        assert isinstance(body, Value)
        return merge.bounded(variables, body, zero)


def _pointwise(op: Any, x: list[Poly]) -> Poly | None:
    """The meaning of a pointwise op, slopes included."""
    match op.name:
        case "relu":
            return _relu(x[0])
        case "maximum":
            return n.add(x[1], _relu(n.sub(x[0], x[1])))
        case "minimum":
            return n.sub(x[0], _relu(n.sub(x[0], x[1])))
        case "abs":
            return n.add(_relu(x[0]), _relu(n.scale(x[0], -1)))
        case "silu_slope":
            s = sigmoid(x[0])
            return n.mul(s, n.add(ONE, n.mul(x[0], n.sub(ONE, s))))
        case "gelu_slope":
            half = n.scale(n.power(x[0], 2), Fraction(-1, 2))
            below = n.add(ONE, of_atom(atom("un", "erf", n.mul(x[0], n.power(const(2), -HALF)))))
            bell = n.mul(n.exp(half), n.power(n.scale(of_atom(atom("pi")), 2), -HALF))
            return n.add(n.scale(below, HALF), n.mul(x[0], bell))
        case _:
            return pointwise(op, x, lambda rel, p: None)


def _relu(p: Poly) -> Poly:
    """max(p, 0): the kernel's, which for one term has a stable form if the coefficient is 1."""
    term = p.single()
    c = abs(term[1]) if term else Fraction(1)
    return n.scale(n.relu(n.scale(p, 1 / c)), c)


def addends(x: Value) -> list[Value]:
    """The terms of a sum, so that each is taken over its own set of indices."""
    if x.kind == "op" and x.args[0].name in ("add", "sub"):
        a, b = (addends(y) for y in x.args[1])
        if x.args[0].name == "sub":
            b = [negated(y) for y in b]
        return [*a, *b]
    return [x]


def negated(x: Value) -> Value:
    return v.op(Neg(), x)


def flat(x: Value) -> Value:
    """Sums of sums (maxima of maxima) as one over all variables."""
    variables, body = list(x.args[0]), x.args[1]
    while body.kind == x.kind:
        inner = v.freshened(body)
        variables += inner.args[0]
        body = inner.args[1]
    return v.value(x.kind, tuple(variables), body)


def equal(a: Value, b: Value, seconds: float = SECONDS) -> str | None:
    """None if the values are equal, for all sizes and all values of what they read; else why not
    ("differ: ..." or "unknown: ...")."""
    if a is b:
        return None
    with undisturbed():
        return _decided(a, b, seconds)


def _decided(a: Value, b: Value, seconds: float) -> str | None:
    forms = Forms()
    n.stop_at(time.process_time() + seconds)
    try:
        a, b = simple(a), simple(b)
        if alike(a, b):
            return None
        p, q = forms.poly(a), forms.poly(b)
        if p is q:
            return None
        if prove_zero(n.sub(p, q)) is not None:
            return None
    except (n.KernelError, Unmodelled) as problem:
        return "; ".join([f"unknown: {problem}", *dict.fromkeys(forms.notes)])
    finally:
        n.stop_at(float("inf"))
    notes = list(dict.fromkeys(forms.notes))[:2]
    gap = f"differ: {v.show(a)[:160]} is not {v.show(b)[:160]}"
    return "; ".join([*notes, gap])
