"""Finding a compilation target by name, and saying clearly when it cannot run here.

In: "torch_cpu" or "triton_cuda". Out: a `Target` that is able to run, else a coded error with the
fix. Entry points of the group `gendsl.targets` come first, so that a package can bring its own.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from gendsl.diagnostics.model import GendslError, fail
from gendsl.precision import FLOAT32
from gendsl.target import Target

BUILT_IN = {
    "torch_cpu": "backends.torch_cpu:TARGET",
    "triton_cuda": "backends.triton_cuda:TARGET",
}
_WORDS = {"torch_cpu": "the CPU", "triton_cuda": "CUDA"}


def find(name: str, precision: str = FLOAT32, *, to_run: bool = True) -> Target:
    """The target with products of that precision, ready to run, or else (`to_run` false) to write
    its source only. Raises E0901 when it cannot, E0904 when it has no such precision."""
    places = {point.name: point.value for point in entry_points(group="gendsl.targets")}
    place = places.get(name, BUILT_IN.get(name, ""))
    module, _, attribute = place.partition(":")
    try:
        target = cast(Target, getattr(import_module(module), attribute))
    except ModuleNotFoundError as error:
        raise _absent(name, module, error.name or module) from error
    reason = target.unavailable() if to_run else None
    if reason is not None:
        what, _, fix = reason.partition("; ")
        raise fail("E0901", f"cannot run on {_WORDS.get(name, name)}: {what}", help=fix or None)
    if precision not in target.precisions:
        raise _without(name, target, precision)
    target = target.with_precision(precision)
    keeping = getattr(target, "keeping_plans", None)  # what compiled before is not compiled again
    return cast(Target, keeping()) if keeping is not None and to_run else target


def _without(name: str, target: Target, precision: str) -> GendslError:
    had = " and ".join(f"`{p}`" for p in target.precisions)
    other = "run with `--cuda`, or " if name == "torch_cpu" else ""
    return fail(
        "E0904",
        f"{_WORDS.get(name, name)} has no `{precision}` products: it computes with {had}",
        help=f"{other}take `--precision float32`",
    )


def _absent(name: str, module: str, missing: str) -> GendslError:
    words = _WORDS.get(name, name)
    if module == missing or module.startswith(f"{missing}."):
        return fail(
            "E0901",
            f"this gendsl has no target for {words}",
            help="leave `--cuda` out to run on the CPU; its source is `--emit torch`"
            if name == "triton_cuda"
            else "install gendsl again",
        )
    return fail(
        "E0901",
        f"running on {words} needs the Python package `{missing}`",
        help="install it with `pip install 'gendsl[train]'`; `gendsl doctor` checks the rest",
    )


def require_packages() -> None:
    """What writing a run folder needs, asked for before anything is done (E1058)."""
    from importlib.util import find_spec

    missing = [
        name
        for name, module in (("pillow", "PIL"), ("safetensors", "safetensors"))
        if not find_spec(module)
    ]
    if missing:
        raise fail(
            "E1058",
            f"running needs the Python package{'s' * (len(missing) > 1)} {', '.join(missing)}",
            help="install with `pip install 'gendsl[train]'`",
        )
