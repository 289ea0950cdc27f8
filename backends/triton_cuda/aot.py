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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
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
class Unit:
    """A kernel of a plan, to be compiled. `types` are those of its pointers; `key` is a hash of
    all that the machine code depends on besides the compiler; `product`: one of its tasks is
    written with a matrix product; `rows`: it reads a tensor of at least two axes whose rows are
    multiples of 16 bytes."""

    launch: Launch
    types: Mapping[str, str]
    key: str
    product: bool
    rows: bool


def units(plan: KernelPlan, text: str) -> Iterator[Unit]:
    """Every distinct kernel of a plan. This is text only: neither torch nor triton is needed."""
    seen, read = set(), reader(plan, text)
    for launch in plan.kernels:
        unit = read(launch)
        if unit.key not in seen:
            seen.add(unit.key)
            yield unit


def reader(plan: KernelPlan, text: str) -> Callable[[Launch], Unit]:
    """What makes launches of a plan, perhaps with other constants, kernels to be compiled."""
    functions = {f.name: f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)}
    sources = {name: ast.unparse(function) for name, function in functions.items()}

    def read(launch: Launch) -> Unit:
        names = [a.arg for a in functions[launch.kernel].args.args]
        types = dict(zip(names, (_pointer(plan.memory[m]) for m in launch.arguments), strict=False))
        used = reached(functions, launch.kernel)
        parts = [sources[name] for name in functions if name in used]
        parts += [repr(sorted(types.items())), repr(sorted(launch.constants.items(), key=str))]
        parts += [f"{launch.kernel} {launch.warps} {launch.stages}"]
        key = sha256("\n".join(parts).encode()).hexdigest()[:16]
        product = any(_calls(functions[name], "dot") for name in used)
        return Unit(launch, types, key, product, has_rows(launch, plan))

    return read


def compile_unit(unit: Unit, kernels: Mapping[str, Any]) -> Facts:
    """One kernel of a loaded module, compiled with the constants of its launch."""
    launch = unit.launch
    kernel = kernels[launch.kernel]
    return facts(compile_kernel(kernel, unit.types, launch.constants, launch.warps, launch.stages))


def _pointer(memory: Memory) -> str:
    match memory.elem:
        case Fin():
            return "*i32"
        case Bool():
            return "*i8"
        case Real():
            return "*fp32"


def reached(functions: Mapping[str, ast.FunctionDef], name: str) -> set[str]:
    """The function and all that it calls, directly or not."""
    found, todo = set[str](), [name]
    while todo:
        now = todo.pop()
        if now not in found:
            found.add(now)
            calls = (n for n in ast.walk(functions[now]) if isinstance(n, ast.Call))
            names = {n.func.id for n in calls if isinstance(n.func, ast.Name)}
            todo += sorted(names & functions.keys())
    return found


def _calls(function: ast.FunctionDef, wanted: str) -> bool:
    """Whether the function itself calls `tl.WANTED`."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == wanted
        for node in ast.walk(function)
    )


def has_rows(launch: Launch, plan: KernelPlan) -> bool:
    """Whether it reads a tensor of at least two axes whose rows are multiples of 16 bytes."""
    read = {name for task in launch.tasks for name in task.reads}
    memories = [plan.memory[name] for name in read if name in plan.memory]
    return any(len(m.shape) > 1 and _width(m) % 16 == 0 for m in memories)


def _width(memory: Memory) -> int:
    return memory.shape[-1] * (1 if isinstance(memory.elem, Bool) else 4)
