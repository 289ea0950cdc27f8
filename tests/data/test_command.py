"""`gendsl data ...` as a user calls it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from gendsl.cli.commands import dispatch
from gendsl.cli.flags import UsageError
from tests.data.making import labels, pictures, refused


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("GENDSL_DATA", raising=False)
    return tmp_path


def run(*arguments: str) -> int:
    return dispatch(["data", *arguments])


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    out = capsys.readouterr().out
    for name in ("digits", "fashion2k", "mnist", "fashion-mnist", "cifar10", "synthetic:ring8"):
        assert name in out
    assert "not here" in out and "gendsl data get" in out and "CC BY 4.0" in out


def test_info_of_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "digits") == 0
    out = capsys.readouterr().out
    for part in ("1,797", "8 x 8", "0.3053", "0.3760", "CC BY 4.0", "a78b493171ed2fb8"):
        assert part in out


def test_info_of_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.npz"
    arrays = {"image": pictures(6, 3, 4, 5), "image_test": pictures(2, 3, 4, 5)}
    np.savez(path, allow_pickle=False, label=labels(6), label_test=labels(2), **arrays)
    assert run("info", str(path)) == 0
    assert "3 x 4 x 5" in capsys.readouterr().out


def test_get_of_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("get", "digits") == 0
    assert "nothing to get" in capsys.readouterr().out
    with pytest.raises(UsageError, match="minst"):
        run("get", "minst")


def test_verify(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify") == 0
    out = capsys.readouterr().out
    assert "digits: sound" in out and "mnist: not on this machine" in out
    folder = cache / "gendsl" / "data" / "mnist"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(b"no"))
    assert run("verify", "mnist") == 1
    assert "damaged" in capsys.readouterr().out


def test_verify_of_a_damaged_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gendsl.data.store as store

    monkeypatch.setattr(store, "BUNDLED_FOLDER", tmp_path)
    refused("E1017", lambda: run("verify", "digits"), "digits.npz")
