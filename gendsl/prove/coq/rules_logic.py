"""The rules of logic and substitution, as Coq steps (see `replay.py`)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction

from gendsl.prove.coq.expr import (
    Canon,
    E,
    Mul,
    NotExported,
    Num,
    Sub,
    index_name,
    renamed,
    replaced,
)
from gendsl.prove.coq.normalise import Rewriting
from gendsl.prove.coq.replay import Replay, Rule, comparison, fresh_names
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.rules import Prop, Thm, opened
from gendsl.prove.kernel.term import ZERO, Atom, Poly, of_atom

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


# ---- substitution ------------------------------------------------------------------------


@rule
def instance(c: Replay, t: Thm) -> None:
    name, *rest = t.data
    formals, value = tuple(rest[:-1]), rest[-1]
    main, w = t.premises[0], c.writer
    signed = {(name, "+"), (name, "0+")}
    if any(signed & x.names for x in (main.concl.poly, *(h.poly for h in main.hyps))):
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
    back = " ".join(f"{index_name(order[b])} H{index_name(order[b])}" for b in main.concl.binders)
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
    with w.rewriting(rewriting):
        q, step = w.norm(Canon(p))
    if q is not new:
        raise NotExported("a rewriting that the export does not follow")
    proof = f"try rewrite {step}; ring." if step else "ring."
    c.conclude(t, Sub(Canon(p), Canon(new)), [proof])
