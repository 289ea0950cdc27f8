"""How `gendsl check --battery` shows its answers: a table for each objective, or JSON rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gendsl.prove.battery import Row, verdicts

Answers = Mapping[str, tuple[Row, ...]]


def battery_json(found: Answers) -> dict[str, list[dict[str, Any]]]:
    """The rows of each objective."""
    return {name: [_row_json(row) for row in rows] for name, rows in found.items()}


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "subject": row.subject,
        "answer": row.answer,
        "statement": row.statement,
        "verdict": row.verdict,
        **row.detail,
    }


def battery_lines(found: Answers) -> Iterator[str]:
    """The text of all tables."""
    for name, rows in found.items():
        yield f"battery  {name}"
        for line in _objective(rows):
            yield f"         {line}".rstrip()


def _objective(rows: Sequence[Row]) -> Iterator[str]:
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row)
    for row in by_kind.get("decomposition", []):
        yield f"{row.subject} == {row.answer}" + (f"   {row.verdict}" if row.verdict else "")
    yield from _table(_term_rows(by_kind))
    for row in by_kind.get("monotone", []):
        yield _hyper(row, by_kind)
    for row in by_kind.get("effective beta", []):
        yield f"effective beta = {row.answer}, where {row.detail['kl']}, {row.detail['likelihood']}"
        if "variance" in row.detail and row.answer != "1":
            yield f"  (the bound itself for a Gaussian of variance {row.answer})"
    counts = ", ".join(f"{n} {verdict}" for verdict, n in verdicts(rows).items())
    yield f"{sum(verdicts(rows).values())} questions: {counts}"


def _term_rows(by_kind: Mapping[str, Sequence[Row]]) -> list[list[str]]:
    """A header, then a row for each term: sign, zero set, flow to each group, batch, growth."""
    flows = by_kind.get("flow", [])
    groups = list(dict.fromkeys(row.detail["group"] for row in flows))
    header = ["term", "sign", "zero exactly when", *(f"-> {g}" for g in groups), "batch", "sizes"]
    table = [header]
    for sign in by_kind.get("sign", []):
        name = sign.subject
        zero = [r for r in by_kind.get("zero", []) if r.subject == name]
        cells = [name, sign.answer, _doubt(zero[0]) if zero else ""]
        for g in groups:
            cells += [r.answer for r in flows if r.subject == name and r.detail["group"] == g]
        table.append([*cells, _batch(name, by_kind), _growth(name, by_kind)])
    return table


def _doubt(row: Row) -> str:
    """The answer, with a question mark where the claim behind it is not proved."""
    return row.answer if row.verdict in ("proved", "") else f"{row.answer} (?)"


def _batch(name: str, by_kind: Mapping[str, Sequence[Row]]) -> str:
    separable = {r.answer for r in by_kind.get("separable", []) if r.subject == name}
    repeat = {r.answer for r in by_kind.get("repeat", []) if r.subject == name}
    if separable == {"yes"}:
        return "a mean"
    if "no" in repeat:
        return "depends on its size"
    return "coupled" if "no" in separable else "?"


def _growth(name: str, by_kind: Mapping[str, Sequence[Row]]) -> str:
    """`mean over B; sum over C, H, W`."""
    kinds: dict[str, list[str]] = {}
    for row in by_kind.get("scaling", []):
        if row.subject == name:
            kinds.setdefault(row.answer, []).append(row.detail["size"])
    return "; ".join(f"{kind} over {', '.join(sizes)}" for kind, sizes in kinds.items())


def _hyper(row: Row, by_kind: Mapping[str, Sequence[Row]]) -> str:
    parts = [row.answer if row.answer != "?" else "direction unknown"]
    parts += [
        f"at 0 the loss is {r.answer}"
        for r in by_kind.get("collapse", [])
        if r.subject == row.subject and r.verdict == "proved"
    ]
    moves = [r for r in by_kind.get("moves", []) if r.subject == row.subject]
    for answer, words in (("changes", "changes the gradient of"), ("free", "leaves that of")):
        groups = [r.detail["group"] for r in moves if r.answer == answer]
        if groups:
            parts.append(f"{words} {', '.join(groups)}")
    return f"{row.subject}: {'; '.join(parts)}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
