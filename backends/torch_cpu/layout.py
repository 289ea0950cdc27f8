"""Which images are kept with their channels last.

In: a plan. Out: the values that have to be brought into that order where they are made. Torch's
convolutions are up to 1.8 times faster on such images (oneDNN, AMD Zen 5), and their results have
the order of their operands, as pointwise results have; so it is enough to convert what enters:
data, draws, and what was moved or reshaped. Weights stay as they are: oneDNN reorders them anyway.
"""

from __future__ import annotations

from collections.abc import Iterator

from gendsl.ir.graph import Node
from gendsl.ir.grouping import pointwise
from gendsl.ir.plan import Plan
from gendsl.ops.arithmetic import StopGrad, StraightThrough
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.conv import Conv2d, Conv2dWeightGrad, ConvTranspose2d
from gendsl.ops.movement import Concat

_CONVOLUTIONS = (Conv2d, ConvTranspose2d)


def images_to_convert(plan: Plan) -> frozenset[Node]:
    """The images that convolutions read, by way of pointwise ops too, and that no convolution or
    pointwise op makes."""
    stack = [image for call in plan.calls for node in call.nodes for image in _images(node)]
    seen: set[Node] = set()
    found: set[Node] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node.op, _CONVOLUTIONS):
            continue
        if pointwise(node.op) or isinstance(node.op, (StopGrad, StraightThrough, Concat)):
            stack.extend(x for x in node.inputs if x.type.rank == 4)
        elif not isinstance(node.op, Broadcast) and node not in plan.host:
            found.add(node)
    return frozenset(found)


def _images(node: Node) -> Iterator[Node]:
    match node.op:
        case Conv2d() | ConvTranspose2d():
            yield node.inputs[0]
        case Conv2dWeightGrad():
            yield from node.inputs
        case _:
            pass
