"""`python -m benchmarks`: every comparison, one after the other; each writes its table.

One alone: `python -m benchmarks.cpu --help`, `python -m benchmarks.parity --help`.
"""

from __future__ import annotations

import sys

from benchmarks import cpu, parity


def main() -> int:
    if code := cpu.main():
        return code
    parity.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
