"""`python -m benchmarks`: every comparison, one after the other; each writes its table.

One alone, with its options: `python -m benchmarks.cpu --help`, and so on.
"""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    """Run everything; it takes hours, so what is asked is read before anything is loaded."""
    argparse.ArgumentParser("python -m benchmarks", description=__doc__).parse_args()
    from benchmarks import closed_forms, cpu, growth, parity

    codes = [cpu.main([]), growth.main([]), closed_forms.main([])]
    parity.main([])
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
