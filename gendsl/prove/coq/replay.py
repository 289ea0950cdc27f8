"""Kernel proof objects as Coq steps: one lemma for each theorem, proved from its premises.

In: a theorem, a `Writer`, the propositions that the Coq context already holds. Out: steps that
assert each theorem of the proof object: for all indices and inner variables that it is about, from
those of its hypotheses that the context does not hold, its conclusion. The statement of each lemma
is the kernel's conclusion in canonical text; its proof applies the lemma of `GendslLib.v` behind the
rule to the premises, and the normal-form step that the rule computed is proved by `normalise.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.prove.coq.expr import (
    Add,
    Canon,
    E,
    Fn,
    Inv,
    Ix,
    Mul,
    NotExported,
    Num,
    Pow,
    Size,
    Sub,
    Sum,
    factor,
    index_name,
    mentions,
    renamed,
    replaced,
)
from gendsl.prove.coq.normalise import Rewriting, Writer
from gendsl.prove.coq.statement import power
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.rules import Prop, Thm, opened
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, of_atom

ONE_E = Num(Fraction(1))


def comparison(rel: str, text: str) -> str:
    match rel:
        case "eq":
            return f"{text} = 0"
        case "ge":
            return f"0 <= {text}"
        case "gt":
            return f"0 < {text}"
        case _:
            return f"{text} <> 0"


@dataclass(frozen=True)
class Reach:
    """What a theorem is about: free indices and inner variables (its own and those of premises), and
    the hypotheses that it needs as premises."""

    indices: tuple[Atom, ...]
    inner: tuple[str, ...]
    hyps: tuple[Prop, ...]


@dataclass
class Replay:
    """`context` maps propositions that hold in the Coq context to names; `base` are the variables
    of the statement, all others are inner (a theorem is for all values of them)."""

    writer: Writer
    context: Mapping[Prop, str]
    base: frozenset[str]
    arity: Mapping[str, int]
    _names: dict[int, str] = field(default_factory=dict)
    _reach: dict[int, Reach] = field(default_factory=dict)
    _hyp_names: dict[Prop, str] = field(default_factory=dict)
    _kept: list[Thm] = field(default_factory=list)
    own: Mapping[Atom, Atom] = field(default_factory=dict)  # names of the goal's binders

    # ---- statements -----------------------------------------------------------------------

    def prop(self, p: Prop) -> str:
        w = self.writer
        return f"{w.quantified(p.binders)}{comparison(p.rel, w.t(Canon(p.poly)))}"

    def hyp(self, p: Prop) -> str:
        """The name of a hypothesis that a lemma takes as a premise."""
        return self._hyp_names.setdefault(p, f"h_{len(self._hyp_names)}")

    def reach(self, t: Thm) -> Reach:
        found = self._reach.get(id(t))
        if found is None:
            found = self._reach[id(t)] = self._reaches(t)
            self._kept.append(t)
        return found

    def _reaches(self, t: Thm) -> Reach:
        below = [self.reach(p) for p in t.premises]
        hyps = tuple(sorted((h for h in t.hyps if h not in self.context), key=self.hyp))
        indices = {i for r in below for i in r.indices}
        indices |= t.concl.poly.free - set(t.concl.binders)
        indices |= {i for h in hyps for i in h.poly.free - set(h.binders)}
        indices |= {i for d in t.data if isinstance(d, Poly) for i in d.free}
        if t.rule in ("generalize", "total"):
            indices -= set(t.data)
        if t.rule == "rewrite":
            indices -= set(t.data[2].args[1]) - t.concl.poly.free - t.data[0].free
        if t.rule == "instance":
            indices -= {d for d in t.data[1:-1] if d not in t.data[-1].free} | set(t.data[1:-1])
        if t.rule == "specialize":
            indices |= {i for v in t.data for i in v.free}
        indices = {i for i in indices if not str(i.args[0]).startswith(("#", "arg:"))}
        polys = [t.concl.poly, *(h.poly for h in hyps), *(d for d in t.data if isinstance(d, Poly))]
        inner = {x for r in below for x in r.inner}
        inner |= {x for x in self.arity if x not in self.base and any(mentions(p, x) for p in polys)}
        if t.rule == "instance":
            inner -= {t.data[0]}
        order = sorted(indices, key=lambda i: i.serial)
        return Reach(tuple(order), tuple(sorted(inner)), hyps)

    def call(
        self,
        t: Thm,
        indices: Mapping[Atom, Atom] | None = None,
        inner: Mapping[str, str] | None = None,
        hyps: Mapping[Prop, str] | None = None,
    ) -> str:
        """The lemma of a theorem applied to what it is about, by the names in scope."""
        w, r = self.writer, self.reach(t)
        rows = [(inner or {}).get(x) or w.names.variable(x) for x in r.inner]
        for i in r.indices:
            j = (indices or {}).get(i, i)
            rows += [w.names.index(j), w.within(j)]
        for h in r.hyps:
            rows.append((hyps or {}).get(h) or self.hyp(h))
        return f"({self._names[id(t)]} {' '.join(rows)})" if rows else self._names[id(t)]

    # ---- emission -------------------------------------------------------------------------

    def prove(self, t: Thm) -> str:
        """Assert every theorem below t; the name of t's lemma."""
        stack = [t]
        while stack:
            top = stack[-1]
            todo = [p for p in top.premises if id(p) not in self._names]
            if todo:
                stack.extend(todo)
                continue
            stack.pop()
            if id(top) not in self._names:
                self._lemma(top)
        return self._names[id(t)]

    def _lemma(self, t: Thm) -> None:
        w, r = self.writer, self.reach(t)
        name = w.fresh("T")
        variables = "".join(
            f" ({w.names.variable(x)} : {arrows(self.arity[x])})" for x in r.inner
        )
        head = f"forall{variables}, " if variables else ""
        head += w.quantified(r.indices)
        head += "".join(f"({self.prop(h)}) -> " for h in r.hyps)
        w.put(f"(* {t.rule} *)")
        w.put(f"assert ({name} : {head}{self.prop(t.concl)}).")
        with w.block():
            words = [w.names.variable(x) for x in r.inner]
            words += [x for i in r.indices for x in (index_name(i), f"H{index_name(i)}")]
            words += [self.hyp(h) for h in r.hyps]
            self.own = fresh_names(t.concl.binders)
            words += [x for b in self.own.values() for x in (index_name(b), f"H{index_name(b)}")]
            if words:
                w.put(f"intros {' '.join(words)}.")
            RULES[t.rule](self, t) if t.rule in RULES else self._unknown(t)
        self._names[id(t)] = name

    def _unknown(self, t: Thm) -> None:
        raise NotExported(f"the rule {t.rule}")

    # ---- what rules are made of --------------------------------------------------------------

    @property
    def row(self) -> str:
        """The goal's binders and their bounds, as arguments."""
        return " ".join(f"{index_name(b)} H{index_name(b)}" for b in self.own.values())

    def pose(self, name: str, t: Thm, indices: Mapping[Atom, Atom] | None = None) -> E:
        """Name a premise's conclusion; its tree."""
        w = self.writer
        p = t.concl
        w.put(f"assert ({name} : {self.prop(p) if not indices else self._moved(p, indices)}).")
        w.put(f"{{ exact {self.call(t, indices)}. }}")
        return Canon(p.poly)

    def _moved(self, p: Prop, indices: Mapping[Atom, Atom]) -> str:
        w = self.writer
        return w.quantified(p.binders) + comparison(p.rel, w.t(renamed(Canon(p.poly), indices)))

    def equal(self, e: E, want: Poly, what: str = "a normal form") -> str | None:
        """A lemma `e = canonical text of want`."""
        p, step = self.writer.norm(e)
        if p is not want:
            raise NotExported(f"{what} that the export does not follow")
        return step

    def conclude(self, t: Thm, e: E, proof: Sequence[str]) -> None:
        """Close the goal from a proof of `e rel 0`."""
        w = self.writer
        goal = renamed(Canon(t.concl.poly), self.own)
        want, back = w.norm(goal)
        step = self.equal(e, want)
        w.put(f"assert (C : {comparison(t.concl.rel, w.t(e))}).")
        with w.block():
            for line in proof:
                w.put(line)
        if step is not None:
            w.put(f"try rewrite {step} in C.")
        if back is not None:
            w.put(f"try rewrite {back}.")
        w.put("exact C.")

    def from_equal(self, name: str, source: str, rel: str, e: E, want: Poly) -> None:
        """Assert `e rel 0` from `source : canonical text of want rel 0`."""
        w = self.writer
        step = self.equal(e, want)
        w.put(f"assert ({name} : {comparison(rel, w.t(e))}).")
        w.put(f"{{ {f'try rewrite {step}; ' if step else ''}exact {source}. }}")


