"""The graph's text, hash, rules and evaluator, over a whole small graph."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from gendsl.ir.build import broadcast_to, exp, mean_of, mul, square, sub, sum_of
from gendsl.ir.evaluate import EvaluationError, evaluate
from gendsl.ir.graph import (
    Builder,
    Graph,
    Node,
    ObjectiveGraph,
    ParamInfo,
    SamplerGraph,
    Show,
)
from gendsl.ir.op import NodeType
from gendsl.ir.text import content_text, graph_hash, graph_text, read
from gendsl.ir.verify import require, verify, verify_nodes
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.reduce import ArgMin
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin, Range
from gendsl.source.text import Span

B, D, N = Dim.name("B"), Dim.name("D"), Dim.name("N")
H, W = Dim.name("H"), Dim.name("W")


def small(*, noise: int = 0, factor: Fraction = Fraction(1, 2), size: int = 64) -> Graph:
    """A linear autoencoder, with a state and a sampler; `noise` adds nodes that nothing reaches."""
    build = Builder()
    for i in range(noise):
        build.apply(Input("data", f"unrelated{i}"))
    x = build.apply(Input("data", "x", (B, D)))
    w = build.apply(Input("param", "net.w", (D,)))
    mean = build.apply(Input("state", "mean", (D,)))
    xhat = mul(build, x, _rows(build, sub(build, w, mean)))
    recon = mul(build, factor, mean_of(build, square(build, sub(build, x, xhat))))
    build.spans[recon] = Span("a.gml", noise, 10)
    start = build.apply(Draw("init/net.w", "normal", (D,)))
    y = build.apply(Input("argument", "y", (N,), Fin(Dim.name("K"))))
    z = build.apply(Draw("sampler/z", "normal", (N, D), 0))
    half = Range(Fraction(0), Fraction(1, 2))
    image = (Dim.of(1), H, W * Fraction(1, 4))  # type: ignore[operator]
    objective = ObjectiveGraph(
        "loss", recon, "minimize", {"recon": recon}, {"x hat": xhat},
        {"xhat": Show(xhat, half, image)}, {"mean": mean_rows(build, x)},
    )  # fmt: skip
    sampler = SamplerGraph(
        "digits", "N", size, {"y": y}, {"": Show(exp(build, z), None, None)},
        {"y": "cycle"}, {"N": Dim.of(size), "S": Dim.of(50)},
    )  # fmt: skip
    return Graph(
        build,
        {"loss": objective},
        {"digits": sampler},
        {"net.w": ParamInfo("net.w", "net", (D,), True)},
        {"net.w": start},
        {"mean": sum_of(build, build.apply(Draw("init/mean", "uniform", (D, D))), [0])},
        {"lr": mul(build, build.apply(Input("step", "step")), 2)},
    )


def _rows(build: Builder, row: Node) -> Node:
    return broadcast_to(build, row, (B, D), (1,))


def mean_rows(build: Builder, x: Node) -> Node:
    return mean_of(build, x, [0])


def test_text_reads_back_to_an_equal_graph() -> None:
    graph = small()
    text = graph_text(graph)
    again = read(text)
    assert graph_text(again) == text
    assert graph_hash(again) == graph_hash(graph)
    assert again.params == graph.params
    assert again.samplers["digits"].defaults == {"y": "cycle"}
    assert again.samplers["digits"].sizes == {"N": Dim.of(64), "S": Dim.of(50)}
    assert again.objectives["loss"].shows["xhat"].image == (Dim.of(1), H, W * Fraction(1, 4))  # type: ignore[operator]
    assert verify(again).ok


def test_text_is_for_people() -> None:
    text = graph_text(small())
    assert '%1 = input(kind = "data", key = "x", shape = [B, D]) : real[B, D]' in text
    assert "objective loss minimize %" in text
    assert "param net.w group net shape [D] stored log init %" in text
    assert "show xhat = %6 range 0..1/2 image [1, H, W / 4]" in text
    assert '  scope "x hat" = %' in text


def test_hash_depends_on_content_alone() -> None:
    base = graph_hash(small())
    assert graph_hash(small(noise=7)) == base
    assert graph_text(small(noise=7)) == graph_text(small())
    assert graph_hash(small(size=16)) == base
    assert graph_hash(small(factor=Fraction(1))) != base
    assert len(base) == 64
    assert "scope" not in content_text(small())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("%0 = abss() : real[]", "no op is named abss"),
        ("%0 = exp() %7 : real[]", "%7 is not defined above"),
        ("%0 = const() : real[]", "const lacks value"),
        ("%0 = const(value = 1/2, size = 3) : real[]", "const has no attribute size"),
        ("%0 = const(value = 1/2) : real[B]", "%0 has type real[]"),
        ("%0 = iota(size = 2 *) : fin[2][2]", "a size expected"),
        ("nonsense x", "no line starts with nonsense"),
        ("  term t = %0", "this line belongs to an objective"),
        ("graph 9", "version 9"),
        ("%0 = const(value = 1) : real[] and more", "unexpected `and more`"),
    ],
)
def test_broken_text_names_the_line(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match="line 2: ") as caught:
        read(f"graph 1\n{line}\n")
    assert problem in str(caught.value)


def test_rules_count_and_find() -> None:
    graph = small()
    report = verify(graph)
    assert report.ok, str(report)
    assert report.checked["types_are_inferred"] > 10
    assert report.checked["losses_are_scalars"] == 3
    objective = graph.objectives["loss"]
    wrong = ObjectiveGraph(
        "loss", objective.shows["xhat"].node, "increase", {}, {}, {}, {"mean": objective.loss}
    )
    broken = verify(Graph(graph.builder, {"loss": wrong}, {}, inits={}, params={}))
    assert set(broken.broken) == {
        "losses_are_scalars",
        "parameters_are_declared",
        "states_keep_their_type",
    }


def test_rules_find_wrong_nodes() -> None:
    build = Builder()
    x = build.apply(Input("data", "x", (B,)))
    good = exp(build, x)
    wrong_type = Node(9, good.op, (x,), NodeType((D,)))
    late = Node(0, good.op, (good,), NodeType((B,)))
    twin = Node(8, good.op, (x,), NodeType((B,)))
    assert set(verify_nodes([wrong_type]).broken) == {"types_are_inferred"}
    assert "operands_come_first" in verify_nodes([late]).broken
    assert set(verify_nodes([good, twin]).broken) == {"equal_nodes_are_one"}
    with pytest.raises(Exception, match="after me: types_are_inferred"):
        require(verify_nodes([wrong_type]), after="me")


def test_evaluator_checks_its_inputs() -> None:
    build = Builder()
    x = build.apply(Input("data", "x", (B,)))
    k = build.apply(Input("data", "k", (B,), Fin(D)))
    sizes = {"B": 2, "D": 3}
    with pytest.raises(EvaluationError, match="no value for data:x"):
        evaluate([x], {}, sizes)
    with pytest.raises(EvaluationError, match="has shape"):
        evaluate([x], {"data:x": np.zeros(3)}, sizes)
    with pytest.raises(EvaluationError, match="out of range"):
        evaluate([k], {"data:k": np.array([0, 3])}, sizes)
    with pytest.raises(EvaluationError, match="float64 values for fin"):
        evaluate([k], {"data:k": np.array([0.0, 1.0])}, sizes)
    (value,) = evaluate([k], {"data:k": np.array([0, 2], dtype=np.uint8)}, sizes)
    assert value.dtype == np.int64


def test_evaluator_is_not_recursive() -> None:
    build = Builder()
    x = build.apply(Input("data", "x"))
    for _ in range(3000):
        x = exp(build, sub(build, x, x))
    (value,) = evaluate([x], {"data:x": np.asarray(0.5)}, {})
    assert value == 1
    assert graph_text(Graph(build, {}, {}, constants={"x": x})).count("\n") > 6000


def test_ties_take_the_first() -> None:
    build = Builder()
    x = build.apply(Input("data", "x", (D,)))
    (value,) = evaluate([build.apply(ArgMin(0), x)], {"data:x": np.array([1.0, 0, 0])}, {"D": 3})
    assert value == 1
