"""What is shown while claims are proved, and that nothing is proved before what can be refused."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest

from gendsl.__main__ import main
from gendsl.diagnostics.model import Sink
from gendsl.options import RunOptions
from gendsl.run import proving
from gendsl.run.prepare import proved, read_program
from gendsl.run.proving import ERASE, Proving
from tests.run.making import TINY, codes, tiny


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line at once."""
    monkeypatch.setattr(proving, "SOON", 0.01)
    monkeypatch.setattr(proving, "REFRESH_EVERY", 0.01)
    monkeypatch.setattr(proving, "PLAIN_EVERY", 0.01)


def shown(stream: io.StringIO, text: str) -> None:
    """Wait until the stream has it."""
    end = time.monotonic() + 60
    while text not in stream.getvalue():
        assert time.monotonic() < end, stream.getvalue()[:200]
        time.sleep(0.002)


@pytest.mark.usefixtures("quick")
def test_lines_for_pipes() -> None:
    stream = io.StringIO()
    with Proving(stream, 2) as view:
        view.begin("kl_nonneg")
        shown(stream, "proving  claim 1 of 2, kl_nonneg (0.")
        view.begin("kl_zero")
        shown(stream, "proving  claim 2 of 2, kl_zero (0.")
    assert "\r" not in stream.getvalue() and stream.getvalue().endswith(" s)\n")


@pytest.mark.usefixtures("quick")
def test_one_line_on_a_terminal_that_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    with Proving(stream, 2) as view:
        view.begin("kl_nonneg")
        shown(stream, f"{ERASE}proving  claim 1 of 2, kl_non{ERASE}")  # never wider than 29
    assert "\n" not in stream.getvalue() and stream.getvalue().endswith(ERASE)


def test_nothing_is_shown_of_what_is_quickly_done() -> None:
    stream = Terminal()
    with Proving(stream, 1) as view:
        view.begin("kl_nonneg")
    with Proving(stream):
        pass
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("quick")
def test_a_failure_ends_it() -> None:
    stream = io.StringIO()
    view = Proving(stream, 1)
    with pytest.raises(KeyboardInterrupt), view:
        view.begin("kl_nonneg")
        raise KeyboardInterrupt
    assert not view._thread.is_alive()


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.usefixtures("quick")
def test_every_claim_is_named(
    quiet: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the name it has in the program; not at all where JSON is asked for."""
    claims = "claims loss:\n    a: size >= 0\n    b: recon >= 0\n\ntrain:"
    options = RunOptions(str(tiny(tmp_path, TINY.replace("train:", claims, 1))))
    begun: list[str] = []
    monkeypatch.setattr(Proving, "begin", lambda self, name: begun.append(name))
    found = proved(read_program(options, Sink(), prove=False), quiet=quiet)
    assert [c.verdict for c in found.claims] == ["proved", "proved"]
    assert begun == ([] if quiet else ["a", "b"]) and capsys.readouterr().err == ""


@pytest.mark.parametrize(("format", "names"), [("text", ["small"]), ("json", [])])
def test_check_shows_it_to_a_person(
    format: str, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal, and never beside JSON."""
    begun: list[str] = []
    monkeypatch.setattr(Proving, "begin", lambda self, name: begun.append(name))
    path = tiny(tmp_path, TINY.replace("train:", "claims loss:\n    small: size >= 0\n\ntrain:", 1))
    monkeypatch.setattr("sys.stdout", Terminal())
    assert main(["check", str(path), "--format", format]) == 0
    assert begun == names


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"data": "mnsit"}, "E1000"),
    ({"data": "./nowhere.npy"}, "E1000"),
    ({"settings": (("betta", "1"),)}, "E1047"),
    ({"settings": (("B", "100000"),)}, "E1027"),
    ({"precision": "bf16"}, "E0904"),
]


@pytest.mark.parametrize(("asked", "code"), REFUSED)
def test_what_can_be_refused_is_before_anything_is_proved(
    asked: dict[str, Any], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gendsl.driver.settle", None)
    assert codes(tiny(tmp_path), tmp_path / "run", **asked) == [code]
    assert not (tmp_path / "run").exists()
