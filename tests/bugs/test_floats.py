"""Bounds of rounding errors hold against 200-bit arithmetic; signs in both layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.ir.build import add, const, div, exp, log, mean_of, mul, sqrt, square, sub, sum_of
from gendsl.ir.evaluate import evaluate, input_key
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.op import Concrete
from gendsl.ops import arithmetic as ar
from gendsl.ops import compare as cm
from gendsl.ops import leaf as lf
from gendsl.ops import reduce as rd
from gendsl.ops import unary as un
from gendsl.passes.pipeline import transform_outputs
from gendsl.prove.floats import float_bounds, forward, never_negative, point, sizes_for
from gendsl.shape.dim import Dim

ROOT = Path(__file__).resolve().parent.parent.parent
MP = mpmath.mp.clone()
MP.prec = 200
N = Dim.name("N")


def _softplus(x: Any) -> Any:
    return MP.log1p(MP.exp(x))


EXACT: dict[type, Callable[..., Any]] = {
    un.Exp: MP.exp,
    un.Expm1: MP.expm1,
    un.Log: MP.log,
    un.Log1p: MP.log1p,
    un.Sqrt: MP.sqrt,
    un.Rsqrt: lambda x: 1 / MP.sqrt(x),
    un.Sigmoid: lambda x: 1 / (1 + MP.exp(-x)),
    un.Tanh: MP.tanh,
    un.Softplus: _softplus,
    un.Silu: lambda x: x / (1 + MP.exp(-x)),
    un.Erf: MP.erf,
    un.Sin: MP.sin,
    un.Cos: MP.cos,
    un.Relu: lambda x: max(x, MP.mpf(0)),
    un.Abs: abs,
    ar.Maximum: max,
    ar.Minimum: min,
}


def exact(root: Node, given: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    """The value of a scalar at 200 bits: references on arrays of mpmath numbers where numpy has
    no functions of its own."""
    env, known = Concrete(sizes, np.dtype(object)), dict[Node, Any]()
    for x in reachable([root]):
        key = input_key(x)
        args = [known[y] for y in x.inputs]
        rule = EXACT.get(type(x.op))
        if key is not None:
            raw = np.asarray(given[key])
            value = np.frompyfunc(MP.mpf, 1, 1)(raw.astype(float)) if raw.dtype.kind == "f" else raw
        elif isinstance(x.op, lf.Const):
            value = MP.mpf(x.op.value.numerator) / x.op.value.denominator
        elif isinstance(x.op, lf.SizeValue):
            number = Fraction(x.op.dim.evaluate(sizes))
            value = MP.mpf(number.numerator) / number.denominator
        elif rule is not None:
            value = np.frompyfunc(rule, len(args), 1)(*args)
        elif isinstance(x.op, rd.LogSumExp):
            value = np.frompyfunc(MP.log, 1, 1)(
                np.frompyfunc(MP.exp, 1, 1)(args[0]).sum(axis=x.op.axes)
            )
        else:
            value = x.op.reference(args, x.type, env)
        known[x] = np.asarray(value)
    return known[root].item()


def _chains(build: Builder, x: Node, y: Node) -> dict[str, Node]:
    """Scalars in which operands of each op are themselves inexact."""

    def op(o: Any, *args: Node) -> Node:
        return build.apply(o, *args)

    u = mul(build, Fraction(1, 3), x)  # in about -1..1
    p = add(build, square(build, y), Fraction(1, 10))  # positive
    found = {
        "sums": sum_of(build, sub(build, u, y)),
        "products": sum_of(build, mul(build, u, mul(build, y, u))),
        "quotients": sum_of(build, div(build, u, p)),
        "exp": mean_of(build, exp(build, mul(build, 3, u))),
        "expm1": mean_of(build, sub(build, op(un.Expm1(), u), u)),
        "log": mean_of(build, log(build, p)),
        "log1p": mean_of(build, op(un.Log1p(), square(build, u))),
        "sqrt": mean_of(build, sqrt(build, square(build, u))),
        "rsqrt": mean_of(build, op(un.Rsqrt(), p)),
        "kinks": mean_of(build, op(un.Relu(), op(ar.Maximum(), u, y))),
        "where": mean_of(build, op(cm.Where(), op(cm.Less(), u, y), exp(build, u), y)),
        "logsumexp": op(rd.LogSumExp((0,)), mul(build, 5, u)),
        "cumulative": sum_of(build, op(rd.CumSum(0), u)),
        "cumprod": sum_of(build, op(rd.CumProd(0), add(build, 1, mul(build, Fraction(1, 50), u)))),
        "max": op(rd.Max((0,)), u),
    }
    for f in (un.Sigmoid, un.Tanh, un.Softplus, un.Silu, un.Erf, un.Sin, un.Cos):
        found[f.name] = sum_of(build, op(f(), mul(build, 4, u)))
    return found


@pytest.mark.parametrize("size", [1, 7, 300])
def test_bounds_of_ops(size: int) -> None:
    build = Builder()
    x = build.apply(lf.Input("data", "x", (N,)))
    y = build.apply(lf.Input("data", "y", (N,)))
    rng = np.random.default_rng(size)
    for name, node in _chains(build, x, y).items():
        for scale in (1e-3, 1.0, 3.0):
            given = {
                "data:x": (scale * rng.standard_normal(size)).astype(np.float32),
                "data:y": rng.uniform(-1, 1, size).astype(np.float32),
            }
            value, bound = forward(node, given, {"N": size})
            (single,) = evaluate([node], given, {"N": size}, dtype=np.float32)
            true = exact(node, given, {"N": size})
            assert abs(float(single) - true) <= bound, (name, scale)
            assert abs(value - true) <= bound, (name, scale)
            assert bound <= 1e-2 * size * max(1.0, abs(value)), (name, scale, bound)


@pytest.mark.parametrize(
    ("name", "objective"),
    [("beta_vae", "neg_elbo"), ("lsgan", "d_loss"), ("autoencoder", "reconstruction_error")],
)
def test_bounds_of_programs(name: str, objective: str) -> None:
    analysis = analyse(str(ROOT / "programs" / f"{name}.gml"), Sink(), prove=False)
    graph, interface = analysis.graph, analysis.interface
    assert graph is not None and interface is not None
    sizes = {**sizes_for(interface), "hidden": 6, "B": 2, "C": 1, "H": 3, "W": 2}
    terms = dict(graph.objectives[objective].terms)
    for term, node in transform_outputs(graph.builder, terms).items():
        for seed in range(3):
            given = point(graph, interface, [node], sizes, seed)
            _, bound = forward(node, given, sizes)
            (single,) = evaluate([node], given, sizes, dtype=np.float32)
            true = exact(node, given, sizes)
            assert 0 < abs(float(single) - true) <= bound <= 1e-3 * (1 + abs(true)), term


def test_kl_in_both_layers() -> None:
    """kl >= 0 is a theorem over the reals, false in float32 as written, true as compiled."""
    analysis = analyse(str(ROOT / "programs" / "beta_vae.gml"), Sink(), prove=False)
    assert analysis.graph is not None and analysis.interface is not None
    rows = {b.term: b for b in float_bounds(analysis.graph, analysis.interface)}
    sign = rows["kl"].sign
    assert sign is not None and sign.reals == "proved"
    assert sign.compiled
    assert sign.witness is not None and sign.witness["value"] < 0
    m, v = (np.float32(sign.witness["inputs"][k][0]) for k in ("mu", "logvar"))
    naive = np.float32(0.5) * (np.exp(v) + m * m - np.float32(1) - v)
    assert naive < 0


def test_what_cannot_be_negative() -> None:
    build = Builder()
    x = build.apply(lf.Input("data", "x", (N,)))
    up = build.apply(ar.Maximum(), build.apply(un.Expm1(), x), x)
    assert never_negative(mean_of(build, sub(build, up, x)))
    assert never_negative(square(build, x))
    assert not never_negative(sub(build, build.apply(un.Expm1(), x), x))
    assert not never_negative(sub(build, exp(build, x), const(build, 1)))
    assert not never_negative(x)
