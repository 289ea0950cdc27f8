"""Torch expressions for graph nodes.

In: a plan, and nodes of one of its calls. Out: Python text. Torch broadcasts and the graph does
not, so a broadcast costs nothing here: a `Value` says which axes its text holds with size 1 or not
at all, and only what needs the whole shape expands it. Scalars known without torch, and their
broadcasts, are Python numbers; what is computed from numbers alone is computed by Python, through
the ops' own numpy references (`num`), with the same infinities and nans.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from backends.common.text import unbracketed
from backends.torch_cpu.arithmetic import combined
from backends.torch_cpu.closed import as_float, closed_form, is_anchor, is_literal
from backends.torch_cpu.contraction import contraction, takes_bias
from backends.torch_cpu.layout import images_to_convert
from gendsl.ir.graph import Node
from gendsl.ir.grouping import pointwise
from gendsl.ir.op import Absent, Composite, Inline, Kernel
from gendsl.ir.plan import Plan, width
from gendsl.ops.arithmetic import (
    Add,
    Div,
    Maximum,
    Minimum,
    Mul,
    Power,
    StopGrad,
    StraightThrough,
    Sub,
)
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.compare import ToReal, Where, Widen
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2d, ConvTranspose2d
from gendsl.ops.leaf import Const, Index, SizeValue, Truth
from gendsl.ops.select import IndexAffine
from gendsl.ops.symbolic import Pi
from gendsl.ops.unary import Relu
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Elem, Fin

TARGET_NAME = "torch_cpu"
# Smaller tensors may live until the function ends: not worth a line.
_WORTH_FREEING = 16_384


@dataclass(frozen=True)
class Value:
    """Text for a node's value. `number`: a Python number, the same at every place. Otherwise a
    tensor that lacks the first `lead` axes and holds those of `thin` (which has all of the former)
    with size 1. `fresh`: a tensor of reals that the text makes, so that nothing else reads it."""

    text: str
    number: bool = False
    thin: frozenset[int] = frozenset()
    lead: int = 0
    fresh: bool = False


@dataclass
class Context:
    """What expressions of one plan share: sizes, constants made once when the source loads, and
    whether the whole plan, of which this may be a loop's body, runs on several threads."""

    plan: Plan
    several: bool
    constants: dict[str, str] = field(default_factory=dict)

    @cached_property
    def converted(self) -> frozenset[Node]:
        """The values that are brought into channels_last order where they are made."""
        return images_to_convert(self.plan)

    @cached_property
    def large(self) -> frozenset[str]:
        """The buffers that are worth a line that frees them."""
        found = self.plan.buffers.values()
        return frozenset(
            b.name for b in found if math.prod(b.shape) * width(b.elem) >= _WORTH_FREEING
        )

    def size(self, dim: Dim) -> int:
        return dim.size(self.plan.sizes)

    def shape(self, node: Node) -> tuple[int, ...]:
        return tuple(self.size(d) for d in node.type.shape)

    def constant(self, text: str, wish: str) -> str:
        """The name of the constant tensor that `text` makes."""
        found = self.constants.get(text)
        if found is None:
            found = self.constants[text] = f"_{wish}_{len(self.constants)}"
        return found


Emitter = Callable[..., str]  # of the expressions and the node; of layers, also of a bias