def fresh_names(binders: Sequence[Atom]) -> dict[Atom, Atom]:
    """Canonical names print alike at different depths: no term is put under them as they are."""
    return {b: n.fresh(b.args[1]) for b in binders}


def arrows(count: int) -> str:
    return " -> ".join(["nat"] * count + ["R"])


Rule = Callable[[Replay, Thm], None]
RULES: dict[str, Rule] = {}


def rule(f: Rule) -> Rule:
    RULES[f.__name__] = f
    return f


# ---- logic -------------------------------------------------------------------------------


@rule
def assume(c: Replay, t: Thm) -> None:
    (p,) = t.data
    name = c.context.get(p) or c.hyp(p)
    c.writer.put(f"exact ({name} {c.row})." if c.own else f"exact {name}.")


@rule
def specialize(c: Replay, t: Thm) -> None:
    (premise,), w = t.premises, c.writer
    p = premise.concl
    e = renamed(Canon(p.poly), dict(zip(p.binders, t.data, strict=True)))
    own = " ".join(f"{w.names.index(v)} {w.within(v)}" for v in t.data)
    c.conclude(t, e, [f"exact ({c.call(premise)} {own})." if own else f"exact {c.call(premise)}."])


@rule
def generalize(c: Replay, t: Thm) -> None:
    (premise,) = t.premises
    p, binders = premise.concl.poly, t.concl.binders
    for row in itertools.permutations(t.data, len(binders)):
        names = dict(zip(row, binders, strict=True))
        fits = all(i.args[1] is b.args[1] for i, b in names.items())
        if fits and n.substitute(p, names) is t.concl.poly:
            break
    else:
        raise NotExported("a generalisation that the export does not follow")
    zero = {i: n.index_const(ZERO, i.args[1]) for i in t.data if i not in names}
    moved = {**{i: c.own[b] for i, b in names.items()}, **zero}
    c.conclude(t, renamed(Canon(p), moved), [f"exact {c.call(premise, moved)}."])


