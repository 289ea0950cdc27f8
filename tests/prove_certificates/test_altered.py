"""A hundred altered certificates: what is still accepted is the same statement, and most is not."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.altered_certificates import certificates, run
from gendsl.recheck.check import judge

FILES = ("stdlib/prelude.gml", "stdlib/gaussian.gml", "stdlib/masking.gml", "programs/vq_vae.gml")


def test_altered_proof_objects(root: Path, tmp_path: Path) -> None:
    paths = certificates(tmp_path, [root / f for f in FILES])
    rows = run(tmp_path, paths, 100, 1)
    accepted = [x for x in rows if not x.reason]
    assert len(accepted) <= 40  # a hypothesis too few or another true step can still be a proof
    assert all(x.reason == "" or len(x.reason) > 5 for x in rows)


def test_an_altered_claim_is_rejected(root: Path, tmp_path: Path) -> None:
    """The lowered claim says something else than the theorem: the opposite inequality."""
    paths = certificates(tmp_path, [root / "stdlib/gaussian.gml"])
    path = next(p for p in paths if "kl_to_standard.kl_nonneg" in p.name)
    made = json.loads(path.read_text())
    made["obligation"]["body"]["prop"]["op"] = "<="
    path.write_text(json.dumps(made))
    assert "do not cover" in judge(path).reason
    for s in made["sequents"]:
        s["goal"]["left"], s["goal"]["right"] = s["goal"]["right"], s["goal"]["left"]
    path.write_text(json.dumps(made))
    assert judge(path).reason


def test_sizes_that_are_seldom_whole_are_rejected(root: Path, tmp_path: Path) -> None:
    """An index over 1 / b would leave only the points with b = 1 to try the proof at."""
    paths = certificates(tmp_path, [root / "stdlib/codebook.gml"])
    path = next(p for p in paths if "squared_distance.distance_zero_iff" in p.name)
    made = json.loads(path.read_text())
    polys = made["proof"]["polys"]
    used = {int(a[-1][1:]) for a in made["proof"]["atoms"] if a[0] == "i"}
    for k in used:
        [[_, [factor]]] = polys[k]
        assert factor[1] == "1"
        factor[1] = "-1"
        path.write_text(json.dumps(made))
        assert "no axis" in judge(path).reason
        factor[1] = "1"
