"""Sizes from the shape of the data.

In: the factors of each field (C, H, W), the shape of one example, and the sizes known before. Out:
all sizes of the fields. A grey picture (H, W) is read as (1, H, W) where three factors are
declared, and (1, H, W) as (H, W) where two are; ranks are never changed otherwise. A size that is
a name is bound; one that is a formula is solved when exactly one of its names is unknown and occurs
linearly; every size that is known already must agree with the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from gendsl.core.program import DataField, DimInfo
from gendsl.data.dataset import Column
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import Diagnostic, GendslError, Label
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Factor, Fin
from gendsl.source.text import Span


@dataclass
class _Sizes:
    """The sizes found so far; `origin` says where each came from, for messages."""

    dataset: str
    values: dict[str, int]
    dims: Mapping[str, DimInfo]
    origin: dict[str, tuple[str, Span]] = dataclass_field(default_factory=dict)

    def label(self, name: str) -> tuple[Label, ...]:
        if name in self.origin:
            text, span = self.origin[name]
            return (Label(span, text),)
        dim = self.dims.get(name)
        if dim is None:
            return ()
        declared = f"{name} = {self.values[name]}" if name in self.values else name
        return (Label(dim.span, f"{declared} here"),)


def bind_sizes(
    dataset: str,
    fields: Mapping[str, DataField],
    shapes: Mapping[str, tuple[int, ...]],
    dims: Mapping[str, DimInfo],
    settled: Mapping[str, int],
) -> dict[str, int]:
    """Every size of the fields; raises E1021 (rank), E1022 (disagreement), E1025 or E1026."""
    sizes = _Sizes(dataset, dict(settled), dims)
    pairs = [
        (one, factor, size)
        for name, one in fields.items()
        for factor, size in zip(one.factors, _fit(dataset, one, shapes[name]), strict=True)
    ]
    # Bare names first, then formulas: `2*H` may stand before the `H` that explains it.
    for one, factor, size in sorted(pairs, key=lambda pair: pair[1].size.as_name is None):
        _bind_factor(sizes, one, factor, size)
    _check_bounds(sizes)
    return sizes.values


def _fit(dataset: str, one: DataField, shape: tuple[int, ...]) -> tuple[int, ...]:
    """One example's shape with as many axes as the field has factors."""
    rank = len(one.factors)
    if rank == len(shape):
        return shape
    if rank == 3 and len(shape) == 2:
        return (1, *shape)
    if rank == 2 and len(shape) == 3 and shape[0] == 1:
        return shape[1:]
    declared = ", ".join(_factor_text(factor) for factor in one.factors) or "a single value"
    if rank == 1 and len(shape) in (2, 3):
        fix = f"declare the picture's axes: `data {one.name}: [{one.batch}, (C H W)]` flattens them"
    else:
        fix = f"declare {counted(len(shape), 'size')} after the batch, or give data with {rank}"
    raise _problem(
        one,
        "E1021",
        f"`{one.name}` has {counted(rank, 'size')} per example ({declared}), "
        f"but one example of `{dataset}` has shape {shape}",
        f"{counted(rank, 'size')} after {one.batch}",
        help=fix,
    )


def _factor_text(factor: Factor) -> str:
    size = str(factor.size)
    return size if factor.label == size else f"{factor.label}: {size}"


def _bind_factor(sizes: _Sizes, one: DataField, factor: Factor, found: int) -> None:
    unknown = sorted(factor.size.names - sizes.values.keys())
    if not unknown:
        _must_agree(sizes, one, factor, found)
        return
    value = _solve(factor.size, unknown[0], sizes.values, found) if len(unknown) == 1 else None
    if value is None:
        names = ", ".join(f"`{name}`" for name in unknown)
        raise _problem(
            one,
            "E1025",
            f"the data gives {factor.size} = {found}, which does not fix {names}",
            f"{_factor_text(factor)} is {found}",
            help=f"give a size to all but one of the names, or declare a field with {names} as "
            "a size of its own",
        )
    sizes.values[unknown[0]] = value
    sizes.origin[unknown[0]] = (f"{unknown[0]} = {value} from `{sizes.dataset}`", one.span)


def _solve(size: Dim, name: str, known: Mapping[str, int], found: int) -> int | None:
    """The integer >= 1 at which `size` is `found`, when the name occurs linearly."""
    if any(exponent not in (0, 1) for m, _ in size.terms for n, exponent in m if n == name):
        return None
    at_one, at_two = (size.evaluate({**known, name: value}) for value in (1, 2))
    slope = at_two - at_one
    if slope == 0:
        return None
    value = 1 + (found - at_one) / slope
    return int(value) if value.denominator == 1 and value >= 1 else None


def _must_agree(sizes: _Sizes, one: DataField, factor: Factor, found: int) -> None:
    expected = factor.size.evaluate(sizes.values)
    if expected == found:
        return
    names = sorted(factor.size.names)
    said = str(factor.size) if factor.size.constant is None else f"`{factor.label}`"
    declared = next((n for n in names if n in sizes.dims and n not in sizes.origin), None)
    if factor.size.constant is not None:
        fix = "write a name instead of the number, and the data binds it"
    elif declared is not None:
        fix = f"`--set {declared}=...`, or leave {declared} undeclared, and the data binds it"
    else:
        fix = "both fields must have this size in the data, or use two names"
    raise _problem(
        one,
        "E1022",
        f"`{one.name}` has {said} = {expected}, but `{sizes.dataset}` has {found} there",
        f"{_factor_text(factor)} is {expected}, the data has {found}",
        help=fix,
        labels=tuple(label for name in names for label in sizes.label(name)),
    )


def _check_bounds(sizes: _Sizes) -> None:
    """Lower bounds of the sizes that the data bound, or whose bound mentions such a size."""
    for name, dim in sizes.dims.items():
        if name not in sizes.values or not dim.at_least.names <= sizes.values.keys():
            continue
        least = dim.at_least.evaluate(sizes.values)
        if sizes.values[name] < least:
            raise GendslError(
                Diagnostic(
                    "E1026",
                    f"`{name}` is {sizes.values[name]} with `{sizes.dataset}`, "
                    f"but it has to be at least {dim.at_least}",
                    Label(dim.span, f"{name} >= {dim.at_least}"),
                    labels=sizes.label(name) if name in sizes.origin else (),
                    help="choose data with larger examples, or lower the bound",
                )
            )


def bind_class_count(
    one: DataField, parts: Sequence[Column], sizes: Mapping[str, int]
) -> dict[str, int]:
    """`fin[K]` with K still unknown: K is the number of classes, the largest index plus one."""
    assert isinstance(one.elem, Fin)
    bound = one.elem.bound
    unknown = sorted(bound.names - sizes.keys())
    if not unknown:
        return dict(sizes)
    classes = 1 + max(int(part.raw.max()) for part in parts)
    value = _solve(bound, unknown[0], sizes, classes) if len(unknown) == 1 else None
    if value is None:
        raise _problem(
            one,
            "E1025",
            f"the data has {counted(classes, 'class', 'classes')}, which does not fix the names of "
            f"fin[{bound}]",
            f"fin[{bound}]",
            help="write the number of classes: `of fin[10]`",
        )
    return {**sizes, unknown[0]: value}


def _problem(
    one: DataField,
    code: str,
    message: str,
    text: str,
    *,
    help: str,
    labels: tuple[Label, ...] = (),
) -> GendslError:
    return GendslError(Diagnostic(code, message, Label(one.span, text), labels, help=help))
