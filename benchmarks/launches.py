"""Kernel launches per training step, from the plans: `python -m benchmarks.launches [PROGRAM...]`.

Each row is a program (its name, or a path to a `.gml` file) at its own sizes: launches of one step,
kernels that run once before the first step, work, bytes moved, and bytes of temporaries. No GPU and
no Triton are needed: a plan is text. The bounds of `BOUNDS` are held by a test.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from backends.triton_cuda.emit import emit
from backends.triton_cuda.launch import KernelPlan
from benchmarks.speed.workloads import load
from gendsl.diagnostics.model import Sink
from gendsl.ir.plan import quantity
from gendsl.options import RunOptions
from gendsl.passes.joint import joint
from gendsl.passes.pipeline import select, transform_step
from gendsl.run.prepare import prepare, program_of, read_program

WORKLOADS = Path(__file__).parent / "workloads"
PROGRAMS = Path(__file__).parents[1] / "programs"

# The most launches that a step may take.
BOUNDS: Mapping[str, int] = {
    "programs/autoencoder.gml": 8,
    "programs/vae.gml": 8,
    "programs/beta_vae.gml": 8,
    "programs/conditional_vae.gml": 8,
    "programs/conv_vae.gml": 15,
    "programs/vq_vae.gml": 15,
    "programs/vq_vae_ema.gml": 15,
    "programs/gan.gml": 18,
    "programs/lsgan.gml": 18,
    "programs/lsgan_ring.gml": 18,
    "programs/wgan_gp.gml": 36,
    "programs/ddpm.gml": 24,
    "programs/ddpm_unet.gml": 24,
    "programs/flow_matching.gml": 24,
    "programs/mae.gml": 24,
    "benchmarks/workloads/mlp_vae.gml": 8,
    "benchmarks/workloads/digits_vae.gml": 8,
    "benchmarks/workloads/vq_vae.gml": 30,
    "benchmarks/workloads/lsgan.gml": 18,
    "benchmarks/workloads/ddpm.gml": 24,
    "benchmarks/workloads/mae.gml": 45,
}


def plan_of(path: str, settings: Sequence[tuple[str, str]] = ()) -> KernelPlan:
    """The plan of a program's training step; a workload says itself how large its pictures are, so
    that its data need not be on this machine."""
    if Path(path).resolve().parent == WORKLOADS.resolve():
        loaded = load(Path(path).stem, {name: int(value) for name, value in settings})
        assert loaded.interface.recipe is not None
        step = transform_step(joint(loaded.graph, loaded.interface.recipe), select("all"))
        return emit(step, loaded.sizes)[0]
    options = RunOptions(program=path, settings=tuple(settings))
    source = program_of(read_program(options, Sink(), False), options)
    job = prepare(options, source, "torch_cpu", to_run=False)
    step = transform_step(joint(source.graph, source.recipe), select("all"))
    return emit(step, job.sizes)[0]


def label(path: str) -> str:
    """The program's name; one that is shipped and also a workload says which it is."""
    name, file = Path(path).stem, Path(path).resolve()
    twice = (WORKLOADS / f"{name}.gml").exists() and (PROGRAMS / f"{name}.gml").exists()
    if twice and file.parent == WORKLOADS.resolve():
        return f"{name} (workload)"
    return name


def row(path: str, settings: Sequence[tuple[str, str]] = ()) -> str:
    """One line of the table."""
    plan = plan_of(path, settings)
    columns = (
        label(path),
        str(plan.launch_count),
        str(len(plan.setup)),
        quantity(plan.flops, "flop"),
        quantity(plan.bytes, "B"),
        quantity(plan.arena_bytes, "B"),
    )
    return "| " + " | ".join(columns) + " |"


def main(words: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.launches", description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="default: all with a bound")
    paths = parser.parse_args(words).programs or list(BOUNDS)
    print("| program | launches | once | work | moved | temporaries |")
    print("|---|---|---|---|---|---|")
    for path in paths:
        print(row(path), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
