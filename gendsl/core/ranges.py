"""Ranges of values: interval arithmetic over the exact bounds that types declare.

Used to check data ranges against parameters (`x: [..b, D] in 0..1`) and sampler results. An
unknown bound is None; everything returned contains all values of the term.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from gendsl.core.term import (
    Apply,
    CallResult,
    Choose,
    FnDef,
    Local,
    RearrangeTerm,
    Reduce,
    SliceTerm,
    Spreadout,
    Term,
)
from gendsl.ir.op import Op
from gendsl.shape.tensor_type import Range, Real

_ANY = Range(None, None)


def inside(inner: Range | None, outer: Range) -> bool:
    """Whether every value of `inner` (None: unbounded) lies in `outer`."""
    inner = inner or _ANY
    low = outer.low is None or (inner.low is not None and inner.low >= outer.low)
    high = outer.high is None or (inner.high is not None and inner.high <= outer.high)
    return low and high


def hull(ranges: Sequence[Range | None]) -> Range | None:
    """The smallest range containing all."""
    if any(r is None for r in ranges):
        return None
    known = [r for r in ranges if r is not None]
    low = (
        None
        if any(r.low is None for r in known)
        else min(r.low for r in known if r.low is not None)
    )
    high = (
        None
        if any(r.high is None for r in known)
        else max(r.high for r in known if r.high is not None)
    )
    return Range(low, high)


def pointwise(op: Op, ranges: Sequence[Range | None]) -> Range | None:
    """The range of a pointwise result."""
    known = [r or _ANY for r in ranges]
    match op.name, known:
        case "add", [a, b]:
            return Range(_sum(a.low, b.low), _sum(a.high, b.high))
        case "sub", [a, b]:
            return Range(_sum(a.low, _neg(b.high)), _sum(a.high, _neg(b.low)))
        case "neg", [a]:
            return Range(_neg(a.high), _neg(a.low))
        case "mul", [a, b]:
            return _product(a, b)
        case "div", [a, b] if b.low is not None and b.low == b.high and b.low != 0:
            return _product(a, Range(1 / b.low, 1 / b.low))
        case "maximum", [a, b]:
            lows = [x for x in (a.low, b.low) if x is not None]
            high = None if a.high is None or b.high is None else max(a.high, b.high)
            return Range(max(lows) if lows else None, high)
        case "minimum", [a, b]:
            highs = [x for x in (a.high, b.high) if x is not None]
            low = None if a.low is None or b.low is None else min(a.low, b.low)
            return Range(low, min(highs) if highs else None)
        case "where", [_, a, b]:
            return hull([a, b])
        case "relu", [a]:
            return Range(
                max(a.low or Fraction(0), Fraction(0)),
                None if a.high is None else max(a.high, Fraction(0)),
            )
        case "square", [a]:
            return _square(a)
        case ("stop_grad", [a]) | ("straight_through", [_, a]):
            return a
        case _:
            low, high = op.facts.low, op.facts.high
            return None if low is None and high is None else Range(low, high)


def _square(a: Range) -> Range:
    if a.low is None or a.high is None:
        return Range(Fraction(0), None)
    crosses = a.low <= 0 <= a.high
    ends = (a.low**2, a.high**2)
    return Range(Fraction(0) if crosses else min(ends), max(ends))


def _sum(a: Fraction | None, b: Fraction | None) -> Fraction | None:
    return None if a is None or b is None else a + b


def _neg(a: Fraction | None) -> Fraction | None:
    return None if a is None else -a


def _product(a: Range, b: Range) -> Range:
    if None in (a.low, a.high, b.low, b.high):
        if a.low is not None and b.low is not None and a.low >= 0 and b.low >= 0:
            return Range(a.low * b.low, None)
        return _ANY
    ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]  # type: ignore[operator]
    return Range(min(ends), max(ends))


def infer(term: Term, args: Mapping[str, Range | None]) -> Range | None:
    """The range of a term of a body, given those of the body's parameters."""
    memo: dict[int, Range | None] = {}

    def visit(t: Term) -> Range | None:
        if id(t) not in memo:
            memo[id(t)] = _infer(t, args, visit)
        return memo[id(t)]

    return visit(term)


def _infer(
    term: Term, args: Mapping[str, Range | None], visit: Callable[[Term], Range | None]
) -> Range | None:
    match term:
        case Local(name=name):
            return args.get(name, term.type.range)
        case Apply(op=op, args=parts) if isinstance(term.type.elem, Real):
            return pointwise(op, [visit(p) for p in parts])
        case Spreadout(arg=arg) | RearrangeTerm(arg=arg) | SliceTerm(arg=arg):
            return visit(arg)
        case Reduce(kind="mean" | "max" | "min", arg=arg):
            return visit(arg)
        case Choose(then=then, otherwise=otherwise):
            return hull([visit(then), visit(otherwise)])
        case CallResult(call=call, result=result) if isinstance(call.target, FnDef):
            given = {name: visit(value) for name, value in call.args.items()}
            return result_range(call.target, result, given)
        case _:
            return term.type.range


def result_range(target: FnDef, result: int, args: Mapping[str, Range | None]) -> Range | None:
    """The range of a call's result: as declared, or found in the body."""
    declared = target.signature.results[result].range
    return declared if declared is not None else infer(target.outputs[result], args)
