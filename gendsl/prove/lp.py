"""Exact linear feasibility over the rationals: phase one of the simplex method (Bland's rule).

In: columns as sparse vectors over hashable rows, a target. Out: nonnegative multipliers whose
combination of the columns is the target, or None. Untrusted: the kernel re-multiplies.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any

Vector = Mapping[Any, Fraction]


def prune(columns: Sequence[Vector], target: Vector) -> list[int]:
    """The columns that can take part: each of their rows outside the target must be cancelled by
    another column of the opposite sign, and every row of the target must be reachable."""
    alive = set(range(len(columns)))
    while True:
        signs: dict[Hashable, set[bool]] = {}
        for k in alive:
            for row, value in columns[k].items():
                signs.setdefault(row, set()).add(value > 0)
        dead = {
            k
            for k in alive
            if any(row not in target and len(signs[row]) == 1 for row in columns[k])
        }
        if not dead:
            return sorted(alive)
        alive -= dead


def combine(
    columns: Sequence[Vector], target: Vector, pivots: int = 400
) -> dict[int, Fraction] | None:
    """Multipliers >= 0 by column number, or None (also when `pivots` do not suffice)."""
    chosen = prune(columns, target)
    rows = list(dict.fromkeys([*target, *(r for k in chosen for r in columns[k])]))
    place = {r: i for i, r in enumerate(rows)}
    covered = {r for k in chosen for r in columns[k]}
    if any(r not in covered for r in target):
        return None
    # One sparse tableau row for each equation; columns are numbered, -1 is the right-hand side.
    table: list[dict[int, Fraction]] = [{} for _ in rows]
    for k in chosen:
        for r, value in columns[k].items():
            table[place[r]][k] = value
    for r, value in target.items():
        table[place[r]][-1] = value
    for row in table:
        if row.get(-1, Fraction(0)) < 0:
            for k in row:
                row[k] = -row[k]
    basis: list[int | None] = [None] * len(rows)
    cost: dict[int, Fraction] = {}
    for row in table:
        for k, value in row.items():
            cost[k] = cost.get(k, Fraction(0)) + value
    for _ in range(pivots):
        if not cost.get(-1):
            break
        entering = min((k for k, value in cost.items() if k >= 0 and value > 0), default=None)
        if entering is None:
            return None
        ratios = [
            (row.get(-1, Fraction(0)) / row[entering], basis[i] is not None, basis[i] or 0, i)
            for i, row in enumerate(table)
            if row.get(entering, 0) > 0
        ]
        if not ratios:
            return None
        _pivot(table, cost, min(ratios)[3], entering)
        basis[min(ratios)[3]] = entering
    if cost.get(-1):
        return None
    return {k: table[i][-1] for i, k in enumerate(basis) if k is not None and table[i].get(-1)}


def _pivot(table: list[dict[int, Fraction]], cost: dict[int, Fraction], at: int, k: int) -> None:
    lead = table[at][k]
    row = table[at] = {j: value / lead for j, value in table[at].items()}
    for other in [*(t for i, t in enumerate(table) if i != at), cost]:
        factor = other.get(k)
        if factor:
            for j, value in row.items():
                new = other.get(j, Fraction(0)) - factor * value
                if new:
                    other[j] = new
                else:
                    other.pop(j, None)
