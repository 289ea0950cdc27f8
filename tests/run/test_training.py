"""What a run computes and writes, on a small program."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from backends.torch_cpu.target import TorchCpu
from gendsl.diagnostics.model import GendslError
from gendsl.ir.evaluate import evaluate
from gendsl.noise import Noise
from gendsl.run import checkpoint, metrics
from gendsl.run.compiled import (
    check_schedules,
    evaluated_rows,
    evaluation_outputs,
    evaluation_parts,
    hypers_at,
    initial_values,
    schedule_at,
)
from gendsl.run.evaluate import held_out, readable
from gendsl.run.progress import number
from gendsl.run.report import charts
from gendsl.shape.tensor_type import Range
from tests.run.making import codes, go, prepared, tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    assert go(tiny(folder), folder / "run", seed=3) == 0
    return folder / "run"


def test_the_folder_is_complete(run: Path) -> None:
    names = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    assert names == {
        ".lock",
        "manifest.json",
        "metrics.jsonl",
        "timings.jsonl",
        "samples.png",
        "reconstruction.png",
        "curves.png",
        "report.html",
        "samples/step-00000100.png",
        "checkpoints/step-00000100.safetensors",
        "checkpoints/step-00000130.safetensors",
    }


def test_the_manifest(run: Path) -> None:
    found = json.loads((run / "manifest.json").read_text())
    assert found["finished"] is True and found["progress"]["step"] == found["steps"] == 130
    assert found["seed"] == 3 and len(found["graph_hash"]) == 64 and len(found["data_hash"]) == 64
    assert found["sizes"] == {"B": 32, "C": 1, "H": 8, "W": 8, "Z": 2, "hidden": 8}
    assert found["hypers"] == {"beta": 0.5, "weight": 1.0}
    assert found["data"]["name"] == "digits" and found["data"]["licence"]
    assert {"gendsl", "python", "numpy", "torch"} <= found["versions"].keys()
    assert found["threads"]["torch"] == [TorchCpu().threads] and found["threads"]["cores"] >= 1
    assert found["target"] == "torch_cpu" and found["allow_refuted"] is False
    assert "net encoder" in found["program"]["text"]
    assert sum(p["count"] for p in found["parameters"]) == 64 * 8 + 8 + 18 + 24 + 8 * 64 + 64
    assert found["recipe"][0].startswith("step loss over encoder, decoder with adam(")
    assert found["training"][0] == found["recipe"][0] and "lr = 0.01)" in found["training"][0]
    assert found["training"][1] == "schedule beta = linear_warmup(0, 0.5, steps = 50)"


def test_the_last_evaluation_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where those before it measure some of the held-out examples: both are recorded, since a
    longer run has the one of some examples too."""
    monkeypatch.setattr("gendsl.run.compiled.EVALUATED", 100)
    assert go(tiny(tmp_path), tmp_path / "run", steps=100) == 0
    rows = [r for r in metrics.read(tmp_path / "run" / "metrics.jsonl") if r.split == "heldout"]
    assert [(r.step, r.weights, r.final) for r in rows if r.step] == [
        (100, weights, final) for final in (False, True) for weights in ("raw", "ema")
    ]
    said = [x for x in capsys.readouterr().out.splitlines() if x.startswith("step 100/100")]
    assert len(said) == 1 and f"loss {number(rows[-1].metrics['loss'])} " in said[0]


