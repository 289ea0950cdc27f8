"""What a training step of the benchmark's workloads costs, without a clock: `gates.json` holds how
many torch operations it calls, its work, the bytes of its arena and how much of it is alive at once
at most, what torch allocates besides (tensors and bytes), and an upper bound of page faults per
step after warm-up. And the source of shipped programs, in `sources/`.

A change of these numbers is meant or it is a loss: `--update-golden` writes the new ones.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from backends.torch_cpu import TARGET
from backends.torch_cpu.target import Step
from benchmarks.speed.workloads import WORKLOADS, batches, first_values, load
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.noise import Noise
from gendsl.passes.joint import joint
from gendsl.passes.pipeline import transform_step
from tests.conftest import Golden
from tests.passes.test_programs import PROGRAMS
from tests.validate.conftest import compiled_of

HERE = Path(__file__).parent
GATES = HERE / "gates.json"
SHOWN = ("autoencoder", "vae", "beta_vae", "vq_vae", "gan")
PICTURE = {"C": 1, "H": 8, "W": 8}
WARM, MEASURED = 3, 6
LOOSE = 1.25  # an arena may be larger than what is alive at once by this
SLACK = 8  # faults that the interpreter may cause in every step


class Calls(TorchDispatchMode):
    """Counts torch operations, views among them."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.count += 1
        return func(*args, **(kwargs or {}))


def compiled(name: str) -> tuple[Step, Callable[[int], None]]:
    loaded = load(name)
    recipe = loaded.interface.recipe
    assert recipe is not None
    step = TARGET.compile_step(transform_step(joint(loaded.graph, recipe)), loaded.sizes)
    step.load(first_values(loaded))
    given = batches(name, loaded.batch)
    hypers = {key: float(info.default) for key, info in loaded.interface.hypers.items()}

    def run(number: int) -> None:
        step.run({"x": given[number % len(given)]}, hypers, Noise(0, "train", number))

    return step, run


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@pytest.mark.parametrize("name", WORKLOADS)
def test_cost_of_a_step(name: str, updating: bool) -> None:
    step, run = compiled(name)
    for number in range(WARM):
        run(number)
    each = []
    for number in range(WARM, WARM + MEASURED):
        before = faults()
        run(number)
        each.append(faults() - before)
    fresh = min(each)  # what the interpreter does in between is not the step's
    with Calls() as calls:
        run(WARM + MEASURED)
    use = step.use
    cost = {"aten": calls.count, "flops": step.plan.flops, "arena": use.arena, "live": use.live}
    cost |= {"allocations": use.allocations, "allocated": use.allocated}
    assert use.arena <= LOOSE * use.live
    table = json.loads(GATES.read_text()) if GATES.exists() else {}
    if updating:
        bound = max(SLACK, 2 * fresh)
        table[name] = {"torch": torch.__version__.split("+")[0], **cost, "faults": bound}
        GATES.write_text(json.dumps(dict(sorted(table.items())), indent=2) + "\n")
        return
    wanted = table[name]
    if wanted["torch"] != torch.__version__.split("+")[0]:
        del cost["aten"]  # another version may call other operations inside of its own
    assert cost == {key: wanted[key] for key in cost}
    assert fresh <= wanted["faults"]


@pytest.mark.parametrize("name", SHOWN)
def test_source_of_a_program(name: str, root: Path, golden: Golden) -> None:
    analysis = analyse(str(root / "programs" / f"{name}.gml"), Sink(), prove=False)
    assert analysis.graph is not None and analysis.interface is not None
    recipe, dims = analysis.interface.recipe, analysis.interface.dims
    assert recipe is not None
    sizes = {n: d.default for n, d in dims.items() if d.default is not None}
    sizes = {**PICTURE, **sizes, "B": recipe.batch}
    step = TARGET.compile_step(transform_step(joint(analysis.graph, recipe)), sizes)
    golden(HERE / "sources" / f"{name}.py.txt", step.source)


@pytest.mark.parametrize("name", PROGRAMS)
def test_arena_of_a_program(name: str) -> None:
    use = compiled_of(name, "torch_cpu").use
    assert 0 < use.live <= use.arena <= LOOSE * use.live
