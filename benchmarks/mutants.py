"""Mutants of the shipped claims: is anything false ever proved?

`python -m benchmarks.mutants` changes one node of one side of a claim of `stdlib/*.gml` or
`programs/*.gml` (drops a term, negates, rescales, replaces exp by the identity, ...), settles the
claim that results, and judges the verdict twice:

- a refuted mutant is given to the proof search alone: it must not be proved;
- a proved mutant is given to the refuter alone, at points that the prover has not seen: the numpy
  reference must not contradict it.

Many mutants are still true (`2 * kl >= 0`): those should be proved. The table says how many of the
others have a witness. Each file runs in a process of its own, since interned terms are never freed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from gendsl.core import claim as c
from gendsl.diagnostics.model import Sink
from gendsl.driver import Analysis, analyse
from gendsl.ir.build import add, mul
from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import TypingError
from gendsl.ir.rewrite import substitute
from gendsl.ops import arithmetic as ar
from gendsl.ops import unary as un
from gendsl.ops.broadcast import Sum
from gendsl.prove import batch, flow, forms, laws, refute, sequent, subgoal
from gendsl.prove.case import Outcome
from gendsl.prove.kernel.normal import KernelError, stop_at
from gendsl.prove.props import IllPosed
from gendsl.prove.settle import setting_of
from gendsl.shape.tensor_type import Real

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "benchmarks" / "tables" / "mutants.md"
SECONDS = 1.0  # for the proof search of one mutant
DEPTH = 24  # nodes of a side that may be mutated, nearest to its root first
FRESH = 1000  # added to the seeds of points in the second judgement (a multiple of 8)
BINDERS = ("variable", "latent", "target", "state", "index", "count", "argument")  # fields: leaves


@dataclass(frozen=True)
class Result:
    """One mutant: what was changed, the verdict, and whether the second judgement disagrees."""

    file: str
    claim: str
    form: str
    kind: str
    verdict: str
    contradicted: bool
    seconds: float
    detail: str = ""


# ---- mutants -----------------------------------------------------------------------------

Change = tuple[str, Callable[[], Node]]


def changes(build: Builder, x: Node) -> list[Change]:
    """What can be done to one node, by name."""
    args, op = x.inputs, x.op
    found: list[Change] = [
        ("rescale", lambda: mul(build, 2, x)),
        ("negate", lambda: build.apply(ar.Neg(), x)),
    ]
    match op:
        case ar.Add():
            found += [("drop a term", lambda: args[0]), ("drop a term", lambda: args[1])]
        case ar.Sub():
            found += [("drop a term", lambda: args[0]), ("flip a sign", _added(build, x))]
        case ar.Mul() if args[0] is args[1]:
            found += [("drop the square", lambda: args[0])]
        case ar.Mul():
            found += [("drop a factor", lambda: args[0]), ("drop a factor", lambda: args[1])]
        case ar.Div():
            kind = "mean to sum" if isinstance(args[0].op, Sum) else "drop a factor"
            found += [(kind, lambda: args[0])]
        case ar.Square():
            found += [("drop the square", lambda: args[0])]
        case un.Exp():
            half = mul(build, Fraction(1, 2), args[0])
            found += [("exp to identity", lambda: args[0])]
            found += [("std for var", lambda: build.apply(un.Exp(), half))]
        case un.Expm1() | un.Log() | un.Log1p() | un.Sqrt() | un.Softplus() | un.Sigmoid():
            found += [(f"{op.name} to identity", lambda: args[0])]
        case un.Relu() | un.Abs() | ar.Neg() | ar.StopGrad():
            found += [(f"drop {op.name}", lambda: args[0])]
        case ar.Maximum() | ar.Minimum():
            found += [(f"drop {op.name}", lambda: args[0])]
        case Sum():
            found += [("sum + 1", lambda: add(build, x, 1))]
        case _:
            pass
    return found


def _added(build: Builder, x: Node) -> Callable[[], Node]:
    return lambda: build.apply(ar.Add(), *x.inputs)


def near(build: Builder, root: Node) -> list[Node]:
    """The real nodes below, nearest first: down to the named tensors of an objective (`mu`, `z`),
    since what a net computes before them is not what claims are about."""
    found, queue = list[Node](), [root]
    seen = set(queue)
    while queue and len(found) < DEPTH:
        x = queue.pop(0)
        if isinstance(x.type.elem, Real) and x.inputs:
            found.append(x)
        for y in x.inputs:
            if y not in seen and not (y in build.names and y.type.shape):
                seen.add(y)
                queue.append(y)
    return found or [root]


Place = tuple[Node, Callable[[Node], Any]]


def places(x: Any) -> Iterator[Place]:
    """The nodes that a claim body mentions, each with what makes the body with another node."""
    if isinstance(x, Node):
        if isinstance(x.type.elem, Real):
            yield x, lambda new: new
    elif isinstance(x, tuple):
        for k, y in enumerate(x):
            for node, make in places(y):
                yield node, _in_tuple(x, k, make)
    elif isinstance(x, dict):
        for key, y in x.items():
            for node, make in places(y):
                yield node, _in_dict(x, key, make)
    elif dataclasses.is_dataclass(x) and not isinstance(x, type):
        for f in dataclasses.fields(x):
            if f.name not in BINDERS:
                for node, make in places(getattr(x, f.name)):
                    yield node, _in_field(x, f.name, make)


def _in_tuple(x: tuple[Any, ...], k: int, make: Callable[[Node], Any]) -> Callable[[Node], Any]:
    return lambda new: (*x[:k], make(new), *x[k + 1 :])


def _in_dict(x: dict[str, Any], key: str, make: Callable[[Node], Any]) -> Callable[[Node], Any]:
    return lambda new: {**x, key: make(new)}


def _in_field(x: Any, name: str, make: Callable[[Node], Any]) -> Callable[[Node], Any]:
    return lambda new: dataclasses.replace(x, **{name: make(new)})


@dataclass(frozen=True)
class Recipe:
    """A mutant before it is made: claim, side, node and change by number."""

    claim: int
    place: int
    node: int
    change: int


def recipes(build: Builder, claim: c.Claim, number: int) -> list[Recipe]:
    return [
        Recipe(number, p, k, j)
        for p, (side, _) in enumerate(places(claim.body))
        for k, x in enumerate(near(build, side))
        for j in range(len(changes(build, x)))
    ]


def mutant(build: Builder, claim: c.Claim, recipe: Recipe) -> tuple[str, c.Claim] | None:
    """The name of the change and the changed claim; None where it does not type-check or changes
    nothing."""
    side, make = list(places(claim.body))[recipe.place]
    x = near(build, side)[recipe.node]
    kind, change = changes(build, x)[recipe.change]
    try:
        new = change()
        if new.type != x.type:
            return None
        moved = substitute(build, [side], {x: new})[0]
        body = make(moved)
    except TypingError:
        return None
    if moved is side or moved.type != side.type or body == claim.body:
        return None
    return kind, dataclasses.replace(claim, body=body)


# ---- judging -----------------------------------------------------------------------------


@contextlib.contextmanager
def replaced(*rows: tuple[Any, str, Any]) -> Iterator[None]:
    """Attributes of modules, exchanged for a while."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in rows]
    try:
        for owner, name, value in rows:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _unknown(*_: Any, **__: Any) -> Outcome:
    return Outcome("unknown")


