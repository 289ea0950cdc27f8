"""Seeded bugs in really emitted Triton kernels: none is proved, and each verdict gives a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from gendsl.ir.graph import reachable
from gendsl.validate import whole as w
from gendsl.validate.check_triton import Checker
from gendsl.validate.claims import given, launches
from gendsl.validate.meaning import Sizes
from gendsl.validate.verdict import PROVED, Kernel

Emitted = Callable[[str, str], tuple[str, Any]]


def verdict(text: str, plan: Any, task: str) -> Kernel:
    """The verdict on one task; earlier launches are taken to do what they claim."""
    nodes = reachable(n for x in plan.kernels for t in x.tasks for n in t.nodes)
    sizes = Sizes(d for node in nodes for d in node.type.shape)
    w.assume(sizes.facts(nodes))
    checker = Checker(text, sizes, dict(plan.sizes), given(plan, nodes))
    for launch in launches(plan):
        if any(t.name == task for t in launch.tasks):
            (found,) = [k for k in checker.launch(launch) if k.name == task]
            return found
        checker.skip(launch)
    raise AssertionError(f"no task {task}")


def mutated(text: str, function: str, pattern: str, replacement: str) -> str:
    """The text with every match of the pattern in one function replaced; there must be one."""
    start = text.index(f"def {function}(")
    end = text.find("\n@triton.jit", start)
    body = text[start : end if end >= 0 else None]
    made, count = re.subn(pattern, replacement, body)
    assert count, f"{function} does not contain {pattern}"
    return text[:start] + made + text[start + len(body) :]


HIDDEN, CODE, KL = "relu_task", "relu_2_task", "neg_elbo_kl_task"
UPDATE = "slot_m_decoder_out_w_task"
BUGS = {
    "unmasked load": (
        HIDDEN, r"tl\.load\(x_ptr \+ (.*), mask=\w+, other=0\.0\)", r"tl.load(x_ptr + \1)",
    ),
    "wrong padding value": (KL, r"tl\.where\(r_ok, (\w+), 0\.0\)", r"tl.where(r_ok, \1, 1.0)"),
    "sign": (KL, r"= maximum - encoder_logvar", "= maximum + encoder_logvar"),
    "missing epilogue term": (KL, r"= size \* sum_sum", "= sum_sum"),
    "dropped bias": (HIDDEN, r"= contract_sum \+ encoder_h_b", "= contract_sum"),
    "first tile left out": (HIDDEN, r" range\(0, ", " range(1, "),
    "last tile left out": (
        HIDDEN, r"range\(0, tl\.cdiv\((.*), BLOCK_K\)\)", r"range(0, (\1) // BLOCK_K)",
    ),
    "stale accumulator": (KL, r"sum_sum = sum_sum \+ ", "sum_sum = "),
    "accumulator not zero": (HIDDEN, r"tl\.zeros\((\(.*?\)), tl", r"tl.full(\1, 1.0, tl"),
    "wrong axis stride": (HIDDEN, r"k_2 \* hidden", "k_2 * BLOCK_N"),
    "swapped operands": (UPDATE, r"= mul - mul_6", "= mul_6 - mul"),
    "swapped factors of a product": (HIDDEN, r"_dot\(x, encoder_h_w", "_dot(encoder_h_w, x"),
    "missing mask on store": (HIDDEN, r"(tl\.store\(.*), mask=\w+\)", r"\1)"),
    "store masked too much": (HIDDEN, r"ok_3 = m_ok & n_ok", "ok_3 = m_ok & n_ok & (n > 0)"),
    "wrong constant": (UPDATE, r"0\.999 \*", "0.99 *"),
    "wrong reduction axis": (KL, r"axis=1\)\[:, None\]", "axis=0)[None, :]"),
    "wrong noise key": (CODE, r"key_eps_ptr \+ 1", "key_eps_ptr + 0"),
    "wrong noise step": (CODE, r"step_ptr \+ 1", "step_ptr + 2"),
    "wrong noise element": (CODE, r"element = k\b", "element = k + 1"),
    "double counting of a tile": (
        KL, r"r_step in range\(0, (.*)\):\n(\s+)r = r_step \*",
        r"r_step in range(0, 2 * \1):\n\2r = (r_step // 2) *",
    ),
    "overlapping tiles": (KL, r"r_step \* BLOCK_R", "r_step * (BLOCK_R - 1)"),
    "reads what it writes": (HIDDEN, r"tl\.load\(x_ptr", "tl.load(relu_ptr"),
    "mask reaches one too far": (HIDDEN, r"m < B", "m <= B"),
    "wrong slot": (UPDATE, r"tl\.load\(slot_v_", "tl.load(slot_m_"),
    "wrong split of programs": (
        HIDDEN, r"pid % tl\.cdiv\(hidden, BLOCK_N\)", "pid % tl.cdiv(hidden, BLOCK_M)",
    ),
    "update in the wrong direction": (UPDATE, r"(decoder_out_w_3) \+ ", r"\1 - "),
    "wrong host number": (UPDATE, r"host_ptr \+ 3", "host_ptr + 4"),
    "atomic in place of store": (HIDDEN, r"tl\.store\(", "tl.atomic_add("),
}  # fmt: skip


@pytest.mark.parametrize("task", sorted({task for task, _, _ in BUGS.values()}))
def test_kernels_without_bugs_are_proved(emitted: Emitted, task: str) -> None:
    text, plan = emitted("vae", "triton_cuda")
    kernel = verdict(text, plan, task)
    assert kernel.status == PROVED, kernel


@pytest.mark.parametrize("bug", BUGS)
def test_bug_is_caught(emitted: Emitted, bug: str) -> None:
    text, plan = emitted("vae", "triton_cuda")
    task, pattern, replacement = BUGS[bug]
    kernel = verdict(mutated(text, task, pattern, replacement), plan, task)
    assert kernel.status != PROVED
    reasons = [f.reason for f in kernel.findings if f.status != PROVED]
    assert reasons and all(reasons)
    print(f"{bug}: {reasons[0][:200]}")


def test_wrong_range_of_a_stage_is_caught(emitted: Emitted) -> None:
    """A task that gets one program less than it needs."""
    text, plan = emitted("vae", "triton_cuda")
    launch = next(x for x in launches(plan) if any(t.name == CODE for t in x.tasks))
    made = mutated(text, launch.kernel, r"end_0 = (.*)", r"end_0 = \1 - 1")
    assert verdict(made, plan, CODE).status != PROVED


def test_reading_before_it_is_written_is_caught(emitted: Emitted) -> None:
    """A task in the launch of the task whose result it reads."""
    text, plan = emitted("vae", "triton_cuda")
    all_launches = launches(plan)
    nodes = reachable(n for x in plan.kernels for t in x.tasks for n in t.nodes)
    sizes = Sizes(d for node in nodes for d in node.type.shape)
    checker = Checker(text, sizes, dict(plan.sizes), given(plan, nodes))
    late = next(x for x in all_launches if any(t.name == CODE for t in x.tasks))
    early = [t.name for t in all_launches[0].tasks]
    assert early and CODE not in early
    found = [k for k in checker.launch(late) if k.name == CODE]
    assert found[0].status != PROVED
