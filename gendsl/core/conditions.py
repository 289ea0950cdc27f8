"""Size conditions: what must hold of the sizes for a program to make sense.

A condition is ("divides", d, e): d divides e; ("positive", 1, e): e >= 1; ("equal", d, e); or
("number", 1, e): e is a number when the program is compiled (a stride). `decide` settles it for all
sizes >= 1 where that is evident.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd

from gendsl.core.show import plain
from gendsl.shape.dim import ONE, Dim


def decide(kind: str, d: Dim, e: Dim) -> bool | None:
    """True or False when the condition holds, or fails, for all sizes >= 1; else None."""
    match kind:
        case "divides":
            if d == ONE:
                return True
            if d.constant is not None and e.constant is not None:
                return d.constant != 0 and e.constant % d.constant == 0
            quotient = e.divide(d)
            return True if quotient is not None and not quotient.divisibility else None
        case "equal":
            difference = d - e
            return True if not difference.terms else (None if difference.names else False)
        case "number":
            rigid = any("@" in name for name in e.names)
            return None if rigid else e.constant is not None
        case _:
            return _positive(e)


def _positive(e: Dim) -> bool | None:
    """`e >= 1`: evident for constants, and when no term can lower the value at names >= 1."""
    if not e.names:
        return e.evaluate({}) >= 1
    if all(c > 0 for _, c in e.terms) and not e.divisibility:
        return True
    positive_part = sum((c for m, c in e.terms if m and c > 0), start=e.terms[0][1] * 0)
    constant_part = sum((c for m, c in e.terms if not m), start=e.terms[0][1] * 0)
    falling = any(c < 0 for m, c in e.terms if m)
    rational = any(x < 0 for m, _ in e.terms for _, x in m) or bool(e.divisibility)
    if not falling and not rational and positive_part + constant_part >= 1:
        return True
    return None


def holds(kind: str, d: Dim, e: Dim, sizes: Mapping[str, int]) -> bool:
    """The condition at concrete sizes."""
    left, right = d.evaluate(sizes), e.evaluate(sizes)
    match kind:
        case "divides":
            return left != 0 and (right / left).denominator == 1
        case "equal":
            return left == right
        case _:
            return right >= 1


def condition_text(kind: str, d: Dim, e: Dim) -> str:
    """The condition for people: `` `4 | H` ``."""
    match kind:
        case "divides":
            return f"`{plain(d)} | {plain(e)}`"
        case "equal":
            return f"`{plain(d)} == {plain(e)}`"
        case _:
            return f"`{plain(e)} >= 1`"


def failure_text(kind: str, d: Dim, e: Dim) -> str:
    """Why it fails."""
    match kind:
        case "divides":
            return f"{plain(e)} is not divisible by {plain(d)}"
        case "equal":
            return f"{plain(d)} is not {plain(e)}"
        case _:
            return f"{plain(e)} is less than 1"


def repair(kind: str, d: Dim, e: Dim) -> str | None:
    """What would make a divisibility of numbers hold."""
    if kind != "divides" or not d.constant or not e.constant:
        return None
    common = gcd(d.constant, e.constant)
    padded = -(-e.constant // d.constant) * d.constant
    return f"{e} is divisible by {common}, {padded} by {d}: divide less often, or pad"
