"""What a person sees while a run trains: a live bar on a terminal, plain lines elsewhere.

In: steps, metrics and notes as they happen. Out: text. Always: numbers are named as in the
program, in nats where it claims a bound of nll; nothing here has any effect on the run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

PLAIN_EVERY = 5.0  # seconds between plain lines that no evaluation asks for
REFRESH_EVERY = 0.1


class Progress(Protocol):
    """A view of a running job."""

    def start(self, step: int, total: int) -> None: ...

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        """Called after every step, with the newest metrics that are known."""

    def evaluated(self, step: int, metrics: Mapping[str, float]) -> None:
        """Held-out metrics after `step` steps."""

    def note(self, text: str) -> None:
        """A line of text that stays."""

    def stop(self) -> None: ...


def short(metrics: Mapping[str, float]) -> str:
    """`neg_elbo 24.1 (recon 18.0, kl 6.1)`: the terms behind their objective."""
    parts = []
    for name, value in metrics.items():
        if "." not in name:
            terms = [
                f"{key.removeprefix(name + '.')} {number(v)}"
                for key, v in metrics.items()
                if key.startswith(f"{name}.")
            ]
            parts.append(f"{name} {number(value)}" + (f" ({', '.join(terms)})" if terms else ""))
    return ", ".join(parts)


def number(value: float) -> str:
    """Four significant digits, without an exponent where that is readable."""
    tidy = 1e-3 <= abs(value) < 1e5
    return (f"{value:#.4g}" if tidy else f"{value:.4g}").rstrip(".")


def duration(seconds: float) -> str:
    """`2.4 s`, `38 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Clock:
    """Rate and remaining time, from this session's own steps; the first step (warm-up) is left
    out of the rate."""

    def __init__(self, step: int, total: int) -> None:
        self._first, self._total = step + 1, total
        self._since: float | None = None

    def tick(self, step: int) -> tuple[float, float] | None:
        """(steps per second, seconds left) when there is something to go by."""
        now = time.monotonic()
        if self._since is None:
            self._since, self._first = now, step
            return None
        elapsed = now - self._since
        if step == self._first or elapsed <= 0:
            return None
        rate = (step - self._first) / elapsed
        return rate, (self._total - step) / rate


class PlainProgress:
    """Lines for logs and pipes: at every evaluation, and every few seconds in between."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._clock = Clock(0, 0)
        self._total = 0
        self._last_metrics: Mapping[str, float] = {}
        self._last_line = 0.0
        self._timing: tuple[float, float] | None = None

    def start(self, step: int, total: int) -> None:
        self._clock, self._total = Clock(step, total), total
        self._last_line = time.monotonic()

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        self._timing = self._clock.tick(step)
        self._last_metrics = metrics
        if time.monotonic() - self._last_line > PLAIN_EVERY:
            self._line(step, f"train {short(metrics)}")

    def evaluated(self, step: int, metrics: Mapping[str, float]) -> None:
        self._line(step, f"held-out {short(metrics)}")

    def _line(self, step: int, text: str) -> None:
        width = len(str(self._total))
        timing = ""
        if self._timing is not None:
            rate, left = self._timing
            timing = f"  {rate:.4g} steps/s" + (f", {duration(left)} left" if left > 0.5 else "")
        self.note(f"step {step:>{width}}/{self._total}  {text}{timing}")
        self._last_line = time.monotonic()

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def stop(self) -> None:
        self._stream.flush()


class LiveProgress:
    """A bar with rate and remaining time, and a table of every named term below it."""

    def __init__(self, console: Any) -> None:
        from rich.live import Live

        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._clock = Clock(0, 0)
        self._step = self._total = 0
        self._train: Mapping[str, float] = {}
        self._held_out: Mapping[str, float] = {}
        self._timing: tuple[float, float] | None = None
        self._drawn = 0.0

    def start(self, step: int, total: int) -> None:
        self._clock, self._step, self._total = Clock(step, total), step, total
        self._live.start()
        self._draw()

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        self._timing = self._clock.tick(step) or self._timing
        self._step, self._train = step, metrics
        if time.monotonic() - self._drawn > REFRESH_EVERY:
            self._draw()

    def evaluated(self, step: int, metrics: Mapping[str, float]) -> None:
        self._step, self._held_out = step, metrics
        self._draw()

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        self._draw()
        self._live.stop()

    def _draw(self) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=max(1, self._total), completed=self._step, width=36)
        timing = ""
        if self._timing is not None:
            rate, left = self._timing
            timing = f"{rate:.4g} steps/s, {duration(left)} left"
        head.add_row(bar, Text(f"{self._step}/{self._total}", "bold"), Text(timing, "dim"))
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("")
        table.add_column("train", justify="right")
        table.add_column("held-out", justify="right")
        for name in self._train or self._held_out:
            own = "." not in name
            label = name if own else "  " + name.split(".", 1)[1]
            cells = [number(m[name]) if name in m else "" for m in (self._train, self._held_out)]
            table.add_row(label, *cells, style="bold" if own else "")
        self._live.update(Group(head, table), refresh=True)
        self._drawn = time.monotonic()


def view(stream: TextIO | None = None) -> Progress:
    """A live bar when the stream is a terminal that can show one, else plain lines."""
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return PlainProgress(stream)
    try:
        from rich.console import Console
    except ImportError:  # rich only makes it nicer to look at
        return PlainProgress(stream)
    return LiveProgress(Console(file=stream))
