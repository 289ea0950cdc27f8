"""What the plans of targets say that emitted text computes, for the checkers.

In: a target's plan with its text; for Triton any object with the attributes of `KernelPlan` (the
plan's class belongs to the backend). Out: a `Validation`. What a plan says is not trusted: it names
the node that each memory is to hold, and the checkers show that the text agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any

from gendsl.ir.graph import Node, reachable
from gendsl.ir.plan import Plan
from gendsl.ops.leaf import Input
from gendsl.validate import whole as w
from gendsl.validate.arena import Place, overlapping
from gendsl.validate.check_torch import check_torch
from gendsl.validate.check_triton import Checker, Given, Launch, Task
from gendsl.validate.meaning import Sizes
from gendsl.validate.verdict import DIFFERS, UNKNOWN, Finding, Kernel, Validation

# How generated torch source names its dictionaries.
CONTAINERS = {
    "p": "param",
    "slot": "slot",
    "state": "state",
    "ema": "ema",
    "data": "data",
    "hyper": "hyper",
}
TRUSTED = {
    "torch": "trusted: torch's own functions, and those of the target's runtime",
    "triton": "trusted: Triton's compiler, PTX and the GPU, the prelude's functions, the runtime",
}


def torch_source(text: str, plan: Plan, *, carries: bool) -> Validation:
    """The torch source of a plan, for the sizes that it fixes."""
    sizes = ", ".join(f"{name} = {k}" for name, k in plan.sizes.items())
    kernel = check_torch(text, plan, CONTAINERS, carries=carries)
    return Validation("torch source", f"at {sizes}", (kernel,), (TRUSTED["torch"],))


def triton_source(
    text: str, plan: Any, report: Callable[[Kernel], None] = lambda _: None
) -> Validation:
    """The Triton source of a kernel plan, for all sizes and blocks; `report` is told of kernels."""
    nodes = reachable(n for launch in plan.kernels for t in launch.tasks for n in t.nodes)
    sizes = Sizes(d for node in nodes for d in node.type.shape)
    w.assume(sizes.facts(nodes))
    checker = Checker(text, sizes, dict(plan.sizes), given(plan, nodes))
    kernels = checker.run(launches(plan), report)
    kernels.append(memory(plan, checker))
    report(kernels[-1])
    scope = "for all sizes and blocks"
    if sizes.conditions:
        scope += f" with {', '.join(sizes.conditions)}"
    notes = (TRUSTED["triton"], "nodes are those of the target's lowered graph")
    return Validation("triton source", scope, tuple(kernels), notes)


def memory(plan: Any, checker: Checker) -> Kernel:
    """What a plan says of memory, against what its kernels were seen to do: temporaries that share
    bytes, the size of each memory, and under which name each output is found."""
    places = {
        m.name: Place(m.offset, m.bytes) for m in plan.memory.values() if m.role == "temporary"
    }
    order = [x.kernel for x in (*plan.setup, *2 * tuple(in_order(plan.launches)))]
    seen = [checker.touched[name] for name in order if name in checker.touched]
    findings = list(overlapping(places, seen))
    if len(seen) < len(order):
        findings.append(Finding("arena", UNKNOWN, 0, "some launch was not executed to its end"))
    numbers = checker.sizes.numbers(plan.sizes)
    for name, node in checker.contents.items():
        count = w.evaluate(w.product(checker.sizes.shape(node)), numbers)
        alone = name not in {m for m, k in checker.given.nodes.values() if k}
        if alone and name in plan.memory and prod(plan.memory[name].shape) != count:
            findings.append(Finding(name, DIFFERS, 0, f"its node has {count} elements"))
    for name, held in plan.outputs.items():
        key = plan.memory[held].key
        if key and key.removeprefix("output:") != name:
            findings.append(Finding(f"output {name}", DIFFERS, 0, f"{held} is for {key}"))
    return Kernel("memory", tuple(findings))


def in_order(steps: Iterable[Any]) -> Iterable[Any]:
    """Launches as they run, the body of a loop twice: what comes after is like what came before."""
    for step in steps:
        body = getattr(step, "body", None)
        yield from (step,) if body is None else in_order((*body, *body))


def launches(plan: Any) -> list[Launch]:
    """The plan's launches in order, those of setup first."""
    return [
        Launch(
            x.kernel,
            x.grid,
            x.arguments,
            x.constants,
            [Task(t.name, dict(zip(t.writes, t.nodes, strict=False))) for t in x.tasks],
        )
        for x in plan.kernels
    ]


def given(plan: Any, nodes: list[Node]) -> Given:
    """What is in memory when a run starts."""
    memories: Mapping[str, str] = {m.key: m.name for m in plan.memory.values() if m.key}
    held: dict[Node, tuple[str, int]] = {}
    for node in nodes:
        if isinstance(node.op, Input):
            memory = memories.get(f"{node.op.kind}:{node.op.key}")
            if memory is not None:
                held[node] = (memory, 0)
    held |= {node: ("host", k) for k, node in enumerate(plan.host)}
    draws = {d.memory: d.path for d in plan.draws}
    return Given(held, draws, "step")
