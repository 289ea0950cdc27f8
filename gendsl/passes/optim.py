"""Optimizers as graph: the update of one parameter, gradient clipping, and averaged weights.

In: an `OptimizerSpec`, a parameter's stored value with its gradient and slots, the learning rate
and the number of this update (from 1), all as nodes. Out: the value and slots after the update.
The formulas are those of `torch.optim` (SGD, Adam, AdamW), the place of `eps` included, so that a
plain script trains along the same path: Kingma and Ba 2015; Loshchilov and Hutter 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gendsl.core.program import OptimizerSpec
from gendsl.ir.graph import Builder, Node
from gendsl.ops.broadcast import Sum, fill, full
from gendsl.ops.leaf import Const
from gendsl.ops.pointwise import Add, Div, Expm1, Log1p, Minimum, Mul, Neg, Sqrt, Square, Sub

_ADAM = {
    "lr": Fraction(1, 1000),
    "beta1": Fraction(9, 10),
    "beta2": Fraction(999, 1000),
    "eps": Fraction(1, 10**8),
}

# Every optimizer with its options and their defaults; the checker accepts no others.
OPTIMIZERS: Mapping[str, Mapping[str, Fraction]] = {
    "sgd": {"lr": Fraction(1, 100), "momentum": Fraction(0), "weight_decay": Fraction(0)},
    "adam": {**_ADAM, "weight_decay": Fraction(0)},
    "adamw": {**_ADAM, "weight_decay": Fraction(1, 100)},
}

# As in torch.nn.utils.clip_grad_norm_: keeps the scale finite at gradient 0.
_CLIP_EPS = Fraction(1, 10**6)


def options_of(spec: OptimizerSpec) -> dict[str, Fraction]:
    """The optimizer's options, defaults filled in."""
    defaults = OPTIMIZERS[spec.name]
    unknown = set(spec.options) - set(defaults)
    if unknown:
        raise ValueError(f"{spec.name} has no option {', '.join(sorted(unknown))}")
    return {**defaults, **spec.options}


def slots_of(spec: OptimizerSpec) -> tuple[str, ...]:
    """The names of the tensors that the optimizer keeps for each parameter; they start at 0."""
    if spec.name == "sgd":
        return ("m",) if options_of(spec)["momentum"] else ()
    return ("m", "v")


@dataclass(frozen=True)
class Stored:
    """A parameter's stored value and its slots, in the order of `slots_of`."""

    value: Node
    slots: tuple[Node, ...]


def _scaled(build: Builder, scale: Node | Fraction, x: Node) -> Node:
    """A scalar times a tensor."""
    factor = full(build, scale, x) if isinstance(scale, Fraction) else fill(build, scale, x)
    return build.apply(Mul(), factor, x)


def _mixed(build: Builder, keep: Fraction, old: Node, new: Node) -> Node:
    """keep * old + (1 - keep) * new."""
    return build.apply(Add(), _scaled(build, keep, old), _scaled(build, 1 - keep, new))


def _correction(build: Builder, beta: Fraction, count: Node) -> Node:
    """1 - beta^count, without cancellation in float32 when beta is close to 1."""
    if not beta:
        return build.apply(Const(Fraction(1)))
    log = build.apply(Log1p(), build.apply(Const(beta - 1)))
    return build.apply(Neg(), build.apply(Expm1(), build.apply(Mul(), count, log)))


def update(
    build: Builder, spec: OptimizerSpec, lr: Node, count: Node, before: Stored, gradient: Node
) -> Stored:
    """One update of one parameter; `count` is 1 at the first one."""
    options = options_of(spec)
    decay = options["weight_decay"]
    if decay and spec.name != "adamw":
        gradient = build.apply(Add(), gradient, _scaled(build, decay, before.value))
    if spec.name == "sgd":
        return _sgd(build, options, lr, before, gradient)
    if decay and spec.name == "adamw":
        one = build.apply(Const(Fraction(1)))
        shrink = build.apply(Sub(), one, _scaled(build, decay, lr))
        before = Stored(_scaled(build, shrink, before.value), before.slots)
    return _adam(build, options, lr, count, before, gradient)


def _sgd(
    build: Builder, options: Mapping[str, Fraction], lr: Node, before: Stored, gradient: Node
) -> Stored:
    slots: tuple[Node, ...] = ()
    if options["momentum"]:
        carried = _scaled(build, options["momentum"], before.slots[0])
        gradient = build.apply(Add(), carried, gradient)
        slots = (gradient,)
    return Stored(build.apply(Sub(), before.value, _scaled(build, lr, gradient)), slots)


def _adam(
    build: Builder,
    options: Mapping[str, Fraction],
    lr: Node,
    count: Node,
    before: Stored,
    gradient: Node,
) -> Stored:
    beta1, beta2 = options["beta1"], options["beta2"]
    m = _mixed(build, beta1, before.slots[0], gradient)
    v = _mixed(build, beta2, before.slots[1], build.apply(Square(), gradient))
    rate = build.apply(Div(), lr, _correction(build, beta1, count))
    spread = build.apply(Sqrt(), _correction(build, beta2, count))
    root = build.apply(Div(), build.apply(Sqrt(), v), fill(build, spread, v))
    floor = build.apply(Add(), root, full(build, options["eps"], v))
    change = _scaled(build, rate, build.apply(Div(), m, floor))
    return Stored(build.apply(Sub(), before.value, change), (m, v))


def clipped(build: Builder, gradients: Sequence[Node], bound: Fraction) -> tuple[Node, ...]:
    """The gradients, scaled down together where their joint norm is above `bound`."""
    total: Node | None = None
    for gradient in gradients:
        square = build.apply(Square(), gradient)
        if square.type.rank:
            square = build.apply(Sum(tuple(range(square.type.rank))), square)
        total = square if total is None else build.apply(Add(), total, square)
    if total is None:
        return ()
    norm = build.apply(Add(), build.apply(Sqrt(), total), build.apply(Const(_CLIP_EPS)))
    ratio = build.apply(Div(), build.apply(Const(bound)), norm)
    scale = build.apply(Minimum(), ratio, build.apply(Const(Fraction(1))))
    return tuple(_scaled(build, scale, gradient) for gradient in gradients)


def averaged(build: Builder, decay: Fraction, shadow: Node, value: Node) -> Node:
    """The exponential moving average after this step."""
    return _mixed(build, decay, shadow, value)
