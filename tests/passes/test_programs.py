"""Every shipped program: its gradients are torch.autograd's, and passes keep its training step."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from gendsl.diagnostics.model import Sink
from gendsl.driver import Analysis, analyse
from gendsl.ir.evaluate import evaluate, input_key
from gendsl.ir.graph import Node, reachable
from gendsl.ir.text import graph_hash, graph_text, read
from gendsl.ir.verify import verify
from gendsl.noise import Noise
from gendsl.ops.leaf import Input
from gendsl.passes.differentiate import gradients
from gendsl.passes.joint import joint
from gendsl.passes.pipeline import PASSES, transform_step
from gendsl.shape.tensor_type import Fin
from tests.ops.torch_meaning import interpret

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(p.stem for p in (ROOT / "programs").glob("*.gml"))
# Small numbers for the sizes that programs use; other sizes keep their defaults.
SMALL = {
    "B": 3, "C": 1, "H": 4, "W": 4, "hidden": 5, "Z": 3, "width": 8, "T": 60, "P": 2, "kept": 2,
    "E": 8, "heads": 2, "Cd": 3, "K": 5,
}  # fmt: skip
NOISE = Noise(0, "train")

each_program = pytest.mark.parametrize("name", PROGRAMS)


@cache
def program(name: str) -> Analysis:
    sink = Sink()
    analysis = analyse(str(ROOT / "programs" / f"{name}.gml"), sink, prove=False)
    assert not sink.has_errors, sink.sorted()
    return analysis


def sizes_of(analysis: Analysis) -> dict[str, int]:
    assert analysis.interface is not None
    dims = analysis.interface.dims
    return {n: SMALL.get(n, d.default or 2) for n, d in dims.items()}


def values_for(analysis: Analysis, nodes: list[Node]) -> dict[str, np.ndarray]:
    """Values for the inputs below the nodes: data in 0..1, parameters small, slots positive."""
    sizes, rng = sizes_of(analysis), np.random.default_rng(0)
    assert analysis.interface is not None
    values: dict[str, np.ndarray] = {}
    for node in reachable(nodes):
        if not isinstance(node.op, Input):
            continue
        shape = [d.size(sizes) for d in node.type.shape]
        match node.op.kind, node.type.elem:
            case _, Fin(bound):
                value = rng.integers(0, bound.size(sizes), shape)
            case "hyper", _:
                value = np.asarray(float(analysis.interface.hypers[node.op.key].default))
            case (("data" | "slot" | "state" | "step"), _):
                value = rng.random(shape)
            case _:
                value = rng.normal(size=shape) * 0.3
        values[str(input_key(node))] = np.asarray(value)
    return values


@each_program
def test_text_reads_back(name: str) -> None:
    graph = program(name).graph
    assert graph is not None
    assert verify(graph).ok, str(verify(graph))
    again = read(graph_text(graph))
    assert graph_text(again) == graph_text(graph)
    assert graph_hash(again) == program(name).graph_hash


@each_program
def test_gradients_are_autograd(name: str) -> None:
    analysis = program(name)
    graph = analysis.graph
    assert graph is not None and graph.objectives
    sizes = sizes_of(analysis)
    for objective in graph.objectives.values():
        params = [
            n for n in reachable([objective.loss])
            if isinstance(n.op, Input) and n.op.kind == "param"
        ]  # fmt: skip
        assert params
        slopes = gradients(graph.builder, objective.loss, params)
        values = values_for(analysis, [objective.loss])
        loss, *found = evaluate([objective.loss, *slopes], values, sizes, noise=NOISE)
        tensors = {
            k: torch.tensor(v, requires_grad=k.startswith("param:")) for k, v in values.items()
        }
        (theirs,) = interpret([objective.loss], tensors, sizes, NOISE)
        assert loss == pytest.approx(theirs.item(), rel=1e-10)
        wanted = torch.autograd.grad(
            theirs, [tensors[str(input_key(p))] for p in params], allow_unused=True
        )
        for param, ours, expected in zip(params, found, wanted, strict=True):
            other = np.zeros_like(ours) if expected is None else expected.numpy()
            scale = np.abs(other).max(initial=0.0)
            assert np.abs(ours - other).max(initial=0.0) <= 1e-9 * scale + 1e-13, param.op


@each_program
def test_passes_keep_the_training_step(name: str) -> None:
    analysis = program(name)
    graph, interface = analysis.graph, analysis.interface
    assert graph is not None and interface is not None and interface.recipe is not None
    before = joint(graph, interface.recipe)
    after = transform_step(before, PASSES, verify=True)
    assert list(after.updates) == list(before.updates)
    old_nodes = [*before.metrics.values(), *before.updates.values()]
    new_nodes = [*after.metrics.values(), *after.updates.values()]
    values, sizes = values_for(analysis, old_nodes), sizes_of(analysis)
    old = evaluate(old_nodes, values, sizes, noise=NOISE)
    new = evaluate(new_nodes, values, sizes, noise=NOISE)
    for key, a, b in zip([*before.metrics, *before.updates], old, new, strict=True):
        scale = np.abs(a).max(initial=0.0)
        assert np.abs(a - b).max(initial=0.0) <= 1e-7 * scale, key
    assert len(reachable(new_nodes)) <= len(reachable(old_nodes))
