"""The device functions compiled for sm_90: nothing spills, and nothing goes to local memory."""

from __future__ import annotations

import pytest

from backends.triton_cuda import aot, loader, prelude

HEAD = "import triton\nimport triton.language as tl\n\n\n"
UNARY = """

@triton.jit
def kernel(x, y, N: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + i, {name}(tl.load(x + i, mask=i < N)), mask=i < N)
"""
DRAW = """

@triton.jit
def kernel(x, y, N: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    word = tl.load(x).to(tl.int32)
    tl.store(y + i, {name}(word, word, word, word, i // 20, i % 20{more}), mask=i < N)
"""
UNARY_NAMES = (
    "_exp", "_expm1", "_log", "_log1p", "_sigmoid", "_silu", "_softplus", "_tanh", "_erf", "_gelu",
    "_sin", "_cos",
)  # fmt: skip
DRAW_NAMES = ("_normal", "_uniform", "_bits")


@pytest.mark.parametrize("name", (*UNARY_NAMES, *DRAW_NAMES))
def test_no_spill_and_no_local_memory(name: str) -> None:
    draws = name in DRAW_NAMES
    text = (DRAW if draws else UNARY).format(name=name, more=", 1000" if name == "_bits" else "")
    kernel = loader.load("prelude", HEAD + prelude.source([name]) + text)["kernel"]
    constants = {"N": 4096, "BLOCK": 1024}
    compiled = aot.compile_kernel(kernel, {"x": "*fp32", "y": "*fp32"}, constants, 4, 3)
    found = aot.facts(compiled)
    assert (found.local, found.stack) == (0, 0)
    assert found.registers <= 96
    if not draws:
        assert found.loads == found.wide > 0


def test_what_is_read_from_a_listing() -> None:
    report = " Function kernel:\n  REG:32 STACK:8 SHARED:512 LOCAL:0 CONSTANT[0]:568"
    sass = """
        .headerflags @"EF_CUDA_SM90 HGMMA in a name"
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   LDG.E.128 R4, desc[UR4][R2.64] ;
        /*0020*/                   LDGSTS.E.BYPASS.128 [R3], desc[UR4][R2.64] ;
        /*0030*/                   LDG.E R4, desc[UR4][R2.64] ;
        /*0040*/                   HGMMA.64x32x8.F32.TF32 R24, gdesc[UR8] ;
        /*0050*/                   HMMA.1688.F32.TF32 R4, R4, R8, R12 ;
        /*0060*/                   LDL R1, [R1] ;
    """
    found = aot.read(report, sass, 512)
    assert found == aot.Facts(32, 8, 1, 512, 2, 3, 2, 7)
    with pytest.raises(ValueError, match="in what cuobjdump lists"):
        aot.read("", sass, 0)
