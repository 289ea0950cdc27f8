"""The parts of a report that are made on request: `--battery`, `--floats` and `--kernels`."""

from __future__ import annotations

from gendsl.cli.check import Extra
from gendsl.driver import Analysis


def extra_parts(analysis: Analysis, asked: tuple[str, ...]) -> tuple[Extra, ...]:
    """One part for each name in `asked`; none for a module without objectives."""
    if analysis.graph is None or not analysis.graph.objectives:
        return ()
    makers = {"battery": _battery, "floats": _floats, "kernels": _kernels}
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


def _kernels(analysis: Analysis) -> Extra:
    from gendsl.run.validate import validations
    from gendsl.validate.verdict import PROVED

    found = validations(analysis.path)
    lines = [line for part in found for line in part.text().splitlines()]
    proved = all(part.status == PROVED for part in found)
    data = {"proved": proved, "targets": [part.data() for part in found]}
    return Extra("kernels", data, tuple(lines))