def _stopped(*_: Any, **__: Any) -> Any:
    raise KernelError("not asked to prove")


def proving() -> contextlib.AbstractContextManager[None]:
    """The proof search alone."""
    names = ((refute, "refute"), (laws, "refute_law"), (flow, "refute_gradients"))
    return replaced(*((m, n, _nothing) for m, n in names), (batch, "refute_batch", _nothing))


def refuting() -> contextlib.AbstractContextManager[None]:
    """The refuter alone, at other points."""
    make = vars(refute)["make_world"]

    def other(nodes: Any, interface: Any, setting: Any, seed: int) -> Any:
        return make(nodes, interface, setting, seed + FRESH)

    return replaced(
        (refute, "make_world", other),
        (sequent, "prove", _nothing),
        (laws, "_compare", _stopped),
        (flow, "_show", _unknown),
        (batch, "subgoals", _stopped),
        (subgoal.Scope, "show", _stopped),
        (batch.Form, "invariant", _stopped),
    )


def verdict(analysis: Analysis, claim: c.Claim, seconds: float) -> Outcome:
    assert analysis.graph is not None and analysis.interface is not None
    end = time.process_time() + seconds
    setting = setting_of(analysis.graph, claim, analysis.interface, end)
    stop_at(end)
    try:
        return forms.decide(claim, analysis.graph, analysis.interface, setting)
    except (KernelError, RecursionError, IllPosed) as problem:
        return Outcome("unknown", goal=str(problem))
    finally:
        stop_at(float("inf"))


def judge(analysis: Analysis, claim: c.Claim, seconds: float) -> tuple[Outcome, bool, str]:
    """The outcome of a mutant, and whether the second judgement contradicts it."""
    first = verdict(analysis, claim, seconds)
    if first.verdict == "refuted":
        with proving():
            again = verdict(analysis, claim, seconds)
        return first, again.verdict == "proved", f"refuted: {dict(first.witness or {})}"
    if first.verdict == "proved":
        with refuting():
            again = verdict(analysis, claim, seconds)
        return first, again.verdict == "refuted", f"refuted: {dict(again.witness or {})}"
    return first, False, first.goal or ""


def sources() -> list[str]:
    return sorted(str(p) for d in ("stdlib", "programs") for p in (ROOT / d).glob("*.gml"))


