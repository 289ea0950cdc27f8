"""What stands before a statement in Coq: sizes, variables, what is declared of them.

In: a `Source` that has printed a statement, names, declared ranges. Out: `Row`s: the binders and
premises of the theorem in their order, with the names that they introduce. Sizes are natural
numbers above 0, and premises hold for the entries alone, never beyond.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gendsl.ir.graph import Builder, Node
from gendsl.ops.leaf import Draw
from gendsl.prove.coq.expr import Canon, E, NotExported, Num, Sub, index_name
from gendsl.prove.coq.normalise import Writer
from gendsl.prove.coq.statement import Source
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import Atom, Poly, atom, of_atom
from gendsl.prove.reading import Setting
from gendsl.prove.terms import indices, size
from gendsl.shape.tensor_type import Bool, Fin, Range


@dataclass(frozen=True)
class Row:
    """`key` says what the row is about, the same in all theorems about a claim."""

    key: tuple[object, ...]
    args: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Limit:
    """A declared bound of a variable or a size, as a premise."""

    key: tuple[object, ...]
    name: str
    text: str
    tree: E  # greater side minus smaller side
    at: tuple[Atom, ...]
    rel: str
    end: Fraction = Fraction(0)

    @property
    def row(self) -> Row:
        return Row(self.key, (self.name,), f"({self.name} : {self.text})")


# What statements and proofs call by name: no variable is called so.
_WORDS = """
exp ln sqrt sin cos tanh relu ge0 eq0 Rmax Rmin Rabs rsum delta argmin argmax lin linsum fst snd
fold_right INR PI R nat Ex forall exists fun let in if then else match with end as at for fix return
using where Prop Set Type
"""
RESERVED = frozenset(_WORDS.split())


def coq_names(
    build: Builder, variables: Iterable[str], nodes: Mapping[str, Node], taken: Iterable[str]
) -> dict[str, str]:
    """A Coq name for each variable: the name in the program where there is one."""
    used, found = {*RESERVED, *taken}, dict[str, str]()
    for x in variables:
        base = build.names.get(nodes[x]) if x in nodes else None
        base = base or x.rpartition(":")[2].rpartition(".")[2]
        text = re.sub(r"\W", "_", base.replace("'", "_next").replace("%", "x"))
        text = f"v_{text}" if not text[:1].isalpha() or text in used else text
        while text in used or re.fullmatch(r"[a-zA-Z]\d*|H.*|h_\d+", text):
            text += "_"
        used.add(text)
        found[x] = text
    return found


def written(name: str, rows: Sequence[Row], goal: str) -> str:
    """A statement: its header and what it says."""
    head = "\n    ".join(row.text for row in rows)
    return f"Theorem {name} :\n  {f'forall {head},' if rows else ''}\n  {goal}."


@dataclass(frozen=True)
class Theorem:
    """`text` is the Coq theorem with its proof; `statement` its statement alone."""

    name: str
    statement: str
    text: str
    lean: str = ""  # the same in Lean 4, "" where it has no text; never compiled


@dataclass(frozen=True)
class Part:
    """A sequent's theorem for the theorem of its claim: its rows, what it was printed from."""

    name: str
    rows: tuple[Row, ...]
    source: Source
    roots: tuple[Node, ...]
    dims: frozenset[str]
    arguments: tuple[Atom, ...]

    def hidden(self, shared: Mapping[Node, str]) -> list[tuple[str, Node]]:
        """The variables of the theorem that stand for nodes, other than the shared ones."""
        own = self.source
        return [(x, v) for x, v in own.nodes.items() if v in own.stands and v not in shared]


def compared(w: Writer, rel: str, left: E, right: E) -> str:
    """`left rel right` as Coq writes it."""
    a, b = w.t(left), w.t(right)
    return {"eq": f"{a} = {b}", "ge": f"{b} <= {a}", "gt": f"{b} < {a}", "ne": f"{a} <> {b}"}[rel]


def names_in(sizes: Iterable[Poly]) -> set[str]:
    """The names of sizes that polynomials mention."""
    return {a.args[0] for x in sizes for m in x.terms for a, _ in m if a.kind == "dim"}


def binders(
    w: Writer, source: Source, dims: Iterable[str], arguments: Iterable[Atom]
) -> Iterator[Row]:
    """Sizes, variables and universally bound indices."""
    for name in dims:
        d = w.names.dim(name)
        yield Row(("dim", name), (d, f"H{d}"), f"({d} : nat) (H{d} : (0 < {d})%nat)")
    for p, s in w.names.composite.items():
        text = f"({s} : nat) (H{s} : INR {s} = {w.t(Canon(p))}) (P{s} : (0 < {s})%nat)"
        yield Row(("size", p), (s, f"H{s}", f"P{s}"), text)
    for name, (count, kind) in sorted(source.arity.items()):
        target = "nat" if kind == "index" else "R"
        v = w.names.variable(name)
        text = f"({v} : {' -> '.join(['nat'] * count + [target])})"
        if kind == "real":
            yield Row(("var", name), (v,), text)
        else:
            fact = _kind_fact(w, source, name)
            yield Row(("var", name), (v, f"B_{v}"), f"{text} {fact}")
    for i in arguments:
        own = index_name(i)
        text = f"({own} : nat) (H{own} : {w.bound(i)})"
        yield Row(("index", i), (own, f"H{own}"), text)


def _kind_fact(w: Writer, source: Source, name: str) -> str:
    node, (count, kind) = source.nodes[name], source.arity[name]
    at = indices(node.type.shape)
    if len(at) != count:
        raise NotExported("an index with loop indices")
    v = w.names.variable(name)
    own = f"({v} {' '.join(index_name(i) for i in at)})" if at else v
    if kind == "bool" or isinstance(node.type.elem, Bool):
        text = f"{own} = 0 \\/ {own} = 1"
    else:
        assert isinstance(node.type.elem, Fin)
        text = f"({own} < {w.names.nat(size(node.type.elem.bound))})%nat"
    return f"(B_{v} : {w.quantified(at)}{text})"


def limits(w: Writer, source: Source, setting: Setting) -> Iterator[Limit]:
    """The declared ranges of the variables that were met."""
    for name, node in list(source.nodes.items()):
        found = setting.ranges.get(name.rstrip("'"))
        strict = isinstance(node.op, Draw)
        if name.startswith("%"):
            continue
        if found is None and isinstance(node.op, Draw) and node.op.dist == "uniform":
            found = Range(Fraction(0), Fraction(1))
        if found is None:
            continue
        at = indices(node.type.shape)
        v = source.real(node, at)
        rel = "gt" if strict else "ge"
        for side, end in (("lo", found.low), ("hi", found.high)):
            if end is not None:
                pair: tuple[E, E] = (v, Num(end)) if side == "lo" else (Num(end), v)
                text = w.quantified(at) + compared(w, rel, *pair)
                own = f"R{side}_{w.names.variable(name)}"
                yield Limit((side, name), own, text, Sub(*pair), at, rel, end)


def least_sizes(w: Writer, setting: Setting, dims: Iterable[str]) -> Iterator[Limit]:
    """The declared lower bounds of sizes."""
    for name in dims:
        least = setting.at_least.get(name)
        if least is None:
            continue
        gap = n.sub(of_atom(atom("dim", name)), size(least))
        if not n.nonnegative(gap):
            text = f"({w.names.nat(size(least))} <= {w.names.dim(name)})%nat"
            yield Limit(("least", name), f"M{name}", text, Canon(gap), (), "nat")
