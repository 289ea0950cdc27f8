"""Metrics lines, checkpoints, targets: the parts by themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gendsl.diagnostics.model import GendslError
from gendsl.run import checkpoint, manifest, metrics, targets
from gendsl.run.metrics import Journal, Record

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1)
RECORDS = st.builds(
    Record,
    step=st.integers(0, 10**12),
    split=st.sampled_from(["train", "heldout"]),
    metrics=st.dictionaries(NAMES, FINITE),
    weights=st.sampled_from(["raw", "ema"]),
    hypers=st.dictionaries(NAMES, FINITE),
    final=st.booleans(),
)


@given(RECORDS)
def test_lines_read_back_exactly(record: Record) -> None:
    line = record.line()
    assert line.count("\n") == 1 and line.endswith("\n")
    assert Record.parse(line) == record
    assert Record.parse(line).line() == line


def test_numbers_that_are_none_are_never_written() -> None:
    with pytest.raises(ValueError):
        Record(1, "train", {"loss": float("nan")}).line()


def test_cut_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    records = [Record(s, "train", {"loss": s / 3}) for s in (0, 1, 10, 20, 30)]
    records.insert(4, Record(20, "heldout", {"loss": 1.0}, final=True))
    path.write_text("".join(r.line() for r in records) + '{"step": 40, "spl')
    assert [r.step for r in metrics.cut_back(path, 20)] == [0, 1, 10, 20]
    assert path.read_text() == "".join(r.line() for r in records[:4])
    assert metrics.cut_back(path, 0) == []
    assert path.read_text() == ""
    assert metrics.cut_back(tmp_path / "absent", 20) == []
    assert not (tmp_path / "absent").exists()


def test_a_torn_line_is_never_continued(tmp_path: Path) -> None:
    path = tmp_path / "timings.jsonl"
    path.write_text('{"step": 1}\n{"st')
    journal = Journal(path)
    journal.write(['{"step": 2}\n'])
    journal.close()
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def values() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "param:a.w": rng.normal(size=(3, 4)).astype(np.float32),
        "slot:m:a.w": rng.normal(size=(4, 3)).astype(np.float32).T,
        "state:count": np.asarray(7, dtype=np.int64),
        "state:on": np.array([True, False]),
        "ema:a.w": np.array([[np.nan, -0.0], [np.inf, 1e-45]], dtype=np.float32),
    }


def test_checkpoints_keep_every_bit(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, checkpoint.Checkpoint(120, values(), "abc"))
    assert path.name == "step-00000120.safetensors"
    found = checkpoint.load(path)
    assert (found.step, found.graph_hash) == (120, "abc")
    assert found.values.keys() == values().keys()
    for key, value in values().items():
        assert found.values[key].dtype == value.dtype and found.values[key].shape == value.shape
        assert found.values[key].tobytes() == np.ascontiguousarray(value).tobytes()
    again = checkpoint.save(tmp_path / "b", checkpoint.Checkpoint(120, values(), "abc"))
    assert again.read_bytes() == path.read_bytes()


def test_others_can_read_a_checkpoint(tmp_path: Path) -> None:
    from safetensors import safe_open

    path = checkpoint.save(tmp_path, checkpoint.Checkpoint(3, values(), "abc"))
    with safe_open(str(path), "np") as opened:
        assert opened.metadata()["graph_hash"] == "abc"
        assert set(opened.keys()) == {*values(), "step"}
        assert (opened.get_tensor("param:a.w") == values()["param:a.w"]).all()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (100, 200, 300, 400, 1000):
        checkpoint.save(tmp_path, checkpoint.Checkpoint(step, values(), ""))
    (tmp_path / ".step-00002000.safetensors.tmp").write_bytes(b"half")
    assert checkpoint.steps(tmp_path) == [300, 400, 1000]
    newest = checkpoint.latest(tmp_path)
    assert newest is not None and newest.name == "step-00001000.safetensors"
    assert checkpoint.latest(tmp_path / "absent") is None


@pytest.mark.parametrize("cut", [0, 5, 60, -1])
def test_a_torn_checkpoint(cut: int, tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, checkpoint.Checkpoint(3, values(), ""))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(GendslError, match="E1051"):
        checkpoint.load(path)


def test_a_checkpoint_of_something_else(tmp_path: Path) -> None:
    from safetensors.numpy import save

    path = tmp_path / "step-00000003.safetensors"
    path.write_bytes(save({"w": np.zeros(2, np.float32)}))
    with pytest.raises(GendslError, match=r"E1051.*format"):
        checkpoint.load(path)
    found = checkpoint.Checkpoint(3, values(), "")
    shapes = {k: v.shape for k, v in values().items()}
    checkpoint.check_fits(found, shapes, path)
    for wrong in (
        {**shapes, "param:b": (1,)},
        {k: v for k, v in shapes.items() if k != "param:a.w"},
        {**shapes, "param:a.w": (4, 3)},
    ):
        with pytest.raises(GendslError, match="E1051"):
            checkpoint.check_fits(found, wrong, path)


def test_commands_that_go_on() -> None:
    command = "gendsl run vae --set Z=4 --steps 10"
    place = Path("runs/vae 2")
    assert manifest.resume_command(command, place) == f"{command} --out 'runs/vae 2' --resume"
    further = manifest.further_command(command + " --out x", place, 20)
    assert further == "gendsl run vae --set Z=4 --out x --steps 20 --resume"


def test_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert targets.find("torch_cpu").name == "torch_cpu"
    monkeypatch.setattr(targets, "entry_points", lambda group: ())
    monkeypatch.setitem(targets.BUILT_IN, "triton_cuda", "backends.absent:TARGET")
    with pytest.raises(GendslError, match=r"E0901.*no target for CUDA"):
        targets.find("triton_cuda")
