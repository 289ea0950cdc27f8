"""Proofs of normal forms: for a tree, its polynomial and Coq steps that prove them equal.

In: trees, in a `Writer` that collects the steps of one Coq proof. Out: lemmas `tree = canonical
text`, each stated in full. The kernel's own normal form says what each step has to arrive at (it is
not trusted: Coq checks the step). Coq never searches under a binder: for each sum the body is put
into canonical form first, then the sum is a list of coefficients and functions (`rsum_lin`), then
each function's constant factors leave, and the sums are compared by `ring` or `field` as opaque
terms. Exponentials are written over a common basis first, square roots by their squares.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

from gendsl.prove.coq.expr import (
    Add,
    Canon,
    Delta,
    E,
    Fn,
    Inv,
    Ix,
    Mul,
    Names,
    NotExported,
    Num,
    Pi,
    Pow,
    Size,
    Sub,
    Sum,
    Var,
    index_name,
    ordered,
    renamed,
    tree_of,
)
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Mono, Poly, atom, const, of_atom, poly

Scope = tuple[Atom, ...]
UNARY: Mapping[str, Callable[[Poly], Poly]] = {
    "exp": n.exp,
    "ln": n.log,
    "relu": n.relu,
    "sqrt": lambda p: n.power(p, Fraction(1, 2)),
    "ge0": lambda p: n.indicator("ge0", p),
    "eq0": lambda p: n.indicator("eq0", p),
    "sin": lambda p: of_atom(atom("un", "sin", p)),
    "cos": lambda p: of_atom(atom("un", "cos", p)),
    "tanh": lambda p: of_atom(atom("un", "tanh", p)),
}


@dataclass
class Writer:
    """The steps of a proof. `given` maps a variable to how its entries are rewritten (see
    `Rewriting`)."""

    names: Names
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    given: dict[str, Rewriting] = field(default_factory=dict)
    _counter: Iterator[int] = field(default_factory=itertools.count)
    _memo: dict[tuple[str, Scope], tuple[Poly, str | None]] = field(default_factory=dict)
    _sums: dict[tuple[Atom, Poly, Scope], tuple[Poly, str | None]] = field(default_factory=dict)

    # ---- text ---------------------------------------------------------------------------

    def put(self, line: str) -> None:
        self.lines.append("  " * self.depth + line)

    def fresh(self, prefix: str = "E") -> str:
        return f"{prefix}{next(self._counter)}"

    def t(self, e: E) -> str:
        return self.names.text(e)

    def bound(self, i: Atom) -> str:
        return f"({index_name(i)} < {self.names.nat(i.args[1])})%nat"

    def quantified(self, scope: Iterable[Atom]) -> str:
        """`forall (i : nat) (Hi : (i < n)%nat), ` for each index."""
        rows = "".join(
            f" ({index_name(i)} : nat) (H{index_name(i)} : {self.bound(i)})" for i in scope
        )
        return f"forall{rows}, " if rows else ""

    def intros(self, scope: Iterable[Atom]) -> str:
        rows = " ".join(f"{index_name(i)} H{index_name(i)}" for i in scope)
        return f"intros {rows}. " if rows else ""

    def within(self, i: Atom) -> str:
        """A proof that an index is below its size."""
        return f"H{index_name(i)}" if i.kind == "i" else "ltac:(below)"

    def use(self, name: str, scope: Iterable[Atom]) -> str:
        rows = " ".join(f"{index_name(i)} H{index_name(i)}" for i in scope)
        return f"({name} {rows})" if rows else name

    @contextmanager
    def lemma(self, statement: str, scope: Scope, prefix: str = "E") -> Iterator[str]:
        """`assert (name : forall scope, statement).` with the proof written inside."""
        name = self.fresh(prefix)
        self.put(f"assert ({name} : {self.quantified(scope)}{statement}).")
        with self.block():
            if scope:
                self.put(self.intros(scope).strip())
            yield name

    @contextmanager
    def block(self) -> Iterator[None]:
        """`{ ... }`: lemmas that are stated inside are not known after it."""
        memo, sums = dict(self._memo), dict(self._sums)
        self.put("{")
        self.depth += 1
        yield
        self.depth -= 1
        self.put("}")
        self._memo, self._sums = memo, sums

    # ---- entry point ----------------------------------------------------------------------

    def norm(self, e: E, scope: Scope = ()) -> tuple[Poly, str | None]:
        """The polynomial of a tree, and a lemma `tree = canonical text` (None: the same text)."""
        if isinstance(e, Canon) and not self._rewritten(e.poly):
            return e.poly, None
        key = (self.t(e), scope)
        if key not in self._memo:
            self._memo[key] = self._norm(e, scope)
        return self._memo[key]

    def _rewritten(self, p: Poly) -> bool:
        from gendsl.prove.coq.expr import mentions

        return any(mentions(p, name) for name in self.given)

    def _norm(self, e: E, scope: Scope) -> tuple[Poly, str | None]:
        match e:
            case Canon():
                return self.norm(tree_of(e.poly), scope)
            case Num() | Add() | Sub() | Mul() | Pow():
                return self._region(e, scope)
            case Var(name, at):
                if name in self.given:
                    return self.given[name].leaf(self, at, scope)
                return self._leaf(e), None
            case Size(size):
                return self._size(e, size, scope)
            case Inv() | Fn():
                return self._function(e, scope)
            case Sum(index, body):
                return self._sum(e, index, body, scope)
            case Delta(i, j):
                return self._delta(e, i, j, scope)
            case Ix(i):
                return n.value_of(i), self._same(e, n.value_of(i), scope)
            case Pi():
                return of_atom(atom("pi")), None

    def _leaf(self, e: Var) -> Poly:
        found = self.names.atoms.get(e.name)
        if found is None:
            raise NotExported(f"the variable {e.name}")
        kind, sign = found
        rest = (sign,) if kind == "var" else ()
        return of_atom(atom(kind, e.name, e.at, *rest))

    def _same(self, e: E, p: Poly, scope: Scope) -> str | None:
        """A lemma that holds by `fin`, if the texts differ."""
        if self.t(e) == self.t(Canon(p)):
            return None
        with self.lemma(f"{self.t(e)} = {self.t(Canon(p))}", scope) as name:
            self.put("fin.")
        return name

    def _size(self, e: Size, size: Poly, scope: Scope) -> tuple[Poly, str | None]:
        if self.t(e) == self.t(Canon(size)):
            return size, None
        if size in self.names.composite:
            return size, f"H{self.names.composite[size]}"
        with self.lemma(f"{self.t(e)} = {self.t(Canon(size))}", scope) as name:
            self.put("rewrite ?plus_INR, ?mult_INR; simpl INR; ring.")
        return size, name

    # ---- rings ------------------------------------------------------------------------------

    def _region(self, e: E, scope: Scope) -> tuple[Poly, str | None]:
        """A maximal part of +, -, * and powers: its leaves are put into form, then `ring`."""
        steps: list[tuple[int, str]] = []
        polys: list[Poly] = []
        p = self._collect(e, scope, steps, polys)
        if self.t(e) == self.t(Canon(p)):
            return p, None
        with self.lemma(f"{self.t(e)} = {self.t(Canon(p))}", scope) as name:
            for _, step in sorted(dict.fromkeys(steps), key=lambda s: -s[0]):
                self.put(f"try rewrite {step}.")
            self.ring([*polys, p])
        return p, name

    def _collect(self, e: E, scope: Scope, steps: list[tuple[int, str]], polys: list[Poly]) -> Poly:
        match e:
            case Num(value):
                return const(value)
            case Add(parts):
                return n.add(*(self._collect(x, scope, steps, polys) for x in parts))
            case Sub(left, right):
                return n.sub(*(self._collect(x, scope, steps, polys) for x in (left, right)))
            case Mul(parts):
                return n.prod_poly([self._collect(x, scope, steps, polys) for x in parts])
            case Pow(base, exponent):
                return n.power(self._collect(base, scope, steps, polys), exponent)
            case Canon(p) if not self._rewritten(p):
                polys.append(p)
                return p
            case Canon(p):
                return self._collect(tree_of(p), scope, steps, polys)
            case _:
                p, step = self.norm(e, scope)
                polys.append(p)
                if step is not None:
                    steps.append((len(self.t(e)), self.applied(step, scope)))
                return p

    def applied(self, step: str, scope: Scope) -> str:
        return step if step.startswith("H") else self.use(step, scope)

    def ring(self, polys: Sequence[Poly]) -> None:
        """Close `left = right`, both built by ring operations and inverses from the atoms of some
        polynomials: exponentials over a basis, roots and indicators by their squares."""
        atoms = {a: None for p in polys for m in p.terms for a, _ in m}
        halves = {a for p in polys for m in p.terms for a, k in m if k.denominator == 2}
        self._exponentials([a.args[0] for a in atoms if a.kind == "exp"])
        known = []
        for a in [a for a in atoms if a in halves]:
            base = Canon(a.args[0]) if a.kind == "P" else Canon(of_atom(a))
            root, square = f"sqrt {self.t(base)}", self.t(base)
            name = self.fresh("Q")
            self.put(f"assert ({name} : {root} * {root} = {square}) by (apply sqrt_twice; nn).")
            known.append(name)
        for a in [a for a in atoms if a.kind in ("ge0", "eq0", "d", "bool")]:
            text, name = self.t(Canon(of_atom(a))), self.fresh("Q")
            bit = {"ge0": "apply ge0_bit", "eq0": "apply eq0_bit", "d": "apply delta_bit"}.get(
                a.kind, "known"
            )
            self.put(f"assert ({name} : {text} * {text} = {text}) by (apply bit_square; {bit}).")
            known.append(name)
        if len(known) > 5:
            raise NotExported("more than five roots and indicators in one step")
        self.put(f"fin{len(known)} {' '.join(known)}." if known else "fin.")

    def _exponentials(self, arguments: Sequence[Poly]) -> None:
        """Rewrite each exp(sum) as a product of powers of exp of the basis terms."""
        denominators: dict[Mono, int] = {}
        for p in arguments:
            for m, c in p.terms.items():
                denominators[m] = lcm(denominators.get(m, 1), c.denominator)
        for p in sorted(dict.fromkeys(arguments), key=lambda p: -len(self.t(Canon(p)))):
            if not p.terms:
                self.put("try rewrite exp_0.")
                continue
            if len(p.terms) == 1 and next(iter(p.terms.values())) == Fraction(
                1, denominators[next(iter(p.terms))]
            ):
                continue
            factors = []
            for m, c in ordered(p):
                d = denominators[m]
                basis = self.t(Canon(poly({m: Fraction(1, d)})))
                text = f"exp {basis} ^ {abs(int(c * d))}"
                factors.append(f"/ ({text})" if c < 0 else text)
            name, whole = self.fresh("X"), self.t(Canon(p))
            self.put(f"assert ({name} : exp {whole} = {' * '.join(factors)}).")
            self.put("{ rewrite <- ?exp_nat, <- ?exp_Ropp, <- ?exp_plus; apply f_equal; ")
            self.put("  simpl INR; fin. }")
            self.put(f"try rewrite {name}.")
        for m, d in denominators.items():
            if len(m) == 1 and m[0][0].kind == "log" and m[0][1] == 1 and d == 1:
                inner = self.t(Canon(m[0][0].args[0]))
                self.put(f"try rewrite (exp_ln {inner}) by pos.")
            elif len(m) == 1 and m[0][0].kind == "log" and m[0][1] == 1:
                inner, half = (
                    self.t(Canon(m[0][0].args[0])),
                    self.t(Canon(poly({m: Fraction(1, 2)}))),
                )
                if d != 2:
                    raise NotExported("a root that is not a square root")
                self.put(f"try replace (exp {half}) with (sqrt {inner}) by")
                self.put("  (symmetry; apply exp_half_ln; pos).")

    # ---- functions ----------------------------------------------------------------------------

    def _function(self, e: Inv | Fn, scope: Scope) -> tuple[Poly, str | None]:
        if isinstance(e, Fn) and e.name in ("Rmax", "Rmin", "Rabs"):
            return self._piecewise(e, scope)
        argument = e.base if isinstance(e, Inv) else e.args[0]
        inner, step = self.norm(argument, scope)
        if isinstance(e, Inv):
            result, plain = n.power(inner, -1), f"(/ {self.t(Canon(inner))})"
        elif e.name in UNARY:
            result, plain = UNARY[e.name](inner), f"({e.name} {self.t(Canon(inner))})"
        else:
            raise NotExported(f"the function {e.name}")
        if self.t(e) == self.t(Canon(result)):
            return result, None
        with self.lemma(f"{self.t(e)} = {self.t(Canon(result))}", scope) as name:
            if step is not None:
                self.put(f"try rewrite {self.applied(step, scope)}.")
            if plain == self.t(Canon(result)):
                self.put("reflexivity.")
            elif isinstance(e, Inv):
                self._inverse(inner, result)
            else:
                getattr(self, f"_{e.name}")(inner, result)
        return result, name

    def _piecewise(self, e: Fn, scope: Scope) -> tuple[Poly, str | None]:
        if e.name == "Rabs":
            (a,) = e.args
            tree: E = Add((Fn("relu", (a,)), Fn("relu", (Mul((Num(Fraction(-1)), a)),))))
            proof = "rewrite Rabs_relu; f_equal; f_equal; ring."
        else:
            a, b = e.args
            gap = Fn("relu", (Sub(a, b),))
            tree = Add((b, gap)) if e.name == "Rmax" else Sub(a, gap)
            proof = f"apply {e.name}_relu."
        result, step = self.norm(tree, scope)
        with self.lemma(f"{self.t(e)} = {self.t(Canon(result))}", scope) as name:
            self.put(f"transitivity ({self.t(tree)}).")
            self.put(f"{{ {proof} }}")
            self.put(f"exact {self.applied(step, scope)}." if step else "reflexivity.")
        return result, name

    def _inverse(self, inner: Poly, result: Poly) -> None:
        """/ inner = result."""
        if inner.single() is None and inner.terms:
            self._split(*n.content(inner, signed=True), inner)
        self.put("inverses.")
        self.ring([inner, result])

    def _split(self, f: Poly, rest: Poly, whole: Poly) -> None:
        """Rewrite a sum as its content times the rest."""
        if f is ONE:
            return
        name = self.fresh("C")
        left, right = self.t(Canon(whole)), f"{self.t(Canon(f))} * {self.t(Canon(rest))}"
        self.put(f"assert ({name} : {left} = {right}).")
        with self.block():
            self.ring([whole, f, rest])
        self.put(f"try rewrite {name}.")

    def _exp(self, inner: Poly, result: Poly) -> None:
        if not inner.terms:
            self.put("exact exp_0.")
            return
        if any(a.kind == "log" for m in inner.terms for a, _ in m):
            self.ring([n.of_atom(atom("exp", inner)), result])
            return
        self.put("reflexivity.")

    def _ln(self, inner: Poly, result: Poly) -> None:
        """ln inner = result, from inner = exp result."""
        self.put("apply ln_by_exp; symmetry.")
        factors = {a.args[0]: None for m in result.terms for a, _ in m if a.kind == "log"}
        self._exponentials([result])
        self.ring([inner, *factors])

    def _relu(self, inner: Poly, result: Poly) -> None:
        opposite = n.scale(inner, -1)
        if n.nonnegative(inner):
            self.put("apply relu_at; nn.")
        elif n.nonnegative(opposite):
            self.put(f"apply relu_below. replace (- _) with {self.t(Canon(opposite))} by fin. nn.")
        elif opposite.shape < inner.shape:
            text = self.t(Canon(opposite))
            self.put(f"replace {self.t(Canon(inner))} with (- {text}) by fin.")
            self.put("rewrite relu_opp.")
            p, step = self.norm(Fn("relu", (Canon(opposite),)))
            if step is not None:
                self.put(f"try rewrite {step}.")
            self.ring([p, opposite, result])
        else:
            c = abs(next(iter(inner.terms.values())))
            base = n.scale(inner, 1 / c)
            self.put(
                f"replace {self.t(Canon(inner))} with ({self.t(Num(c))} * {self.t(Canon(base))}) by fin."
            )  # noqa: E501
            self.put("rewrite relu_scale by lra. fin.")

    def _sqrt(self, inner: Poly, result: Poly) -> None:
        """sqrt inner = result, from result >= 0 and result * result = inner."""
        self.put("apply sqrt_by_square; [nn | ].")
        self.ring([inner, result])

    def _ge0(self, inner: Poly, result: Poly) -> None:
        c = inner.constant
        self.put("apply ge0_true; lra." if c is not None and c >= 0 else "apply ge0_false; lra.")

    def _eq0(self, inner: Poly, result: Poly) -> None:
        self.put("apply eq0_true; lra." if not inner.terms else "apply eq0_false; lra.")

    def _delta(self, e: Delta, i: Atom, j: Atom, scope: Scope) -> tuple[Poly, str | None]:
        result = n.delta(i, j)
        if self.t(e) == self.t(Canon(result)):
            return result, None
        with self.lemma(f"{self.t(e)} = {self.t(Canon(result))}", scope) as name:
            if result is ONE:
                self.put("apply delta_same.")
            elif self.t(Delta(j, i)) == self.t(Canon(result)):
                self.put("apply delta_sym.")
            else:
                raise NotExported("a delta of composite indices")
        return result, name

    # ---- sums -------------------------------------------------------------------------------

    def _sum(self, e: Sum, index: Atom, body: E, scope: Scope) -> tuple[Poly, str | None]:
        new = n.fresh(index.args[1])  # the name may be in scope already
        index, body = new, renamed(body, {index: new})
        p, step = self.norm(body, (*scope, index))
        result, rest = self.sum_of(index, p, scope)
        if self.t(e) == self.t(Canon(result)):
            return result, None
        with self.lemma(f"{self.t(e)} = {self.t(Canon(result))}", scope) as name:
            inner = self.t(Sum(index, Canon(p)))
            self.put(f"transitivity {inner}.")
            if step is None:
                self.put("{ reflexivity. }")
            else:
                own = f"{index_name(index)} H{index_name(index)}"
                used = self.applied(step, (*scope, index))
                self.put(f"{{ apply rsum_ext; intros {own}; exact {used}. }}")
            self.put(f"exact {self.applied(rest, scope)}." if rest else "reflexivity.")
        return result, name

    def sum_of(self, i: Atom, p: Poly, scope: Scope) -> tuple[Poly, str | None]:
        """The sum over i of a canonical body."""
        key = (i, p, scope)
        if key not in self._sums:
            self._sums[key] = self._sum_of(i, p, scope)
        return self._sums[key]

    def _sum_of(self, i: Atom, p: Poly, scope: Scope) -> tuple[Poly, str | None]:
        rows = [(c, m, *self._mono_sum(i, m, scope)) for m, c in ordered(p)]
        result = n.add(*(n.scale(r, c) for c, _, r, _ in rows))
        left, right = self.t(Sum(i, Canon(p))), self.t(Canon(result))
        if left == right:
            return result, None
        with self.lemma(f"{left} = {right}", scope) as name:
            if not rows:
                self.put("apply rsum_zero_body.")
                return result, name
            size, own = self.names.nat(i.args[1]), index_name(i)
            table = "; ".join(
                f"({self.t(Num(c))}, fun {own} : nat => {self.t(Canon(poly({m: Fraction(1)})))})"
                for c, m, _, _ in rows
            )
            self.put(f"transitivity (rsum {size} (lin [{table}])).")
            self.put(f"{{ apply rsum_ext; intros {own} H{own}; ")
            self.put("  cbv [lin fold_right fst snd]; ring. }")
            self.put("rewrite rsum_lin; cbv [linsum fold_right fst snd].")
            for _, _, _, step in rows:
                if step is not None:
                    self.put(f"try rewrite {self.applied(step, scope)}.")
            self.ring([*(r for _, _, r, _ in rows), result])
        return result, name

    def _mono_sum(self, i: Atom, m: Mono, scope: Scope) -> tuple[Poly, str | None]:
        """The sum over i of one product of atoms."""
        whole = Canon(poly({m: Fraction(1)}))
        result = n.nsum(i, whole.poly)
        left, right = self.t(Sum(i, whole)), self.t(Canon(result))
        if left == right:
            return result, None
        step: Callable[[], None]
        outside, inside = _divided(i, m)
        delta = next((a for a, k in m if a.kind == "d" and i in a.args and k == 1), None)
        if delta is not None:
            return self._delta_sum(i, delta, whole, scope, result)
        if inside is ONE:
            size, extra = self.norm(Size(i.args[1]), scope)
            with self.lemma(f"{left} = {right}", scope) as name:
                self.put("rewrite rsum_const.")
                if extra is not None:
                    self.put(f"try rewrite {self.applied(extra, scope)}.")
                self.ring([whole.poly, size, result])
            return result, name
        sums = [a for m2 in inside.terms for a, k in m2 if a.kind == "S" and k.denominator == 1]
        if any(dict(next(iter(inside.terms)))[a] > 0 for a in sums):
            return self._nested(i, whole, outside, inside, scope, result)
        return result, self._factored(i, whole, outside, inside, result, scope)

    def _factored(
        self, i: Atom, whole: Canon, outside: Poly, inside: Poly, result: Poly, scope: Scope
    ) -> str:
        """sum (out * in) = out * sum in, the last one canonical."""
        core = n.nsum(i, inside)
        left, right = self.t(Sum(i, whole)), self.t(Canon(result))
        with self.lemma(f"{left} = {right}", scope) as name:
            product = Mul((Canon(outside), Sum(i, Canon(inside))))
            own = index_name(i)
            self.put(f"transitivity {self.t(product)}.")
            with self.block():
                self._scaled(outside, i, Canon(inside))
                self.ring([whole.poly, outside, inside])
            if self.t(Sum(i, Canon(inside))) != self.t(Canon(core)):
                self._alpha(Sum(i, Canon(inside)), core)
            self.ring([outside, core, result])
        return name

    def _scaled(self, c: Poly, i: Atom, body: E) -> None:
        """For the goal `sum f = c * sum body`: leaves `f i = c * body`."""
        own, size = index_name(i), self.names.nat(i.args[1])
        scaled = f"rsum_scal {size} {self.t(Canon(c))} (fun {own} => {self.t(body)})"
        self.put(f"etransitivity; [ | exact ({scaled}) ].")
        self.put(f"apply rsum_ext; intros {own} H{own}; cbv beta.")

    def _alpha(self, e: E, core: Poly) -> None:
        """Rewrite a nest of sums to the canonical one: the same up to names and factor order."""
        name = self.fresh("A")
        self.put(f"assert ({name} : {self.t(e)} = {self.t(Canon(core))}).")
        with self.block():
            (m, c) = next(iter(core.terms.items()))
            if c != 1 or len(m) != 1 or m[0][0].kind != "S" or m[0][1] != 1:
                raise NotExported("a sum that splits into several")
            body, slots = e, []
            while isinstance(body, Sum):
                own = index_name(body.index)
                self.put(f"apply rsum_ext; intros {own} H{own}; cbv beta.")
                slots.append(body.index)
                body = body.body
            names, mono = m[0][0].args
            same = renamed(Canon(poly({mono: Fraction(1)})), dict(zip(names, slots, strict=True)))
            p, step = self.norm(same)
            if step is not None:
                self.put(f"try rewrite {step}.")
            self.ring([p])
        self.put(f"try rewrite {name}.")

    def _delta_sum(
        self, i: Atom, delta: Atom, whole: Canon, scope: Scope, result: Poly
    ) -> tuple[Poly, str]:
        """sum (delta i j * f i) = f j."""
        j = delta.args[1] if delta.args[0] is i else delta.args[0]
        (m,) = whole.poly.terms
        rest = poly({tuple((a, k) for a, k in m if a is not delta): Fraction(1)})
        moved = renamed(Canon(rest), {i: j})
        p, step = self.norm(moved, scope)
        if p is not result:
            raise NotExported("a sum with several deltas")
        own, size = index_name(i), self.names.nat(i.args[1])
        with self.lemma(f"{self.t(Sum(i, whole))} = {self.t(Canon(result))}", scope) as name:
            body = f"(delta {own} {self.names.index(j)} * {self.t(Canon(rest))})"
            self.put(f"transitivity (rsum {size} (fun {own} => {body})).")
            with self.block():
                self.put(f"apply rsum_ext; intros {own} H{own}; cbv beta; ")
                self.put(f"rewrite ?(delta_sym {self.names.index(j)} {own}); fin.")
            self.put(
                f"rewrite (rsum_delta {size} {self.names.index(j)} (fun {own} => {self.t(Canon(rest))})) by below."
            )  # noqa: E501
            self.put("cbv beta.")
            self.put(f"exact {self.applied(step, scope)}." if step else "reflexivity.")
        return result, name

    def _nested(
        self, i: Atom, whole: Canon, outside: Poly, inside: Poly, scope: Scope, result: Poly
    ) -> tuple[Poly, str]:
        """A product of inner sums becomes one nest of sums, whose order is then made canonical."""
        (m,) = inside.terms
        inner = [
            a for a, k in m if a.kind == "S" and k.denominator == 1 and k > 0 for _ in range(int(k))
        ]
        own = n.assemble({a: k for a, k in m if a not in inner})
        opened = [n.open_sum(a) for a in inner]
        binders = [b for bs, _ in opened for b in bs]
        body = n.prod_poly([own, *(p for _, p in opened)])
        nest: E = Canon(body)
        for b in reversed(binders):
            nest = Sum(b, nest)
        core = n.nsum(i, inside)
        order = _canonical_order([i, *binders], body, core)
        with self.lemma(f"{self.t(Sum(i, whole))} = {self.t(Canon(result))}", scope) as name:
            product = Mul((Canon(outside), Sum(i, nest)))
            self.put(f"transitivity {self.t(product)}.")
            with self.block():
                ix = index_name(i)
                self._scaled(outside, i, nest)
                self._pulled(own, opened, binders, body)
                self.ring(
                    [whole.poly, outside, own, *(of_atom(a) for a in inner), *self._nest_polys]
                )
            current = [i, *binders]
            for k in _swaps(current, order):
                self._swap(current, k, body)
                current[k], current[k + 1] = current[k + 1], current[k]
            e: E = Canon(body)
            for b in reversed(current):
                e = Sum(b, e)
            if self.t(e) != self.t(Canon(core)):
                self._alpha(e, core)
            self.ring([outside, core, result])
        return result, name

    _nest_polys: Sequence[Poly] = ()

    def _pulled(
        self,
        own: Poly,
        opened: Sequence[tuple[list[Atom], Poly]],
        binders: Sequence[Atom],
        body: Poly,
    ) -> None:
        """Rewrite the nest over `binders` of `body` as own * sum * sum ...: what stands in the goal
        on the right becomes a product of the sums."""
        name = self.fresh("N")
        nest: E = Canon(body)
        for b in reversed(binders):
            nest = Sum(b, nest)
        parts: list[E] = [Canon(own)]
        for bs, p in opened:
            e: E = Canon(p)
            for b in reversed(bs):
                e = Sum(b, e)
            parts.append(e)
        self.put(f"assert ({name} : {self.t(nest)} = {self.t(Mul(tuple(parts)))}).")
        with self.block():
            self._pull(own, list(opened), body)
        self.put(f"try rewrite {name}.")
        polys = []
        for e, (bs, p) in zip(parts[1:], opened, strict=True):
            core = p
            for b in reversed(bs):
                core = n.nsum(b, core)
            if self.t(e) != self.t(Canon(core)):
                self._alpha(e, core)
            polys.append(core)
        self._nest_polys = polys

    def _pull(self, own: Poly, rest: list[tuple[list[Atom], Poly]], body: Poly) -> None:
        """Prove nest = own * product of the sums, from the outermost binder in."""
        if not rest:
            self.ring([own, body])
            return
        (bs, p), later = rest[0], rest[1:]
        others: list[E] = []
        for cs, q in later:
            e: E = Canon(q)
            for b in reversed(cs):
                e = Sum(b, e)
            others.append(e)
        if not bs:
            grown = n.mul(own, p)
            target = Mul((Canon(grown), *others))
            self.put(f"transitivity {self.t(target)}.")
            with self.block():
                self._pull(grown, later, body)
            self.ring([own, p, grown])
            return
        b, inner = bs[0], (bs[1:], p)
        e = Canon(p)
        for c in reversed(bs[1:]):
            e = Sum(c, e)
        factors = Mul((Canon(own), *others))
        ix, size = index_name(b), self.names.nat(b.args[1])
        self.put(f"transitivity ({self.t(factors)} * {self.t(Sum(b, e))}); [ | ring ].")
        self.put(f"symmetry; etransitivity; [ symmetry; exact (rsum_scal {size} {self.t(factors)} (fun {ix} => {self.t(e)})) | ].")
        self.put(f"apply rsum_ext; intros {ix} H{ix}; cbv beta; symmetry.")
        self.put(f"transitivity {self.t(Mul((Canon(own), e, *others)))}; [ | ring ].")
        self._pull(own, [inner, *later], body)

    def _swap(self, current: Sequence[Atom], k: int, body: Poly) -> None:
        """Exchange the sums at depth k and k + 1 of the nest in the goal."""
        after = [*current[:k], current[k + 1], current[k], *current[k + 2 :]]

        def nest(order: Sequence[Atom]) -> E:
            e: E = Canon(body)
            for b in reversed(order):
                e = Sum(b, e)
            return e

        name = self.fresh("W")
        self.put(f"assert ({name} : {self.t(nest(current))} = {self.t(nest(after))}).")
        steps = "".join(
            f"apply rsum_ext; intros {index_name(b)} H{index_name(b)}; " for b in current[:k]
        )
        self.put(f"{{ {steps}apply rsum_swap. }}")
        self.put(f"try rewrite {name}.")


@dataclass(frozen=True)
class Rewriting:
    """How entries of a variable are rewritten: `equation` is a lemma `forall pattern indices,
    v[pattern] = value`."""

    name: str
    equation: str
    pattern: tuple[Atom, ...]
    value: E
    sign: str
    order: tuple[Atom, ...]  # of the equation's quantified indices

    def leaf(self, w: Writer, at: tuple[Atom, ...], scope: Scope) -> tuple[Poly, str | None]:
        """The value of the variable at these indices."""
        pairs = list(zip(self.pattern, at, strict=True))
        if not all(f.kind == "i" or f is i for f, i in pairs):
            return of_atom(atom("var", self.name, at, self.sign)), None
        formals = {f: i for f, i in pairs if f.kind == "i"}
        p, step = w.norm(renamed(self.value, formals), scope)
        rows = " ".join(
            f"{w.names.index(formals[b])} {w.within(formals[b])}" for b in self.order
        )
        with w.lemma(f"{w.t(Var(self.name, at))} = {w.t(Canon(p))}", scope) as name:
            w.put(f"rewrite ({self.equation} {rows})." if rows else f"rewrite {self.equation}.")
            w.put(f"exact {w.applied(step, scope)}." if step else "reflexivity.")
        return p, name


def _divided(i: Atom, m: Mono) -> tuple[Poly, Poly]:
    """The factors of a product without and with the index; exponentials split additively."""
    outside, inside = ONE, dict[Atom, Fraction]()
    for a, k in m:
        if i not in a.free:
            outside = n.mul(outside, n.assemble({a: k}))
        elif a.kind == "exp":
            free = poly(
                {q: c for q, c in a.args[0].terms.items() if i not in poly({q: Fraction(1)}).free}
            )
            outside = n.mul(outside, n.exp(free))
            inside[atom("exp", n.sub(a.args[0], free))] = k
        else:
            inside[a] = k
    return outside, n.assemble(inside)


def _canonical_order(binders: Sequence[Atom], body: Poly, core: Poly) -> list[Atom]:
    """The order of binders that gives the kernel's canonical sum."""
    single = core.single()
    if single is None or len(single[0]) != 1 or single[0][0][0].kind != "S":
        raise NotExported("a sum that splits into several")
    names, mono = single[0][0][0].args
    want = poly({mono: single[1]})
    if len(names) == len(binders):
        for row in itertools.permutations(binders):
            if all(b.args[1] is c.args[1] for b, c in zip(row, names, strict=True)):
                if n.substitute(body, dict(zip(row, names, strict=True))) is want:
                    return list(row)
    raise NotExported("a sum that splits into several")


def _swaps(current: Sequence[Atom], order: Sequence[Atom]) -> list[int]:
    """Adjacent exchanges that sort one order into the other."""
    row, found = [order.index(b) for b in current], []
    for end in range(len(row) - 1, 0, -1):
        for k in range(end):
            if row[k] > row[k + 1]:
                row[k], row[k + 1] = row[k + 1], row[k]
                found.append(k)
    return found


__all__ = ["UNARY", "ZERO", "Rewriting", "Scope", "Writer"]
