"""Did-you-mean: the known names nearest to a mistyped one.

Distance counts insertions, deletions, replacements and swaps of neighbours (optimal string
alignment); case and the difference between `-` and `_` cost a quarter. Nothing is suggested that is
further away than a third of the word, so that the hint is right when it is there.
"""

from __future__ import annotations

from collections.abc import Iterable

_CLOSE = 0.25


def _cost(a: str, b: str) -> float:
    if a == b:
        return 0.0
    return _CLOSE if a.lower().replace("-", "_") == b.lower().replace("-", "_") else 1.0


def distance(a: str, b: str) -> float:
    """How far `a` is from `b`; 0 only for equal words."""
    before: list[float] = []
    row = [float(j) for j in range(len(b) + 1)]
    for i, x in enumerate(a, start=1):
        two, before, row = before, row, [float(i)]
        for j, y in enumerate(b, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + _cost(x, y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, two[j - 2] + 1)
            row.append(best)
    return row[-1]


def nearest(word: str, candidates: Iterable[str], limit: int = 3) -> list[str]:
    """At most `limit` candidates near `word`, nearest first; the word itself is none."""
    allowed = max(1.0, len(word) / 3)
    scored: list[tuple[float, str]] = []
    for candidate in set(candidates) - {word}:
        if abs(len(candidate) - len(word)) <= allowed:
            score = distance(word, candidate)
            if score <= allowed and score < max(len(word), len(candidate)):
                scored.append((score, candidate))
        elif len(word) >= 3 and candidate.startswith(word):  # a beginning: `reparam`
            scored.append((allowed, candidate))
    scored.sort()
    best = scored[0][0] if scored else 0.0
    return [name for score, name in scored if score <= best + 1][:limit]


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """`did you mean `dense`?`, or None when nothing is near."""
    found = [f"`{name}`" for name in nearest(word, candidates)]
    if not found:
        return None
    if len(found) == 1:
        return f"did you mean {found[0]}?"
    return f"did you mean {', '.join(found[:-1])} or {found[-1]}?"
