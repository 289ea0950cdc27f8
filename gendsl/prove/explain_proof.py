"""A proof as steps that a reader can follow, in text or LaTeX.

In: a claim, its outcome, the graph. Out: the statement; what each of its sequents unfolds to; the
steps of the kernel's theorem, premises first, each with the rule in words and what it concludes;
side conditions and hypotheses; for a refuted claim the counterexample, for one that was settled by
an argument about form the trusted laws. Steps that only move hypotheses or rename indices are left
out: the certificate has them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from gendsl.core.claim import Claim
from gendsl.core.program import Interface
from gendsl.ir.graph import Graph, Node, reachable
from gendsl.ops.leaf import Const, Input, SizeValue
from gendsl.prove import equal
from gendsl.prove.case import Outcome
from gendsl.prove.kernel.rules import Prop, Thm
from gendsl.prove.kernel.term import Atom, Poly
from gendsl.prove.sequent import Proof
from gendsl.prove.show import Printer
from gendsl.prove.show_latex import LatexPrinter
from gendsl.prove.terms import Reader, leaf_name

SILENT = frozenset({"cut", "generalize", "specialize", "weaken", "opposite"})
LONGEST = 400  # characters of a formula; longer ones are cut

WORDS: Mapping[str, str] = {
    "assume": "given",
    "cases": "both cases give it",
    "absurd": "from a contradiction",
    "combine": "the two together",
    "evident": "every part has this sign",
    "square": "a square",
    "exp_above_tangent": "exp lies above its tangent: exp(u) >= u + 1",
    "exp_strictly_above": "exp lies above its tangent: exp(u) > 1 + u unless u = 0",
    "log_below_tangent": "log lies below its tangent: log(x) <= x - 1",
    "relu_above": "relu(u) >= u",
    "relu_at": "relu(u) = u where u >= 0",
    "relu_flip": "relu(u) - relu(-u) = u",
    "cancel": "powers of one base add up",
    "indicator_at": "the indicator has a known value",
    "gate": "an indicator times what it tests",
    "at_most_one": "an indicator is at most 1",
    "index_below": "an index lies below its bound",
    "selected": "what an argmin or argmax selects",
    "bounded": "the function is bounded",
    "linear": "a combination of",
    "times": "the product of",
    "raise_to": "a power of a positive number",
    "same_power": "equal numbers have equal powers",
    "total": "summed over the index",
    "power_of_product": "a power of a product of positive numbers",
    "log_of_product": "the logarithm of a product of positive numbers",
    "same_image": "equal numbers have equal exponentials and logarithms",
    "staircase": "[i >= j] = [i >= j + 1] + [i = j], for whole numbers",
    "induct": "by induction: it holds at 0, and at k + 1 where it holds at k",
    "divide": "divided by a factor that is not 0",
    "divide_power": "divided by a power that is not 0",
    "root": "squares in order, so the numbers are",
    "zero_part": "a sum of nonnegative parts is 0, so each part is 0",
    "zero_summand": "a sum of nonnegative terms is 0, so each term is 0, at index",
    "zero_root": "zero only where it touches",
    "zero_base": "a power is 0, so its base is",
    "instance": "for the particular value",
    "rewrite": "rewritten by",
}
INFIX = {"add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2)}
RELATIONS = {"eq": "=", "ge": ">=", "gt": ">", "ne": "!="}
LATEX = {"eq": "=", "ge": r"\ge", "gt": ">", "ne": r"\ne"}


@dataclass(frozen=True)
class Step:
    """One line: its number, what it concludes, why, from which lines."""

    number: int
    concl: Prop
    rule: str
    uses: tuple[int, ...]
    factors: tuple[Poly, ...] = ()
    index: Atom | None = None
    lemmas: tuple[int, ...] = ()


@dataclass
class Steps:
    """The steps of a theorem, premises first; equal conclusions share a line."""

    rows: list[Step] = field(default_factory=list)
    _known: dict[Prop, int] = field(default_factory=dict)

    def of(self, t: Thm) -> int:
        """The line of a theorem's conclusion."""
        found = self._known.get(t.concl)
        if found is not None:
            return found
        if t.rule == "cut":
            return self._cut(t)
        uses = tuple(dict.fromkeys(self.of(p) for p in self._premises(t)))
        found = self._known.get(t.concl)  # a silent premise may have said it
        if found is None:
            silent = t.rule in SILENT and len(uses) == 1
            found = uses[0] if silent else self._enter(t, uses)
            self._known[t.concl] = found
        return found

    def _premises(self, t: Thm) -> Iterable[Thm]:
        """The sign of a value comes before the proof for that value."""
        return reversed(t.premises) if t.rule == "instance" else t.premises

    def _cut(self, t: Thm) -> int:
        """The lemma first, then the proof that used it, which has the cut's own conclusion."""
        used, lemma = t.premises
        first = self.of(lemma)
        found = self._known[t.concl] = self.of(used)
        if found != first:
            row = self.rows[found - 1]
            self.rows[found - 1] = replace(row, lemmas=(*row.lemmas, first))
        return found

    def _enter(self, t: Thm, uses: tuple[int, ...]) -> int:
        factors = t.data if t.rule == "linear" else ()
        index = t.data[0] if t.rule in ("total", "zero_summand") else None
        number = len(self.rows) + 1
        self.rows.append(Step(number, t.concl, t.rule, uses, tuple(factors), index))
        return number


