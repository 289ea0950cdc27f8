"""Inferred size conditions as people want to read them.

`2 | H / 2` beside `2 | H` is `4 | H`; a condition that a stronger one implies is not shown; a
positive difference is an inequality: `T + 1 - S >= 1` is `S <= T`. This is presentation: what binds
sizes checks the conditions as the checker recorded them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from gendsl.core.program import SizeCondition
from gendsl.core.show import show_dim
from gendsl.shape.dim import ONE, Dim
from gendsl.source.text import Span


@dataclass(frozen=True)
class Divides:
    """`divisor | dividend`, neither with a denominator."""

    divisor: Dim
    dividend: Dim
    span: Span

    def implies(self, other: Divides) -> bool:
        """Whether this condition makes `other` superfluous: c*d | e implies d | f*e."""
        smaller = self.divisor.divide(other.divisor)
        multiple = other.dividend.divide(self.dividend)
        if smaller is None or multiple is None:
            return False
        return not smaller.divisibility and not multiple.divisibility


def condition_texts(conditions: Iterable[SizeCondition]) -> list[tuple[str, Span]]:
    """Each condition worth showing, with the place that it comes from."""
    divides: list[Divides] = []
    others: list[tuple[str, Span]] = []
    for condition in conditions:
        match condition.kind:
            case "divides":
                _add(divides, _whole(condition))
            case "equal":
                text = f"{show_dim(condition.divisor)} == {show_dim(condition.dividend)}"
                others.append((text, condition.span))
            case _:
                others.append((positive_text(condition.dividend), condition.span))
    shown = [(f"{show_dim(d.divisor)} | {show_dim(d.dividend)}", d.span) for d in divides]
    return [*shown, *_once(others)]


def _once(rows: list[tuple[str, Span]]) -> list[tuple[str, Span]]:
    seen: dict[str, Span] = {}
    for text, span in rows:
        seen.setdefault(text, span)
    return list(seen.items())


def _add(kept: list[Divides], new: Divides) -> None:
    """Put `new` among the kept conditions unless it is implied; drop those that it implies."""
    if any(old.implies(new) for old in kept):
        return
    kept[:] = [old for old in kept if not new.implies(old)]
    kept.append(new)


def _whole(condition: SizeCondition) -> Divides:
    """`k | e / m` as `k*m | e`."""
    divisor, dividend = condition.divisor, condition.dividend
    for number, denominator, numerator in dividend.divisibility:
        divisor, dividend = divisor * denominator * number, numerator
    return Divides(divisor, dividend, condition.span)


def positive_text(dividend: Dim) -> str:
    """`dividend >= 1` with nothing negative in it."""
    rest = dividend - ONE
    above = _part(rest, positive=True)
    below = _part(rest, positive=False)
    if not below.terms:
        return f"{show_dim(dividend)} >= 1"
    if below.constant is not None:
        return f"{show_dim(above)} >= {below}"
    return f"{show_dim(below)} <= {show_dim(above)}"


def _part(dim: Dim, *, positive: bool) -> Dim:
    """The terms with one sign, as a sum of positive terms."""
    sign = Fraction(1 if positive else -1)
    return Dim(tuple((m, c * sign) for m, c in dim.terms if (c > 0) is positive))
