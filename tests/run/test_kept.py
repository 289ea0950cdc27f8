"""A program that was trained before is not read, checked, proved and lowered again: what is kept of
it is what would be made, and nothing that has changed in between is taken for it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gendsl.cli.emit import stage_text
from gendsl.diagnostics.model import Sink
from gendsl.ir.graph import Builder, Node
from gendsl.ir.text import graph_hash, nodes_text
from gendsl.options import RunOptions
from gendsl.prove.verdict import ClaimReport
from gendsl.resources import data, names
from gendsl.run import kept
from gendsl.run.emit import joint_text
from gendsl.run.job import ClaimLine, Job
from gendsl.run.kept import Entry, Kept
from gendsl.run.packed import pack, unpack
from gendsl.run.prepare import prepare, program_of, read_program
from gendsl.run.session import joint_graphs, program, run
from tests.run.making import TINY, go, lasting, tiny

# With a warning (a hyperparameter that changes nothing) and a claim.
MORE = TINY.replace("hyper beta", "hyper idle = 1.0\nhyper beta", 1).replace(
    "train:", "claims loss:\n    size_nonneg: size >= 0\n\ntrain:", 1
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "gendsl" / "programs").glob("*"))


def made(options: RunOptions) -> Kept:
    """The program as a run makes it, but for the proofs."""
    sink = Sink()
    analysis = read_program(options, sink, prove=False)
    source = program_of(analysis, options)
    assert analysis.source is not None
    job = SimpleNamespace(source=source, passes=options.passes)
    graphs = joint_graphs(cast(Job, job))  # which need no data
    return Kept(source, analysis.source, tuple(sink.sorted()), analysis.imports, *graphs)


def builders(found: Kept) -> list[Builder]:
    """That of the program and that of the step after the graph passes."""
    return [found.source.graph.builder, found.step.builder]


@pytest.mark.parametrize("name", names("programs"))
def test_packed_and_unpacked(name: str) -> None:
    """Every shipped program: the same nodes with the same numbers, places and names."""
    before = made(RunOptions(str(data("programs") / f"{name}.gml")))
    after = unpack(pack(before, builders(before)))
    assert isinstance(after, Kept)
    assert graph_hash(after.source.graph) == before.source.graph_hash == after.source.graph_hash
    assert joint_text(after.step) == joint_text(before.step)
    assert nodes_text(after.initial) == nodes_text(before.initial)
    assert (after.source.text, after.source.interface) == (
        before.source.text,
        before.source.interface,
    )
    assert (after.imports, after.warnings, after.file) == (
        before.imports,
        before.warnings,
        before.file,
    )
    for ours, theirs in zip(builders(after), builders(before), strict=True):
        assert len(ours) == len(theirs) > 10
        for one, other in zip(ours._table.values(), theirs._table.values(), strict=True):
            assert (one.id, one.op, one.type) == (other.id, other.op, other.type)
            assert one is not other and one is ours.apply(one.op, *one.inputs)
            assert [n.id for n in one.inputs] == [n.id for n in other.inputs]
            assert ours.spans.get(one) == theirs.spans.get(other)
            assert ours.names.get(one) == theirs.names.get(other)


UNPACK = """
import sys
from pathlib import Path
from gendsl.run.packed import unpack
found = unpack(Path(sys.argv[1]).read_bytes())
for builder in (found.source.graph.builder, found.step.builder):
    nodes = list(builder._table.values())
    assert all(builder.apply(node.op, *node.inputs) is node for node in nodes)
    print(len(nodes), hash("a"))
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_nodes_are_found_again_in_a_process_that_hashes_otherwise(
    seed: str, root: Path, tmp_path: Path
) -> None:
    """An op that is applied again gives the node there is, whatever hash its sizes had before."""
    before = made(RunOptions(str(data("programs") / "conv_vae.gml")))
    for builder in builders(before):
        assert len({hash(node.op) for node in builder._table.values()}) > 10  # sizes keep theirs
    (tmp_path / "packed").write_bytes(pack(before, builders(before)))
    done = subprocess.run(
        [sys.executable, "-c", UNPACK, str(tmp_path / "packed")],
        cwd=root,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    found = [line.split() for line in done.stdout.splitlines()]
    assert [int(count) for count, _ in found] == [len(b) for b in builders(before)]
    assert hash("a") != int(found[0][1])


def test_a_kept_program_trains_as_a_new_one(tmp_path: Path, own_cache: Path) -> None:
    path = tiny(tmp_path)
    assert go(path, tmp_path / "new") == 0
    (entry,) = entries(own_cache)
    content = entry.read_bytes()
    assert go(path, tmp_path / "kept") == 0
    assert entry.read_bytes() == content
    assert lasting(tmp_path / "new") == lasting(tmp_path / "kept")


def test_a_kept_program_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny(tmp_path, MORE)
    assert go(path, tmp_path / "new", steps=1) == 0
    first = capsys.readouterr()
    for place in ("gendsl.driver.analyse", "gendsl.driver.settle", "gendsl.passes.joint.joint"):
        monkeypatch.setattr(place, None)
    assert go(path, tmp_path / "kept", steps=1) == 0
    again = capsys.readouterr()
    assert "claims   1 proved" in first.out
    assert again.out.replace("/kept", "/new").splitlines()[:6] == first.out.splitlines()[:6]
    assert again.err == first.err != ""  # the warning


def look(path: Path, **options: object) -> Entry:
    return kept.look(RunOptions(str(path), **options))  # type: ignore[arg-type]


def test_what_has_changed_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = "fn twice(x: real) -> real:\n    return 2 * x\n"
    (tmp_path / "beside.gml").write_text(helper)
    text = TINY.replace("import nn", "import beside: twice\nimport nn").replace(
        "+ beta * size", "+ beta * twice(size)"
    )
    path = tiny(tmp_path, text)
    assert go(path, tmp_path / "run", steps=1) == 0
    found = kept.opened(look(path))
    assert found is not None and [i.name for i in found.imports] == [
        "prelude",
        "beside",
        "nn",
        "losses",
        "schedules",
    ]
    assert look(path, passes="none").body is None
    assert look(path, steps=7, seed=3).body is not None  # these decide about no graph
    (tmp_path / "beside.gml").write_text(helper + "\n")
    assert kept.opened(look(path)) is None
    (tmp_path / "beside.gml").write_text(helper)
    assert kept.opened(look(path)) is not None
    path.write_text(text + "\n")
    assert look(path).body is None
    path.write_text(text)
    monkeypatch.setattr(kept, "version", lambda package: "another")
    assert look(path).body is None


def test_every_file_that_decides_is_in_the_key(root: Path) -> None:
    own = {str(file.relative_to(root)) for file in kept._own_files()}
    for file in ("core/check_body.py", "prove/kernel/rules.py", "ops/conv.py", "run/kept.py"):
        assert f"gendsl/{file}" in own
    left = {
        p.parts[-2] for p in (root / "gendsl").rglob("*.py") if str(p.relative_to(root)) not in own
    }
    assert left <= {"cli", "data", "editor", "recheck", "validate"}


def test_what_is_refuted_is_not_kept(tmp_path: Path, own_cache: Path) -> None:
    found = made(RunOptions(str(tiny(tmp_path))))
    claims = tuple(ClaimLine(f"loss.{v}", "size >= 0", v) for v in ("proved", "refuted"))
    kept.keep(
        look(tmp_path / "tiny.gml"), replace(found, source=replace(found.source, claims=claims))
    )
    assert entries(own_cache) == []
    held = replace(found.source, claims=claims[:1])
    kept.keep(look(tmp_path / "tiny.gml"), replace(found, source=held))
    assert len(entries(own_cache)) == 1


def test_an_open_claim_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By runs: the second one says what the first one left open, with the same words."""
    path = tiny(
        tmp_path,
        TINY.replace("train:", "claims loss:\n    far: exp(size) >= 1 + recon\n\ntrain:", 1),
    )
    left = ClaimReport("loss.far", "exp(size) >= 1 + recon", "unknown", goal="0 <= recon")
    monkeypatch.setattr("gendsl.driver.settle", lambda analysis, **_: (left,))
    assert go(path, tmp_path / "new", steps=1) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr("gendsl.driver.settle", None)
    assert go(path, tmp_path / "kept", steps=1) == 0
    for said in (first, capsys.readouterr().out):
        assert "claims   1 unknown\nwarning  not settled: loss.far; `gendsl check`" in said
    for folder in ("new", "kept"):
        (claim,) = json.loads((tmp_path / folder / "manifest.json").read_text())["claims"]
        assert (claim["verdict"], claim["detail"]) == ("unknown", "0 <= recon")


def test_a_damaged_entry_is_made_again(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny(tmp_path)
    assert go(path, tmp_path / "new", steps=1) == 0
    (entry,) = entries(own_cache)
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-1] + b"?")
    capsys.readouterr()
    assert go(path, tmp_path / "again", steps=1) == 0
    assert "is damaged: made again" in capsys.readouterr().err
    assert entry.read_bytes() == whole


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_cache.mkdir()
    (own_cache / "gendsl").mkdir()
    (own_cache / "gendsl" / "programs").write_text("not a folder")
    assert go(tiny(tmp_path), tmp_path / "run", steps=1) == 0
    assert "note: the program is not kept" in capsys.readouterr().err


def test_the_oldest_entries_go(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "KEPT", 2)
    for i in range(3):
        folder = tmp_path / str(i)
        folder.mkdir()
        options = RunOptions(str(tiny(folder)))
        entry = kept.look(options)
        kept.keep(entry, made(options))
        os.utime(entry.path, (i, i))
        if i == 1:  # the first one is asked for again, so that the second is the oldest
            assert kept.opened(look(tmp_path / "0" / "tiny.gml")) is not None
    left = [look(tmp_path / str(i) / "tiny.gml").body is not None for i in range(3)]
    assert left == [True, False, True]


def test_bytes_that_name_anything_else_are_refused() -> None:
    for value in (os.system, Path("x"), subprocess.Popen, kept.keep):
        with pytest.raises(pickle.UnpicklingError):
            unpack(pickle.dumps([]) + pickle.dumps(value))


def test_a_new_program_is_refused_before_anything_is_kept(tmp_path: Path, own_cache: Path) -> None:
    path = tiny(tmp_path, TINY.replace("return dense[Z](h)", "return dens[Z](h)"))
    with pytest.raises(Exception, match="dens"):
        run(RunOptions(str(path), out=tmp_path / "run"), stage_text)
    assert entries(own_cache) == [] and not (tmp_path / "run").exists()


def test_what_is_kept_is_what_trains(tmp_path: Path) -> None:
    """The graphs of the second run are those of the entry, not made ones."""
    options = RunOptions(str(tiny(tmp_path)))
    source, making = program(options, kept.look(options))
    _, step, _ = making(prepare(options, source, options.target))
    entry = kept.look(options)
    again, same = program(options, entry)
    _, found, _ = same(prepare(options, again, options.target))
    assert again.text == source.text and joint_text(found) == joint_text(step)
    assert isinstance(next(iter(found.metrics.values())), Node) and found is not step
