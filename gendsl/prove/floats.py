"""Floats beside reals: how far each term of an objective, computed in float32, may be from its
theorem's value, and whether "never negative" survives rounding.

In: a graph and the interface of its program. Out: for each term, at random data in range, initial
parameters and drawn noise: its value and a bound of |float32 - real|, for the graph as compiled
(after `gendsl.passes`), with sums in any order. For a term that is proved >= 0 over the reals: a
point where the form as written is negative in float32, if one is found, and whether the compiled
form is nonnegative by construction (rounding keeps the order of numbers). Bounds assume the
standard model of arithmetic (`float_rules`), and no overflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gendsl.core import claim as c
from gendsl.core.program import Interface
from gendsl.ir.build import const
from gendsl.ir.evaluate import evaluate, input_key
from gendsl.ir.graph import Graph, Node, reachable
from gendsl.ir.op import Concrete
from gendsl.ir.rewrite import substitute
from gendsl.lazy import np
from gendsl.noise import Noise
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import movement as mv
from gendsl.ops import reduce as rd
from gendsl.ops import unary as un
from gendsl.ops.leaf import Const, Draw, Input, SizeValue
from gendsl.passes.pipeline import transform_outputs
from gendsl.prove.float_rules import (
    DOUBLE,
    SINGLE,
    Format,
    NoBound,
    Value,
    looseness,
    op_error,
)
from gendsl.prove.settle import settle_one
from gendsl.shape.tensor_type import Fin, Real

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

BATCH, DATA, LIMIT = 8, 8, 64  # sizes at which bounds are evaluated, where nothing else says
TRIES = 400


@dataclass(frozen=True)
class Sign:
    """`term >= 0` in both layers. `reals` is the verdict; `witness` a point where the form as
    written is negative in float32 (with that value); `compiled` whether the compiled form cannot
    be."""

    reals: str
    witness: Mapping[str, Any] | None
    compiled: bool


@dataclass(frozen=True)
class TermBound:
    """One term at one point: `bound` >= |float32 - real|; None where `reason` says why not."""

    objective: str
    term: str
    value: float
    bound: float | None
    reason: str
    sign: Sign | None
    sizes: Mapping[str, int]


def float_bounds(graph: Graph, interface: Interface, *, seed: int = 0) -> list[TermBound]:
    """A bound for each term of each objective."""
    found = []
    for name, objective in graph.objectives.items():
        compiled = transform_outputs(graph.builder, dict(objective.terms))
        for term, node in objective.terms.items():
            sign = sign_of(graph, interface, name, term, compiled[term])
            found.append(_bounded(graph, interface, name, term, node, compiled[term], seed, sign))
    return found


def _bounded(
    graph: Graph,
    interface: Interface,
    objective: str,
    term: str,
    node: Node,
    compiled: Node,
    seed: int,
    sign: Sign | None,
) -> TermBound:
    sizes = sizes_for(interface)
    try:
        given = point(graph, interface, [node, compiled], sizes, seed)
        value, error = forward(compiled, given, sizes)
    except NoBound as problem:
        return TermBound(
            objective, term, float("nan"), None, f"no bound for {problem}", sign, sizes
        )
    if not np.isfinite(error):
        return TermBound(objective, term, value, None, "a divisor may be zero", sign, sizes)
    return TermBound(objective, term, value, error, "", sign, sizes)


def sizes_for(interface: Interface) -> dict[str, int]:
    """Sizes at which bounds are shown: the declared ones up to `LIMIT`, a small batch."""
    sizes = {}
    for name, info in interface.dims.items():
        default = BATCH if info.kind == "batch" else DATA
        sizes[name] = min(info.default, LIMIT) if info.default else default
    for name, info in interface.dims.items():
        sizes[name] = max(sizes[name], info.at_least.size(sizes))
    for condition in interface.conditions:
        fails = (
            condition.kind == "divides"
            and (condition.dividend.evaluate(sizes) / condition.divisor.evaluate(sizes)).denominator
            > 1
        )
        for name in condition.dividend.names if fails else ():
            known = interface.dims.get(name)
            sizes[name] = (known.default if known else None) or sizes[name]
    return sizes


def point(
    graph: Graph, interface: Interface, nodes: Sequence[Node], sizes: Mapping[str, int], seed: int
) -> dict[str, Any]:
    """Random data in range, initial parameters and states, default hyperparameters, drawn noise:
    all of them float32 numbers."""
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {}
    noise = Noise(seed, "train")
    for x in reachable(list(nodes)):
        key = input_key(x)
        if key is None or key in given:
            continue
        if isinstance(x.op, Draw):
            (value,) = evaluate([x], {}, sizes, dtype=np.float32, noise=noise)
        else:
            value = _input(graph, interface, x, sizes, rng, seed)
        given[key] = value
    return given


def _input(
    graph: Graph, interface: Interface, x: Node, sizes: Mapping[str, int], rng: Any, seed: int
) -> Any:
    assert isinstance(x.op, Input)
    kind, key = x.op.kind, x.op.key
    shape = tuple(d.size(sizes) for d in x.type.shape)
    if kind == "hyper":
        return np.asarray(float(interface.hypers[key].default), dtype=np.float32)
    if kind == "param":
        start = Noise(seed, "init")
        (stored,) = evaluate([graph.inits[key]], {}, sizes, dtype=np.float32, noise=start)
        return np.exp(stored) if graph.params[key].positive else stored
    if kind == "state":
        start = Noise(seed, "init")
        (value,) = evaluate([graph.states[key]], {}, sizes, dtype=np.float32, noise=start)
        return value
    if isinstance(x.type.elem, Fin):
        return rng.integers(0, x.type.elem.bound.size(sizes), shape)
    field = interface.data.get(key)
    low, high = (0.0, 1.0)
    if field is not None and field.range is not None:
        low = float(field.range.low) if field.range.low is not None else -3.0
        high = float(field.range.high) if field.range.high is not None else 3.0
    return rng.uniform(low, high, shape).astype(np.float32)


def forward(root: Node, given: Mapping[str, Any], sizes: Mapping[str, int]) -> tuple[float, float]:
    """The value of a scalar in double, and a bound of |float32 - real|."""
    slack = _sweep(root, given, sizes, DOUBLE, None)
    final = _sweep(root, given, sizes, SINGLE, slack)[root]
    # one percent for the rounding of the bound itself
    return float(final.value), float(final.error) * 1.01 + 1e-300


def _sweep(
    root: Node,
    given: Mapping[str, Any],
    sizes: Mapping[str, int],
    fmt: Format,
    before: Mapping[Node, Value] | None,
) -> dict[Node, Value]:
    """Values and error bounds of all nodes in one format; `before` holds the double's errors."""
    env, known = Concrete(sizes, np.dtype(np.float64)), dict[Node, Value]()
    with np.errstate(all="ignore"):
        for x in reachable([root]):
            key = input_key(x)
            args = [known[y] for y in x.inputs]
            if key is not None:
                raw = np.asarray(given[key])
                y = raw.astype(np.float64) if raw.dtype.kind == "f" else raw
            else:
                y = np.asarray(x.op.reference([a.value for a in args], x.type, env))
            zero = np.zeros(y.shape)
            slack = before[x].error if before is not None else zero
            if isinstance(x.type.elem, Real):
                error = op_error(x, y, args, fmt, env)
                error = np.where(np.abs(y) < fmt.huge, error, np.inf)
                known[x] = Value(y, slack, error)
            else:
                known[x] = Value(y, zero, zero, looseness(x, args) if args else None)
    return known


