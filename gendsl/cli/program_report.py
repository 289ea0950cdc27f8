"""What `gendsl check` says about a correct program: data, sizes, conditions, shapes, hash.

In: the checked program. Out: rows (label, text), the label repeated for rows that belong together.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from gendsl.cli.output import source_at
from gendsl.cli.size_conditions import condition_texts
from gendsl.core.program import DataField, DimInfo, HyperInfo, Interface, Program
from gendsl.shape.dim import ONE
from gendsl.source.text import Span

Rows = Iterator[tuple[str, str]]


def program_lines(program: Program, graph_hash: str | None) -> Rows:
    """All rows, in reading order."""
    interface = program.interface
    for field in interface.data.values():
        yield "data", data_text(field)
    yield from _sizes(interface)
    if interface.hypers:
        yield "hypers", ", ".join(map(hyper_text, interface.hypers.values()))
    for place, texts in _by_place(interface).items():
        yield "needs", ", ".join(texts) + place
    for name, signature in interface.shapes.items():
        kind = "samplers" if name in program.samplers else "nets"
        yield kind, signature.split(" ", 1)[1]
    if graph_hash is not None:
        yield "graph", graph_hash


def data_text(field: DataField) -> str:
    range_ = f" in {field.range}" if field.range is not None else ""
    source = f" from {field.source}" if field.source else ""
    return f"{field.name}: {field.type}{range_}{source}"


def _sizes(interface: Interface) -> Rows:
    """Each group of sizes on its own line: those a user sets, then those that data binds."""
    batch = [d.name for d in interface.dims.values() if d.kind == "batch"]
    data = [d for d in interface.dims.values() if d.kind == "data"]
    declared = [dim_text(d) for d in interface.dims.values() if d.kind == "dim"]
    if batch:
        yield "sizes", f"{', '.join(batch)}: the batch"
    for field in interface.data.values():
        bound = [d for d in data if any(d.name in f.size.names for f in field.factors)]
        data = [d for d in data if d not in bound]
        if bound:
            yield "sizes", f"{', '.join(dim_text(d) for d in bound)}: bound by data `{field.name}`"
    if data:
        yield "sizes", f"{', '.join(dim_text(d) for d in data)}: bound by the data"
    if declared:
        yield "sizes", ", ".join(declared)


def dim_text(info: DimInfo) -> str:
    """`T = 1000 >= 2`, without what goes without saying."""
    text = info.name if info.default is None else f"{info.name} = {info.default}"
    return text if info.at_least == ONE else f"{text} >= {info.at_least}"


def hyper_text(info: HyperInfo) -> str:
    text = f"{info.name} = {number(info.default)}"
    if info.range.low is None and info.range.high is None:
        return text
    return f"{text} in {info.range}"


def number(value: Fraction) -> str:
    """`1/1000` as people write it."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def _by_place(interface: Interface) -> dict[str, list[str]]:
    """The size conditions that one line of a program gives rise to, together."""
    rows: dict[str, list[str]] = {}
    for text, span in condition_texts(interface.conditions):
        rows.setdefault(_place(span, interface.path), []).append(text)
    return rows


def _place(span: Span, program: str) -> str:
    source = source_at(span.path)
    if source is None:
        return ""
    line = source.position(span.start)[0]
    where = f"line {line}" if span.path == program else f"{source.path}:{line}"
    return f"   (from {where})"
