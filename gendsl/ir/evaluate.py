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
    order = reachable(outputs)
    last = {node: user for user in order for node in (user, *user.inputs)}
    kept = set(outputs)
    values: dict[Node, Array] = {}
    with np.errstate(all="ignore"):  # overflow and division by zero are values: inf and nan
        for node in order:
            value = _given(node, inputs)
            if value is None:
                value = _run(node, [values[source] for source in node.inputs], env)
            values[node] = checked(node, value, env)
            for source in (node, *node.inputs):
                if last[source] is node and source not in kept:
                    values.pop(source, None)
    return [values[node] for node in outputs]


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
            0 <= array.min() and array.max() < bound.size(env.sizes)
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
