"""Parameters that lie together: what becomes a block, its memory, and its update as one vector."""

from __future__ import annotations

import ast
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from backends.torch_cpu.blocks import blocks
from backends.torch_cpu.observe import Observer
from backends.torch_cpu.runtime import Arena, namespace
from backends.torch_cpu.storage import beside, together
from backends.torch_cpu.updates import Cells, adam, adam_, adamw, as_vectors, sgd, sgd_
from backends.torch_cpu.use import Block, Unit
from tests.torch_cpu.test_all_programs import Run, joint_step

SHAPES = {"a": (3, 5), "b": (5,), "c": (3, 2), "d": (7,)}
BLOCK = Block((Unit(("a", "c"), 1), Unit(("d",)), Unit(("b",))), ("m", "v"))


def tensors(seed: int) -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return {name: torch.rand(shape, generator=made) + 0.1 for name, shape in SHAPES.items()}


def test_a_block_holds_the_same_values_in_one_piece() -> None:
    given = tensors(0)
    laid = together(BLOCK, given)
    assert list(laid) == ["a", "c", "d", "b"]
    assert all(torch.equal(laid[name], given[name]) for name in given)
    assert len({t.untyped_storage().data_ptr() for t in laid.values()}) == 1
    (vector,) = as_vectors([list(laid.values())]) or (None,)
    assert vector is not None and vector.numel() == 3 * 5 + 3 * 2 + 7 + 5


def test_a_unit_is_read_without_a_copy() -> None:
    laid = together(BLOCK, tensors(0))
    joined = beside((laid["a"], laid["c"]), 1)
    assert torch.equal(joined, torch.cat((laid["a"], laid["c"]), 1))
    laid["c"].zero_()
    assert not joined[:, 5:].any() and joined[:, :5].all()


@pytest.mark.parametrize("parts", [("c", "a"), ("a", "b"), ("d", "b")])
def test_what_does_not_lie_side_by_side_is_refused(parts: tuple[str, str]) -> None:
    laid = together(Block((*BLOCK.units[:2], Unit(("b",))), ("m", "v")), tensors(0))
    laid["b"] = laid["b"].clone()
    with pytest.raises(ValueError, match="side by side"):
        beside([laid[name] for name in parts], 1 if parts[0] == "c" else 0)


def test_vectors_are_only_for_alike_places() -> None:
    here, there = together(BLOCK, tensors(0)), together(BLOCK, tensors(1))
    names = list(SHAPES)
    assert as_vectors([[here[n] for n in names], [there[n] for n in names]]) is not None
    apart = [tensors(1)[n] for n in names]
    assert as_vectors([[here[n] for n in names], apart]) is None
    turned = [*reversed([there[n] for n in names])]
    assert as_vectors([[here[n] for n in names], turned]) is None
    assert as_vectors([[here[n] for n in names[1:]]]) is None  # a gap where "a" is


Update = Callable[..., Any]
COUNTED = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}
PLAIN = {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}


def carried(laid: bool) -> tuple[Cells, dict[str, torch.Tensor]]:
    columns = [tensors(seed) for seed in (0, 1, 2)]
    p, m, v = (together(BLOCK, x) if laid else x for x in columns)
    return Cells(p), {**{f"m:{k}": x for k, x in m.items()}, **{f"v:{k}": x for k, x in v.items()}}


@pytest.mark.parametrize("laid_gradients", [True, False])
@pytest.mark.parametrize("rule", [adam, adamw, sgd])
def test_one_vector_is_updated_as_its_parts_are(rule: Update, laid_gradients: bool) -> None:
    """Also where the gradients lie elsewhere, and change from step to step."""
    options: dict[str, float] = dict(PLAIN if rule is sgd else COUNTED)
    given = tensors(3)
    grads = together(BLOCK, given) if laid_gradients else given
    grads = {name: grads[name] for name in SHAPES}
    sides = [carried(True), carried(False)]
    bound = [rule(*side, grads, **options) for side in sides]
    for count in (1.0, 2.0, 3.0):
        for update in bound:
            update(**({} if rule is sgd else {"count": count}))
        for tensor in grads.values():
            tensor.mul_(0.5).add_(0.01)
    for mine, theirs in zip(*sides, strict=True):
        for key in mine:
            assert torch.allclose(mine[key], theirs[key], rtol=1e-6, atol=1e-7), key
            assert not torch.equal(mine[key], tensors(0).get(key, torch.zeros(1)))


