"""Entries of a cache: what was written comes back or nothing does, and what is not used goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gendsl.cache import folder, put, read_entry, write_entry
from gendsl.diagnostics.model import GendslError


def test_what_was_written_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep" / "a.plan"
    assert read_entry(path, "plan") is None
    for body in (b"", b"\n\nfirst line\nsecond\x00", b"other"):
        write_entry(path, body, "plan", 1)
        assert read_entry(path, "plan") == body
    assert list(path.parent.iterdir()) == [path]  # nothing is left lying beside it
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("cut", [0, 1, 63, 64, 65, -1])
def test_a_part_of_an_entry_is_not_taken(
    tmp_path: Path, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.plan"
    write_entry(path, b"body", "plan", 1)
    path.write_bytes(path.read_bytes()[:cut])
    assert read_entry(path, "plan") is None
    assert capsys.readouterr().err == f"note: the kept plan {path} is damaged: made again\n"


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.plan" for i in range(4)]
    other = tmp_path / "0.other"
    for age, path in enumerate((other, *paths[:3])):
        write_entry(path, b"body", "plan", 3)
        os.utime(path, (age, age))
    assert read_entry(paths[0], "plan") == b"body"  # the oldest by far, but it is used
    write_entry(paths[3], b"body", "plan", 3)
    assert sorted(tmp_path.iterdir()) == sorted([other, paths[0], paths[2], paths[3]])


def test_a_damaged_entry_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "a.plan"
    path.write_bytes(b"what is this")
    os.utime(path, (5, 5))
    assert read_entry(path, "plan") is None
    assert path.stat().st_mtime == 5


def test_a_folder_that_cannot_be_used_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.plan").mkdir()
    assert read_entry(tmp_path / "a.plan", "plan") is None
    assert "a.plan cannot be read (Is a directory): made again" in capsys.readouterr().err
    (tmp_path / "file").write_text("no folder")
    write_entry(tmp_path / "file" / "a.plan", b"body", "plan", 1)
    assert capsys.readouterr().err == (
        f"note: the plan is not kept: File exists ({tmp_path / 'file'})\n"
    )


def test_what_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.plan"
    put(path, b"old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        put(path, b"new")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_without_a_home_the_fix_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: _homeless())
    with pytest.raises(GendslError) as caught:
        folder("plans")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E1017"
    assert "XDG_CACHE_HOME" in str(diagnostic.help)


def _homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")
