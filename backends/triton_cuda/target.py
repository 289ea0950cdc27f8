"""The target `triton_cuda`: a step or function as a plan of kernels, and its runs.

Compiling is pure text and needs neither torch nor triton (`--emit triton` prints it anywhere); the
first `load` or `run` brings the plan onto the machine. Functions that read no tensor (initial
values, schedules) are run by the CPU target: they are small, and so both targets start from the
same bits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from backends.triton_cuda.tiles import Tiles, of_gpu, path_of, without_gpu, write
from gendsl.ir.graph import Node, reachable
from gendsl.ir.step import StepGraph
from gendsl.ops.leaf import Input
from gendsl.precision import FLOAT32, PRECISIONS
from gendsl.target import CompiledFunction, CompiledStep, require_answers

if TYPE_CHECKING:
    from backends.triton_cuda.tune import Say

# Tensors that live on the device, or come from outside.
_TENSORS = ("data", "argument", "param", "state", "slot", "ema")
_OLDEST = (8, 0)  # compute capability: TF32 and bfloat16 in tensor cores


class TritonCuda:
    """The target; see `gendsl.target.Target`."""

    name = "triton_cuda"
    precisions = tuple(PRECISIONS)

    def __init__(self, precision: str = FLOAT32, tiles: Tiles | None = None) -> None:
        """`tiles` are those of the GPU at hand; None takes the shipped table."""
        self._precision = precision
        self._tiles = without_gpu() if tiles is None else tiles

    def with_precision(self, precision: str) -> TritonCuda:
        """This target with products of a policy of `gendsl.precision`."""
        return TritonCuda(precision, self._tiles)

    def keeping_plans(self) -> TritonCuda:
        """This target with the tiles that were measured on the GPU at hand."""
        if os.environ.get("TRITON_INTERPRET") == "1":
            return self
        import torch

        return TritonCuda(self._precision, of_gpu(torch.cuda.get_device_name()))

    def tuned(self, step: StepGraph, sizes: Mapping[str, int], say: Say) -> TritonCuda:
        """This target with tiles measured for the step's products, which are kept for later runs.
        It must be able to run here."""
        from backends.triton_cuda.compiled import Step

        made = Step(step, sizes, self._precision, self._tiles)
        result = made.tuned(say)
        write(path_of(self._tiles.gpu), self._tiles.gpu, result.chosen)
        chosen = {**self._tiles.chosen, **result.chosen}
        return TritonCuda(self._precision, replace(self._tiles, chosen=chosen))

    def unavailable(self) -> str | None:
        """Why it cannot run here, "; " and the fix; None when it can."""
        if find_spec("torch") is None:
            return "PyTorch is not installed; install it with `pip install 'gendsl[train,cuda]'`"
        if find_spec("triton") is None:
            return "Triton is not installed; install it with `pip install 'gendsl[cuda]'`"
        return None if os.environ.get("TRITON_INTERPRET") == "1" else _no_gpu()

    def compile_step(self, step: StepGraph, sizes: Mapping[str, int]) -> CompiledStep:
        from backends.triton_cuda.compiled import Step

        require_answers(self.name, (*step.metrics.values(), *step.updates.values()), step.builder)
        return Step(step, sizes, self._precision, self._tiles)

    def compile_function(
        self, outputs: Mapping[str, Node], sizes: Mapping[str, int]
    ) -> CompiledFunction:
        from backends.triton_cuda.compiled import Function

        if not reads_tensors(outputs.values()):
            from backends.torch_cpu import TARGET as CPU

            return CPU.compile_function(outputs, sizes)
        require_answers(self.name, outputs.values())
        return Function(outputs, sizes, self._precision, self._tiles)


def reads_tensors(roots: Iterable[Node]) -> bool:
    """Whether something below `roots` is a tensor from outside."""
    ops = (node.op for node in reachable(roots))
    return any(isinstance(op, Input) and op.kind in _TENSORS for op in ops)


def _no_gpu() -> str | None:
    """What is missing between torch and a GPU, with the fix."""
    import torch

    if torch.version.cuda is None:
        return (
            "this build of torch is for the CPU only; install one with CUDA (in a checkout `make "
            "setup TORCH=cuda`), or run on the CPU with `--cpu`"
        )
    if not torch.cuda.is_available():
        return (
            f"torch {torch.__version__} has CUDA {torch.version.cuda} and sees no NVIDIA GPU; "
            "check `nvidia-smi`, or run on the CPU with `--cpu`"
        )
    capability = torch.cuda.get_device_capability()
    if capability < _OLDEST:
        return (
            f"{torch.cuda.get_device_name()} has compute capability {_version(capability)}; "
            f"{_version(_OLDEST)} or newer is needed, run on the CPU with `--cpu`"
        )
    return None


def _version(numbers: tuple[int, int]) -> str:
    return ".".join(map(str, numbers))


TARGET = TritonCuda()
