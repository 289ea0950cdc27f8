"""Ahead-of-time compilation for sm_90, and what the assembly says: no GPU and no driver are needed.

In: a loaded kernel with the types of its pointers and its constants. Out: `Facts`: registers,
stack and its use, shared memory, tensor-core instructions, loads and stores by width. Always: the
compiler and the disassembler are those that Triton brings along.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backends.triton_cuda.launch import KernelPlan, Launch, Memory
from gendsl.shape.tensor_type import Bool, Fin, Real

CAPABILITY = 90


@dataclass(frozen=True)
class Facts:
    """One compiled kernel. `stack` is in bytes per thread, `shared` in bytes per block; `local`
    counts instructions that move data from and to the stack; loads are of global memory, `wide`
    those of 16 bytes at once; `tensor` counts HGMMA and HMMA instructions."""

    registers: int
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
    """What stands in the machine code."""
    with tempfile.TemporaryDirectory() as place:
        cubin = Path(place) / "kernel.cubin"
        cubin.write_bytes(compiled.asm["cubin"])
        usage = _run("cuobjdump", "-res-usage", str(cubin))
        sass = _run("cuobjdump", "-sass", str(cubin))
    return read(usage, sass, compiled.metadata.shared)


def read(usage: str, sass: str, shared: int) -> Facts:
    """The facts in cuobjdump's listings of resources and of instructions. What spills goes to
    local memory, on the stack; so does an array that is indexed at run time."""
    lines = [line for line in sass.splitlines() if re.match(r"\s+/\*[0-9a-f]{4,}\*/", line)]
    loads = [line for line in lines if re.search(r"\bLD(?:G|GSTS)\b", line)]
    return Facts(
        registers=_number(r"\bREG:(\d+)", usage),
        stack=_number(r"\bSTACK:(\d+)", usage),
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
        raise ValueError(f"no {pattern!r} in what cuobjdump lists:\n{text}")
    return int(found[1])


@cache
def _tools() -> Path:
    """The folder of cuobjdump in the installed Triton."""
    import triton

    return Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


def _run(tool: str, *words: str) -> str:
    done = subprocess.run([_tools() / tool, *words], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


# ---- plans ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surveyed:
    """A launch of a plan, compiled. `product`: one of its tasks is written with `tl.dot`; `rows`:
    it reads a tensor of at least two axes whose rows are multiples of 16 bytes."""

    launch: Launch
    facts: Facts
    product: bool
    rows: bool


def survey(plan: KernelPlan, text: str, kernels: Mapping[str, Any]) -> Iterator[Surveyed]:
    """Every distinct kernel of a plan, compiled with the constants of its launch."""
    seen = set()
    functions = {f.name: f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)}
    for launch in plan.kernels:
        key = (launch.kernel, tuple(launch.constants.items()), launch.warps, launch.stages)
        if key not in seen:
            seen.add(key)
            kernel = kernels[launch.kernel]
            memories = [plan.memory[name] for name in launch.arguments]
            types = dict(zip(kernel.arg_names, map(_pointer, memories), strict=False))
            made = compile_kernel(kernel, types, launch.constants, launch.warps, launch.stages)
            yield Surveyed(
                launch, facts(made), calls(functions, launch.kernel, "dot"), has_rows(launch, plan)
            )


def _pointer(memory: Memory) -> str:
    match memory.elem:
        case Fin():
            return "*i32"
        case Bool():
            return "*i8"
        case Real():
            return "*fp32"


def calls(functions: Mapping[str, ast.FunctionDef], name: str, wanted: str) -> bool:
    """Whether the function, or one that it calls, calls `tl.WANTED`."""
    for node in ast.walk(functions[name]):
        match node:
            case ast.Call(func=ast.Attribute(attr=attribute)) if attribute == wanted:
                return True
            case ast.Call(func=ast.Name(id=other)) if other in functions:
                if calls(functions, other, wanted):
                    return True
            case _:
                pass
    return False


def has_rows(launch: Launch, plan: KernelPlan) -> bool:
    """Whether it reads a tensor of at least two axes whose rows are multiples of 16 bytes."""
    read = {name for task in launch.tasks for name in task.reads}
    memories = [plan.memory[name] for name in read if name in plan.memory]
    return any(len(m.shape) > 1 and _width(m) % 16 == 0 for m in memories)


def _width(memory: Memory) -> int:
    return memory.shape[-1] * (1 if isinstance(memory.elem, Bool) else 4)
