"""Which parameters lie together in memory: those that one update changes, in one block.

In: the statements of a plain source and what its expressions give. Out: `Block`s. A block is
updated as one vector; parameters that products read side by side (mu | logvar, Q | K | V) are a
`Unit` of it, and are read without a copy as the one matrix that they are. Always: every parameter
is in at most one block and one unit; what is in a unit with others is read nowhere else.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from backends.torch_cpu.observe import Seen
from backends.torch_cpu.use import Block, Unit

RULES = ("sgd_", "adam_", "adamw_")


@dataclass(frozen=True)
class Update:
    """An optimizer's call: the expressions of gradients by path, and the slots it changes."""

    gradients: Mapping[str, ast.expr]
    slots: tuple[str, ...]


def update_of(statement: ast.stmt) -> Update | None:
    match statement:
        case ast.Expr(
            value=ast.Call(func=ast.Name(rule), args=[_, _, ast.Dict() as given], keywords=keywords)
        ) if rule in RULES:
            options = {k.arg: ast.literal_eval(k.value) for k in keywords if _fixed(k)}
            usual = ("m", "v") if rule != "sgd_" else ("m",) if options["momentum"] else ()
            pairs = zip(given.keys, given.values, strict=True)
            gradients = {str(k.value): x for k, x in pairs if isinstance(k, ast.Constant)}
            return Update(gradients, tuple(options.get("slots", usual)))
        case _:
            return None


def _fixed(keyword: ast.keyword) -> bool:
    return isinstance(keyword.value, ast.Constant | ast.Tuple)


class _Source:
    """What names of a plain source stand for, and how often they are read."""

    def __init__(self, body: Sequence[ast.stmt], seen: Mapping[ast.expr, Seen]) -> None:
        self.body, self.seen = body, seen
        self.values = {
            s.targets[0].id: s.value
            for s in body
            if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)
        }
        names = (n for s in body if not isinstance(s, ast.Delete) for n in ast.walk(s))
        self.reads = Counter(
            n.id for n in names if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
        )
        cells = (self._path(value) for value in self.values.values())
        self.cells = Counter(path for path in cells if path is not None)

    def _path(self, e: ast.expr) -> str | None:
        match e:
            case ast.Subscript(value=ast.Name("p"), slice=ast.Constant(value=str() as path)):
                return path
            case _:
                return None

    def own(self, e: ast.expr) -> str | None:
        """The path of a parameter that nothing but this expression, a name, reads."""
        if not isinstance(e, ast.Name) or self.reads[e.id] != 1 or e.id not in self.values:
            return None
        path = self._path(self.values[e.id])
        return path if path is not None and self.cells[path] == 1 else None

    def joins(self) -> Iterator[tuple[Unit, ast.Call]]:
        """What parameters are read side by side, and where."""
        for value in self.values.values():
            match value:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name("torch"), attr="cat"),
                    args=[ast.Tuple(elts=parts), ast.Constant(value=int() as axis)],
                ):
                    paths = [self.own(part) for part in parts]
                    found = tuple(path for path in paths if path is not None)
                    if len(found) == len(paths) and 0 < self.seen[value].rank <= 2:
                        yield Unit(found, axis), value
                case _:
                    pass

    def sliced(self, unit: Unit, gradients: Mapping[str, ast.expr]) -> bool:
        """Whether the gradients of a unit lie side by side as its parameters do: as slices of one
        value; along the first axis it is enough that they are values of their own."""
        slices = [self._slice(gradients[path], unit.axis) for path in unit.paths]
        found = [s for s in slices if s is not None]
        if not found:
            return unit.axis == 0
        starts, ends = [start for _, start, _ in found], [end for _, _, end in found]
        one = len({name for name, _, _ in found}) == 1 and len(found) == len(slices)
        return one and starts == [0, *ends[:-1]]

    def _slice(self, e: ast.expr, axis: int) -> tuple[str, int, int] | None:
        """The value that a gradient is a slice of, and from where to where."""
        while isinstance(e, ast.Name) and e.id in self.values:
            e = self.values[e.id]
        match e:
            case ast.Subscript(value=ast.Name(name), slice=index):
                window = index.elts[-1] if isinstance(index, ast.Tuple) else index
                place = len(index.elts) - 1 if isinstance(index, ast.Tuple) else 0
                match window:
                    case ast.Slice(
                        lower=ast.Constant(value=int() as start),
                        upper=ast.Constant(value=int() as end),
                        step=None,
                    ) if place == axis:
                        return name, start, end
                    case _:
                        return None
            case _:
                return None


def blocks(
    body: Sequence[ast.stmt], seen: Mapping[ast.expr, Seen]
) -> tuple[list[Block], Mapping[ast.expr, Unit]]:
    """The blocks of a step, and the expressions that read units of them."""
    source = _Source(body, seen)
    joins = list(source.joins())
    found: list[Block] = []
    read: dict[ast.expr, Unit] = {}
    for update in filter(None, map(update_of, body)):
        gradients = update.gradients
        if len(gradients) < 2 or any(seen[g].rank not in (1, 2) for g in gradients.values()):
            continue
        units: dict[str, Unit] = {}
        for unit, e in joins:
            fits = set(unit.paths) <= gradients.keys() - units.keys()
            if fits and source.sliced(unit, gradients):
                units.update(dict.fromkeys(unit.paths, unit))
                read[e] = unit
        rows = dict.fromkeys(units.get(path, Unit((path,))) for path in gradients)

        def uneven(unit: Unit, of: Mapping[str, ast.expr] = gradients) -> bool:
            """Whether what comes after it would not begin with a line of the cache."""
            return sum(prod(seen[of[path]].shape) for path in unit.paths) % 16 != 0

        found.append(Block(tuple(sorted(rows, key=uneven)), update.slots))
    return found, read
