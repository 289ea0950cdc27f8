"""Every program trains as its plain PyTorch peer does (three small steps in float64; the table of
`python -m benchmarks.parity` has more)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from benchmarks.parity import double
from benchmarks.side_by_side import PEERS
from gendsl.resources import names


@pytest.fixture(autouse=True)
def default_dtype() -> Iterator[None]:
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


def test_every_program_has_a_peer() -> None:
    assert set(PEERS) == set(names("programs"))


@pytest.mark.parametrize("name", PEERS)
def test_the_first_steps_are_those_of_the_peer(name: str) -> None:
    assert double(name, seed=3, steps=3, batch=16) < 1e-9
