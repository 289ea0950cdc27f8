"""The target `torch_cpu`: plans become Python functions over torch tensors on the CPU.

Reals are float32; `dtype=float64` is for tests. Nothing here uses torch.autograd: gradients are in
the graph. Torch is imported when something is compiled, so that finding the target costs nothing.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.torch_cpu.emit import CARRIED, CONTAINERS, SEVERAL_THREADS
from backends.torch_cpu.written import Written, elements, identity, kept, write_out
from gendsl.cache import folder
from gendsl.ir.graph import Node, postorder
from gendsl.ir.merge import merge
from gendsl.ir.plan import Plan
from gendsl.ir.schedule import make_plan, plan_step
from gendsl.ir.step import OptimizerGroup, StepGraph
from gendsl.target import require_answers

if TYPE_CHECKING:
    from gendsl.noise import Noise

Arrays = Mapping[str, Any]


class Executable:
    """Loaded source; calls it with tensors checked against what it was written for."""

    def __init__(self, written: Written, dtype: str) -> None:
        import torch

        from backends.torch_cpu import runtime
        from gendsl.noise import Ahead

        self.source = written.text
        self._name = written.name
        self._notes = written.notes
        # In float64, draws are numpy's to the last bit.
        self._ahead = Ahead((runtime.cosine, runtime.sine)) if dtype == "float32" else Ahead()
        self._real = {"float32": torch.float32, "float64": torch.float64}[dtype]
        self._dtypes = {"real": self._real, "index": torch.int64, "bool": torch.bool}
        self._threads = runtime.threads_for(written.flops)
        self.function = self._load(runtime.namespace(self._real))
        self.use = written.use
        self._inputs = {given.key: given for given in written.given}
        self._fields = [
            (name, self._dtypes[self._inputs[key].elem], self._inputs[key].shape, key)
            for kind in ("data", "argument")
            for name in self.reads(kind)
            for key in (f"{kind}:{name}",)
        ]
        self._torch, self._runtime = torch, runtime  # found once: a step may take 250 us
        runtime.keep_freed_memory()

    def _load(self, space: dict[str, Any]) -> Callable[..., dict[str, Any]]:
        text = self.source
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        self._file = f"<gendsl {self._name} {digest}>"
        linecache.cache[self._file] = (len(text), None, text.splitlines(True), self._file)
        exec(compile(text, self._file, "exec"), space)  # our own text, written from the plan
        function: Callable[..., dict[str, Any]] = space[self._name]
        return function

    def tensor(self, key: str, array: Any) -> Any:
        """The array as a tensor of the dtype and shape that the plan has for `key`."""
        given = self._inputs[key]
        return self.of(given.elem, array, given.shape, key)

    def of(self, elem: str, array: Any, shape: tuple[int, ...], key: str) -> Any:
        """The array as a tensor of these elements and this shape."""
        return self._runtime.to_tensor(array, self._dtypes[elem], shape, key)

    def reads(self, kind: str) -> list[str]:
        """The keys of inputs of one kind, without it."""
        return [key.partition(":")[2] for key in self._inputs if key.startswith(f"{kind}:")]

    def batch(self, arrays: Arrays) -> dict[str, Any]:
        """The data that the plan reads, as tensors."""
        convert = self._runtime.to_tensor
        return {name: convert(arrays[name], *wanted) for name, *wanted in self._fields}

    def bind(self, carried: Mapping[str, dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        """What runs a step on these carried tensors, in place, with an arena of its own."""
        assert self.use is not None
        with self._torch.inference_mode():
            arena = self._runtime.Arena(self.use.arena, self._real)
            run: Any = self.function(**carried, at=arena.at)
            bound: Callable[..., dict[str, Any]] = run
            return bound

    def call(
        self,
        function: Callable[..., dict[str, Any]],
        batch: Arrays,
        hypers: Mapping[str, float],
        noise: Noise,
    ) -> dict[str, Any]:
        """Run one step or a function; an exception names the program's place."""
        if self._torch.get_num_threads() != self._threads:
            self._torch.set_num_threads(self._threads)
        numbers = {name: float(value) for name, value in hypers.items()}
        draw = self._runtime.drawer(noise, self._ahead, self._real)
        try:
            with self._torch.inference_mode():
                return function(data=self.batch(batch), hyper=numbers, number=noise.step, draw=draw)
        except Exception as problem:
            note = self._place(problem)
            if note:
                problem.add_note(note)
            raise

    def _place(self, problem: Exception) -> str:
        """What the failing line of generated source computes."""
        trace, line = problem.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._file:
                line = trace.tb_lineno
            trace = trace.tb_next
        return self._notes.get(line, "")


