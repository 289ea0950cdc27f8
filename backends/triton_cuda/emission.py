"""Statements of one task, in blocks that nest, and the names, masks and constants that they use.

In: what values and addresses are to be computed (`backends.triton_cuda.values` asks for them).
Out: lines. Always: a statement stands in the outermost block in which everything it reads exists,
so what does not depend on a loop's variable is computed before the loop; equal requests give one
statement; a load is masked by the bounds of every variable in its address.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backends.triton_cuda.index import (
    SAMPLE,
    Affine,
    Flat,
    Index,
    Num,
    Part,
    Quotient,
    Value,
    Var,
    level_of,
    size_text,
    variables,
)
from gendsl.shape.dim import ONE, Dim

RESERVED = frozenset(
    (*keyword.kwlist, "tl", "triton", "pid", "range", "float", "int", "PRECISION", SAMPLE)
)
# How many entries a tile of a reduction holds at most, and how many it takes at once.
_TILE = 4096
_LEAST = 16


@dataclass(frozen=True)
class Val:
    """A computed value: its name (or a literal), what it varies with, and its block's level.
    `clean`: it is 0 where one of its variables is out of bounds or a guard fails."""

    text: str
    over: frozenset[Var]
    level: int
    clean: bool = False


@dataclass(frozen=True)
class Guard:
    """A condition under which a value is read; elsewhere the value does not matter."""

    text: str
    over: frozenset[Var]
    level: int


@dataclass
class Block:
    """Lines at one level, and what they have computed."""

    lines: list[str] = field(default_factory=list)
    known: dict[object, Val] = field(default_factory=dict)


def axes_of(over: Iterable[Var]) -> frozenset[int]:
    """The axes of the tile along which something varies."""
    return frozenset(v.axis for v in over if v.axis is not None)


def power_of_two(value: int) -> int:
    """The least power of two that is not below `value`."""
    return 1 << max(0, value - 1).bit_length()


class Emission:
    """See the module. `sizes` are the numbers that blocks are chosen for."""

    def __init__(self, sizes: Mapping[str, int], taken: Iterable[str]) -> None:
        self.sizes = sizes
        self.blocks = [Block()]
        self.constants: dict[str, int] = {}
        self.gathered = 0  # entries of the tiles that loops load
        self.guards: tuple[Guard, ...] = ()
        self._taken = set(RESERVED) | set(taken)

    # ---- names ------------------------------------------------------------------------

    def fresh(self, wish: str) -> str:
        """A name of its own."""
        text = "".join(c if c.isalnum() and c.isascii() else "_" for c in wish) or "v"
        text = text if text[0].isalpha() else f"v{text}"
        name, count = text, 1
        while name in self._taken:
            count += 1
            name = f"{text}_{count}"
        self._taken.add(name)
        return name

    def constant(self, wish: str, value: int) -> str:
        """The name of a constant parameter with this value."""
        name = self.fresh(wish)
        self.constants[name] = value
        return name

    # ---- statements -------------------------------------------------------------------

    def find(self, key: object) -> Val | None:
        for block in self.blocks:
            found = block.known.get(key)
            if found is not None:
                return found
        return None

    def line(self, text: str, level: int) -> None:
        self.blocks[level].lines.append(text)

    def let(
        self,
        text: str,
        over: frozenset[Var],
        level: int,
        wish: str,
        key: object = None,
        clean: bool = False,
    ) -> Val:
        """A statement `name = text`; remembered under `key`."""
        known = key if key is not None else ("text", text)
        found = self.find(known)
        if found is not None:
            return found
        name = self.fresh(wish)
        self.line(f"{name} = {text}", level)
        value = Val(name, over, level, clean)
        self.blocks[level].known[known] = value
        return value

    # ---- loops ------------------------------------------------------------------------

    def open(self, level: int) -> list[Block]:
        """Enter a new block inside `level`; gives what `close` needs."""
        saved = self.blocks
        self.blocks = [*saved[: level + 1], Block()]
        return saved

    def close(self, saved: list[Block], level: int, heading: str) -> None:
        """Leave the block: it stands below `heading` at the end of `level`."""
        body = self.blocks[-1].lines
        self.blocks = saved
        saved[level].lines.append(heading)
        saved[level].lines.extend(f"    {text}" for text in body)

    def ranged(self, name: str, size: Dim, axis: int, level: int, counter: str, block: str) -> Var:
        """A variable that runs over `size` in steps of a block, in the block just opened."""
        side = "[None, :]" if axis == 1 else "[:, None]"
        var = Var(name, size, axis, level, block)
        self.line(f"{name} = {counter} * {block} + tl.arange(0, {block}){side}", level)
        return var

    def steps(self, counter: str, size: Dim, block: str) -> str:
        return f"for {counter} in range(0, tl.cdiv({size_text(size)}, {block})):"

    def block_for(self, size: Dim, beside: int, wish: str = "BLOCK_R") -> str:
        """A block for a reduction over `size` in a tile with `beside` entries on the other axis."""
        fits = max(_LEAST, _TILE // max(1, beside))
        return self.constant(wish, max(_LEAST, min(power_of_two(size.size(self.sizes)), fits)))

    def extent(self, over: Iterable[Var], axis: int) -> tuple[str, int]:
        """Name and number of the tile's extent along an axis, for what varies with `over`."""
        for var in over:
            if var.axis == axis:
                return var.block, self.constants[var.block]
        return "1", 1

    def shape(self, over: Iterable[Var]) -> str:
        found = tuple(over)
        return f"({self.extent(found, 0)[0]}, {self.extent(found, 1)[0]})"

    # ---- addresses and masks ------------------------------------------------------------

    def place(self, index: Index) -> str:
        """An index as an operand."""
        match index:
            case Var(name=name) | Value(name=name):
                return name
            case Num(value):
                return size_text(value, True)
            case Part(base, stride, size, top):
                text = self.place(base)
                if stride != ONE:
                    text += f" // {size_text(stride, True)}"
                if not top:
                    text += f" % {size_text(size, True)}"
            case Quotient(base, by):
                text = f"{self.place(base)} // {size_text(by, True)}"
            case Affine() | Flat():
                text = self.sum(index)
        over = variables(index)
        return self.let(text, over, level_of(index), _wish(over), key=("index", index)).text

    def sum(self, index: Index) -> str:
        """An index as a sum, as it stands in an address."""
        match index:
            case Flat(dims, parts):
                texts, stride = [], ONE
                for dim, part in zip(reversed(dims), reversed(parts), strict=True):
                    if not (isinstance(part, Num) and not part.value.terms):
                        texts.append(self._times(stride, part))
                    stride = dim * stride
                return " + ".join(reversed(texts)) or "0"
            case Affine(terms, offset):
                text = " + ".join(self._times(c, t) for c, t in terms)
                return f"{text} + {size_text(offset, True)}" if offset.terms else text
            case _:
                return self.place(index)

    def _times(self, factor: Dim, index: Index) -> str:
        text = self.place(index)
        return text if factor == ONE else f"{text} * {size_text(factor, True)}"

    def mask(self, over: Iterable[Var], guards: Iterable[Guard] = ()) -> Val | None:
        """The condition that variables are in bounds and guards hold; None for no condition."""
        parts: list[Val] = []
        ordered = sorted(set(over), key=lambda v: (v.level, v.name))
        for var in ordered:
            if var.axis is not None and not var.bounded:
                text = f"{var.name} < {size_text(var.size, True)}"
                key = ("bound", var)
                parts.append(self.let(text, frozenset((var,)), var.level, f"{var.name}_ok", key))
        parts += [Val(g.text, g.over, g.level) for g in guards]
        if not parts:
            return None
        whole = parts[0]
        for part in parts[1:]:
            both = f"{whole.text} & {part.text}"
            level = max(whole.level, part.level)
            whole = self.let(both, whole.over | part.over, level, "ok", key=("both", both))
        return whole

    def guards_for(self, over: frozenset[Var]) -> tuple[Guard, ...]:
        """The active guards on what an address varies with."""
        return tuple(g for g in self.guards if g.over <= over)

    def load(self, pointer: str, index: Index, wish: str, other: str) -> Val:
        """A load of one memory at an address, 0 where masked."""
        over = variables(index)
        guards = self.guards_for(over)
        mask = self.mask(over, guards)
        level = max([level_of(index), *(g.level for g in guards)])
        address = self.sum(index)
        target = pointer if address == "0" else f"{pointer} + {address}"
        if mask is None:
            text = f"tl.load({target})"
        else:
            level = max(level, mask.level)
            text = f"tl.load({target}, mask={mask.text}, other={other})"
        if level and self.find(("text", text)) is None:
            self.gathered += self.extent(over, 0)[1] * self.extent(over, 1)[1]
        return self.let(text, over, level, wish, clean=guards == self.guards)


def _wish(over: frozenset[Var]) -> str:
    names = sorted(v.name.partition("_")[0] for v in over)
    return f"{names[0]}_at" if names else "at"


def indices(nodes: Sequence[Index]) -> frozenset[Var]:
    """What several indices vary with together."""
    return frozenset[Var]().union(*map(variables, nodes))