def shown(t: Thm) -> list[Step]:
    """The steps that lead to a theorem, numbered from 1; the last one is its conclusion."""
    steps = Steps()
    last = steps.of(t)
    rows = {s.number: s for s in steps.rows}
    needed, stack = set[int](), [last]
    while stack:
        number = stack.pop()
        if number not in needed:
            needed.add(number)
            stack.extend((*rows[number].uses, *rows[number].lemmas))
    order = {old: new for new, old in enumerate(sorted(needed), 1)}
    return [
        replace(
            rows[k],
            number=order[k],
            uses=tuple(order[u] for u in rows[k].uses),
            lemmas=tuple(order[u] for u in rows[k].lemmas),
        )
        for k in sorted(needed)
    ]


def stand_ins(t: Thm) -> dict[str, Poly]:
    """The variables that stand for terms inside a proof, until it is instantiated."""
    found: dict[str, Poly] = {}
    stack, seen = [t], set[int]()
    while stack:
        x = stack.pop()
        if id(x) not in seen:
            seen.add(id(x))
            if x.rule == "instance":
                found[x.data[0]] = x.data[-1]
            stack.extend(x.premises)
    return found


@dataclass
class Page:
    """What is said about one claim, before it is set as text or LaTeX."""

    claim: Claim
    outcome: Outcome
    graph: Graph
    interface: Interface

    def names(self, p: Proof) -> dict[str, str]:
        """Readable names of opaque nodes: their own, or what makes them."""
        found = {v: f"{x.op.name}{x.id}" for x, v in p.reader.abstract.items()}
        return found | declared_names(self.graph)

    def hypotheses(self, p: Proof) -> Iterator[tuple[str, Prop]]:
        """What is given (the kernel has the sign of a variable in its name, and no hypothesis), and
        the declared ranges that the theorem uses."""
        plain = Reader(p.reader.abstract)
        for q in p.sequent.given:
            yield "given", q.prop(plain)
        given = {q.prop(p.reader) for q in p.sequent.given}
        for h in sorted(p.theorem.hyps - given, key=lambda h: h.poly.serial):
            yield "declared range", h

    def variables(self, p: Proof) -> list[str]:
        """The leaves that the statement is about, with their ranges."""
        found = []
        for x in _leaves(p.sequent.nodes):
            bounds = p.reader.ranges.get(leaf_name(x))
            name = x.op.key  # type: ignore[attr-defined]
            shape = f" in R^({', '.join(map(str, x.type.shape))})" if x.type.shape else " in R"
            where = f", {bounds}" if bounds is not None and str(bounds) not in ("", "..") else ""
            found.append(f"{name}{shape}{where}")
        return found


def declared_names(graph: Graph) -> dict[str, str]:
    """The program's own names of nodes: `%113` -> `kl`."""
    found = {f"%{x.id}": name for x, name in graph.builder.names.items()}
    for objective in graph.objectives.values():
        found |= {f"%{x.id}": n for n, x in {**objective.scope, **objective.terms}.items()}
    return found


def goal_text(goal: str, claim: Claim, graph: Graph) -> str:
    """What is left to show, with the nodes in it (`%113:mul`) as a reader would write them."""
    names = declared_names(graph)
    nodes = {repr(x): x for x in reachable(_nodes_in(claim.body))}
    written = {key: expression(x, names) for key, x in nodes.items() if key in goal}
    return re.sub(r"%\d+:\w+", lambda m: written.get(m[0], m[0]), goal)


def _nodes_in(part: object) -> Iterator[Node]:
    """The nodes in the body of a claim."""
    if isinstance(part, Node):
        yield part
    elif isinstance(part, tuple | list):
        for x in part:
            yield from _nodes_in(x)
    elif is_dataclass(part):
        for f in fields(part):
            yield from _nodes_in(getattr(part, f.name))


