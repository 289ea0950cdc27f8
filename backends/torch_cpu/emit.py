"""Writes a plan as the Python source of one function over torch tensors.

In: a plan. Out: `Source`, a module with the constants and

    def NAME(p, slot, state, ema, data, hyper, number, draw):

where `p["encoder.h.w"]` is a parameter, `number` the step, and `draw` the source of noise. It
returns a dictionary of outputs; updates of parameters and other carried tensors are assigned to
the dictionaries they came from, at the end. A loop's body is a function inside. Always: no output
shares memory with an input or with another output, so that updates in place are safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from backends.common.text import Source, Writer
from backends.torch_cpu.express import Context, Expressions
from backends.torch_cpu.kernels import KERNELS
from gendsl.ir.graph import Node
from gendsl.ir.grouping import base_of
from gendsl.ir.plan import AnyCall, Buffer, Call, LoopCall, Plan, UpdateCall, quantity, width
from gendsl.ops.leaf import Input

CONTAINERS: Mapping[str, str] = {
    "param": "p",
    "slot": "slot",
    "state": "state",
    "ema": "ema",
    "data": "data",
    "argument": "data",
    "hyper": "hyper",
}
CARRIED = ("param", "slot", "state", "ema")
PARAMETERS = "p, slot, state, ema, data, hyper, number, draw"
_WIDTH = 100
# Smaller tensors may live until the function ends: not worth a line.
_WORTH_FREEING = 16_384


def emit(plan: Plan) -> Source:
    """The source of `plan`."""
    context = Context(plan)
    _write(plan, context)  # finds the constants, which come first in the text
    return _write(plan, context).source()


def _write(plan: Plan, context: Context) -> Writer:
    writer = Writer()
    sizes = ", ".join(f"{name} = {value}" for name, value in plan.sizes.items())
    writer.line(f'"""{plan.name}' + (f" at {sizes}" if sizes else ""))
    writer.line()
    writer.line(
        f"Written by gendsl for torch on CPU: {len(plan.calls)} calls, "
        f"{quantity(plan.flops, 'flop')}, {quantity(plan.peak_bytes, 'B')} of temporaries at most."
    )
    writer.line('"""')
    writer.line()
    for text, name in context.constants.items():
        writer.line(f"{name} = {text}")
    if context.constants:
        writer.line()
    writer.line()
    with writer.block(f"def {plan.name}({PARAMETERS}):"):
        for buffer in plan.inputs:
            writer.line(f"{buffer.name} = {_input(buffer)}", [buffer.node])
        for call in plan.calls:
            _call(writer, context, call)
        _finish(writer, context)
    return writer


def _input(buffer: Buffer) -> str:
    op = buffer.node.op
    assert isinstance(op, Input)
    return "float(number)" if op.kind == "step" else f'{CONTAINERS[op.kind]}["{op.key}"]'


# ---- calls -------------------------------------------------------------------------------


def _call(writer: Writer, context: Context, call: AnyCall) -> None:
    express = Expressions(context, call.nodes, KERNELS)
    match call:
        case Call(result=result, nodes=nodes):
            text = f"{result.name} = {express.result(nodes[-1])}"
            comment = f"  # {_shape(result.node)}" if result.shape else ""
            writer.line(text + (comment if len(text + comment) < _WIDTH - 4 else ""), nodes)
        case UpdateCall():
            _update(writer, context, express, call)
        case LoopCall():
            _loop(writer, context, express, call)
    freed = [name for name in call.frees if _large(context.plan, name)]
    if freed:
        writer.line(f"del {', '.join(freed)}")


def _shape(node: Node) -> str:
    return f"[{', '.join(map(str, node.type.shape))}]"


def _large(plan: Plan, name: str) -> bool:
    """Whether the buffer, or what it is a view of, is worth a line that frees it."""
    return _bytes(plan).get(name, 0) >= _WORTH_FREEING


def _bytes(plan: Plan) -> dict[str, int]:
    table: dict[str, int] = {}
    for buffer in plan.buffers.values():
        entries = 1
        for size in buffer.shape:
            entries *= size
        table[buffer.name] = entries * width(buffer.elem)
    return table


