"""A program's data fields meet a data set: sizes are bound, ranges and indices are checked.

In: a `Dataset`, the program's `DataField`s and `DimInfo`s, and the sizes that are settled already
(declared ones and the batch). Out: a `Bound`, which gives batches in exactly the declared shapes.
Always: every value of both parts lies in the declared range, every index below its bound, and every
size is known and satisfies its declared lower bound; anything else is E1020..E1029 with the field's
place in the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from gendsl.core.program import DataField, DimInfo, SizeCondition
from gendsl.data.binding_sizes import bind_class_count, bind_sizes
from gendsl.data.dataset import Array, Column, Dataset, Kind
from gendsl.data.order import Indices, held_out_split
from gendsl.data.value_check import check_indices, check_range
from gendsl.diagnostics.model import Diagnostic, GendslError, Label
from gendsl.shape.tensor_type import Axis, Bool, Fin, Real

_KIND_WORDS: Mapping[Kind, str] = {
    "real": "real values",
    "index": "indices",
    "bool": "booleans",
}


@dataclass(frozen=True)
class BoundField:
    """A field's two parts, and the shape of one example as the program declares it."""

    column: str
    train: Column
    held_out: Column
    shape: tuple[int, ...]

    def values(self, part: Column, rows: Array | slice) -> Array:
        picked = part.values(rows)
        return picked.reshape(picked.shape[0], *self.shape)


@dataclass(frozen=True)
class Bound:
    """A data set as a program reads it. `sizes` holds what was given and what the data bound;
    `train_rows` are rows of the data set's training part (all of it when it has a test part)."""

    dataset: Dataset
    sizes: Mapping[str, int]
    fields: Mapping[str, BoundField]
    train_rows: Indices | None
    held_out_rows: Indices | None

    @property
    def data_hash(self) -> str:
        return self.dataset.data_hash

    @property
    def train_count(self) -> int:
        return self._count(self.train_rows, self.dataset.count)

    @property
    def held_out_count(self) -> int:
        return self._count(self.held_out_rows, self.dataset.test_count)

    @staticmethod
    def _count(rows: Indices | None, whole: int) -> int:
        return whole if rows is None else len(rows)

    def train(self, rows: Array | slice = slice(None)) -> dict[str, Array]:
        """Training examples by program field, (rows, *declared shape)."""
        return {name: field.values(field.train, rows) for name, field in self.fields.items()}

    def held_out(self, rows: Array | slice = slice(None)) -> dict[str, Array]:
        return {name: field.values(field.held_out, rows) for name, field in self.fields.items()}


def default_source(fields: Mapping[str, DataField]) -> str | None:
    """The one data set that the program names (`from digits`); None when it names none."""
    named = [field for field in fields.values() if field.source is not None]
    for field in named[1:]:
        if field.source != named[0].source:
            raise _at(
                field,
                "E1029",
                f"fields `{named[0].name}` and `{field.name}` come from different data sets, "
                f"`{named[0].source}` and `{field.source}`",
                f"from {field.source}",
                help="all fields of a program describe the same examples: name one set, or give "
                "one with `--data`",
                labels=(Label(named[0].span, f"from {named[0].source}"),),
            )
    return named[0].source if named else None


def bind(
    dataset: Dataset,
    fields: Mapping[str, DataField],
    dims: Mapping[str, DimInfo],
    given: Mapping[str, int] | None = None,
) -> Bound:
    """Bind sizes and check the data; `given` are the settled sizes (`--set`, defaults, batch)."""
    columns = _choose(dataset, fields)
    shapes = {name: dataset.columns[column].shape for name, column in columns.items()}
    settled = {name: dim.default for name, dim in dims.items() if dim.default is not None}
    settled |= given or {}
    sizes = bind_sizes(dataset.name, fields, shapes, dims, settled)
    for name, field in fields.items():
        column = columns[name]
        parts = [("training", dataset.columns[column])]
        if dataset.test is not None:
            parts.append(("test", dataset.test[column]))
        if isinstance(field.elem, Fin):
            sizes = bind_class_count(field, [part for _, part in parts], sizes)
            check_indices(field, parts, field.elem.bound.size(sizes), dataset)
        elif field.range is not None:
            check_range(field, parts, field.range)
    return _split(dataset, fields, columns, sizes)


