"""The parts of a report that are made on request: `--battery`, `--floats` and `--kernels`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gendsl.cli.check import Extra, Say
from gendsl.cli.output import shown_path
from gendsl.driver import Analysis

if TYPE_CHECKING:
    from gendsl.validate.verdict import Kernel

_NAME = 32  # columns of kernels' names where later ones are not known yet


def extra_parts(
    analysis: Analysis, asked: tuple[str, ...], say: Say | None = None
) -> tuple[Extra, ...]:
    """One part for each name in `asked`; none for a module without objectives. What takes long
    tells `say` of its progress."""
    if analysis.graph is None or not analysis.graph.objectives:
        return ()
    makers = {"battery": _battery, "floats": _floats, "kernels": _kernels}
    return tuple(makers[name](analysis, say) for name in asked)


def _battery(analysis: Analysis, say: Say | None) -> Extra:
    from gendsl.cli.battery_report import battery_json, battery_lines
    from gendsl.prove.battery import battery

    assert analysis.graph is not None and analysis.interface is not None
    found = battery(analysis.graph, analysis.interface)
    return Extra("battery", battery_json(found), tuple(battery_lines(found)))


def _floats(analysis: Analysis, say: Say | None) -> Extra:
    from gendsl.cli.floats_report import floats_json, floats_lines
    from gendsl.prove.floats import float_bounds

    assert analysis.graph is not None and analysis.interface is not None
    found = float_bounds(analysis.graph, analysis.interface)
    return Extra("floats", floats_json(found), tuple(floats_lines(found)))


def _kernels(analysis: Analysis, say: Say | None) -> Extra:
    """Kernels that `say` was told of as they were judged are not listed again."""
    from gendsl.run.validate import validations
    from gendsl.validate.verdict import PROVED

    def report(kernel: Kernel) -> None:
        if say is not None:
            say("\n".join(kernel.lines(_NAME)))

    if say is not None:
        say(f"{shown_path(analysis.path)}: kernels, as they are judged")
    found = validations(analysis.path, report)
    lines = [line for part in found for line in part.text(kernels=say is None).splitlines()]
    proved = all(part.status == PROVED for part in found)
    data = {"proved": proved, "targets": [part.data() for part in found]}
    return Extra("kernels", data, tuple(lines))
