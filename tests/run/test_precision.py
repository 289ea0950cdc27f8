"""The precision of products: said by a program or a flag, refused where it cannot be had, and kept
in plan, manifest and report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gendsl.__main__ import main
from gendsl.run.targets import find

HEAD = "batch B\ndata x: [B, (C H W)] from digits\nparam centre: [(C H W)]\n\n"
FIT = f"{HEAD}objective fit:\n    minimize mse[B, (C H W)](x, centre)\n\n"
TRAIN = "train:\n    step fit over centre with adam(lr = 1e-3)\n    batch B = 32\n    steps 2\n"


def program(folder: Path, *lines: str) -> str:
    path = folder / "fit.gml"
    path.write_text(FIT + TRAIN + "".join(f"    {line}\n" for line in lines))
    return str(path)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_the_plan_and_the_kernels_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "vae", "--cuda", "--emit", "plan"]) == 0
    assert "products in float32: float32's accuracy, by three TF32" in capsys.readouterr().out
    assert main(["run", "vae", "--cuda", "--emit", "plan", "--precision", "bf16"]) == 0
    assert "products in bf16: operands rounded to bfloat16" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("policy", "constant"),
    [("float32", "tf32x3"), ("ieee", "ieee"), ("tf32", "tf32"), ("bf16", "bf16")],
)
def test_every_launch_with_products_has_the_policy(policy: str, constant: str) -> None:
    from gendsl.diagnostics.model import Sink
    from gendsl.options import RunOptions
    from gendsl.run.prepare import prepare, program_of, read_program
    from gendsl.run.session import joint_graphs

    options = RunOptions("programs/vq_vae_ema.gml", device="cuda", precision=policy)
    source = program_of(read_program(options, Sink(), prove=False), options)
    job = prepare(options, source, "triton_cuda", to_run=False)
    step = job.target.compile_step(joint_graphs(job)[0], job.sizes)
    found = [launch.constants["PRECISION"] for launch in step.plan.kernels  # type: ignore[attr-defined]
             if "PRECISION" in launch.constants]  # fmt: skip
    assert len(found) >= 4 and set(found) == {constant}
    assert job.identity()["precision"] == policy
    # sums by code and the distances that choose codes are float32 under each policy
    assert step.source.count("= _dot_float32(") == 2
    assert all(str(m.elem) in ("real", "bool") or "fin" in str(m.elem)
               for m in step.plan.memory.values())  # type: ignore[attr-defined]  # fmt: skip


def test_the_program_says_it_and_the_flag_overrides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = program(tmp_path, "precision tf32")
    assert main(["run", path, "--emit", "triton"]) == 0
    capsys.readouterr()
    out = str(tmp_path / "run")
    assert main(["run", path, "--out", out]) == 1
    text = said(capsys)
    assert "error[E0904]: the CPU has no `tf32` products: it computes with `float32` and" in text
    assert "run with `--cuda`, or take `--precision float32`" in text
    assert not Path(out).exists()
    assert main(["run", path, "--out", out, "--precision", "ieee"]) == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["precision"] == "ieee" and "--precision ieee" in manifest["command"]
    assert "products in ieee" in (tmp_path / "run" / "report.html").read_text()
    capsys.readouterr()
    more = ["run", path, "--out", out, "--resume", "--steps", "3"]
    assert main([*more, "--precision", "float32"]) == 1
    assert "the precision of products: ieee in the run folder, float32 now" in said(capsys)
    assert main([*more, "--precision", "ieee"]) == 0


def test_a_run_with_less_precision_is_measured_on_the_cpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values are float32 in any case; where the products' precision is not to be had, measuring
    takes float32."""
    path = program(tmp_path, "precision bf16")
    out = tmp_path / "run"
    assert main(["run", path, "--out", str(out), "--precision", "float32"]) == 0
    manifest = out / "manifest.json"
    text = manifest.read_text().replace("--precision float32 ", "--cuda ")
    manifest.write_text(text.replace('"precision": "float32"', '"precision": "bf16"'))
    assert main(["eval", str(out), "--cpu"]) == 0


def test_an_older_manifest_is_of_float32(tmp_path: Path) -> None:
    path, out = program(tmp_path), tmp_path / "run"
    assert main(["run", path, "--out", str(out)]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest.pop("precision") == "float32"
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert main(["run", path, "--out", str(out), "--resume", "--steps", "3"]) == 0


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (["precision bf17"], "E0518", "did you mean `bf16`?"),
        (["precision 16"], "E0518", "`precision` wants a name"),
        (["precision tf32", "precision bf16"], "E0508", "`precision` is said twice"),
    ],
)
def test_a_wrong_line(
    lines: list[str], code: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", program(tmp_path, *lines)]) == 1
    text = "".join(capsys.readouterr())
    assert f"error[{code}]" in text and words in text


def test_an_unknown_flag_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "vae", "--precision", "tf23"]) == 2
    assert "did you mean `tf32`?" in said(capsys)


def test_layout_and_stages_keep_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = program(tmp_path, "precision bf16")
    assert main(["fmt", "--check", path]) == 0
    capsys.readouterr()
    assert main(["check", path, "--emit", "core"]) == 0
    assert "    precision bf16\n" in capsys.readouterr().out


def test_a_name_may_still_be_precision(tmp_path: Path) -> None:
    path = tmp_path / "named.gml"
    path.write_text(FIT.replace("centre", "precision") + TRAIN.replace("centre", "precision"))
    assert main(["check", str(path)]) == 0


def test_targets() -> None:
    assert find("triton_cuda", "bf16", to_run=False).name == "triton_cuda"
    assert find("torch_cpu", "ieee").name == "torch_cpu"