def expression(node: Node, names: Mapping[str, str], depth: int = 6) -> str:
    """A node as source text: its own name, or its operation on its operands."""
    op = node.op
    if f"%{node.id}" in names:
        return names[f"%{node.id}"]
    if isinstance(op, Const):
        return str(op.value)
    if isinstance(op, Input):
        return str(op.key)
    if isinstance(op, SizeValue):
        size = str(op.dim)
        return size if size.isidentifier() else f"({size})"
    if op.name == "broadcast":
        return expression(node.inputs[0], names, depth)
    parts = ["..." if not depth else expression(x, names, depth - 1) for x in node.inputs]
    if op.name in INFIX:
        sign, own = INFIX[op.name]
        strong = (own, own + (op.name in ("sub", "div")))  # a - (b + c)
        for k, x in enumerate(node.inputs):
            parts[k] = f"({parts[k]})" if _strength(x, names) < strong[k] else parts[k]
        return f" {sign} ".join(parts)
    return f"{op.name}({', '.join(parts)})"


def _strength(node: Node, names: Mapping[str, str]) -> int:
    """How strongly the written form of a node binds."""
    if f"%{node.id}" in names:
        return 3
    if node.op.name == "broadcast":
        return _strength(node.inputs[0], names)
    return INFIX[node.op.name][1] if node.op.name in INFIX else 3


def _leaves(nodes: Sequence[Node]) -> list[Node]:
    return [x for x in reachable(nodes) if isinstance(x.op, Input) and x.op.kind != "param"]


# ---- text --------------------------------------------------------------------------------


def plain_text(claim: Claim, outcome: Outcome, graph: Graph, interface: Interface) -> str:
    """The page as text."""
    page = Page(claim, outcome, graph, interface)
    lines = [f"{_name(claim)}: {' '.join(claim.source.split())}", f"  {outcome.verdict}"]
    lines += [f"  {text}" for text in _remarks(page)]
    for k, p in enumerate(outcome.proofs):
        title = f"part {k + 1} of {len(outcome.proofs)}: " if len(outcome.proofs) > 1 else ""
        lines += ["", *(f"  {line}" for line in _part(page, p, title))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _name(claim: Claim) -> str:
    return f"{claim.subject}.{claim.name}" if claim.subject else claim.name


def _remarks(page: Page) -> Iterator[str]:
    outcome = page.outcome
    if outcome.verdict == "proved" and not outcome.proofs:
        yield "shown by the form of the term: no step of the kernel is in this argument"
    for law in outcome.laws:
        yield f"trusted: {law}"
    if outcome.witness:
        yield from witness_lines(outcome.witness)
    if outcome.goal:
        yield f"left to show: {goal_text(outcome.goal, page.claim, page.graph)}"
    if outcome.note:
        yield outcome.note


SIGNS = {"==": "equal to", "=": "equal to", "!=": "different from"}


def witness_lines(witness: Mapping[str, Any]) -> Iterator[str]:
    """A counterexample: the sizes, the values, then what they make of the two sides."""
    rest = dict(witness)
    sizes = rest.pop("sizes", None)
    if sizes:
        yield f"at sizes {', '.join(f'{name} = {value}' for name, value in sizes.items())}"
    for name, value in rest.pop("inputs", {}).items():
        yield f"  {name.partition(':')[2] or name} = {_number(value)}"
    if {"left", "right", "relation"} <= rest.keys():
        left, right, relation = (rest.pop(key) for key in ("left", "right", "relation"))
        last = (
            f"left {_number(left)} is not {SIGNS.get(relation, relation)} right {_number(right)}"
            if not relation[0].isalpha()
            else f"{relation}: {_number(left)} and {_number(right)}"
        )
    else:
        last = ""
    for key, value in rest.items():
        yield f"{key}: {value}"
    if last:
        yield last


def _number(value: Any) -> str:
    match value:
        case {"shape": shape, "first": first}:
            return f"{_number(first).removesuffix(']')}, ...] of shape {shape}"
        case list():
            return f"[{', '.join(map(_number, value))}]"
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)


def _part(page: Page, p: Proof, title: str) -> Iterator[str]:
    inside = stand_ins(p.theorem)
    own = {name: f"t{k}" for k, name in enumerate(sorted(inside), 1)}
    printer = Printer({**page.names(p), **own})
    yield f"{title}{_goal(page, p, printer)}"
    variables = page.variables(p)
    if variables:
        yield f"  for all sizes >= 1 and all {', '.join(variables)}"
    for origin, h in page.hypotheses(p):
        yield f"  {origin}: {_prop(printer, h)}"
    for name, value in inside.items():
        yield f"  {own[name]} stands for {_cut(printer.poly(value))}"
    for s in shown(p.theorem) if not _same_form(p) else []:
        yield f"  ({s.number}) {_prop(printer, s.concl)}"
        yield f"        {_reason(s, printer, inside)}"
    for t in p.conditions:
        yield f"  defined, since {_prop(printer, t.concl)}"


def _prop(printer: Printer, h: Prop) -> str:
    over = ", ".join(printer.index(b) for b in h.binders)
    text = _balanced(printer, h)
    return f"for all {over}: {text}" if over else text


