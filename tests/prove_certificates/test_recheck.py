"""Certificates of proved claims are accepted by the stand-alone checker; altered ones are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gendsl.cli.check import check_all
from gendsl.recheck.check import judge_all, main

MODULES = ["stdlib/prelude.gml", "stdlib/gaussian.gml", "programs/vae.gml"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    check_all(MODULES, "json", certificates=made)
    return made


def test_every_certificate_is_accepted(folder: Path) -> None:
    judged = judge_all(folder)
    assert len(judged) >= 30
    assert [j.claim for j in judged if not j.accepted] == []


def test_another_graph_is_noticed(folder: Path, tmp_path: Path) -> None:
    copy(folder, tmp_path)
    graph = next(tmp_path.glob("*vae.graph"))
    graph.write_text(graph.read_text().replace("0.04", "0.05").replace("1/2", "1/3"))
    assert main([str(tmp_path)]) == 1


def copy(source: Path, target: Path) -> None:
    for path in source.iterdir():
        (target / path.name).write_text(path.read_text())


def test_altered_proofs_are_rejected_or_still_true(folder: Path, tmp_path: Path) -> None:
    """One number of each proof object changed: most are rejected, whatever stays is the same
    statement with another true proof."""
    rejected = total = 0
    for path in sorted(folder.glob("*prelude.*.json")):
        made = json.loads(path.read_text())
        text = json.dumps(made.get("tables", made))
        if '"q2"' not in text and '"q-1"' not in text:
            continue
        for old, new in (('"q2"', '"q3"'), ('"q-1"', '"q1"')):
            changed = path.read_text().replace(old, new)
            if changed == path.read_text():
                continue
            place = tmp_path / f"{total}"
            place.mkdir()
            copy(folder, place)
            for other in place.glob("*.json"):
                other.unlink()
            (place / path.name).write_text(changed)
            total += 1
            rejected += main([str(place)])
    assert total > 0
    assert rejected >= total // 2


def test_the_checker_runs_alone(folder: Path, root: Path) -> None:
    """As a file, from another folder, with nothing of gendsl importable."""
    script = root / "gendsl" / "recheck" / "check.py"
    code = (
        "import runpy, sys; sys.argv = ['check.py', sys.argv[1]]\n"
        f"try: runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit as end: code = end.code\n"
        "assert code == 0, code\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('gendsl', 'numpy', 'torch')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-400:] + done.stderr[-800:]
