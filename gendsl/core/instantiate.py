"""Instantiating polymorphic types: local sizes and spreads replaced by a caller's.

An axis written as a bare local size (`O` in `[..b, O]`) takes the caller's whole axis: size, label
and group factors; an axis with a label of its own keeps the label; a composite size is relabelled
by its new text when its label was the default one.
"""

from __future__ import annotations

from collections.abc import Mapping

from gendsl.core.show import default_label, plain
from gendsl.core.term import AxisArg
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Axis, Elem, Factor, Fin, Item, Spread, TensorType

Dims = Mapping[str, AxisArg]
Spreads = Mapping[str, tuple[Item, ...]]


def sizes_of(dims: Dims) -> dict[str, Dim]:
    return {name: argument.size for name, argument in dims.items()}


def instantiate(type_: TensorType, dims: Dims, spreads: Spreads) -> TensorType:
    """The type with local sizes and spreads replaced."""
    result: list[Item] = []
    for item in type_.items:
        if isinstance(item, Spread):
            result.extend(spreads.get(item.name, (item,)))
        else:
            result.append(instantiate_axis(item, dims))
    return TensorType(tuple(result), instantiate_elem(type_.elem, dims), type_.range)


def instantiate_elem(elem: Elem, dims: Dims) -> Elem:
    return Fin(elem.bound.substitute(sizes_of(dims))) if isinstance(elem, Fin) else elem


def instantiate_axis(axis: Axis, dims: Dims) -> Axis:
    name = axis.size.as_name
    if name is not None and name in dims and not axis.factors:
        argument = dims[name]
        if axis.label == plain(name):
            return argument.axis()
        return Axis(axis.label, argument.size, argument.factors)  # type: ignore[arg-type]
    sizes = sizes_of(dims)
    size = axis.size.substitute(sizes)
    factors = tuple(_factor(f, sizes) for f in axis.factors)
    if axis.label == default_label(axis.size, axis.factors):
        return Axis(default_label(size, factors), size, factors)
    return Axis(axis.label, size, factors)


def _factor(factor: Factor, sizes: Mapping[str, Dim]) -> Factor:
    size = factor.size.substitute(sizes)
    return Factor(plain(size) if factor.label == plain(factor.size) else factor.label, size)


def repeated_label(items: tuple[Item, ...]) -> str | None:
    """A label that occurs twice, or None."""
    seen: set[str] = set()
    for item in items:
        if item.label in seen:
            return item.label
        seen.add(item.label)
    return None
