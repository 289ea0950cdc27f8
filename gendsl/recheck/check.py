"""The stand-alone certificate checker: standard library and mpmath only, nothing of the prover.

    gendsl recheck DIR            python gendsl/recheck/check.py DIR

For each certificate it checks, and rejects with the reason where one fails:

1. The graph file it names is there and its SHA-256 is the stated graph hash; the terms of
   objectives that the claim mentions are the nodes of that graph, and a term that the statement
   names is among them.
2. The obligation, rebuilt here from the lowered claim (its body over nodes), is covered by the
   sequents of the certificate: none is missing, none has more hypotheses than the claim.
3. The conclusion of each theorem is the comparison of its sequent, and each of its hypotheses is
   one of the claim's, or a declared range: by values, the graph nodes evaluated on the one side and
   the theorem's terms on the other.
4. Every step of the proof object follows from its premises by its rule (see `replay.py`).
5. At points that meet the hypotheses, the obligation itself is defined and holds.

Claims that are no comparisons (laws, gradients, separability, bounds, ...) have subgoals instead of
2. What each has to say is worked out here from the claim and the graph (`needs_of.py`), and its
theorem is linked to these values as in 3; then what the claim says is evaluated on the graph itself
(`measure.py`). Which groups the lines of a training step name is only read ("evaluated").

What it does not check: that the lowered claim is what the statement's text means (parser and
lowering are trusted; the statement is printed so that a reader can compare); identities are tested
at random points with 60 digits, which is overwhelming evidence and not a proof (the kernel, and Coq
with `gendsl check --coq`, prove them); what a theorem takes as an arbitrary variable (a named
result of a net) is evaluated as one. Exit code 0 if all certificates are accepted, else 1.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: its folder is the package, whatever it lies in
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    __package__ = "recheck"

from . import lipschitz, rules, rules_more, rules_zero  # noqa: F401  (they fill the table)
from .arrays import Undefined, tabulate
from .evaluate import Evaluator, Unsupported
from .measure import Contradicted, measure
from .needs import Judge, Subgoal
from .needs_of import needs_of
from .node_text import Node, Nodes, below
from .obligation import Claim, Comparison, Entries, Sequent, covers
from .points import Point, Range
from .replay import Rejected, Replay
from .rule_table import RULES
from .search_points import candidates, fitting_sizes, meeting, names_of
from .sizes import Malformed, Misfit, Size, read_size
from .terms import Terms

FORMAT = 1
POINTS = 6  # at which identities are tested
SAMPLES = 5  # at which an obligation is evaluated


@dataclass(frozen=True)
class Judgement:
    """`reason` is empty for an accepted certificate; `what` says what was done."""

    claim: str
    statement: str
    what: str
    reason: str = ""

    @property
    def accepted(self) -> bool:
        return not self.reason


def judge(path: Path) -> Judgement:
    """One certificate."""
    try:
        made = json.loads(path.read_text(encoding="utf-8"))
        name, statement = str(made["claim"]), str(made["statement"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        return Judgement(path.name, "", "", f"not a certificate: {problem}")
    try:
        what = Certificate(made, path.parent).check()
    except (Rejected, Contradicted, Malformed, Misfit, Unsupported, Undefined) as problem:
        return Judgement(name, statement, "", str(problem) or type(problem).__name__)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RecursionError) as problem:
        reason = f"not a well-formed certificate: {type(problem).__name__}: {problem}"
        return Judgement(name, statement, "", reason)
    return Judgement(name, statement, what)


class Certificate:
    """A certificate being checked."""

    def __init__(self, made: Mapping[str, Any], folder: Path) -> None:
        if made["format"] != FORMAT:
            raise Malformed(f"format {made['format']} is not {FORMAT}")
        self.made, self.folder = made, folder
        self.nodes = Nodes()
        _, outputs, _ = self.nodes.read(made["nodes"])
        self.claim = Claim(made["obligation"], self.nodes, outputs)
        self.outputs = outputs
        self.groups: dict[str, str] = {}
        self.least = {k: read_size(v) for k, v in made["at_least"].items()}

    def check(self) -> str:
        self._graph()
        about = lipschitz.mentioned(self.claim)
        duties = lipschitz.duties(self.claim) if about else self.claim.duties()
        sequents = [Sequent(row, self.claim) for row in self.made["sequents"]]
        if duties is None:
            return self._by_subgoals(sequents)
        for duty in duties:
            if not covers(duty, sequents):
                raise Rejected("the sequents do not cover the obligation")
        steps, met, missed = 0, 0, 0
        replay = self._replay(sequents)
        for s in sequents:
            s.link(replay, self._facts(s.nodes))
            found = self._evaluate(s, replay)
            met, missed = met + found, missed + (found == 0)
        steps = len(replay.theorems)
        text = f"{steps} steps replayed, true at {met} points"
        return text + (f" ({missed} sequents: no point met the hypotheses)" if missed else "")

    def _by_subgoals(self, sequents: Sequence[Sequent]) -> str:
        """A claim that is no comparison of nodes: its subgoals, and its evaluation."""
        subgoals = [Subgoal.read(row, self.claim) for row in self.made["subgoals"]]
        wanted = needs_of(self.claim, self.groups)
        what = measure(self.claim, {**self.made, "groups": self.groups}, self._base(), self._sizes)
        if wanted is None:
            return what
        replay = self._replay([*sequents, *subgoals])
        facts = self._facts(below(self.claim.roots))
        for s in sequents:
            s.link(replay, self._facts(s.nodes))
            self._evaluate(s, replay)
        met = Judge(subgoals, sequents, replay, facts).all(wanted)
        return f"{len(replay.theorems)} steps replayed for {met} subgoals; {what}"

    # ---- the graph ------------------------------------------------------------------------

    def _graph(self) -> None:
        """The graph file has the stated hash, and the claim's terms are terms of that graph."""
        path = self.folder / Path(self.made["graph"]).name
        try:
            data = path.read_bytes()
        except OSError as problem:
            raise Rejected(f"no graph: {problem}") from problem
        if hashlib.sha256(data).hexdigest() != self.made["graph_hash"]:
            raise Rejected(f"{path.name} does not have the stated hash")
        own, _, rest = self.nodes.read(data.decode())
        self.groups = _groups(rest)
        if self.made["groups"] != self.groups:
            raise Rejected("the groups of parameters are not the graph's")
        terms = _terms(own, rest)
        for name, output in self.made["named"].items():
            if terms.get(name) is not self.outputs[output]:
                raise Rejected(f"{name} is not the graph's")
        self._mentioned(terms)

    def _mentioned(self, terms: Mapping[str, Node]) -> None:
        """Each term that the statement names occurs in the lowered claim."""
        statement, subject = self.made["statement"], self.made["claim"].rpartition(".")[0]
        if re.search(r"\bwith\b", statement) or self.claim.body["is"] == "Leaves":
            return
        words = set(re.findall(r"[^\W\d]\w*", statement))
        inside = set(below(self.claim.roots))
        for name, node in terms.items():
            objective, _, term = name.rpartition(".")
            if objective == subject and term in words and node not in inside:
                raise Rejected(f"the statement names {term}, which is not in the lowered claim")

    # ---- points ---------------------------------------------------------------------------

    def _base(self) -> Point:
        ranges: dict[str, Range] = {k: _range(v) for k, v in self.made["ranges"].items()}
        ranges |= self.claim.argument_ranges()
        ranges |= {f"{k}'": v for k, v in ranges.items()}
        for x in below(list(self.outputs.values())):
            if x.op.name == "draw" and x.op["dist"] == "uniform" and x.key is not None:
                ranges[x.key] = (Fraction(1, 1000), Fraction(999, 1000))
        return Point(0, {}, "wide", ranges, self.claim.index_bounds())

    def _sizes(
        self,
        nodes: Sequence[Node],
        many: int,
        extra: Iterable[str] = (),
        fits: Callable[[Mapping[str, int]], bool] = lambda sizes: True,
    ) -> list[dict[str, int]]:
        names = names_of(nodes) | {*extra}
        found = fitting_sizes(nodes, names, self.least, many, fits)
        if not found:
            raise Rejected("no small sizes fit the shapes")
        return found

    def _replay(self, sequents: Sequence[Sequent | Subgoal]) -> Replay:
        tables = self.made["proof"]
        terms = Terms(tables, self.made.get("functions", {}))
        own = [s for s in sequents if isinstance(s, Sequent)]
        whole = below(self.claim.roots) if len(own) < len(sequents) else []
        self._divided_sizes(terms, [*whole, *(y for s in own for y in s.nodes)])
        shown = [*whole, *self._shown([(s, s.stands) for s in own])]
        dims = {row[1][1:] for row in terms.atoms if row[0] == "dim"}
        sizes = self._sizes(shown, 4, dims, terms.fits)
        given = [q for s in sequents for q in s.given if q.rel in ("ge", "gt", "ne")]
        points = list(candidates(sizes, self._base()))
        stands = {x: v for s in sequents for x, v in s.stands.items()}
        good = meeting(given, stands, (p for p in points if p.mode in MIXED), POINTS)
        good += [p for p in points if p.mode in MIXED and p not in good][: POINTS - len(good) + 2]
        return Replay(terms, tables, good, RULES)

    def _divided_sizes(self, terms: Terms, nodes: list[Node]) -> None:
        """An index over a size with a division is over an axis of the claim's terms. (Otherwise a
        proof could choose the points at which it is tried, by a size that is seldom whole.)"""
        axes = {_powers(d) for x in below(nodes) for d in _sizes(x)}
        for row in terms.atoms:
            if row[0] == "i":
                size = _size_of(terms, row[-1])
                whole = all(c.denominator == 1 and all(k > 0 for _, k in m) for c, m in size.terms)
                if not whole and _powers(size) not in axes:
                    raise Rejected("an index over a size that no axis of the claim has")

    def _shown(self, rows: Sequence[tuple[Sequent, Mapping[Node, str]]]) -> list[Node]:
        """The nodes that are computed when some stand for themselves."""
        found: set[Node] = set()
        for s, stands in rows:
            stack = [x for q in (*s.given, s.goal) for x in (q.left, q.right)]
            while stack:
                x = stack.pop()
                if x not in found:
                    found.add(x)
                    stack.extend(() if x in stands else x.inputs)
        return sorted(found, key=lambda x: x.number)

    # ---- facts and values -----------------------------------------------------------------

    def _facts(self, nodes: Sequence[Node]) -> list[tuple[str, Entries]]:
        """Declared ranges of leaves, bounds of indices and of sizes, each as `entry >= 0`."""
        found: list[tuple[str, Entries]] = []
        base = self._base()
        for x in nodes:
            if x.key is None or x.inputs:
                continue
            if x.type.elem == "fin":
                found += _index_facts(x, base.bounds.get(x.key, (None, None)))
                continue
            low, high = base.ranges.get(x.key, (None, None))
            if x.op.name == "draw":
                low, high = (None, Fraction(1)) if x.key in base.ranges else (None, None)
            for end, sign in ((low, 1), (high, -1)):
                if end is not None:
                    found.append(("ge", _from_end(x, end, sign)))
        for name, size in self.least.items():
            found.append(("ge", _size_fact(name, size)))
        return found

    def _evaluate(self, s: Sequent, replay: Replay) -> int:
        """The number of points that meet the hypotheses; at each the goal is defined and true."""
        stands = s.cut(replay)
        sizes = self._sizes(self._shown([(s, stands)]), 3)
        points = meeting(s.given, stands, candidates(sizes, self._base()), SAMPLES)
        for point in points:
            at = Evaluator(point, stands)
            try:
                if not s.goal.holds(at):
                    raise Rejected(f"the obligation is false at {_shown_point(s, at, point)}")
            except OverflowError:
                continue
            except Undefined as problem:  # a stand-in may have any value: ask for its own
                if not stands or not _holds_itself(s.goal, point):
                    raise Rejected(f"undefined at a point: {problem}") from problem
        return len(points)


