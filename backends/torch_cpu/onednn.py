"""Float32 products of large matrices by oneDNN: it is in torch, and twice as fast as its BLAS.

In: two matrices in any order of memory, perhaps a bias and a relu. Out: their product, rounded as
float32 products are. Always: no operand is rounded to fewer bits than float32 has.

Note [Two ways to oneDNN]: torch reaches oneDNN by `mkldnn::_linear_pointwise`, which fuses a bias
and a relu but copies a left operand that is stored by columns (every gradient of a weight has one:
a tenth to a third of such a product's time), and by `mm`, which copies nothing and writes into
given memory, but only while torch may take bfloat16 for float32. It is allowed that here for the
length of one call and only where the chip cannot do it: oneDNN rounds float32 to bfloat16 in AMX
tiles and in ARM's bfloat16 instructions, not on x86 without AMX. `_full_precision` asks both the
processor and a product that would show rounded operands; where either says no, all goes the first
way. Measured (AMD Zen 5, 2 threads, 30 layouts of 10 shapes): `mm` takes the same time as
`_linear_pointwise` for operands stored by rows, and 0.55 to 0.91 of it for a left one by columns.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

_set_precision: Callable[[str, str, str], None] | None = getattr(
    torch._C, "_set_fp32_precision_setter", None
)
_get_precision: Callable[[str, str], str] | None = getattr(
    torch._C, "_get_fp32_precision_getter", None
)


def find(space: str, name: str) -> Callable[..., Tensor] | None:
    """An operator that only some builds of torch have."""
    packet = getattr(getattr(torch.ops, space), name, None)
    return None if packet is None else packet.default


_LINEAR = find("mkldnn", "_linear_pointwise")


def dense(
    x: Tensor, w: Tensor, bias: Tensor | None = None, then: str = "none", out: Tensor | None = None
) -> Tensor:
    """`x @ w + bias` and then "relu" or "none", for large operands: oneDNN where torch has it."""
    if x.dtype is torch.float32:
        if bias is None and then == "none" and _full_precision():
            return _product(x, w, out)
        if _LINEAR is not None:
            return _into(out, _LINEAR(x, w.t(), bias, then, [], ""))
    y = torch.mm(x, w, out=out) if bias is None else torch.addmm(bias, x, w, out=out)
    return torch.relu_(y) if then == "relu" else y


def _into(out: Tensor | None, made: Tensor) -> Tensor:
    return made if out is None else out.copy_(made)


def _product(x: Tensor, w: Tensor, out: Tensor | None = None) -> Tensor:
    """`x @ w` by oneDNN; only where `_full_precision`."""
    assert _set_precision is not None and _get_precision is not None
    before = _get_precision("mkldnn", "matmul")
    _set_precision("mkldnn", "matmul", "bf16")
    try:
        return torch.mm(x, w, out=out)
    finally:
        _set_precision("mkldnn", "matmul", before)


@cache
def _full_precision() -> bool:
    """Whether `_product` exists here and keeps all bits of its operands."""
    if _set_precision is None or _get_precision is None or not _x86_without_amx():
        return False
    # 1 + 2^-20 is 1 in bfloat16 and in TF32; sums of 16 such numbers are exact in float32.
    odd = torch.full((16, 256), 1.0 + 2.0**-20)
    signs = torch.tensor([1.0, -1.0]).repeat(8)[:, None].expand(16, 256).contiguous()
    even = torch.where(signs > 0, odd, 1.0) * signs
    expected = torch.full((256, 256), 8 * 2.0**-20)
    ones = torch.ones(16, 256)
    found = (_product(even.t(), ones), _product(ones.t(), even))
    return all(torch.equal(product, expected) for product in found)


def _x86_without_amx() -> bool:
    """Whether this is such a processor, as torch knows it."""
    has_amx: Callable[[], bool] | None = getattr(torch.cpu, "_is_amx_tile_supported", None)
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and has_amx is not None and has_amx() is False
