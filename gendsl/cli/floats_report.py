"""How `gendsl check --floats` shows rounding: a line for each term, and both layers of its sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gendsl.prove.floats import Sign, TermBound


def floats_json(found: Sequence[TermBound]) -> list[dict[str, Any]]:
    return [
        {
            "objective": b.objective,
            "term": b.term,
            "value": b.value if b.bound is not None else None,
            "bound": b.bound,
            "reason": b.reason,
            "sizes": dict(b.sizes),
            "sign": None
            if b.sign is None
            else {
                "reals": b.sign.reals,
                "float32_as_written": b.sign.witness,
                "float32_as_compiled": b.sign.compiled,
            },
        }
        for b in found
    ]


def floats_lines(found: Sequence[TermBound]) -> Iterator[str]:
    for k, b in enumerate(found):
        if k == 0 or found[k - 1].objective != b.objective:
            sizes = ", ".join(f"{name} = {n}" for name, n in b.sizes.items())
            yield f"floats   {b.objective}, at initial parameters and random data, {sizes}"
        if b.bound is None:
            yield f"         {b.term}: no bound ({b.reason})"
        else:
            size = f"   ({b.bound / abs(b.value):.1e} of it)" if b.value else ""
            yield f"         {b.term} = {b.value:.6g}   |float32 - real| <= {b.bound:.2g}{size}"
        if b.sign is not None:
            yield from (f"           {line}" for line in _layers(b.term, b.sign))


def _layers(term: str, sign: Sign) -> Iterator[str]:
    """`kl >= 0`, over the reals and in floats."""
    yield f"{term} >= 0 over the reals: {sign.reals}"
    if sign.witness is not None:
        inputs = ", ".join(f"{k} = {v[0]:.6g}" for k, v in sign.witness["inputs"].items() if v)
        yield f"  in float32 as written: false, {sign.witness['value']:.3g} at {inputs}"
    how = "true by construction" if sign.compiled else "not shown"
    yield f"  in float32 as compiled: {how}"