def _carried(tensors: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Tensors by "param:PATH" as the containers of generated source."""
    from backends.torch_cpu.updates import Cells

    found: dict[str, dict[str, Any]] = {CONTAINERS[kind]: Cells({}) for kind in CARRIED}
    for name, tensor in tensors.items():
        kind, _, key = name.partition(":")
        found[CONTAINERS[kind]][key] = tensor
    return found


def _not_loaded(**_: Any) -> dict[str, Any]:
    raise RuntimeError("a step runs on values; load them first")


class Step:
    """A compiled training step; see `gendsl.target.CompiledStep`."""

    def __init__(
        self, step: StepGraph, sizes: Mapping[str, int], dtype: str, plans: Path | None = None
    ) -> None:
        outputs = {**step.metrics, **step.updates}
        require_answers(TorchCpu.name, outputs.values(), step.builder)
        self._graph, self._sizes = step, sizes
        written = kept(
            plans,
            lambda: _identity(step, sizes),
            lambda: write_out(self.plan, step.builder, carries=True),
        )
        self._exe = Executable(written, dtype)
        self.source = written.text
        assert written.use is not None
        self.use = written.use
        self._shapes = {
            key: tuple(d.size(sizes) for d in node.type.shape) for key, node in step.updates.items()
        }
        self._elems = {key: elements(node.type.elem) for key, node in step.updates.items()}
        self._carried = _carried({})
        self._bound: Callable[..., dict[str, Any]] = _not_loaded
        self._metrics: dict[str, Any] = {}
        self._untold: list[int] = []  # the step that `latest` has not told yet

    @cached_property
    def plan(self) -> Plan:
        """What the source was written from."""
        step = merge(self._graph, self._sizes)
        groups = tuple(part for group in step.groups for part in parted(group, self._sizes))
        return plan_step(replace(step, groups=groups), self._sizes, _fusable)

    def load(self, values: Arrays) -> None:
        """Set every carried value; the keys must be those of the step graph's updates."""
        if set(values) != set(self._shapes):
            odd = sorted(set(values) ^ set(self._shapes))
            raise ValueError(f"values to load do not fit the step: {', '.join(odd)}")
        self._carried = _carried(self.stored(values))
        self._bound = self._exe.bind(self._carried)
        self._metrics = {}

    def stored(self, values: Arrays) -> dict[str, Any]:
        """Carried values as tensors of their own, those of a block in one piece of memory."""
        from backends.torch_cpu.storage import together

        tensors = {key: self._own(key, array) for key, array in values.items()}
        for block in self.use.blocks:
            for kind in ("param", *(f"slot:{name}" for name in block.slots)):
                mine = {path: tensors[f"{kind}:{path}"] for path in block.paths}
                laid = together(block, mine)
                tensors.update((f"{kind}:{path}", tensor) for path, tensor in laid.items())
        return tensors

    def _own(self, key: str, array: Any) -> Any:
        from backends.torch_cpu.updates import in_order

        given = self._exe.of(self._elems[key], array, self._shapes[key], key)
        return in_order(given.clone())

    def run(self, batch: Arrays, hypers: Mapping[str, float], noise: Noise) -> None:
        """One step, at number `noise.step`."""
        self._metrics = self._exe.call(self._bound, batch, hypers, noise)
        self._untold = [noise.step]

    def metrics(self) -> dict[str, float]:
        """The metrics of the last step."""
        return {name: float(value) for name, value in self._metrics.items()}

    def latest(self) -> list[tuple[int, dict[str, float]]]:
        """The last step, once."""
        numbers, self._untold = self._untold, []
        return [(number, self.metrics()) for number in numbers]

    def values(self) -> dict[str, Any]:
        """Copies of every carried value by key."""
        from backends.torch_cpu.runtime import to_array

        containers = {CONTAINERS[kind]: kind for kind in CARRIED}
        found = {
            f"{containers[name]}:{key}": to_array(tensor)
            for name, tensors in self._carried.items()
            for key, tensor in tensors.items()
        }
        return {key: found[key] for key in self._shapes}


class Function:
    """Compiled pure outputs; see `gendsl.target.CompiledFunction`."""

    def __init__(
        self,
        outputs: Mapping[str, Node],
        sizes: Mapping[str, int],
        names: Mapping[Node, str] | None,
        dtype: str,
        plans: Path | None = None,
    ) -> None:
        require_answers(TorchCpu.name, outputs.values())
        self._outputs, self._sizes, self._names = outputs, sizes, names

        def text() -> str:
            labels = [(names or {}).get(node, "") for node in postorder(outputs.values())]
            return identity(outputs, sizes, None, "function", labels)

        written = kept(plans, text, lambda: write_out(self.plan, None, carries=False))
        self._exe = Executable(written, dtype)
        self.source = written.text

    @cached_property
    def plan(self) -> Plan:
        """What the source was written from."""
        return make_plan("function", self._outputs, self._sizes, names=self._names)

    def run(
        self, values: Arrays, batch: Arrays, hypers: Mapping[str, float], noise: Noise
    ) -> dict[str, Any]:
        """The outputs for these parameters, data, hyperparameters and noise."""
        from backends.torch_cpu.runtime import to_array

        exe = self._exe
        tensors = {
            f"{kind}:{key}": exe.tensor(f"{kind}:{key}", values[f"{kind}:{key}"])
            for kind in CARRIED
            for key in exe.reads(kind)
        }
        outputs = exe.call(partial(exe.function, **_carried(tensors)), batch, hypers, noise)
        return {name: to_array(tensor) for name, tensor in outputs.items()}


def _identity(step: StepGraph, sizes: Mapping[str, int]) -> str:
    """Everything that the source of a step depends on."""
    outputs = {f"metric:{name}": node for name, node in step.metrics.items()} | {**step.updates}
    groups = []
    for i, group in enumerate(step.groups):
        outputs |= {f"group:{i}:{k}": node for k, node in enumerate(group.nodes)}
        options = sorted(group.options.items())
        groups.append((group.rule, options, group.parameters, group.slots, group.count is None))
    return identity(outputs, sizes, step.builder, "step", groups)


# A parameter of so many entries is updated by itself, as soon as nothing reads its old value: its
# gradient is still in the caches then, and its memory is free for the next one.
_LARGE = 65_536


def parted(group: OptimizerGroup, sizes: Mapping[str, int]) -> Iterator[OptimizerGroup]:
    """The group's large parameters one by one, then the others together."""
    columns = (group.parameters, group.gradients, group.before, group.after)
    rows = list(zip(*columns, strict=True))
    large = [r for r in rows if prod(d.size(sizes) for d in r[1].type.shape) >= _LARGE]
    small = [r for r in rows if r not in large]
    for part in (*([row] for row in large), small):
        if part:
            parameters, gradients, before, after = zip(*part, strict=True)
            yield replace(
                group, parameters=parameters, gradients=gradients, before=before, after=after
            )


def _fusable(group: OptimizerGroup) -> bool:
    from backends.torch_cpu.updates import has_fused

    return has_fused(group.rule)


class TorchCpu:
    """The target; see `gendsl.target.Target`."""

    name = "torch_cpu"
    precisions = ("float32", "ieee")

    def __init__(self, plans: Path | None = None) -> None:
        """`plans`: the folder that keeps compiled plans between runs; None keeps none."""
        self._plans = plans

    @property
    def threads(self) -> int:
        """How many threads large plans run on: the order in which products are added up, hence
        their last bits, depends on it."""
        from backends.torch_cpu import runtime

        return runtime.threads_for(SEVERAL_THREADS)

    def keeping_plans(self) -> TorchCpu:
        """This target with compiled plans kept in the user's cache folder."""
        return TorchCpu(folder("plans"))

    def with_precision(self, precision: str) -> TorchCpu:
        """Products here are float32 as IEEE 754 has it: one policy under two names."""
        assert precision in self.precisions
        return self

    def unavailable(self) -> str | None:
        """Why it cannot run here, with the fix; None when it can."""
        if find_spec("torch") is None:
            return "PyTorch is not installed; `pip install 'gendsl[train]'` brings it"
        return None

    def compile_step(
        self, step: StepGraph, sizes: Mapping[str, int], dtype: str = "float32"
    ) -> Step:
        return Step(step, sizes, dtype, self._plans)

    def compile_function(
        self,
        outputs: Mapping[str, Node],
        sizes: Mapping[str, int],
        dtype: str = "float32",
        names: Mapping[Node, str] | None = None,
    ) -> Function:
        return Function(outputs, sizes, names, dtype, self._plans)
