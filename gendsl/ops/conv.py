"""Two-dimensional convolution and its two adjoints; the three are closed under differentiation.

Layout is [batch, channels, height, width], weights are [out, in, height, width]. `pads` is (top,
bottom, left, right); a negative pad cuts off. Strides divide exactly: no window hangs over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Concrete, NodeType, Op, TypingError, register
from gendsl.lazy import np
from gendsl.ops.arity import K, M, N, Sample, count, kernel, want
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array

Pads = tuple[int, int, int, int]


@dataclass(frozen=True)
class Convolution(Op):
    """What the three have in common: the image x, the weight w and the result y = x * w."""

    stride: int
    pads: Pads

    def operands(self, inputs: Sequence[NodeType]) -> None:
        count(self, inputs, 2)
        for type_ in inputs:
            want(self, type_, Real)
            if type_.rank != 4:
                raise TypingError(f"{self.name} takes tensors of 4 axes, not {type_}")
        if self.stride < 1:
            raise TypingError(f"{self.name} with stride {self.stride}")

    def positions(self, size: Dim, window: Dim, axis: int) -> Dim:
        """How many places a window has along height (axis 0) or width (axis 1)."""
        before, after = self.pads[2 * axis : 2 * axis + 2]
        steps = (size + before + after - window).divide(self.stride)
        assert steps is not None  # an integer divides any size
        return steps + 1

    def relate(self, x: tuple[Dim, ...], w: tuple[Dim, ...], y: tuple[Dim, ...]) -> None:
        """Raises `TypingError` unless y can be the shape of the convolution of x with w."""
        expected = (x[0], w[0], self.positions(x[2], w[2], 0), self.positions(x[3], w[3], 1))
        if x[1] != w[1] or y != expected:
            shapes = ", ".join(str(NodeType(s)) for s in (x, w, y))
            raise TypingError(f"{self.name}: shapes {shapes} do not fit")

    def windows(self, x: Array, height: int, width: int) -> Array:
        """A view [batch, channels, out height, out width, window height, window width]."""
        view = np.lib.stride_tricks.sliding_window_view(
            self.padded(x), (height, width), axis=(2, 3)
        )
        return view[:, :, :: self.stride, :: self.stride]

    def padded(self, x: Array) -> Array:
        top, bottom, left, right = (max(p, 0) for p in self.pads)
        grown = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
        top, bottom, left, right = (max(-p, 0) for p in self.pads)
        rows, columns = grown.shape[2:]
        return grown[:, :, top : rows - bottom, left : columns - right]


@register
@dataclass(frozen=True)
class Conv2d(Convolution):
    """The cross-correlation of images [N, I, H, W] with a weight [O, I, h, w]."""

    name: ClassVar[str] = "conv2d"
    targets = kernel("conv2d")

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        self.operands(inputs)
        x, w = inputs[0].shape, inputs[1].shape
        y = (x[0], w[0], self.positions(x[2], w[2], 0), self.positions(x[3], w[3], 1))
        self.relate(x, w, y)
        return NodeType(y)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        x, w = args
        views = self.windows(x, *w.shape[2:])
        return np.einsum("nchwij,ocij->nohw", views, w, optimize=True)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        x, w = node.inputs
        back = ConvTranspose2d(self.stride, self.pads, *x.type.shape[2:])
        weight = Conv2dWeightGrad(self.stride, self.pads, *w.type.shape[2:])
        return [build.apply(back, cotangent, w), build.apply(weight, x, cotangent)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for stride, pads, x, w, _ in _samples():
            yield cls(stride, pads), (x, w)


@register
@dataclass(frozen=True)
class ConvTranspose2d(Convolution):
    """The adjoint of `conv2d` in its image: [N, O, h, w] and a weight to [N, I, H, W]."""

    name: ClassVar[str] = "conv_transpose2d"
    targets = kernel("conv_transpose2d")
    out_height: Dim
    out_width: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        self.operands(inputs)
        g, w = inputs[0].shape, inputs[1].shape
        x = (g[0], w[1], self.out_height, self.out_width)
        self.relate(x, w, g)
        return NodeType(x)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        g, w = args
        n, channels, height, width = env.shape(out)
        top, bottom, left, right = self.pads
        # What each window adds to the padded image; pads that cut off leave zeros outside.
        canvas = np.zeros((n, channels, height + top + bottom, width + left + right), g.dtype)
        rows, columns = ((k - 1) * self.stride + 1 for k in g.shape[2:])
        for i in range(w.shape[2]):
            for j in range(w.shape[3]):
                part = np.einsum("nohw,oc->nchw", g, w[:, :, i, j], optimize=True)
                canvas[:, :, i : i + rows : self.stride, j : j + columns : self.stride] += part
        negated = type(self)(1, (-top, -bottom, -left, -right), self.out_height, self.out_width)
        return negated.padded(canvas)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        g, w = node.inputs
        weight = Conv2dWeightGrad(self.stride, self.pads, *w.type.shape[2:])
        return [
            build.apply(Conv2d(self.stride, self.pads), cotangent, w),
            build.apply(weight, cotangent, g),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for stride, pads, x, w, y in _samples():
            yield cls(stride, pads, *x.shape[2:]), (y, w)


@register
@dataclass(frozen=True)
class Conv2dWeightGrad(Convolution):
    """The adjoint of `conv2d` in its weight: images and [N, O, h, w] to a weight."""

    name: ClassVar[str] = "conv2d_weight_grad"
    targets = kernel("conv2d_weight_grad")
    kernel_height: Dim
    kernel_width: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        self.operands(inputs)
        x, g = inputs[0].shape, inputs[1].shape
        w = (g[1], x[1], self.kernel_height, self.kernel_width)
        self.relate(x, w, g)
        return NodeType(w)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        x, g = args
        views = self.windows(x, *env.shape(out)[2:])
        return np.einsum("nchwij,nohw->ocij", views, g, optimize=True)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        x, g = node.inputs
        back = ConvTranspose2d(self.stride, self.pads, *x.type.shape[2:])
        return [
            build.apply(back, g, cotangent),
            build.apply(Conv2d(self.stride, self.pads), x, cotangent),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for stride, pads, x, w, y in _samples():
            yield cls(stride, pads, *w.shape[2:]), (x, y)


@dataclass(frozen=True)
class Conv2dWeightGradEach(Convolution):
    """`conv2d_weight_grad` of every image alone, in a first axis. No program has it: a target
    makes it, to share the work for a weight among programs, and adds the images up."""

    name: ClassVar[str] = "conv2d_weight_grad_each"
    targets = kernel("conv2d_weight_grad_each")
    kernel_height: Dim
    kernel_width: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        whole = Conv2dWeightGrad(self.stride, self.pads, self.kernel_height, self.kernel_width)
        return NodeType((inputs[0].shape[0], *whole.infer(inputs).shape))

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        x, g = args
        views = self.windows(x, *env.shape(out)[3:])
        return np.einsum("nchwij,nohw->nocij", views, g, optimize=True)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        raise AssertionError("targets make this op of graphs that are differentiated already")

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for stride, pads, x, w, y in _samples():
            yield cls(stride, pads, *w.shape[2:]), (x, y)


def _samples() -> Iterable[tuple[int, Pads, NodeType, NodeType, NodeType]]:
    """Strides, pads, and the types of image, weight and result."""
    two, three, four = Dim.of(2), Dim.of(3), Dim.of(4)
    for stride, pads, window in (
        (1, (1, 1, 1, 1), (three, three)),
        (2, (1, 1, 1, 1), (four, four)),
        (2, (0, 1, 0, 1), (three, three)),
        (2, (0, 0, -1, 0), (two, Dim.of(1))),
        (1, (0, 0, 0, 0), (Dim.of(1), Dim.of(1))),
    ):
        x = NodeType((M, two, 2 * N, 2 * N))
        w = NodeType((K, two, *window))
        yield stride, pads, x, w, Conv2d(stride, pads).infer((x, w))
