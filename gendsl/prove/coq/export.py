"""A proved claim as Coq text: one theorem for each of its sequents.

In: a claim, its outcome, the graph's names. Out: `Theorem`s: statement and proof, or the reason why
there is none. The statement is printed from the graph nodes of the sequent (`statement.py`): sizes
are natural numbers above 0, declared ranges and the claim's hypotheses are premises, bounded
quantifiers range over the entries. Named results of nets are variables: what holds for all values
holds for the net's. The proof replays the kernel's proof object (`replay.py`) and connects it to
the statement by normal-form steps.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gendsl.core import claim as c
from gendsl.ir.graph import Node, ParamInfo, reachable
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import unary as un
from gendsl.prove import export_lean as lean
from gendsl.prove.budget import undisturbed
from gendsl.prove.case import Outcome
from gendsl.prove.coq import running
from gendsl.prove.coq.direct import direct
from gendsl.prove.coq.expr import (
    Canon,
    E,
    Names,
    NotExported,
    Sub,
    index_name,
    renamed,
)
from gendsl.prove.coq.header import (
    Part,
    Row,
    Theorem,
    binders,
    compared,
    coq_names,
    least_sizes,
    limits,
    names_in,
    written,
)
from gendsl.prove.coq.normalise import Writer
from gendsl.prove.coq.replay import Replay, arrows, comparison, fresh_names
from gendsl.prove.coq.rules_logic import RULES as LOGIC
from gendsl.prove.coq.rules_terms import RULES as TERMS
from gendsl.prove.coq.statement import Source
from gendsl.prove.coq.whole import whole
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.normal import KernelError
from gendsl.prove.kernel.rules import Prop, Thm, prop
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly
from gendsl.prove.props import Comparison
from gendsl.prove.sequent import Proof, Sequent, Setting, prove, visible
from gendsl.prove.terms import indices, size
from gendsl.shape.tensor_type import Bool, Fin


@dataclass(frozen=True)
class Export:
    """The theorems of a claim, or the reason why it has none."""

    claim: str
    theorems: tuple[Theorem, ...] = ()
    reason: str = ""


def export(
    claim: c.Claim, outcome: Outcome, setting: Setting, stem: str, params: Mapping[str, ParamInfo]
) -> Export:
    """The theorems of one proved claim; `stem` starts their names, `params` are the graph's."""
    name = f"{claim.subject}.{claim.name}" if claim.subject else claim.name
    own = re.sub(r"\W", "_", f"{stem}_{name}")
    try:
        if not outcome.proofs:
            return Export(name, direct(claim, setting, own, _proved, params))
        parts = [_theorem(p, setting, f"{own}_{k}") for k, p in enumerate(outcome.proofs, 1)]
        last = whole(claim, [x for _, x in parts], setting, own)
    except (NotExported, KernelError, RecursionError) as problem:
        try:
            return Export(name, running.theorem(claim, setting, own))
        except NotExported:
            return Export(name, reason=str(problem) or type(problem).__name__)
    return Export(name, (*(t for t, _ in parts), last))


PARTIAL = (ar.Div, ar.Reciprocal, ar.Power, un.Log, un.Log1p, un.Sqrt, un.Rsqrt)


SECONDS = 8.0  # for a sequent that only the theorem in Coq needs


def _proved(sequent: Sequent, setting: Setting, name: str) -> tuple[Theorem, Part]:
    """A sequent that the claim's theorem is made from and the prover did not need."""
    deadline = time.process_time() + SECONDS
    n.stop_at(deadline)
    try:
        with undisturbed():
            found = prove(sequent, replace(setting, deadline=deadline))
    finally:
        n.stop_at(float("inf"))
    if found is None:
        raise NotExported("a step that the theorem needs is not proved")
    return _theorem(found, setting, name)


def _theorem(p: Proof, setting: Setting, name: str) -> tuple[Theorem, Part]:
    """With as much of the graph shown as possible: nodes that the proof does not open are variables
    only where they cannot be printed (the theorem is then for all values of them)."""
    for depth in ("opened", "shown"):
        try:
            made = Exporter(p, setting, name, depth)
            return made.theorem(), made.part()
        except NotExported:
            if depth == "shown":
                raise
    raise NotExported("no reading")


def _without_divisors(stands: Mapping[Node, str], roots: list[Node]) -> dict[Node, str]:
    """Without the nodes that are divided by, or that a root or logarithm is taken of: that these
    are defined is part of the claim, and needs their terms."""
    kept = dict(stands)
    while True:
        shown = visible(roots, frozenset(kept))
        found = {_source(x.inputs[-1], kept) for x in shown if isinstance(x.op, PARTIAL)}
        if not found & set(kept):
            return kept
        for x in found:
            kept.pop(x, None)


