"""What generated source calls besides torch itself, and how it is given memory and threads.

The only module of this target that imports torch when it is loaded.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from backends.torch_cpu.emit import SEVERAL_THREADS
from backends.torch_cpu.onednn import dense, find
from backends.torch_cpu.storage import beside
from backends.torch_cpu.updates import (
    adam,
    adam_,
    adamw,
    adamw_,
    channels_last,
    in_order,
    sgd,
    sgd_,
)
from gendsl.ir.op import REGISTRY
from gendsl.ops.arithmetic import Power
from gendsl.ops.arity import Binary, Unary

if TYPE_CHECKING:
    from gendsl.noise import Ahead, Noise

Drawn = Callable[..., Tensor]

# ---- kernels -----------------------------------------------------------------------------


def by_rows(x: Tensor, out: Tensor) -> Tensor:
    """The entries of `x`, the last axis fastest and so on, in memory of another shape."""
    out.view(x.shape).copy_(x)
    return out


def scatter_slice(
    x: Tensor,
    shape: Sequence[int],
    axis: int,
    start: int,
    stop: int,
    step: int,
    out: Tensor | None = None,
) -> Tensor:
    """Zeros of `shape` with `x` at start, start + step, ... along `axis`."""
    result = torch.zeros(tuple(shape), dtype=x.dtype) if out is None else out.zero_()
    result[(slice(None),) * axis + (slice(start, stop, step),)] = x
    return result


def gather(table: Tensor, index: Tensor, batch: int) -> Tensor:
    """`gendsl.ops.select.Gather` with shared leading axes."""
    count, flat = _rows(index, batch)
    size, rest = table.shape[batch], table.shape[batch + 1 :]
    rows = (flat + torch.arange(count)[:, None] * size).reshape(-1)
    picked = table.reshape(count * size, rest.numel()).index_select(0, rows)
    return picked.reshape(index.shape + rest)


def scatter_add(
    index: Tensor, values: Tensor, batch: int, size: int, out: Tensor | None = None
) -> Tensor:
    """`gendsl.ops.select.ScatterAdd`: one pass in the order of the entries, so deterministic."""
    count, flat = _rows(index, batch)
    rest = values.shape[index.dim() :]
    width = rest.numel()
    offset = torch.arange(count)[:, None] * size
    shape = (*index.shape[:batch], size, *rest)
    result = torch.zeros(shape, dtype=values.dtype) if out is None else out.zero_()
    sums = result.view(count * size, width)
    sums.index_add_(0, (flat + offset).reshape(-1), values.reshape(-1, width))
    return result


def _rows(index: Tensor, batch: int) -> tuple[int, Tensor]:
    count = index.shape[:batch].numel()
    return count, index.reshape(count, index.shape[batch:].numel())


def argmin(x: Tensor, dim: int) -> Tensor:
    """The first place of the smallest entry: numpy's, which is 10 times faster than torch's."""
    return torch.from_numpy(np.asarray(x.numpy().argmin(dim)))


def argmax(x: Tensor, dim: int) -> Tensor:
    """The first place of the largest entry."""
    return torch.from_numpy(np.asarray(x.numpy().argmax(dim)))


Pads = tuple[int, int, int, int]


def _backward(
    g: Tensor, x: Tensor, w: Tensor, stride: int, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Torch's adjoints of a convolution without padding."""
    result: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        g, x, w, None, (stride, stride), (0, 0), (1, 1), False, (0, 0), 1, wanted
    )
    return result


# Into so few channels, a product and a sum over windows beat torch's transposed convolution: by 5
# at 1 channel and by 2 at 3 channels (AMD Zen 5, torch 2.13); above, the convolution wins.
_FEW_CHANNELS = 3


def _folded(
    g: Tensor,
    w: Tensor,
    bias: Tensor | None,
    stride: int,
    pads: tuple[int, int],
    size: tuple[int, int],
) -> Tensor:
    """The transposed convolution as a product per pixel, added up over overlapping windows."""
    windows = torch.matmul(w.reshape(w.shape[0], -1).t(), g.reshape(*g.shape[:2], -1))
    image = torch.nn.functional.fold(windows, size, tuple(w.shape[2:]), 1, pads, stride)
    if g.is_contiguous(memory_format=torch.channels_last):
        image = channels_last(image)
    return image if bias is None else image.add_(bias[:, None, None])


