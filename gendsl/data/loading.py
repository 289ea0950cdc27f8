"""A data set by name or path.

A name is a bundled set, a set that `gendsl data get` has brought, or `synthetic:...`; anything with
a separator in it, and any other existing file or folder, is a path. What a path holds is decided by
its content (magic bytes, names within a folder), never by guessing at damaged content.
"""

from __future__ import annotations

import os
from pathlib import Path

from gendsl.data import read_cifar, read_idx, read_images, read_numpy, synthetic
from gendsl.data.dataset import Dataset
from gendsl.data.sets import FETCHED, FetchedSet, fetched_set
from gendsl.data.store import BUNDLED, BundledSet, bundled_set, disk_errors, find
from gendsl.diagnostics.model import GendslError, fail
from gendsl.diagnostics.suggest import did_you_mean

FORMATS = (
    "IDX (.gz or not), .npy, .npz, CIFAR-10 batches (.bin or pickled), or a folder of IDX files, "
    "of CIFAR-10 batches or of pictures (flat, or one sub-folder per class)"
)


def names() -> tuple[str, ...]:
    """Every name that `load` knows, aliases last."""
    sets: tuple[BundledSet | FetchedSet, ...] = (*BUNDLED, *FETCHED)
    first = [s.name for s in sets]
    made = [f"{synthetic.PREFIX}ring{synthetic.MODES}", f"{synthetic.PREFIX}gauss(2)"]
    return (*first, *made, *(alias for s in sets for alias in s.aliases))


def load(name_or_path: str) -> Dataset:
    """Read and check a whole data set. Raises `GendslError` E1000..E1018 or E1030."""
    if name_or_path.startswith(synthetic.IN_PROGRAMS) and not Path(name_or_path).exists():
        name_or_path = synthetic.PREFIX + name_or_path.removeprefix(synthetic.IN_PROGRAMS)
    if name_or_path.startswith(synthetic.PREFIX):
        return synthetic.make(name_or_path)
    key = name_or_path.lower()
    bundled = bundled_set(key)
    if bundled is not None:
        return load_bundled(bundled)
    known = fetched_set(key)
    if known is not None:
        return load_fetched(known)
    path = Path(name_or_path).expanduser()
    with disk_errors("read", path):
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return _file(path)
    raise _missing(name_or_path, path)


def load_bundled(bundled: BundledSet) -> Dataset:
    with disk_errors("read", bundled.path):
        dataset = read_numpy.read_npz(
            bundled.path,
            name=bundled.name,
            provenance=f"bundled with gendsl: {bundled.origin}",
            licence=bundled.licence,
            classes=bundled.classes,
            scale=bundled.scale,
        )
    _same_content(dataset, bundled.data_hash, str(bundled.path), "reinstall gendsl")
    return dataset


def load_fetched(known: FetchedSet) -> Dataset:
    folder = find(known)
    if folder is None:
        raise fail(
            "E1001",
            f"the data set `{known.name}` is not on this machine",
            notes=(known.title,),
            help=f"run `gendsl data get {known.name}`; `digits` and `fashion2k` need no download",
        )
    origin = f"{known.origin}; read from {folder}"
    with disk_errors("read", folder):
        if known.form == "idx":
            dataset = read_idx.read_folder(
                folder,
                known.name,
                provenance=origin,
                licence=known.licence,
                classes=known.classes,
            )
        else:
            dataset = read_cifar.read_folder(
                folder, known.name, provenance=origin, licence=known.licence
            )
    _same_content(
        dataset, known.data_hash, str(folder), f"run `gendsl data get {known.name}` to repair it"
    )
    return dataset


def _same_content(dataset: Dataset, expected: str, place: str, fix: str) -> None:
    if dataset.data_hash != expected:
        raise fail(
            "E1015",
            f"{place}: this is not the content of `{dataset.name}`",
            notes=(f"its data hash is {dataset.data_hash}, expected {expected}",),
            help=fix,
        )


def _folder(folder: Path) -> Dataset:
    name = folder.name or str(folder)
    if read_idx.idx_files(folder):
        return read_idx.read_folder(folder, name)
    if read_cifar.cifar_files(folder):
        return read_cifar.read_folder(folder, name)
    if read_images.has_pictures(folder):
        return read_images.read_folder(folder)
    if not any(folder.iterdir()):
        raise fail("E1007", f"{folder}: the folder is empty", help=f"it may hold {FORMATS}")
    raise _unknown_format(folder)


def _file(path: Path) -> Dataset:
    with path.open("rb") as file:
        head = file.read(8)
    suffix = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if suffix == "bin" or path.name in (*read_cifar.TRAIN_NAMES, read_cifar.TEST_NAME):
        return read_cifar.read_file(path)
    if not head:
        raise fail("E1007", f"{path}: the file is empty", help=read_idx.FETCH_AGAIN)
    if head.startswith(read_numpy.ZIP_MAGIC) or suffix == "npz":
        return read_numpy.read_npz(path)
    if head.startswith(read_numpy.NPY_MAGIC) or suffix == "npy":
        return read_numpy.read_npy(path)
    if read_idx.looks_like_idx(head) or "idx" in suffix or head.startswith(read_idx.GZIP_MAGIC):
        return read_idx.read_file(path)
    if (head[0] == 0x80 and 2 <= head[1] <= 5) or suffix in ("pkl", "pickle"):
        return read_cifar.read_file(path)
    raise _unknown_format(path)


def _unknown_format(path: Path) -> GendslError:
    if path.suffix.lower() in read_images.SUFFIXES:
        fix = f"give the folder of pictures: `--data {path.parent}`"
    else:
        fix = f"what is read: {FORMATS}"
    return fail("E1002", f"{path}: no data set of a known format", help=fix)


def _missing(given: str, path: Path) -> GendslError:
    """Neither a name nor a path: suggest from both."""
    if os.sep in given or given.startswith((".", "~")) or path.suffix:
        parent = path.parent
        near = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
        hint = did_you_mean(path.name, near) or (
            f"there is no folder {parent}" if not parent.is_dir() else f"what is read: {FORMATS}"
        )
        return fail("E1000", f"no file or folder {given}", help=hint)
    here = [entry.name for entry in Path().iterdir()]
    known = ", ".join(f"`{name}`" for name in names()[: len(BUNDLED) + len(FETCHED)])
    hint = (
        did_you_mean(given, (*names(), *here))
        or f"names: {known}; or a path: `gendsl run --data PATH`"
    )
    return fail("E1000", f"no data set, file or folder called `{given}`", help=hint)