@rule
def cut(c: Replay, t: Thm) -> None:
    main, lemma = t.premises
    made = c.call(main, hyps={lemma.concl: c.call(lemma)})
    c.writer.put(f"exact ({made} {c.row})." if c.own else f"exact {made}.")


@rule
def cases(c: Replay, t: Thm) -> None:
    (p,), (above, below), w = t.data, t.premises, c.writer
    low = n.scale(p, -1)
    step = c.equal(Mul((Num(Fraction(-1)), Canon(p))), low)
    w.put(f"destruct (Rle_dec 0 {w.t(Canon(p))}) as [Hup|Hdown].")
    first = c.call(above, hyps={Prop("ge", p): "Hup"})
    w.put(f"- exact ({first} {c.row})." if c.own else f"- exact {first}.")
    w.put(f"- assert (Hd : 0 <= -1 * {w.t(Canon(p))}) by lra.")
    if step is not None:
        w.put(f"  replace (-1 * {w.t(Canon(p))}) with {w.t(Canon(low))} in Hd by (symmetry; fin).")
    second = c.call(below, hyps={Prop("ge", low): "Hd"})
    w.put(f"  exact ({second} {c.row})." if c.own else f"  exact {second}.")


@rule
def absurd(c: Replay, t: Thm) -> None:
    c.pose("A", t.premises[0])
    c.writer.put("exfalso; lra.")


@rule
def weaken(c: Replay, t: Thm) -> None:
    c.pose("A", t.premises[0])
    rel = (t.premises[0].concl.rel, t.concl.rel)
    how = {"gt": "apply Rlt_le", "ne": "apply pos_ne"}
    c.writer.put(
        "apply ge_of_eq; exact A."
        if rel[0] == "eq"
        else f"{how['gt' if rel[1] == 'ge' else 'ne']}; exact A."
    )


