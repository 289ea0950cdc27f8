"""Matching arguments against parameters, and instantiating what they determine."""

from __future__ import annotations

from gendsl.core.instantiate import instantiate, repeated_label
from gendsl.core.matching import Match, positions
from gendsl.core.term import AxisArg
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Axis, Bool, Factor, Fin, Item, Spread, TensorType

I_, O_, Z = (Dim.name(n) for n in ("I@f", "O@f", "Z"))
LOCALS = frozenset({"I@f", "O@f"})
B, H, W = (Axis(n, Dim.name(n)) for n in ("B", "H", "W"))


def axis(text: str, size: Dim | None = None) -> Axis:
    return Axis(text, Dim.name(text) if size is None else size)


def matched(*pairs: tuple[TensorType, TensorType]) -> Match:
    match = Match(LOCALS)
    for number, (pattern, actual) in enumerate(pairs):
        match.add(f"p{number}", pattern, actual)
    match.finish()
    return match


def pattern(*items: Item) -> TensorType:
    return TensorType(items)


def test_a_local_size_takes_the_axis_with_its_label_and_factors() -> None:
    group = Axis("(H W)", Dim.name("H") * Dim.name("W"), (Factor("H", H.size), Factor("W", W.size)))
    match = matched((pattern(Spread("b"), axis("I", I_)), TensorType((B, group))))
    assert not match.problems
    assert match.dims["I@f"] == AxisArg("(H W)", group.size, group.factors)
    assert match.spreads["b"] == (B,)
    result = instantiate(pattern(Spread("b"), axis("I", I_)), match.dims, match.spreads)
    assert result == TensorType((B, group))


def test_a_label_of_its_own_is_kept() -> None:
    match = matched((pattern(axis("I", I_)), TensorType((H,))))
    assert instantiate(pattern(axis("q", I_)), match.dims, {}) == TensorType((axis("q", H.size),))


def test_composite_sizes_are_solved_last() -> None:
    doubled = pattern(Axis("f", I_ * 2))
    match = matched(
        (doubled, TensorType((axis("f", Z * 2),))),
        (pattern(axis("I", I_)), TensorType((axis("Z"),))),
    )
    assert not match.problems and match.dims["I@f"].size == Z
    alone = matched((doubled, TensorType((axis("f", Z * 6),))))
    assert not alone.problems and alone.dims["I@f"].size == Z * 3
    half = matched((doubled, TensorType((axis("f", Z),))))
    assert half.dims["I@f"].size == Z.divide(2) and half.solved_by_division


def test_two_unknowns_in_one_size_are_refused() -> None:
    match = matched((pattern(Axis("f", I_ * O_)), TensorType((axis("f", Z),))))
    assert "cannot be solved" in match.problems[0].reason


def test_sizes_that_disagree_name_the_other_argument() -> None:
    vector = pattern(axis("I", I_))
    match = matched((vector, TensorType((H,))), (vector, TensorType((W,))))
    (problem,) = match.problems
    assert (problem.formal, problem.other) == ("p1", "p0")
    assert problem.reason == "size `W` where `I` is `H` in `p0`"
    assert problem.names == {"H", "W"}


def test_a_rigid_size_matches_only_itself() -> None:
    assert not matched((pattern(axis("Z")), TensorType((axis("Z"),)))).problems
    assert matched((pattern(axis("Z")), TensorType((H,)))).problems


def test_leading_axes_may_be_fewer_in_order() -> None:
    vector = pattern(Spread("b"), axis("I", I_))
    fewer = matched((vector, TensorType((B, H, W))), (vector, TensorType((H, W))))
    assert not fewer.problems and fewer.spreads["b"] == (B, H)
    none = matched((vector, TensorType((B, H, W))), (vector, TensorType((W,))))
    assert not none.problems
    swapped = matched((vector, TensorType((B, H, W))), (vector, TensorType((H, B, W))))
    assert swapped.problems


def test_scalars_fit_real_patterns_and_kinds_must_agree() -> None:
    vector = pattern(axis("I", I_))
    assert not matched((vector, TensorType())).problems
    assert matched((vector, TensorType((H,), Bool()))).problems
    index = TensorType((), Fin(I_))
    assert matched((index, TensorType((), Fin(Z)))).dims["I@f"].size == Z


def test_positions_are_an_ordered_subsequence() -> None:
    assert positions((B,), (B, H)) == (0,)
    assert positions((H,), (B, H)) == (1,)
    assert positions((), (B, H)) == ()
    assert positions((H, B), (B, H)) is None
    assert positions((axis("B", H.size),), (B, H)) is None
    same_sizes = (axis("q", H.size), axis("k", W.size))
    assert positions(same_sizes, (H, W)) == (0, 1)  # as many: by position


def test_repeated_labels_are_found() -> None:
    assert repeated_label((B, H, B)) == "B"
    assert repeated_label((B, H, Spread("b"))) is None


def test_relabelled_composites_follow_their_size() -> None:
    dims = {"I@f": AxisArg("Z", Z)}
    doubled = Axis("2*I", I_ * 2)
    assert instantiate(TensorType((doubled,)), dims, {}) == TensorType((Axis("2*Z", Z * 2),))
