"""`python -m benchmarks`: every comparison, one after the other; each writes its table.

One alone: `python -m benchmarks NAME OPTION...`, which is `python -m benchmarks.NAME OPTION...`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

# Those that `python -m benchmarks` runs, and those that want a GPU, a run or a day for themselves.
EVERY = ("cpu", "growth", "closed_forms", "parity")
ALONE = ("aot", "cuda", "kernels", "launches", "mutants", "ring")


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked; everything takes hours, so that is read before anything is loaded."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    names = (*EVERY, *ALONE)
    parser.add_argument("name", nargs="?", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, metavar="OPTION", help="those that NAME --help lists"
    )
    asked = parser.parse_args(words)
    if asked.name is not None:
        command = [sys.executable, "-m", f"benchmarks.{asked.name}", *asked.options]
        return subprocess.run(command, check=False).returncode
    from benchmarks import closed_forms, cpu, growth, parity

    codes = [cpu.main([]), growth.main([]), closed_forms.main([])]
    parity.main([])
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