@rule
def opposite(c: Replay, t: Thm) -> None:
    a = c.pose("A", t.premises[0])
    c.conclude(t, Mul((Num(Fraction(-1)), a)), ["first [lra | intro B; apply A; lra]."])


@rule
def combine(c: Replay, t: Thm) -> None:
    first, second = t.premises
    a, b = c.pose("A", first), c.pose("B", second)
    if second.concl.rel == "ne":
        c.writer.put("apply zero_or_not; assumption.")
        return
    c.from_equal("D", "A", "ge", Mul((Num(Fraction(-1)), b)), first.poly)
    del a
    c.writer.put("apply Rle_antisym; lra.")


# ---- facts -------------------------------------------------------------------------------


@rule
def evident(c: Replay, t: Thm) -> None:
    w, p = c.writer, t.concl.poly
    tactic = {"ge": "nn", "gt": "pos", "ne": "apply pos_ne; pos"}[t.concl.rel]
    if all(k > 0 for k in p.terms.values()):
        w.put(f"{tactic}.")
        return
    dims = {a: None for m in p.terms for a, k in m if a.kind == "dim" and k > 0}
    for a in dims:
        text = w.t(Canon(of_atom(a)))
        w.put(f"assert (1 <= {text}) by (apply (le_INR 1); below).")
    w.put("first [lra | nra].")


@rule
def square(c: Replay, t: Thm) -> None:
    c.conclude(t, Pow(Canon(t.data[0]), 2), ["apply square_ge."])


@rule
def exp_above_tangent(c: Replay, t: Thm) -> None:
    u = Canon(t.data[0])
    c.conclude(t, Sub(Sub(Fn("exp", (u,)), u), ONE_E), ["apply exp_lem."])


@rule
def log_below_tangent(c: Replay, t: Thm) -> None:
    x = Canon(t.data[0])
    c.conclude(t, Sub(Sub(x, ONE_E), Fn("ln", (x,))), ["apply ln_lem; pos."])


@rule
def relu_above(c: Replay, t: Thm) -> None:
    u = Canon(t.data[0])
    c.conclude(t, Sub(Fn("relu", (u,)), u), ["apply relu_above."])


@rule
def relu_at(c: Replay, t: Thm) -> None:
    u = c.pose("A", t.premises[0])
    c.conclude(t, Sub(Fn("relu", (u,)), u), ["rewrite relu_at by exact A; ring."])


@rule
def relu_flip(c: Replay, t: Thm) -> None:
    u = Canon(t.data[0])
    minus = Mul((Num(Fraction(-1)), u))
    e = Sub(Sub(Fn("relu", (u,)), Fn("relu", (minus,))), u)
    text = c.writer.t(u)
    proof = f"replace (-1 * {text}) with (- {text}) by ring; apply relu_flip."
    c.conclude(t, e, [proof])


@rule
def cancel(c: Replay, t: Thm) -> None:
    q, k, _ = t.data
    base = Canon(q)
    lower = power(base, k - 1) if k != 1 else ONE_E
    raised = power(base, k) if k else ONE_E
    c.conclude(t, Sub(Mul((base, lower)), raised), ["inverses; first [ring | field; nz]."])


@rule
def indicator_at(c: Replay, t: Thm) -> None:
    (premise,) = t.premises
    u, rel = c.pose("A", premise), premise.concl.rel
    match rel:
        case "ge" | "eq":
            name = f"{rel}0"
            c.conclude(t, Sub(Fn(name, (u,)), ONE_E), [f"rewrite {name}_true by exact A; ring."])
        case "ne":
            c.conclude(t, Fn("eq0", (u,)), ["apply eq0_false; exact A."])
        case _:
            minus = Mul((Num(Fraction(-1)), u))
            c.conclude(t, Fn("ge0", (minus,)), ["apply ge0_false; lra."])


@rule
def gate(c: Replay, t: Thm) -> None:
    u, up = Canon(t.data[0]), t.data[1]
    bit: E = Fn("ge0", (u,))
    if up:
        c.conclude(t, Mul((bit, u)), ["apply gate_open."])
    else:
        c.conclude(t, Mul((Sub(bit, ONE_E), u)), ["apply gate_closed."])


