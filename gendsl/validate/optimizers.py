"""What the fused optimizer kernels compute: the formulas of torch.optim, as values.

In: the rule, its options, a parameter's value and slots, and its gradient, at one index. Out: their
values after the update. SGD, Adam, AdamW: Kingma and Ba 2015; Loshchilov and Hutter 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gendsl.ops import arithmetic as ar
from gendsl.ops import unary as un
from gendsl.validate import value as v
from gendsl.validate.value import Value
from gendsl.validate.whole import Unmodelled, Whole

OPTIONS = {
    "sgd": {"lr", "momentum", "weight_decay", "slots"},
    "adam": {"count", "lr", "beta1", "beta2", "eps", "weight_decay", "slots"},
    "adamw": {"count", "lr", "beta1", "beta2", "eps", "weight_decay", "slots"},
}


def updated(
    rule: str, options: Mapping[str, Any], before: Sequence[Value], gradient: Value
) -> list[Value]:
    """The parameter and its slots after an update."""
    if rule not in OPTIONS or not set(options) <= OPTIONS[rule]:
        raise Unmodelled(f"the optimizer {rule} with {', '.join(options)}")
    x = {k: v.real(o) if isinstance(o, Whole) else o for k, o in options.items() if k != "slots"}
    value, decay = before[0], x["weight_decay"]
    if rule == "adamw":
        value = v.mul(v.op(ar.Sub(), v.ONE, v.mul(decay, x["lr"])), value)
    else:
        gradient = v.add(gradient, v.mul(decay, value))
    if rule == "sgd":
        if len(before) == 1:
            return [v.op(ar.Sub(), value, v.mul(x["lr"], gradient))]
        m = v.add(v.mul(x["momentum"], before[1]), gradient)
        return [v.op(ar.Sub(), value, v.mul(x["lr"], m)), m]
    m = _mixed(x["beta1"], before[1], gradient)
    s = _mixed(x["beta2"], before[2], v.op(ar.Square(), gradient))
    rate = v.op(ar.Div(), x["lr"], _correction(x["beta1"], x["count"]))
    spread = v.op(un.Sqrt(), _correction(x["beta2"], x["count"]))
    floor = v.add(v.op(ar.Div(), v.op(un.Sqrt(), s), spread), x["eps"])
    return [v.op(ar.Sub(), value, v.mul(rate, v.op(ar.Div(), m, floor))), m, s]


def _mixed(keep: Value, old: Value, new: Value) -> Value:
    return v.add(v.mul(keep, old), v.mul(v.op(ar.Sub(), v.ONE, keep), new))


def _correction(beta: Value, count: Value) -> Value:
    """1 - beta^count."""
    if beta is v.ZERO:
        return v.ONE
    power = v.op(un.Exp(), v.mul(count, v.op(un.Log(), beta)))
    return v.op(ar.Sub(), v.ONE, power)
