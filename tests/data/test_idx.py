"""IDX files and folders: what goes in comes out, and nothing damaged is ever used."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gendsl.data import load
from gendsl.data.read_idx import read_array
from tests.data.making import idx_bytes, labels, pictures, refused, write_idx, write_idx_folder

MEASURED = st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.booleans())
def test_every_array_comes_back(tmp_path_factory: pytest.TempPathFactory, data, zipped) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    array = data.draw(hnp.arrays(np.dtype("=" + data.draw(MEASURED)), shape))
    path = tmp_path_factory.mktemp("idx") / ("a.idx.gz" if zipped else "a.idx")
    back = read_array(write_idx(path, array))
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_no_truncation_is_read(tmp_path_factory: pytest.TempPathFactory, cut, zipped) -> None:
    body = idx_bytes(pictures(3, 4, 4))
    body = gzip.compress(body, mtime=0) if zipped else body
    path = tmp_path_factory.mktemp("idx") / "images-idx3-ubyte"
    path.write_bytes(body[: cut % len(body)])
    with pytest.raises(Exception) as caught:
        load(str(path))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code in ("E1003", "E1004", "E1007")
    assert str(path) in diagnostic.message


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_folder_with_both_parts(tmp_path: Path, suffix: str) -> None:
    found = load(str(write_idx_folder(tmp_path / "set", suffix=suffix)))
    assert (found.count, found.test_count) == (12, 4)
    image = found.columns["image"]
    assert image.shape == (5, 4) and image.kind == "real"
    np.testing.assert_array_equal(image.raw, pictures(12, 5, 4, seed=1))
    values = image.values(np.array([3, 0]))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(
        values, pictures(12, 5, 4, seed=1)[[3, 0]].astype(np.float32) / np.float32(255)
    )
    assert found.columns["label"].raw.dtype == np.int64
    assert found.test is not None
    np.testing.assert_array_equal(found.test["label"].raw, labels(4))


def test_gzip_and_plain_have_one_hash(tmp_path: Path) -> None:
    plain = load(str(write_idx_folder(tmp_path / "plain")))
    zipped = load(str(write_idx_folder(tmp_path / "zipped", suffix=".gz")))
    assert plain.data_hash == zipped.data_hash


def test_a_lone_file_is_one_column(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path)
    assert set(load(str(folder / "train-images-idx3-ubyte")).columns) == {"image"}
    assert set(load(str(folder / "train-labels-idx1-ubyte")).columns) == {"label"}


def test_truncated_gzip(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "train-images-idx3-ubyte.gz", pictures(9, 8, 8))
    path.write_bytes(path.read_bytes()[:-20])
    refused("E1003", lambda: load(str(path)), str(path), "gzip")
    refused("E1003", lambda: load(str(tmp_path)), str(path))


def test_damaged_gzip(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "a.idx.gz", pictures(9, 8, 8))
    body = bytearray(path.read_bytes())
    body[-6] ^= 0xFF  # the checksum of the content
    path.write_bytes(bytes(body))
    refused("E1003", lambda: load(str(path)), str(path))


def test_wrong_magic(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"<html>not found</html>")
    refused("E1004", lambda: load(str(path)), str(path), "3c 68 74 6d")


def test_trailing_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.idx"
    path.write_bytes(idx_bytes(pictures(2, 3, 3)) + b"x")
    refused("E1003", lambda: load(str(path)), "18 bytes", "more follow")


def test_too_few_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.idx"
    path.write_bytes(idx_bytes(pictures(2, 3, 3))[:-1])
    refused("E1003", lambda: load(str(path)), "(2, 3, 3)", "18 bytes", "17 follow")


def test_empty_file_and_empty_array(tmp_path: Path) -> None:
    (tmp_path / "a.idx").write_bytes(b"")
    refused("E1007", lambda: load(str(tmp_path / "a.idx")))
    write_idx(tmp_path / "b.idx", np.zeros((0, 4, 4), np.uint8))
    refused("E1007", lambda: load(str(tmp_path / "b.idx")), "(0, 4, 4)")


def test_short_labels(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path)
    write_idx(folder / "train-labels-idx1-ubyte", labels(11))
    refused("E1009", lambda: load(str(folder)), "12 examples", "11")


def test_missing_companions(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    refused("E1010", lambda: load(str(folder)), "`label`")
    (folder / "train-images-idx3-ubyte").unlink()
    refused("E1000", lambda: load(str(folder)), "train-images-idx3-ubyte")


def test_parts_of_different_shape(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path)
    write_idx(folder / "t10k-images-idx3-ubyte", pictures(4, 5, 5))
    refused("E1010", lambda: load(str(folder)), "(5, 4)", "(5, 5)")


def test_wide_integers_are_no_pictures(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.idx", np.zeros((2, 3, 3), np.int32))
    refused("E1005", lambda: load(str(tmp_path / "a.idx")), "int32")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_floats_must_be_finite(tmp_path: Path, bad: float) -> None:
    array = np.zeros((4, 3, 3), np.float32)
    array[2, 1, 0] = bad
    write_idx(tmp_path / "a.idx", array)
    refused("E1006", lambda: load(str(tmp_path / "a.idx")), "example 2", "(1, 0)")
