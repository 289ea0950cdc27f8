"""Hand-built programs (the graphs that the front end would lower) and their plain torch twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from gendsl.core.program import OptimizerSpec, Recipe, RecipeStep
from gendsl.ir.build import add, broadcast_to, mean_of, mul, sub, sum_of
from gendsl.ir.build import exp as exp_of
from gendsl.ir.graph import Builder, Graph, Node, ObjectiveGraph, ParamInfo
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.pointwise import Relu, Softplus, Square
from gendsl.shape.dim import Dim
from gendsl.source.text import NOWHERE

B, D, H, Z = (Dim.name(n) for n in ("B", "D", "hidden", "Z"))
SIZES = {"B": 128, "D": 64, "hidden": 256, "Z": 16}


class Model:
    """Collects parameters while a graph is built."""

    def __init__(self) -> None:
        self.build = Builder()
        self.params: dict[str, ParamInfo] = {}

    def param(self, path: str, shape: Sequence[Dim], *, positive: bool = False) -> Node:
        group = path.partition(".")[0]
        self.params[path] = ParamInfo(path, group, tuple(shape), positive)
        return self.build.apply(Input("param", path, tuple(shape)))

    def dense(self, path: str, x: Node, size: Dim) -> Node:
        w = self.param(f"{path}.w", (x.type.shape[1], size))
        b = self.param(f"{path}.b", (size,))
        y = self.build.apply(Contract((0, 1), (1, 2), (0, 2)), x, w)
        return add(self.build, y, broadcast_to(self.build, b, y.type.shape, (1,)))

    def inits(self) -> dict[str, Node]:
        """Small normal draws of stream "init"."""
        tenth = Fraction(1, 10)
        return {
            path: mul(self.build, self.build.apply(Draw(f"init.{path}", "normal", i.shape)), tenth)
            for path, i in self.params.items()
        }

    def graph(
        self,
        objectives: Sequence[ObjectiveGraph],
        states: Mapping[str, Node] | None = None,
        schedules: Mapping[str, Node] | None = None,
    ) -> Graph:
        return Graph(
            self.build,
            {o.name: o for o in objectives},
            {},
            self.params,
            self.inits(),
            states or {},
            schedules or {},
        )


def objective(
    name: str,
    loss: Node,
    terms: Mapping[str, Node] | None = None,
    updates: Mapping[str, Node] | None = None,
    sense: str = "minimize",
) -> ObjectiveGraph:
    return ObjectiveGraph(name, loss, sense, terms or {}, {}, {}, updates or {})


def line(
    name: str,
    groups: Sequence[str],
    optimizer: str = "adam",
    *,
    times: int = 1,
    maximize: bool = False,
    **options: Fraction,
) -> RecipeStep:
    spec = OptimizerSpec(optimizer, options)
    return RecipeStep(name, tuple(groups), spec, times, maximize, NOWHERE)


def recipe(
    *lines: RecipeStep,
    schedules: Sequence[str] = (),
    clip: Fraction | None = None,
    ema: Fraction | None = None,
) -> Recipe:
    return Recipe(tuple(lines), 128, 100, tuple(schedules), clip, ema)


def vae() -> Graph:
    """The beta-VAE on digits: 64-256-16, Bernoulli likelihood."""
    m = Model()
    build = m.build
    x = build.apply(Input("data", "x", (B, D)))
    h = build.apply(Relu(), m.dense("encoder.h", x, H))
    mu, logvar = m.dense("encoder.mu", h, Z), m.dense("encoder.logvar", h, Z)
    eps = build.apply(Draw("neg_elbo.eps", "normal", (B, Z), 0))
    z = add(build, mu, mul(build, exp_of(build, mul(build, logvar, Fraction(1, 2))), eps))
    g = build.apply(Relu(), m.dense("decoder.h", z, H))
    logits = m.dense("decoder.x", g, D)
    nll = sub(build, build.apply(Softplus(), logits), mul(build, x, logits))
    recon = mean_of(build, sum_of(build, nll, (1,)))
    parts = add(build, build.apply(Square(), mu), exp_of(build, logvar))
    per = mul(build, sub(build, sub(build, parts, 1), logvar), Fraction(1, 2))
    kl = mean_of(build, sum_of(build, per, (1,)))
    loss = add(build, recon, mul(build, build.apply(Input("hyper", "beta")), kl))
    for node, name in ((h, "encoder.h"), (mu, "mu"), (logvar, "logvar"), (eps, "eps"), (z, "z"),
                       (g, "decoder.h"), (logits, "logits"), (recon, "recon"), (kl, "kl"),
                       (loss, "neg_elbo")):  # fmt: skip
        build.names[node] = name
    return m.graph([objective("neg_elbo", loss, {"recon": recon, "kl": kl})])