def _source(x: Node, stands: Mapping[Node, str]) -> Node:
    while x not in stands and isinstance(x.op, br.Broadcast):
        x = x.inputs[0]
    return x


@dataclass(frozen=True)
class _Fact:
    """A premise of the theorem: its name, its text, and the kernel proposition it stands for."""

    name: str
    text: str
    prop: Prop
    tree: E  # the left side minus the right side, at the axes `at`
    at: tuple[Atom, ...]
    rel: str
    key: tuple[object, ...]


class Exporter:
    """`depth`: "opened" has variables where the theorem has them, "shown" also for nodes that the
    proof did not open."""

    def __init__(self, proof: Proof, setting: Setting, name: str, depth: str) -> None:
        self.proof, self.setting, self.name = proof, setting, name
        stands = dict(proof.reader.abstract)
        if depth == "shown":
            stands |= {x: f"%{x.id}" for x in proof.opaque}
        if not proof.theorem.concl.poly.terms:  # an identity: the theorem mentions no variable
            stands = _without_divisors(stands, proof.sequent.nodes)
        self.source = Source(stands)
        self.goal = proof.sequent.goal
        self.at = indices(max(self.goal.left.type.shape, self.goal.right.type.shape, key=len))
        self.sides = self._sides(self.goal, self.at)
        self.givens = []
        for q in proof.sequent.given:
            at = indices(max(q.left.type.shape, q.right.type.shape, key=len))
            self.givens.append((q, at, self._sides(q, at)))
        self.thms = [proof.theorem, *proof.conditions]
        self.inner = self._variables()
        own = sorted({*self.source.arity, *self.inner})
        taken = {f"d{d}" for d in names_in(self._sizes())}
        self.names = Names(coq_names(setting.build, own, self.source.nodes, taken))
        self.names.atoms.update(self._atoms())

    # ---- variables ------------------------------------------------------------------------

    def _sides(self, q: Comparison, at: tuple[Atom, ...]) -> tuple[E, E]:
        if isinstance(q.left.type.elem, Fin):
            raise NotExported("a comparison of indices")
        rows = []
        for x in (q.left, q.right):
            own = at if x.type.shape else ()
            boolean = isinstance(x.type.elem, Bool)
            rows.append(self.source.truth(x, own) if boolean else self.source.real(x, own))
        return rows[0], rows[1]

    def _variables(self) -> dict[str, tuple[int, str]]:
        """All variables of the proof objects: number of indices, sign."""
        found: dict[str, tuple[int, str]] = {}
        self.seen: set[object] = set()
        stack: list[object] = [*self.thms]
        while stack:
            x = stack.pop()
            if isinstance(x, Thm):
                if id(x) in self.seen:
                    continue
                self.seen.add(id(x))
                stack += [*x.premises, x.concl.poly, *(h.poly for h in x.hyps), *x.data]
            elif isinstance(x, tuple):
                stack += list(x)
            elif isinstance(x, Prop):
                stack.append(x.poly)
            elif isinstance(x, Poly | Atom) and x not in self.seen:
                self.seen.add(x)
                if isinstance(x, Poly):
                    stack += [a for m in x.terms for a, _ in m]
                    continue
                stack += list(x.args)
                if x.kind == "var":
                    found[x.args[0]] = (len(x.args[1]), x.args[2])
        return found

    def _atoms(self) -> dict[str, tuple[str, str]]:
        """The kernel's atoms of the variables of the statement."""
        found = {x: ("var", sign) for x, (_, sign) in self.inner.items()}
        for x, (_, kind) in self.source.arity.items():
            if kind == "bool":
                found[x] = ("bool", "")
            elif kind == "real" and x not in found:
                found[x] = ("var", self._sign(x))
        return found

    def _sign(self, name: str) -> str:
        """The sign that the reader gives to a leaf."""
        node = self.source.nodes[name]
        if name in self.proof.reader.abstract.values() or name.startswith("%"):
            return ""
        p = self.proof.reader.real(node, indices(node.type.shape))
        single = p.single()
        return str(single[0][0][0].args[2]) if single and single[0] else ""

    # ---- the theorem ------------------------------------------------------------------------

    def theorem(self) -> Theorem:
        w = self.writer = Writer(self.names)
        facts = self._facts()
        arity = {**{x: k for x, (k, _) in self.inner.items()}}
        arity |= {x: k for x, (k, kind) in self.source.arity.items() if kind != "index"}
        context: dict[Prop, str] = {}
        self.replay = Replay(w, {**LOGIC, **TERMS}, context, frozenset(self.source.arity), arity)
        self._signs()
        for f in facts:
            if f.prop not in context:
                context[f.prop] = self._kernel_fact(f)
        for t in self.proof.conditions:
            self.replay.prove(t)
            self._condition(t)
        root = self.replay.prove(self.proof.theorem)
        del root
        self._close()
        body, goal = "\n".join(w.lines), self._goal_text()
        rows = [*binders(w, self.source, self._dims(), self._arguments())]
        rows += [Row(f.key, (f.name,), f"({f.name} : {f.text})") for f in facts]
        statement = written(self.name, rows, goal)
        intros = f"  intros {' '.join(x for row in rows for x in row.args)}.\n"
        self.rows = tuple(rows)
        text = f"{statement}\nProof.\n{intros}{body}\nQed.\n"
        return Theorem(self.name, statement, text, self._lean(facts))

    def part(self) -> Part:
        """What the theorem of the claim needs of this one."""
        roots, dims = tuple(self.proof.sequent.nodes), frozenset(self._dims())
        return Part(self.name, self.rows, self.source, roots, dims, tuple(self._arguments()))

    def _lean(self, facts: Sequence[_Fact]) -> str:
        """The statement in Lean."""
        premises = [
            lean.Claim(f.name, f.at, f.rel, f.tree.left, f.tree.right)
            for f in facts
            if isinstance(f.tree, Sub)
        ]
        variables = [
            (self.names.variable(x), count) for x, (count, _) in sorted(self.source.arity.items())
        ]
        dims = [self.names.dim(d) for d in self._dims()]
        goal = lean.Claim("goal", self.at, self.goal.rel, *self.sides)
        made = lean.Statement(self.name, dims, variables, premises, goal)
        try:
            if any(kind != "real" for _, kind in self.source.arity.values()):
                return ""
            return lean.Printer(self.names.variable).theorem(made)
        except NotExported:
            return ""

    def _facts(self) -> list[_Fact]:
        """What the theorem supposes: what is declared, then what the claim supposes."""
        found = []
        for x in limits(self.writer, self.source, self.setting):
            value = self.proof.reader.real(self.source.nodes[str(x.key[1])], x.at)
            end = n.scale(ONE, x.end)
            gap = n.sub(value, end) if x.key[0] == "lo" else n.sub(end, value)
            found.append(_Fact(x.name, x.text, prop("ge", gap, x.at), x.tree, x.at, x.rel, x.key))
        for x in least_sizes(self.writer, self.setting, self._dims()):
            assert isinstance(x.tree, Canon)
            own = prop("ge", x.tree.poly)
            found.append(_Fact(x.name, x.text, own, x.tree, (), x.rel, x.key))
        for k, (q, at, (left, right)) in enumerate(self.givens):
            text = self.writer.quantified(at) + compared(self.writer, q.rel, left, right)
            p = q.prop(self.proof.reader)
            found.append(_Fact(f"G{k}", text, p, Sub(left, right), at, q.relation, ("given", k)))
        return found

    def _nodes(self) -> list[Node]:
        return reachable(self.proof.sequent.nodes)

    def _signs(self) -> None:
        """What a declared sign of a variable says, from the premises."""
        w = self.writer
        for name, (count, kind) in self.source.arity.items():
            sign = self.names.atoms.get(name, ("", ""))[1]
            if kind != "real" or not sign:
                continue
            at = indices(self.source.nodes[name].type.shape)
            if len(at) != count:
                raise NotExported("a sign of a variable with loop indices")
            text = w.t(self.source.real(self.source.nodes[name], at))
            rel = "0 <" if sign == "+" else "0 <="
            own = f"SG_{self.names.variable(name)}"
            w.put(f"assert ({own} : {w.quantified(at)}{rel} {text}).")
            with w.block():
                if at:
                    w.put(w.intros(at).strip())
                for h in self._about(name):
                    rows = " ".join(f"{index_name(i)} H{index_name(i)}" for i in at)
                    w.put(f"try pose proof ({h} {rows})." if rows else f"try pose proof {h}.")
                w.put("lra.")

    def _about(self, name: str) -> list[str]:
        """The names of premises that bound a variable."""
        own = [f"R{side}_{self.names.variable(name)}" for side in ("lo", "hi")]
        return own + [f"G{k}" for k in range(len(self.givens))]

    def _kernel_fact(self, f: _Fact) -> str:
        """The kernel's form of a premise."""
        w, name = self.writer, f"K{f.name}"
        w.put(f"assert ({name} : {self.replay.prop(f.prop)}).")
        with w.block():
            if f.rel == "nat":
                w.put(f"pose proof (le_INR _ _ {f.name}) as N; simpl INR in N; lra.")
                return name
            names = fresh_names(f.prop.binders)
            if names:
                w.put(w.intros(names.values()).strip())
            axes = self._axes(f.prop, f.tree, f.at)
            order = {i: names.get(b, b) for i, b in axes.items()}
            moved = renamed(f.tree, order)
            p, step = w.norm(moved)
            q, back = w.norm(renamed(Canon(f.prop.poly), names))
            if p is not q:
                raise NotExported("a premise whose normal form differs from the prover's")
            if back is not None:
                w.put(f"try rewrite {back}.")
            rows = " ".join(f"{w.names.index(order[i])} {w.within(order[i])}" for i in f.at)
            w.put(f"pose proof ({f.name} {rows}) as P." if rows else f"pose proof {f.name} as P.")
            w.put(f"assert (D : {comparison(f.rel, w.t(moved))}) by lra.")
            if step is not None:
                w.put(f"try rewrite {step} in D.")
            w.put("lra." if f.rel != f.prop.rel else "exact D.")
        return name

    def _axes(self, p: Prop, tree: E, at: tuple[Atom, ...]) -> dict[Atom, Atom]:
        """The binder of the proposition for each axis (0 where none depends on it)."""
        base, _ = Writer(self.names).norm(tree)
        for row in itertools.permutations(at, len(p.binders)):
            names = dict(zip(row, p.binders, strict=True))
            if all(i.args[1] is b.args[1] for i, b in names.items()):
                if n.substitute(base, names) is p.poly:
                    zero = {i: n.index_const(ZERO, i.args[1]) for i in at if i not in names}
                    return {**names, **zero}
        raise NotExported("a comparison whose normal form differs from the prover's")

    def _condition(self, t: Thm) -> None:
        """A side condition, for the tactics: its conclusion, closed."""
        w, r = self.writer, self.replay.reach(t)
        if r.hyps or r.inner:
            return
        name = w.fresh("K")
        scope = r.indices
        w.put(f"assert ({name} : {w.quantified(scope)}{self.replay.prop(t.concl)}).")
        w.put(f"{{ {w.intros(scope)}exact {self.replay.call(t)}. }}")

    def _close(self) -> None:
        """The goal, from the theorem."""
        w, t = self.writer, self.proof.theorem
        if self.at:
            w.put(w.intros(self.at).strip())
        tree = Sub(*self.sides)
        order = self._axes(t.concl, tree, self.at)
        back = {b: i for i, b in order.items() if b in t.concl.binders}
        r = self.replay.reach(t)
        if r.hyps:
            raise NotExported("a hypothesis of the proof that no premise states")
        zeros = {i: n.index_const(ZERO, i.args[1]) for i in r.indices}
        inner = {x: self._anything(x) for x in r.inner}
        moved = renamed(Canon(t.concl.poly), back)
        rows = " ".join(f"{index_name(back[b])} H{index_name(back[b])}" for b in t.concl.binders)
        call = self.replay.call(t, zeros, inner)
        w.put(f"assert (V : {comparison(t.concl.rel, w.t(moved))}).")
        w.put(f"{{ exact {f'({call} {rows})' if rows else call}. }}")
        first, a = w.norm(moved)
        second, b = w.norm(tree)
        if first is not second:
            raise NotExported("a conclusion whose normal form differs from the prover's")
        if a is not None:
            w.put(f"try rewrite {a} in V.")
        if b is not None:
            w.put(f"try rewrite <- {b} in V.")
        w.put("first [exact V | lra | (intro; apply V; lra)].")

    def _anything(self, name: str) -> str:
        count = self.inner[name][0]
        return f"(fun {' '.join('_' for _ in range(count))} => 0)" if count else "0"

    # ---- text -------------------------------------------------------------------------------

    def _dims(self) -> list[str]:
        """The names of sizes that occur in the proof."""
        return sorted(names_in([*self.names.composite, *self._sizes()]))

    def _sizes(self) -> list[Poly]:
        sizes = [x for x in self.seen if isinstance(x, Poly)]
        for node in self.source.nodes.values():
            sizes += [size(d) for d in node.type.shape]
        sizes += [i.args[1] for i in self.at]
        for x in self._nodes():
            sizes += [size(d) for d in x.type.shape]
        return sizes

    def _arguments(self) -> list[Atom]:
        """Universally bound indices (`for all j in fin[K]`) that occur."""
        found = [x for x in self.seen if isinstance(x, Atom) and x.kind == "i"]
        return sorted(
            (x for x in found if str(x.args[0]).startswith("arg:")), key=lambda x: x.serial
        )

    def _goal_text(self) -> str:
        w = self.writer
        return w.quantified(self.at) + compared(w, self.goal.rel, *self.sides)


__all__ = ["Export", "Mapping", "Theorem", "arrows", "export"]