@rule
def at_most_one(c: Replay, t: Thm) -> None:
    a = next(a for m in t.concl.poly.terms for a, _ in m)
    how = {"ge0": "ge0_bit", "eq0": "eq0_bit", "d": "delta_bit"}.get(a.kind)
    proof = f"apply bit_below, {how}." if how else "apply bit_below; known."
    c.conclude(t, Sub(ONE_E, Canon(of_atom(a))), [proof])


@rule
def index_below(c: Replay, t: Thm) -> None:
    i = next(a.args[0] for m in t.concl.poly.terms for a, _ in m if a.kind == "ixval")
    w = c.writer
    e = Sub(Sub(Size(n.size_of(i)), ONE_E), Ix(i))
    below = f"assert (L : ({w.names.index(i)} < {w.names.nat(n.size_of(i))})%nat) by below."
    c.conclude(t, e, [below, "apply index_gap; exact L."])


@rule
def selected(c: Replay, t: Thm) -> None:
    i, j = t.data
    w, kind = c.writer, i.args[0]
    ((b,), body) = i.args[1][0].args
    at = [renamed(Canon(body), {b: x}) for x in (j, i)]
    e = Sub(*at) if kind == "argmin" else Sub(at[1], at[0])
    lemma = "argmin_least" if kind == "argmin" else "argmax_most"
    f = f"(fun {index_name(b)} => {w.t(Canon(body))})"
    call = f"{lemma} {w.names.nat(b.args[1])} {f} {w.names.index(j)} {w.within(j)}"
    c.conclude(t, e, [f"pose proof ({call}) as L; cbv beta in L; lra."])


@rule
def bounded(c: Replay, t: Thm) -> None:
    a = next(a for m in t.concl.poly.terms for a, _ in m)
    side = int(t.data[0])
    if a.args[0] not in ("sin", "cos"):
        raise NotExported(f"bounds of {a.args[0]}")
    text = c.writer.t(Canon(a.args[1]))
    bound = f"pose proof ({a.args[0].upper()}_bound {text}); lra."
    e = Sub(ONE_E, Mul((Num(Fraction(side)), Canon(of_atom(a)))))
    c.conclude(t, e, [bound])


# ---- arithmetic --------------------------------------------------------------------------


@rule
def linear(c: Replay, t: Thm) -> None:
    w = c.writer
    rows: list[E] = []
    proof: list[str] = []
    for k, (f, p) in enumerate(zip(t.data, t.premises, strict=True)):
        e = c.pose(f"A{k}", p)
        term: E = e if f is ONE else Mul((Canon(f), e))
        rows.append(term)
        proof.append(_scaled(c, k, f, p, term))
    if not rows:
        c.conclude(t, Num(Fraction(0)), ["lra."])
        return
    whole = rows[0] if len(rows) == 1 else Add(tuple(rows))
    if len(rows) == 1:
        close = "first [exact D0 | lra]."
    else:
        names = " ".join(f"D{k}" for k in range(len(rows)))
        texts = opaque(w.t(x) for x in rows)
        close = f"revert {names}; {f'generalize {texts}; ' if texts else ''}intros; lra."
    c.conclude(t, whole, [*proof, close])


def opaque(texts: Iterable[str]) -> str:
    """The terms to generalize (numerals stay)."""
    return " ".join(x for x in dict.fromkeys(texts) if not x.isdigit())


def _scaled(c: Replay, k: int, f: Poly, p: Thm, term: E) -> str:
    """D_k: factor * premise rel 0."""
    rel, text = p.concl.rel, c.writer.t(term)
    if f is ONE:
        return f"assert (D{k} : {comparison(rel, text)}) by exact A{k}."
    if rel == "eq":
        how = f"apply times_zero; exact A{k}"
    elif rel == "gt" and n.positive(f):
        how = f"apply times_gt; [pos | exact A{k}]"
    else:
        weak = f"exact A{k}" if rel == "ge" else f"apply Rlt_le; exact A{k}"
        how, rel = f"apply times_ge; [nn | {weak}]", "ge"
    return f"assert (D{k} : {comparison(rel, text)}) by ({how})."


@rule
def times(c: Replay, t: Thm) -> None:
    a, b = (c.pose(x, p) for x, p in zip("AB", t.premises, strict=True))
    rel = t.concl.rel
    weak = {
        "ge": "first [assumption | apply Rlt_le; assumption]",
        "gt": "assumption",
        "ne": "first [assumption | apply pos_ne; assumption]",
    }[rel]
    c.conclude(t, Mul((a, b)), [f"apply times_{rel}; {weak}."])