def of_file(path: str, numbers: Sequence[Recipe], seconds: float) -> list[Result]:
    """The mutants of one file that the recipes make."""
    analysis = analyse(path, Sink(), prove=False)
    assert analysis.graph is not None
    build, found = analysis.graph.builder, []
    for recipe in numbers:
        claim = analysis.obligations[recipe.claim]
        made = mutant(build, claim, recipe)
        if made is None:
            continue
        kind, changed = made
        start = time.monotonic()
        outcome, wrong, detail = judge(analysis, changed, seconds)
        found.append(
            Result(
                Path(path).name,
                f"{claim.subject}.{claim.name}",
                type(claim.body).__name__,
                kind,
                outcome.verdict,
                wrong,
                time.monotonic() - start,
                f"{recipe}: {detail}" if wrong or outcome.verdict == "unknown" else "",
            )
        )
    return found


def chosen(paths: Sequence[str], count: int, seed: int) -> dict[str, list[Recipe]]:
    """About `count` recipes by file: the claims take turns, each in an order of its own."""
    rng, queues = random.Random(seed), list[tuple[str, list[Recipe]]]()
    for path in paths:
        analysis = analyse(path, Sink(), prove=False)
        assert analysis.graph is not None
        for number, claim in enumerate(analysis.obligations):
            rows = recipes(analysis.graph.builder, claim, number)
            kept = [r for r in rows if mutant(analysis.graph.builder, claim, r) is not None]
            rng.shuffle(kept)
            queues.append((path, kept))
    rng.shuffle(queues)
    picked: dict[str, list[Recipe]] = {path: [] for path in paths}
    total = 0
    while total < count and any(rows for _, rows in queues):
        for path, rows in queues:
            if rows and total < count:
                picked[path].append(rows.pop())
                total += 1
    return picked


def _work(job: tuple[str, list[Recipe], float]) -> list[Result]:
    return of_file(*job)


# ---- the table ---------------------------------------------------------------------------


def table(results: Sequence[Result], seed: int) -> str:
    by_kind: dict[str, Counter[str]] = {}
    by_form: dict[str, Counter[str]] = {}
    for r in results:
        by_kind.setdefault(r.kind, Counter())[r.verdict] += 1
        by_form.setdefault(r.form, Counter())[r.verdict] += 1
    total = Counter(r.verdict for r in results)
    wrong = [r for r in results if r.contradicted]
    open_ = total["refuted"] + total["unknown"]
    share = 100 * total["refuted"] / open_ if open_ else 100.0
    lines = [
        "# Mutants of the shipped claims",
        "",
        f"`python -m benchmarks.mutants --count {len(results)} --seed {seed}`: one node of one side"
        " of a claim of `stdlib/` or `programs/` is changed.",
        "A mutant may still be true (`2 * kl >= 0`); those should be proved.",
        "",
        f"- {len(results)} mutants: {total['refuted']} refuted with a witness, {total['proved']}"
        f" proved, {total['unknown']} unknown.",
        f"- Of those not proved, {share:.1f}% are refuted.",
        f"- Proved and refuted, or proved and contradicted by the numpy reference: {len(wrong)}.",
        "",
    ]
    for title, rows in (("change", by_kind), ("form of the claim", by_form)):
        lines += [f"| {title} | refuted | proved | unknown |", "|---|---|---|---|"]
        for name, n in sorted(rows.items(), key=lambda x: -sum(x[1].values())):
            lines.append(f"| {name} | {n['refuted']} | {n['proved']} | {n['unknown']} |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="mutants of the shipped claims")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--log", help="write each mutant to this JSON Lines file as it is judged")
    parser.add_argument("--workers", type=int, default=1, help="processes at a time")
    parser.add_argument("--only", help="only files whose name contains this")
    args = parser.parse_args()
    paths = [p for p in sources() if not args.only or args.only in Path(p).name]
    picked = chosen(paths, args.count, args.seed)
    jobs = [(path, rows, args.seconds) for path, rows in picked.items() if rows]
    jobs = [(p, rows[k : k + 25], s) for p, rows, s in jobs for k in range(0, len(rows), 25)]
    random.Random(args.seed).shuffle(jobs)  # what is known early is about all files
    results: list[Result] = []
    log = open(args.log, "w", encoding="utf-8") if args.log else None  # noqa: SIM115
    with multiprocessing.get_context("fork").Pool(args.workers, maxtasksperchild=2) as pool:
        for rows in pool.imap_unordered(_work, jobs):
            results += rows
            for r in rows:
                if log:
                    log.write(json.dumps(dataclasses.asdict(r)) + "\n")
                    log.flush()
                if r.contradicted:
                    print(f"CONTRADICTION {r}", flush=True)
    if not args.only:
        TABLE.write_text(table(results, args.seed) + "", encoding="utf-8")
    print(table(results, args.seed))
    return 1 if any(r.contradicted for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