def _balanced(printer: Printer, h: Prop) -> str:
    return f"{_cut(printer.poly(h.poly))} {RELATIONS[h.rel]} 0"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def _goal(page: Page, p: Proof, printer: Printer) -> str:
    """What is to be shown; an equation whose sides have one normal form is shown as that."""
    goal = p.sequent.goal
    if _same_form(p):
        at = goal.at()
        side = p.reader.real(goal.left, at if goal.left.type.shape else ())
        return f"both sides unfold to {_cut(printer.poly(side))}"
    return f"to show: {_prop(printer, goal.prop(p.reader))}"


def _same_form(p: Proof) -> bool:
    """Whether the goal is an equation between terms of one normal form."""
    goal = p.sequent.goal
    return goal.rel == "eq" and goal.node is not None and not goal.prop(p.reader).poly.terms


def _reason(s: Step, printer: Printer, inside: Mapping[str, Poly]) -> str:
    words = WORDS.get(s.rule, s.rule)
    if s.rule == "assume" and equal.mentioned(s.concl.poly) & set(inside):
        return "assumed, and shown for what it stands for where it is put in"
    refs = ", ".join(f"({n})" for n in s.uses)
    if s.lemmas:
        refs += f", with {', '.join(f'({n})' for n in s.lemmas)} for what was assumed"
    if s.rule == "linear":
        rows = zip(s.factors, s.uses, strict=False)
        combined = " + ".join(_times(printer.poly(f), n) for f, n in rows)
        return f"= {combined}" if len(s.factors) == len(s.uses) else f"{words} {refs}"
    if s.index is not None:
        return f"{words} {printer.index(s.index)}: {refs}"
    return f"{words}: {refs}" if refs else words


def _times(factor: str, line: int) -> str:
    if factor == "1":
        return f"({line})"
    return f"({factor}) * ({line})" if " " in factor else f"{factor} * ({line})"


# ---- LaTeX -------------------------------------------------------------------------------


def latex_text(claim: Claim, outcome: Outcome, graph: Graph, interface: Interface) -> str:
    """The page as LaTeX, for `amsmath`: a theorem-like heading and one `align*` for each part."""
    page = Page(claim, outcome, graph, interface)
    source = _escaped(" ".join(claim.source.split()))
    lines = [rf"\paragraph{{{_escaped(_name(claim))}}} \texttt{{{source}}} ({outcome.verdict})"]
    lines += [_escaped(text) + r"\\" for text in _remarks(page)]
    for p in outcome.proofs:
        lines += _latex_part(page, p)
    return "\n".join(lines) + "\n"


def _latex_part(page: Page, p: Proof) -> Iterator[str]:
    inside = stand_ins(p.theorem)
    own = {name: f"t_{k}" for k, name in enumerate(sorted(inside), 1)}
    printer = LatexPrinter({**page.names(p), **own})
    yield f"To show: ${_latex_prop(printer, p.sequent.goal.prop(p.reader))}$"
    for name, value in inside.items():
        yield rf"(${own[name]}$ stands for ${printer.poly(value)}$)"
    for origin, h in page.hypotheses(p):
        yield f"({origin}: ${_latex_prop(printer, h)}$)"
    yield r"\begin{align*}"
    for s in shown(p.theorem):
        reason = _latex_reason(s, printer)
        yield rf"({s.number})\quad & {_latex_prop(printer, s.concl)} && \text{{{reason}}} \\"
    yield r"\end{align*}"
    for t in p.conditions:
        yield f"Defined, since ${_latex_prop(printer, t.concl)}$."


def _latex_prop(printer: LatexPrinter, h: Prop) -> str:
    over = ", ".join(printer.index(b) for b in h.binders)
    text = f"{printer.poly(h.poly)} {LATEX[h.rel]} 0"
    return rf"\forall {over}:\; {text}" if over else text


def _latex_reason(s: Step, printer: LatexPrinter) -> str:
    refs = ", ".join(f"({n})" for n in s.uses)
    if s.rule == "linear" and len(s.factors) == len(s.uses):
        rows = zip(s.factors, s.uses, strict=True)
        return "$= " + " + ".join(_latex_times(printer.poly(f), n) for f, n in rows) + "$"
    words = _escaped(WORDS.get(s.rule, s.rule))
    if s.index is not None:
        words += f" ${printer.index(s.index)}$"
    return f"{words}: {refs}" if refs else words


def _latex_times(factor: str, line: int) -> str:
    return f"({line})" if factor == "1" else rf"{factor} \cdot ({line})"


_ESCAPES = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "^": r"\^{}",
    "~": r"\~{}",
    "<": r"$<$",
    ">": r"$>$",
}


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(x, x) for x in text)