@rule
def raise_to(c: Replay, t: Thm) -> None:
    a = c.pose("A", t.premises[0])
    c.conclude(t, power(a, t.data[0]), ["pos."])


@rule
def same_power(c: Replay, t: Thm) -> None:
    p, q, k, _, _ = t.data
    w = c.writer
    c.pose("A", t.premises[0])
    gap = Sub(Canon(p), Canon(q))
    c.from_equal("B", "A", "eq", gap, t.premises[0].poly)
    e = Sub(power(Canon(p), k), power(Canon(q), k))
    c.conclude(t, e, [f"replace {w.t(Canon(p))} with {w.t(Canon(q))} by lra; ring."])


@rule
def total(c: Replay, t: Thm) -> None:
    (i,), (premise,), w = t.data, t.premises, c.writer
    e = Sum(i, Canon(premise.poly))
    own = f"{index_name(i)} H{index_name(i)}"
    how = {
        "eq": "apply rsum_eq_zero",
        "ge": "apply rsum_nonneg",
        "gt": "apply rsum_pos; [below | ]",
    }[t.concl.rel]
    c.conclude(t, e, [f"{how}; intros {own}; exact {c.call(premise)}."])
    del w


@rule
def divide(c: Replay, t: Thm) -> None:
    whole, by = t.premises
    q = c.pose("Q", by)
    c.pose("A", whole)
    product = Mul((q, Canon(t.concl.poly)))
    rel = t.concl.rel
    c.from_equal("B", "A", rel, product, whole.poly)
    _divided(c, rel, by.concl.rel, c.writer.t(q))


def _divided(c: Replay, rel: str, sign: str, q: str) -> None:
    if rel == "ne":
        c.writer.put(f"exact (divide_ne {q} _ B).")
        return
    strict = "exact Q" if sign == "gt" else ""
    nonzero = "apply pos_ne; exact Q" if sign == "gt" else "exact Q"
    c.writer.put(
        f"apply (divide_{rel} {q}); [{nonzero if rel == 'eq' else strict} | exact B]."
    )


@rule
def divide_power(c: Replay, t: Thm) -> None:
    whole, by = t.premises
    a, k = t.data
    c.pose("Q0", by)
    c.pose("A", whole)
    raised = power(Canon(by.poly), k)
    w, rel = c.writer, t.concl.rel
    strict = by.concl.rel == "gt"
    goal = comparison("gt" if strict else "ne", w.t(raised))
    w.put(f"assert (Q : {goal}) by ({'pos' if strict else 'nz'}).")
    product = w.t(Mul((raised, Canon(t.concl.poly))))
    w.put(f"assert (S : {product} = {w.t(Canon(whole.poly))}).")
    with w.block():  # powers of the base cancel before they are expanded: no normal form
        w.ring([t.concl.poly, of_atom(a, k), whole.poly])
    w.put(f"assert (B : {comparison(rel, product)}) by (rewrite S; exact A).")
    _divided(c, rel, "gt" if strict else "ne", w.t(raised))


@rule
def root(c: Replay, t: Thm) -> None:
    y = c.pose("A", t.premises[0])
    c.pose("S", t.premises[1])
    x = Canon(t.data[0])
    squares = Sub(Mul((y, y)), Mul((x, x)))
    c.from_equal("B", "S", "ge", squares, t.premises[1].poly)
    c.conclude(t, Sub(y, x), ["apply root_ge; assumption."])


# ---- from a zero to the zeros of its parts -------------------------------------------------


@rule
def zero_part(c: Replay, t: Thm) -> None:
    whole, *parts = t.premises
    w = c.writer
    c.pose("Z", whole)
    rows = [c.pose(f"A{k}", p) for k, p in enumerate(parts)]
    e = rows[0] if len(rows) == 1 else Add(tuple(rows))
    c.from_equal("B", "Z", "eq", e, whole.poly)
    names = " ".join(f"A{k}" for k in range(len(rows)))
    texts = opaque(w.t(x) for x in rows)
    w.put(f"clear Z; revert B {names}; {f'generalize {texts}; ' if texts else ''}intros; lra.")


