"""The default battery: what is asked of every objective before anyone writes a claim.

In: a graph and the interface of its program. Out: rows by objective: how the loss is made of its
terms, sign and zero set of each term, how each hyperparameter acts, which term moves which group of
parameters, whether the batch size matters, how terms grow with sizes, and the effective beta. Each
question becomes a claim (`gendsl.core.claim`) that `gendsl.prove.settle` settles; where an answer
has to be found first (weights, zero sets), the finding is untrusted and the claim decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from gendsl.core import claim as c
from gendsl.core.program import Interface
from gendsl.ir.build import add, const, mul
from gendsl.ir.graph import Graph, Node, ObjectiveGraph, reachable
from gendsl.ir.rewrite import substitute
from gendsl.ops.leaf import Input
from gendsl.prove.kernel.normal import KernelError
from gendsl.prove.kernel.term import Mono, Poly, poly
from gendsl.prove.reading import Setting
from gendsl.prove.settle import setting_of, settle_one
from gendsl.prove.show import Printer
from gendsl.prove.terms import leaf_name, size
from gendsl.prove.verdict import ClaimReport
from gendsl.prove.zero_set import as_node, zero_set
from gendsl.shape.dim import Dim

SECONDS = 2.0  # for one question


@dataclass(frozen=True)
class Row:
    """One answer. `kind` is the question ("sign", "flow", ...), `subject` the term or the
    hyperparameter, `verdict` that of the claim `statement` ("" where there is none to settle), and
    `answer` the one or two words that a table shows."""

    kind: str
    subject: str
    answer: str
    statement: str = ""
    verdict: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass
class Battery:
    """The questions about one objective."""

    graph: Graph
    interface: Interface
    objective: ObjectiveGraph
    seconds: float = SECONDS

    def rows(self) -> Iterator[Row]:
        from gendsl.prove.effective import effective_beta

        weights = self.weights()
        yield self.decomposition(weights)
        for name in self.terms:
            yield from self.signs(name)
        for hyper in self.hypers:
            yield from self.weight(hyper, weights)
        for name in self.terms:
            yield from self.flows(name)
        for hyper in self.hypers:
            yield from self.moves(hyper)
        yield from self.batch()
        for name in self.terms:
            yield from self.scaling(name)
        yield from effective_beta(self)

    # ---- what there is ---------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.objective.name

    @property
    def terms(self) -> dict[str, Node]:
        return dict(self.objective.terms)

    @property
    def hypers(self) -> dict[str, Node]:
        """The hyperparameters that the loss depends on."""
        found = {}
        for x in reachable([self.objective.loss]):
            if isinstance(x.op, Input) and x.op.kind == "hyper":
                found[x.op.key] = x
        return found

    @property
    def groups(self) -> list[str]:
        """The groups of parameters that the objective reads."""
        read = [x.op for x in reachable([self.objective.loss]) if isinstance(x.op, Input)]
        own = {self.graph.params[op.key].group for op in read if op.kind == "param"}
        return sorted(own)

    @property
    def setting(self) -> Setting:
        claim = c.Claim("", c.Plain(c.And(())), "")
        return setting_of(self.graph, claim, self.interface, float("inf"))

    def tensors(self, root: Node) -> frozenset[Node]:
        """The named tensors below a node: what its readings show as variables."""
        names = self.graph.builder.names
        scope = {x for x in self.objective.scope.values() if x.type.shape and x.inputs}
        below = reachable([root])
        return frozenset(x for x in below if (x in names and x.inputs and x.type.shape)) | (
            scope & set(below)
        )

    def printer(self) -> Printer:
        names = {f"%{x.id}": n for x, n in self.graph.builder.names.items()}
        names |= {f"%{x.id}": n for n, x in self.objective.scope.items()}
        return Printer(names | {f"%{x.id}": n for n, x in self.terms.items()})

    def ask(self, body: c.Body, statement: str) -> ClaimReport:
        claim = c.Claim(f"battery.{statement}", body, statement, subject=self.name)
        return settle_one(self.graph, claim, self.interface, seconds=self.seconds)

    # ---- the questions ---------------------------------------------------------------------

    def weights(self) -> dict[str, Poly] | None:
        """The factor of each term in the loss, where the loss is a weighted sum of its terms."""
        nodes = {f"%{x.id}": name for name, x in self.terms.items()}
        try:
            p = self.setting.reader(self.terms.values()).real(self.objective.loss)
        except KernelError:
            return None
        found: dict[str, dict[Mono, Fraction]] = {name: {} for name in self.terms}
        for m, k in p.terms.items():
            inside = [(a, e) for a, e in m if a.kind == "var" and a.args[0] in nodes]
            if len(inside) != 1 or inside[0][1] != 1:
                return None
            rest = tuple(x for x in m if x[0] is not inside[0][0])
            found[nodes[inside[0][0].args[0]]][rest] = k
        return {name: poly(rows) for name, rows in found.items()}

    def decomposition(self, weights: dict[str, Poly] | None) -> Row:
        if weights is None:
            return Row("decomposition", self.name, "not a weighted sum of its terms")
        build, total, texts = self.graph.builder, list[Node](), list[str]()
        for name, w in weights.items():
            if not w.terms:
                texts.append(f"0 * {name}")
                continue
            factor = as_node(build, w, self.leaves())
            if factor is None:
                return Row("decomposition", self.name, "weights of another form")
            total.append(mul(build, factor, self.terms[name]))
            texts.append(weighted(w, name, self.printer()))
        whole = " + ".join(texts)
        side = add(build, *total) if total else const(build, 0)
        statement = f"{self.name} == {whole}"
        found = self.ask(c.Plain(c.Compare("==", self.objective.loss, side)), statement)
        return Row("decomposition", self.name, whole, statement, found.verdict)

    def leaves(self) -> dict[str, Node]:
        below = reachable([self.objective.loss])
        return {leaf_name(x): x for x in below if isinstance(x.op, Input)}

    def signs(self, name: str) -> Iterator[Row]:
        term, build = self.terms[name], self.graph.builder
        zero = const(build, 0)
        up = self.ask(c.Plain(c.Compare(">=", term, zero)), f"{name} >= 0")
        if up.verdict == "proved":
            yield Row("sign", name, ">= 0", up.statement, up.verdict)
            yield self.zeros(name)
            return
        down = self.ask(c.Plain(c.Compare("<=", term, zero)), f"{name} <= 0")
        if down.verdict == "proved":
            yield Row("sign", name, "<= 0", down.statement, down.verdict)
        elif {up.verdict, down.verdict} == {"refuted"}:
            witness = {"negative": dict(up.witness or {}), "positive": dict(down.witness or {})}
            yield Row("sign", name, "either sign", up.statement, "refuted", witness)
        else:
            yield Row("sign", name, "?", up.statement, up.verdict)

    def zeros(self, name: str) -> Row:
        term, build = self.terms[name], self.graph.builder
        found = zero_set(self.graph.builder, term, self.tensors(term), self.setting, self.printer())
        if found is None:
            return Row("zero", name, "?")
        if not found:
            up = self.ask(c.Plain(c.Compare(">", term, const(build, 0))), f"{name} > 0")
            return Row("zero", name, "never", up.statement, up.verdict)
        text = " and ".join(e.text for e in found)
        zero = const(build, 0)
        right = c.And(tuple(c.Compare("==", e.node, zero) for e in found))
        statement = f"{name} == 0 iff {text}"
        answer = self.ask(c.Iff(c.Compare("==", term, zero), right), statement)
        return Row("zero", name, text, statement, answer.verdict)

    def weight(self, hyper: str, weights: dict[str, Poly] | None) -> Iterator[Row]:
        """Monotonicity, and what is left when the hyperparameter is 0."""
        leaf, loss = self.hypers[hyper], self.objective.loss
        rows = []
        for direction in ("nondecreasing", "nonincreasing"):
            statement = f"{self.name} is {direction} in {hyper}"
            rows.append(self.ask(c.Monotone(loss, leaf, direction), statement))
            if rows[-1].verdict == "proved":
                yield Row("monotone", hyper, direction, statement, "proved")
                break
        else:
            both = all(r.verdict == "refuted" for r in rows)
            verdict = "refuted" if both else "unknown"
            answer = "neither way" if both else "?"
            yield Row("monotone", hyper, answer, rows[0].statement, verdict)
        low = self.interface.hypers[hyper].range.low
        weighs = weights is not None and any(f"hyper:{hyper}" in str(w) for w in weights.values())
        if weights is not None and weighs and (low is None or low <= 0):
            yield self.collapse(hyper, weights)

    def collapse(self, hyper: str, weights: dict[str, Poly]) -> Row:
        build, leaf = self.graph.builder, self.hypers[hyper]
        left, mentioned = [], f"hyper:{hyper}"
        for name, w in weights.items():
            rows = {m: k for m, k in w.terms.items() if mentioned not in str(m)}
            if not rows:
                continue
            factor = as_node(build, poly(rows), self.leaves())
            if factor is None:
                return Row("collapse", hyper, "?")
            text = weighted(poly(rows), name, self.printer())
            left.append((text, mul(build, factor, self.terms[name])))
        (at_zero,) = substitute(build, [self.objective.loss], {leaf: const(build, 0)})
        side = add(build, *(x for _, x in left)) if left else const(build, 0)
        text = " + ".join(t for t, _ in left) or "0"
        side = substitute(build, [side], {leaf: const(build, 0)})[0]
        statement = f"{self.name} with {hyper} = 0 == {text}"
        found = self.ask(c.Plain(c.Compare("==", at_zero, side)), statement)
        return Row("collapse", hyper, text, statement, found.verdict)

    def flows(self, name: str) -> Iterator[Row]:
        """Which groups of parameters the term moves."""
        for group in self.groups:
            statement = f"grad({name}, {group}) == 0"
            body = c.Plain(c.GradEqual((c.GradTerm(self.terms[name], group),)))
            found = self.ask(body, statement)
            answer = {"proved": "zero", "refuted": "flows"}.get(found.verdict, "?")
            row = {"group": group, "witness": dict(found.witness or {})}
            yield Row("flow", name, answer, statement, found.verdict, row)

    def moves(self, hyper: str) -> Iterator[Row]:
        """Which gradients of the loss the hyperparameter changes."""
        for group in self.groups:
            statement = f"grad({self.name}, {group}) does not depend on {hyper}"
            body = c.Independent(self.objective.loss, group, self.hypers[hyper])
            found = self.ask(body, statement)
            answer = {"proved": "free", "refuted": "changes"}.get(found.verdict, "?")
            row = {"group": group, "witness": dict(found.witness or {})}
            yield Row("moves", hyper, answer, statement, found.verdict, row)

    def batch(self) -> Iterator[Row]:
        sizes = {d.name for d in self.interface.dims.values() if d.kind == "batch"}
        for b in sorted(sizes):
            for name, node in {self.name: self.objective.loss, **self.terms}.items():
                for kind, body in (
                    ("separable", c.Separable(node, b)),
                    ("repeat", c.RepeatInvariant(node, b)),
                ):
                    what = (
                        f"{name} is separable over {b}"
                        if kind == "separable"
                        else f"{name} is unchanged by repeating the batch"
                    )
                    found = self.ask(body, what)
                    answer = {"proved": "yes", "refuted": "no"}.get(found.verdict, "?")
                    row = {"size": b, "witness": dict(found.witness or {})}
                    yield Row(kind, name, answer, what, found.verdict, row)

    def scaling(self, name: str) -> Iterator[Row]:
        """By which power of each size the term grows, when entries are repeated along its axis."""
        term = self.terms[name]
        try:
            p = self.setting.reader(self.tensors(term)).real(term)
        except KernelError:
            return
        names = sorted({a for x in reachable([term]) for d in x.type.shape for a in d.names})
        for s in names:
            power = growth(p, s)
            answer = "?" if power is None else "mean" if power == 0 else f"sum ({s}^{power})"
            if power == 1:
                answer = "sum"
            if power is not None and (power or _reduced(p, s)):
                yield Row("scaling", name, answer, detail={"size": s, "power": str(power)})


def fraction(p: Poly, printer: Printer) -> str:
    """A product of powers with a bar: `beta / Z`."""
    single = p.single()
    if single is None:
        return printer.poly(p)
    m, k = single
    up = [printer.poly(poly({((a, e),): Fraction(1)})) for a, e in m if e > 0]
    down = [printer.poly(poly({((a, -e),): Fraction(1)})) for a, e in m if e < 0]
    up = ([str(k.numerator)] if k.numerator != 1 or not up else []) + up
    down = ([str(k.denominator)] if k.denominator != 1 else []) + down
    below = f"({' * '.join(down)})" if len(down) > 1 else "".join(down)
    return " * ".join(up) + (f" / {below}" if down else "")


def weighted(p: Poly, name: str, printer: Printer) -> str:
    """`beta * kl`, or `kl` alone for the weight 1."""
    text = fraction(p, printer)
    if text == "1":
        return name
    return f"({text}) * {name}" if len(p.terms) > 1 or "/" in text else f"{text} * {name}"


def growth(p: Poly, name: str) -> Fraction | None:
    """The power of the size by which all of p grows; None if parts differ, or none is found."""
    powers = set()
    for m in p.terms:
        k = _mono_growth(m, name)
        if k is None:
            return None
        powers.add(k)
    return powers.pop() if len(powers) == 1 else Fraction(0) if not powers else None


def _mono_growth(m: Mono, name: str) -> Fraction | None:
    total = Fraction(0)
    for a, k in m:
        if a.kind == "dim":
            total += k * (a.args[0] == name)
        elif a.kind == "S":
            inner = _mono_growth(a.args[1], name)
            if inner is None:
                return None
            total += k * (inner + sum(_degree(b.args[1], name) for b in a.args[0]))
        elif _uses(a.args, name):
            return None
    return total


def _degree(bound: Poly, name: str) -> Fraction:
    """The power of a size in the number of entries of an axis."""
    rows = [sum((k for a, k in m if a.args[:1] == (name,)), Fraction(0)) for m in bound.terms]
    return max(rows, default=Fraction(0))


def _uses(x: object, name: str) -> bool:
    """Whether a function's argument holds a sum over the size, or its value."""
    if isinstance(x, tuple):
        return any(_uses(y, name) for y in x)
    if isinstance(x, Poly):
        return any(_mono_growth(m, name) != 0 for m in x.terms)
    return False


def _reduced(p: Poly, name: str) -> bool:
    """Whether a sum over the size occurs."""
    unit = size(Dim.name(name))
    return any(
        a.kind == "S" and any(b.args[1] is unit or _degree(b.args[1], name) for b in a.args[0])
        for m in p.terms
        for a, _ in m
    )


def battery(
    graph: Graph, interface: Interface, *, seconds: float = SECONDS
) -> dict[str, tuple[Row, ...]]:
    """The answers for every objective."""
    return {
        name: tuple(Battery(graph, interface, objective, seconds).rows())
        for name, objective in graph.objectives.items()
    }


def verdicts(rows: Sequence[Row]) -> dict[str, int]:
    """How many questions have each verdict."""
    total: dict[str, int] = {}
    for row in rows:
        if row.verdict:
            total[row.verdict] = total.get(row.verdict, 0) + 1
    return total
