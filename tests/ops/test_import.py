"""The ops are there at once: importing them loads neither numpy nor torch."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_ops_loads_no_numpy() -> None:
    program = (
        "import sys, gendsl.ops, gendsl.ir.build, gendsl.ir.text, gendsl.ir.verify;"
        "import gendsl.passes.pipeline, gendsl.passes.differentiate;"
        "print([m for m in ('numpy', 'torch', 'triton', 'sympy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
