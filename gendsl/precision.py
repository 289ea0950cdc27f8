"""How exactly products of matrices are computed: a policy of the program, or of one run.

`precision tf32` in `train:` says it, `--precision tf32` overrides it, and without either it is
"float32". Always: a policy is about products only. Parameters, optimizer state, losses, statistics
and everything that goes to memory is float32 under each of them, and nothing is computed less
exactly than its policy says (a product that is added up without tensor cores, because it is small
or rides along in another computation, is float32 under "tf32" and "bf16" too).
"""

from __future__ import annotations

from collections.abc import Mapping

FLOAT32 = "float32"

# Each policy, and what it means in words.
PRECISIONS: Mapping[str, str] = {
    "float32": "float32's accuracy, by three TF32 products where tensor cores multiply",
    "ieee": "float32 as IEEE 754 has it, without tensor cores",
    "tf32": "operands rounded to TF32 (10 bits of fraction), sums in float32",
    "bf16": "operands rounded to bfloat16 (7 bits of fraction), sums in float32",
}
