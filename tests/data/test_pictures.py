"""Folders of pictures: layouts, one size, one number of channels."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gendsl.data import load
from tests.data.making import Array, pictures, refused


def save(path: Path, values: Array, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)
    return path


def test_flat_folder_in_the_order_of_names(tmp_path: Path) -> None:
    grey = pictures(3, 6, 5)
    for name, values in zip(("b", "c", "a"), grey, strict=True):
        save(tmp_path / f"{name}.png", values)
    (tmp_path / "notes.txt").write_text("not a picture")
    found = load(str(tmp_path))
    np.testing.assert_array_equal(found.columns["image"].raw[:, 0], grey[[2, 0, 1]])
    assert set(found.columns) == {"image"} and found.test is None
    assert "(1 file ignored: no pictures)" in found.provenance


def test_class_folders(tmp_path: Path) -> None:
    colour = pictures(3, 6, 5, 3)
    for path, values in zip(("dog/1", "cat/1", "cat/2"), colour, strict=True):
        save(tmp_path / f"{path}.png", values)
    found = load(str(tmp_path))
    assert found.classes == ("cat", "dog")
    np.testing.assert_array_equal(found.columns["label"].raw, [0, 0, 1])
    np.testing.assert_array_equal(
        found.columns["image"].raw, colour[[1, 2, 0]].transpose(0, 3, 1, 2)
    )


def test_train_and_test_folders(tmp_path: Path) -> None:
    for path in ("train/cat/1", "train/dog/1", "train/dog/2", "test/dog/1"):
        save(tmp_path / f"{path}.png", pictures(4, 4)[:, :4])
    found = load(str(tmp_path))
    assert (found.count, found.test_count, found.classes) == (3, 1, ("cat", "dog"))
    assert found.test is not None
    np.testing.assert_array_equal(found.test["label"].raw, [1])
    save(tmp_path / "test/fox/1.png", pictures(4, 4))
    refused("E1010", lambda: load(str(tmp_path)), "`fox`")


def test_palette_and_bilevel_are_what_they_show(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 0, 255]], [[0, 255, 0], [255, 0, 0]]], np.uint8)
    Image.fromarray(colours).quantize(4).save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        load(str(tmp_path)).columns["image"].raw[0], colours.transpose(2, 0, 1)
    )
    (tmp_path / "a.png").unlink()
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "b.png")
    np.testing.assert_array_equal(load(str(tmp_path)).columns["image"].raw, [[[[0, 255]]]])


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    values = np.repeat(np.repeat(np.array([[0, 255]], np.uint8), 16, 0), 16, 1)  # 16 x 32
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter
    save(tmp_path / "a.jpg", values, exif=exif)
    assert load(str(tmp_path)).columns["image"].shape == (1, 32, 16)


def test_different_sizes(tmp_path: Path) -> None:
    for name, side in (("a", 8), ("b", 9), ("c", 8)):
        save(tmp_path / f"{name}.png", pictures(side, 8)[:, :8])
    found = refused("E1011", lambda: load(str(tmp_path)), "b.png", "8x9", "a.png", "8x8")
    assert "2 of 3 pictures" in found.notes[0]


def test_mixed_channels(tmp_path: Path) -> None:
    save(tmp_path / "a.png", pictures(8, 8, 3))
    save(tmp_path / "b.png", pictures(8, 8))
    save(tmp_path / "c.png", pictures(8, 8, 3))
    refused("E1012", lambda: load(str(tmp_path)), "b.png", "1 channels", "a.png", "3")


def test_unread_mode(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((4, 4), np.uint16))
    refused("E1012", lambda: load(str(tmp_path)), "I;16")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_truncated_picture(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", pictures(32, 32))
    path.write_bytes(path.read_bytes()[:-60])
    refused("E1013", lambda: load(str(tmp_path)), str(path))


def test_picture_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("<html>")
    refused("E1013", lambda: load(str(tmp_path)), "a.png")


def test_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(values) for values in pictures(2, 8, 8)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    refused("E1013", lambda: load(str(tmp_path)), "2 frames")


def test_layouts_that_are_ambiguous(tmp_path: Path) -> None:
    save(tmp_path / "one" / "a.png", pictures(4, 4))
    save(tmp_path / "b.png", pictures(4, 4))
    refused("E1014", lambda: load(str(tmp_path)), "b.png", "one")
    (tmp_path / "b.png").unlink()
    save(tmp_path / "one" / "deep" / "a.png", pictures(4, 4))
    refused("E1014", lambda: load(str(tmp_path)), "deep")


def test_empty_folders(tmp_path: Path) -> None:
    refused("E1007", lambda: load(str(tmp_path)), "empty")
    save(tmp_path / "cat" / "a.png", pictures(4, 4))
    (tmp_path / "dog").mkdir()
    refused("E1007", lambda: load(str(tmp_path)), "dog")


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png", pictures(4, 4))
    original = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.startswith("PIL"):
            raise ImportError(name)
        return original(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    found = refused("E1018", lambda: load(str(tmp_path)))
    assert "gendsl[train]" in str(found.help)