def _update(writer: Writer, context: Context, express: Expressions, call: UpdateCall) -> None:
    """One optimizer kernel over all parameters of a group."""
    group, buffers = call.group, context.plan.buffers
    slots = ["params", "m", "v"][: len(group.before[0])]
    made = [node for row in group.after for node in row]
    with writer.block(f"fused_{'sgd' if group.rule == 'sgd' else 'adam'}(", made):
        columns = [[buffers[row[k]].name for row in group.before] for k in range(len(slots))]
        gradients = [express.whole(node) for node in group.gradients]
        columns.insert(1, gradients)
        if group.rule == "sgd" and len(slots) == 1:
            columns.append([])
        for column in columns:
            _list(writer, column)
        if group.rule != "sgd":
            assert group.count is not None
            writer.line(f"{express.number(group.count)},")
        options = {k: repr(v) for k, v in group.options.items() if k != "lr"}
        options = {"lr": express.number(group.lr), **options}
        if group.rule == "adamw":
            options["decoupled"] = "True"
        writer.line(", ".join(f"{name}={text}" for name, text in options.items()) + ",")
    writer.line(")")


def _list(writer: Writer, texts: Iterable[str]) -> None:
    """A list argument, on one line if it fits."""
    items = list(texts)
    text = f"[{', '.join(items)}],"
    if len(text) <= _WIDTH - 8:
        writer.line(text)
        return
    with writer.block("["):
        for item in items:
            writer.line(f"{item},")
    writer.line("],")


def _loop(writer: Writer, context: Context, express: Expressions, call: LoopCall) -> None:
    """The body as a function of the index, the carried and the captured values, and the loop."""
    node = call.nodes[-1]
    body = call.body
    opened = node.op.body.open()  # type: ignore[attr-defined]
    inner = Context(body, context.constants)
    first = next(iter(call.results.values())).name
    carried = len(opened.carries)
    leaves = (opened.index, *opened.carries, *opened.captures)
    formals = [
        body.buffers[leaf].name if leaf in body.buffers else f"_{place}"
        for place, leaf in enumerate(leaves)
    ]
    with writer.block(f"def iterate_{first}({', '.join(formals)}):"):
        for part in body.calls:
            _call(writer, inner, part)
        inside = Expressions(inner, (), KERNELS)
        results = [inside.whole(body.outputs[str(k)]) for k in range(carried)]
        writer.line(f"return {', '.join(results)}")
    names = [call.results[k].name if k in call.results else f"{first}_{k}" for k in range(carried)]
    for name, operand in zip(names, node.inputs[:carried], strict=True):
        writer.line(f"{name} = {express.whole(operand)}")
    given = [
        express.number(operand) if operand in context.plan.host else express.whole(operand)
        for operand in node.inputs[carried:]
    ]
    count = context.size(node.op.body.count)  # type: ignore[attr-defined]
    with writer.block(f"for i in range({count}):", call.nodes):
        writer.line(f"{', '.join(names)} = iterate_{first}({', '.join(['i', *names, *given])})")


# ---- outputs -----------------------------------------------------------------------------


def _finish(writer: Writer, context: Context) -> None:
    """Assign what is carried over, and return the rest."""
    plan = context.plan
    express = Expressions(context, (), KERNELS)
    overwritten = {
        node for call in plan.calls if isinstance(call, UpdateCall) for r in call.results
        for node in (buffer.node for buffer in r)
    }  # fmt: skip
    shared: set[Node] = set()
    returned: list[str] = []
    for name, node in plan.outputs.items():
        kind, _, key = name.partition(":")
        stored = kind in CARRIED and bool(key)
        if stored and (node in overwritten or _is_input(node, kind, key)):
            continue
        text = express.whole(node)
        base = base_of(node)
        if isinstance(base.op, Input) or base in overwritten or base in shared:
            text += ".clone()"
        shared.add(base)
        if stored:
            writer.line(f'{CONTAINERS[kind]}["{key}"] = {text}', [node])
        else:
            returned.append(f'"{name}": {text}')
    text = f"return {{{', '.join(returned)}}}"
    if len(text) <= _WIDTH - 4:
        writer.line(text)
        return
    with writer.block("return {"):
        for item in returned:
            writer.line(f"{item},")
    writer.line("}")


def _is_input(node: Node, kind: str, key: str) -> bool:
    op = node.op
    return isinstance(op, Input) and (op.kind, op.key) == (kind, key)
