"""Certificates: what `gendsl check --certify DIR` writes for each proved claim.

In: an analysis, and the outcomes of its claims. Out: in DIR, for each file with claims,
`NAME.graph` (the canonical content text, whose SHA-256 is the graph hash) and for each proved claim
`NAME.CLAIM.json`: the claim as written and as lowered (bodies over a node list, in the text form of
`gendsl.ir.text`), what it may assume, its sequents and subgoals, and the proof object of each, as
tables of atoms, polynomials, propositions and theorems with references. Nothing here judges;
`gendsl recheck` does. Files are written under another name first and then renamed.

References are short strings: "a3" an atom, "p3" a polynomial, "h3" a proposition, "q1/2" a number,
"s..." a string; lists are tuples. Premises and hypotheses are numbers into the tables.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from gendsl.core import claim as c
from gendsl.core.program import Interface
from gendsl.ir.graph import Graph, Node, reachable
from gendsl.ir.text import content_text, nodes_text
from gendsl.ops.leaf import Input
from gendsl.prove.case import Outcome
from gendsl.prove.kernel.rules import Prop, Thm, prop
from gendsl.prove.kernel.term import Atom, Poly
from gendsl.prove.props import Comparison
from gendsl.prove.sequent import Proof, visible
from gendsl.prove.subgoal import Subgoal
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Range

FORMAT = 1


@dataclass
class Tables:
    """Atoms, polynomials, propositions and theorems by number, each after what it mentions."""

    atoms: list[Any] = field(default_factory=list)
    polys: list[Any] = field(default_factory=list)
    props: list[Any] = field(default_factory=list)
    theorems: list[Any] = field(default_factory=list)
    _seen: dict[object, str] = field(default_factory=dict)
    _proved: dict[int, int] = field(default_factory=dict)
    _kept: list[Thm] = field(default_factory=list)  # an id is only unique while its object lives

    def ref(self, x: Any) -> Any:
        """A reference to a value that is an argument or the data of a rule."""
        match x:
            case Atom() | Poly() | Prop():
                found = self._seen.get(x)
                if found is None:
                    found = self._seen[x] = self._enter(x)
                return found
            case tuple():
                return [self.ref(y) for y in x]
            case str():
                return f"s{x}"
            case bool():
                return x
            case int() | Fraction():
                return f"q{x}"
            case _:
                raise TypeError(f"no text for {x!r} in a certificate")

    def _enter(self, x: Atom | Poly | Prop) -> str:
        if isinstance(x, Atom):
            row: list[Any] = [x.kind, *(self.ref(a) for a in x.args)]
            self.atoms.append(row)
            return f"a{len(self.atoms) - 1}"
        if isinstance(x, Poly):
            rows = [[str(k), [[self.ref(a), str(e)] for a, e in m]] for m, k in x.terms.items()]
            self.polys.append(rows)
            return f"p{len(self.polys) - 1}"
        self.props.append([x.rel, self.ref(x.poly), [self.ref(b) for b in x.binders]])
        return f"h{len(self.props) - 1}"

    def theorem(self, t: Thm) -> int:
        """The number of a theorem; its premises are entered first."""
        stack = [t]
        while stack:
            top = stack[-1]
            todo = [p for p in top.premises if id(p) not in self._proved]
            if todo:
                stack.extend(todo)
                continue
            stack.pop()
            if id(top) not in self._proved:
                self._proved[id(top)] = len(self.theorems)
                self._kept.append(top)
                self.theorems.append(self._row(top))
        return self._proved[id(t)]

    def _row(self, t: Thm) -> dict[str, Any]:
        return {
            "rule": t.rule,
            "concl": self.ref(t.concl),
            "hyps": sorted(self.ref(h) for h in t.hyps),
            "premises": [self._proved[id(p)] for p in t.premises],
            "data": [self.ref(x) for x in t.data],
        }

    def json(self) -> dict[str, Any]:
        return {
            "atoms": self.atoms,
            "polys": self.polys,
            "props": self.props,
            "theorems": self.theorems,
        }


@dataclass
class Names:
    """Names for the nodes that a record mentions: "n0", "n1", ... in the order of mention."""

    by_node: dict[Node, str] = field(default_factory=dict)

    def of(self, node: Node) -> str:
        return self.by_node.setdefault(node, f"n{len(self.by_node)}")

    def record(self, x: Any) -> Any:
        """A claim body, or a part of one, as JSON."""
        match x:
            case Node():
                return {"node": self.of(x)}
            case Dim():
                return {"size": str(x)}
            case None | str() | bool():
                return x
            case int() | Fraction():
                return {"number": str(x)}
            case tuple():
                return [self.record(y) for y in x]
            case dict():
                return {k: self.record(v) for k, v in x.items()}
            case _ if dataclasses.is_dataclass(x):
                rows = {f.name: self.record(getattr(x, f.name)) for f in dataclasses.fields(x)}
                return {"is": type(x).__name__, **rows}
            case _:
                raise TypeError(f"no record of {x!r}")

    def text(self) -> str:
        return nodes_text({name: node for node, name in self.by_node.items()})


def certificate(
    claim: c.Claim, outcome: Outcome, graph: Graph, interface: Interface
) -> dict[str, Any]:
    """The JSON object of one proved claim, without the names of files."""
    names, tables = Names(), Tables()
    record = {
        "body": names.record(claim.body),
        "given": names.record(claim.given),
        "variables": names.record(claim.variables),
    }
    lemmas = {id(p): p for s in outcome.subgoals for p in s.lemmas}
    sequents = [_sequent(p, names, tables) for p in (*outcome.proofs, *lemmas.values())]
    subgoals = [_subgoal(s, names, tables) for s in outcome.subgoals]
    return {
        "format": FORMAT,
        "claim": qualified(claim),
        "statement": claim.source,
        "obligation": record,
        "named": _named(graph, claim, names),
        "ranges": {k: _range(v) for k, v in _ranges(interface)},
        "at_least": {k: str(d.at_least) for k, d in interface.dims.items()},
        "groups": {p.path: p.group for p in graph.params.values()},
        "steps": [[s.objective, list(s.groups)] for s in _steps(interface)],
        "laws": list(outcome.laws),
        "sequents": sequents,
        "subgoals": subgoals,
        "proof": tables.json(),
        "nodes": names.text(),
    }


def qualified(claim: c.Claim) -> str:
    return f"{claim.subject}.{claim.name}" if claim.subject else claim.name


def _sequent(p: Proof, names: Names, tables: Tables) -> dict[str, Any]:
    below = {x.id: x for x in reachable(p.sequent.nodes)}
    theorem = tables.theorem(p.theorem)
    sides = [tables.theorem(t) for t in p.conditions]
    used = {row[1][1:] for row in tables.atoms if row[0] == "var" and row[1].startswith("s%")}
    shown = visible(p.sequent.nodes, p.opaque)
    edge = p.opaque & {*p.sequent.nodes, *(y for x in shown for y in x.inputs)}
    used |= {f"%{x.id}" for x in edge}
    return {
        "given": [_comparison(q, names) for q in p.sequent.given],
        "goal": _comparison(p.sequent.goal, names),
        "theorem": theorem,
        "conditions": sides,
        "stands": {v: names.of(below[int(v[1:])]) for v in sorted(used) if int(v[1:]) in below},
    }


def _subgoal(s: Subgoal, names: Names, tables: Tables) -> dict[str, Any]:
    """What is shown by name only: the checker knows what a claim of this form has to show."""
    shown = visible(s.roots, s.opaque)
    edge = s.opaque & {*s.roots, *(y for x in shown for y in x.inputs)}
    return {
        "what": s.what,
        "given": [_comparison(q, names) for q in (*s.given, *(p.sequent.goal for p in s.lemmas))],
        "theorem": tables.theorem(s.theorem),
        "conditions": [tables.theorem(t) for t in s.conditions],
        "stands": {f"%{x.id}": names.of(x) for x in sorted(edge, key=lambda x: x.id)},
        "about": names.of(s.about) if s.about is not None else None,
        "term": tables.ref(prop("eq", *s.term)) if s.term is not None else None,
    }


def _comparison(q: Comparison, names: Names) -> dict[str, str]:
    return {"rel": q.rel, "left": names.of(q.left), "right": names.of(q.right)}


def _named(graph: Graph, claim: c.Claim, names: Names) -> dict[str, str]:
    """The terms of objectives that the claim's nodes contain, by qualified name."""
    below = set(reachable(names.by_node))
    found = {}
    for o in graph.objectives.values():
        for name, node in {**o.terms, o.name: o.loss}.items():
            if node in below and not (isinstance(node.op, Input) or not node.inputs):
                found[f"{o.name}.{name}"] = names.of(node)
    return found