def conv_transpose2d(
    g: Tensor, w: Tensor, bias: Tensor | None, stride: int, pads: Pads, size: tuple[int, int]
) -> Tensor:
    """The adjoint of a convolution in its image, which has `size` (height and width)."""
    top, bottom, left, right = pads
    over = [
        extent + before + after - ((count - 1) * stride + window)
        for extent, before, after, count, window in (
            (size[0], top, bottom, g.shape[2], w.shape[2]),
            (size[1], left, right, g.shape[3], w.shape[3]),
        )
    ]
    if top == bottom >= 0 and left == right >= 0 and all(0 <= o < stride for o in over):
        if w.shape[1] <= _FEW_CHANNELS:
            return _folded(g, w, bias, stride, (top, left), size)
        return torch.conv_transpose2d(g, w, bias, stride, (top, left), tuple(over))
    full = torch.conv_transpose2d(g, w, None, stride)
    # Rows and columns that no window reaches come first as zeros, then pads are cut off.
    cut = torch.nn.functional.pad(full, (-left, over[1] - right, -top, over[0] - bottom))
    return cut if bias is None else cut + bias[:, None, None]


def _keeps_size(shape: Sequence[int], stride: int, pads: Pads) -> bool:
    """Whether a window is odd and centred: images may change places in the weight's adjoint."""
    height, width = shape[2] // 2, shape[3] // 2
    odd = shape[2] % 2 == shape[3] % 2 == 1
    return stride == 1 and odd and pads == (height, height, width, width)


def conv2d_weight_grad(
    x: Tensor, g: Tensor, shape: Sequence[int], stride: int, pads: Pads
) -> Tensor:
    """The adjoint of a convolution in its weight of `shape`."""
    top, bottom, left, right = pads
    if shape[0] <= _FEW_CHANNELS < shape[1] and _keeps_size(shape, stride, pads):
        # The same sums with the images in each other's place: 4 times faster into few channels.
        swapped = (shape[1], shape[0], *shape[2:])
        return conv2d_weight_grad(g, x, swapped, 1, pads).flip(2, 3).transpose(0, 1)
    weight = x.new_empty(1).expand(tuple(shape))
    if top == bottom >= 0 and left == right >= 0:
        found: Tensor = torch.ops.aten.convolution_backward(
            g, x, weight, None, (stride, stride), (top, left), (1, 1), False, (0, 0), 1,
            (False, True, False),
        )[1]  # fmt: skip
        return found
    padded = torch.nn.functional.pad(x, (left, right, top, bottom))
    return _backward(g, padded, weight, stride, (False, True, False))[1]


_FUSED_CONV = find("mkldnn", "_convolution_pointwise")


def conv2d_relu(
    x: Tensor, w: Tensor, bias: Tensor | None, stride: int, pads: tuple[int, int]
) -> Tensor:
    """The relu of a convolution."""
    if _FUSED_CONV is not None and x.dtype is torch.float32:
        return _FUSED_CONV(x, w, bias, list(pads), [stride] * 2, [1, 1], 1, "relu", [], "")
    return torch.relu_(torch.conv2d(x, w, bias, stride, pads))


# Adjoints of pointwise functions, into `out` where that is given.


def relu_slope(y: Tensor, g: Tensor, out: Tensor | None = None) -> Tensor:
    """`g` where y > 0, else 0."""
    if out is None:
        return _THRESHOLD(g, y, 0.0)
    return _THRESHOLD_INTO(g, y, 0.0, grad_input=out)


def relu_slope_at_0(y: Tensor, g: Tensor, out: Tensor | None = None) -> Tensor:
    """`g` where y >= 0, else 0."""
    if out is None:
        return _THRESHOLD(g, y, -_smallest(y))
    return _THRESHOLD_INTO(g, y, -_smallest(y), grad_input=out)


_THRESHOLD = torch.ops.aten.threshold_backward.default
_THRESHOLD_INTO = torch.ops.aten.threshold_backward.grad_input
_LEAKY = torch.ops.aten.leaky_relu_backward.default
_LEAKY_INTO = torch.ops.aten.leaky_relu_backward.grad_input


def _smallest(x: Tensor) -> float:
    """The least positive number, a subnormal one: what is above its negative is not below 0."""
    return 5e-324 if x.dtype is torch.float64 else 1.401298464324817e-45


def leaky_slope(x: Tensor, g: Tensor, slope: float, out: Tensor | None = None) -> Tensor:
    """`g` where x > 0, else `slope * g`."""
    if out is None:
        return _LEAKY(g, x, slope, False)
    return _LEAKY_INTO(g, x, slope, False, grad_input=out)


