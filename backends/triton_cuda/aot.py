"""Ahead-of-time compilation for sm_90, and what the assembly says: no GPU and no driver are needed.

In: a loaded kernel with the types of its pointers and its constants. Out: `Facts`: registers,
spills, stack, shared memory, tensor-core instructions, loads and stores by width. Always: the
compiler and the disassembler are those that Triton brings along.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from backends.triton_cuda.launch import KernelPlan, Launch, Memory
from gendsl.ir.graph import Node
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2d, Conv2dWeightGrad, ConvTranspose2d
from gendsl.shape.tensor_type import Bool, Fin, Real

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


# ---- plans ---------------------------------------------------------------------------------

# Products of at least so many rows, columns and terms are worth tensor cores.
_LEAST = 16


@dataclass(frozen=True)
class Surveyed:
    """A launch of a plan, compiled. `product`: it holds a product that tensor cores should do;
    `rows`: it reads a matrix whose rows are multiples of 16 bytes."""

    launch: Launch
    facts: Facts
    product: bool
    rows: bool


def survey(plan: KernelPlan, kernels: Mapping[str, Any]) -> Iterator[Surveyed]:
    """Every distinct kernel of a plan, compiled with the constants of its launch."""
    seen = set()
    for launch in plan.kernels:
        key = (launch.kernel, tuple(launch.constants.items()), launch.warps, launch.stages)
        if key not in seen:
            seen.add(key)
            kernel = kernels[launch.kernel]
            memories = [plan.memory[name] for name in launch.arguments]
            types = dict(zip(kernel.arg_names, map(_pointer, memories), strict=False))
            made = compile_kernel(kernel, types, launch.constants, launch.warps, launch.stages)
            yield Surveyed(
                launch, facts(made), has_product(launch, plan.sizes), has_rows(launch, plan)
            )


def _pointer(memory: Memory) -> str:
    match memory.elem:
        case Fin():
            return "*i32"
        case Bool():
            return "*i8"
        case Real():
            return "*fp32"


def has_product(launch: Launch, sizes: Mapping[str, int]) -> bool:
    """Whether a task computes a product with M, N and K of at least 16 each."""
    extents = (_extents(node, sizes) for task in launch.tasks for node in task.nodes)
    return any(found is not None and min(found) >= _LEAST for found in extents)


def _extents(node: Node, sizes: Mapping[str, int]) -> tuple[int, int, int] | None:
    """Rows, columns and terms of a contraction or convolution; None for other nodes."""
    shapes = [tuple(d.size(sizes) for d in source.type.shape) for source in node.inputs]
    out = tuple(d.size(sizes) for d in node.type.shape)
    match node.op:
        case Contract(left=left, right=right, out=labels):
            extent = dict(zip((*left, *right), (*shapes[0], *shapes[1]), strict=True))
            shared = set(left) & set(right)
            rows = prod(extent[x] for x in left if x in labels and x not in shared)
            columns = prod(extent[x] for x in right if x in labels and x not in shared)
            terms = prod(extent[x] for x in shared if x not in labels)
            return rows, columns, terms
        case Conv2d():
            return out[0] * out[2] * out[3], out[1], prod(shapes[1][1:])
        case ConvTranspose2d():
            return out[0] * out[2] * out[3], out[1], shapes[1][0] * prod(shapes[1][2:])
        case Conv2dWeightGrad():
            return out[0], prod(out[1:]), prod(shapes[1]) // shapes[1][1]
        case _:
            return None


def has_rows(launch: Launch, plan: KernelPlan) -> bool:
    """Whether it reads a tensor of at least two axes whose rows are multiples of 16 bytes."""
    read = {name for task in launch.tasks for name in task.reads}
    memories = [plan.memory[name] for name in read if name in plan.memory]
    return any(len(m.shape) > 1 and _width(m) % 16 == 0 for m in memories)


def _width(memory: Memory) -> int:
    return memory.shape[-1] * (1 if isinstance(memory.elem, Bool) else 4)