def _sizes(x: Node) -> tuple[Size, ...]:
    """The sizes of a node's axes, and of its values where these are indices."""
    return x.type.shape if x.type.bound is None else (*x.type.shape, x.type.bound)


def _size_of(terms: Terms, ref: str) -> Size:
    """A polynomial over names of sizes."""
    rows = []
    for c, m in terms.poly(ref):
        dims = [(terms.atom(a), k) for a, k in m]
        if any(a[0] != "dim" or k.denominator != 1 for a, k in dims):
            raise Malformed("an index over something that is no size")
        rows.append((c, tuple(sorted((str(a[1])[1:], int(k)) for a, k in dims))))
    return Size(tuple(rows))


def _powers(size: Size) -> frozenset[tuple[Fraction, tuple[tuple[str, int], ...]]]:
    return frozenset(size.terms)


def _holds_itself(goal: Comparison, point: Point) -> bool:
    """Whether a comparison is defined and true with every node computed from leaves."""
    try:
        return goal.holds(Evaluator(point))
    except (Undefined, OverflowError):
        return False


MIXED = ("wide", "unit", "positive")


def _terms(own: Mapping[int, Node], lines: Sequence[str]) -> dict[str, Node]:
    """The losses and terms of a graph's objectives, by qualified name."""
    found: dict[str, Node] = {}
    objective = ""
    for line in lines:
        if match := re.match(r"objective (\S+) \w+ %(\d+)$", line):
            objective = match[1]
            found[f"{objective}.{objective}"] = own[int(match[2])]
        elif match := re.match(r"  term (\S+) = %(\d+)$", line):
            found[f"{objective}.{match[1]}"] = own[int(match[2])]
    return found


def _groups(lines: Sequence[str]) -> dict[str, str]:
    """The group of each parameter of a graph."""
    found = (re.match(r"param (\S+) group (\S+) ", line) for line in lines)
    return {m[1]: m[2] for m in found if m}


def _range(row: Sequence[str | None]) -> Range:
    low, high = (None if x is None else Fraction(x) for x in row)
    return low, high


def _from_end(x: Node, end: Fraction, sign: int) -> Entries:
    def entries(point: Point) -> Any:
        value = Evaluator(point).value(x)
        return value.map(lambda v: sign * (v - end.numerator / _one(end.denominator)))

    return entries


def _one(x: int) -> Any:
    from mpmath import mpf

    return mpf(x)


def _index_facts(x: Node, bounds: tuple[Size | None, Size | None]) -> list[tuple[str, Entries]]:
    def fact(end: Size, sign: int) -> Entries:
        def entries(point: Point) -> Any:
            value = Evaluator(point).value(x)
            return value.map(lambda v: _one(sign) * (v - int(end.value(point.sizes))))

        return entries

    return [("ge", fact(end, sign)) for end, sign in zip(bounds, (1, -1), strict=True) if end]


def _size_fact(name: str, least: Size) -> Entries:
    def entries(point: Point) -> Any:
        if name not in point.sizes or not least.names <= set(point.sizes):
            raise Undefined(f"{name} does not occur")
        gap = point.sizes[name] - least.value(point.sizes)
        return tabulate((), lambda i: _one(gap.numerator) / gap.denominator)

    return entries


