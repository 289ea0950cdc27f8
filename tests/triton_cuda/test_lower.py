"""The graph that kernels are proved against is the program's: in numbers, at random points.

`gendsl check --kernels` compares a kernel with nodes of the graph that the target has rewritten and
cut. Here each rewritten output (metrics, updates, gradients) and each node that a plan says an
output's memory holds is evaluated by the numpy reference in double precision, beside the step as
the program means it, before any pass. A rewrite that changes what it computes fails here, without
the interpreter: the rewrites are also made wrong on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from backends.triton_cuda import lower
from backends.triton_cuda.emit import emit
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.op import Op
from gendsl.ir.step import StepGraph
from gendsl.noise import Noise
from gendsl.ops.arithmetic import StopGrad, StraightThrough
from gendsl.ops.broadcast import Sum
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2dWeightGrad
from gendsl.ops.leaf import Input
from gendsl.ops.reduce import ArgSort, CumSum, LogSoftmax, LogSumExp, Max, Softmax
from gendsl.ops.select import ScatterAdd
from gendsl.passes.joint import joint
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Elem, Fin, Real
from tests.triton_interpret.small import ODD, PROGRAMS, Small, small

Array = np.ndarray[Any, Any]
Outputs = Mapping[str, Node]
TOLERANCE = 1e-9  # of the largest entry
STEP = 3


def outputs_of(step: StepGraph) -> dict[str, Node]:
    """Metrics, updates, and the gradients as the optimizers take them."""
    found = {f"metric {name}": node for name, node in step.metrics.items()}
    found |= {f"update {name}": node for name, node in step.updates.items()}
    for place, group in enumerate(step.groups):
        for key, node in zip(group.parameters, group.gradients, strict=True):
            found[f"gradient {place} of {key}"] = node
    return found


@cache
def meant(name: str) -> Outputs:
    """The program's step before any pass."""
    program = small(name)
    assert program.interface.recipe is not None
    return outputs_of(joint(program.graph, program.interface.recipe))


def point(program: Small, roots: Outputs, seed: int) -> dict[str, Any]:
    """Random values of all that the step reads; second moments and counts are positive."""
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {f"data:{k}": x for k, x in program.batch(seed).items()}
    values |= {f"hyper:{k}": x for k, x in program.hypers.items()} | {"step:step": float(STEP)}
    for node in reachable(roots.values()):
        if isinstance(node.op, Input) and (key := f"{node.op.kind}:{node.op.key}") not in values:
            shape = tuple(d.size(program.sizes) for d in node.type.shape)
            positive = key.startswith(("slot:v", "state:"))
            made = rng.uniform(0.5, 1.5, shape) if positive else rng.normal(0.0, 0.5, shape)
            values[key] = made
    return values


def differing(program: Small, roots: Outputs, seed: int = 0) -> list[str]:
    """The outputs that are not what the program means."""
    wanted = {key: meant(program.name)[key] for key in roots}
    given, noise = point(program, meant(program.name), seed), Noise(seed, "train", STEP)
    first = evaluate(list(wanted.values()), given, program.sizes, noise=noise)
    second = evaluate(list(roots.values()), given, program.sizes, noise=noise)
    assert all(np.all(np.isfinite(x)) for x in first)
    # A bias before a normalisation has no gradient but what rounding leaves of the others'.
    sizes = {key: np.max(np.abs(x), initial=0.0) for key, x in zip(roots, first, strict=True)}
    largest = max(sizes.values())
    return [
        key
        for key, a, b in zip(roots, first, second, strict=True)
        if not np.max(np.abs(a - b), initial=0.0) <= TOLERANCE * (sizes[key] + 1e-3 * largest)
    ]


def rewritten(program: Small, rewrites: ModuleType) -> Outputs:
    """All outputs over the graph as the target lowers it."""
    eagerly(rewrites)
    return rewrites.lowered(outputs_of(program.step), {}, program.sizes)[1]


def eagerly(rewrites: ModuleType) -> None:
    """Every sum of several axes and every product in two steps, as are those of real sizes."""
    made: Any = rewrites
    made._LONG = made._DEEP = 2
    made._LEAST, made._PARTS = 1, range(2, 100)


def claimed(program: Small) -> Outputs:
    """For each metric and update that a kernel makes, the node that the plan says it stores."""
    plan, _ = emit(program.step, program.sizes)
    stored = {
        memory: node
        for launch in plan.kernels
        for task in launch.tasks
        for memory, node in zip(task.writes, task.nodes, strict=True)
    }
    held = {name: stored[memory] for name, memory in plan.outputs.items() if memory in stored}
    assert set(program.step.metrics) <= set(held)
    return {
        f"{'metric' if name in program.step.metrics else 'update'} {name}": node
        for name, node in held.items()
    }


def test_no_program_is_left_out() -> None:
    assert {path.stem for path in PROGRAMS.glob("*.gml")} == set(ODD)


