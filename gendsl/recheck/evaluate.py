"""What graph nodes compute, in high precision, at concrete sizes.

In: nodes, a point (values of leaves). Out: `Array`s. Written from the op descriptions, not from the
numpy reference: the two are independent. Reals may be `Dual`s, then derivatives come along; a
`stop_grad` drops them. Nodes that `stands` names are read from the point instead of computed.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from mpmath import mp, mpf

from .arrays import Array, Dual, Undefined, flat, places, plain, scalar, tabulate
from .functions import BINARY, COMPARE, UNARY, inverse, log, number, power, unary
from .node_text import Node, Op, below
from .points import Point
from .sizes import Malformed

Sizes = Mapping[str, int]
Apply = Callable[[Op, list[Array], tuple[int, ...], Sizes], Array]


class Unsupported(Exception):
    """An op that this checker does not evaluate."""


class Evaluator:
    """Values of nodes at one point; `along` are the keys of leaves that move with derivative 1
    times a random direction, `moving` the nodes in `stands` that have a derivative of their own."""

    def __init__(
        self,
        point: Point,
        stands: Mapping[Node, str] | None = None,
        along: frozenset[str] = frozenset(),
        moving: frozenset[Node] = frozenset(),
    ) -> None:
        self.point, self.stands, self.along, self.moving = point, stands or {}, along, moving
        self._memo: dict[Node, Array] = {}

    def value(self, node: Node) -> Array:
        for x in self._todo(node):
            self._memo[x] = self._value(x)
        return self._memo[node]

    def _todo(self, node: Node) -> list[Node]:
        found: set[Node] = set()
        stack = [node]
        while stack:
            x = stack.pop()
            if x not in found and x not in self._memo:
                found.add(x)
                if x not in self.stands:
                    stack.extend(x.inputs)
        return sorted(found, key=lambda x: x.number)

    def _value(self, x: Node) -> Array:
        sizes = self.point.sizes
        shape = tuple(d.count(sizes) for d in x.type.shape)
        name = self.stands.get(x) or x.key
        if name is not None:
            extra = tuple(int(self._memo[y].entries[0]) for y in x.inputs) if x.key == name else ()
            found = self.point.array(name, x.type, shape, extra)
            if name in self.along:
                towards = f"direction:{name.partition(':')[2]}"
                return tabulate(shape, lambda i: Dual(found.at(i), self.point.real(towards, i)))
            if x in self.moving:
                return tabulate(shape, lambda i: Dual(found.at(i), self.point.real(f"d{name}", i)))
            return found
        result = apply(x.op, [self._memo[y] for y in x.inputs], shape, sizes)
        if result.shape != shape:
            raise Undefined(f"%{x.number} has shape {result.shape}, not {shape}")
        return result


def apply(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    """The value of an op at arrays."""
    if op.name in UNARY:
        return args[0].map(unary(op.name))
    if op.name in BINARY:
        return args[0].map(BINARY[op.name], args[1])
    if op.name in COMPARE:
        return args[0].map(COMPARE[op.name], args[1])
    found = OPS.get(op.name)
    if found is None:
        raise Unsupported(f"the op {op.name}")
    return found(op, args, shape, sizes)


def _count(x: Any, sizes: Sizes) -> int:
    return int(x.count(sizes))


def _signed(x: Any, sizes: Sizes) -> int:
    value = x.value(sizes)
    if value.denominator != 1:
        raise Undefined(f"{value} is not a whole number")
    return int(value)


def _ints(x: Any) -> list[int]:
    return [_signed(y, {}) for y in x]


def _broadcast(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    positions = _ints(op["positions"])
    return tabulate(shape, lambda i: args[0].at([i[p] for p in positions]))


def reduce(x: Array, axes: Sequence[int], f: Callable[[list[Any]], Any]) -> Array:
    """f over the entries along `axes`, row-major."""
    kept = [k for k in range(len(x.shape)) if k not in axes]
    rows: dict[tuple[int, ...], list[Any]] = {}
    for i, v in zip(places(x.shape), x.entries, strict=True):
        rows.setdefault(tuple(i[k] for k in kept), []).append(v)
    return tabulate([x.shape[k] for k in kept], lambda i: f(rows[i]))


def total(row: Sequence[Any]) -> Any:
    return sum(row, mpf(0))


def _first(row: list[Any], better: Callable[[Any, Any], bool]) -> int:
    best = 0
    for k, v in enumerate(row):
        if better(plain(v), plain(row[best])):
            best = k
    return best


def _log_sum_exp(row: list[Any]) -> Any:
    return _log(total([unary("exp")(v) for v in row]))


def _log(x: Any) -> Any:
    return Dual(log(x.v), x.d * inverse(x.v)) if isinstance(x, Dual) else log(x)


def _along(x: Array, axis: int, f: Callable[[list[Any]], list[Any]]) -> Array:
    """f maps each row along an axis to a row of the same length."""
    lead, count, tail = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
    entries: list[Any] = [None] * len(x.entries)
    for a, b in itertools.product(range(lead), range(tail)):
        at = [(a * count + k) * tail + b for k in range(count)]
        for k, v in zip(at, f([x.entries[k] for k in at]), strict=True):
            entries[k] = v
    return Array(x.shape, entries)


def _softmax(row: list[Any]) -> list[Any]:
    weights = [unary("exp")(v) for v in row]
    scale = inverse(total(weights))
    return [w * scale for w in weights]


def _running(join: Callable[[Any, Any], Any]) -> Callable[[list[Any]], list[Any]]:
    return lambda row: list(itertools.accumulate(row, join))


def _contract(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    left, right, out = (_ints(op[k]) for k in ("left", "right", "out"))
    size = {
        **dict(zip(left, args[0].shape, strict=True)),
        **dict(zip(right, args[1].shape, strict=True)),
    }
    summed = [x for x in dict.fromkeys([*left, *right]) if x not in out]

    def entry(i: tuple[int, ...]) -> Any:
        place = dict(zip(out, i, strict=True))
        products = []
        for j in places([size[x] for x in summed]):
            place.update(zip(summed, j, strict=True))
            a, b = ([place[x] for x in labels] for labels in (left, right))
            products.append(args[0].at(a) * args[1].at(b))
        return total(products)

    return tabulate(shape, entry)


def _slice(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    axis, start = _signed(op["axis"], {}), _signed(op["start"], sizes)
    step = _signed(op["step"], {}) if "step" in op.attributes else 1
    return tabulate(shape, lambda i: args[0].at(_moved(i, axis, start + step * i[axis])))


def _moved(i: tuple[int, ...], axis: int, k: int) -> tuple[int, ...]:
    return (*i[:axis], k, *i[axis + 1 :])


def _zero(x: Array) -> Any:
    first = x.entries[0] if x.entries else mpf(0)
    return type(first)(0) if isinstance(first, bool | int) else mpf(0)


def _placed(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    """pad and scatter_slice: the operand at start, start + step, ..., zeros elsewhere."""
    axis = _signed(op["axis"], {})
    start = _signed(op["before" if op.name == "pad" else "start"], sizes)
    step = _signed(op["step"], {}) if "step" in op.attributes else 1

    def entry(i: tuple[int, ...]) -> Any:
        k, rest = divmod(i[axis] - start, step)
        inside = rest == 0 and 0 <= k < args[0].shape[axis]
        return args[0].at(_moved(i, axis, k)) if inside else _zero(args[0])

    return tabulate(shape, entry)


def _concat(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    axis = _signed(op["axis"], {})

    def entry(i: tuple[int, ...]) -> Any:
        k = i[axis]
        for x in args:
            if k < x.shape[axis]:
                return x.at(_moved(i, axis, k))
            k -= x.shape[axis]
        raise Undefined("beyond a concatenation")

    return tabulate(shape, entry)


def _gather(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    batch = _signed(op["batch"], {}) if "batch" in op.attributes else 0
    table, index = args
    rank = len(index.shape)
    return tabulate(shape, lambda i: table.at((*i[:batch], int(index.at(i[:rank])), *i[rank:])))


def _scatter(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    batch = _signed(op["batch"], {})
    index, values = args
    rank = len(index.shape)
    sums: dict[tuple[int, ...], Any] = {}
    for i, v in zip(places(values.shape), values.entries, strict=True):
        at = (*i[:batch], int(index.at(i[:rank])), *i[rank:])
        sums[at] = sums.get(at, mpf(0)) + v
    return tabulate(shape, lambda i: sums.get(i, mpf(0)))


def _windows(op: Op, big: Sequence[int], small: Sequence[int], window: Sequence[int]) -> list[Any]:
    """(place in the image, place in the result, place in the window), along height and width."""
    stride, pads = _signed(op["stride"], {}), _ints(op["pads"])
    found = []
    for y, x in places(small):
        for i, j in places(window):
            p, q = y * stride + i - pads[0], x * stride + j - pads[2]
            if 0 <= p < big[0] and 0 <= q < big[1]:
                found.append(((p, q), (y, x), (i, j)))
    return found


def _conv(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    """conv2d and its two adjoints: one trilinear sum, read in three ways."""
    image, weight, result = {
        "conv2d": (args[0].shape, args[1].shape, shape),
        "conv_transpose2d": (shape, args[1].shape, args[0].shape),
        "conv2d_weight_grad": (args[0].shape, shape, args[1].shape),
    }[op.name]
    sums: list[Any] = [mpf(0)] * prod(shape)
    for big, small, window in _windows(op, image[2:], result[2:], weight[2:]):
        for b, c, o in places((image[0], image[1], weight[0])):
            at = [(b, c, *big), (o, c, *window), (b, o, *small)]
            where = {"conv2d": 2, "conv_transpose2d": 0, "conv2d_weight_grad": 1}[op.name]
            target = at.pop(where)
            # the remaining two places are those of the operands, in this order
            first, second = at if op.name != "conv_transpose2d" else (at[1], at[0])
            sums[flat(target, shape)] += args[0].at(first) * args[1].at(second)
    return Array(shape, sums)


def _shifted(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    offset, scale = _signed(op["offset"], sizes), _signed(op["scale"], sizes)
    divide, bound = _count(op["divide"], sizes), _count(op["bound"], sizes)

    def entry(i: Any) -> int:
        k = offset + scale * int(i) // divide
        if not 0 <= k < bound:
            raise Undefined("an index out of range")
        return k

    return args[0].map(entry)


def random_function(name: str, at: Sequence[int], tables: Sequence[Sequence[Any]]) -> Any:
    """An arbitrary but fixed function: equal arguments (to 25 digits) give equal values."""
    words = [name, str(tuple(at))]
    for table in tables:
        words += [mp.nstr(plain(v) + mpf(0), 25) for v in table] + ["|"]
    digest = hashlib.sha256(" ".join(words).encode()).digest()
    return mpf(int.from_bytes(digest[:6], "big") % 4001 - 2000) / 1000


def _net(op: Op, args: list[Array], shape: tuple[int, ...], sizes: Sizes) -> Array:
    mapped = _signed(op["mapped_axes"], {}) if "mapped_axes" in op.attributes else 0
    name = f"net:{op['net']}.{op['result']}"

    def entry(i: tuple[int, ...]) -> Any:
        lead = i[:mapped]
        rows = [
            [x.at((*lead, *j)) for j in places(x.shape[mapped:])] if mapped else x.entries
            for x in args
        ]
        return random_function(name, i[mapped:], rows)

    return tabulate(shape, entry)


OPS: dict[str, Apply] = {
    "const": lambda op, args, shape, sizes: scalar(number(op["value"].number)),
    "size": lambda op, args, shape, sizes: scalar(number(op["dim"].value(sizes))),
    "pi": lambda op, args, shape, sizes: scalar(+mp.pi),
    "truth": lambda op, args, shape, sizes: scalar(bool(op["value"])),
    "index": lambda op, args, shape, sizes: scalar(_count(op["value"], sizes)),
    "iota": lambda op, args, shape, sizes: tabulate(shape, lambda i: i[0]),
    "power": lambda op, args, shape, sizes: args[0].map(
        lambda x: power(x, Fraction(op["exponent"].number))
    ),
    "sum": lambda op, args, shape, sizes: reduce(args[0], _ints(op["axes"]), total),
    "max": lambda op, args, shape, sizes: reduce(
        args[0], _ints(op["axes"]), lambda row: max(row, key=plain)
    ),
    "min": lambda op, args, shape, sizes: reduce(
        args[0], _ints(op["axes"]), lambda row: min(row, key=plain)
    ),
    "all": lambda op, args, shape, sizes: reduce(args[0], _ints(op["axes"]), all),
    "any": lambda op, args, shape, sizes: reduce(args[0], _ints(op["axes"]), any),
    "logsumexp": lambda op, args, shape, sizes: reduce(args[0], _ints(op["axes"]), _log_sum_exp),
    "argmax": lambda op, args, shape, sizes: reduce(
        args[0], [_signed(op["axis"], {})], lambda row: _first(row, lambda a, b: a > b)
    ),
    "argmin": lambda op, args, shape, sizes: reduce(
        args[0], [_signed(op["axis"], {})], lambda row: _first(row, lambda a, b: a < b)
    ),
    "argsort": lambda op, args, shape, sizes: _along(
        args[0],
        _signed(op["axis"], {}),
        lambda row: sorted(range(len(row)), key=lambda k: (plain(row[k]), k)),
    ),
    "softmax": lambda op, args, shape, sizes: _along(args[0], _signed(op["axis"], {}), _softmax),
    "log_softmax": lambda op, args, shape, sizes: _along(
        args[0], _signed(op["axis"], {}), lambda row: [v - _log_sum_exp(row) for v in row]
    ),
    "cumsum": lambda op, args, shape, sizes: _along(
        args[0], _signed(op["axis"], {}), _running(lambda a, b: a + b)
    ),
    "cumprod": lambda op, args, shape, sizes: _along(
        args[0], _signed(op["axis"], {}), _running(lambda a, b: a * b)
    ),
    "broadcast": _broadcast,
    "contract": _contract,
    "transpose": lambda op, args, shape, sizes: tabulate(
        shape, lambda i: args[0].at([i[_ints(op["perm"]).index(k)] for k in range(len(i))])
    ),
    "reshape": lambda op, args, shape, sizes: Array(shape, args[0].entries),
    "slice": _slice,
    "flip": lambda op, args, shape, sizes: _along(
        args[0], _signed(op["axis"], {}), lambda row: row[::-1]
    ),
    "pad": _placed,
    "scatter_slice": _placed,
    "concat": _concat,
    "gather": _gather,
    "scatter_add": _scatter,
    "one_hot": lambda op, args, shape, sizes: tabulate(
        shape, lambda i: mpf(int(args[0].at(i[:-1]) == i[-1]))
    ),
    "index_affine": _shifted,
    "widen": lambda op, args, shape, sizes: args[0],
    "to_real": lambda op, args, shape, sizes: args[0].map(lambda x: mpf(int(x))),
    "where": lambda op, args, shape, sizes: args[0].map(
        lambda c, a, b: a if c else b, args[1], args[2]
    ),
    "not": lambda op, args, shape, sizes: args[0].map(lambda a: not a),
    "and": lambda op, args, shape, sizes: args[0].map(lambda a, b: a and b, args[1]),
    "or": lambda op, args, shape, sizes: args[0].map(lambda a, b: a or b, args[1]),
    "conv2d": _conv,
    "conv_transpose2d": _conv,
    "conv2d_weight_grad": _conv,
    "net_call": _net,
}


def supported(roots: list[Node], stands: Mapping[Node, str]) -> bool:
    """Whether every op that would be computed has a meaning here."""
    known = {*UNARY, *BINARY, *COMPARE, *OPS, "input", "draw"}
    return all(x in stands or x.op.name in known for x in below(roots))


__all__ = ["Evaluator", "Malformed", "Unsupported", "apply", "random_function", "supported"]
