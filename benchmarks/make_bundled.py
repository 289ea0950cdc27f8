"""Makes gendsl/data/bundled/*.npz from the packages that carry the originals.

    python benchmarks/make_bundled.py SCIKIT_LEARN_WHEEL FASHION_MNIST_DEB OUT_FOLDER

Comes in: a scikit-learn wheel (`pip download --no-deps scikit-learn`) and Debian's package
(`apt-get download dataset-fashion-mnist`). Goes out: digits.npz and fashion2k.npz, byte for byte
the same from the same packages (numpy writes archives with a fixed date), and licence files.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

DIGITS_MEMBER = "sklearn/datasets/data/digits.csv.gz"
PER_CLASS = {"train": 160, "t10k": 40}


def digits(wheel: Path) -> dict[str, Array]:
    """1,797 pictures of 8x8 with values 0..16, and their labels, in the order of the file."""
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read(DIGITS_MEMBER)).decode()
    table = np.loadtxt(io.StringIO(text), delimiter=",")
    values = table.astype(np.uint8)
    if table.shape != (1797, 65) or not (values == table).all():
        raise SystemExit(f"unexpected digits table {table.shape}")
    return {"image": values[:, :64].reshape(-1, 8, 8), "label": values[:, 64]}


def members(deb: Path) -> dict[str, bytes]:
    """The files of a Debian package by the last part of their name."""
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True)
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(tar.stdout)) as archive:
        for member in archive:
            body = archive.extractfile(member)
            if member.isfile() and body is not None:
                found[Path(member.name).name] = body.read()
    return found


def fashion2k(files: dict[str, bytes]) -> dict[str, Array]:
    """The first 160 training and 40 test pictures of each class, in the order of the files."""
    arrays: dict[str, Array] = {}
    for part, suffix in (("train", ""), ("t10k", "_test")):
        images = gzip.decompress(files[f"{part}-images-idx3-ubyte.gz"])
        labels = gzip.decompress(files[f"{part}-labels-idx1-ubyte.gz"])
        pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
        classes = np.frombuffer(labels, np.uint8, offset=8)
        firsts = [np.flatnonzero(classes == c)[: PER_CLASS[part]] for c in range(10)]
        rows = np.sort(np.concatenate(firsts))
        arrays[f"image{suffix}"], arrays[f"label{suffix}"] = pixels[rows], classes[rows]
    return arrays


def save(path: Path, arrays: dict[str, Array]) -> None:
    np.savez_compressed(path, allow_pickle=False, **arrays)


def main(arguments: list[str]) -> int:
    if len(arguments) != 3:
        print(__doc__)
        return 2
    wheel, deb, out = map(Path, arguments)
    save(out / "digits.npz", digits(wheel))
    files = members(deb)
    save(out / "fashion2k.npz", fashion2k(files))
    (out / "LICENSE-fashion2k.txt").write_bytes(files["copyright"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
