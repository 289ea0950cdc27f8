"""The numpy reference evaluator: what a graph means, with sizes bound.

In: output nodes, input values by key ("data:x", "param:encoder.h.w"; "draw:PATH" fixes the value
of a draw), sizes. Out: one array per output. Iterative; an array is let go after its last use;
every result is checked against its node's type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gendsl.ir.graph import Node, reachable
from gendsl.ir.op import Concrete, NodeType
from gendsl.lazy import np
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.loop import Loop, LoopBody
from gendsl.shape.tensor_type import Bool, Fin, Real

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


class EvaluationError(Exception):
    """A value that is missing or does not have the type of its node."""


def evaluate(
    outputs: Sequence[Node],
    inputs: Mapping[str, Any],
    sizes: Mapping[str, int],
    *,
    dtype: Any = None,
    noise: Any = None,
) -> list[Array]:
    """The values of `outputs`. `dtype` is that of reals, float64 by default; `noise` is the source
    of draws that `inputs` does not fix."""
    env = Concrete(sizes, np.dtype(dtype or np.float64), noise)
    program = _Program(outputs)
    given = {node: value for node in program.order if (value := _given(node, inputs)) is not None}
    with np.errstate(all="ignore"):  # overflow and division by zero are values: inf and nan
        return program.run(given, env)


class _Program:
    """Nodes in order, and after which node each value is let go: made once, run many times."""

    def __init__(self, outputs: Sequence[Node]) -> None:
        self.outputs = list(outputs)
        self.order = reachable(outputs)
        last = {node: user for user in self.order for node in (user, *user.inputs)}
        self.drop: dict[Node, list[Node]] = {node: [] for node in self.order}
        for node in set(self.order).difference(outputs):
            self.drop[last[node]].append(node)

    def run(self, given: Mapping[Node, Any], env: Concrete) -> list[Array]:
        values: dict[Node, Array] = {}
        loops: dict[tuple[LoopBody, tuple[Node, ...]], list[Array]] = {}
        for node in self.order:
            value = given.get(node)
            if value is None:
                args = [values[source] for source in node.inputs]
                if isinstance(node.op, Loop):
                    key = (node.op.body, node.inputs)
                    if key not in loops:
                        loops[key] = run_loop(node.op.body, args, env)
                    value = loops[key][node.op.result]
                else:
                    value = _run(node, args, env)
            values[node] = checked(node, value, env)
            for dead in self.drop[node]:
                del values[dead]
        return [values[node] for node in self.outputs]


def run_loop(body: LoopBody, args: Sequence[Array], env: Concrete) -> list[Array]:
    """The final carried values of a loop, from its initial carried and its captured values."""
    opened = body.open()
    program = _Program(opened.results)
    carried = list(args[: len(body.carries)])
    captured = dict(zip(opened.captures, args[len(body.carries) :], strict=True))
    for i in range(body.count.size(env.sizes)):
        given = {opened.index: np.asarray(i), **captured}
        given.update(zip(opened.carries, carried, strict=True))
        carried = program.run(given, env)
    return carried


def input_key(node: Node) -> str | None:
    """The key under which `inputs` may give the value of this node."""
    match node.op:
        case Input(kind, key):
            return f"{kind}:{key}"
        case Draw(path):
            return f"draw:{path}"
        case _:
            return None


def _given(node: Node, inputs: Mapping[str, Any]) -> Any:
    key = input_key(node)
    return None if key is None else inputs.get(key)


def _run(node: Node, args: list[Array], env: Concrete) -> Any:
    try:
        return node.op.reference(args, node.type, env)
    except KeyError as missing:
        raise EvaluationError(f"no value for {missing.args[0]}") from missing


def checked(node: Node, value: Any, env: Concrete) -> Array:
    """`value` as an array of the node's type; raises `EvaluationError` where it is not one."""
    array = np.asarray(value)
    if isinstance(node.op, (Input, Draw)):
        array = _converted(array, node.type, env)
    if array.shape != env.shape(node.type):
        raise EvaluationError(f"{node!r} : {node.type} has shape {array.shape}")
    if array.dtype != dtype_of(node.type, env):
        raise EvaluationError(f"{node!r} : {node.type} has dtype {array.dtype}")
    match node.type.elem:
        case Fin(bound) if array.size and not (
            array.min() >= 0 and array.max() < bound.size(env.sizes)
        ):
            raise EvaluationError(f"{node!r} : {node.type} has an index out of range")
        case _:
            return array


def _converted(array: Array, type_: NodeType, env: Concrete) -> Array:
    """Inputs may come as any dtype of the same sort: bytes for indices, float32 for reals."""
    sorts = {"Real": "fiu", "Fin": "iu", "Bool": "b"}
    if array.dtype.kind not in sorts[type(type_.elem).__name__]:
        raise EvaluationError(f"{array.dtype} values for {type_}")
    return array.astype(dtype_of(type_, env), copy=False)


def dtype_of(type_: NodeType, env: Concrete) -> Any:
    """The numpy dtype that values of a type have."""
    match type_.elem:
        case Real():
            return np.dtype(env.dtype)
        case Fin():
            return np.dtype(np.int64)
        case Bool():
            return np.dtype(np.bool_)
