"""Going on with a run and reading it again: flags are the run's own, what does not fit is refused,
every picture and number is that of its name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gendsl.__main__ import main
from tests.run.making import TINY, tiny

TWO_SHOWS = TINY.replace(
    "    show reconstruction = sigmoid(decoder(z))\n",
    "    show itself = (1 - 1e-6) * x + 1e-6 * sigmoid(decoder(z))\n"
    "    show reconstruction = sigmoid(decoder(z))\n",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("going_on")
    program = tiny(folder, TWO_SHOWS)
    words = ["run", str(program), "--set", "hidden=6", "--steps", "20", "--seed", "3"]
    assert main([*words, "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained / "run", tmp_path / "run")
    return tmp_path / "run"


def manifest(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "manifest.json").read_text())
    return found


def test_a_resumed_run_has_the_flags_it_had(trained: Path, run: Path) -> None:
    words = ["run", str(trained / "tiny.gml"), "--out", str(run), "--resume", "--steps", "30"]
    assert main(words) == 0
    assert manifest(run)["seed"] == 3 and manifest(run)["sizes"]["hidden"] == 6  # type: ignore[index]


def test_another_value_is_still_refused(
    trained: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(trained / "tiny.gml"), "--out", str(run), "--resume", "--set", "hidden=7"]
    assert main(words) == 1
    assert "`hidden`: 6 in the run folder, 7 now" in capsys.readouterr().err


def test_the_command_to_train_further_trains_further(
    trained: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(trained / "kept", ignore_errors=True)
    shutil.move(run, trained / "kept")
    resume = ["run", str(trained / "tiny.gml"), "--out", str(trained / "kept"), "--resume"]
    assert main(resume) == 0
    line = capsys.readouterr().out.strip().splitlines()[-1]
    words = line.partition("`")[2].rstrip("`").split()
    assert words[:2] == ["gendsl", "run"] and "--steps" in words
    words[words.index("--out") + 1] = str(trained / "kept")  # the copy's place
    assert main(words[1:]) == 0
    assert manifest(trained / "kept")["progress"]["step"] == 40  # type: ignore[index]


def test_steps_are_not_taken_back(
    trained: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = str(trained / "tiny.gml")
    interrupted = {**manifest(run), "finished": False}
    (run / "manifest.json").write_text(json.dumps(interrupted))
    before = sorted((p.name, p.read_bytes()) for p in run.glob("*.json*"))
    assert main(["run", program, "--out", str(run), "--resume", "--steps", "10"]) == 1
    assert "E1056" in capsys.readouterr().err
    assert sorted((p.name, p.read_bytes()) for p in run.glob("*.json*")) == before


def test_resume_says_when_there_is_nothing(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(trained / "tiny.gml"), "--steps", "2", "--resume"]
    assert main([*words, "--out", str(tmp_path / "new")]) == 0
    assert "nothing to resume" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["sample", "eval"])
def test_a_checkpoint_of_another_program_is_refused(
    run: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    program = tiny(other)
    assert main(["run", str(program), "--steps", "30", "--out", str(other / "run")]) == 0
    for path in (other / "run" / "checkpoints").iterdir():
        shutil.copy(path, run / "checkpoints")
    capsys.readouterr()
    assert main([command, str(run)]) == 1
    assert "E1051" in capsys.readouterr().err


def test_a_run_is_opened_without_the_files_that_made_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changed or moved, the program and its module are what they were, and that is said."""
    (tmp_path / "beside.gml").write_text("fn twice(x: real) -> real:\n    return 2 * x\n")
    text = TINY.replace("import nn", "import beside: twice\nimport nn").replace(
        "+ beta * size", "+ beta * twice(size)"
    )
    program, run = tiny(tmp_path, text), tmp_path / "run"
    assert main(["run", str(program), "--steps", "4", "--out", str(run)]) == 0
    words = ["sample", str(run), "--n", "3", "--out", str(tmp_path / "drawn.npy")]
    capsys.readouterr()
    assert main(words) == 0
    first = (tmp_path / "drawn.npy").read_bytes()
    assert capsys.readouterr().err == ""
    program.write_text(
        text.replace("dim hidden = 8", "dim hidden = 9").replace("nn: dense", "nn: (")
    )
    assert main(words) == 0
    note = f"note: {program} has changed since this run was started: taken as the run has kept it\n"
    assert capsys.readouterr().err == note
    program.unlink()
    (tmp_path / "beside.gml").unlink()
    assert main(words) == 0
    assert capsys.readouterr().err == "".join(
        f"note: {path} is not there any more: taken as the run has kept it\n"
        for path in (program, tmp_path / "beside.gml")
    )
    assert (tmp_path / "drawn.npy").read_bytes() == first
    assert main(["eval", str(run), "--no-pictures"]) == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("N=5", "how many examples are drawn is a flag: `--n 5`"),
        ("seed=2", "a flag: `--seed 2`"),
        ("hidden=9", "`hidden` was trained with"),
        ("weight=2", "`weight` was trained with"),
        ("S=3", "it has none; `--n` says how many examples, `--seed` which ones"),
    ],
)
def test_what_a_sampler_cannot_be_told_names_the_flag(
    given: str, says: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", str(run), "--set", given]) == 1
    err = capsys.readouterr().err
    assert "E1082" in err and says in err


def test_what_is_no_picture_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a run and after `sample`, with what to write in the program."""
    text = TINY.replace("show reconstruction = sigmoid(decoder(z))", "show latent = z")
    text = text.replace("[N, (C H W)] in 0..1:", "[N, (C H W)]:")
    text = text.replace("    return sigmoid(decoder(z))\n", "    return decoder(z)\n")
    program, run = tiny(tmp_path, text), tmp_path / "run"
    assert main(["run", str(program), "--steps", "2", "--out", str(run)]) == 0
    said = capsys.readouterr().out
    assert "note     latent.npy is no picture: [B, Z] has no (C H W), as in `[N, (C H W)]" in said
    why = "no range is declared: write what stands for black and white, as in `in 0..1`"
    assert f"note     samples-pictures.npy is no picture: {why}\n" in said
    assert {p.name for p in run.glob("*.npy")} == {"latent.npy", "samples-pictures.npy"}
    assert main(["sample", str(run), "--n", "1"]) == 0
    assert capsys.readouterr().out.endswith(f": 1 sample after 2 steps\nno picture: {why}\n")
    assert main(["sample", str(run), "--out", str(tmp_path / "a.png")]) == 1
    assert f"= note: no picture: {why}\n" in capsys.readouterr().err


def test_a_run_goes_on_with_the_program_that_it_keeps(
    trained: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--resume --out DIR` says enough, whatever has become of the file."""
    program = trained / "tiny.gml"
    text, words = program.read_text(), ["run", "--resume", "--out", str(run)]
    assert main([*words, "--steps", "22"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{program}  graph ") and "resumed  at step 20\n" in out and err == ""
    try:
        program.write_text(text.replace("dim hidden = 8", "dim hidden = 9").replace("0.1", "0.2"))
        assert main([*words, "--steps", "24"]) == 0
        assert "tiny.gml has changed since this run was started: taken" in capsys.readouterr().err
        program.unlink()
        assert main([*words, "--steps", "26"]) == 0
        assert "tiny.gml is not there any more: taken as" in capsys.readouterr().err
    finally:
        program.write_text(text)
    found = json.loads((run / "manifest.json").read_text())
    assert found["progress"]["step"] == 26 and found["program"]["text"] == text
    assert main(["run", "--resume", "--out", str(tmp_path / "none")]) == 1
    assert "E1042" in capsys.readouterr().err
    assert main(["run", "--resume"]) == 2
    assert "with `--out DIR` the program is that of the run in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("x: [B, (C H W)] in 0..1 from digits", "[N, (C H W)] in 0..1"),
        ("x: [B, C, H, W] in 0..1 from digits", "[N, C, H, W] in 0..1"),
        ("x: [B, D] from synthetic_ring8", "[N, D]"),
    ],
)
def test_a_sampler_that_is_missing_would_draw_what_the_data_are(
    declared: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = declared.partition("[B, ")[2].partition("]")[0]
    (tmp_path / "none.gml").write_text(f"""\
batch B

data {declared}

param centre: [{axes}] init normal(mean = 0, var = 1)

objective gap:
    minimize mean[B](sum[{axes}](square(x - centre)))

train:
    step gap over centre with sgd(lr = 0.1)
    batch B = 8
    steps 1
""")
    assert main(["run", str(tmp_path / "none.gml"), "--out", str(tmp_path / "run")]) == 0
    assert main(["sample", str(tmp_path / "run")]) == 1
    assert f"help: add `sampler examples[N = 64] -> {told}:` to" in capsys.readouterr().err


def test_raw_without_averaged_weights_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = "the program keeps no averaged weights (`ema` in `train:`): `--raw` changes nothing\n"
    for ema in (True, False):
        program = tiny(tmp_path, TINY if ema else TINY.replace("    ema 0.9\n", ""))
        out = str(tmp_path / f"run-{ema}")
        assert main(["run", str(program), "--raw", "--steps", "2", "--out", out]) == 0
        assert (f"note     {note}" in capsys.readouterr().out) is not ema
        assert main(["sample", out, "--raw", "--n", "2"]) == 0
        assert (f"note: {note}" in capsys.readouterr().err) is not ema
        assert main(["sample", out, "--n", "2"]) == 0
        assert "averaged" not in capsys.readouterr().err


def test_pictures_of_an_earlier_step_say_so(run: Path, trained: Path) -> None:
    """Those of `gendsl eval`, in the report of a run that went on."""
    assert main(["eval", str(run)]) == 0
    drawn = [Path(name).name for name in json.loads((run / "eval.json").read_text())["pictures"]]
    assert "traversal-pictures.png" in drawn
    words = ["run", str(trained / "tiny.gml"), "--out", str(run), "--resume", "--steps", "30"]
    assert main(words) == 0
    page = (run / "report.html").read_text()
    assert "<figcaption>traversal-pictures, of step 20</figcaption>" in page
    assert "<figcaption>samples of pictures</figcaption>" in page


def test_a_run_is_found_by_its_name(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And a program is asked for where the folder of a run is given."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained / "run", tmp_path / "runs" / "digits")
    for given in ("digits", "runs/digitz"):
        assert main(["sample", given]) == 1
        assert "did you mean `runs/digits`?" in capsys.readouterr().err
    assert main(["run", "runs/digits"]) == 1
    err = capsys.readouterr().err
    assert "E0002" in err and "`gendsl run PROGRAM --out runs/digits --resume`" in err


def test_each_show_is_measured_by_itself(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Code that was compiled for one picture is not run for the next one."""
    assert main(["eval", str(run), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    quality = {m["name"]: m["value"] for m in told["measured"] if "PSNR" in m["name"]}
    assert quality["itself: PSNR"] > 100  # of the data to all but themselves
    assert quality["reconstruction: PSNR"] < 30


def test_a_machine_reads_how_a_run_ended(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(trained / "tiny.gml"), "--steps", "4", "--format", "json"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["step"], told["state"], told["folder"]) == (4, "finished", str(tmp_path / "run"))
    assert "loss" in told["held_out"] and "held-out" in err


def test_certificates_have_a_place_before_anything_is_proved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["check", "autoencoder", "--certify", str(tmp_path / "file")]) == 1
    out, err = capsys.readouterr()
    assert "E1044" in err and not out
