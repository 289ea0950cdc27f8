"""Random graphs of many ops at once: shared values, broadcasts in odd places, views, numbers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from backends.torch_cpu import TARGET
from gendsl.ir.build import const, to_real, truth
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node
from gendsl.noise import Noise
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.movement import Concat, Flip, Pad, Reshape, Slice, Transpose
from gendsl.ops.pointwise import (
    Abs,
    Add,
    And,
    Cos,
    Less,
    LessEqual,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Not,
    Relu,
    Sigmoid,
    Sin,
    Softplus,
    StopGrad,
    StraightThrough,
    Sub,
    Tanh,
    Where,
)
from gendsl.ops.reduce import LogSumExp, Max, Softmax
from gendsl.passes.simplify import simplify
from gendsl.shape.dim import ONE, ZERO, Dim
from gendsl.shape.tensor_type import Bool, Real

M, N, K = (Dim.name(n) for n in "MNK")
SHAPES = ((), (N,), (M, N), (N, M), (K, M, N))
SIZES = ({"M": 3, "N": 4, "K": 2}, {"M": 1, "N": 2, "K": 3}, {"M": 2, "N": 1, "K": 1})
UNARY = (Neg, Abs, Relu, Sigmoid, Tanh, Softplus, Sin, Cos, StopGrad)
BINARY = (Add, Sub, Mul, Maximum, Minimum, StraightThrough)


class Growth:
    """A graph that grows by random ops over a pool of values."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.build = Builder()
        inputs = [Input("data", f"x{i}", shape) for i, shape in enumerate(SHAPES)]
        self.pool = [self.build.apply(op) for op in inputs]
        self.pool.append(self.build.apply(Input("hyper", "beta")))
        self.pool.append(self.build.apply(Draw("eps", "normal", (M, N), 0)))
        self.pool.append(self.build.apply(Input("param", "net.w", (N, M))))
        self.pool += [const(self.build, Fraction(v)) for v in (-1, 2, Fraction(1, 3))]

    def pick(self, keep: Callable[[Node], bool]) -> Node | None:
        found = [n for n in self.pool if keep(n)]
        return found[self.rng.integers(len(found))] if found else None

    def real(self) -> Node:
        node = self.pick(lambda n: isinstance(n.type.elem, Real))
        assert node is not None
        return node

    def like(self, node: Node) -> Node:
        """A value of the same type, often a broadcast of a smaller one."""
        other = self.pick(lambda n: n.type == node.type) or node
        scalar = self.pick(lambda n: n.type.rank == 0 and isinstance(n.type.elem, Real))
        if node.type.rank and scalar is not None and self.rng.random() < 0.4:
            return self.build.apply(Broadcast(node.type.shape, ()), scalar)
        return other

    def grow(self) -> None:
        steps = (self.unary, self.binary, self.binary, self.choose, self.spread, self.reduce,
                 self.product, self.move, self.move, self.soft)  # fmt: skip
        new = steps[self.rng.integers(len(steps))]()
        if new is not None:
            self.pool.append(new)

    def unary(self) -> Node:
        return self.build.apply(UNARY[self.rng.integers(len(UNARY))](), self.real())

    def binary(self) -> Node:
        a = self.real()
        b = self.like(a)
        pair = (a, b) if self.rng.random() < 0.5 else (b, a)
        # Products grow without bound: the sigmoid keeps them in check.
        op = BINARY[self.rng.integers(len(BINARY))]()
        made = self.build.apply(op, *pair)
        return self.build.apply(Sigmoid(), made) if isinstance(op, Mul) else made

    def choose(self) -> Node:
        a = self.real()
        b = self.like(a)
        condition = self.build.apply((Less, LessEqual)[self.rng.integers(2)](), a, self.like(a))
        if self.rng.random() < 0.3:
            always = self.build.apply(Broadcast(a.type.shape, ()), truth(self.build, True))
            condition = self.build.apply(And(), condition, always if a.type.rank else condition)
        if self.rng.random() < 0.3:
            return to_real(self.build, self.build.apply(Not(), condition))
        return self.build.apply(Where(), condition, a, b)

    def spread(self) -> Node | None:
        a = self.real()
        if a.type.shape == (N,):
            shape, places = (((M, N), (1,)), ((N, M), (0,)), ((K, M, N), (2,)))[
                self.rng.integers(3)
            ]
        elif a.type.shape == (M, N):
            shape, places = (K, M, N), (1, 2)
        elif not a.type.rank:
            shape, places = (M, N), ()
        else:
            return None
        return self.build.apply(Broadcast(shape, places), a)

    def reduce(self) -> Node:
        a = self.real()
        axes = tuple(i for i in range(a.type.rank) if self.rng.random() < 0.6)
        op = (Sum(axes), Max(axes), LogSumExp(axes))[self.rng.integers(3)]
        return self.build.apply(Tanh(), self.build.apply(op, a))

    def product(self) -> Node | None:
        a = self.pick(lambda n: n.type.shape == (M, N) and isinstance(n.type.elem, Real))
        b = self.pick(lambda n: n.type.shape in ((N, M), (N,), (K, M, N)))
        if a is None or b is None or isinstance(b.type.elem, Bool):
            return None
        labels = {(N, M): ((1, 2), (0, 2)), (N,): ((1,), (0,)), (K, M, N): ((3, 0, 1), (0, 3))}
        right, out = labels[b.type.shape]
        made = self.build.apply(Contract((0, 1), right, out), a, b)
        return self.build.apply(Tanh(), made)

    def move(self) -> Node:
        a = self.real()
        if not a.type.rank:
            return a
        axis = int(self.rng.integers(a.type.rank))
        match self.rng.integers(5):
            case 0:
                perm = tuple(int(i) for i in self.rng.permutation(a.type.rank))
                return self.build.apply(Transpose(perm), a)
            case 1:
                return self.build.apply(Flip(axis), a)
            case 2:
                return self.build.apply(Reshape((Dim.product(a.type.shape),)), a)
            case 3:
                grown = self.build.apply(Pad(axis, ONE, ZERO), a)
                return self.build.apply(Slice(axis, ZERO, a.type.shape[axis]), grown)
            case _:
                both = self.build.apply(Concat(axis), a, self.like(a))
                size = a.type.shape[axis]
                return self.build.apply(Slice(axis, size, size), both)

    def soft(self) -> Node:
        a = self.real()
        return self.build.apply(Softmax(a.type.rank - 1), a) if a.type.rank else a


