"""Index expressions: where in a tensor a place of a tile looks, and how that is written.

In: variables of a tile, sizes, and the shapes that movements go between. Out: expressions in normal
form. Always: an expression denotes an integer for every value of its variables below their sizes;
`ravel` and `unravel` are inverse to each other and undo each other wherever the shapes' factors
meet, so that a chain of reshapes of a contiguous tensor is again a contiguous address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gendsl.shape.dim import ONE, ZERO, Dim

# The parameter of a task with the number of the sample that it is for.
SAMPLE = "sample"


@dataclass(frozen=True)
class Var:
    """A variable: `axis` 0 varies along the rows of the tile, 1 along its columns, None not at all
    (one number). `block` is the name of its extent in the tile, `level` that of its block of
    statements. `bounded`: it stays below `size` by itself."""

    name: str
    size: Dim
    axis: int | None
    level: int
    block: str = ""
    bounded: bool = False


@dataclass(frozen=True)
class Num:
    """A size."""

    value: Dim


@dataclass(frozen=True)
class Part:
    """A coordinate of the row-major place `base`: base // stride % size; `top`: the first one, for
    which the remainder is not needed."""

    base: Index
    stride: Dim
    size: Dim
    top: bool


@dataclass(frozen=True)
class Flat:
    """The row-major place of `parts` in the shape `dims`; the first of `dims` does not matter."""

    dims: tuple[Dim, ...]
    parts: tuple[Index, ...]


@dataclass(frozen=True)
class Affine:
    """offset + the sum of coefficient times term."""

    terms: tuple[tuple[Dim, Index], ...]
    offset: Dim


@dataclass(frozen=True)
class Quotient:
    """`base` divided by an integer, rounded down (`base` is not negative where this is read)."""

    base: Index
    by: Dim


@dataclass(frozen=True)
class Value:
    """An index that the kernel loaded or computed: its name, and what it varies with."""

    name: str
    over: frozenset[Var]
    level: int


Index = Var | Num | Part | Flat | Affine | Quotient | Value


def variables(index: Index) -> frozenset[Var]:
    """What an expression varies with."""
    match index:
        case Var():
            return frozenset((index,))
        case Num():
            return frozenset()
        case Part(base=base) | Quotient(base=base):
            return variables(base)
        case Flat(parts=parts):
            return frozenset[Var]().union(*map(variables, parts))
        case Affine(terms=terms):
            return frozenset[Var]().union(*(variables(t) for _, t in terms))
        case Value(over=over):
            return over


def level_of(index: Index) -> int:
    """The level of statements at which an expression can be written."""
    match index:
        case Var(level=level) | Value(level=level):
            return level
        case Num():
            return 0
        case Part(base=base) | Quotient(base=base):
            return level_of(base)
        case Flat(parts=parts):
            return max((level_of(p) for p in parts), default=0)
        case Affine(terms=terms):
            return max((level_of(t) for _, t in terms), default=0)


def affine(terms: Sequence[tuple[Dim, Index]], offset: Dim = ZERO) -> Index:
    """Normal form of offset + the sum of coefficient times term."""
    table: dict[Index, Dim] = {}

    def put(factor: Dim, index: Index) -> None:
        nonlocal offset
        match index:
            case Num(value):
                offset = offset + factor * value
            case Affine(inner, more):
                offset = offset + factor * more
                for coefficient, term in inner:
                    put(factor * coefficient, term)
            case _:
                table[index] = table.get(index, ZERO) + factor

    for coefficient, term in terms:
        put(coefficient, term)
    kept = tuple((c, t) for t, c in table.items() if c != ZERO)
    if not kept:
        return Num(offset)
    if offset == ZERO and len(kept) == 1 and kept[0][0] == ONE:
        return kept[0][1]
    return Affine(kept, offset)


def ravel(dims: Sequence[Dim], parts: Sequence[Index]) -> Index:
    """The row-major place of `parts` in the shape `dims`."""
    pairs: list[tuple[Dim, Index]] = []
    for dim, part in zip(dims, parts, strict=True):
        if dim == ONE and len(dims) > 1:
            continue
        pairs.append((dim, part))
        while len(pairs) > 1 and (joined := _joined(*pairs[-2:])) is not None:
            pairs[-2:] = [joined]
    if not pairs:
        return Num(ZERO)
    if len(pairs) == 1:
        return pairs[0][1]
    return Flat(tuple(d for d, _ in pairs), tuple(p for _, p in pairs))


def _joined(left: tuple[Dim, Index], right: tuple[Dim, Index]) -> tuple[Dim, Index] | None:
    """Two neighbouring coordinates of one place as one."""
    (ldim, lpart), (rdim, rpart) = left, right
    if isinstance(lpart, Num) and lpart.value == ZERO and ldim != ONE and isinstance(rpart, Num):
        return (ldim * rdim, rpart) if rpart.value == ZERO else None
    match lpart, rpart:
        case Part(base, stride, size, top), Part(other, low, extent, False):
            same = base == other and size == ldim and extent == rdim and stride == low * extent
            if same or (top and base == other and extent == rdim and stride == low * extent):
                return ldim * rdim, _part(base, low, ldim * rdim, top)
        case _:
            pass
    return None


def _part(base: Index, stride: Dim, size: Dim, top: bool) -> Index:
    return base if top and stride == ONE else Part(base, stride, size, top)


def unravel(flat: Index, dims: Sequence[Dim]) -> tuple[Index, ...]:
    """The coordinates of a place in the shape `dims`."""
    if not dims:
        return ()
    own = (tuple(flat.dims), flat.parts) if isinstance(flat, Flat) else None
    if isinstance(flat, Num) and flat.value == ZERO:
        return tuple(Num(ZERO) for _ in dims)
    groups = None if own is None else _matched(own[0], tuple(dims))
    if own is not None and groups is not None and len(groups) > 1:
        found: list[Index] = []
        for ours, theirs in groups:
            inner = ravel([own[0][i] for i in ours], [own[1][i] for i in ours])
            found.extend(unravel(inner, [dims[i] for i in theirs]))
        return tuple(found)
    kept = [i for i, d in enumerate(dims) if d != ONE]
    if not kept:
        return tuple(Num(ZERO) for _ in dims)
    made: list[Index] = [Num(ZERO) for _ in dims]
    base, stride, top = flat, ONE, True
    if isinstance(flat, Part):  # a coordinate of a coordinate is one of the finer shape
        base, stride, top = flat.base, flat.stride, flat.top
    for place in reversed(kept):
        made[place] = _part(base, stride, dims[place], top and place == kept[0])
        stride = stride * dims[place]
    return tuple(made)


@lru_cache(maxsize=4096)
def _matched(
    left: tuple[Dim, ...], right: tuple[Dim, ...]
) -> list[tuple[list[int], list[int]]] | None:
    """The finest split of two shapes into consecutive groups of equal products, from the right;
    None where the groups do not end together."""
    groups: list[tuple[list[int], list[int]]] = []
    i, j = len(left), len(right)
    while i > 0 or j > 0:
        ours, theirs, a, b = [], [], ONE, ONE
        if i > 0:
            i, ours, a = i - 1, [i - 1], left[i - 1]
        if j > 0:
            j, theirs, b = j - 1, [j - 1], right[j - 1]
        while a != b:
            ratio = b.divide(a)
            grow_ours = ratio is not None and _whole(ratio)
            if grow_ours and i > 0:
                i -= 1
                ours.insert(0, i)
                a = left[i] * a
            elif j > 0:
                j -= 1
                theirs.insert(0, j)
                b = right[j] * b
            elif i > 0:
                i -= 1
                ours.insert(0, i)
                a = left[i] * a
            else:
                return None
        if not ours or not theirs:
            # sizes of 1 on one side only: they go with their neighbour
            if not groups:
                groups.insert(0, (ours, theirs))
                continue
            groups[0] = (ours + groups[0][0], theirs + groups[0][1])
            continue
        groups.insert(0, (ours, theirs))
    if groups and not (groups[-1][0] and groups[-1][1]):
        return None
    return groups


def _whole(dim: Dim) -> bool:
    """Whether a size is a polynomial with integer coefficients."""
    return not dim.divisibility


# ---- text --------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def size_text(dim: Dim, atom: bool = False) -> str:
    """A size in the names of sizes, as integer arithmetic; `atom`: bracketed where needed."""
    if not dim.terms:
        return "0"
    conditions = dim.divisibility
    if conditions:
        factor, divisor, numerator = conditions[0]
        below = divisor * factor
        text = f"{size_text(numerator, True)} // {size_text(below, True)}"
        return f"({text})" if atom else text
    text, single = "", len(dim.terms) == 1
    for monomial, coefficient in dim.terms:
        names = [name for name, exponent in monomial for _ in range(exponent)]
        value = abs(int(coefficient))
        body = " * ".join(([str(value)] if value != 1 or not names else []) + names)
        sign = "-" if coefficient < 0 else "+"
        text += (f" {sign} " if text else ("-" if sign == "-" else "")) + body
    plain = single and " " not in text and not text.startswith("-")
    return f"({text})" if atom and not plain else text
