"""Matching a call's arguments against a signature: solves local sizes and spreads.

Arguments match by position and size and never broadcast, except scalars and leading `..b` axes:
a spread is bound to the longest leading shape given for it, and an argument with fewer of these
axes (an ordered sub-sequence by label) is broadcast. Sizes such as `2*Z` are solved last, when one
unknown occurs linearly in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gendsl.core.show import plain
from gendsl.core.term import AxisArg
from gendsl.diagnostics.counted import counted
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Axis, Fin, Item, Spread, TensorType


@dataclass(frozen=True)
class Mismatch:
    """Why an argument does not fit. `names` are the size names involved, for their places; `other`
    is the argument that it does not agree with."""

    formal: str
    reason: str
    names: frozenset[str] = frozenset()
    other: str | None = None


@dataclass
class Match:
    """Solved so far: local sizes by internal name, spreads by name; `source` says which argument
    solved a size."""

    locals: frozenset[str]
    dims: dict[str, AxisArg] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    spreads: dict[str, tuple[Item, ...]] = field(default_factory=dict)
    problems: list[Mismatch] = field(default_factory=list)
    solved_by_division: list[Dim] = field(default_factory=list)
    _middles: dict[str, list[tuple[str, tuple[Item, ...]]]] = field(default_factory=dict)
    _composite: list[tuple[str, Dim, Dim]] = field(default_factory=list)

    def add(self, formal: str, pattern: TensorType, actual: TensorType) -> None:
        """Match one argument; a scalar fits any real pattern."""
        if isinstance(pattern.elem, Fin) and isinstance(actual.elem, Fin):
            self._size(formal, pattern.elem.bound, actual.elem.bound, None)
        elif type(pattern.elem) is not type(actual.elem):
            self._fail(
                formal, f"elements {plain(actual.elem)} where {plain(pattern.elem)} is wanted"
            )
            return
        if not actual.items and pattern.items:
            return
        self._items(formal, pattern.items, actual.items)

    def _items(self, formal: str, pattern: tuple[Item, ...], actual: tuple[Item, ...]) -> None:
        places = [i for i, item in enumerate(pattern) if isinstance(item, Spread)]
        if not places:
            if len(pattern) != len(actual):
                self._fail(formal, f"{_axes(len(actual))}, not {len(pattern)}")
                return
            for want, have in zip(pattern, actual, strict=True):
                self._axis(formal, want, have)
            return
        at = places[0]
        after = len(pattern) - at - 1
        if len(actual) < at + after:
            self._fail(formal, f"{_axes(len(actual))}, at least {at + after} are wanted")
            return
        for want, have in zip(pattern[:at], actual[:at], strict=True):
            self._axis(formal, want, have)
        stop = len(actual) - after
        spread = pattern[at]
        assert isinstance(spread, Spread)
        self._middles.setdefault(spread.name, []).append((formal, actual[at:stop]))
        for want, have in zip(pattern[at + 1 :], actual[stop:], strict=True):
            self._axis(formal, want, have)

    def _axis(self, formal: str, want: Item, have: Item) -> None:
        if isinstance(want, Spread) or isinstance(have, Spread):
            if want != have:
                self._fail(formal, f"`{plain(have.label)}` where `{plain(want.label)}` is wanted")
            return
        self._size(formal, want.size, have.size, have)

    def _size(self, formal: str, want: Dim, have: Dim, axis: Axis | None) -> None:
        name = want.as_name
        if name is None or name not in self.locals:
            if want.names & self.locals:
                self._composite.append((formal, want, have))
            elif want != have:
                self._unequal(formal, want, have)
            return
        argument = (
            AxisArg(axis.label, axis.size, axis.factors) if axis else AxisArg(plain(have), have)
        )
        known = self.dims.get(name)
        if known is None:
            self.dims[name] = argument
            self.source[name] = formal
        elif known.size != have:
            self._unequal(formal, known.size, have, name)

    def finish(self) -> None:
        """Bind the spreads and solve the composite sizes; fills `problems`."""
        for name, candidates in self._middles.items():
            longest = max(candidates, key=lambda c: len(c[1]))[1]
            self.spreads[name] = longest
            for formal, items in candidates:
                if positions(items, longest) is None:
                    self._fail(
                        formal,
                        f"leading axes [{_list(items)}], another argument has [{_list(longest)}]",
                    )
        pending = self._composite
        while pending:
            rest = [entry for entry in pending if not self._solve(*entry)]
            if len(rest) == len(pending):
                for formal, want, _ in rest:
                    self._fail(formal, f"the sizes in `{plain(want)}` cannot be solved")
                return
            pending = rest

    def _solve(self, formal: str, want: Dim, have: Dim) -> bool:
        known = want.substitute({n: a.size for n, a in self.dims.items()})
        unknown = known.names & (self.locals - self.dims.keys())
        if not unknown:
            if known != have:
                self._unequal(formal, known, have)
            return True
        if len(unknown) > 1:
            return False
        (name,) = unknown
        if name in have.names and known != want:  # whose name it is can no longer be told
            return False
        with_name = Dim(tuple((m, c) for m, c in known.terms if any(n == name for n, _ in m)))
        slope = with_name.divide(Dim.name(name))
        if slope is None or name in slope.names:
            return False
        solution = (have - (known - with_name)).divide(slope)
        if solution is None:
            return False
        self.dims[name] = AxisArg(plain(solution), solution)
        self.solved_by_division.append(solution)
        return True

    def _unequal(self, formal: str, want: Dim, have: Dim, local: str = "") -> None:
        other = self.source.get(local)
        via = f"`{plain(local)}` is `{plain(want)}`" if local else f"`{plain(want)}` is wanted"
        via += f" in `{other}`" if other else ""
        names = want.names | have.names
        self._fail(formal, f"size `{plain(have)}` where {via}", names, other)

    def _fail(
        self,
        formal: str,
        reason: str,
        names: frozenset[str] = frozenset(),
        other: str | None = None,
    ) -> None:
        self.problems.append(Mismatch(formal, reason, names, other))


def _axes(count: int) -> str:
    return counted(count, "axis", "axes") if count else "no axes"


def _list(items: tuple[Item, ...]) -> str:
    return ", ".join(plain(i) for i in items)


def positions(small: tuple[Item, ...], large: tuple[Item, ...]) -> tuple[int, ...] | None:
    """Where the items of `small` stand in `large`: by position when as many (sizes equal),
    else as an ordered sub-sequence by label with equal sizes; None when they do not fit."""
    if len(small) == len(large):
        fits = all(same_size(a, b) for a, b in zip(small, large, strict=True))
        return tuple(range(len(small))) if fits else None
    result: list[int] = []
    start = 0
    for item in small:
        for at in range(start, len(large)):
            if large[at].label == item.label:
                if not same_size(item, large[at]):
                    return None
                result.append(at)
                start = at + 1
                break
        else:
            return None
    return tuple(result)


def same_size(a: Item, b: Item) -> bool:
    if isinstance(a, Spread) or isinstance(b, Spread):
        return a == b
    return a.size == b.size
