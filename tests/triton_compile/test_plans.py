"""The gate on the committed report: what it says of kernels is so, and those that are written now
and not in it pass as well.

Compiling every kernel takes half an hour; here some of each chosen part are compiled: those that
the report lacks, and two that it has, whose numbers must be the report's.
"""

from __future__ import annotations

from importlib.metadata import version

import pytest

from backends.triton_cuda import aot, loader
from benchmarks import aot as report
from benchmarks import aot_table as table

TEXT = report.PATH.read_text(encoding="utf-8")
ROWS = table.read(TEXT)
KNOWN = {row.key: row for row in ROWS}
CHOSEN = (
    *(("autoencoder", "step"), ("lsgan", "step"), ("vq_vae_ema", "step")),
    *(("gan", "evaluation"), ("vae", "sampler digits")),
)
NEW, AGAIN = 3, 2  # kernels of a part that are compiled: not in the report, and in it
SAME = version("triton") == table.compiler(TEXT)
# Another Triton allocates registers in another way: 3.6 puts 8 bytes of one kernel on the stack.
ALLOWED = 0 if SAME else 16


def test_reading_gives_what_was_written() -> None:
    assert table.write(ROWS, table.compiler(TEXT), table.missing(TEXT)) == TEXT


def test_every_program_is_in_the_report() -> None:
    """What was not compiled is said."""
    said = {*(row.program for row in ROWS), *(line.split()[0] for line in table.missing(TEXT))}
    assert said == set(report.programs())
    assert {"step", "evaluation"} <= {row.part for row in ROWS}
    assert any(row.part.startswith("sampler ") for row in ROWS)
    assert len(ROWS) > len(table.missing(TEXT))


def test_no_kernel_spills_and_products_use_tensor_cores() -> None:
    for row in ROWS:
        assert not row.spills, (row.program, row.part, row.kernel)
        passes(row)
    wide = [row for row in ROWS if row.rows]
    assert sum(not row.without_wide for row in wide) >= 0.85 * len(wide)


def passes(row: table.Line) -> None:
    """What holds for each kernel, but for the exceptions that the report gives reasons for."""
    where = (row.program, row.part, row.kernel)
    assert row.facts.stack <= ALLOWED and row.facts.local <= ALLOWED, where
    assert row.facts.registers <= 255, where
    assert not row.too_large, where
    assert not row.without_tensor, where


@pytest.mark.parametrize("place", CHOSEN, ids=" ".join)
def test_kernels_that_are_written_now(place: tuple[str, str]) -> None:
    program, name = place
    part = next(p for p in report.parts(program) if p.name == name)
    kernels = loader.load("gate", part.text)
    new = [unit for unit in part.units if unit.key not in KNOWN][:NEW]
    for unit in new:
        facts = aot.compile_unit(unit, kernels)
        passes(table.Line.of(program, name, unit, facts))
    for unit in sorted((u for u in part.units if u.key in KNOWN), key=lambda u: u.key)[:AGAIN]:
        facts = aot.compile_unit(unit, kernels)
        if version("triton") == table.compiler(TEXT):
            assert facts == KNOWN[unit.key].facts, (place, unit.launch.kernel)
        passes(table.Line.of(program, name, unit, facts))
