"""Device functions that generated modules bring along: name -> text, and what a text needs.

In: the names that a module calls. Out: the text of these and of what they call, callees first, in
the order of the table. Always: the text is the same for the same set of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from backends.triton_cuda import prelude_dot, prelude_math, prelude_noise

FUNCTIONS: Mapping[str, str] = (
    prelude_math.FUNCTIONS | prelude_noise.FUNCTIONS | prelude_dot.FUNCTIONS
)

_NAME = re.compile(r"\b_[a-z]\w*(?=\()")


@cache
def needs(name: str) -> frozenset[str]:
    """`name` and every function of the table that its text calls, directly or not."""
    found = {name}
    for called in called_in(_body(FUNCTIONS[name])):
        found |= needs(called)
    return frozenset(found)


def called_in(text: str) -> tuple[str, ...]:
    """The functions of the table that a text calls, in the table's order."""
    names = set(_NAME.findall(text))
    return tuple(name for name in FUNCTIONS if name in names)


def source(names: Iterable[str]) -> str:
    """The text of these functions and all that they need; "" for none."""
    wanted = frozenset[str]().union(*(needs(name) for name in names))
    ordered = sorted(wanted, key=_order)
    return "\n\n".join(FUNCTIONS[name].strip() + "\n" for name in ordered)


def _body(text: str) -> str:
    """The text below the line that defines the function."""
    return text.partition("):\n")[2]


def _order(name: str) -> int:
    """Callees come first: how deep calls below a function go, then the table's order."""
    names = list(FUNCTIONS)
    return _depth(name) * len(names) + names.index(name)


@cache
def _depth(name: str) -> int:
    return max((1 + _depth(other) for other in needs(name) - {name}), default=0)
