"""A question's time is its own: what the process holds besides does not decide what is proved."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.prove import forms, settle
from gendsl.prove.budget import undisturbed
from gendsl.prove.case import Case, Outcome


@pytest.fixture
def slow_searches() -> Iterator[None]:
    """Every search for cycles takes 0.3 s of the processor, as it does in a large process."""

    def search(phase: str, _: dict[str, Any]) -> None:
        end = time.process_time() + (0.3 if phase == "start" else 0.0)
        while time.process_time() < end:
            pass

    gc.callbacks.append(search)
    yield
    gc.callbacks.remove(search)


def eager() -> Callable[[Case], Outcome]:
    """Proves with a process that looks for cycles all the time."""
    proved = forms.settled

    def settled(case: Case) -> Outcome:
        before = gc.get_threshold()
        gc.set_threshold(200, 2, 2)
        try:
            return proved(case)
        finally:
            gc.set_threshold(*before)

    return settled


def test_searches_for_cycles_take_no_time_of_a_claim(
    slow_searches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle.forms, "settled", eager())
    found = analyse("programs/autoencoder.gml", Sink(), prove=False)
    assert found.graph is not None and found.interface is not None
    verdicts = {
        settle.settle_one(found.graph, claim, found.interface, seconds=1.0).verdict
        for claim in found.obligations
    }
    assert verdicts == {"proved"}


def test_it_ends_with_the_question() -> None:
    assert gc.isenabled()
    with undisturbed():
        with undisturbed():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="no"), undisturbed():
        raise ValueError("no")
    assert gc.isenabled()
