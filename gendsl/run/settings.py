"""`--set NAME=VALUE` and the declared defaults: the numbers of one run.

In: the program's interface and the settings as the user wrote them. Out: declared sizes, the batch
size and hyperparameters, each checked against its declaration. Always: a name that cannot be set,
or a value out of its range, is a coded error; all of them are reported at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gendsl.core.program import DimInfo, HyperInfo, Interface
from gendsl.diagnostics.model import Diagnostic, GendslError
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.shape.tensor_type import Range


@dataclass(frozen=True)
class Settings:
    """`sizes` holds every declared size (data sizes are bound later) and the batch size."""

    sizes: Mapping[str, int]
    hypers: Mapping[str, float]
    given: tuple[str, ...]


def settle(interface: Interface, given: Sequence[tuple[str, str]]) -> Settings:
    """Defaults, replaced by what was given (the last one counts). Raises `GendslError`."""
    problems: list[Diagnostic] = []
    sizes = {n: d.default for n, d in interface.dims.items() if d.default is not None}
    if interface.recipe is not None:
        sizes |= {n: interface.recipe.batch for n, d in interface.dims.items() if d.kind == "batch"}
    hypers = {n: h.default for n, h in interface.hypers.items()}
    for name, text in given:
        result = _value(interface, name, text)
        match result:
            case Diagnostic():
                problems.append(result)
            case int():
                sizes[name] = result
            case Fraction():
                hypers[name] = result
    problems += _unset(interface, sizes) + _too_small(interface, sizes)
    if problems:
        raise GendslError(*problems)
    names = tuple(dict.fromkeys(name for name, _ in given))
    return Settings(sizes, {n: float(v) for n, v in hypers.items()}, names)


def _value(interface: Interface, name: str, text: str) -> int | Fraction | Diagnostic:
    if name in interface.dims:
        return _size(interface.dims[name], text)
    if name in interface.hypers:
        if interface.recipe is not None and name in interface.recipe.schedules:
            return Diagnostic(
                "E1049",
                f"`{name}` is scheduled by the program: setting it would change nothing",
                help=f"change `schedule {name} = ...` in the program's `train:` block",
            )
        return _hyper(interface.hypers[name], text)
    return _unknown(interface, name)


def _size(info: DimInfo, text: str) -> int | Diagnostic:
    if info.kind == "data":
        return Diagnostic(
            "E1049",
            f"`{info.name}` cannot be set: its size comes from the data",
            help="choose other data with `--data NAME_OR_PATH`",
        )
    try:
        value = int(text)
    except ValueError:
        return Diagnostic(
            "E1048",
            f"`{info.name}` is a size: {text!r} is not a whole number",
            help=f"for example `--set {info.name}={info.default or 16}`",
        )
    if value < 1:
        return Diagnostic(
            "E1048",
            f"`{info.name}` is a size: {value} is not at least 1",
            help=f"for example `--set {info.name}={info.default or 16}`",
        )
    return value


def _hyper(info: HyperInfo, text: str) -> Fraction | Diagnostic:
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return Diagnostic(
            "E1048",
            f"`{info.name}` is a number: {text!r} is not",
            help=f"for example `--set {info.name}={float(info.default):g}`",
        )
    if not inside(value, info.range) or math.isinf(_as_float(value)):
        return Diagnostic(
            "E1048",
            f"`{info.name} = {text}` is outside of its declared range {info.range}",
            notes=("the program's claims are about values in this range only",),
            help="choose a value in the range, or change the range in the program",
        )
    return value


def _as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def inside(value: Fraction | float, bounds: Range) -> bool:
    """Whether a value lies in a closed range."""
    above = bounds.low is None or value >= bounds.low
    return above and (bounds.high is None or value <= bounds.high)


# What people set by another flag: words of the program's text, and flags of the command.
_FLAGS = {
    "data": "`--data NAME_OR_PATH`",
    "epochs": "`--steps N` (a step takes one batch)",
    "precision": "`--precision NAME`",
    "seed": "`--seed N`",
    "steps": "`--steps N`",
}
_BATCHES = ("b", "batch", "batch_size", "batchsize", "bs")
_RATES = ("lr", "learning_rate", "rate")


def _known_word(interface: Interface, name: str) -> str | None:
    """What to do instead of setting a word that a program or the command line has, but that is no
    name in this program."""
    word, recipe = name.lower().replace("-", "_"), interface.recipe
    batch = next((n for n, d in interface.dims.items() if d.kind == "batch"), None)
    if word in _FLAGS:
        return f"that is a flag: {_FLAGS[word]}"
    if word in _BATCHES and batch is not None:
        return f"the batch size is `--set {batch}=...`"
    if recipe is None:
        return None
    if word in _RATES and "lr" in recipe.schedules:
        return (
            "change `schedule lr = ...` in the program's `train:` block; a `hyper` may stand in "
            "it, which can be set here"
        )
    option = "lr" if word in _RATES else name
    for line in recipe.steps_lines:
        if option in line.optimizer.options:
            change = (
                f"change `{line.optimizer.name}({option} = ...)` in the program's `train:` block"
            )
            if option == "lr":
                change += (
                    "; to set it here, declare `hyper rate = 1e-3` and write `schedule lr = "
                    "constant(rate)` there, with `import schedules: constant`"
                )
            return change
    return None


def _unknown(interface: Interface, name: str) -> Diagnostic:
    fixed = {n for n, d in interface.dims.items() if d.kind == "data"}
    names = sorted((interface.dims.keys() | interface.hypers.keys()) - fixed)
    listed = ", ".join(f"`{n}`" for n in names)
    others = f"these can be set: {listed}" if names else "this program has nothing that can be set"
    advice = _known_word(interface, name) or did_you_mean(name, names) or others
    return Diagnostic(
        "E1047", f"the program has no size or hyperparameter called `{name}`", help=advice
    )


def _unset(interface: Interface, sizes: Mapping[str, int]) -> list[Diagnostic]:
    return [
        Diagnostic("E1048", f"the size `{n}` has no value", help=f"give one with `--set {n}=16`")
        for n, d in interface.dims.items()
        if d.kind != "data" and n not in sizes
    ]


def _too_small(interface: Interface, sizes: Mapping[str, int]) -> list[Diagnostic]:
    """Bounds that mention sizes of the data are left to the check after binding."""
    problems = []
    for name, info in interface.dims.items():
        if name in sizes and info.at_least.names <= sizes.keys():
            least = info.at_least.evaluate(sizes)
            if sizes[name] < least:
                problems.append(
                    Diagnostic(
                        "E1048",
                        f"`{name} = {sizes[name]}` is below its declared bound {info.at_least}",
                        help=f"choose `{name}` >= {math.ceil(least)}",
                    )
                )
    return problems
