"""Did-you-mean is right when it speaks, and silent otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gendsl.diagnostics.suggest import did_you_mean, distance, nearest

NAMES = ("dense", "conv", "conv_up", "layer_norm", "reparameterize", "kl_to_standard", "mse")


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("dens", ["dense"]),
        ("densee", ["dense"]),
        ("dnese", ["dense"]),
        ("Dense", ["dense"]),
        ("layer-norm", ["layer_norm"]),
        ("reparametrize", ["reparameterize"]),
        ("reparam", ["reparameterize"]),
        ("kl", []),
        ("attention", []),
        ("x", []),
        ("dense", []),
    ],
)
def test_nearest(word: str, wanted: list[str]) -> None:
    assert nearest(word, NAMES) == wanted


def test_words() -> None:
    assert did_you_mean("dens", NAMES) == "did you mean `dense`?"
    assert did_you_mean("zz", NAMES) is None
    assert did_you_mean("ab", ["aa", "ac", "bb"]) == "did you mean `aa`, `ac` or `bb`?"


WORDS = st.text("abcA_-", max_size=7)


@given(WORDS, WORDS)
def test_distance_is_symmetric_and_zero_for_equal_words_only(a: str, b: str) -> None:
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert distance(a, b) <= max(len(a), len(b))