class Expressions:
    """Text for the nodes of one call: those of `inside` are written out, others are buffers."""

    def __init__(
        self, context: Context, inside: Iterable[Node], kernels: Mapping[str, Emitter]
    ) -> None:
        self.context = context
        self._inside = set(inside)
        self._kernels = kernels
        self._apart: dict[Node, Value] = {}

    # ---- lines of their own -----------------------------------------------------------

    def part(self, nodes: Sequence[Node], length: int) -> Node | None:
        """The part of the expression `nodes` whose text is nearest to a length, if there is one
        that can be computed on a line before."""
        root, best = nodes[-1], None
        for node in self._reached(root):
            if node is root or not node.inputs or isinstance(node.op, Broadcast):
                continue
            off = abs(len(self.value(node).text) - length)
            if best is None or off < best[0]:
                best = (off, node)
        return best[1] if best else None

    def _reached(self, root: Node) -> list[Node]:
        """The nodes that the text of `root` writes out, without those that are patterns of their
        reader (a product and its bias, a relu's slope)."""
        found: list[Node] = []
        stack = [root]
        while stack:
            node = stack.pop()
            if node not in found:
                found.append(node)
            for source in node.inputs:
                if source in self._inside and source not in self._apart:
                    stack.append(source)
        tied = {s for n in found for s in n.inputs if _tied(n, s)}
        tied.update(s for n in found if (c := closed_form(self, n)) for s in c.inside)
        return [n for n in found if n not in tied]

    def apart(self, node: Node, name: str) -> str:
        """The text of a node, which from now on is read under `name`."""
        value = self.value(node)
        self._apart[node] = replace(value, text=name, fresh=False)
        return unbracketed(value.text)

    # ---- forms ------------------------------------------------------------------------

    def whole(self, node: Node) -> str:
        """A tensor of the node's shape."""
        return self._whole(self.value(node), node)

    def result(self, node: Node) -> str:
        """What a call assigns: a number for host values, else a tensor of the node's shape."""
        value = self.value(node)
        text = value.text if node in self.context.plan.host else self._whole(value, node)
        return unbracketed(text)

    def number(self, node: Node) -> str:
        """The text of a host value."""
        value = self.value(node)
        if not value.number:
            raise AssertionError(f"{node!r} is not known to the host")
        return unbracketed(value.text)

    def _whole(self, value: Value, node: Node) -> str:
        shape = self.context.shape(node)
        if value.number:
            text = f"torch.full({shape}, {unbracketed(value.text)}, dtype={dtype(node.type.elem)})"
            return self.context.constant(text, "full") if is_literal(value.text) else text
        return f"{value.text}.expand({_tuple(shape)})" if value.thin else value.text

    # ---- values -----------------------------------------------------------------------

    def value(self, node: Node) -> Value:
        if node in self._apart:
            return self._apart[node]
        if node not in self._inside:
            buffer = self.context.plan.buffers[node]
            return Value(buffer.name, number=node in self.context.plan.host)
        match node.op:
            case Const(number):
                return Value(repr(float(number)), number=True)
            case Truth(truth):
                return Value(repr(truth), number=True)
            case SizeValue(dim):
                return Value(repr(float(dim.evaluate(self.context.plan.sizes))), number=True)
            case Pi():
                return Value(repr(math.pi), number=True)
            case Index(value=index):
                return Value(repr(self.context.size(index)), number=True)
            case Broadcast() as op:
                return _spread(op, self.value(node.inputs[0]))
            case StopGrad() | Widen():
                return self.value(node.inputs[0])
            case StraightThrough():
                return self.value(node.inputs[1])
            case _:
                return self._computed(node)

    def _computed(self, node: Node) -> Value:
        answer = node.op.targets[TARGET_NAME]
        match answer:
            case Inline(template):
                return self._pointwise(node, template)
            case Kernel("to_real" | "power" | "index_affine"):
                return self._pointwise(node, "")
            case Kernel(name):
                text = self._kernels[name](self, node)
                if node in self.context.converted:
                    text = f"channels_last({unbracketed(text)})"
                return Value(text, fresh=_makes(node))
            case Absent(reason):
                raise AssertionError(f"{node.op.name} is absent on {TARGET_NAME}: {reason}")
            case Composite():
                raise AssertionError(f"{node.op.name} was not lowered for {TARGET_NAME}")

    def _pointwise(self, node: Node, template: str) -> Value:
        product = self._layer(node)
        if product is not None:
            return Value(product, fresh=True)
        closed = closed_form(self, node)
        if closed is not None:
            return Value(closed.text, fresh=True)
        values = [self.value(source) for source in node.inputs]
        if all(v.number for v in values):
            return Value(self._number(node, [v.text for v in values]), number=True)
        tensors = [v for v in values if not v.number]
        thin = frozenset.intersection(*(v.thin for v in tensors))
        lead = min(v.lead for v in tensors)
        made = Value("", thin=thin, lead=lead, fresh=_makes(node))
        text = combined(self, node, values, made) or self._mixed(node, template, values)
        return replace(made, text=text)

    def plain_product(self, node: Node) -> bool:
        """Whether the node is a product of two factors that is written here, as such."""
        return isinstance(node.op, Mul) and self.written(node) and closed_form(self, node) is None

    def _mixed(self, node: Node, template: str, values: list[Value]) -> str:
        """Numbers stand among tensors wherever torch takes them."""
        texts = [v.text for v in values]
        match node.op:
            case Maximum() | Minimum() if any(v.number for v in values):
                bound, tensor = texts if values[0].number else texts[::-1]
                side = "min" if isinstance(node.op, Maximum) else "max"
                return f"torch.clamp({unbracketed(tensor)}, {side}={unbracketed(bound)})"
            case Where():
                return self._where(node, values)
            case ToReal():
                return f"{texts[0]}.to(REAL)"
            case Power(exponent):
                power = int(exponent) if exponent.denominator == 1 else float(exponent)
                return f"torch.pow({unbracketed(texts[0])}, {power!r})"
            case IndexAffine() as op:
                return _affine(self.context, op, texts[0])
            case _:
                return template.format(*self._operands(node, template, texts))

    def _number(self, node: Node, texts: list[str]) -> str:
        """Python text for a pointwise op on numbers."""
        match node.op:
            case IndexAffine() as op:
                return _affine(self.context, op, texts[0])
            case Power(exponent):
                return f"num.power({unbracketed(texts[0])}, {float(exponent)!r})"
            case Div() if is_literal(texts[1]) and float(texts[1]):
                return f"({self._operands(node, '({0} / ', texts)[0]} / {texts[1]})"
            case op if op.name in _NUMBER_TEMPLATES:
                template = _NUMBER_TEMPLATES[op.name]
                return template.format(*self._operands(node, template, texts))
            case op:
                return f"num.{op.name}({', '.join(unbracketed(t) for t in texts)})"

    def _operands(self, node: Node, template: str, texts: list[str]) -> list[str]:
        """Operand texts with the brackets that they need in the template."""
        inner = []
        for place, text in enumerate(texts):
            source = node.inputs[place]
            while source in self._inside and isinstance(source.op, Broadcast):
                source = source.inputs[0]
            free = source in self._inside and _binds_tighter(node.op.name, place, source.op.name)
            inner.append(unbracketed(text) if free or not _nested(template, place) else text)
        return inner

    def _where(self, node: Node, values: list[Value]) -> str:
        condition, yes, no = (unbracketed(v.text) for v in values)
        if values[0].number:
            condition = f"torch.tensor({condition})"
        if values[1].number and values[2].number:
            scalar = f"torch.tensor({yes}, dtype={dtype(node.type.elem)})"
            yes = self.context.constant(scalar, "scalar") if is_literal(yes) else scalar
        return f"torch.where({condition}, {yes}, {no})"

    def _layer(self, node: Node) -> str | None:
        """A product or convolution with its bias, and the relu of it or a tensor added to it, as
        one call, where all of it is part of this expression."""
        if isinstance(node.op, Relu) and self.written(node.inputs[0]):
            found = self._biased(node.inputs[0])
            return None if found is None else self._anchored(*found, then="relu")
        found = self._biased(node)
        if found is not None:
            return self._anchored(*found)
        if isinstance(node.op, Sub):
            return self._distances(node)
        if not isinstance(node.op, Add):
            return None
        for main, other in (node.inputs, node.inputs[::-1]):
            if not self.written(main) or main is other or self.value(other).number:
                continue
            anchor, bias = self._biased(main) or (main, None)
            if is_anchor(anchor):
                return self._anchored(anchor, bias, plus=self._text(other))
        return None

    def _biased(self, node: Node) -> tuple[Node, Node] | None:
        """The contraction and the bias of a sum that is written here."""
        if not isinstance(node.op, Add):
            return None
        for main, bias in (node.inputs, node.inputs[::-1]):
            if not (self.written(main) and self.written(bias)) or main is bias:
                continue
            match main.op, bias.op:
                case Contract() as op, Broadcast(positions=places) if takes_bias(op):
                    if places == (node.type.rank - 1,):
                        return main, bias
                case Conv2d() | ConvTranspose2d(), Broadcast(positions=(1,)):
                    return main, bias
                case _:
                    pass
        return None

    def _distances(self, node: Node) -> str | None:
        """b - k x W as one product, for a vector b along its last axis and a number k."""
        bias, scaled = node.inputs
        if not (self.written(bias) and self.written(scaled) and isinstance(scaled.op, Mul)):
            return None
        scale, main = self.value(scaled.inputs[0]), scaled.inputs[1]
        op, last = main.op, (node.type.rank - 1,)
        known = scale.number and as_float(scale.text) is not None
        rows = isinstance(bias.op, Broadcast) and bias.op.positions == last
        if not (known and rows and self.written(main) and isinstance(op, Contract)):
            return None
        if not takes_bias(op):
            return None
        factor = repr(-float(scale.text))
        return contraction(self, main, self._vector(bias), scale=factor)

    def _anchored(
        self, main: Node, bias: Node | None, then: str = "none", plus: str | None = None
    ) -> str:
        vector = None if bias is None else self._vector(bias)
        return self._kernels[main.op.name](self, main, vector, then, plus)

    def written(self, node: Node) -> bool:
        """Whether the node's own text stands in this expression."""
        return node in self._inside and node not in self._apart

    def _vector(self, bias: Node) -> str:
        """The operand of a broadcast."""
        return unbracketed(self.whole(bias.inputs[0]))

    def _text(self, node: Node) -> str:
        return unbracketed(self.whole(node))


