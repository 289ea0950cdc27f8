"""Checkpoints: one safetensors file holds everything that a step changes.

In and out: the values of `StepGraph.updates` by key (parameters, optimizer slots, states, EMA
weights), bit for bit. Always: a file with a checkpoint's name is complete (it is written under a
temporary name and renamed), and its metadata says which program it belongs to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.diagnostics.model import GendslError, fail
from gendsl.run.files import disk_errors, write_whole

FORMAT = "gendsl-checkpoint-1"
KEPT = 3

Array = np.ndarray[Any, Any]

_NAME = re.compile(r"step-([0-9]{8,})\.safetensors")
_STEP_KEY = "step"


@dataclass(frozen=True)
class Checkpoint:
    """`values` by key after `step` updates."""

    step: int
    values: Mapping[str, Array]
    graph_hash: str


def file_name(step: int) -> str:
    return f"step-{step:08d}.safetensors"


def steps(folder: Path) -> list[int]:
    """The steps that have a checkpoint in `folder`, ascending."""
    if not folder.is_dir():
        return []
    with disk_errors("read", folder):
        names = [_NAME.fullmatch(path.name) for path in folder.iterdir()]
    return sorted(int(name[1]) for name in names if name)


def latest(folder: Path) -> Path | None:
    """The newest checkpoint of a folder, None when there is none."""
    found = steps(folder)
    return folder / file_name(found[-1]) if found else None


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write the checkpoint, then drop all but the newest few."""
    from safetensors.numpy import save as encode

    from gendsl import __version__

    tensors = {k: np.ascontiguousarray(v).reshape(v.shape) for k, v in checkpoint.values.items()}
    tensors[_STEP_KEY] = np.asarray(checkpoint.step, dtype=np.int64)
    metadata = {
        "format": FORMAT,
        "gendsl": __version__,
        "graph_hash": checkpoint.graph_hash,
        "step": str(checkpoint.step),
    }
    path = folder / file_name(checkpoint.step)
    write_whole(path, _ordered_header(encode(tensors, metadata)))
    for step in [s for s in steps(folder) if s <= checkpoint.step][:-KEPT]:
        with disk_errors("remove", path):
            (folder / file_name(step)).unlink()
    return path


def _ordered_header(raw: bytes) -> bytes:
    """The file with its header's keys sorted: the library writes them in an order that changes from
    call to call, and equal checkpoints are to be equal files."""
    length = int.from_bytes(raw[:8], "little")
    header = json.dumps(json.loads(raw[8 : 8 + length]), sort_keys=True, separators=(",", ":"))
    padded = header.encode().ljust(-(-len(header.encode()) // 8) * 8)
    return len(padded).to_bytes(8, "little") + padded + raw[8 + length :]


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; a file that is none is a coded error."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as decode

    with disk_errors("read", path):
        raw = path.read_bytes()
    try:
        tensors = decode(raw)
        length = int.from_bytes(raw[:8], "little")
        metadata = json.loads(raw[8 : 8 + length]).get("__metadata__", {})
    except (SafetensorError, ValueError, KeyError) as error:
        raise _broken(path, "it is not a complete safetensors file") from error
    if metadata.get("format") != FORMAT:
        raise _broken(path, f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
    step = tensors.pop(_STEP_KEY, None)
    if step is None or step.shape != ():
        raise _broken(path, "it holds no step number")
    values = {key: np.array(value) for key, value in tensors.items()}
    return Checkpoint(int(step), values, metadata.get("graph_hash", ""))


def _broken(path: Path, why: str) -> GendslError:
    return fail(
        "E1051",
        f"cannot read the checkpoint {path}: {why}",
        help="remove this file: `--resume` then goes on from the checkpoint before it",
    )


def check_fits(checkpoint: Checkpoint, expected: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """The checkpoint holds exactly the expected keys and shapes, else E1051."""
    found = {key: value.shape for key, value in checkpoint.values.items()}
    for key in sorted(expected.keys() - found.keys()):
        raise _broken(path, f"it holds no {key}")
    for key in sorted(found.keys() - expected.keys()):
        raise _broken(path, f"it holds {key}, which this program does not have")
    for key, shape in expected.items():
        if found[key] != shape:
            raise _broken(path, f"{key} has shape {found[key]}, not {shape}")