def leaky_slope_at_0(x: Tensor, g: Tensor, slope: float, out: Tensor | None = None) -> Tensor:
    """`g` where x >= 0, else `slope * g`; `out` may be in the place of neither."""
    # What is at least 0 is above 0 with the least number added, and nothing else is.
    above = torch.add(x, _smallest(x), out=out)
    return _LEAKY_INTO(g, above, slope, False, grad_input=above)


def sigmoid_slope(y: Tensor, g: Tensor, out: Tensor | None = None) -> Tensor:
    """`g y (1 - y)`."""
    if out is None:
        return torch.ops.aten.sigmoid_backward.default(g, y)
    return torch.ops.aten.sigmoid_backward.grad_input(g, y, grad_input=out)


def softmax_slope(y: Tensor, g: Tensor, dim: int, out: Tensor | None = None) -> Tensor:
    """`y (g - the sum of g y along dim)`."""
    if out is None:
        return torch.ops.aten._softmax_backward_data.default(g, y, dim, y.dtype)
    return torch.ops.aten._softmax_backward_data.out(g, y, dim, y.dtype, grad_input=out)


def silu_slope(x: Tensor, g: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """The derivative of silu at x, times `g`."""
    g = torch.ones_like(x) if g is None else g
    if out is None:
        return torch.ops.aten.silu_backward.default(g, x)
    return torch.ops.aten.silu_backward.grad_input(g, x, grad_input=out)


def gelu_slope(x: Tensor, g: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """The derivative of gelu at x, times `g`."""
    g = torch.ones_like(x) if g is None else g
    if out is None:
        return torch.ops.aten.gelu_backward.default(g, x)
    return torch.ops.aten.gelu_backward.grad_input(g, x, grad_input=out)


def norm_slope(g: Tensor, s: Tensor, r: Tensor, gain: Tensor) -> Tensor:
    """`gendsl.ops.norm.NormSlope`."""
    mean = torch.zeros_like(r)  # `s` is centred already
    slope: Tensor = torch.ops.aten.native_layer_norm_backward.default(
        g, s, gain.shape, mean, r.contiguous(), gain, None, (True, False, False)
    )[0]
    return slope


# The same with the result in the place of `g`.


def relu_slope_(y: Tensor, g: Tensor) -> Tensor:
    return _THRESHOLD_INTO(g, y, 0.0, grad_input=g)


def relu_slope_at_0_(y: Tensor, g: Tensor) -> Tensor:
    return _THRESHOLD_INTO(g, y, -_smallest(y), grad_input=g)


def sigmoid_slope_(y: Tensor, g: Tensor) -> Tensor:
    return torch.ops.aten.sigmoid_backward.grad_input(g, y, grad_input=g)


def softmax_slope_(y: Tensor, g: Tensor, dim: int) -> Tensor:
    return torch.ops.aten._softmax_backward_data.out(g, y, dim, y.dtype, grad_input=g)


def silu_slope_(x: Tensor, g: Tensor) -> Tensor:
    return torch.ops.aten.silu_backward.grad_input(g, x, grad_input=g)


def gelu_slope_(x: Tensor, g: Tensor) -> Tensor:
    return torch.ops.aten.gelu_backward.grad_input(g, x, grad_input=g)


# ---- numbers -----------------------------------------------------------------------------


class Numbers:
    """Pointwise ops on Python numbers, by the ops' own references: `num.exp(0.5)`."""

    def __init__(self) -> None:
        for name, cls in REGISTRY.items():
            if issubclass(cls, (Unary, Binary)) and cls is not Power:
                setattr(self, name, _number_function(cls().compute))

    @staticmethod
    def power(x: float, exponent: float) -> float:
        with np.errstate(all="ignore"):
            return float(np.power(np.float64(x), exponent))


def _number_function(compute: Callable[..., Any]) -> Callable[..., float]:
    def apply(*operands: float) -> float:
        with np.errstate(all="ignore"):
            return float(compute(*(np.float64(x) for x in operands)))

    return apply


# ---- values across the boundary ----------------------------------------------------------


def to_tensor(array: Any, dtype: torch.dtype, shape: tuple[int, ...], key: str) -> Tensor:
    """A tensor of `dtype` that may share the array's memory; its shape must be `shape`."""
    array = np.asarray(array)
    if array.shape != shape:
        raise ValueError(f"{key} has shape {array.shape}, the plan wants {shape}")
    flags = array.flags
    if not flags.c_contiguous or not flags.writeable:
        array = np.array(array, order="C")
    tensor = torch.from_numpy(array)
    return tensor if tensor.dtype is dtype else tensor.to(dtype)


def to_array(tensor: Tensor) -> Any:
    """A copy as a numpy array, row by row."""
    return tensor.detach().numpy().copy(order="C")


def drawer(noise: Noise, ahead: Ahead, real: torch.dtype) -> Drawn:
    """The function `draw` of generated source."""
    dtype = np.float64 if real is torch.float64 else np.float32

    def draw(
        path: str,
        dist: str,
        shape: tuple[int, ...],
        example_axis: int | None = None,
        loop: tuple[int, ...] = (),
        bound: int | None = None,
    ) -> Tensor:
        made = ahead.draw(noise, path, dist, shape, example_axis, loop, bound, dtype)
        return torch.from_numpy(made)

    return draw


def namespace(real: torch.dtype) -> dict[str, Any]:
    """The globals of generated source."""
    return {
        "torch": torch,
        "REAL": real,
        "num": Numbers(),
        "dense": dense,
        "channels_last": channels_last,
        "in_order": in_order,
        "by_rows": by_rows,
        "relu_slope": relu_slope,
        "relu_slope_at_0": relu_slope_at_0,
        "leaky_slope": leaky_slope,
        "leaky_slope_at_0": leaky_slope_at_0,
        "silu_slope": silu_slope,
        "gelu_slope": gelu_slope,
        "sigmoid_slope": sigmoid_slope,
        "softmax_slope": softmax_slope,
        "norm_slope": norm_slope,
        "relu_slope_": relu_slope_,
        "relu_slope_at_0_": relu_slope_at_0_,
        "sigmoid_slope_": sigmoid_slope_,
        "softmax_slope_": softmax_slope_,
        "silu_slope_": silu_slope_,
        "gelu_slope_": gelu_slope_,
        "scatter_slice": scatter_slice,
        "gather": gather,
        "scatter_add": scatter_add,
        "conv2d_relu": conv2d_relu,
        "argmin": argmin,
        "argmax": argmax,
        "conv_transpose2d": conv_transpose2d,
        "conv2d_weight_grad": conv2d_weight_grad,
        "beside": beside,
        "sgd": sgd,
        "sgd_": sgd_,
        "adam": adam,
        "adam_": adam_,
        "adamw": adamw,
        "adamw_": adamw_,
    }


def cosine(angle: Any) -> Any:
    """As `numpy.cos`, which is 6 times slower in float64."""
    return torch.cos(torch.from_numpy(angle)).numpy()


def sine(angle: Any) -> Any:
    """As `numpy.sin`."""
    return torch.sin(torch.from_numpy(angle)).numpy()


# ---- the arena ---------------------------------------------------------------------------


class Arena:
    """Memory for the temporaries of a step, allocated once; `bytes` counts reals as 4 bytes, and
    with reals of 8 every place is twice as far away."""

    def __init__(self, size: int, real: torch.dtype) -> None:
        self._real, self._scale = real, real.itemsize // 4
        self._memory = torch.zeros(self._scale * size, dtype=torch.uint8)

    def at(
        self,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """A tensor at a place; without strides its last axis varies fastest, and so on."""
        dtype = self._real if dtype is None else dtype
        start, size = self._scale * offset, prod(shape) * dtype.itemsize
        found = self._memory[start : start + size].view(dtype)
        return found.view(shape) if strides is None else found.as_strided(shape, strides)


# ---- the machine -------------------------------------------------------------------------

_ALL_THREADS = int(os.environ.get("OMP_NUM_THREADS", "0")) or torch.get_num_threads()


def threads_for(flops: int) -> int:
    """How many threads a plan of so much work runs on: a function of the plan and the machine."""
    return 1 if flops < SEVERAL_THREADS else _ALL_THREADS


def keep_freed_memory() -> bool:
    """Tell glibc to reuse the memory of freed tensors, in place of returning it to the system and
    faulting it in again every step, and to keep no lists of small blocks, which it goes through
    whenever a large one is freed (oneDNN frees one in every product: 2 of a call's 12 us). False
    where the C library has no such settings."""
    try:
        tune = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    mmap_threshold, trim_threshold, largest_listed = -3, -1, 1
    settings = ((mmap_threshold, 1 << 30), (trim_threshold, (1 << 31) - 1), (largest_listed, 0))
    done = [bool(tune(*setting)) for setting in settings]
    return all(done)