@pytest.mark.parametrize("seed", range(40))
def test_equals_the_reference(seed: int) -> None:
    growth = Growth(seed)
    for _ in range(35):
        growth.grow()
    chosen = growth.rng.choice(len(growth.pool), 8, replace=False)
    outputs = {f"y{i}": growth.pool[i] for i in chosen}
    simpler = simplify(growth.build, list(outputs.values()))
    outputs |= {f"{name}.simple": simpler[node] for name, node in list(outputs.items())}
    sizes = SIZES[seed % len(SIZES)]
    noise = Noise(seed, "train", 3)
    batch = {
        f"x{i}": growth.rng.normal(size=tuple(d.size(sizes) for d in shape))
        for i, shape in enumerate(SHAPES)
    }
    w = growth.rng.normal(size=(sizes["N"], sizes["M"]))
    given = {f"data:{k}": v for k, v in batch.items()} | {"hyper:beta": 0.25, "param:net.w": w}
    expected = evaluate(list(outputs.values()), given, sizes, noise=noise)
    for dtype, tolerance in (("float64", 1e-10), ("float32", 2e-4)):
        function = TARGET.compile_function(outputs, sizes, dtype=dtype)
        found = function.run({"param:net.w": w}, batch, {"beta": 0.25}, noise)
        for name, reference in zip(outputs, expected, strict=True):
            scale = max(1.0, float(np.max(np.abs(reference), initial=0)))
            error = np.abs(found[name].astype(float) - reference)
            assert found[name].shape == reference.shape
            if dtype == "float64":  # in float32 a comparison may go the other way
                assert np.max(error, initial=0) <= tolerance * scale, (name, function.source)
            else:
                assert np.median(error) <= tolerance * scale if error.size else True
