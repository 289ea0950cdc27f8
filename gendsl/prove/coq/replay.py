"""Kernel proof objects as Coq steps: one lemma for each theorem, proved from its premises.

In: a theorem, a `Writer`, the propositions that the Coq context already holds. Out: steps that
assert each theorem of the proof object: for all indices and inner variables that it is about, from
those of its hypotheses that the context does not hold, its conclusion. The statement of each lemma
is the kernel's conclusion in canonical text; its proof applies the lemma of `GendslLib.v` behind
the rule to the premises, and `normalise.py` proves the normal-form step that the rule computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gendsl.prove.coq.expr import (
    Canon,
    E,
    NotExported,
    index_name,
    renamed,
)
from gendsl.prove.coq.normalise import Writer
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.rules import Prop, Thm
from gendsl.prove.kernel.term import Atom, Poly


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


Rule = Callable[["Replay", Thm], None]


@dataclass(frozen=True)
class Reach:
    """What a theorem is about: free indices and inner variables (its own and those of premises),
    and the hypotheses that it needs as premises."""

    indices: tuple[Atom, ...]
    inner: tuple[str, ...]
    hyps: tuple[Prop, ...]


@dataclass
class Replay:
    """`context` maps propositions that hold in the Coq context to names; `base` are the variables
    of the statement, all others are inner (a theorem is for all values of them)."""

    writer: Writer
    rules: Mapping[str, Rule]
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
        inner |= {x for x in self.arity if x not in self.base and any(x in p.names for p in polys)}
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
        variables = "".join(f" ({w.names.variable(x)} : {arrows(self.arity[x])})" for x in r.inner)
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
            if t.rule not in self.rules:
                raise NotExported(f"the rule {t.rule}")
            self.rules[t.rule](self, t)
        self._names[id(t)] = name

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
