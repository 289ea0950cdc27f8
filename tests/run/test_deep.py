"""Programs of very many lines that build on each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from tests.run.making import go


def chain(layers: int) -> str:
    """A network of so many layers, one a line."""
    body = "\n".join(f"    h{i} = relu(dense[width](h{i - 1}))" for i in range(1, layers))
    return f"""\
import nn: dense

batch B
dim width = 4

data x: [B, (C H W)] in 0..1 from digits

net body(x: [..b, D]) -> [..b, width]:
    h0 = relu(dense[width](x))
{body}
    return dense[width](h{layers - 1})

objective loss:
    minimize mean[B](sum[width](square(body(x))))

train:
    step loss over body with adam(lr = 1e-3)
    batch B = 32
    steps 1
"""


def test_a_thousand_layers_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "deep.gml"
    path.write_text(chain(1000))
    sink = Sink()
    assert analyse(str(path), sink).graph is not None
    assert not sink.has_errors


def test_a_hundred_and_fifty_layers_are_trained(tmp_path: Path) -> None:
    path = tmp_path / "deep.gml"
    path.write_text(chain(150))
    assert go(path, tmp_path / "run") == 0


def test_a_longer_chain_than_the_checker_follows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gendsl.driver.DEEPEST", 1500)
    path = tmp_path / "deep.gml"
    path.write_text(chain(1000))
    sink = Sink()
    assert analyse(str(path), sink).graph is None
    assert [d.code for d in sink.sorted()] == ["E0006"]
