"""The table of rules by name, and the forms that their data have."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mpmath import mpf

from .replay import Rule, Theorem, need

RULES: dict[str, Rule] = {}


def rule(f: Rule) -> Rule:
    RULES[f.__name__.strip("_")] = f
    return f


def arity(t: Theorem, premises: int, data: int) -> None:
    need(len(t.premises) == premises and len(t.data) == data, "another form of the rule")


def number(x: Any) -> Fraction:
    need(isinstance(x, str) and x.startswith("q"), "a number is expected")
    return Fraction(x[1:])


def relu_of(x: Any) -> Any:
    return x if x > 0 else mpf(0)
