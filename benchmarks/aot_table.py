"""The table of kernels ahead of time: written as Markdown, and read back by the gate.

In: what was compiled. Out: text with one row a kernel, and the exceptions with their reasons.
Always: reading what was written gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backends.triton_cuda.aot import Facts, Unit

COLUMNS = (
    *("program", "part", "kernel", "registers", "stack", "local", "shared", "tensor", "loads"),
    *("128-bit", "instructions", "product", "rows", "content"),
)
_RIGHT = COLUMNS[3:11]
SHARED = 227 * 1024  # bytes that a program may take on an H100 or H200


@dataclass(frozen=True)
class Line:
    """One compiled kernel: of which part of which program, and what the assembly says. `product`
    and `rows` are those of `aot.Unit`, `key` is the kernel's content."""

    program: str
    part: str
    kernel: str
    facts: Facts
    product: bool
    rows: bool
    key: str

    @classmethod
    def of(cls, program: str, part: str, unit: Unit, facts: Facts) -> Line:
        return cls(program, part, unit.launch.kernel, facts, unit.product, unit.rows, unit.key)

    @property
    def spills(self) -> bool:
        return self.facts.stack + self.facts.local > 0

    @property
    def too_large(self) -> bool:
        return self.facts.shared > SHARED

    @property
    def without_tensor(self) -> bool:
        return self.product and not self.facts.tensor

    @property
    def without_wide(self) -> bool:
        return self.rows and not self.facts.wide

    def cells(self) -> tuple[str, ...]:
        f = self.facts
        numbers = (f.registers, f.stack, f.local, f.shared, f.tensor, f.loads, f.wide)
        marks = ("yes" if self.product else "", "yes" if self.rows else "")
        named = (self.program, self.part, self.kernel)
        return (*named, *map(str, (*numbers, f.instructions)), *marks, self.key)


def write(found: Sequence[Line], compiler: str, missing: Sequence[str] = ()) -> str:
    """The whole file; `missing` names what was not compiled."""
    products = [line for line in found if line.product]
    wide = [line for line in found if line.rows]
    spilled = [line for line in found if line.spills]
    text = (
        "# Kernels ahead of time, for sm_90\n\n"
        f"{len(found)} kernels of {len({x.program for x in found})} programs, by Triton "
        f"{compiler}: {len(spilled) or 'none'} of them spills; "
        f"{sum(not x.without_tensor for x in products)} of {len(products)} with products "
        f"use tensor cores, {sum(not x.without_wide for x in wide)} of "
        f"{len(wide)} that read rows of a multiple of 16 bytes read 16 bytes at once.\n\n"
    )
    text += _row(COLUMNS) + _row("---:" if name in _RIGHT else "---" for name in COLUMNS)
    text += "".join(_row(line.cells()) for line in found)
    narrow = [f"{x.program} {x.part}, {x.kernel}" for x in found if x.without_wide]
    loose = [f"{x.program} {x.part}, {x.kernel}" for x in found if x.without_tensor]
    text += _section("Spills", "", [f"{x.program} {x.part}, {x.kernel}" for x in spilled])
    large = [f"{x.program} {x.part}, {x.kernel}" for x in found if x.too_large]
    text += _section(f"More than {SHARED:,} bytes of shared memory", "", large)
    text += _section("Products without tensor cores", "", loose)
    text += _section("Rows without 128-bit loads", _NARROW if narrow else "", narrow)
    return text + _section(MISSING, "", missing)


MISSING = "Not compiled"
_NARROW = (
    "What one thread reads at once does not lie side by side, as far as the compiler sees: windows "
    "of images, axes that\nare split or regrouped, entries chosen by an index.\n\n"
)


def _section(title: str, reason: str, items: Sequence[str]) -> str:
    listed = "".join(f"- {item}\n" for item in items)
    return f"\n## {title}\n\n{reason}{listed or 'None.' + chr(10)}"


def missing(text: str) -> list[str]:
    """What a table says was not compiled."""
    lines = text.partition(f"## {MISSING}\n")[2].splitlines()
    return [line.removeprefix("- ") for line in lines if line.startswith("- ")]


def read(text: str) -> list[Line]:
    """The rows of a table."""
    found = []
    for row in text.splitlines():
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        if len(cells) != len(COLUMNS) or cells[0] == COLUMNS[0] or cells[3].startswith("---"):
            continue
        numbers = [int(cell) for cell in cells[3:11]]
        facts = Facts(*numbers[:8])
        found.append(Line(*cells[:3], facts, cells[11] == "yes", cells[12] == "yes", cells[13]))
    return found


def compiler(text: str) -> str:
    """The version of Triton that a table was made with."""
    return text.partition(", by Triton ")[2].partition(":")[0]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
