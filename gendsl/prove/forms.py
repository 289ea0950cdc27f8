"""The claim forms: what each has to show, as sequents.

In: a claim. Out: an `Outcome`. A form is one function; it is proved when all of its sequents are.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from gendsl.core import claim as c
from gendsl.core.program import Interface
from gendsl.ir.graph import Builder, Graph, Node, reachable
from gendsl.ir.op import NodeType
from gendsl.ir.rewrite import substitute
from gendsl.ops.leaf import Const, Input
from gendsl.prove import batch as batches
from gendsl.prove import bounds, flow, iterate, laws, lipschitz, refute
from gendsl.prove import sequent as sq
from gendsl.prove.case import Case, Outcome
from gendsl.prove.props import (
    Alternatives,
    Comparison,
    IllPosed,
    alternatives,
    comparison,
    difference,
)
from gendsl.prove.reading import Sequent, Setting, with_ranges
from gendsl.prove.sequent import Proof


def settled(case: Case) -> Outcome:
    """The verdict of one claim; if it is not proved, what would be with one more hypothesis."""
    case = replace(case, claim=lipschitz.restated(case.claim, case.graph.builder))
    outcome = decide(case.claim, case.graph, case.interface, case.setting)
    if outcome.verdict == "proved" and case.claim.given and vacuous(case):
        return replace(outcome, note="vacuous: the hypotheses cannot hold together")
    if outcome.verdict in ("refuted", "unknown"):
        found = abduced(case)
        return replace(outcome, note=found) if found else outcome
    return outcome


def vacuous(case: Case) -> bool:
    """Whether 0 > 1 follows from each alternative of the hypotheses (if no point meets them)."""
    if refute.possible(case, case.given, (*FIRST, *MORE)):
        return False
    build = case.graph.builder
    zero, one = build.apply(Const(Fraction(0))), build.apply(Const(Fraction(1)))
    absurd = Comparison("gt", zero, one, difference(zero, one, build))
    return all(
        sq.prove(Sequent(hyps, absurd), case.setting.later(LATE)) is not None for hyps in case.given
    )


def abduced(case: Case) -> str | None:
    """One sign of a scalar leaf that would make the claim provable."""
    claim, build = case.claim, case.graph.builder
    if not isinstance(claim.body, c.Plain | c.Monotone | c.InRange):
        return None
    if isinstance(claim.body, c.Plain) and not isinstance(claim.body.prop, c.Compare):
        return None
    if isinstance(claim.body, c.Plain) and claim.body.prop.op in ("==", "!="):  # type: ignore[union-attr]
        return None
    zero = build.apply(Const(Fraction(0)))
    for leaf in _scalars(claim):
        for op in (">=", "<="):
            extra = replace(claim, given=(*claim.given, c.Compare(op, leaf, zero)))
            setting = case.setting.later(LATE) if case.setting.expired() else case.setting
            again = decide(extra, case.graph, case.interface, setting)
            if again.verdict == "proved" and not vacuous(replace(case, claim=extra)):
                return f"provable if {leaf.op.key} {op} 0"  # type: ignore[attr-defined]
    return None


def _scalars(claim: c.Claim) -> list[Node]:
    """The hyperparameters and scalar arguments that a claim is about."""
    match claim.body:
        case c.Plain(c.Compare(_, left, right)):
            roots = [left, right]
        case c.Monotone(value=value) | c.InRange(value=value):
            roots = [value]
        case _:
            roots = []
    scalars = ("hyper", "argument")
    return [
        x
        for x in reachable(roots)
        if isinstance(x.op, Input) and x.op.kind in scalars and x.type == NodeType(())
    ][:4]


def decide(claim: c.Claim, graph: Graph, interface: Interface, setting: Setting) -> Outcome:
    """The verdict of one claim."""
    claim = lipschitz.restated(claim, graph.builder)
    case = Case(claim, graph, interface, setting)
    match claim.body:
        case c.Plain(prop):
            return plain(case, prop)
        case c.Iff(left, right):
            return both(implies(case, left, right), implies(case, right, left))
        case c.Monotone():
            return monotone(case, claim.body)
        case c.InRange(value, low, high):
            return in_range(case, value, low, high)
        case c.Independent(value, None, variable):
            return independent(case, value, variable)
        case c.Independent(value, group, variable):
            return flow.grad_independent(case, value, str(group), variable)
        case c.HasLaw(value, law):
            return laws.has_law(case, value, law)
        case c.IterateLaw():
            return iterate.iterated(case, claim.body)
        case c.UpTo():
            return bounds.up_to(case, claim.body)
        case c.Bounds():
            return bounds.bounds(case, claim.body)
        case c.Leaves(objective, group):
            return flow.leaves(case, objective, group)
        case c.RepeatInvariant(value, batch):
            return batches.decide(case, value, batch, separable=False)
        case c.Separable(value, batch):
            return batches.decide(case, value, batch, separable=True)


def plain(case: Case, prop: c.Prop) -> Outcome:
    match prop:
        case c.GradEqual():
            return flow.grad_equal(case, prop)
        case c.And(parts) if any(isinstance(q, c.GradEqual) for q in parts):
            return both(*(plain(case, q) for q in parts))
        case _:
            pass
    return show(case, case.given, alternatives(prop, case.graph.builder))


def implies(case: Case, left: c.Prop, right: c.Prop) -> Outcome:
    build = case.graph.builder
    given = alternatives(c.And((*case.claim.given, left)), build)
    return show(case, given, alternatives(right, build))


# Seeds of points to try: a few before the search for a proof (most claims are true, and a point
# costs an evaluation of the program), many after it.
FIRST = (8, 9, 2, 5, 6, *range(12, 24), 29, 30)  # seeds of points to try before a proof
MORE = (1, 3, 10, 11, *range(24, 64))  # and after


def show(case: Case, given: Alternatives, goals: Alternatives) -> Outcome:
    """From each alternative hypothesis, every comparison of one of the alternative goals; points
    that fail are looked for before (few) and after (many)."""
    refuted = refute.refute(case, given, goals, FIRST, solve=False)
    if refuted is not None:
        return refuted
    proofs: list[Proof] = []
    for hyps in given:
        left = None
        for goal in goals:
            found = [sq.prove(Sequent(hyps, q), case.setting) for q in goal]
            if all(found):
                proofs += [p for p in found if p]
                break
            left = left or next(q for q, p in zip(goal, found, strict=True) if not p)
        else:
            late = Case(case.claim, case.graph, case.interface, case.setting.later(LATE))
            return refute.refute(late, given, goals, MORE) or Outcome(
                "unknown", goal=describe(left)
            )
    return Outcome("proved", tuple(proofs))


LATE = 1.0  # seconds for points, after the search for a proof


def both(*outcomes: Outcome) -> Outcome:
    for o in outcomes:
        if o.verdict != "proved":
            return o
    laws = tuple(dict.fromkeys(x for o in outcomes for x in o.laws))
    proofs = tuple(p for o in outcomes for p in o.proofs)
    return Outcome("proved", proofs, laws, subgoals=tuple(s for o in outcomes for s in o.subgoals))


def describe(q: Comparison | None) -> str:
    signs = {"eq": "==", "ge": ">=", "gt": ">", "ne": "!="}
    return "" if q is None else f"{q.left!r} {signs[q.rel]} {q.right!r}"


def monotone(case: Case, body: c.Monotone) -> Outcome:
    """value at v + d minus value at v, for d >= 0: both points in the range of the variable."""
    build, old = case.graph.builder, body.variable
    if not isinstance(old.op, Input) or old.type.shape:
        raise IllPosed("monotone in something that is not a scalar variable")
    new = build.apply(Input(old.op.kind, f"{old.op.key}'"))
    moved = substitute(build, [body.value], {old: new})[0]
    op = ">=" if body.direction == "nondecreasing" else "<="
    goal = comparison(op, moved, body.value, build)
    order = comparison(">=", new, old, build)
    ranges = dict(case.setting.ranges)
    name = f"{old.op.kind}:{old.op.key}"
    if name in ranges:
        ranges[f"{name}'"] = ranges[name]
    setting = with_ranges(case.setting, ranges)
    given = tuple((*hyps, order) for hyps in case.given)
    moved_given = tuple(tuple(_replaced(q, old, new, build) for q in hyps) for hyps in case.given)
    rows = tuple((*a, *b) for a in given for b in moved_given)
    return show(Case(case.claim, case.graph, case.interface, setting), rows, ((goal,),))


def _replaced(q: Comparison, old: Node, new: Node, build: Builder) -> Comparison:
    left, right = substitute(build, [q.left, q.right], {old: new})
    return comparison(_OPS[q.rel], left, right, build)


_OPS = {"eq": "==", "ge": ">=", "gt": ">", "ne": "!="}


def in_range(case: Case, value: Node, low: Node | None, high: Node | None) -> Outcome:
    build = case.graph.builder
    goals = [comparison(">=", value, low, build)] if low is not None else []
    goals += [comparison("<=", value, high, build)] if high is not None else []
    return show(case, case.given, (tuple(goals),))


def independent(case: Case, value: Node, variable: Node) -> Outcome:
    """The value is the same for any other value of the variable."""
    build = case.graph.builder
    if not isinstance(variable.op, Input):
        raise IllPosed("independence of something that is not a variable")
    op = variable.op
    new = build.apply(Input(op.kind, f"{op.key}'", op.shape, op.elem))
    moved = substitute(build, [value], {variable: new})[0]
    return show(case, case.given, ((comparison("==", moved, value, build),),))
