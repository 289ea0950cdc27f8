"""Where a run goes: never into what is there, never half-made."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gendsl.diagnostics.model import GendslError
from gendsl.run import files
from gendsl.run.folder import RunFolder, choose
from tests.run.making import codes, go, tiny


def test_the_default_place_counts_on(tmp_path: Path) -> None:
    def chosen(resume: bool = False) -> str:
        return choose("vae", None, resume, tmp_path).path.name

    assert chosen() == chosen(resume=True) == "vae"
    (tmp_path / "vae").mkdir()
    assert chosen() == "vae"  # an empty folder is free
    for name in ("vae", "vae-2", "vae-10", "vae-old", "vaes-3"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "manifest.json").touch()
    assert chosen() == "vae-11"
    assert chosen(resume=True) == "vae-10"


def test_an_explicit_place(tmp_path: Path) -> None:
    place = tmp_path / "here"
    assert choose("vae", place, False).path == place
    place.mkdir()
    (place / ".lock").touch()
    assert choose("vae", place, False).path == place
    (place / "notes.txt").touch()
    for resume, code in ((False, "E1041"), (True, "E1042")):
        with pytest.raises(GendslError, match=code):
            choose("vae", place, resume)
    with pytest.raises(GendslError, match="E1043"):
        choose("vae", place / "notes.txt", False)
    (place / "manifest.json").touch()
    assert choose("vae", place, True).path == place


def test_the_lock_is_one_process(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "a")
    first.acquire()
    with pytest.raises(GendslError, match="E1046"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_files_are_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a" / "step-00000001.safetensors"
    files.write_whole(path, b"one")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(GendslError, match=r"E1044.*No space left"):
        files.write_whole(path, b"two")
    assert path.read_bytes() == b"one"
    names = [p.name for p in path.parent.iterdir() if p != path]
    assert all(n.startswith(".") and not n.endswith(".safetensors") for n in names)


@pytest.mark.parametrize(
    ("number", "help"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.ENOTDIR, "a file is where a folder has to be"),
        (errno.EPERM, "a place that you may write to"),
        (errno.EIO, "choose another place"),
    ],
)
def test_the_help_fits_the_error_of_the_disk(number: int, help: str) -> None:
    with pytest.raises(GendslError) as caught, files.disk_errors("write", Path("a")):
        raise OSError(number, "no")
    (found,) = caught.value.diagnostics
    assert found.code == "E1044" and found.help is not None and help in found.help


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"settings": (("hidden", "x"),)}, "E1048"),
        ({"settings": (("B", "5000"),)}, "E1027"),
        ({"data": "no-such-data"}, "E1000"),
        ({"device": "cuda"}, "E0901"),
    ],
)
def test_a_refused_run_leaves_nothing(
    options: dict[str, object], code: str, tmp_path: Path
) -> None:
    program = tiny(tmp_path)
    assert codes(program, tmp_path / "run", **options) == [code]
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.gml"]


def test_a_program_without_a_recipe(tmp_path: Path) -> None:
    text = tiny(tmp_path).read_text()
    program = tiny(tmp_path, text[: text.index("train:")] + text[text.index("sampler") :])
    assert codes(program, tmp_path / "run") == ["E1040"]


def test_an_existing_run_is_not_touched(tmp_path: Path) -> None:
    program = tiny(tmp_path)
    go(program, tmp_path / "run", steps=10)
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert codes(program, tmp_path / "run", steps=10) == ["E1041"]
    assert before == {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}


@pytest.mark.parametrize("stage", ["ast", "core", "graph", "joint", "plan", "torch", "triton"])
def test_emit_prints_and_writes_nothing(
    stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tiny(tmp_path)
    assert go(program, tmp_path / "run", emit=stage) == 0
    assert len(capsys.readouterr().out) > 500
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.gml"]
