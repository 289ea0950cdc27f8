"""CIFAR-10, binary and pickled; a pickle with code in it is refused and nothing of it runs."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gendsl.data import load
from gendsl.diagnostics.model import GendslError
from tests.data.making import (
    cifar_rows,
    pictures,
    python2_batch,
    python3_batch,
    refused,
    write_cifar_folder,
)


def test_binary_file(tmp_path: Path) -> None:
    (tmp_path / "some.bin").write_bytes(cifar_rows(7))
    found = load(str(tmp_path / "some.bin"))
    assert found.columns["image"].shape == (3, 32, 32)
    np.testing.assert_array_equal(
        found.columns["image"].raw, pictures(7, 3072).reshape(7, 3, 32, 32)
    )
    assert found.classes[found.columns["label"].raw[6]] == "frog"


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
def test_binary_folder(tmp_path: Path, inner: str) -> None:
    write_cifar_folder(tmp_path / inner)
    found = load(str(tmp_path))
    assert (found.count, found.test_count) == (15, 3)
    np.testing.assert_array_equal(
        found.columns["image"].raw[3:6].reshape(3, -1), pictures(3, 3072, seed=1)
    )


def test_missing_batch(tmp_path: Path) -> None:
    (write_cifar_folder(tmp_path) / "data_batch_3.bin").unlink()
    refused("E1000", lambda: load(str(tmp_path)), "data_batch_3")


def test_binary_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(cifar_rows(3)[:-1])
    refused("E1003", lambda: load(str(path)), "9218 bytes")
    path.write_bytes(b"")
    refused("E1007", lambda: load(str(path)))
    path.write_bytes(cifar_rows(2) + b"\x0a" + bytes(3072))
    refused("E1004", lambda: load(str(path)), "row 2", "label 10")
    path.write_bytes(bytes(3074 * 5))
    assert "CIFAR-100" in str(refused("E1003", lambda: load(str(path))).help)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_batches_of_python_3(tmp_path: Path, protocol: int) -> None:
    images = pictures(4, 3072)
    path = tmp_path / "data_batch_1"
    path.write_bytes(python3_batch(images, [3, 1, 4, 1], protocol))
    found = load(str(path))
    np.testing.assert_array_equal(found.columns["image"].raw.reshape(4, -1), images)
    np.testing.assert_array_equal(found.columns["label"].raw, [3, 1, 4, 1])


def test_batches_of_python_2(tmp_path: Path) -> None:
    images = pictures(3, 3072)
    (tmp_path / "b").write_bytes(python2_batch(images.tobytes(), 3, [9, 0, 5]))
    found = load(str(tmp_path / "b"))
    np.testing.assert_array_equal(found.columns["image"].raw.reshape(3, -1), images)
    np.testing.assert_array_equal(found.columns["label"].raw, [9, 0, 5])


def test_python_folder_equals_binary_folder(tmp_path: Path) -> None:
    binary = write_cifar_folder(tmp_path / "bin")
    pickled = tmp_path / "py" / "cifar-10-batches-py"
    pickled.mkdir(parents=True)
    for path in binary.iterdir():
        rows = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 3073)
        body = python3_batch(rows[:, 1:].copy(), [int(v) for v in rows[:, 0]], 2)
        (pickled / path.stem).write_bytes(body)
    assert load(str(tmp_path / "py")).data_hash == load(str(binary)).data_hash


def test_a_memo_index_cannot_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02}r\xff\xff\xff\xff.")
    refused("E1003", lambda: load(str(tmp_path / "a.pkl")), "memo index 4294967295")


# ---- pickles that do more ------------------------------------------------------------------


class Call:
    """Calls a function when unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> object:
        return self.function, self.arguments


class Persistent(pickle.Pickler):
    def persistent_id(self, thing: object) -> object:
        return "somewhere" if thing == "outside" else None


def persistent() -> bytes:
    stream = io.BytesIO()
    Persistent(stream, 2).dump({"data": "outside"})
    return stream.getvalue()


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("where", ["alone", "value", "key", "late"])
def test_code_is_never_run(tmp_path: Path, protocol: int, where: str) -> None:
    trace = tmp_path / "executed"
    call = Call(os.mkdir, str(trace))
    batch = {"data": pictures(1, 3072), "labels": [0]}
    content: object = {
        "alone": call,
        "value": {**batch, "extra": call},
        "key": {(call,): 1, **batch},
        "late": [batch, call],
    }[where]
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    refused("E1008", lambda: load(str(path)), "mkdir", "nothing was run")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"\x80\x02cos\nsystem\nU\x04true\x85R.", "os.system"),
        (b"\x80\x02cbuiltins\neval\nU\x011\x85R.", "builtins.eval"),
        (b"\x80\x02cnumpy\nload\n.", "numpy.load"),
        (b"\x80\x02cnumpy.core.multiarray\nscalar\n.", "scalar"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "numpy.ndarray"),
        (b"\x80\x02c_codecs\nencode\nU\x01aU\x05rot13\x86R.", "rot13"),
        (b"\x80\x02c_codecs\nlookup\n.", "_codecs.lookup"),
        (b"\x80\x02cgendsl.data.read_cifar\nPath\n.", "Path"),
        (pickle.dumps(OrderedDict(a=1), 2), "OrderedDict"),
        (persistent(), "persistent"),
    ],
)
def test_other_names_are_refused(tmp_path: Path, body: bytes, named: str) -> None:
    path = tmp_path / "a.pickle"
    path.write_bytes(body)
    refused("E1008", lambda: load(str(path)), named)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "list"),
        ({"data": 3, "labels": [1]}, "lacks"),
        ({"data": pictures(2, 3071), "labels": [0, 1]}, "(2, 3071)"),
        ({"data": pictures(2, 3072).astype(np.int16), "labels": [0, 1]}, "int16"),
        ({"data": pictures(2, 3072), "labels": [0, 300]}, "0 to 9"),
        ({"data": pictures(2, 3072), "labels": [0, 10]}, "label 10"),
        ({"data": pictures(2, 3072), "labels": ["a", 1]}, "integers"),
        ({"data": pictures(2, 3072), "fine_labels": [1, 2]}, "CIFAR-100"),
    ],
)
def test_pickles_of_something_else(tmp_path: Path, content: object, said: str) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol=2))
    refused("E1004", lambda: load(str(tmp_path / "a.pkl")), said)


def test_labels_of_another_number(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(python3_batch(pictures(2, 3072), [1], 4))
    refused("E1009", lambda: load(str(tmp_path / "a.pkl")), "2 examples", "1")


def test_an_array_of_objects(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    array = np.array([[Call(os.mkdir, str(trace))]], dtype=object)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"data": array, "labels": [0]}, 2))
    refused("E1008", lambda: load(str(tmp_path / "a.pkl")))
    empty = np.array([[None]], dtype=object)
    (tmp_path / "b.pkl").write_bytes(pickle.dumps({"data": empty, "labels": [0]}, 2))
    refused("E1003", lambda: load(str(tmp_path / "b.pkl")))
    assert not trace.exists()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4000), st.integers(1, 255), st.booleans())
def test_damage_is_a_coded_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int, cut: bool
) -> None:
    body = bytearray(python3_batch(pictures(1, 3072), [3], 2))
    if cut:
        del body[place % len(body) :]
    else:
        body[place % len(body)] ^= change
    path = tmp_path_factory.mktemp("p") / "data_batch_1"
    path.write_bytes(bytes(body))
    try:
        found = load(str(path))
    except GendslError as error:
        assert error.diagnostics[0].code.startswith("E10")
    else:
        assert found.count == 1
