"""`get` brings a known set to the cache folder; `verify` re-hashes what is on this machine.

Providers are tried in order; each piece is hashed before it is kept, and pieces that are already
there and sound are never fetched again, so an interrupted `get` goes on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from gendsl.data.providers import Provider, Unavailable
from gendsl.data.sets import FetchedSet, Piece
from gendsl.data.store import cache_folder, disk_errors, find, piece_state, write_piece
from gendsl.diagnostics.model import fail

Say = Callable[[str], None]
PROVENANCE_FILE = "PROVENANCE.txt"
WORKSPACE = ".partial"


def get(known: FetchedSet, say: Say) -> Path:
    """The folder with the whole, verified set; E1016 with every provider's reason otherwise."""
    present = find(known)
    if present is not None and not _lacking(known, present):
        say(f"{known.name}: already here, checksums verified: {present}")
        return present
    folder = cache_folder(known.name)
    workspace = folder / WORKSPACE
    with disk_errors("create", workspace):
        workspace.mkdir(parents=True, exist_ok=True)
    lacking = _lacking(known, folder)
    reasons: list[str] = []
    for provider in known.providers:
        if not lacking:
            break
        say(f"{known.name}: trying {provider.label}")
        reason = _try(provider, known, folder, lacking, say)
        lacking = _lacking(known, folder)
        if lacking:
            reasons.append(f"{provider.label}: {reason or f'it has no {lacking[0].file}'}")
            say(f"  {reasons[-1]}")
    if lacking:
        raise _nobody(known, folder, reasons)
    with disk_errors("clear", workspace):
        _clear(workspace)
    say(f"{known.name}: complete, checksums verified: {folder}")
    return folder


def verify(known: FetchedSet) -> dict[str, str] | None:
    """Each piece's state where the set lies, or None when it is not on this machine."""
    folder = find(known)
    if folder is None:
        return None
    return {piece.file: piece_state(folder, piece) for piece in known.pieces}


def _try(
    provider: Provider, known: FetchedSet, folder: Path, lacking: list[Piece], say: Say
) -> str | None:
    """Let one provider deliver what is lacking; why it could not, or None."""
    put = _checked_put(folder, lacking, say)
    workspace = folder / WORKSPACE
    try:
        with disk_errors("write in", workspace):
            provider.provide([piece.file for piece in lacking], put, workspace)
        _record(folder, known, provider.label)
    except Unavailable as reason:
        return str(reason)
    return None


def _lacking(known: FetchedSet, folder: Path) -> list[Piece]:
    with disk_errors("read", folder):
        return [piece for piece in known.pieces if piece_state(folder, piece) != "sound"]


def _checked_put(folder: Path, lacking: list[Piece], say: Say) -> Callable[[str, bytes], None]:
    wanted = {piece.file: piece for piece in lacking}

    def put(file: str, body: bytes) -> None:
        expected = wanted[file].sha256
        found = hashlib.sha256(body).hexdigest()
        if found != expected:
            raise Unavailable(f"{file}: the SHA-256 is {found}, expected {expected}")
        write_piece(folder, file, body)
        say(f"  {file}: {len(body):,} bytes, SHA-256 verified")

    return put


def _record(folder: Path, known: FetchedSet, label: str) -> None:
    text = f"{known.title}\nfrom: {known.origin}\nlicence: {known.licence}\nbrought by: {label}\n"
    write_piece(folder, PROVENANCE_FILE, text.encode())


def _clear(workspace: Path) -> None:
    for path in workspace.iterdir():
        if path.is_file():
            path.unlink()
    workspace.rmdir()


def _nobody(known: FetchedSet, folder: Path, reasons: list[str]) -> Exception:
    files = ", ".join(piece.file for piece in known.pieces)
    return fail(
        "E1016",
        f"nobody could deliver `{known.name}`",
        notes=tuple(reasons),
        help=f"with a network, run `gendsl data get {known.name}` again (what came is kept); "
        f"or copy {files} (plain or .gz) into {folder}",
    )
