"""The pictures of a report: those of the end, in the program's order, and samples over time.

In: a run folder and its manifest. Out: HTML figures with their PNGs embedded. Always: whose picture
it is stands below it: the sampler's name, and the step where that is not the run's last one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from gendsl.run.files import disk_errors
from gendsl.run.folder import RunFolder

Json = dict[str, Any]

SHOWN_STEPS = 6  # pictures in the strip of samples over time

# `gendsl eval` and the end of a run name a picture by its kind and the sampler: "nearest-ddim".
_OF_SAMPLERS = ("scatter", "denoising", "traversal", "interpolation", "nearest")


def final_pictures(folder: RunFolder, manifest: Json) -> str:
    """Samples first, then `show` values, then the further pictures of each sampler; samplers stand
    as in the program. Those of `gendsl eval` are of the step that was measured last, which they say
    if the run has gone on since."""
    step = manifest["progress"]["step"]
    measured, drawn = _evaluated(folder)
    samples = dict(manifest.get("samples", ()))  # an older manifest says neither
    samplers = manifest.get("samplers", [])
    found = sorted(
        (p for p in folder.path.glob("*.png") if p.name != "curves.png"),
        key=lambda path: _place(path, list(samples), samplers),
    )
    captions = {}
    if manifest["progress"]["state"] in ("finished", "interrupted"):
        drawn -= {f"denoising-{name}.png" for name in samplers[:1]}  # the run's end draws it again
    for path in found:
        captions[path] = path.stem  # with names as the program has them
        if path.name in samples:
            captions[path] = f"samples of {samples[path.name]}"
        if path.name in drawn and measured != step:
            captions[path] += f", of step {measured:,}"
    return _strip(_figure(path, caption) for path, caption in captions.items())


def _place(path: Path, samples: list[str], samplers: list[str]) -> tuple[int, int, str]:
    """What the pictures are sorted by; `samples` are the files of samples."""
    kind, _, sampler = path.stem.partition("-")
    if path.name in samples or kind == "samples":
        return 0, _rank(path.name, samples), path.name
    if kind in _OF_SAMPLERS:
        return 2 + _OF_SAMPLERS.index(kind), _rank(sampler, samplers), path.name
    return 1, 0, path.name


def _rank(name: str, names: list[str]) -> int:
    return names.index(name) if name in names else len(names)


def _evaluated(folder: RunFolder) -> tuple[int, set[str]]:
    """The step that `gendsl eval` measured last, and the names of its pictures. The end of a run
    does not depend on that file: a damaged one names none, and `gendsl eval` writes it anew."""
    path = folder.path / "eval.json"
    if not path.is_file():
        return 0, set()
    with disk_errors("read", path):
        text = path.read_text()
    try:
        found = json.loads(text)
        return int(found["step"]), {Path(name).name for name in found["pictures"]}
    except (ValueError, KeyError, TypeError):
        return 0, set()


def over_time(folder: RunFolder) -> str:
    """The same latent variables at some steps, evenly spread over the pictures that there are."""
    found = sorted(folder.samples.glob("step-????????.png"))
    last = len(found) - 1
    picked = (
        sorted({round(i * last / (SHOWN_STEPS - 1)) for i in range(SHOWN_STEPS)}) if found else []
    )
    return _strip(
        _figure(found[i], f"step {int(found[i].stem.removeprefix('step-')):,}") for i in picked
    )


def _figure(path: Path, caption: str) -> str:
    with disk_errors("read", path):
        data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><img alt="{escape(caption, quote=True)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _strip(figures: Iterable[str]) -> str:
    together = "".join(figures)
    return f'<div class="pictures">{together}</div>' if together else ""
