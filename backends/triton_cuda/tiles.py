"""Which tile a product gets: the one that was measured for it on this GPU, else a table's.

In: the GPU's name. Out: `Tiles`, which answers for a `Product`. What was measured lies in
`CACHE/tiles/GPU-triton-VERSION.json`, by the products' keys; the table `tiles.json` comes with
gendsl and answers for every product by its shape, so a first run needs no tuning. Always: a file
that is not as it should be is said (W0903) and has no effect; files are written whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from backends.triton_cuda import loader
from backends.triton_cuda.launch import Product
from backends.triton_cuda.notice import warn
from backends.triton_cuda.tiling import DEPTHS, SIDES, Tiling
from gendsl.cache import put

FORMAT = "gendsl-tiles-1"
SHIPPED = Path(__file__).with_name("tiles.json")


@dataclass(frozen=True)
class Entry:
    """A row of the table: for GPUs whose name starts so, and products at least so large. The tile
    is cut to the product."""

    gpu: str
    least: tuple[int, int, int]
    tiling: Tiling


@dataclass(frozen=True)
class Tiles:
    """What products get on one GPU; `gpu` is "" where none is at hand."""

    gpu: str
    chosen: Mapping[str, Tiling]
    table: tuple[Entry, ...]

    def __call__(self, product: Product) -> Tiling | None:
        if product.key in self.chosen:
            return self.chosen[product.key]
        extents = (product.rows, product.columns, product.depth)
        for entry in self.table:
            large = all(size >= least for size, least in zip(extents, entry.least, strict=True))
            if large and self.gpu.startswith(entry.gpu):
                return _cut(entry.tiling, product)
        return None

    def with_choice(self, key: str, tiling: Tiling) -> Tiles:
        return Tiles(self.gpu, {**self.chosen, key: tiling}, self.table)


def _cut(tiling: Tiling, product: Product) -> Tiling:
    """No side is larger than it has to be."""
    extents = ((tiling.rows, product.rows), (tiling.columns, product.columns))
    rows, columns = (max(SIDES[0], min(s, 1 << (e - 1).bit_length())) for s, e in extents)
    return Tiling(rows, columns, tiling.depth, tiling.warps, tiling.stages)


@cache
def shipped() -> tuple[Entry, ...]:
    """The table that comes with gendsl."""
    content = json.loads(SHIPPED.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(f"{SHIPPED.name} has the format {content['format']}")
    return tuple(
        Entry(row["gpu"], tuple(row["least"]), _tiling(row)) for row in content["products"]
    )


def without_gpu() -> Tiles:
    """Where nothing is run: plans and sources that are printed."""
    return Tiles("", {}, shipped())


def of_gpu(name: str) -> Tiles:
    """What was measured on this GPU, and the table."""
    return Tiles(name, read(path_of(name)), shipped())


# ---- what was measured -----------------------------------------------------------------------


def path_of(gpu: str) -> Path:
    """Where choices for a GPU lie."""
    slug = re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-")
    try:
        compiler = version("triton")
    except PackageNotFoundError:
        compiler = "none"
    return loader.folder().parent / "tiles" / f"{slug}-triton-{compiler}.json"


def read(path: Path) -> dict[str, Tiling]:
    """The choices in a file; none where there is no such file, or it is not one of ours."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        return {str(key): _tiling(row) for key, row in content["measured"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        warn(
            "W0903",
            f"tiles that were measured before are ignored: {path}: {problem}",
            "delete the file; `gendsl run PROGRAM --cuda --tune` measures again",
        )
        return {}


def write(path: Path, gpu: str, measured: Mapping[str, Tiling]) -> None:
    """Add choices to a file. Another process may read it now: it finds the old or the new one."""
    rows = {**read(path), **measured}
    content = {
        "format": FORMAT,
        "gpu": gpu,
        "measured": {key: _row(rows[key]) for key in sorted(rows)},
    }
    try:
        put(path, f"{json.dumps(content, indent=1)}\n".encode())
    except OSError as problem:
        warn(
            "W0903",
            f"tiles that were measured are used now and not kept: {path}: {problem.strerror}",
            "set XDG_CACHE_HOME to a folder that can be written",
        )


def _row(tiling: Tiling) -> dict[str, Any]:
    tile = [tiling.rows, tiling.columns, tiling.depth]
    return {"tile": tile, "warps": tiling.warps, "stages": tiling.stages}


def _tiling(row: Mapping[str, Any]) -> Tiling:
    """A row's numbers, which must be ones that kernels can have."""
    rows, columns, depth = row["tile"]
    found = Tiling(rows, columns, depth, row["warps"], row["stages"])
    sides = found.rows in SIDES and found.columns in SIDES and found.depth in DEPTHS
    if not sides or found.warps not in (1, 2, 4, 8, 16) or found.stages not in range(1, 7):
        raise ValueError(f"no kernel has the tile {found}")
    return found
