"""The rules about terms: facts, arithmetic, zeros of parts, as Coq steps (see `replay.py`).

Each function closes the goal of one kind of step with the lemma of `GendslLib.v` behind the rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from gendsl.prove.coq.expr import (
    Add,
    Canon,
    Delta,
    E,
    Fn,
    Ix,
    Mul,
    NotExported,
    Num,
    Pow,
    Size,
    Sub,
    Sum,
    index_name,
    renamed,
)
from gendsl.prove.coq.replay import Replay, Rule, comparison
from gendsl.prove.coq.statement import power
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import ONE, Poly, of_atom

ONE_E = Num(Fraction(1))

RULES: dict[str, Rule] = {}


def rule(f: Rule) -> Rule:
    RULES[f.__name__] = f
    return f


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


@rule
def exp_strictly_above(c: Replay, t: Thm) -> None:
    u = c.pose("A", t.premises[0])
    c.conclude(t, Sub(Sub(Fn("exp", (u,)), u), ONE_E), ["apply exp_strict; exact A."])


@rule
def staircase(c: Replay, t: Thm) -> None:
    i, j = t.data
    gap = Sub(Ix(i), Ix(j))
    rise = Sub(Fn("ge0", (gap,)), Fn("ge0", (Sub(gap, ONE_E),)))
    c.conclude(t, Sub(rise, Delta(i, j)), ["apply staircase."])


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
        close = f"revert {names}; {f'generalize {texts}; ' if texts else ''}clear; intros; lra."
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
def same_image(c: Replay, t: Thm) -> None:
    x, name = t.data[0], {"exp": "exp", "log": "ln"}[t.data[1]]
    (premise,) = t.premises
    y = n.sub(x, premise.poly)
    c.pose("A", premise)
    c.from_equal("B", "A", "eq", Sub(Canon(x), Canon(y)), premise.poly)
    e = Sub(Fn(name, (Canon(x),)), Fn(name, (Canon(y),)))
    c.conclude(t, e, [f"replace {c.writer.t(Canon(x))} with {c.writer.t(Canon(y))} by lra; ring."])


@rule
def power_of_product(c: Replay, t: Thm) -> None:
    k, rows = t.data[0], [c.pose(x, p) for x, p in zip("AB", t.premises, strict=True)]
    e = Sub(power(Mul(tuple(rows)), k), Mul(tuple(power(x, k) for x in rows)))
    split = "" if k.denominator == 1 else "rewrite sqrt_mult by nn; "
    c.conclude(t, e, [f"{split}first [ring | inverses; ring | field; nz]."])


@rule
def log_of_product(c: Replay, t: Thm) -> None:
    rows = [c.pose(x, p) for x, p in zip("AB", t.premises, strict=True)]
    left, right = (Fn("ln", (x,)) for x in rows)
    e = Sub(Fn("ln", (Mul(tuple(rows)),)), Add((left, right)))
    c.conclude(t, e, ["rewrite ln_mult by assumption; ring."])


@rule
def total(c: Replay, t: Thm) -> None:
    (i,), (premise,) = t.data, t.premises
    e = Sum(i, Canon(premise.poly))
    own = f"{index_name(i)} H{index_name(i)}"
    how = {
        "eq": "apply rsum_eq_zero",
        "ge": "apply rsum_nonneg",
        "gt": "apply rsum_pos; [below | ]",
    }[t.concl.rel]
    c.conclude(t, e, [f"{how}; intros {own}; exact {c.call(premise)}."])


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
    c.writer.put(f"apply (divide_{rel} {q}); [{nonzero if rel == 'eq' else strict} | exact B].")


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
    w = c.writer
    if k.denominator == 1:
        w.put(f"apply (pow_zero {int(k)}); exact B." if k != 1 else "exact B.")
        return
    whole = int(2 * k)
    inner = f"apply (pow_zero {whole}); " if whole > 1 else ""
    w.put(f"apply sqrt_zero_base; [nn | {inner}exact B].")
