"""Shipped programs as graphs: valid, read back, finite; a VAE's loss is the textbook's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import Analysis, analyse
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Graph, Node, reachable
from gendsl.ir.text import graph_text, read
from gendsl.ir.verify import require, verify
from gendsl.noise import Noise
from gendsl.ops.leaf import Draw, Input
from gendsl.resources import data
from gendsl.shape.tensor_type import Fin

PROGRAMS = sorted(data("programs").glob("*.gml"))
SMALL = {"B": 3, "C": 1, "H": 8, "W": 8}
ROUND = {"width": 8, "hidden": 8, "Z": 4, "T": 60, "S": 5, "K": 6, "kept": 3}


def analysed(path: Path) -> Analysis:
    sink = Sink()
    found = analyse(str(path), sink, prove=False)
    assert not sink.has_errors, sink.sorted()
    assert found.graph is not None and found.interface is not None
    return found


def sizes_of(found: Analysis) -> dict[str, int]:
    """Small sizes that meet the conditions of the shipped programs."""
    assert found.interface is not None
    sizes = {}
    for name, info in found.interface.dims.items():
        sizes[name] = SMALL.get(name) or min(ROUND.get(name, 4), info.default or 4)
    conditions = found.interface.conditions
    for condition in conditions:
        bad = (
            condition.kind == "divides"
            and (condition.dividend.evaluate(sizes) / condition.divisor.evaluate(sizes)).denominator
            > 1
        )
        if bad or (condition.kind == "positive" and condition.dividend.evaluate(sizes) < 1):
            own = condition.divisor.names | condition.dividend.names
            for name in own - SMALL.keys():
                default = found.interface.dims[name].default
                sizes[name] = default or sizes[name]
    return sizes


def values(nodes: list[Node], sizes: Mapping[str, int], seed: int = 0) -> dict[str, Any]:
    """Random values for every input below `nodes`."""
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {}
    for node in reachable(nodes):
        if isinstance(node.op, Input):
            shape = tuple(d.size(sizes) for d in node.type.shape)
            key = f"{node.op.kind}:{node.op.key}"
            elem = node.type.elem
            if isinstance(elem, Fin):
                given[key] = rng.integers(0, elem.bound.size(sizes), shape)
            elif node.op.kind == "data":
                given[key] = rng.uniform(0.05, 0.95, shape)
            elif node.op.kind == "hyper":
                given[key] = np.asarray(0.5)
            else:
                given[key] = 0.2 * rng.normal(size=shape)
    return given


def loss_nodes(graph: Graph) -> list[Node]:
    return [n for o in graph.objectives.values() for n in (o.loss, *o.terms.values())]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_graphs_are_valid_and_read_back(path: Path) -> None:
    graph = analysed(path).graph
    assert graph is not None
    require(verify(graph), "lowering")
    text = graph_text(graph)
    assert graph_text(read(text)) == text


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_losses_are_finite_and_deterministic(path: Path) -> None:
    found = analysed(path)
    assert found.graph is not None
    sizes = sizes_of(found)
    nodes = loss_nodes(found.graph)
    given = values(nodes, sizes)
    first = evaluate(nodes, given, sizes, noise=Noise(1, "train", 0))
    again = evaluate(nodes, given, sizes, noise=Noise(1, "train", 0))
    assert all(np.isfinite(v).all() for v in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    states = [n for o in found.graph.objectives.values() for n in o.updates.values()]
    for value in evaluate(states, values(states, sizes), sizes, noise=Noise(1, "train", 0)):
        assert np.isfinite(value).all()


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_initial_values_have_the_declared_shapes(path: Path) -> None:
    found = analysed(path)
    assert found.graph is not None
    sizes = sizes_of(found)
    paths = list(found.graph.inits)
    nodes = [found.graph.inits[p] for p in paths]
    for name, value in zip(
        paths, evaluate(nodes, {}, sizes, noise=Noise(0, "init", 0)), strict=True
    ):
        shape = found.graph.params[name].shape
        assert value.shape == tuple(d.size(sizes) for d in shape)
        assert np.isfinite(value).all()


def _dense(x: np.ndarray, given: Mapping[str, Any], path: str) -> np.ndarray:
    return x @ given[f"param:{path}.w"] + given[f"param:{path}.b"]


def test_the_beta_vae_is_the_textbook_beta_vae() -> None:
    found = analysed(data("programs") / "beta_vae.gml")
    assert found.graph is not None
    sizes = {"B": 3, "hidden": 5, "Z": 2, "C": 1, "H": 2, "W": 3}
    objective = found.graph.objectives["neg_elbo"]
    nodes = [objective.loss, objective.terms["recon"], objective.terms["kl"]]
    given = values(nodes, sizes)
    (draw,) = {n.op.path for n in reachable(nodes) if isinstance(n.op, Draw)}
    eps = np.random.default_rng(9).normal(size=(3, 2))
    loss, recon, kl = evaluate(nodes, {**given, f"draw:{draw}": eps}, sizes)

    x = given["data:x"]
    h = np.maximum(_dense(x, given, "encoder.h"), 0)
    mu, logvar = _dense(h, given, "encoder.mu"), _dense(h, given, "encoder.logvar")
    z = mu + np.exp(0.5 * logvar) * eps
    h = np.maximum(_dense(z, given, "decoder.h"), 0)
    p = 1 / (1 + np.exp(-_dense(h, given, "decoder.out")))
    by_hand = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1).mean()
    kl_by_hand = 0.5 * (np.exp(logvar) + mu**2 - 1 - logvar).sum(axis=1).mean()
    assert np.isclose(recon, by_hand, rtol=1e-12)
    assert np.isclose(kl, kl_by_hand, rtol=1e-12)
    assert np.isclose(loss, by_hand + 0.5 * kl_by_hand, rtol=1e-12)


def test_a_net_called_twice_has_its_parameters_once() -> None:
    graph = analysed(data("programs") / "beta_vae.gml").graph
    assert graph is not None
    assert sorted(graph.params) == sorted(
        f"{net}.{layer}.{part}"
        for net, layers in {"encoder": ("h", "mu", "logvar"), "decoder": ("h", "out")}.items()
        for layer in layers
        for part in ("w", "b")
    )
    assert {p.group for p in graph.params.values()} == {"encoder", "decoder"}


FLAGS = """
batch B
data x: [B, D] from digits

net model(x: [..b, D], train: bool, half: bool = true) -> [..b, D]:
    param w: [D] init 1
    if train:
        y = w * x
    else:
        y = x
    if half:
        z = 0.5 * y
    else:
        z = y
    return z

fn twice(f: net(x: [..b, I], on: bool) -> [..b, I], x: [..b, I]) -> [..b, I]:
    return f(f(on = true, x = x), false)

objective fit:
    passed = twice(model, x)
    direct = model(model(x, true), false)
    other = model(model(x, false), false)
    minimize mean[B, D](passed)
"""


def test_flags_are_handed_on_to_a_net_that_is_an_argument(tmp_path: Path) -> None:
    program = tmp_path / "flags.gml"
    program.write_text(FLAGS)
    graph = analysed(program).graph
    assert graph is not None
    names = graph.objectives["fit"].scope
    assert names["passed"] is names["direct"]
    assert names["passed"] is not names["other"]
