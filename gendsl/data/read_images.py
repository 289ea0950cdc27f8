"""Folders of pictures: flat, or one sub-folder per class, or `train` and `test` of either.

Goes out a `Dataset` of uint8 pictures (n, C, H, W) in the order of their names. Nothing is resized
or converted behind the user's back: all pictures must have one size (E1011) and one number of
channels (E1012). A palette is looked up and EXIF rotation applied, since that is what the file
shows. Needs Pillow (E1018).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gendsl.data.dataset import IMAGE, LABEL, Array, Dataset, RawPart, assemble
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import fail

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
TRAIN_NAMES, TEST_NAMES = {"train", "training"}, {"test", "val", "valid", "validation"}
MODES = {"L": 1, "RGB": 3, "RGBA": 4}


@dataclass(frozen=True)
class _Listing:
    """The pictures of one part with their class (None for a flat folder)."""

    files: tuple[tuple[Path, str | None], ...]
    ignored: int


def has_pictures(folder: Path) -> bool:
    """Whether there is a picture in the folder or at most two levels below."""
    return any(
        path.suffix.lower() in SUFFIXES
        for pattern in ("*", "*/*", "*/*/*")
        for path in folder.glob(pattern)
    )


def read_folder(folder: Path) -> Dataset:
    parts = {path.name.lower(): path for path in _folders(folder)}
    train_name = next((name for name in sorted(parts) if name in TRAIN_NAMES), None)
    test_name = next((name for name in sorted(parts) if name in TEST_NAMES), None)
    if train_name is None or test_name is None or len(parts) != 2:
        train, test = _list(folder), None
    else:
        train, test = _list(parts[train_name]), _list(parts[test_name])
    classes = _class_names(train, test, folder)
    held = _read(test, classes) if test is not None else None
    ignored = train.ignored + (test.ignored if test is not None else 0)
    note = f" ({counted(ignored, 'file')} ignored: no pictures)" if ignored else ""
    return assemble(
        folder.name or str(folder),
        _read(train, classes),
        held,
        provenance=f"pictures in {folder}{note}",
        licence="not stated in the files",
        classes=classes,
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _list(folder: Path) -> _Listing:
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    flat = [p for p in files if p.suffix.lower() in SUFFIXES]
    ignored = len(files) - len(flat)
    classes = _folders(folder)
    if not classes:
        if not flat:
            raise fail(
                "E1007", f"{folder}: no pictures", help=f"give {', '.join(sorted(SUFFIXES))}"
            )
        return _Listing(tuple((path, None) for path in flat), ignored)
    if flat:
        raise fail(
            "E1014",
            f"{folder}: pictures ({flat[0].name}) beside sub-folders ({classes[0].name})",
            help="either put all pictures in one folder, or each in the sub-folder of its class",
        )
    listed: list[tuple[Path, str | None]] = []
    for sub in classes:
        inner = sorted(p for p in sub.iterdir() if not p.name.startswith("."))
        nested = next((p for p in inner if p.is_dir()), None)
        if nested is not None:
            raise fail(
                "E1014",
                f"{nested}: a folder inside the class folder `{sub.name}`",
                help="class folders hold pictures only; or use `train` and `test` folders",
            )
        pictures = [p for p in inner if p.suffix.lower() in SUFFIXES]
        ignored += len(inner) - len(pictures)
        if not pictures:
            raise fail(
                "E1007",
                f"{sub}: the class folder holds no pictures",
                help="add its pictures or remove the folder",
            )
        listed += [(path, sub.name) for path in pictures]
    return _Listing(tuple(listed), ignored)


def _class_names(train: _Listing, test: _Listing | None, folder: Path) -> tuple[str, ...]:
    """Class folders by name; the test part may not bring a class that training never saw."""
    names = sorted({name for _, name in train.files if name is not None})
    others = {name for _, name in (test.files if test is not None else ()) if name is not None}
    new = sorted(others - set(names))
    if new and names:
        raise fail(
            "E1010",
            f"{folder}: class folder `{new[0]}` is in the test part only",
            help="the training part must have every class",
        )
    return tuple(names)


def _read(listing: _Listing, classes: tuple[str, ...]) -> RawPart:
    pictures = [_picture(path) for path, _ in listing.files]
    _same(pictures, [path for path, _ in listing.files])
    place = str(listing.files[0][0].parent)
    arrays: dict[str, Array] = {IMAGE: np.stack(pictures)}
    places = {IMAGE: place}
    if listing.files[0][1] is not None:
        number = {name: index for index, name in enumerate(classes)}
        found = [number.get(name or "", -1) for _, name in listing.files]
        arrays[LABEL] = np.array(found, dtype=np.int64)
        places[LABEL] = place
    return RawPart(arrays, places)


def _picture(path: Path) -> Array:
    """One picture as (C, H, W) uint8."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise fail(
            "E1018",
            f"{path}: reading pictures needs Pillow, which is not installed",
            help="install it with `pip install gendsl[train]`",
        ) from error
    try:
        with Image.open(path) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                raise fail(
                    "E1013",
                    f"{path}: holds {getattr(opened, 'n_frames', 1)} frames, not one picture",
                    help="save each frame as a picture of its own",
                )
            picture = _convert(ImageOps.exif_transpose(opened), path)
            values: Array = np.asarray(picture, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise fail(
            "E1013",
            f"{path}: the picture cannot be decoded ({error})",
            help="the file is damaged or not what its name says: replace or remove it",
        ) from error
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _convert(picture: Image.Image, path: Path) -> Image.Image:
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode not in MODES:
        raise fail(
            "E1012",
            f"{path}: colour mode {picture.mode} is not read",
            help="convert the pictures to 8-bit grey, RGB or RGBA",
        )
    return picture


def _same(pictures: list[Array], paths: list[Path]) -> None:
    """All pictures agree with what most of them are."""
    _compare([p.shape[0] for p in pictures], paths, "E1012", "channels", "convert it to match")
    sizes: list[Any] = [f"{p.shape[2]}x{p.shape[1]}" for p in pictures]
    _compare(sizes, paths, "E1011", "pixels", "resize or crop it to match: nothing is resized here")


def _compare(values: list[Any], paths: list[Path], code: str, unit: str, fix: str) -> None:
    counts = Counter(values)
    if len(counts) == 1:
        return
    usual, most = counts.most_common(1)[0]
    odd = next(i for i, value in enumerate(values) if value != usual)
    first = values.index(usual)
    raise fail(
        code,
        f"{paths[odd]} has {values[odd]} {unit}, but {paths[first]} has {usual}",
        notes=(f"{most} of {len(values)} pictures have {usual} {unit}",),
        help=fix,
    )
