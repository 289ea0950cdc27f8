"""Mode coverage of `lsgan_ring.gml`: the share of samples near each of the eight modes.

`python -m benchmarks.ring RUN ...` draws 10,000 samples from each run folder and prints, for each,
the smallest share of samples within three standard deviations of a mode. The bar is 2%.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gendsl.cli.run import options_of
from gendsl.data.synthetic import MODES, RING_STD
from gendsl.run.reopen import reopen, run_manifest
from gendsl.run.sample_command import draw, find_sampler

COUNT = 10_000


def shares(points: np.ndarray) -> np.ndarray:
    """The share of points within three standard deviations of each mode."""
    angles = 2 * np.pi * np.arange(MODES) / MODES
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    near = np.linalg.norm(points[:, None] - centres, axis=2) < 3 * RING_STD
    return near.mean(0)


def main(words: Sequence[str] | None = None) -> None:
    """Print one line a run."""
    parser = argparse.ArgumentParser("python -m benchmarks.ring", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run folder")
    for name in parser.parse_args(words).runs:
        folder = Path(name)
        run = reopen(folder, options_of(run_manifest(folder)["command"]), raw=False)
        found = shares(draw(run, find_sampler(run, ""), COUNT)[0].values)
        worst, total = found.min(), found.sum()
        print(
            f"{name}: smallest share {worst:.1%}, near some mode {total:.1%}, {np.round(found, 3)}"
        )


if __name__ == "__main__":
    main()