def _range(r: Range) -> list[str | None]:
    return [None if x is None else str(x) for x in (r.low, r.high)]


def _ranges(interface: Interface) -> Iterable[tuple[str, Range]]:
    for name, hyper in interface.hypers.items():
        yield f"hyper:{name}", hyper.range
    for name, data in interface.data.items():
        if data.range is not None:
            yield f"data:{name}", data.range


def _steps(interface: Interface) -> Sequence[Any]:
    return interface.recipe.steps_lines if interface.recipe else ()


# ---- files -------------------------------------------------------------------------------


def write(
    folder: Path, path: str, graph: Graph, interface: Interface,
    outcomes: Sequence[tuple[c.Claim, Outcome]],
) -> list[Path]:  # fmt: skip
    """Write the graph and the certificates of the proved claims of one file; the paths."""
    stem = file_stem(path)
    text = content_text(graph)
    written = [write_text(folder / f"{stem}.graph", text)]
    digest = hashlib.sha256(text.encode()).hexdigest()
    for claim, outcome in outcomes:
        if outcome.verdict != "proved":
            continue
        made = certificate(claim, outcome, graph, interface)
        made["graph"] = f"{stem}.graph"
        made["graph_hash"] = digest
        name = f"{stem}.{qualified(claim)}.json"
        written.append(write_text(folder / name, json.dumps(made, ensure_ascii=False) + "\n"))
    return written


def file_stem(path: str) -> str:
    """A name for the files of a source: its folder's name and its own."""
    source = Path(path).resolve()
    return f"{source.parent.name}.{source.stem}" if source.parent.name else source.stem


def write_text(path: Path, text: str) -> Path:
    """All of the text or nothing, also when interrupted."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
    return path