@rule
def zero_summand(c: Replay, t: Thm) -> None:
    whole, summand = t.premises
    (i,), w = t.data, c.writer
    c.pose("Z", whole)
    e = Sum(i, Canon(summand.poly))
    c.from_equal("B", "Z", "eq", e, whole.poly)
    own, size = index_name(i), w.names.nat(i.args[1])
    f = f"(fun {own} => {w.t(Canon(summand.poly))})"
    w.put(f"refine (rsum_zero {size} {f} _ B {own} H{own}).")
    w.put(f"clear {own} H{own}; intros {own} H{own}; exact {c.call(summand)}.")


@rule
def zero_root(c: Replay, t: Thm) -> None:
    (zero,), p = t.premises, t.data[0]
    c.pose("Z", zero)
    e, x = Canon(p), n.add(p, ONE)
    if zero.poly is n.power(p, 2):
        c.from_equal("B", "Z", "eq", Pow(e, 2), zero.poly)
        c.writer.put("apply square_zero; exact B.")
    elif zero.poly is n.sub(n.exp(p), n.add(p, ONE)):
        c.from_equal("B", "Z", "eq", Sub(Sub(Fn("exp", (e,)), e), ONE_E), zero.poly)
        c.writer.put("apply exp_zero; exact B.")
    else:
        whole = Canon(x)
        c.from_equal("B", "Z", "eq", Sub(Sub(whole, ONE_E), Fn("ln", (whole,))), zero.poly)
        c.conclude(t, Sub(whole, ONE_E), ["apply ln_zero; [pos | exact B]."])


@rule
def zero_base(c: Replay, t: Thm) -> None:
    p, k = t.data
    c.pose("Z", t.premises[0])
    e = Canon(p)
    c.from_equal("B", "Z", "eq", power(e, k), t.premises[0].poly)
    w, text = c.writer, c.writer.t(e)
    if k.denominator == 1:
        w.put(f"apply (pow_zero {int(k)}); exact B." if k != 1 else "exact B.")
        return
    whole = int(2 * k)
    w.put(f"apply sqrt_zero_base; [nn | {f'apply (pow_zero {whole})' if whole > 1 else 'idtac'}; exact B].")  # noqa: E501
    del text


# ---- substitution ------------------------------------------------------------------------


@rule
def instance(c: Replay, t: Thm) -> None:
    name, *rest = t.data
    formals, value = tuple(rest[:-1]), rest[-1]
    main, w = t.premises[0], c.writer
    if any(_signed(x, name) for x in (main.concl.poly, *(h.poly for h in main.hyps))):
        raise NotExported("an instance of a variable with a sign")
    hyps: dict[Prop, str] = {}
    for k, h in enumerate(c.reach(main).hyps):
        hyps[h] = _instance_hyp(c, t, h, name, formals, value, f"I{k}")
    f = " ".join(index_name(i) for i in formals)
    function = f"(fun {f} => {w.t(Canon(value))})" if f else w.t(Canon(value))
    binders = _matching(main.concl, t.concl, name, formals, value)
    order = {b: c.own[x] for b, x in binders.items()}
    e = replaced(renamed(Canon(main.concl.poly), order), name, formals, Canon(value))
    made = c.call(main, inner={name: function}, hyps=hyps)
    back = " ".join(
        f"{index_name(order[b])} H{index_name(order[b])}" for b in main.concl.binders
    )
    c.conclude(t, e, [f"exact ({made} {back})." if back else f"exact {made}."])


def _matching(
    before: Prop, after: Prop, name: str, formals: tuple[Atom, ...], value: Poly
) -> dict[Atom, Atom]:
    """Which binder of the instance each binder of the theorem became."""
    free, opened_names = opened(before)
    made = n.substitute(free, {}, {name: ((formals, value),)})
    for row in itertools.permutations(after.binders, len(opened_names)):
        names = dict(zip(opened_names, row, strict=True))
        if all(a.args[1] is b.args[1] for a, b in names.items()):
            if n.substitute(made, names) is after.poly:
                return dict(zip(before.binders, row, strict=True))
    raise NotExported("an instance that loses an index")


