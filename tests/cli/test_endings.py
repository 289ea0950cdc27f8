"""How commands end: exit codes, crash reports, closed pipes, colours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gendsl.__main__ import main
from gendsl.cli import check
from gendsl.cli.commands import COMMANDS
from gendsl.diagnostics.model import fail
from gendsl.driver import Analysis
from gendsl.prove.verdict import ClaimReport, Verdict

GOOD = "dim Z = 4\n"


def claims(*verdicts: Verdict) -> tuple[ClaimReport, ...]:
    return tuple(ClaimReport(f"c{i}", "a == b", verdict) for i, verdict in enumerate(verdicts))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.gml").write_text(GOOD)
    return "good.gml"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), 0),
        (("proved", "certified"), 0),
        (("proved", "unknown"), 3),
        (("measured",), 3),
        (("unknown", "refuted"), 1),
    ],
)
def test_verdicts_decide(
    verdicts: tuple[Verdict, ...], code: int, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Analysis(program, claims=claims(*verdicts))
    monkeypatch.setattr(check, "analyse", lambda path, sink, **_: found)
    assert main(["check", program]) == code


def test_the_worst_file_decides() -> None:
    assert check.worst([0, 3, 0]) == 3
    assert check.worst([3, 1, 0]) == 1
    assert check.worst([]) == 0


def test_json_lines(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "bad.gml").write_text("dim Z = = 4\n")
    assert main(["check", ".", "missing.gml", "--format", "json"]) == 1
    out = capsys.readouterr()
    objects = [json.loads(line) for line in out.out.splitlines()]
    assert [o["file"] for o in objects] == ["bad.gml", "good.gml", "missing.gml"]
    assert all(list(o) == ["file", "graph_hash", "claims", "diagnostics"] for o in objects)
    assert [[d["code"] for d in o["diagnostics"]] for o in objects] == [["E0101"], [], ["E0001"]]
    assert out.err == ""


def test_claims_in_json(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = ClaimReport("o.c", "a == b", "refuted", witness={"B": 1}, ms=1.23456)
    monkeypatch.setattr(
        check, "analyse", lambda path, sink, **_: Analysis(path, graph_hash="ab", claims=(report,))
    )
    assert main(["check", program, "--format", "json"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    value = json.loads(line)
    assert value["graph_hash"] == "ab"
    assert value["claims"][0]["verdict"] == "refuted"
    assert value["claims"][0]["witness"] == {"B": 1}
    assert ": " not in line.replace("a == b", "")


def test_a_user_error_is_rendered(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(args: object) -> int:
        raise fail("E1041", "not empty", help="choose another")

    monkeypatch.setattr("gendsl.cli.run.execute", refuse)
    assert main(["run", program]) == 1
    assert capsys.readouterr().err == "error[E1041]: not empty\n  = help: choose another\n\n"
    assert main(["run", program, "--format=json"]) == 1
    assert json.loads(capsys.readouterr().err)["code"] == "E1041"


def crash(path: str, sink: object, **_: object) -> Analysis:
    graph_hash_holder = Analysis(path, graph_hash="c0ffee")
    raise ZeroDivisionError(f"division by zero\nof {graph_hash_holder.path}")


def test_a_bug_is_reported_as_one(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GENDSL_DEBUG", raising=False)
    monkeypatch.setattr(check, "analyse", crash)
    assert main(["check", program]) == 70
    error = capsys.readouterr().err
    assert "internal error in stage `command line`: ZeroDivisionError: division by zero\n" in error
    assert "graph   c0ffee" in error
    assert "command gendsl check good.gml" in error
    assert "Traceback" not in error
    monkeypatch.setenv("GENDSL_DEBUG", "1")
    assert main(["check", program]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("broken", "stage"),
    [("gendsl.core.from_syntax.check", "driver"), ("gendsl.core.modules.parse", "check")],
)
def test_the_stage_of_a_crash_is_named(
    broken: str,
    stage: str,
    program: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("GENDSL_DEBUG", raising=False)
    monkeypatch.setattr(broken, None)
    assert main(["check", program]) == 70
    assert f"in stage `{stage}`: TypeError" in capsys.readouterr().err


def test_a_missing_package_is_named(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(path: str, sink: object, **_: object) -> Analysis:
        raise ModuleNotFoundError("No module named 'numpy.linalg'", name="numpy.linalg")

    monkeypatch.setattr(check, "analyse", missing)
    assert main(["check", program]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: the Python package `numpy` is not installed\n")
    assert "gendsl doctor" in error


def test_interrupted(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(path: str, sink: object, **_: object) -> Analysis:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "analyse", interrupt)
    assert main(["check", program]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_closed_pipe_is_no_crash(root: Path) -> None:
    command = f"{sys.executable} -m gendsl explain --list | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.returncode in (0, 1)
    assert len(done.stdout.splitlines()) == 1


def test_colour_follows_the_environment(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["check", program])
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    main(["check", program])
    assert "\x1b[" not in capsys.readouterr().out


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in COMMANDS.items():
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        assert end.value.code == 0
        assert text in capsys.readouterr().out


@pytest.mark.parametrize("stage", ["ast", "core", "graph"])
def test_emit(stage: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = str(root / "programs" / "vae.gml")
    assert main(["check", program, "--emit", stage]) == 0
    out = capsys.readouterr()
    assert "encoder" in out.out
    assert out.err == ""
    assert len(out.out) < 400_000


def test_emit_prints_the_stages_that_were_reached(
    program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.gml").write_text("fn f(x: real) -> real:\n    return y\n")
    assert main(["check", "bad.gml", "--emit", "ast"]) == 1
    out = capsys.readouterr()
    assert "FnDecl" in out.out
    assert "E0201" in out.err
