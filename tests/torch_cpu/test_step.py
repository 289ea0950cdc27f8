"""The compiled step of a VAE against torch.autograd and torch.optim on the same function."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn import functional

from backends.common.text import WIDTH
from backends.torch_cpu import TARGET
from backends.torch_cpu.target import Step
from gendsl.core.program import Recipe
from gendsl.ir.graph import Graph
from gendsl.ir.step import StepGraph
from gendsl.noise import Noise
from gendsl.passes.differentiate import gradients
from gendsl.passes.joint import initial, joint, param_input
from gendsl.passes.pipeline import transform_step
from tests.joint.models import SIZES, line, recipe, vae

Weights = Mapping[str, torch.Tensor]
GROUPS = ("encoder", "decoder")
DIGITS = np.random.default_rng(5).random((1000, 64), dtype=np.float32)


def batch(step: int) -> np.ndarray:
    return DIGITS[np.random.default_rng(step).integers(0, len(DIGITS), 128)]


def start(graph: Graph, plan: Recipe, seed: int = 0) -> dict[str, np.ndarray]:
    """The initial values of everything that the step carries."""
    function = TARGET.compile_function(initial(graph, plan), SIZES)
    return function.run({}, {}, {}, Noise(seed, "init"))


def loss_of(p: Weights, x: torch.Tensor, eps: torch.Tensor, beta: float) -> torch.Tensor:
    """The same objective, written as one would in torch."""

    def dense(path: str, v: torch.Tensor) -> torch.Tensor:
        return v @ p[f"{path}.w"] + p[f"{path}.b"]

    h = torch.relu(dense("encoder.h", x))
    mu, logvar = dense("encoder.mu", h), dense("encoder.logvar", h)
    z = mu + torch.exp(0.5 * logvar) * eps
    logits = dense("decoder.x", torch.relu(dense("decoder.h", z)))
    recon = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * torch.sum(mu**2 + logvar.exp() - 1 - logvar) / len(x)
    return recon + beta * kl


def eps_at(step: int, dtype: type = np.float32) -> torch.Tensor:
    noise = Noise(0, "train", step)
    return torch.from_numpy(noise.draw("neg_elbo.eps", "normal", (128, 16), 0, dtype=dtype))


def weights_of(values: Mapping[str, np.ndarray], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {
        key.partition(":")[2]: torch.tensor(v, dtype=dtype, requires_grad=True)
        for key, v in values.items()
        if key.startswith("param:")
    }


@pytest.mark.parametrize("simplified", [False, True])
def test_gradients_are_those_of_autograd(simplified: bool) -> None:
    graph = vae()
    plan = recipe(line("neg_elbo", GROUPS))
    loss = graph.objectives["neg_elbo"].loss
    slopes = gradients(
        graph.builder, loss, [param_input(graph.builder, i) for i in graph.params.values()]
    )
    step = StepGraph(graph.builder, {"loss": loss}, dict(zip(graph.params, slopes, strict=True)))
    step = transform_step(step) if simplified else step
    function = TARGET.compile_function({**step.metrics, **step.updates}, SIZES, dtype="float64")
    values = start(graph, plan)
    weights = weights_of(values, torch.float64)
    x = torch.from_numpy(batch(0)).double()
    expected_loss = loss_of(weights, x, eps_at(3, np.float64), 0.7)
    expected_loss.backward()
    found = function.run(values, {"x": batch(0)}, {"beta": 0.7}, Noise(0, "train", 3))
    assert found["loss"] == pytest.approx(expected_loss.item(), rel=1e-12)
    for path, weight in weights.items():
        assert weight.grad is not None
        expected = weight.grad.numpy()
        assert np.max(np.abs(found[path] - expected)) <= 1e-10 * np.max(np.abs(expected)), path


OPTIMIZERS = {
    "adam": (torch.optim.Adam, {"lr": Fraction(1, 1000)}),
    "adamw": (torch.optim.AdamW, {"lr": Fraction(1, 500), "weight_decay": Fraction(1, 20)}),
    "sgd": (torch.optim.SGD, {"lr": Fraction(1, 200), "momentum": Fraction(9, 10)}),
}


@pytest.mark.parametrize("rule", OPTIMIZERS)
@pytest.mark.parametrize("clip", [None, Fraction(1, 2)])
def test_hundred_steps_equal_a_plain_script(rule: str, clip: Fraction | None) -> None:
    graph = vae()
    kind, options = OPTIMIZERS[rule]
    plan = recipe(line("neg_elbo", GROUPS, rule, **options), clip=clip)
    step = TARGET.compile_step(transform_step(joint(graph, plan)), SIZES)
    values = start(graph, plan)
    step.load(values)
    weights = weights_of(values, torch.float32)
    first = 0.0
    optimizer = kind(weights.values(), **{k: float(v) for k, v in options.items()})
    for number in range(100):
        step.run({"x": batch(number)}, {"beta": 1.0}, Noise(0, "train", number))
        loss = loss_of(weights, torch.from_numpy(batch(number)), eps_at(number), 1.0)
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(weights.values(), float(clip))
        optimizer.step()
        assert step.metrics()["neg_elbo"] == pytest.approx(loss.item(), rel=1e-3), number
        first = loss.item() if number == 0 else first
    assert step.metrics()["neg_elbo"] < first - 0.5


def compiled(graph: Graph, plan: Recipe, *, fused: bool, dtype: str = "float64") -> Step:
    made = joint(graph, plan)
    if not fused:
        made = StepGraph(made.builder, made.metrics, made.updates)
    step = TARGET.compile_step(made, SIZES, dtype=dtype)
    assert any(f" = {o}(" in step.source for o in OPTIMIZERS) == fused
    return step


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        ("adam", {"weight_decay": Fraction(1, 10)}),
        ("adamw", {"beta1": Fraction(1, 2), "eps": Fraction(1, 100)}),
        ("sgd", {"weight_decay": Fraction(1, 10)}),
        ("sgd", {"momentum": Fraction(1, 2)}),
    ],
)
def test_updates_in_place_equal_their_nodes(rule: str, options: dict[str, Fraction]) -> None:
    graph = vae()
    plan = recipe(line("neg_elbo", GROUPS, rule, **options), ema=Fraction(9, 10))
    steps = [compiled(graph, plan, fused=fused) for fused in (True, False)]
    values = start(graph, plan)
    for step in steps:
        step.load(values)
        for number in range(5):
            step.run({"x": batch(number)}, {"beta": 1.0}, Noise(0, "train", number))
    first, second = (step.values() for step in steps)
    for key, expected in second.items():
        scale = np.max(np.abs(expected), initial=1e-30)
        assert np.max(np.abs(first[key] - expected)) <= 1e-6 * scale, key


def test_snapshot_and_restore_are_bitwise() -> None:
    graph = vae()
    plan = recipe(line("neg_elbo", GROUPS), ema=Fraction(99, 100))
    made = transform_step(joint(graph, plan))
    step, other = (TARGET.compile_step(made, SIZES) for _ in range(2))
    step.load(start(graph, plan))
    for number in range(6):
        if number == 3:
            kept = step.values()
            before = {key: value.copy() for key, value in kept.items()}
            other.load(kept)
        step.run({"x": batch(number)}, {"beta": 1.0}, Noise(0, "train", number))
        if number >= 3:
            other.run({"x": batch(number)}, {"beta": 1.0}, Noise(0, "train", number))
            assert other.metrics() == step.metrics()
    assert list(kept) == list(made.updates)
    final, resumed = step.values(), other.values()
    for key in final:
        assert np.array_equal(final[key], resumed[key]), key
        assert np.array_equal(kept[key], before[key]), key  # what was handed out stays
    assert not np.array_equal(final["param:encoder.h.w"], kept["param:encoder.h.w"])


def test_wrong_values_are_refused() -> None:
    graph = vae()
    plan = recipe(line("neg_elbo", GROUPS))
    step = TARGET.compile_step(joint(graph, plan), SIZES)
    values = start(graph, plan)
    with pytest.raises(ValueError, match=r"param:encoder\.h\.w"):
        step.load({k: v for k, v in values.items() if k != "param:encoder.h.w"})
    with pytest.raises(ValueError, match="shape"):
        step.load({**values, "param:encoder.h.w": np.zeros((2, 2))})
    step.load(values)
    with pytest.raises(ValueError, match="data:x has shape"):
        step.run({"x": batch(0)[:5]}, {"beta": 1.0}, Noise(0, "train"))


def test_an_error_names_the_value_that_was_computed() -> None:
    graph = vae()
    plan = recipe(line("neg_elbo", GROUPS))
    step = TARGET.compile_step(joint(graph, plan), SIZES)
    values = start(graph, plan)
    step.load(values)
    step._carried["p"]["encoder.h.w"].resize_(3, 3)
    with pytest.raises(RuntimeError) as caught:
        step.run({"x": batch(0)}, {"beta": 1.0}, Noise(0, "train"))
    assert "while computing `encoder.h`" in caught.value.__notes__


def test_source_is_readable() -> None:
    graph = vae()
    step = TARGET.compile_step(
        transform_step(joint(graph, recipe(line("neg_elbo", GROUPS)))), SIZES
    )
    lines = step.source.splitlines()
    assert max(map(len, lines)) <= WIDTH
    for expected in (
        '    encoder_h_w = p["encoder.h.w"]',
        "    decoder_h_w_t = decoder_h_w.t()",
        '        x = data["x"]',
        '        encoder_h = dense(x, encoder_h_w, encoder_h_b, then="relu")',
        "        mu = mu_logvar[:, 0:16]",
        '        eps = draw("neg_elbo.eps", "normal", (128, 16), example_axis=0)',
        "    update = adam(",
        '            "encoder.h.w": grad_encoder_h_w,',
        "        update(count=count)",
        '        return {"neg_elbo": neg_elbo, "neg_elbo.recon": recon, "neg_elbo.kl": kl}',
    ):
        assert expected in lines, expected
    assert "autograd" not in step.source
    place = 1 + next(k for k, x in enumerate(lines) if "torch.add(recon, " in x)
    assert step._exe._notes[place].startswith("while computing `neg_elbo`")
