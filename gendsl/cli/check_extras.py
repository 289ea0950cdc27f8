"""The parts of a report that are made on request: `--battery` and `--floats`."""

from __future__ import annotations

from gendsl.cli.check import Extra
from gendsl.driver import Analysis


def extra_parts(analysis: Analysis, asked: tuple[str, ...]) -> tuple[Extra, ...]:
    """One part for each name in `asked`; none for a module without objectives."""
    if analysis.graph is None or not analysis.graph.objectives:
        return ()
    makers = {"battery": _battery, "floats": _floats}
    return tuple(makers[name](analysis) for name in asked)


def _battery(analysis: Analysis) -> Extra:
    from gendsl.cli.battery_report import battery_json, battery_lines
    from gendsl.prove.battery import battery

    assert analysis.graph is not None and analysis.interface is not None
    found = battery(analysis.graph, analysis.interface)
    return Extra("battery", battery_json(found), tuple(battery_lines(found)))


def _floats(analysis: Analysis) -> Extra:
    from gendsl.cli.floats_report import floats_json, floats_lines
    from gendsl.prove.floats import float_bounds

    assert analysis.graph is not None and analysis.interface is not None
    found = float_bounds(analysis.graph, analysis.interface)
    return Extra("floats", floats_json(found), tuple(floats_lines(found)))
