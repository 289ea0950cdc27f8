"""`.npy` and `.npz`: which array is what, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gendsl.data import load
from gendsl.diagnostics.model import GendslError
from tests.data.making import labels, pictures, refused


def test_npy_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(pictures(5, 3, 4, 4)))
    found = load(str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(found.columns["image"].raw, pictures(5, 3, 4, 4))
    assert found.columns["image"].bounds[1] <= 1


def test_floats_keep_their_values(tmp_path: Path) -> None:
    values = np.linspace(-3, 300, 24).reshape(4, 6)
    np.save(tmp_path / "a.npy", values)
    column = load(str(tmp_path / "a.npy")).columns["value"]
    np.testing.assert_array_equal(column.values(), values.astype(np.float32))


@pytest.mark.parametrize(
    "names",
    [
        ("image", "label", "image_test", "label_test"),
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X", "Y", "val-X", "val-Y"),
    ],
)
def test_names_of_arrays(tmp_path: Path, names: tuple[str, str, str, str]) -> None:
    arrays = (pictures(6, 4, 4), labels(6), pictures(2, 4, 4, seed=3), labels(2)[:, None])
    path = tmp_path / "a.npz"
    np.savez(path, allow_pickle=False, **dict(zip(names, arrays, strict=True)))
    found = load(str(path))
    assert found.test is not None
    np.testing.assert_array_equal(found.columns["image"].raw, arrays[0])
    np.testing.assert_array_equal(found.columns["label"].raw, arrays[1])
    np.testing.assert_array_equal(found.test["image"].raw, arrays[2])
    np.testing.assert_array_equal(found.test["label"].raw, labels(2))


def test_other_names_are_columns_of_their_own(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        left=np.zeros((3, 4), np.float32),
        seen=np.array([True, False, True]),
        token=np.arange(6).reshape(3, 2),
    )
    columns = load(str(tmp_path / "a.npz")).columns
    assert {name: column.kind for name, column in columns.items()} == {
        "left": "real",
        "seen": "bool",
        "token": "index",
    }


def test_nameless_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pictures(3, 4, 4), labels(3))
    assert set(load(str(tmp_path / "a.npz")).columns) == {"image", "label"}
    np.savez(tmp_path / "b.npz", pictures(3, 4, 4), pictures(3, 4, 4))
    refused("E1014", lambda: load(str(tmp_path / "b.npz")), "arr_0", "arr_1")


def test_two_candidates(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=pictures(3, 4, 4), image=pictures(3, 4, 4))
    refused("E1014", lambda: load(str(tmp_path / "a.npz")), "`x`", "`image`")


def test_only_test_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_test=pictures(3, 4, 4))
    refused("E1014", lambda: load(str(tmp_path / "a.npz")), "x_test")


class Payload:
    """Makes a folder when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.target),)


def test_objects_are_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    array = np.array([Payload(trace), None], dtype=object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    refused("E1008", lambda: load(str(tmp_path / "a.npy")), "a.npy")
    np.savez(tmp_path / "a.npz", image=array)
    refused("E1008", lambda: load(str(tmp_path / "a.npz")), "image")
    assert not trace.exists()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from(["npy", "npz"]))
def test_no_truncation_is_read(tmp_path_factory: pytest.TempPathFactory, cut, suffix) -> None:
    path = tmp_path_factory.mktemp("np") / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, pictures(3, 4, 4))
    else:
        np.savez_compressed(path, image=pictures(3, 4, 4), label=labels(3))
    body = path.read_bytes()
    path.write_bytes(body[: cut % len(body)])
    with pytest.raises(GendslError) as caught:
        load(str(path))
    assert caught.value.diagnostics[0].code in ("E1003", "E1004", "E1007")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 255), st.sampled_from(["npy", "npz"]))
def test_a_flipped_byte_never_gives_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, place, change, suffix
) -> None:
    path = tmp_path_factory.mktemp("np") / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, pictures(3, 4, 4))
    else:
        np.savez_compressed(path, image=pictures(3, 4, 4), label=labels(3))
    body = bytearray(path.read_bytes())
    body[place % len(body)] ^= change
    path.write_bytes(bytes(body))
    try:
        found = load(str(path))
    except GendslError as error:
        assert all(d.code.startswith("E10") for d in error.diagnostics)
    else:
        assert found.count >= 1


def test_wrong_content(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"hello, world")
    refused("E1004", lambda: load(str(tmp_path / "a.npy")), "a.npy")
    (tmp_path / "b.npz").write_bytes(b"hello, world")
    refused("E1003", lambda: load(str(tmp_path / "b.npz")), "b.npz")


@pytest.mark.parametrize("dtype", ["complex64", "U3", "datetime64[s]"])
def test_unread_element_types(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4), dtype))
    refused("E1005", lambda: load(str(tmp_path / "a.npy")), "not read")


def test_labels_that_are_none(tmp_path: Path) -> None:
    image = pictures(3, 4, 4)
    np.savez(tmp_path / "a.npz", image=image, label=np.zeros(3, np.float32))
    refused("E1005", lambda: load(str(tmp_path / "a.npz")), "label", "float32")
    np.savez(tmp_path / "b.npz", image=image, label=np.eye(3, dtype=np.int64))
    assert "argmax" in str(refused("E1010", lambda: load(str(tmp_path / "b.npz"))).help)
    np.savez(tmp_path / "c.npz", image=image, label=labels(2))
    refused("E1009", lambda: load(str(tmp_path / "c.npz")), "3 examples", "2")


def test_channels_last(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", pictures(2, 16, 12, 3))
    found = refused("E1010", lambda: load(str(tmp_path / "a.npy")), "channels last")
    assert "transpose(0, 3, 1, 2)" in str(found.help)


def test_a_single_number(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=np.float32(1))
    refused("E1010", lambda: load(str(tmp_path / "a.npz")), "single number")


def test_too_large_for_float32(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[0.0, 1e300]]))
    refused("E1006", lambda: load(str(tmp_path / "a.npy")), "example 0", "(1,)")


def test_an_archive_of_other_files(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused("E1002", lambda: load(str(tmp_path / "a.npz")), "readme.txt")
    with zipfile.ZipFile(tmp_path / "b.npz", "w"):
        pass
    refused("E1007", lambda: load(str(tmp_path / "b.npz")))


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=pictures(3, 4, 4), label=labels(3))
    np.savez_compressed(tmp_path / "b.npz", y=labels(3).astype(np.int32), x=pictures(3, 4, 4))
    np.savez(tmp_path / "c.npz", image=pictures(3, 4, 4), label=labels(3)[::-1])
    a, b, c = (load(str(tmp_path / f"{name}.npz")).data_hash for name in "abc")
    assert a == b != c