def _instance_hyp(
    c: Replay, t: Thm, h: Prop, name: str, formals: tuple[Atom, ...], value: Poly, own: str
) -> str:
    """A proof of the instance of a hypothesis, in the form that the premise wants."""
    w, names = c.writer, fresh_names(h.binders)
    scope = tuple(names.values())
    e = replaced(renamed(Canon(h.poly), names), name, formals, Canon(value))
    p, step = w.norm(e, scope)
    for g in t.hyps:
        if g.rel != h.rel or len(g.binders) != len(h.binders):
            continue
        for row in itertools.permutations(scope):
            order = dict(zip(g.binders, row, strict=True))
            fits = all(a.args[1] is b.args[1] for a, b in order.items())
            if fits and n.substitute(g.poly, order) is p:
                return _given_hyp(c, g, e, step, scope, order, own)
    raise NotExported("a hypothesis of an instance")


def _given_hyp(
    c: Replay,
    g: Prop,
    e: E,
    step: str | None,
    scope: tuple[Atom, ...],
    order: Mapping[Atom, Atom],
    own: str,
) -> str:
    w = c.writer
    given = c.context.get(g) or c.hyp(g)
    _, back = w.norm(renamed(Canon(g.poly), order), scope)
    w.put(f"assert ({own} : {w.quantified(scope)}{comparison(g.rel, w.t(e))}).")
    with w.block():
        if scope:
            w.put(w.intros(scope).strip())
        if step is not None:
            w.put(f"try rewrite {w.applied(step, scope)}.")
        if back is not None:
            w.put(f"try rewrite <- {w.applied(back, scope)}.")
        rows = " ".join(f"{index_name(order[b])} H{index_name(order[b])}" for b in g.binders)
        w.put(f"exact ({given} {rows})." if rows else f"exact {given}.")
    return own


def _signed(p: Poly, name: str) -> bool:
    stack: list[object] = [p]
    while stack:
        x = stack.pop()
        if isinstance(x, Poly):
            stack.extend(a for m in x.terms for a, _ in m)
        elif isinstance(x, Atom):
            if x.kind == "var" and x.args[0] == name and x.args[2]:
                return True
            stack.extend(x.args)
        elif isinstance(x, tuple):
            stack.extend(x)
    return False


@rule
def rewrite(c: Replay, t: Thm) -> None:
    p, new, at = t.data
    (equation,), w = t.premises, c.writer
    name, pattern = at.args[0], at.args[1]
    value = n.sub(of_atom(at), equation.concl.poly)
    binders = equation.concl.binders
    whole = w.quantified(binders)
    rhs = w.t(Canon(value))
    w.put(f"assert (EQ : {whole}{w.t(Canon(of_atom(at)))} = {rhs}).")
    with w.block():
        names = fresh_names(binders)
        if binders:
            w.put(w.intros(names.values()).strip())
        own = " ".join(f"{index_name(b)} H{index_name(b)}" for b in names.values())
        call = f"({c.call(equation)} {own})" if own else c.call(equation)
        gap = renamed(Canon(equation.concl.poly), names)
        w.put(f"assert (G : {w.t(gap)} = 0).")
        w.put(f"{{ exact {call}. }}")
        sides = [w.t(renamed(Canon(x), names)) for x in (of_atom(at), value)]
        w.put(f"transitivity ({sides[1]} + {w.t(gap)}); [ring | rewrite G; ring].")
    order = list(binders)
    slots = tuple(i for i in pattern if i.kind == "i")
    if sorted(order, key=lambda b: b.serial) != sorted(slots, key=lambda b: b.serial):
        raise NotExported("a rewriting with loose indices")
    rewriting = Rewriting(name, "EQ", pattern, Canon(value), at.args[2], tuple(order))
    w.given[name] = rewriting
    memo, sums = dict(w._memo), dict(w._sums)
    w._memo, w._sums = {}, {}
    try:
        q, step = w.norm(Canon(p))
    finally:
        del w.given[name]
        w._memo, w._sums = memo, sums
    if q is not new:
        raise NotExported("a rewriting that the export does not follow")
    proof = f"try rewrite {step}; ring." if step else "ring."
    c.conclude(t, Sub(Canon(p), Canon(new)), [proof])


__all__ = ["RULES", "Replay", "arrows", "comparison", "factor"]