def test_schedules_are_told_as_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At the start and in the report; a number that a schedule replaces is nowhere."""
    again = "    schedule lr = linear_warmup(0, 1e-2,   steps = 5 * 10)\n    batch B"
    program = tiny(tmp_path)
    program.write_text(program.read_text().replace("    batch B", again))
    assert go(program, tmp_path / "run", steps=2) == 0
    beta, lr = "linear_warmup(0, 0.5, steps = 50)", "linear_warmup(0, 1e-2, steps = 5 * 10)"
    said = capsys.readouterr().out
    assert f"hypers   weight = 1\nschedule beta = {beta}, lr = {lr}\n" in said
    page = (tmp_path / "run" / "report.html").read_text().partition("<h2>Program</h2>")[0]
    assert f"<code>schedule beta = {beta}</code>" in page
    assert f"<code>schedule lr = {lr}</code>" in page and "lr as scheduled)" in page
    assert "lr = 0.01" not in page and "graph" not in page.partition("<footer>")[0]
    assert '<td class="number">as scheduled</td>' in page


def test_metrics_have_no_clock_and_every_term(run: Path) -> None:
    records = metrics.read(run / "metrics.jsonl")
    assert all(r.metrics.keys() == {"loss", "loss.recon", "loss.size"} for r in records)
    train = [r.step for r in records if r.split == "train"]
    assert train == [1, *range(10, 131, 10)]
    for weights in ("raw", "ema"):
        steps = [r.step for r in records if r.split == "heldout" and r.weights == weights]
        assert steps == [0, 100, 130]
    assert "seconds" not in (run / "metrics.jsonl").read_text()
    assert all("seconds" in json.loads(t) for t in (run / "timings.jsonl").open())
    beta = {r.step: r.hypers["beta"] for r in records if r.split == "train"}
    assert beta[1] == 0.0 and beta[130] == 0.5 and beta[20] == pytest.approx(0.5 * 19 / 50)
    for record in records:
        if record.split == "train":
            terms = record.metrics["loss.recon"] + beta[record.step] * record.metrics["loss.size"]
            assert record.metrics["loss"] == pytest.approx(terms, rel=1e-5)


def test_training_helps_and_averages_are_averages(run: Path) -> None:
    records = [r for r in metrics.read(run / "metrics.jsonl") if r.split == "heldout"]
    assert records[-1].metrics["loss"] < 0.5 * records[0].metrics["loss"]
    found = checkpoint.load(run / "checkpoints" / "step-00000130.safetensors")
    raw = {k[6:]: v for k, v in found.values.items() if k.startswith("param:")}
    ema = {k[4:]: v for k, v in found.values.items() if k.startswith("ema:")}
    assert raw.keys() == ema.keys()
    assert all(not np.array_equal(raw[k], ema[k]) for k in raw)


def test_held_out_is_the_reference_average(tmp_path: Path) -> None:
    """Against the numpy reference on the whole held-out part at once: batches and their remainder
    weigh by examples, and noise depends on the position only."""
    job, made = prepared(tiny(tmp_path))
    assert evaluation_parts(job, whole=True) == [32] * 11 + [7]
    values = initial_values(job, made)
    found = held_out(job, made, values, 20)
    outputs = evaluation_outputs(job)
    assert job.examples is not None
    everything = job.examples.held_out(np.arange(359))
    inputs = {f"data:{k}": v for k, v in everything.items()} | readable(values, ema=False)
    inputs |= {f"hyper:{k}": v for k, v in hypers_at(job, made, 20).items()}
    noise = Noise(job.seed, "eval")
    sizes = {**job.sizes, "B": 359}
    reference = evaluate(list(outputs.values()), inputs, sizes, noise=noise)
    assert found == pytest.approx(dict(zip(outputs, map(float, reference), strict=True)), rel=1e-5)


def test_schedules_stay_in_their_range(tmp_path: Path) -> None:
    job, made = prepared(tiny(tmp_path))
    assert schedule_at(job, made, 1000) == {"beta": 0.5}
    check_schedules(job, made)
    interface = job.source.interface
    narrow = replace(interface.hypers["beta"], range=Range(Fraction(0), Fraction(2, 5)))
    hypers = {**interface.hypers, "beta": narrow}
    source = replace(job.source, interface=replace(interface, hypers=hypers))
    with pytest.raises(GendslError, match=r"E1055.*beta"):
        check_schedules(replace(job, source=source), made)


def test_divergence_names_the_term_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    """The learning rate explodes soon after the first checkpoint."""
    program = tiny(tmp_path, bad_text(tmp_path))
    with pytest.raises(GendslError) as caught:
        go(program, tmp_path / "run", steps=200)
    (problem,) = caught.value.diagnostics
    assert problem.code == "E1053" and "`loss.recon`" in problem.message
    assert "step 100 is kept" in problem.notes[0]
    assert checkpoint.steps(tmp_path / "run" / "checkpoints") == [100]
    found = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert found["finished"] is False and "diverged" in found["progress"]["failure"]
    assert "diverged" in (tmp_path / "run" / "report.html").read_text()
    assert all(
        math.isfinite(v)
        for r in metrics.read(tmp_path / "run" / "metrics.jsonl")
        for v in r.metrics.values()
    )


def bad_text(folder: Path) -> str:
    """With plain gradient descent and a learning rate that jumps after step 105."""
    text = tiny(folder).read_text()
    text = text.replace("adam(lr = 1e-2)", "sgd(lr = 1e-2)")
    text = text.replace("    batch B = 32\n", "    schedule lr = jump()\n    batch B = 32\n")
    jump = "fn jump(step: real) -> real:\n    return 0.001 + 1e30 * relu(step - 105)\n\n"
    return text.replace("net encoder", jump + "net encoder")


def test_seeds_differ_and_repeat(tmp_path: Path) -> None:
    program = tiny(tmp_path)
    texts = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        go(program, tmp_path / name, steps=10, seed=seed)
        texts.append((tmp_path / name / "metrics.jsonl").read_bytes())
    assert texts[0] == texts[1] != texts[2]


def test_raw_weights_for_samples(run: Path, tmp_path: Path) -> None:
    program = tiny(tmp_path)
    go(program, tmp_path / "run", seed=3, raw=True)
    same = ("metrics.jsonl", "checkpoints/step-00000130.safetensors")
    assert all((run / n).read_bytes() == (tmp_path / "run" / n).read_bytes() for n in same)
    assert (run / "samples.png").read_bytes() != (tmp_path / "run" / "samples.png").read_bytes()


def test_a_refuted_claim_trains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gendsl import driver
    from gendsl.prove.verdict import ClaimReport

    report = ClaimReport("loss.wrong", "size == 1", "refuted", note="size is 2 at mu = 1")
    monkeypatch.setattr(driver, "settle", lambda analysis, **_: (report,))
    program = tiny(tmp_path)
    assert codes(program, tmp_path / "run", steps=10) == ["E1054"]
    assert not (tmp_path / "run").exists()
    assert go(program, tmp_path / "run", steps=10, allow_refuted=True) == 0
    found = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert found["allow_refuted"] is True and found["claims"][0]["verdict"] == "refuted"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "in spite of refuted claims: loss.wrong" in page
    assert '<span class="verdict refuted">refuted</span>' in page


class Many:
    """Stands for a large data set, of which only this is asked."""

    train_count = held_out_count = 10_000

    def train(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        raise AssertionError("is not read")

    held_out = train


def test_evaluations_during_training_use_some_examples_and_the_last_one_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gendsl.run.compiled.EVALUATED", 100)
    job, made = prepared(tiny(tmp_path))
    rows = evaluated_rows(job, whole=False)
    assert len(rows) == 100 and rows[0] >= 0 and rows[-1] < 359 and (np.diff(rows) > 0).all()
    many = evaluated_rows(replace(job, examples=Many()), whole=False)
    # Every class where ten take turns, and every tenth of the part: 10 each, give or take 3.
    for tenths in (many % 10, many // 1000):
        assert np.bincount(tenths, minlength=10).min() >= 1
    assert evaluation_parts(job, whole=False) == [32] * 3 + [4]
    values = initial_values(job, made)
    some, whole = (held_out(job, made, values, 0, whole=w) for w in (False, True))
    assert go(tiny(tmp_path), tmp_path / "run", seed=job.seed, steps=100) == 0
    records = [r for r in metrics.read(tmp_path / "run" / "metrics.jsonl") if r.split == "heldout"]
    assert [(r.step, r.weights, r.final) for r in records] == [
        (0, "raw", False),
        (0, "ema", False),
        (100, "raw", False),
        (100, "ema", False),
        (100, "raw", True),
        (100, "ema", True),
    ]
    assert records[0].metrics == some and some != whole
    assert records[3].metrics != records[5].metrics
    page = (tmp_path / "run" / "report.html").read_text()
    assert "evaluations during training use 100 of these, the last one uses all" in page
    assert len(charts(records, frozenset())[0].series[0].points) == 2
