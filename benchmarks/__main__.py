"""`python -m benchmarks`: every comparison, one after the other; each writes its table.

One alone, with its options: `python -m benchmarks.cpu --help`, and so on.
"""

from __future__ import annotations

import sys

from benchmarks import closed_forms, cpu, growth, parity


def main() -> int:
    codes = [cpu.main([]), growth.main([]), closed_forms.main()]
    parity.main([])
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