# ---- signs in both layers ------------------------------------------------------------------


def sign_of(
    graph: Graph, interface: Interface, objective: str, term: str, compiled: Node
) -> Sign | None:
    """`term >= 0` over the reals, and in float32 as written and as compiled; None where it is not
    proved over the reals."""
    node = graph.objectives[objective].terms[term]
    body = c.Plain(c.Compare(">=", node, const(graph.builder, 0)))
    claim = c.Claim(f"floats.{term}", body, f"{term} >= 0", subject=objective)
    found = settle_one(graph, claim, interface, seconds=2.0)
    if found.verdict != "proved":
        return None
    safe = never_negative(compiled)
    witness = None if never_negative(node) else negative_point(graph, objective, node)
    return Sign(found.verdict, witness, safe)


def never_negative(node: Node) -> bool:
    """Whether the computed value cannot be negative: rounding is monotone, so that a - b >= 0
    where a >= b, and sums, products and quotients of nonnegative numbers are not negative."""
    match node.op:
        case ar.Square() | un.Exp() | un.Abs() | un.Relu() | un.Sqrt() | un.Sigmoid():
            return True
        case un.Softplus() | un.Rsqrt() | rd.Softmax() | SizeValue():
            return True
        case Const(value):
            return value >= 0
        case ar.Mul() if node.inputs[0] is node.inputs[1]:
            return True
        case ar.Add() | ar.Mul() | ar.Div() | ar.Minimum():
            return all(never_negative(x) for x in node.inputs)
        case ar.Maximum():
            return any(never_negative(x) for x in node.inputs)
        case ar.Sub():
            a, b = node.inputs
            return isinstance(a.op, ar.Maximum) and b in a.inputs
        case br.Sum() | br.Broadcast() | mv.Reshape() | mv.Transpose() | rd.Max() | rd.Min():
            return all(never_negative(x) for x in node.inputs)
        case ar.StopGrad() | mv.Slice() | mv.Flip() | mv.Concat():
            return all(never_negative(x) for x in node.inputs)
        case _:
            return False


