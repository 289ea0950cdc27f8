"""Chains of tasks in one launch: proved as they are emitted, and not with a bug in their order,
their barriers, or in whose results a program reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from gendsl.validate.verdict import PROVED
from tests.validate.test_triton_bugs import mutated, verdict

Emitted = Callable[[str, str], tuple[str, Any]]
BARRIER = "        tl.debug_barrier()\n"


def chained(emitted: Emitted) -> tuple[str, Any, str, list[str]]:
    """Source and plan, and a launch whose chain does tasks, each of which reads the one before."""
    text, plan = emitted("vq_vae", "triton_cuda")
    for launch in plan.kernels:
        start = text.index(f"def {launch.kernel}(")
        body = text[start : text.find("\n@triton.jit", start) % (len(text) + 1)]
        head = body.partition("    if pid >= end:")[0]
        tasks = re.findall(r"^            (\w+)\(pid, part", head, re.MULTILINE)
        if head.count(BARRIER) >= 2:
            return text, plan, launch.kernel, tasks
    raise AssertionError("no chain")


def test_chains_are_proved(emitted: Emitted) -> None:
    text, plan, _, tasks = chained(emitted)
    assert len(tasks) >= 3
    assert verdict(text, plan, tasks[0]).status == PROVED
    assert verdict(text, plan, tasks[1]).status == PROVED


BUGS: dict[str, tuple[str, str, str]] = {
    "no barriers": ("kernel", r" *tl\.debug_barrier\(\)\n", ""),
    "a barrier that not every program reaches": (
        "kernel", r"( *)tl\.debug_barrier\(\)\n", r"\1if pid > 0:\n\1    tl.debug_barrier()\n",
    ),
    "another program's sample": (
        "kernel", r"SECOND\(pid, part", "SECOND(end - 1 - pid, part",
    ),
    "a sample too few": ("kernel", r"end = B\n", "end = B - 1\n"),
    "the last part left out": ("kernel", r"range\(0, tl\.cdiv", "range(1, tl.cdiv"),
    "the next sample's entries": ("task", r"sample \* ", "(sample + 1) * "),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS)
def test_bug_in_a_chain_is_caught(emitted: Emitted, bug: str) -> None:
    text, plan, kernel, tasks = chained(emitted)
    where, pattern, replacement = BUGS[bug]
    function = kernel if where == "kernel" else tasks[1]
    pattern, replacement = (x.replace("SECOND", tasks[1]) for x in (pattern, replacement))
    made = verdict(mutated(text, function, pattern, replacement), plan, tasks[1])
    assert made.status != PROVED
    reasons = [f.reason for f in made.findings if f.status != PROVED]
    assert reasons and all(reasons)


def test_the_order_in_the_text_counts(emitted: Emitted) -> None:
    """A task that the text does before the one that it reads from."""
    text, plan, kernel, tasks = chained(emitted)
    swapped = mutated(text, kernel, rf"\b{tasks[0]}\(pid, part[^\n]*", "FIRST")
    calls = {t: re.search(rf"\b{t}\(pid, part[^\n]*", text) for t in tasks[:2]}
    one, two = (calls[t] for t in tasks[:2])
    assert one is not None and two is not None
    swapped = swapped.replace(two[0], one[0]).replace("FIRST", two[0])
    assert verdict(swapped, plan, tasks[1]).status != PROVED
