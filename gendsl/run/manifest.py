"""`manifest.json`: what a run is, so that it can be told apart, repeated and resumed.

In: the settled job. Out: a JSON object with sorted keys. The keys in `IDENTITY` are what resume
compares: two runs with these equal go through the same numbers, step by step. Always: written
whole; "finished" is true only when the last step, its checkpoint and the pictures are there.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gendsl import __version__
from gendsl.core.program import Recipe
from gendsl.diagnostics.model import GendslError, fail
from gendsl.ir.graph import Node
from gendsl.ir.text import nodes_text
from gendsl.precision import FLOAT32
from gendsl.run.files import disk_errors, write_whole

Json = dict[str, Any]

FORMAT = "gendsl-run-1"
IDENTITY = ("graph_hash", "sizes", "hypers", "recipe", "seed", "data_hash", "precision")

NEEDED = ("command", "finished", "program", "progress", "steps")  # of what reads it again

_WHAT = {
    "graph_hash": "the program (its graph)",
    "seed": "the seed",
    "data_hash": "the data",
    "recipe": "the training recipe",
    "precision": "the precision of products",
}


def recipe_text(recipe: Recipe, schedules: Mapping[str, Node]) -> list[str]:
    """The recipe without its length, one fact a line; equal texts train equally. A schedule is
    named by the hash of its graph, since the program's graph hash leaves it out."""
    digests = {
        name: hashlib.sha256(nodes_text({name: schedules[name]}).encode()).hexdigest()[:12]
        for name in sorted(recipe.schedules)
    }
    return _recipe_lines(recipe, {name: f"graph {found}" for name, found in digests.items()}, {})


def recipe_told(recipe: Recipe) -> list[str]:
    """The same for a reader: schedules as the program writes them, and no number that one of them
    replaces."""
    replaced = {"lr": "lr as scheduled"} if "lr" in recipe.schedules else {}
    return _recipe_lines(recipe, recipe.written, replaced)


def _recipe_lines(
    recipe: Recipe, schedules: Mapping[str, str], replaced: Mapping[str, str]
) -> list[str]:
    lines = []
    for step in recipe.steps_lines:
        options = ", ".join(
            replaced.get(k, f"{k} = {float(v)!r}")
            for k, v in sorted(step.optimizer.options.items())
        )
        verb = "maximize step" if step.maximize else "step"
        times = f" times {step.times}" if step.times != 1 else ""
        groups = ", ".join(step.groups)
        lines.append(
            f"{verb} {step.objective} over {groups} with {step.optimizer.name}({options}){times}"
        )
    lines += [f"schedule {name} = {text}" for name, text in schedules.items()]
    if recipe.clip is not None:
        lines.append(f"clip {float(recipe.clip)!r}")
    if recipe.ema is not None:
        lines.append(f"ema {float(recipe.ema)!r}")
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
    known = isinstance(manifest, dict) and manifest.get("format") == FORMAT
    if known:
        manifest.setdefault("precision", FLOAT32)  # before there was a choice
    if not known or not {*IDENTITY, *NEEDED} <= manifest.keys():
        raise _damaged(path)
    return dict(manifest)


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
    for key in IDENTITY:
        before, after = then[key], now[key]
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

    found = {"gendsl": __version__, "python": platform.python_version()}
    for name in ("numpy", "torch", "triton", "safetensors"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def summary(found: Mapping[str, Any], folder: Path) -> str:
    """What `gendsl run --format json` prints: where the run stands and what it wrote."""
    progress = found["progress"]
    pictures = sorted(str(path) for path in folder.glob("*.png"))
    told = {
        "program": found["program"]["path"],
        "folder": str(folder),
        "step": progress["step"],
        "steps": found["steps"],
        "state": progress["state"],
        "seconds": progress["seconds"],
        "held_out": progress["held_out"],
        "claims": {claim["name"]: claim["verdict"] for claim in found["claims"]},
        "report": str(folder / "report.html"),
        "pictures": pictures,
    }
    return json.dumps(told, indent=2)


def resume_command(command: str, folder: Path) -> str:
    """The command line that goes on with the run in `folder`."""
    words = shlex.split(command)
    out = [] if "--out" in words else ["--out", str(folder)]
    return shlex.join([*words, *out, "--resume"])


def further_command(command: str, folder: Path, steps: int) -> str:
    """The same, to a larger number of steps."""
    words = _without(shlex.split(command), "--steps")
    return resume_command(shlex.join([*words, "--steps", str(steps)]), folder)


def fresh_command(command: str) -> str:
    """The command line that repeats the run in a folder of its own."""
    return shlex.join(_without(shlex.split(command), "--out"))


def _without(words: list[str], flag: str) -> list[str]:
    """The words without a flag and its value."""
    if flag not in words:
        return words
    place = words.index(flag)
    return words[:place] + words[place + 2 :]