def _split(
    dataset: Dataset,
    fields: Mapping[str, DataField],
    columns: Mapping[str, str],
    sizes: Mapping[str, int],
) -> Bound:
    """Held out is the set's own test part, else the part that its content hash fixes."""
    train_rows: Indices | None = None
    held_rows: Indices | None = None
    if dataset.test is None:
        train_rows, held_rows = held_out_split(dataset.count, dataset.data_hash)
    bound: dict[str, BoundField] = {}
    for name, column_name in columns.items():
        column = dataset.columns[column_name]
        if dataset.test is not None:
            train, held = column, dataset.test[column_name]
        else:
            assert train_rows is not None and held_rows is not None
            train, held = column.rows(train_rows), column.rows(held_rows)
        bound[name] = BoundField(column_name, train, held, _shape(fields[name], sizes))
    return Bound(dataset, sizes, bound, train_rows, held_rows)


def _shape(field: DataField, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The declared shape of one example: groups flattened, the batch axis left out."""
    axes = [item for item in field.type.items if isinstance(item, Axis)]
    return tuple(axis.size.size(sizes) for axis in axes[1:])


# ---- which column a field reads ------------------------------------------------------------


def _kind(field: DataField) -> Kind:
    match field.elem:
        case Real():
            return "real"
        case Fin():
            return "index"
        case Bool():
            return "bool"


def _choose(dataset: Dataset, fields: Mapping[str, DataField]) -> dict[str, str]:
    """A column of the same name, else the only free one of the field's kind."""
    chosen: dict[str, str] = {}
    for name, field in fields.items():
        column = dataset.columns.get(name)
        if column is not None and column.kind == _kind(field):
            chosen[name] = name
    for name, field in fields.items():
        if name not in chosen:
            chosen[name] = _choose_by_kind(dataset, field, chosen)
    return {name: chosen[name] for name in fields}


def _choose_by_kind(dataset: Dataset, field: DataField, chosen: Mapping[str, str]) -> str:
    kind = _kind(field)
    alike = [name for name, column in dataset.columns.items() if column.kind == kind]
    free = [name for name in alike if name not in chosen.values()]
    if len(free) == 1:
        return free[0]
    has = ", ".join(f"`{name}` ({_KIND_WORDS[c.kind]})" for name, c in dataset.columns.items())
    text = f"`{field.name}` is declared as {_KIND_WORDS[kind]}"
    if free:
        raise _at(
            field,
            "E1020",
            f"`{dataset.name}` has several columns that `{field.name}` could be",
            text,
            help=f"give the field the name of its column: {', '.join(f'`{n}`' for n in free)}",
        )
    taken = next((reader for reader, column in chosen.items() if column in alike), None)
    raise _at(
        field,
        "E1020",
        f"`{dataset.name}` has no {'other ' if taken else ''}column for `{field.name}`",
        text,
        notes=(f"it has {has}", *((f"`{taken}` reads the one of this kind",) if taken else ())),
        help="give data with such a column, or remove the field from the program",
    )


# ---- size conditions -------------------------------------------------------------------------


def check_conditions(conditions: Iterable[SizeCondition], sizes: Mapping[str, int]) -> None:
    """The inferred conditions (`4 | H`) at the bound sizes; raises E1026 for all that fail."""
    problems = [
        Diagnostic(
            "E1026",
            f"the sizes break the condition `{condition.text}`: {_instance(condition, sizes)}",
            Label(condition.span, f"needs {condition.text}"),
            help="choose data or sizes (`--set`) for which it holds",
        )
        for condition in conditions
        if not condition.holds(sizes)
    ]
    if problems:
        raise GendslError(*problems)


def _instance(condition: SizeCondition, sizes: Mapping[str, int]) -> str:
    used = sorted(condition.divisor.names | condition.dividend.names)
    values = ", ".join(f"{name} = {sizes[name]}" for name in used)
    left: Fraction = condition.divisor.evaluate(sizes)
    right = condition.dividend.evaluate(sizes)
    match condition.kind:
        case "divides":
            return f"{left} does not divide {right} ({values})"
        case "equal":
            return f"{left} is not {right} ({values})"
        case _:
            return f"{right} is less than 1 ({values})"


def _at(
    field: DataField,
    code: str,
    message: str,
    text: str,
    *,
    help: str,
    notes: tuple[str, ...] = (),
    labels: tuple[Label, ...] = (),
) -> GendslError:
    return GendslError(Diagnostic(code, message, Label(field.span, text), labels, notes, help))
