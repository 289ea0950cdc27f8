"""Seeded bugs beside the arithmetic: launches, memory, noise, optimizer and plan; none is proved.

Where the validator cannot see a bug because it trusts what is wrong (the functions of the prelude),
the text is compared with the one that `tests/triton_interpret/test_prelude.py` tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backends.triton_cuda import prelude
from gendsl.validate.arena import Place, Touched, overlapping
from gendsl.validate.check_triton import functions_of
from gendsl.validate.claims import triton_source
from gendsl.validate.triton_values import DRAWS, PRELUDE
from gendsl.validate.verdict import PROVED, Kernel

Emitted = Callable[[str, str], tuple[str, Any]]
Change = Callable[[str, Any], tuple[str, Any]]

HIDDEN, CODE, KL = "relu_task", "relu_2_task", "neg_elbo_kl_task"
UPDATE = "slot_m_decoder_out_w_task"


def in_function(name: str, pattern: str, replacement: str) -> Change:
    """Replace every match in one function; there must be one."""

    def change(text: str, plan: Any) -> tuple[str, Any]:
        start = text.index(f"def {name}(")
        end = text.find("\n@triton.jit", start)
        body = text[start : end if end >= 0 else None]
        made, count = re.subn(pattern, replacement, body)
        assert count and made != body, pattern
        return text[:start] + made + text[start + len(body) :], plan

    return change


def in_launch(task: str, change: Callable[[Any], Any]) -> Change:
    """Change the launch that a task is in."""

    def apply(text: str, plan: Any) -> tuple[str, Any]:
        rows = tuple(
            change(x) if any(t.name == task for t in x.tasks) else x for x in plan.launches
        )
        assert rows != plan.launches
        return text, replace(plan, launches=rows)

    return apply


def _other_arguments(to: dict[str, str]) -> Callable[[Any], Any]:
    return lambda x: replace(x, arguments=tuple(to.get(a, a) for a in x.arguments))


def _size(name: str, by: int) -> Callable[[Any], Any]:
    return lambda x: replace(x, constants={**x.constants, name: x.constants[name] + by})


def _at(name: str, offset: int) -> Change:
    def apply(text: str, plan: Any) -> tuple[str, Any]:
        moved = replace(plan.memory[name], offset=offset)
        return text, replace(plan, memory={**plan.memory, name: moved})

    return apply


def _swapped_metrics(text: str, plan: Any) -> tuple[str, Any]:
    a, b = "neg_elbo.recon", "neg_elbo.kl"
    outputs = {**plan.outputs, a: plan.outputs[b], b: plan.outputs[a]}
    return text, replace(plan, outputs=outputs)


def _too_small(text: str, plan: Any) -> tuple[str, Any]:
    held = plan.memory["relu"]
    small = replace(held, shape=(held.shape[0], held.shape[1] - 1))
    return text, replace(plan, memory={**plan.memory, "relu": small})


BUGS: dict[str, Change] = {
    "stride that is right for one size": in_function(HIDDEN, r"k_2 \* hidden", "k_2 * 512"),
    "mask with <=": in_function(UPDATE, r"k_ok = k < B", "k_ok = k <= B"),
    "race between tasks of a launch": in_launch(
        KL, _other_arguments({"neg_elbo_kl": "relu_2"})
    ),
    "task that reads what its neighbour writes": in_launch(
        KL, _other_arguments({"encoder_logvar": "relu_2"})
    ),
    "arena slot used again too early": _at("contract", 524288),
    "arena slots that overlap by a part": _at("relu_2", 262144 - 64),
    "wrong counter words of noise": in_function(
        CODE, r"_normal\((\w+), (\w+), (\w+), (\w+),", r"_normal(\1, \2, \4, \3,"
    ),
    "example and element of noise swapped": in_function(
        CODE, r"example, element\)", "element, example)"
    ),
    "parameters of a launch in the wrong order": in_launch(
        HIDDEN, _other_arguments({"x": "encoder_h_w", "encoder_h_w": "x"})
    ),
    "arguments of a task in the wrong order": in_function(
        "stage_2", r"encoder_mu_b_ptr, encoder_mu_ptr, B", "encoder_mu_ptr, encoder_mu_b_ptr, B"
    ),
    "wrong constexpr: a size": in_launch(HIDDEN, _size("hidden", -1)),
    "wrong constexpr: another block": in_function(
        "stage_1", r"den, BLOCK_M__0, (\w+), BLOCK_K__0", r"den, BLOCK_K__0, \1, BLOCK_M__0"
    ),
    "wrong constexpr: another size": in_function(
        "stage_1", r"B, C, H, W, hidden, B", "B, C, W, H, B, B"
    ),
    "a program too few": in_launch(HIDDEN, lambda x: replace(x, grid=x.grid - 1)),
    "swapped metrics": _swapped_metrics,
    "memory too small": _too_small,
    "missing bias correction": in_function(UPDATE, r"= rsqrt \* sqrt", "= sqrt"),
    "correction outside the root's sum": in_function(UPDATE, r"\+ 1e-08", "* 1e-08"),
    "slots swapped when stored": in_function(
        UPDATE, r"(slot_m_decoder_out_w_ptr \+ .*), sub_3,", r"\1, add,"
    ),
}  # fmt: skip


def kernels(text: str, plan: Any) -> list[Kernel]:
    return list(triton_source(text, plan).kernels)


def test_without_bugs_all_is_proved(emitted: Emitted) -> None:
    found = triton_source(*emitted("vae", "triton_cuda"))
    assert found.status == PROVED, found.text()
    assert found.kernels[-1].name == "memory"


@pytest.mark.parametrize("bug", BUGS)
def test_bug_is_caught(emitted: Emitted, bug: str) -> None:
    found = kernels(*BUGS[bug](*emitted("vae", "triton_cuda")))
    reasons = [f.reason for k in found for f in k.findings if f.status != PROVED]
    assert reasons and all(reasons)
    print(f"{bug}: {reasons[0][:200]}")


STATE = {
    "stale average": (r"sums = tl\.load\(state_sums_ptr \+ ", "sums = tl.load(add_ptr + "),
    "average of nothing new": (r"mul_5 = sub \* contract_sum", "mul_5 = sub * sums"),
    "average without decay": (r"mul_4 = decay \* sums", "mul_4 = sums"),
    "average kept as it was": (r"where = tl\.where\(less, add_3, add_5\)", "where = sums"),
}  # fmt: skip


@pytest.mark.parametrize("bug", STATE)
def test_bug_of_a_moving_average_is_caught(emitted: Emitted, bug: str) -> None:
    change = in_function("state_sums_task", *STATE[bug])
    found = kernels(*change(*emitted("vq_vae_ema", "triton_cuda")))
    assert {k.name for k in found if k.status != PROVED} >= {"state_sums_task"}


TEMPORARIES = {"a": Place(0, 128), "b": Place(64, 64), "c": Place(128, 64)}


def touched(*rows: tuple[str, str]) -> list[Touched]:
    return [Touched(f"k{n}", frozenset(r), frozenset(s)) for n, (r, s) in enumerate(rows)]


def test_bytes_may_be_used_again_after_the_last_reader() -> None:
    rows = touched(("", "a"), ("a", "c"), ("c", "b"), ("b", "c"))
    assert [f.status for f in overlapping(TEMPORARIES, rows)] == [PROVED]


@pytest.mark.parametrize(
    "rows", [(("", "a"), ("", "b"), ("a", "c")), (("", "a"), ("a", "b")), (("a", "c"),)]
)
def test_bytes_may_not_be_used_again_before(rows: Any) -> None:
    assert all(f.status != PROVED for f in overlapping(TEMPORARIES, touched(*rows)))


@pytest.mark.parametrize("program", ["vae", "vq_vae_ema"])
def test_the_prelude_is_the_tested_one(emitted: Emitted, program: str) -> None:
    """What the validator takes a function to mean by its name, it has the tested text for."""
    text, _ = emitted(program, "triton_cuda")
    trusted = [f for f in functions_of(text) if f in {*PRELUDE, *DRAWS} or f.startswith("_")]
    assert {"_normal", "_philox"} <= set(trusted)
    for name in trusted:
        assert prelude.FUNCTIONS[name].strip() in text, name