def negative_point(graph: Graph, objective: str, node: Node) -> dict[str, Any] | None:
    """A point where the form as written is negative in float32: over the named tensors below."""
    scope = {x: n for n, x in graph.objectives[objective].scope.items() if x.type.shape}
    opened, leaves = _abstracted(graph, node, scope)
    sizes = {d: 1 for x in reachable([opened]) for s in x.type.shape for d in s.names}
    sizes |= {d: 1 for x in reachable([opened]) if isinstance(x.op, SizeValue)
              for d in x.op.dim.names}  # fmt: skip
    rng = np.random.default_rng(0)
    for given in _points(leaves, sizes, rng):
        keyed = {f"argument:{k}": v for k, v in given.items()}
        try:
            (value,) = evaluate([opened], keyed, sizes, dtype=np.float32)
        except (KeyError, ValueError, NotImplementedError):
            return None
        if float(value) < 0:
            shown = {k: np.asarray(v, dtype=float).ravel().tolist() for k, v in given.items()}
            return {"sizes": sizes, "inputs": shown, "value": float(value)}
    return None


def _abstracted(
    graph: Graph, node: Node, scope: Mapping[Node, str]
) -> tuple[Node, dict[str, Node]]:
    """The node with the nearest named tensors (and other inputs) as arguments."""
    found: dict[Node, str] = {}
    stack, seen = [node], set[Node]()
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        named = x is not node and (x in scope or isinstance(x.op, Input | Draw))
        if named and isinstance(x.type.elem, Real):
            op = x.op
            found[x] = scope.get(x) or str(op.key if isinstance(op, Input) else op)
        else:
            stack.extend(x.inputs)
    build = graph.builder
    table = {x: build.apply(Input("argument", n, x.type.shape)) for x, n in found.items()}
    (opened,) = substitute(build, [node], table)
    return opened, {n: table[x] for x, n in found.items()}


def _points(
    leaves: Mapping[str, Node], sizes: Mapping[str, int], rng: Any
) -> Iterator[dict[str, Any]]:
    """Small numbers of several magnitudes, each tensor zero half of the time."""
    for k in range(TRIES):
        scale = 10.0 ** -(1 + k % 5)
        yield {
            name: (
                np.zeros(tuple(d.size(sizes) for d in x.type.shape))
                if rng.random() < 0.5
                else rng.uniform(-scale, scale, tuple(d.size(sizes) for d in x.type.shape))
            ).astype(np.float32)
            for name, x in leaves.items()
        }
