"""What a person sees while a run trains."""

from __future__ import annotations

import io

import pytest

from gendsl.run import progress


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (24.0812, "24.08"),
        (1.0, "1.000"),
        (1234.5, "1234."),
        (54321.0, "5.432e+04"),
        (123456.0, "1.235e+05"),
        (0.00012, "0.00012"),
        (0.0, "0"),
        (-0.5, "-0.5000"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert progress.number(value) == text.rstrip(".")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (9.96, "10 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text


def test_terms_stand_behind_their_objective() -> None:
    metrics = {"d": 1.0, "d.real": 0.5, "d.fake": 0.25, "g": 2.0}
    assert progress.short(metrics) == "d 1.000 (real 0.5000, fake 0.2500), g 2.000"


def test_plain_lines_for_pipes() -> None:
    stream = io.StringIO()
    view = progress.view(stream)
    assert isinstance(view, progress.PlainProgress)
    view.start(0, 200)
    view.step(1, {"loss": 3.0})
    view.step(100, {"loss": 2.0})
    view.evaluated(100, {"loss": 2.5, "loss.kl": 0.5})
    view.stop()
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("step 100/200  held-out loss 2.500 (kl 0.5000)")
    assert "steps/s" in line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_live_bar_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "REFRESH_EVERY", 0.0)
    stream = Terminal()
    view = progress.view(stream)
    assert isinstance(view, progress.LiveProgress)
    view.start(0, 200)
    view.step(1, {"loss": 3.0, "loss.kl": 1.0})
    view.step(50, {"loss": 2.0, "loss.kl": 0.75})
    view.evaluated(100, {"loss": 2.5, "loss.kl": 0.5})
    view.note("a line that [stays]")
    view.stop()
    text = stream.getvalue()
    for part in ("steps/s", "held-out", "kl", "0.7500", "2.500", "a line that [stays]"):
        assert part in text


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress.view(Terminal()), progress.PlainProgress)
