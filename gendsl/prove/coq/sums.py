"""Normal forms of sums, with proofs: the part of `normalise.py` that is about binders.

In: a sum whose body is in canonical form. Out: a lemma `sum = canonical text`. Constant factors
leave; inner sums become one nest; a delta picks an entry; the binders of a nest are exchanged until
they stand in the canonical order.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from gendsl.prove.coq.expr import (
    Canon,
    E,
    Mul,
    NotExported,
    Num,
    Size,
    Sum,
    index_name,
    ordered,
    renamed,
)
from gendsl.prove.coq.normalise import Scope, Writer
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import ONE, Atom, Mono, Poly, atom, of_atom, poly


@dataclass(frozen=True)
class Sums:
    """`w` is the writer of the proof that the lemmas stand in."""

    w: Writer

    def normal(self, e: Sum, index: Atom, body: E, scope: Scope) -> tuple[Poly, str | None]:
        new = n.fresh(index.args[1])  # the name may be in scope already
        index, body = new, renamed(body, {index: new})
        p, step = self.w.norm(body, (*scope, index))
        result, rest = self.sum_of(index, p, scope)
        if self.w.t(e) == self.w.t(Canon(result)):
            return result, None
        with self.w.lemma(f"{self.w.t(e)} = {self.w.t(Canon(result))}", scope) as name:
            inner = self.w.t(Sum(index, Canon(p)))
            self.w.put(f"transitivity {inner}.")
            if step is None:
                self.w.put("{ reflexivity. }")
            else:
                own = f"{index_name(index)} H{index_name(index)}"
                used = self.w.applied(step, (*scope, index))
                self.w.put(f"{{ apply rsum_ext; intros {own}; exact {used}. }}")
            self.w.put(f"exact {self.w.applied(rest, scope)}." if rest else "reflexivity.")
        return result, name

    def sum_of(self, i: Atom, p: Poly, scope: Scope) -> tuple[Poly, str | None]:
        """The sum over i of a canonical body."""
        key = (i, p, scope)
        if key not in self.w.sums:
            self.w.sums[key] = self._sum_of(i, p, scope)
        return self.w.sums[key]

    def _sum_of(self, i: Atom, p: Poly, scope: Scope) -> tuple[Poly, str | None]:
        rows = [(c, m, *self._mono_sum(i, m, scope)) for m, c in ordered(p)]
        result = n.add(*(n.scale(r, c) for c, _, r, _ in rows))
        left, right = self.w.t(Sum(i, Canon(p))), self.w.t(Canon(result))
        if left == right:
            return result, None
        with self.w.lemma(f"{left} = {right}", scope) as name:
            if not rows:
                self.w.put("apply rsum_zero_body.")
                return result, name
            size, own = self.w.names.nat(i.args[1]), index_name(i)
            bodies = [(c, self.w.t(Canon(poly({m: Fraction(1)})))) for c, m, _, _ in rows]
            table = "; ".join(f"({self.w.t(Num(c))}, fun {own} : nat => {b})" for c, b in bodies)
            self.w.put(f"transitivity (rsum {size} (lin [{table}])).")
            self.w.put(f"{{ apply rsum_ext; intros {own} H{own}; ")
            self.w.put("  cbv [lin fold_right fst snd]; ring. }")
            self.w.put("rewrite rsum_lin; cbv [linsum fold_right fst snd].")
            for _, _, _, step in rows:
                if step is not None:
                    self.w.put(f"try rewrite {self.w.applied(step, scope)}.")
            self.w.ring([*(r for _, _, r, _ in rows), result])
        return result, name

    def _mono_sum(self, i: Atom, m: Mono, scope: Scope) -> tuple[Poly, str | None]:
        """The sum over i of one product of atoms."""
        whole = Canon(poly({m: Fraction(1)}))
        result = n.nsum(i, whole.poly)
        left, right = self.w.t(Sum(i, whole)), self.w.t(Canon(result))
        if left == right:
            return result, None
        outside, inside = _divided(i, m)
        delta = next((a for a, k in m if a.kind == "d" and i in a.args and k == 1), None)
        if delta is not None:
            return self._delta_sum(i, delta, whole, scope, result)
        if inside is ONE:
            size, extra = self.w.norm(Size(i.args[1]), scope)
            with self.w.lemma(f"{left} = {right}", scope) as name:
                self.w.put("rewrite rsum_const.")
                if extra is not None:
                    self.w.put(f"try rewrite {self.w.applied(extra, scope)}.")
                self.w.ring([whole.poly, size, result])
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
        left, right = self.w.t(Sum(i, whole)), self.w.t(Canon(result))
        with self.w.lemma(f"{left} = {right}", scope) as name:
            product = Mul((Canon(outside), Sum(i, Canon(inside))))
            self.w.put(f"transitivity {self.w.t(product)}.")
            with self.w.block():
                self._scaled(outside, i, Canon(inside))
                self.w.ring([whole.poly, outside, inside])
            if self.w.t(Sum(i, Canon(inside))) != self.w.t(Canon(core)):
                self._alpha(Sum(i, Canon(inside)), core)
            self.w.ring([outside, core, result])
        return name

    def _scaled(self, c: Poly, i: Atom, body: E) -> None:
        """For the goal `sum f = c * sum body`: leaves `f i = c * body`."""
        own, size = index_name(i), self.w.names.nat(i.args[1])
        scaled = f"rsum_scal {size} {self.w.t(Canon(c))} (fun {own} => {self.w.t(body)})"
        self.w.put(f"etransitivity; [ | exact ({scaled}) ].")
        self.w.put(f"apply rsum_ext; intros {own} H{own}; cbv beta.")

    def _alpha(self, e: E, core: Poly) -> None:
        """Rewrite a nest of sums to the canonical one: the same up to names and factor order."""
        name = self.w.fresh("A")
        self.w.put(f"assert ({name} : {self.w.t(e)} = {self.w.t(Canon(core))}).")
        with self.w.block():
            (m, c) = next(iter(core.terms.items()))
            if c != 1 or len(m) != 1 or m[0][0].kind != "S" or m[0][1] != 1:
                raise NotExported("a sum that splits into several")
            body, slots = e, []
            while isinstance(body, Sum):
                own = index_name(body.index)
                self.w.put(f"apply rsum_ext; intros {own} H{own}; cbv beta.")
                slots.append(body.index)
                body = body.body
            names, mono = m[0][0].args
            same = renamed(Canon(poly({mono: Fraction(1)})), dict(zip(names, slots, strict=True)))
            p, step = self.w.norm(same)
            if step is not None:
                self.w.put(f"try rewrite {step}.")
            self.w.ring([p])
        self.w.put(f"try rewrite {name}.")

    def _delta_sum(
        self, i: Atom, delta: Atom, whole: Canon, scope: Scope, result: Poly
    ) -> tuple[Poly, str]:
        """sum (delta i j * f i) = f j."""
        j = delta.args[1] if delta.args[0] is i else delta.args[0]
        (m,) = whole.poly.terms
        rest = poly({tuple((a, k) for a, k in m if a is not delta): Fraction(1)})
        moved = renamed(Canon(rest), {i: j})
        p, step = self.w.norm(moved, scope)
        if p is not result:
            raise NotExported("a sum with several deltas")
        own, size = index_name(i), self.w.names.nat(i.args[1])
        with self.w.lemma(f"{self.w.t(Sum(i, whole))} = {self.w.t(Canon(result))}", scope) as name:
            body = f"(delta {own} {self.w.names.index(j)} * {self.w.t(Canon(rest))})"
            self.w.put(f"transitivity (rsum {size} (fun {own} => {body})).")
            with self.w.block():
                self.w.put(f"apply rsum_ext; intros {own} H{own}; cbv beta; ")
                self.w.put(f"rewrite ?(delta_sym {self.w.names.index(j)} {own}); fin.")
            f = f"(fun {own} => {self.w.t(Canon(rest))})"
            self.w.put(f"rewrite (rsum_delta {size} {self.w.names.index(j)} {f}) by below.")
            self.w.put("cbv beta.")
            self.w.put(f"exact {self.w.applied(step, scope)}." if step else "reflexivity.")
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
        with self.w.lemma(f"{self.w.t(Sum(i, whole))} = {self.w.t(Canon(result))}", scope) as name:
            product = Mul((Canon(outside), Sum(i, nest)))
            self.w.put(f"transitivity {self.w.t(product)}.")
            with self.w.block():
                self._scaled(outside, i, nest)
                inner_polys = self._pulled(own, opened, binders, body)
                self.w.ring([whole.poly, outside, own, *(of_atom(a) for a in inner), *inner_polys])
            current = [i, *binders]
            for k in _swaps(current, order):
                self._swap(current, k, body)
                current[k], current[k + 1] = current[k + 1], current[k]
            e: E = Canon(body)
            for b in reversed(current):
                e = Sum(b, e)
            if self.w.t(e) != self.w.t(Canon(core)):
                self._alpha(e, core)
            self.w.ring([outside, core, result])
        return result, name

    def _pulled(
        self,
        own: Poly,
        opened: Sequence[tuple[list[Atom], Poly]],
        binders: Sequence[Atom],
        body: Poly,
    ) -> list[Poly]:
        """Rewrite the nest over `binders` of `body` as own * sum * sum ...: what stands in the goal
        on the right becomes a product of the sums. Their canonical forms."""
        name = self.w.fresh("N")
        nest: E = Canon(body)
        for b in reversed(binders):
            nest = Sum(b, nest)
        parts: list[E] = [Canon(own)]
        for bs, p in opened:
            e: E = Canon(p)
            for b in reversed(bs):
                e = Sum(b, e)
            parts.append(e)
        self.w.put(f"assert ({name} : {self.w.t(nest)} = {self.w.t(Mul(tuple(parts)))}).")
        with self.w.block():
            self._pull(own, list(opened), body)
        self.w.put(f"try rewrite {name}.")
        polys = []
        for e, (bs, p) in zip(parts[1:], opened, strict=True):
            core = p
            for b in reversed(bs):
                core = n.nsum(b, core)
            if self.w.t(e) != self.w.t(Canon(core)):
                self._alpha(e, core)
            polys.append(core)
        return polys

    def _pull(self, own: Poly, rest: list[tuple[list[Atom], Poly]], body: Poly) -> None:
        """Prove nest = own * product of the sums, from the outermost binder in."""
        if not rest:
            self.w.ring([own, body])
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
            self.w.put(f"transitivity {self.w.t(target)}.")
            with self.w.block():
                self._pull(grown, later, body)
            self.w.ring([own, p, grown])
            return
        b, inner = bs[0], (bs[1:], p)
        e = Canon(p)
        for c in reversed(bs[1:]):
            e = Sum(c, e)
        factors = Mul((Canon(own), *others))
        ix, size = index_name(b), self.w.names.nat(b.args[1])
        self.w.put(f"transitivity ({self.w.t(factors)} * {self.w.t(Sum(b, e))}); [ | ring ].")
        scaled = f"rsum_scal {size} {self.w.t(factors)} (fun {ix} => {self.w.t(e)})"
        self.w.put(f"symmetry; etransitivity; [ symmetry; exact ({scaled}) | ].")
        self.w.put(f"apply rsum_ext; intros {ix} H{ix}; cbv beta; symmetry.")
        self.w.put(f"transitivity {self.w.t(Mul((Canon(own), e, *others)))}; [ | ring ].")
        self._pull(own, [inner, *later], body)

    def _swap(self, current: Sequence[Atom], k: int, body: Poly) -> None:
        """Exchange the sums at depth k and k + 1 of the nest in the goal."""
        after = [*current[:k], current[k + 1], current[k], *current[k + 2 :]]

        def nest(order: Sequence[Atom]) -> E:
            e: E = Canon(body)
            for b in reversed(order):
                e = Sum(b, e)
            return e

        name = self.w.fresh("W")
        self.w.put(f"assert ({name} : {self.w.t(nest(current))} = {self.w.t(nest(after))}).")
        steps = "".join(
            f"apply rsum_ext; intros {index_name(b)} H{index_name(b)}; " for b in current[:k]
        )
        self.w.put(f"{{ {steps}apply rsum_swap. }}")
        self.w.put(f"try rewrite {name}.")


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
