"""The gate on the committed report: it is of the texts that the compiler writes now, and kernels
that are compiled here say what it says."""

from __future__ import annotations

import pytest

from backends.triton_cuda import loader
from benchmarks import aot

# Compiled here and now, whatever the report says; other steps where their text is another one.
COMPILED = ("autoencoder",)
REPORTED = sorted({program for program, _ in aot.recorded()})


def test_the_report_holds_the_gate() -> None:
    assert " none of them spills" in aot.PATH.read_text(encoding="utf-8")
    assert len(REPORTED) >= 5


@pytest.mark.parametrize("program", REPORTED)
def test_no_kernel_spills_and_products_use_tensor_cores(program: str) -> None:
    """A step whose text is the one in the report was compiled for it."""
    part, plan, text = next(aot.parts(program))
    if program not in COMPILED and aot.recorded()[program, part] == loader.digest(text):
        return
    for line in aot.compiled(program, part, plan, text):
        where = (part, line.kernel)
        assert (line.facts.stack, line.facts.local) == (0, 0), where
        assert line.facts.registers <= 255, where
        assert not line.without_tensor, where
