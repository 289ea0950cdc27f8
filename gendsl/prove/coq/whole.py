"""A claim as one theorem, printed from the claim itself, proved from the theorems of its sequents.

In: a claim as the language has it (`core.claim`), the exported sequents that the prover took it
apart into. Out: a theorem whose statement is the claim: its hypotheses as premises, "and", "or" and
"iff" as such. So the prover's way of taking a claim apart is not trusted: where a case is missing,
Coq does not find the claim in the sequents.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gendsl.core import claim as c
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.rewrite import substitute
from gendsl.ops.leaf import Input
from gendsl.prove.coq.expr import E, Names, NotExported, index_name
from gendsl.prove.coq.header import (
    Part,
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
from gendsl.prove.coq.statement import ONE, Source
from gendsl.prove.kernel.term import Atom, Poly
from gendsl.prove.reading import Sequent, Setting, visible
from gendsl.prove.terms import indices, size
from gendsl.shape.tensor_type import Bool, Fin

_RELATIONS = {"<": "gt", "<=": "ge", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True)
class Compared:
    """`left rel right` at all entries."""

    at: tuple[Atom, ...]
    rel: str
    left: E
    right: E


@dataclass(frozen=True)
class Joined:
    """Formulas with one connective between them."""

    sign: str
    parts: tuple[Formula, ...]


Formula = Compared | Joined


@dataclass(frozen=True)
class Sayer:
    """Claims as formulas; `source` collects the variables."""

    source: Source
    build: Builder

    def claim(self, claim: c.Claim) -> Formula:
        given = tuple(self.prop(p) for p in claim.given)
        match claim.body:
            case c.Plain(p):
                return _implied(given, self.prop(p))
            case c.Iff(left, right):
                return _implied(given, Joined(" <-> ", (self.prop(left), self.prop(right))))
            case c.InRange(value, low, high):
                ends = [self.compare(">=", value, low)] if low is not None else []
                ends += [self.compare("<=", value, high)] if high is not None else []
                return _implied(given, Joined(" /\\ ", tuple(ends)))
            case c.Monotone(value, variable, direction):
                new, (moved,) = self._primed(variable, [value])
                op = ">=" if direction == "nondecreasing" else "<="
                again = tuple(self.prop(self._moved(p, variable, new)) for p in claim.given)
                order = self.compare(">=", new, variable)
                return _implied((*given, *again, order), self.compare(op, moved, value))
            case c.Independent(value, None, variable):
                _, (moved,) = self._primed(variable, [value])
                return _implied(given, self.compare("==", moved, value))
            case _:
                raise NotExported(f"no statement for {type(claim.body).__name__}")

    def prop(self, p: c.Prop) -> Formula:
        match p:
            case c.Compare(op, left, right):
                return self.compare(op, left, right)
            case c.Holds(value):
                at = indices(value.type.shape)
                return Compared(at, "eq", self.source.truth(value, at), ONE)
            case c.And(parts):
                return Joined(" /\\ ", tuple(self.prop(q) for q in parts))
            case c.Or(parts):
                return Joined(" \\/ ", tuple(self.prop(q) for q in parts))
            case c.Not(c.Compare(op, left, right)) if not (left.type.shape or right.type.shape):
                return self.compare(_OPPOSITE[op], left, right)
            case _:
                raise NotExported(f"no statement for {type(p).__name__}")

    def compare(self, op: str, left: Node, right: Node) -> Compared:
        at = indices(max(left.type.shape, right.type.shape, key=len))
        if isinstance(left.type.elem, Fin):
            raise NotExported("a comparison of indices")
        a, b = (self._side(x, at) for x in (left, right))
        return Compared(at, _RELATIONS[op], *((b, a) if op in ("<", "<=") else (a, b)))

    def _side(self, x: Node, at: tuple[Atom, ...]) -> E:
        own = at if x.type.shape else ()
        truth = isinstance(x.type.elem, Bool)
        return self.source.truth(x, own) if truth else self.source.real(x, own)

    def _primed(self, old: Node, roots: list[Node]) -> tuple[Node, list[Node]]:
        """A second value of a variable, and the roots for it."""
        op = old.op
        if not isinstance(op, Input):
            raise NotExported("a statement about something that is not a variable")
        new = self.build.apply(Input(op.kind, f"{op.key}'", op.shape, op.elem))
        return new, substitute(self.build, roots, {old: new})

    def _moved(self, p: c.Prop, old: Node, new: Node) -> c.Prop:
        match p:
            case c.Compare(op, left, right):
                return c.Compare(op, *substitute(self.build, [left, right], {old: new}))
            case c.Holds(value):
                return c.Holds(*substitute(self.build, [value], {old: new}))
            case c.And(parts):
                return c.And(tuple(self._moved(q, old, new) for q in parts))
            case c.Or(parts):
                return c.Or(tuple(self._moved(q, old, new) for q in parts))
            case c.Not(q):
                return c.Not(self._moved(q, old, new))
            case _:
                raise NotExported(f"no statement for {type(p).__name__}")


def _implied(given: Sequence[Formula], goal: Formula) -> Formula:
    return Joined(" -> ", (*given, goal)) if given else goal


def conjuncts(f: Formula) -> Iterator[Compared]:
    """The comparisons that a formula joins by "and"."""
    match f:
        case Compared():
            yield f
        case Joined(" /\\ ", parts):
            for p in parts:
                yield from conjuncts(p)
        case _:
            raise NotExported("a hypothesis with alternatives")


def text(w: Writer, f: Formula) -> str:
    match f:
        case Compared(at, rel, left, right):
            return f"({w.quantified(at)}{compared(w, rel, left, right)})"
        case Joined(_, ()):
            return "True"
        case Joined(sign, parts):
            return f"({sign.join(text(w, p) for p in parts)})"


Prove = Callable[[Sequent, Setting, str], tuple[Theorem, Part]]
LARGEST = 300  # ops that a statement may show


def readable(parts: Sequence[Part]) -> dict[Node, str]:
    """What is a variable in a statement about the nodes of sequents: nothing, where that is short
    and can be printed, else the terms that no sequent looks into."""
    roots = [x for p in parts for x in p.roots]
    if _length(roots) <= LARGEST:
        try:
            for x in roots:
                Source({}).real(x, indices(x.type.shape))
            return {}
        except NotExported:
            pass  # an op without a Coq form: it is to be below a variable
    return shared(parts)


def whole(claim: c.Claim, parts: Sequence[Part], setting: Setting, name: str) -> Theorem:
    """The claim, from the theorems of its sequents: in full where that is short and can be printed,
    else with variables for the terms that no sequent looks into."""
    if _length(x for p in parts for x in p.roots) <= LARGEST:
        try:
            return _whole(claim, parts, setting, name, {})
        except NotExported:
            pass  # an op without a Coq form: it is to be below a variable
    return _whole(claim, parts, setting, name, shared(parts))


def _length(roots: Iterable[Node]) -> int:
    """How many ops the roots have, written out."""
    roots = list(roots)
    found: dict[Node, int] = {}
    for x in reachable(roots):
        found[x] = min(LARGEST + 1, 1 + sum(found[y] for y in x.inputs))
    return max((found[x] for x in roots), default=0)


def _whole(
    claim: c.Claim, parts: Sequence[Part], setting: Setting, name: str, stands: Mapping[Node, str]
) -> Theorem:
    source = Source(stands)
    formula = Sayer(source, setting.build).claim(claim)
    lines = [f"pose proof {{{k}}} as Q{k}; cbv beta in Q{k}." for k in range(len(parts))]
    keep = " ".join(f"Q{k}" for k in range(len(parts)))
    lines.append(f"first [exact Q0 | clear - {keep}; tauto].")
    sizes = [i.args[1] for i in indices_of(formula)]
    return assembled(name, source, parts, setting, sizes, lambda w: (text(w, formula), lines))


def assembled(
    name: str,
    source: Source,
    parts: Sequence[Part],
    setting: Setting,
    sizes: Iterable[Poly],
    goal: Callable[[Writer], tuple[str, Sequence[str]]],
    bound: Collection[str] = (),
) -> Theorem:
    """A theorem with its header. `goal` gives its text and its proof, in which `{k}` is the theorem
    of part k for what the header names; variables in `bound` are bound in the goal, not before."""
    for p in parts:  # what a sequent mentions and the claim does not is still to be named
        for x, node in p.source.nodes.items():
            if not x.startswith("%"):
                source.nodes.setdefault(x, node)
                source.arity.setdefault(x, p.source.arity[x])
    values = {x: _value(source, node) for p in parts for x, node in p.hidden(source.stands)}
    shapes = [size(d) for node in source.nodes.values() for d in node.type.shape]
    shapes += [*sizes, *(i.args[1] for i in source.arguments)]
    dims = names_in(shapes) | {d for p in parts for d in p.dims}
    taken = {f"d{d}" for d in dims}
    w = Writer(Names(coq_names(setting.build, sorted(source.arity), source.nodes, taken)))
    said, lines = goal(w)
    calls = [_called(w, p, values) for p in parts]
    facts = [x.row for x in limits(w, source, setting)]
    facts += [x.row for x in least_sizes(w, setting, sorted(dims))]
    dims |= names_in(w.names.composite)
    rows = [*binders(w, source, sorted(dims), _arguments(source, parts)), *facts]
    known = {row.key: row.args for row in rows}
    own = ("var", "lo", "hi")
    rows = [row for row in rows if not (row.key[0] in own and row.key[1] in bound)]
    statement = written(name, rows, said)
    made = []
    for p, call in zip(parts, calls, strict=True):
        args = " ".join(a for key, own in call for a in ([own] if own else known[key]))
        made.append(f"({p.name} {args})")
    intros = [f"intros {' '.join(x for row in rows for x in row.args)}."] if rows else []
    for k, line in enumerate(lines := list(lines)):
        for j, call_text in enumerate(made):
            line = line.replace(f"{{{j}}}", call_text)
        lines[k] = line
    proof = "\n".join(f"  {x}" for x in [*intros, *lines])
    return Theorem(name, statement, f"{statement}\nProof.\n{proof}\nQed.\n")


def _called(
    w: Writer, p: Part, values: dict[str, tuple[tuple[Atom, ...], E]]
) -> list[tuple[tuple[object, ...], str]]:
    """The arguments of a sequent's theorem: as the claim names them, or a value."""
    found = []
    for row in p.rows:
        own = ""
        if row.key[0] == "var" and row.key[1] in values:
            at, value = values[str(row.key[1])]
            names = " ".join(index_name(i) for i in at)
            own = f"(fun {names} => {w.t(value)})" if at else w.t(value)
        elif row.key[0] == "size":
            w.names.nat(row.key[1])  # type: ignore[arg-type]  # the claim names this size too
        if row.key[0] != "given":
            found.append((row.key, own))
    return found


def shared(parts: Sequence[Part]) -> dict[Node, str]:
    """The nodes that no sequent looks into."""
    shown = [set(visible(p.roots, frozenset(p.source.stands))) for p in parts]
    every = {x: v for p in parts for x, v in p.source.stands.items()}
    return {x: v for x, v in every.items() if not any(x in found for found in shown)}


def _value(source: Source, node: Node) -> tuple[tuple[Atom, ...], E]:
    at = indices(node.type.shape)
    return at, source.real(node, at)


def indices_of(f: Formula) -> Iterator[Atom]:
    match f:
        case Compared(at):
            yield from at
        case Joined(_, parts):
            for p in parts:
                yield from indices_of(p)


def _arguments(source: Source, parts: Iterable[Part]) -> list[Atom]:
    return list(dict.fromkeys([*source.arguments, *(i for p in parts for i in p.arguments)]))
