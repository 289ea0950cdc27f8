"""`--set`: every name and value that cannot be is refused, with the fix."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from gendsl.core.program import (
    DimInfo,
    HyperInfo,
    Interface,
    OptimizerSpec,
    Recipe,
    RecipeStep,
)
from gendsl.diagnostics.model import GendslError
from gendsl.run.settings import settle
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Range
from gendsl.source.text import NOWHERE

ONE = Dim.of(1)
DIMS = {
    "B": DimInfo("B", "batch", None, ONE, NOWHERE),
    "H": DimInfo("H", "data", None, ONE, NOWHERE),
    "T": DimInfo("T", "dim", 1000, Dim.of(2), NOWHERE),
    "S": DimInfo("S", "dim", 1000, Dim.name("T"), NOWHERE),
    "hidden": DimInfo("hidden", "dim", 64, ONE, NOWHERE),
}
HYPERS = {
    "beta": HyperInfo("beta", Fraction(1), Range(Fraction(0), None), NOWHERE),
    "gamma": HyperInfo("gamma", Fraction(1, 2), Range(Fraction(0), Fraction(1)), NOWHERE),
}
INTERFACE = Interface("p.gml", DIMS, HYPERS, {}, (), Recipe((), 32, 100, ("gamma",)))


def refused(*given: tuple[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(GendslError) as caught:
        settle(INTERFACE, given)
    return [(d.code, d.help or "") for d in caught.value.diagnostics]


def test_defaults() -> None:
    found = settle(INTERFACE, ())
    assert found.sizes == {"B": 32, "T": 1000, "S": 1000, "hidden": 64}
    assert found.hypers == {"beta": 1.0, "gamma": 0.5}
    assert found.given == ()


def test_given_values_replace_them_the_last_one_counts() -> None:
    found = settle(INTERFACE, (("B", "8"), ("beta", "4"), ("beta", "1e-2"), ("S", "1000")))
    assert (found.sizes["B"], found.hypers["beta"]) == (8, 0.01)
    assert found.given == ("B", "beta", "S")


@pytest.mark.parametrize(
    ("name", "value", "code", "hint"),
    [
        ("hiden", "8", "E1047", "did you mean `hidden`?"),
        ("nothing_like_it", "8", "E1047", "`hidden`"),
        ("H", "8", "E1049", "--data"),
        ("gamma", "0.5", "E1049", "schedule gamma"),
        ("hidden", "2.5", "E1048", "--set hidden=64"),
        ("hidden", "0", "E1048", "--set hidden=64"),
        ("T", "1", "E1048", "`T` >= 2"),
        ("S", "10", "E1048", "`S` >= 1000"),
        ("beta", "-1", "E1048", "range"),
        ("beta", "nan", "E1048", "--set beta=1"),
        ("beta", "1e999", "E1048", "range"),
        ("beta", "1/0", "E1048", "--set beta=1"),
    ],
)
def test_what_is_refused(name: str, value: str, code: str, hint: str) -> None:
    ((found, help_),) = refused((name, value))
    assert found == code
    assert hint in help_


ADAM = OptimizerSpec("adam", {"lr": Fraction(1, 1000), "beta1": Fraction(9, 10)})
LINE = RecipeStep("loss", ("net",), ADAM, 1, False, NOWHERE)


@pytest.mark.parametrize(
    ("name", "schedules", "says"),
    [
        ("lr", (), "change `adam(lr = ...)` in the program's `train:` block; to set it here"),
        ("learning_rate", (), "write `schedule lr = constant(rate)`"),
        ("lr", ("lr",), "change `schedule lr = ...` in the program's `train:` block"),
        ("beta1", (), "change `adam(beta1 = ...)` in the program's `train:` block"),
        ("steps", (), "that is a flag: `--steps N`"),
        ("seed", (), "that is a flag: `--seed N`"),
        ("batch-size", (), "the batch size is `--set B=...`"),
        ("beta2", (), "did you mean `beta`?"),
    ],
)
def test_words_of_the_program_are_told_apart(
    name: str, schedules: tuple[str, ...], says: str
) -> None:
    interface = replace(INTERFACE, recipe=Recipe((LINE,), 32, 100, schedules))
    with pytest.raises(GendslError) as caught:
        settle(interface, ((name, "1"),))
    (found,) = caught.value.diagnostics
    assert found.code == "E1047" and says in (found.help or "")


def test_all_problems_at_once() -> None:
    assert [code for code, _ in refused(("x", "1"), ("B", "0"))] == ["E1047", "E1048"]