def _shown_point(s: Sequent, at: Evaluator, point: Point) -> str:
    rows = [(a, b) for a, b in s.goal.sides(at)]
    a, b = rows[0]
    return f"sizes {dict(point.sizes)}, {point.mode} values, seed {point.seed}: {a} and {b}"


# ---- the command ---------------------------------------------------------------------------


def judge_all(folder: Path, say: Callable[[Judgement], None] = lambda j: None) -> list[Judgement]:
    """Every certificate of a folder, in the order of file names."""
    found = []
    for path in sorted(folder.glob("*.json")):
        found.append(judge(path))
        say(found[-1])
    return found


def line(j: Judgement) -> str:
    head = "accepted" if j.accepted else "REJECTED"
    return f"{head}  {j.claim}: {' '.join(j.statement.split())}\n          {j.reason or j.what}"


def main(words: Sequence[str]) -> int:
    if len(words) != 1 or words[0].startswith("-"):
        print("usage: check.py DIR", file=sys.stderr)
        return 2
    folder = Path(words[0])
    if not folder.is_dir():
        print(f"error: {folder} is not a folder", file=sys.stderr)
        return 1
    found = judge_all(folder, lambda j: print(line(j), flush=True))
    bad = sum(not j.accepted for j in found)
    print(f"{len(found)} certificates: {len(found) - bad} accepted, {bad} rejected")
    return 1 if bad or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

__all__ = ["Comparison", "Judgement", "judge", "judge_all", "line", "main"]
