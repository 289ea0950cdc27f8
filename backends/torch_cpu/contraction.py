"""Contractions as matrix products over views.

Labels fall into four groups: batch (in both operands and the result), summed, and the free ones of
either side. Every contraction is a (batched) matrix product of operands permuted to group order and
flattened group by group; without summed labels it is a product of broadcast operands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from backends.common.text import unbracketed
from gendsl.ir.graph import Node
from gendsl.ops.contract import Contract

if TYPE_CHECKING:
    from backends.torch_cpu.express import Expressions

Labels = tuple[int, ...]


def takes_bias(op: Contract) -> bool:
    """Whether it is a product of a matrix with rows: sums over one operand's labels all but one,
    which is the result's last axis, and leaves the other operand's in their order before it."""
    if not op.summed or not op.out or set(op.left) & set(op.right) & set(op.out):
        return False
    rows = op.left if op.out[-1] in op.right else op.right
    return op.out[:-1] == tuple(x for x in rows if x in op.out) != ()


@dataclass(frozen=True)
class Rates:
    """What products take in microseconds: a call, a million flops, a thousand entries of the
    operands and the result, and a thousand columns, of which those above `_MANY` are free."""

    call: float
    work: float
    left: float
    right: float
    result: float
    columns: float = 0.0
    turned_left: float = 0.0  # more for a left operand that is stored by columns
    turned_right: float = 0.0

    def cost(self, rows: int, terms: int, columns: int, turned: tuple[bool, bool]) -> float:
        left = self.left + (self.turned_left if turned[0] else 0.0)
        right = self.right + (self.turned_right if turned[1] else 0.0)
        entries = left * rows * terms + right * terms * columns + self.result * rows * columns
        work = self.work * 2e-6 * rows * terms * columns
        return self.call + work + 1e-3 * (entries + self.columns * min(columns, _MANY))


_MANY = 400
# By measurement (AMD Zen 5, torch 2.13, float32, 75 shapes in 4 layouts; the fits are off by 6% on
# one thread and 15% on several, 2). BLAS (MKL) runs at half of oneDNN's rate, but starts at once.
# A left operand that is stored by columns costs no copy; see `onednn.py` for where it would.
_DENSE = {
    False: Rates(12.2, 3.67, 0.057, 0.057, 0.034, turned_left=0.03, turned_right=0.03),
    True: Rates(17.9, 1.94, 0.014, 0.062, 0.054, turned_left=0.07, turned_right=0.07),
}
_BLAS = {
    False: Rates(1.0, 8.71, 0.161, 0.077, 0.033),
    True: Rates(5.3, 4.82, 0.060, 0.088, 0.036, columns=23.4),
}
# A relu apart, which only BLAS needs: a call, and a thousand entries.
_RELU_CALL, _RELU = 0.7, 0.06
_SHORT = 8
# With this many terms in each sum, oneDNN's product is 1.5 times faster with a much longer side
# first (512 x 4096 x 64 against 64 x 4096 x 512, 2 threads); at 3 to 1 it is the same.
_TALL = 1024


def dense_pays(
    shape: tuple[int, int, int], turned: tuple[bool, bool], *, several: bool, relu: bool = False
) -> bool:
    """Whether oneDNN's product is faster than BLAS's. `shape` has rows, terms and columns; `turned`
    says which operands are stored by columns, `several` whether it has more than one thread."""
    dense, blas = (table[several].cost(*shape, turned) for table in (_DENSE, _BLAS))
    if relu:
        blas += _RELU_CALL + _RELU * 1e-3 * shape[0] * shape[2]
    return min(shape) >= _SHORT and dense < blas


def contraction(
    express: Expressions,
    node: Node,
    bias: str | None = None,
    then: str = "none",
    plus: str | None = None,
    scale: str | None = None,
) -> str:
    """Torch text for a contraction; where it takes a bias, `bias` is added in every row, and `then`
    ("none" or "relu") applied. `plus` is a tensor of the result's shape that is added to it;
    `scale` a number that its right operand is multiplied by."""
    op = node.op
    assert isinstance(op, Contract)
    left, right = express.whole(node.inputs[0]), express.whole(node.inputs[1])
    sides = [(left, op.left, node.inputs[0]), (right, op.right, node.inputs[1])]
    if op.out and op.out[-1] in op.left and op.out[-1] not in op.right:
        sides.reverse()  # the side whose free labels come last is the right one
    (a, a_labels, a_node), (b, b_labels, b_node) = sides
    if not op.summed:
        return f"({_placed(a, a_labels, op.out)} * {_placed(b, b_labels, op.out)})"
    sizes = dict(zip(a_labels, express.context.shape(a_node), strict=True))
    sizes.update(zip(b_labels, express.context.shape(b_node), strict=True))
    shared = set(op.left) & set(op.right)
    batch = tuple(x for x in op.out if x in shared)
    a_free = tuple(x for x in op.out if x in a_labels and x not in shared)
    b_free = tuple(x for x in op.out if x in b_labels and x not in shared)
    summed = tuple(x for x in a_labels if x in op.summed)
    first = _grouped(a, a_labels, (batch, a_free, summed), sizes)
    second = _grouped(b, b_labels, (batch, summed, b_free), sizes)
    second = second if scale is None else f"({scale} * {second})"
    extents = [prod(sizes[x] for x in labels) for labels in (a_free, summed, b_free)]
    rows, terms, columns = extents
    turned = a_labels[-1] in a_free, b_labels[-1] in summed
    several, relu = express.context.several, then == "relu"
    large = dense_pays((rows, terms, columns), turned, several=several, relu=relu)
    made = (*batch, *a_free, *b_free)
    groups = [g for g in (batch, a_free, b_free) if g]
    if large and not batch:
        if bias is None and terms >= _TALL and columns >= 6 * rows:
            text = f"{_dense(_turned(second), _turned(first), None, 'none')}.t()"
        else:
            text = _dense(first, second, bias, then)
    else:
        text = _product(first, second, bool(batch), bool(a_free), bool(b_free), bias)
        text = f"torch.relu_({text})" if then == "relu" else text
    if any(len(g) > 1 for g in groups):
        text += f".reshape({', '.join(str(sizes[x]) for x in made)})"
    text += _permuted(made, op.out)
    return text if plus is None else f"{text}.add_({plus})"


def _product(a: str, b: str, batch: bool, a_free: bool, b_free: bool, bias: str | None) -> str:
    """The product of operands with axes ([batch], [free], summed) and ([batch], summed, [free])."""
    if batch:
        left = unbracketed(a) if a_free else f"{a}.unsqueeze(1)"
        right = unbracketed(b) if b_free else f"{b}.unsqueeze(2)"
        text = f"torch.bmm({left}, {right})"
        # Dropped in this order: axis 2 first, then axis 1.
        return text + ("" if b_free else ".squeeze(2)") + ("" if a_free else ".squeeze(1)")
    if bias is not None:
        return f"torch.addmm({bias}, {unbracketed(a)}, {unbracketed(b)})"
    match a_free, b_free:
        case True, True:
            return f"torch.mm({unbracketed(a)}, {unbracketed(b)})"
        case True, False:
            return f"torch.mv({unbracketed(a)}, {unbracketed(b)})"
        case False, True:
            return f"torch.mv({b}.t(), {unbracketed(a)})"
        case _:
            return f"torch.dot({unbracketed(a)}, {unbracketed(b)})"


def _dense(a: str, b: str, bias: str | None, then: str) -> str:
    """The runtime's product for large operands."""
    parts = [unbracketed(a), unbracketed(b)]
    if bias is not None:
        parts.append(bias)
    if then != "none":
        parts.append(f'then="{then}"')
    return f"dense({', '.join(parts)})"


