"""`manifest.json`: what a run is, so that it can be told apart, repeated and resumed.

In: the settled job. Out: a JSON object with sorted keys. `identity` is what resume compares: two
runs with equal identities go through the same numbers, step by step. Always: written whole;
"finished" is true only when the last step, the final checkpoint and the pictures are there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gendsl.core.program import Recipe
from gendsl.diagnostics.model import GendslError, fail
from gendsl.run.files import disk_errors, write_whole

Json = dict[str, Any]

_WHAT = {
    "graph_hash": "the program (its graph)",
    "seed": "the seed",
    "data_hash": "the data",
    "recipe": "the training recipe",
}


def recipe_text(recipe: Recipe) -> list[str]:
    """The recipe without its length, one fact a line; equal texts train equally."""
    lines = []
    for step in recipe.steps_lines:
        options = ", ".join(f"{k} = {v}" for k, v in sorted(step.optimizer.options.items()))
        verb = "maximize step" if step.maximize else "step"
        times = f" times {step.times}" if step.times != 1 else ""
        groups = ", ".join(step.groups)
        lines.append(f"{verb} {step.objective} over {groups} with {step.optimizer.name}({options}){times}")
    lines += [f"schedule {name}" for name in sorted(recipe.schedules)]
    if recipe.clip is not None:
        lines.append(f"clip {recipe.clip}")
    if recipe.ema is not None:
        lines.append(f"ema {recipe.ema}")
    return lines


def write(path: Path, manifest: Json) -> None:
    write_whole(path, json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read(path: Path) -> Json:
    """The manifest of an earlier run."""
    with disk_errors("read", path):
        raw = path.read_bytes()
    try:
        manifest = json.loads(raw)
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("identity"), dict):
        raise _damaged(path)
    if not isinstance(manifest.get("steps"), int):
        raise _damaged(path)
    return manifest


def _damaged(path: Path) -> GendslError:
    return fail(
        "E1052",
        f"{path} is not the manifest of a run",
        help="start a new run with `--out DIR`",
    )


def require_same(then: Mapping[str, Any], now: Mapping[str, Any], command: str) -> None:
    """Refuse to go on with another program, data, or other numbers; says everything that differs.

    `command` is how the run was started (the help repeats it with `--resume`)."""
    differences = []
    for key in sorted(now.keys() | then.keys()):
        before, after = then.get(key), now.get(key)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            for name in sorted(before.keys() | after.keys()):
                if before.get(name) != after.get(name):
                    differences.append(_difference(f"`{name}`", before.get(name), after.get(name)))
        else:
            differences.append(_difference(_WHAT.get(key, f"`{key}`"), before, after))
    if differences:
        raise fail(
            "E1045",
            "this run was started differently: going on would mix two runs",
            notes=tuple(differences),
            help=f"go on with `{command}`, or start a new run with `--out DIR`",
        )


def _difference(what: str, before: Any, after: Any) -> str:
    return f"{what}: {_short(before)} in the run folder, {_short(after)} now"


def _short(value: Any) -> str:
    if value is None:
        return "absent"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    return str(value)


def versions() -> dict[str, str]:
    """What the numbers depend on besides the program: asked for without importing anything."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("gendsl", "numpy", "torch", "triton", "safetensors"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
