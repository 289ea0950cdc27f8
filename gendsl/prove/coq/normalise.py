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

from gendsl.prove.advice import content, flip
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
    Product,
    Size,
    Step,
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
    sums: dict[tuple[Atom, Poly, Scope], tuple[Poly, str | None]] = field(default_factory=dict)

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
    def rewriting(self, rewriting: Rewriting) -> Iterator[None]:
        """Entries of a variable are rewritten; nothing known before is known inside, or after."""
        memo, sums = self._memo, self.sums
        self._memo, self.sums = {}, {}
        self.given[rewriting.name] = rewriting
        yield
        del self.given[rewriting.name]
        self._memo, self.sums = memo, sums

    @contextmanager
    def block(self) -> Iterator[None]:
        """`{ ... }`: lemmas that are stated inside are not known after it."""
        memo, sums = dict(self._memo), dict(self.sums)
        self.put("{")
        self.depth += 1
        yield
        self.depth -= 1
        self.put("}")
        self._memo, self.sums = memo, sums

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
        return not p.names.isdisjoint(self.given)

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
                from gendsl.prove.coq.sums import Sums

                return Sums(self).normal(e, index, body, scope)
            case Delta(i, j):
                return self._delta(e, i, j, scope)
            case Ix(i):
                return n.value_of(i), self._same(e, n.value_of(i), scope)
            case Pi():
                return of_atom(atom("pi")), None
            case Product() | Step():
                raise NotExported("a running product or a concatenation within a proof")

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
        known, facts = list[str](), list[str]()
        for a in [a for a in atoms if a in halves]:
            base = Canon(a.args[0]) if a.kind == "P" else Canon(of_atom(a))
            root, square = f"sqrt {self.t(base)}", self.t(base)
            name = self.fresh("Q")
            facts.append(f"assert ({name} : {root} * {root} = {square}) by (apply sqrt_twice; nn)")
            known.append(name)
        for a in [a for a in atoms if a.kind in ("ge0", "eq0", "d", "bool")]:
            text, name = self.t(Canon(of_atom(a))), self.fresh("Q")
            bit = {"ge0": "apply ge0_bit", "eq0": "apply eq0_bit", "d": "apply delta_bit"}.get(
                a.kind, "known"
            )
            facts.append(f"assert ({name} : {text} * {text} = {text}) by (apply bit_square; {bit})")
            known.append(name)
        if len(known) > 5:
            raise NotExported("more than five roots and indicators in one step")
        if known:  # what follows without the squares does so fast
            last = f"fin{len(known)} {' '.join(known)}"
            self.put(f"first [solve [ring] | {'; '.join([*facts, last])}].")
        else:
            self.put("fin.")

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
            self._split(*content(inner, signed=True), inner)
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
            self.ring([of_atom(atom("exp", inner)), result])
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
        elif flip(inner):
            text = self.t(Canon(opposite))
            self.put(f"transitivity (relu (- {text})); [ f_equal; fin | rewrite relu_opp ].")
            p, step = self.norm(Fn("relu", (Canon(opposite),)))
            if step is not None:
                self.put(f"try rewrite {step}.")
            self.ring([p, opposite, result])
        else:
            c = abs(next(iter(inner.terms.values())))
            base = n.scale(inner, 1 / c)
            scaled = f"({self.t(Num(c))} * {self.t(Canon(base))})"
            self.put(f"transitivity (relu {scaled}); [ f_equal; fin | ].")
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
        rows = " ".join(f"{w.names.index(formals[b])} {w.within(formals[b])}" for b in self.order)
        with w.lemma(f"{w.t(Var(self.name, at))} = {w.t(Canon(p))}", scope) as name:
            w.put(f"rewrite ({self.equation} {rows})." if rows else f"rewrite {self.equation}.")
            w.put(f"exact {w.applied(step, scope)}." if step else "reflexivity.")
        return p, name


__all__ = ["UNARY", "ZERO", "Rewriting", "Scope", "Writer"]
