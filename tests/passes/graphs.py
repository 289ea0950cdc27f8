"""Small graphs that the tests of passes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gendsl.ir.build import add, broadcast_to, exp, mean_of, mul, square, sub, sum_of
from gendsl.ir.graph import Builder, Node
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.unary import Relu, Softplus
from gendsl.shape.dim import Dim

B, D, H, Z = (Dim.name(n) for n in "BDHZ")
SIZES: Mapping[str, int] = {"B": 4, "D": 6, "H": 5, "Z": 3}
Array = np.ndarray[Any, Any]


def data(build: Builder, name: str, *shape: Dim) -> Node:
    return build.apply(Input("data", name, shape))


def param(build: Builder, path: str, *shape: Dim) -> Node:
    return build.apply(Input("param", path, shape))


def dense(build: Builder, x: Node, path: str, inner: Dim, outer: Dim) -> Node:
    w, b = param(build, f"{path}.w", inner, outer), param(build, f"{path}.b", outer)
    y = build.apply(Contract((0, 1), (1, 2), (0, 2)), x, w)
    return add(build, y, broadcast_to(build, b, y.type.shape, (1,)))


def vae(build: Builder) -> tuple[Node, dict[str, Node]]:
    """The negative ELBO of a Bernoulli VAE as its program writes it, and its parameters."""
    x = data(build, "x", B, D)
    h = build.apply(Relu(), dense(build, x, "encoder.h", D, H))
    mu, logvar = dense(build, h, "encoder.mu", H, Z), dense(build, h, "encoder.logvar", H, Z)
    eps = build.apply(Draw("neg_elbo/eps", "normal", (B, Z), 0))
    z = add(build, mu, mul(build, exp(build, mul(build, Dim.of(1).divide(2) or 0, logvar)), eps))
    g = build.apply(Relu(), dense(build, z, "decoder.h", Z, H))
    r = dense(build, g, "decoder.out", H, D)
    nll = sub(build, build.apply(Softplus(), r), mul(build, x, r))
    recon = mean_of(build, sum_of(build, nll, [1]))
    kl = sub(build, sub(build, add(build, exp(build, logvar), square(build, mu)), 1), logvar)
    kl = mean_of(build, mul(build, Dim.of(1).divide(2) or 0, sum_of(build, kl, [1])))
    beta = build.apply(Input("hyper", "beta"))
    loss = add(build, recon, mul(build, beta, kl))
    params = {
        f"{p}.{w}": s
        for p, i, o in (
            ("encoder.h", D, H),
            ("encoder.mu", H, Z),
            ("encoder.logvar", H, Z),
            ("decoder.h", Z, H),
            ("decoder.out", H, D),
        )
        for w, s in (("w", param(build, f"{p}.w", i, o)), ("b", param(build, f"{p}.b", o)))
    }
    return loss, params


def vae_values(params: Mapping[str, Node], seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    values: dict[str, Array] = {
        "data:x": rng.random((4, 6)),
        "draw:neg_elbo/eps": rng.normal(size=(4, 3)),
        "hyper:beta": np.asarray(0.7),
    }
    for path, node in params.items():
        values[f"param:{path}"] = rng.normal(size=[d.size(SIZES) for d in node.type.shape]) * 0.5
    return values