@pytest.mark.parametrize(("rule", "once"), [(adam, adam_), (sgd, sgd_)])
def test_once_and_bound_give_the_same_bits(rule: Update, once: Update) -> None:
    options: dict[str, float] = dict(PLAIN if rule is sgd else COUNTED)
    count = {} if rule is sgd else {"count": 1.0}
    one, other = carried(True), carried(True)
    grads = tensors(3)
    rule(*one, together(BLOCK, grads), **options)(**count)
    once(*other, grads, **options, **count)
    for mine, theirs in zip(one, other, strict=True):
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_new_tensor_in_a_cell_is_the_one_that_is_updated() -> None:
    p, slot = carried(True)
    grads = tensors(3)
    adam_(p, slot, grads, count=1.0, **COUNTED)
    p["a"] = torch.ones(3, 5)
    adam_(p, slot, grads, count=2.0, **COUNTED)
    assert (p["a"] < 1).all()


SOURCE = """
a = p["a"]
b = p["b"]
c = p["c"]
both = torch.cat((a, c,), 1)
y = torch.sum(both)
wide = torch.ones(3, 7)
g_a = wide[:, 0:5]
g_c = wide[:, 5:7]
g_b = torch.ones(5)
adam_(p, slot, {"a": g_a, "b": g_b, "c": g_c}, count=1.0, lr=0.1, beta1=0.9, beta2=0.9, eps=0.1)
"""


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("", ""), ("a", "c")),
        (("y = torch.sum(both)", "y = torch.sum(a)"), None),  # read by itself
        (("a, c,), 1", "c, a,), 1"), None),  # gradients in another order
        (("wide[:, 5:7]", "wide[:, 4:6]"), None),
        (("wide[:, 5:7]", "torch.ones(3, 2)"), None),
        (('b = p["b"]', 'b = p["a"]'), None),  # two names of one parameter
    ],
)
def test_units_of_a_source(change: tuple[str, str], found: tuple[str, str] | None) -> None:
    body = ast.parse(SOURCE.replace(*change)).body
    observer = Observer({**namespace(torch.float32), "p": tensors(0), "slot": {}})
    observer.run(body)
    made, read = blocks(body, observer.seen)
    (block,) = made
    assert block.slots == ("m", "v")
    assert sorted(block.paths) == ["a", "b", "c"]
    assert [unit.paths for unit in read.values()] == ([found] if found else [])


def test_heads_of_the_vae_are_one_unit() -> None:
    step = Run(joint_step("vae"), "vae", "all", "float32").compiled
    (block,) = step.use.blocks
    assert Unit(("encoder.mu.w", "encoder.logvar.w"), 1) in block.units
    assert "beside((encoder_mu_w, encoder_logvar_w), 1)" in step.source
    assert step.source.count("torch.cat(") == 1  # of the two gradients


def test_gradients_of_a_block_lie_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing is copied: the optimizer takes the memory that they are made in."""
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr(Arena, "at", _noting(taken))
    step = Run(joint_step("vae"), "vae", "all", "float32").compiled
    names = [
        line.split(" = at(")[0].strip() for line in step.source.splitlines() if "= at(" in line
    ]
    places = dict(zip(names, taken[-len(names) :], strict=True))
    grads = sorted(place for name, place in places.items() if name.startswith("grad_"))
    (block,) = step.use.blocks
    assert len(grads) == len(block.paths) - 1  # the heads' weights have one gradient
    for (start, size), (following, _) in pairwise(grads):
        assert start + size == following


def _noting(taken: list[tuple[int, int]]) -> Callable[..., torch.Tensor]:
    usual = Arena.at

    def at(self: Arena, offset: int, shape: tuple[int, ...], *rest: Any, **more: Any) -> Any:
        taken.append((offset, 4 * int(np.prod(shape))))
        return usual(self, offset, shape, *rest, **more)

    return at