# ---- parts -------------------------------------------------------------------------------


def _makes(node: Node) -> bool:
    """Whether the text of a node makes a new tensor of reals, which shows no other's memory."""
    if isinstance(node.type.elem, Fin | Bool) or isinstance(node.op, ToReal):
        return False
    match node.op:
        case Sum(axes=axes):
            return bool(axes)
        case op:
            return pointwise(op) or is_anchor(node)


def _tied(reader: Node, node: Node) -> bool:
    """Whether `reader` may be written as one call together with `node`."""
    match reader.op, node.op:
        case (
            (Add(), Contract() | Conv2d() | ConvTranspose2d() | Add())
            | (Relu(), Add())
            | (Sub(), Mul())
            | (Mul(), Contract())
        ):
            return True
        case _:
            return False


def dtype(elem: Elem) -> str:
    match elem:
        case Fin():
            return "torch.int64"
        case Bool():
            return "torch.bool"
        case _:
            return "REAL"


def _tuple(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape)) if shape else "()"


def _nested(template: str, place: int) -> bool:
    """Whether operand `place` stands beside an operator, so that it must keep its brackets."""
    before, _, after = template.partition(f"{{{place}}}")
    call = before[:-1].endswith(tuple("abcdefghijklmnopqrstuvwxyz0123456789_"))
    opened = before.endswith(", ") or (before.endswith("(") and call)
    return not (opened and after.startswith((")", ",")))


