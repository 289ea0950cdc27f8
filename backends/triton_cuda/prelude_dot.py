"""Products of tiles under a precision, as Triton text: `FUNCTIONS`, name -> text.

PRECISION is "tf32x3" (three TF32 products: float32's accuracy on tensor cores), "ieee", "tf32",
"bf16" (operands rounded to nearest, products exact, sums in float32) or "bf16_as_float32": the same
numbers where bfloat16 cannot be multiplied, which is Triton's interpreter (it also cuts digits off
where a device rounds to nearest, hence `_bf16`). `_dot_float32` is for products that a program's
precision is not about, see `precision.exact_products`.
"""

from __future__ import annotations

_BF16 = '''
@triton.jit
def _bf16(x):
    """The nearest bfloat16, ties to even, as a float32."""
    bits = x.to(tl.int32, bitcast=True)
    bits = (bits + (0x7FFF + ((bits >> 16) & 1))) & -65536
    return tl.where(x == x, bits.to(tl.float32, bitcast=True), x)
'''

_DOT = '''
@triton.jit
def _dot(left, right, total, PRECISION: tl.constexpr):
    """total + left @ right, with the operands rounded as the precision has it."""
    if PRECISION == "bf16":
        return tl.dot(left.to(tl.bfloat16), right.to(tl.bfloat16), total)
    elif PRECISION == "bf16_as_float32":
        return tl.dot(_bf16(left), _bf16(right), total, input_precision="ieee")
    else:
        return tl.dot(left, right, total, input_precision=PRECISION)
'''

_DOT_FLOAT32 = '''
@triton.jit
def _dot_float32(left, right, total, PRECISION: tl.constexpr):
    """total + left @ right in float32, whatever the precision of other products."""
    if PRECISION == "ieee":
        return tl.dot(left, right, total, input_precision="ieee")
    else:
        return tl.dot(left, right, total, input_precision="tf32x3")
'''

FUNCTIONS = {"_bf16": _BF16, "_dot": _DOT, "_dot_float32": _DOT_FLOAT32}