def rewrites(pattern: str = "", replacement: str = "") -> ModuleType:
    """The target's rewrites, from their source; with a pattern, its one match is replaced."""
    text = Path(lower.__file__).read_text("utf-8")
    if pattern:
        text, count = re.subn(pattern, replacement, text)
        assert count == 1, pattern
    module = ModuleType("rewrites")
    exec(compile(text, lower.__file__, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("name", ODD)
def test_the_rewritten_graph_is_the_programs(name: str) -> None:
    program = small(name)
    assert not differing(program, rewritten(program, rewrites()), seed=1)


@pytest.mark.parametrize("name", ODD)
def test_what_kernels_are_to_store_is_the_programs(name: str) -> None:
    program = small(name)
    assert not differing(program, claimed(program), seed=2)


N, K = Dim.name("N"), Dim.name("K")
NUMBERS = {"N": 4, "K": 5}
X = ("x", (N, K, N), Real())
# By name, an op that is rewritten and its operands.
OPS: dict[str, tuple[Op, list[tuple[str, tuple[Dim, ...], Elem]]]] = {
    "softmax": (Softmax(1), [X]),
    "log_softmax": (LogSoftmax(1), [X]),
    "logsumexp": (LogSumExp((0, 2)), [X]),
    "logsumexp of nothing": (LogSumExp(()), [X]),
    "scatter_add": (ScatterAdd(1, K), [("i", (N, N), Fin(K)), X[:1] + ((N, N, K), Real())]),
    "cumsum": (CumSum(1), [X]),
    "argsort": (ArgSort(1), [X]),
    "contract": (Contract((0, 1, 2), (0, 3, 2), (1, 3)), [X, ("y", *X[1:])]),
    "conv2d_weight_grad": (
        Conv2dWeightGrad(2, (1, 0, 0, 1), Dim.of(2), Dim.of(3)),
        [("x", (K, N, 2 * N + 1, 2 * N), Real()), ("y", (K, N, N + 1, N), Real())],
    ),
    "sum": (Sum((0, 1, 2)), [X]),
    "sum that keeps": (Sum((0, 2)), [X]),
    "sum of nothing": (Sum(()), [X]),
    "max of nothing": (Max(()), [X]),
    "stop_grad": (StopGrad(), [X]),
    "straight_through": (StraightThrough(), [X, ("y", *X[1:])]),
}


def wrong_ops(made: ModuleType) -> list[str]:
    """The ops whose rewriting has another value; entries are small integers, many of them equal."""
    eagerly(made)
    build, rng, wrong = Builder(), np.random.default_rng(0), []
    for name, (op, operands) in OPS.items():
        inputs = [build.apply(Input("argument", *operand)) for operand in operands]
        node = build.apply(op, *inputs)
        given = {
            f"argument:{key}": rng.integers(0, 3, tuple(d.size(NUMBERS) for d in shape))
            for key, shape, _ in operands
        }
        lowered = made.lowered({"out": node}, {}, NUMBERS)[1]["out"]
        wanted, found = (evaluate([x], given, NUMBERS)[0] for x in (node, lowered))
        if not np.allclose(found, wanted, rtol=1e-12, atol=1e-12):
            wrong.append(name)
    return wrong


def test_each_rewritten_op_is_the_op() -> None:
    made = rewrites()
    assert set(made._EXPANSIONS) <= {type(op) for op, _ in OPS.values()}
    assert not wrong_ops(made)


# In which op a rewrite that is wrong in its source is seen.
BUGS: dict[str, tuple[str, str, str]] = {
    "softmax without its sum": ("softmax", r"Div\(\), e, total", "Div(), e, top"),
    "log softmax without its shift": (
        "log_softmax",
        r"Sub\(\), below, restore",
        "Sub(), x, restore",
    ),
    "shift of logsumexp lost": (
        "logsumexp",
        r"Add\(\), build.apply\(Log\(\), total\), top",
        "Log(), total",
    ),
    "sum for the largest": ("sum", r"partial = build.apply\(Sum\(", "partial = build.apply(Max("),
    "products divided and not added up": (
        "contract",
        r"Sum\(\(0,\)\), build.apply\(each",
        "Max((0,)), build.apply(each",
    ),
    "gradients divided and not added up": (
        "conv2d_weight_grad",
        r"Sum\(\(0,\)\), build.apply\(each",
        "Max((0,)), build.apply(each",
    ),
    "cumsum from the end": ("cumsum", r"LessEqual\(\), j, i", "LessEqual(), i, j"),
    "argsort downwards": ("argsort", r"Less\(\), other, mine", "Less(), mine, other"),
    "ties in the other order": ("argsort", r"Less\(\), j, i", "Less(), i, j"),
    "ranks for places": ("argsort", r"spread\(rank, op.axis\)", "spread(rank, op.axis + 1)"),
    "straight through the wrong way": ("straight_through", r"operands\[1\]", "operands[0]"),
    "scattered twice": (
        "scatter_add",
        r"out\), hot, values",
        "out), hot, build.apply(Add(), values, values)",
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_wrong_rewrite_is_seen(bug: str) -> None:
    op, pattern, replacement = BUGS[bug]
    assert op in wrong_ops(rewrites(pattern, replacement))


# And in which program.
SEEN = {
    "mae": ("softmax without its sum", "argsort downwards", "ranks for places"),
    "vq_vae": ("scattered twice",),
    "vae": ("sum for the largest",),
}


@pytest.mark.parametrize(("name", "bug"), [(n, bug) for n, bugs in SEEN.items() for bug in bugs])
def test_a_wrong_rewrite_of_a_program_is_seen(name: str, bug: str) -> None:
    _, pattern, replacement = BUGS[bug]
    program = small(name)
    assert differing(program, rewritten(program, rewrites(pattern, replacement)))
