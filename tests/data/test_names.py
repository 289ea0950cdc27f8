"""Names, paths and what to say when there is nothing; the bundled and the made sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gendsl.data import load, names
from gendsl.data.store import BUNDLED, BUNDLED_FOLDER
from gendsl.data.synthetic import linear_gaussian
from tests.data.making import pictures, refused


def test_digits() -> None:
    found = load("digits")
    image, label = found.columns["image"], found.columns["label"]
    assert (found.count, found.test, image.shape) == (1797, None, (8, 8))
    assert image.bounds == (0.0, 1.0)
    assert np.bincount(label.raw).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert abs(image.moments()[0] - float(image.values().mean(dtype=np.float64))) < 1e-6
    assert abs(image.moments()[1] - float(image.values().std(dtype=np.float64))) < 1e-6
    assert "CC BY 4.0" in found.licence and "Alpaydin" in found.provenance


@pytest.mark.parametrize("name", ["fashion2k", "fashion-mnist-2000", "Fashion2K"])
def test_fashion2k(name: str) -> None:
    found = load(name)
    assert (found.count, found.test_count) == (1600, 400)
    assert found.columns["image"].shape == (28, 28)
    assert found.test is not None
    for part, each in ((found.columns, 160), (found.test, 40)):
        assert np.bincount(part["label"].raw).tolist() == [each] * 10
    assert found.classes[9] == "ankle boot" and "MIT" in found.licence


def test_licences_lie_beside_the_data() -> None:
    for bundled in BUNDLED:
        assert bundled.path.is_file()
        assert (BUNDLED_FOLDER / f"LICENSE-{bundled.name}.txt").is_file()
        assert sum(path.stat().st_size for path in BUNDLED_FOLDER.iterdir()) < 1_000_000


def test_changed_content_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gendsl.data.store as store

    with np.load(BUNDLED_FOLDER / "digits.npz") as archive:
        arrays = {name: archive[name].copy() for name in archive.files}
    arrays["image"][5, 0, 0] ^= 1
    np.savez(tmp_path / "digits.npz", **arrays)
    monkeypatch.setattr(store, "BUNDLED_FOLDER", tmp_path)
    refused("E1015", lambda: load("digits"), "`digits`")


def test_a_known_set_that_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("GENDSL_DATA", raising=False)
    found = refused("E1001", lambda: load("mnist"), "`mnist`")
    assert "gendsl data get mnist" in str(found.help)


@pytest.mark.parametrize(
    ("wrong", "right"), [("digit", "digits"), ("minst", "mnist"), ("fashion_2k", "fashion2k")]
)
def test_did_you_mean_a_name(wrong: str, right: str) -> None:
    assert f"`{right}`" in str(refused("E1000", lambda: load(wrong), wrong).help)


def test_did_you_mean_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "pictures.npy", pictures(2, 4, 4))
    wrong = str(tmp_path / "picture.npy")
    assert "pictures.npy" in str(refused("E1000", lambda: load(wrong), wrong).help)
    nowhere = str(tmp_path / "no" / "a.npy")
    assert "no folder" in str(refused("E1000", lambda: load(nowhere)).help)


def test_a_name_wins_over_a_folder_and_a_path_over_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digits").mkdir()
    np.save(tmp_path / "mine.npy", pictures(2, 4, 4))
    monkeypatch.chdir(tmp_path)
    assert load("digits").count == 1797
    refused("E1007", lambda: load("./digits"), "empty")
    assert load("mine.npy").count == 2


def test_unknown_formats(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2,3\n")
    refused("E1002", lambda: load(str(path)), "a.csv")
    refused("E1002", lambda: load(str(tmp_path)), str(tmp_path))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert str(tmp_path) in str(refused("E1002", lambda: load(str(tmp_path / "a.png"))).help)
    (tmp_path / "b.csv").write_bytes(b"")
    refused("E1007", lambda: load(str(tmp_path / "b.csv")))


def test_ring() -> None:
    found = load("synthetic:ring8")
    points, modes = found.columns["value"], found.columns["label"].raw
    assert points.shape == (2,) and np.bincount(modes).tolist() == [512] * 8
    values = points.values()
    centres = np.array([values[modes == mode].mean(axis=0) for mode in range(8)])
    # A mean of 512 draws of std 0.05: 0.0022 per coordinate; 5 sigma.
    angles = np.arange(8) * np.pi / 4
    np.testing.assert_allclose(centres, np.stack([np.cos(angles), np.sin(angles)], 1), atol=0.0111)


@pytest.mark.parametrize("name", ["synthetic:gauss(4)", "synthetic:gauss4"])
def test_gauss_has_the_covariance_of_its_model(name: str) -> None:
    found = load(name)
    values = np.concatenate([found.columns["value"].values(), found.test["value"].values()])  # type: ignore[index]
    model = linear_gaussian(4)
    seen = values.astype(np.float64).T @ values / len(values)
    sigma = np.sqrt(
        (np.outer(np.diag(model.covariance), np.diag(model.covariance)) + model.covariance**2)
        / len(values)
    )
    assert (np.abs(seen - model.covariance) < 5 * sigma).all()
    inverse = np.linalg.inv(model.covariance)
    _, logdet = np.linalg.slogdet(model.covariance)
    nll = 0.5 * (4 * np.log(2 * np.pi) + logdet + np.einsum("ni,ij,nj->n", values, inverse, values))
    # The variance of half a chi-square with 4 degrees is 2.
    assert abs(nll.mean() - model.entropy) < 5 * np.sqrt(2 / len(values))


@pytest.mark.parametrize("name", ["synthetic:ring9", "synthetic:gauss", "synthetic:gauss(0)"])
def test_no_such_synthetic_set(name: str) -> None:
    refused("E1030", lambda: load(name), name)


def test_hashes_of_made_sets_are_fixed() -> None:
    assert load("synthetic:ring8").data_hash.startswith("7c6986d4244beca8")
    assert load("synthetic:gauss(4)").data_hash.startswith("d8edf0f42a5ff6d7")


def test_every_name_is_known() -> None:
    assert {"digits", "fashion2k", "mnist", "fashion-mnist", "fashion", "cifar10"} <= set(names())
