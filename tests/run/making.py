"""A small program for tests of runs: averaged weights, a schedule, a term, a picture, a sampler."""

from __future__ import annotations

from pathlib import Path

from gendsl.cli.emit import stage_text
from gendsl.diagnostics.model import GendslError, Sink
from gendsl.options import RunOptions
from gendsl.run.compiled import Compiled, compile_job
from gendsl.run.job import Job
from gendsl.run.prepare import prepare, program_of, read_program
from gendsl.run.session import joint_graphs, run

TINY = """\
# A small autoencoder for tests.
import nn: dense
import losses: squared_error
import schedules: linear_warmup

batch B
dim hidden = 8
dim Z = 2
hyper beta = 0.5
hyper weight = 1.0 in 0..10

data x: [B, (C H W)] in 0..1 from digits

net encoder(x: [..b, D]) -> [..b, Z]:
    h = relu(dense[hidden](x))
    return dense[Z](h)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    h = relu(dense[hidden](z))
    return dense[(C H W)](h)

objective loss:
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = encoder(x)
    xhat = sigmoid(decoder(z + 0.1 * eps))
    term recon = mean[B](squared_error(xhat, x))
    term size = mean[B](sum[Z](square(z)))
    minimize weight * recon + beta * size
    show reconstruction = sigmoid(decoder(z))

train:
    step loss over encoder, decoder with adam(lr = 1e-2)
    schedule beta = linear_warmup(0, 0.5, steps = 50)
    batch B = 32
    steps 130
    ema 0.9

sampler pictures[N = 9] -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return sigmoid(decoder(z))
"""


def tiny(folder: Path, text: str = TINY) -> Path:
    """The program as a file."""
    path = folder / "tiny.gml"
    path.write_text(text)
    return path


def go(program: Path, out: Path, **options: object) -> int:
    """Run it as the command line would; the exit code."""
    return run(RunOptions(str(program), out=out, **options), stage_text)  # type: ignore[arg-type]


def codes(program: Path, out: Path, **options: object) -> list[str]:
    """The codes with which a run is refused."""
    try:
        go(program, out, **options)
    except GendslError as problem:
        return [d.code for d in problem.diagnostics]
    raise AssertionError("the run was not refused")


def lasting(folder: Path) -> dict[str, bytes]:
    """What a resumed run has to reproduce bit for bit: final values, metrics, pictures."""
    names = ["metrics.jsonl", "samples.png", "reconstruction.png"]
    newest = sorted((folder / "checkpoints").iterdir())[-1]
    found = {name: (folder / name).read_bytes() for name in names}
    pictures = sorted((folder / "samples").iterdir())
    return found | {path.name: path.read_bytes() for path in [newest, *pictures]}


def prepared(program: Path, **options: object) -> tuple[Job, Compiled]:
    """The settled job of a program, compiled, without a folder."""
    asked = RunOptions(str(program), **options)  # type: ignore[arg-type]
    job = prepare(asked, program_of(read_program(asked, Sink(), True), asked), asked.target)
    return job, compile_job(job, *joint_graphs(job))
