"""Ahead-of-time compilation for sm_90, and what the assembly says: no GPU and no driver are needed.

In: a loaded kernel with the types of its pointers and its constants. Out: `Facts`: registers,
spills, stack, shared memory, tensor-core instructions, loads and stores by width. Always: the
compiler and the disassembler are those that Triton brings along.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CAPABILITY = 90
_ARCHITECTURE = "sm_90a"


@dataclass(frozen=True)
class Facts:
    """One compiled kernel. Bytes are per thread except `shared`, which is per block; loads are of
    global memory, `wide` those of 16 bytes at once; `tensor` counts HGMMA and HMMA instructions."""

    registers: int
    spills: int
    stack: int
    local: int
    shared: int
    tensor: int
    loads: int
    wide: int
    instructions: int


def compile_kernel(
    kernel: Any,
    types: Mapping[str, str],
    constants: Mapping[str, Any],
    warps: int,
    stages: int,
) -> Any:
    """The kernel for sm_90; `types` are those of its pointers ("*fp32"), all 16-byte aligned."""
    from triton import compile as build
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    signature = {name: "constexpr" if name in constants else types[name] for name in names}
    aligned = {(i,): [["tt.divisibility", 16]] for i, n in enumerate(names) if n in types}
    source = ASTSource(fn=kernel, signature=signature, constexprs=dict(constants), attrs=aligned)
    return build(
        source,
        target=GPUTarget("cuda", CAPABILITY, 32),
        options={"num_warps": warps, "num_stages": stages},
    )


def facts(compiled: Any) -> Facts:
    """What the assembler reports, and what the disassembly shows."""
    with tempfile.TemporaryDirectory() as place:
        ptx, cubin = Path(place) / "kernel.ptx", Path(place) / "kernel.cubin"
        ptx.write_text(compiled.asm["ptx"])
        cubin.write_bytes(compiled.asm["cubin"])
        # what ptxas reports for the text that was assembled, with the same options as Triton's
        report = _run("ptxas", "-v", f"--gpu-name={_ARCHITECTURE}", str(ptx), "-o", "/dev/null")
        sass = _run("cuobjdump", "-sass", str(cubin))
    return read(report, sass, compiled.metadata.shared)


def read(report: str, sass: str, shared: int) -> Facts:
    """The facts in ptxas' report and cuobjdump's listing."""
    lines = [line for line in sass.splitlines() if re.match(r"\s+/\*[0-9a-f]{4,}\*/", line)]
    loads = [line for line in lines if re.search(r"\bLD(?:G|GSTS)\b", line)]
    return Facts(
        registers=_number(r"Used (\d+) registers", report),
        spills=_number(r"(\d+) bytes spill stores", report),
        stack=_number(r"(\d+) bytes stack frame", report),
        local=sum(bool(re.search(r"\b(?:LDL|STL)\b", line)) for line in lines),
        shared=shared,
        tensor=sum(bool(re.search(r"\bHG?MMA\b", line)) for line in lines),
        loads=len(loads),
        wide=sum(".128" in line for line in loads),
        instructions=len(lines),
    )


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"no {pattern!r} in what ptxas reports:\n{text}")
    return int(found[1])


@cache
def _tools() -> Path:
    """The folder of ptxas and cuobjdump in the installed Triton."""
    import triton

    return Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


def _run(tool: str, *words: str) -> str:
    done = subprocess.run([_tools() / tool, *words], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr
