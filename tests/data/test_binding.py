"""Programs meet data: sizes, ranges, indices, columns, parts, conditions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gendsl.core.program import DataField, SizeCondition
from gendsl.data import Dataset, bind, check_conditions, default_source, load
from gendsl.data.dataset import RawPart, assemble
from gendsl.diagnostics.model import GendslError
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Range
from tests.data.making import (
    SPAN,
    Array,
    bool_field,
    dim,
    dims,
    image_field,
    label_field,
    labels,
    pictures,
    refused,
)


def data(test: bool = False, **arrays: Array) -> Dataset:
    places = dict.fromkeys(arrays, "made")
    held = RawPart({name: array[:2] for name, array in arrays.items()}, places) if test else None
    return assemble("made", RawPart(arrays, places), held, provenance="made")


def fields(*all_fields: DataField) -> dict[str, DataField]:
    return {field.name: field for field in all_fields}


IMAGE = image_field("C", "H", "W")
FREE = dims(C=None, H=None, W=None)


def test_grey_pictures_bind_one_channel() -> None:
    bound = bind(load("digits"), fields(IMAGE, label_field()), FREE)
    assert dict(bound.sizes) == {"C": 1, "H": 8, "W": 8}
    assert (bound.train_count, bound.held_out_count) == (1438, 359)
    batch = bound.train(np.array([5, 0, 5]))
    assert batch["x"].shape == (3, 64) and batch["x"].dtype == np.float32
    assert batch["y"].shape == (3,) and batch["y"].dtype == np.int64
    raw = load("digits").columns["image"].raw
    assert bound.train_rows is not None
    np.testing.assert_array_equal(
        batch["x"][0], raw[bound.train_rows[5]].reshape(64).astype(np.float32) / 16
    )
    assert bound.data_hash == load("digits").data_hash


def test_parts_do_not_overlap_and_never_move() -> None:
    bound = bind(load("digits"), fields(IMAGE), FREE)
    assert bound.train_rows is not None and bound.held_out_rows is not None
    both = np.concatenate([bound.train_rows, bound.held_out_rows])
    assert sorted(both.tolist()) == list(range(1797))
    again = bind(load("digits"), fields(IMAGE), FREE, {"B": 4})
    assert (again.held_out()["x"] == bound.held_out()["x"]).all()


def test_a_test_part_is_the_held_out_part() -> None:
    found = data(test=True, image=pictures(5, 3, 4, 2))
    bound = bind(found, fields(IMAGE), FREE)
    assert (bound.train_count, bound.held_out_count) == (5, 2)
    assert bound.train_rows is None and bound.held_out_rows is None
    whole = pictures(5, 3, 4, 2).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(bound.train()["x"], whole.reshape(5, 24))
    np.testing.assert_array_equal(bound.held_out(np.array([1]))["x"], whole[1:2].reshape(1, 24))
    assert dict(bound.sizes) == {"C": 3, "H": 4, "W": 2}


def test_axes_apart() -> None:
    apart = image_field("C", "H", "W", flat=False)
    bound = bind(load("digits"), fields(apart), FREE)
    assert bound.train(slice(0, 2))["x"].shape == (2, 1, 8, 8)
    two = image_field("H", "W", flat=False)
    one_channel = data(image=pictures(5, 1, 4, 3))
    assert bind(one_channel, fields(two), FREE).train()["x"].shape == (4, 4, 3)


def test_formulas() -> None:
    found = data(image=pictures(5, 6, 4))
    half = image_field("C", 2 * dim("H"), dim("H") + dim("W"))
    bound = bind(found, fields(half), FREE)
    assert (bound.sizes["H"], bound.sizes["W"]) == (3, 1)
    product = image_field("C", dim("H") * dim("W"), "V")
    refused("E1025", lambda: bind(found, fields(product), FREE), "`H`", "`W`")
    given = bind(found, fields(product), FREE, {"H": 3})
    assert given.sizes["W"] == 2
    odd = image_field("C", 4 * dim("H"), "W")
    refused("E1025", lambda: bind(found, fields(odd), FREE), "4*H = 6")


def test_declared_sizes_must_agree() -> None:
    found = load("digits")
    one = bind(found, fields(image_field(1, 8, 8)), dims())
    assert one.train(slice(0, 1))["x"].shape == (1, 64)
    wrong = refused("E1022", lambda: bind(found, fields(image_field(3, 8, 8)), dims()), "3", "1")
    assert wrong.primary is not None and wrong.primary.span == SPAN
    declared = dims(C=None, H=28, W=None)
    wrong = refused("E1022", lambda: bind(found, fields(IMAGE), declared), "H = 28", "8")
    assert wrong.labels and wrong.labels[0].span == declared["H"].span
    set_by_hand = {"H": 8}
    assert bind(found, fields(IMAGE), declared, set_by_hand).sizes["H"] == 8


def test_two_fields_share_sizes() -> None:
    arrays = {"left": pictures(4, 5, 6) / np.float32(255), "right": pictures(4, 5, 6) * 1.0}
    left = image_field("C", "H", "W", name="left")
    right = image_field("C", "H", "W", name="right", high=255)
    bound = bind(data(**arrays), fields(left, right), FREE)
    assert set(bound.train()) == {"left", "right"}
    arrays["right"] = pictures(4, 5, 7) * 1.0
    wrong = refused("E1022", lambda: bind(data(**arrays), fields(left, right), FREE), "right", "7")
    assert "from `made`" in wrong.labels[0].text


def test_ranks() -> None:
    wrong = refused("E1021", lambda: bind(load("digits"), fields(image_field("D")), FREE), "(8, 8)")
    assert "[B, (C H W)]" in str(wrong.help)
    vectors = data(value=np.zeros((4, 6), np.float32))
    refused("E1021", lambda: bind(vectors, fields(IMAGE), FREE), "(6,)")
    assert bind(vectors, fields(image_field("D")), FREE).sizes["D"] == 6
    colour = data(image=pictures(4, 3, 5, 5))
    refused("E1021", lambda: bind(colour, fields(image_field("H", "W")), FREE), "(3, 5, 5)")


def test_range_of_pictures() -> None:
    found = load("digits")
    assert bind(found, fields(image_field("C", "H", "W", low=-1, high=1)), FREE)
    assert bind(found, fields(image_field("C", "H", "W", low=None, high=None)), FREE)
    narrow = image_field("C", "H", "W", low=None, high=0)
    wrong = refused("E1023", lambda: bind(found, fields(narrow), FREE), "example 0", "-inf..0")
    assert "0..1" in wrong.notes[0]


@pytest.mark.parametrize("part", ["training", "test"])
@pytest.mark.parametrize("value", [-0.25, 1.5])
def test_first_value_out_of_range(part: str, value: float) -> None:
    train, test = np.zeros((9000, 2, 2), np.float32), np.zeros((3, 2, 2), np.float32)
    where = {"training": (train, 8999), "test": (test, 2)}[part]
    where[0][where[1], 1, 0] = value
    places = {"image": "made"}
    found = assemble(
        "made", RawPart({"image": train}, places), RawPart({"image": test}, places), provenance=""
    )
    refused(
        "E1023",
        lambda: bind(found, fields(IMAGE), FREE),
        f"{part} example {where[1]}",
        "(1, 0)",
        str(value),
    )


def test_bounds_that_float32_rounds() -> None:
    tenth = replace(IMAGE, range=Range(Fraction(0), Fraction(1, 10)))
    values = np.full((4, 2, 2), 0.1, np.float32)  # a little above one tenth
    assert bind(data(image=values), fields(tenth), FREE).train_count == 3
    above = np.nextafter(values, np.float32(1))
    refused("E1023", lambda: bind(data(image=above), fields(tenth), FREE))


def test_indices() -> None:
    found = data(image=pictures(20, 2, 2), label=labels(20))
    wrong = refused(
        "E1024", lambda: bind(found, fields(label_field(9)), FREE), "below 9", "example 9", "has 9"
    )
    assert "fin[10]" in str(wrong.help)
    negative = data(label=np.array([0, 1, -1, 2], np.int64))
    refused("E1024", lambda: bind(negative, fields(label_field(3)), FREE), "example 2", "-1")
    assert bind(found, fields(label_field("K")), dims(K=None)).sizes["K"] == 10
    refused("E1024", lambda: bind(found, fields(label_field("K")), dims(K=4)), "below 4")


def test_token_sequences_and_booleans() -> None:
    found = data(token=np.arange(12).reshape(4, 3) % 5, seen=np.array([True, False, True, True]))
    tokens = image_field("L", name="t", elem=label_field(5).elem, low=None, high=None, flat=False)
    bound = bind(found, fields(tokens, bool_field()), dims(L=None))
    assert bound.sizes["L"] == 3
    batch = bound.train()
    assert batch["t"].shape == (3, 3) and batch["t"].dtype == np.int64
    assert batch["m"].dtype == np.bool_


def test_columns_that_are_not_there() -> None:
    only = data(image=pictures(4, 2, 2))
    wrong = refused("E1020", lambda: bind(only, fields(IMAGE, label_field()), FREE), "`y`")
    assert "`image` (real values)" in wrong.notes[0]
    twice = fields(IMAGE, image_field("C", "H", "W", name="z"))
    wrong = refused("E1020", lambda: bind(only, twice, FREE), "`z`")
    assert "`x` reads the one of this kind" in wrong.notes[1]


def test_columns_that_are_ambiguous() -> None:
    both = data(left=pictures(4, 2, 2) * 1.0, right=pictures(4, 2, 2) * 1.0)
    wrong = refused("E1020", lambda: bind(both, fields(IMAGE), FREE), "several columns")
    assert "`left`, `right`" in str(wrong.help)


def test_sources() -> None:
    assert default_source(fields(IMAGE)) is None
    named = image_field("C", "H", "W", source="digits")
    assert default_source(fields(named, label_field(source="digits"))) == "digits"
    assert default_source(fields(IMAGE, label_field(source="digits"))) == "digits"
    wrong = refused(
        "E1029", lambda: default_source(fields(named, label_field(source="mnist"))), "`mnist`"
    )
    assert wrong.labels[0].text == "from digits"


def test_lower_bounds() -> None:
    bounded = dims(C=None, H=None, W=None)
    bounded["H"] = replace(bounded["H"], at_least=Dim.of(9))
    refused("E1026", lambda: bind(load("digits"), fields(IMAGE), bounded), "`H` is 8", "9")
    bounded["H"] = replace(bounded["H"], at_least=Dim.name("W"))
    assert bind(load("digits"), fields(IMAGE), bounded).sizes["H"] == 8


def test_one_example_cannot_be_split() -> None:
    refused("E1028", lambda: bind(data(image=pictures(1, 2, 2)), fields(IMAGE), FREE))


def test_conditions() -> None:
    four = SizeCondition("divides", Dim.of(4), dim("H"), SPAN)
    room = SizeCondition("positive", Dim.of(1), dim("H") - 9, SPAN)
    same = SizeCondition("equal", dim("H"), dim("W"), SPAN)
    check_conditions([four, same], {"H": 8, "W": 8})
    with pytest.raises(GendslError) as caught:
        check_conditions([four, room, same], {"H": 6, "W": 8})
    found = caught.value.diagnostics
    assert [d.code for d in found] == ["E1026"] * 3
    assert "4 does not divide 6 (H = 6)" in found[0].message
    assert "-3 is less than 1" in found[1].message
    assert "6 is not 8 (H = 6, W = 8)" in found[2].message


def test_a_path_binds_like_a_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=pictures(10, 3, 4, 4), label=labels(10))
    bound = bind(load(str(tmp_path / "a.npz")), fields(IMAGE, label_field()), FREE)
    assert dict(bound.sizes) == {"C": 3, "H": 4, "W": 4}
    assert (bound.train_count, bound.held_out_count) == (8, 2)