_SUMS, _PRODUCTS = ("add", "sub"), ("mul", "div")
_COMPARISONS = ("less", "less_equal", "equal", "not_equal")


def _binds_tighter(op: str, place: int, operand: str) -> bool:
    """Whether an operand's own operator needs no brackets beside that of `op`."""
    if op in _COMPARISONS:
        return operand in _SUMS + _PRODUCTS
    if op in _SUMS:
        return operand in _PRODUCTS or (place == 0 and operand in _SUMS)
    return op in _PRODUCTS and place == 0 and operand in _PRODUCTS


def _spread(op: Broadcast, value: Value) -> Value:
    """A broadcast: bookkeeping, and `None` indices between axes."""
    rank, positions = len(op.shape), op.positions
    if value.number:
        return value
    thin = {positions[axis] for axis in value.thin} | set(op.new_axes)
    if value.lead == len(positions):
        return Value(value.text, thin=frozenset(range(rank)), lead=rank)
    lead = positions[value.lead]
    marks = [":" if axis in positions else "None" for axis in range(lead, rank)]
    while marks and marks[-1] == ":":
        marks.pop()
    text = f"{value.text}[{', '.join(marks)}]" if marks else value.text
    return Value(text, thin=frozenset(thin), lead=lead)


def _affine(context: Context, op: IndexAffine, index: str) -> str:
    sizes = context.plan.sizes
    offset, scale = int(op.offset.evaluate(sizes)), int(op.scale.evaluate(sizes))
    divide = context.size(op.divide)
    scaled = index if scale == 1 else f"{scale} * {index}"
    floored = scaled if divide == 1 else f"{scaled} // {divide}"
    return f"({offset} + {floored})" if offset else f"({floored})"


_NUMBER_TEMPLATES = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "neg": "(-{0})",
    "less": "({0} < {1})",
    "less_equal": "({0} <= {1})",
    "equal": "({0} == {1})",
    "not_equal": "({0} != {1})",
    "and": "({0} and {1})",
    "or": "({0} or {1})",
    "not": "(not {0})",
    "where": "({1} if {0} else {2})",
    "to_real": "float({0})",
}
