"""Programs for small pictures train on data in CIFAR-10's own format, 32 x 32 in colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gendsl.__main__ import main


@pytest.mark.parametrize("name", ["conv_vae", "vq_vae", "ddpm_unet"])
def test_cifar_batches(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = tmp_path / "cifar"
    data.mkdir()
    for part in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        labels, pixels = rng.integers(0, 10, (16, 1)), rng.integers(0, 256, (16, 3072))
        rows = np.concatenate([labels, pixels], axis=1).astype(np.uint8)
        (data / f"{part}.bin").write_bytes(rows.tobytes())
    out = tmp_path / "run"
    words = ["run", name, "--data", str(data), "--steps", "1", "--out", str(out)]
    words += ["--set", "width=8"]  # the sampler of ddpm_unet takes 25 steps for 60 pictures
    assert main(words) == 0
    assert (out / ("reconstruction.png" if name == "vq_vae" else "samples.png")).exists()