def _turned(text: str) -> str:
    """The transpose of a matrix."""
    return text.removesuffix(".t()") if text.endswith(".t()") else f"{text}.t()"


def _permuted(labels: Labels, order: Labels) -> str:
    if labels == order:
        return ""
    if len(labels) == 2:
        return ".t()"
    return f".permute({', '.join(str(labels.index(x)) for x in order)})"


def _grouped(text: str, labels: Labels, groups: Iterable[Labels], sizes: dict[int, int]) -> str:
    """The operand with its axes permuted to the order of `groups`, each group one axis."""
    kept = [g for g in groups if g]
    order = tuple(x for g in kept for x in g)
    text += _permuted(labels, order)
    if all(len(g) == 1 for g in kept):
        return text
    extents = [prod(sizes[x] for x in g) for g in kept]
    return f"{text}.reshape({', '.join(map(str, extents))})"


def _placed(text: str, labels: Labels, out: Sequence[int]) -> str:
    """The operand with its axes in the order of `out`, and new ones of size 1 for the others."""
    order = tuple(x for x in out if x in labels)
    text += _permuted(labels, order)
    marks = [":" if x in labels else "None" for x in out]
    while marks and marks[0] == "None":
        marks.pop(0)
    while marks and marks[-1] == ":":
        marks.pop()
    return f"{text}[{', '.join(marks)}]" if marks else text
