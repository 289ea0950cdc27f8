"""Writes a plan as the Python source of one function over torch tensors, the plain source: that of
a step is what `bound.py` makes its two stages of.

In: a plan. Out: `Source`, a module with the constants and

    def NAME(p, slot, state, ema, data, hyper, number, draw):

where `p["encoder.h.w"]` is a parameter, `number` the step, and `draw` the source of noise. It
returns a dictionary of outputs; updates of parameters and other carried tensors are assigned to
the dictionaries they came from, at the end. A loop's body is a function inside. Always: no two
carried tensors share memory, so that updates in place are safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from backends.common.text import Source, Writer, unbracketed
from backends.torch_cpu.express import Context, Expressions
from backends.torch_cpu.kernels import KERNELS
from gendsl.ir.graph import Node
from gendsl.ir.grouping import base_of
from gendsl.ir.op import Op
from gendsl.ir.plan import (
    AnyCall,
    Buffer,
    Call,
    LoopCall,
    Plan,
    UpdateCall,
    quantity,
)
from gendsl.ops.leaf import Input
from gendsl.ops.loop import LoopCapture

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
# Work below this runs faster on one thread: waking others costs more than they save.
SEVERAL_THREADS = 100_000_000
PARAMETERS = "p, slot, state, ema, data, hyper, number, draw"


def emit(plan: Plan, *, carries: bool) -> Source:
    """The source of `plan`. `carries`: outputs named by a container ("param:encoder.h.w") are
    assigned there, in place of being returned."""
    context = Context(plan, several=plan.flops >= SEVERAL_THREADS)
    _write(plan, context, carries)  # finds the constants, which come first in the text
    return _write(plan, context, carries).source()


def _write(plan: Plan, context: Context, carries: bool) -> Writer:
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
        used = _used(plan, carries)
        for buffer in plan.inputs:
            if buffer.name in used:
                text = _input(buffer)
                if buffer.node in context.converted:
                    text = f"channels_last({text})"
                writer.line(f"{buffer.name} = {text}", [buffer.node])
        if used.intersection(buffer.name for buffer in plan.inputs):
            writer.line()
        for call in plan.calls:
            _call(writer, context, call, last=call is plan.calls[-1])
        _finish(writer, context, carries)
    return writer


def _used(plan: Plan, carries: bool) -> set[str]:
    """The buffers that something other than an update in place reads."""
    names: set[str] = set()
    for call in plan.calls:
        if isinstance(call, UpdateCall):
            count = () if call.group.count is None else (call.group.count,)
            read = (*call.group.gradients, call.group.lr, *count)
            names.update(plan.buffers[n].name for n in read if n in plan.buffers)
        else:
            names.update(call.reads)
    for name, node in plan.outputs.items():
        if not (carries and plan.settled(name)):
            names.add(plan.buffers[node].name)
    return names


def _input(buffer: Buffer) -> str:
    op = buffer.node.op
    assert isinstance(op, Input)
    return "float(number)" if op.kind == "step" else f'{CONTAINERS[op.kind]}["{op.key}"]'


# ---- calls -------------------------------------------------------------------------------


def _call(writer: Writer, context: Context, call: AnyCall, *, last: bool = False) -> None:
    express = Expressions(context, call.nodes, KERNELS)
    match call:
        case Call(result=result, nodes=nodes):
            parts = _shorten(writer, express, f"{result.name} = ", nodes)
            text = f"{result.name} = {express.result(nodes[-1])}"
            shown = result.shape and result.kind != "host"
            comment = f"  # {_shape(result.node)}" if shown else ""
            fits = len(text + comment) <= writer.room
            writer.statement(text + comment if fits else text, nodes)
            if parts and not last:
                _delete(writer, parts)
        case UpdateCall():
            _update(writer, express, call)
        case LoopCall():
            _loop(writer, context, express, call)
    freed = [name for name in call.frees if name in context.large]
    if freed and not last:
        _delete(writer, freed)


def _delete(writer: Writer, names: Iterable[str]) -> None:
    """One `del`, or several if it is too long."""
    line: list[str] = []
    for name in names:
        if line and len(f"del {', '.join([*line, name])}") > writer.room:
            writer.line(f"del {', '.join(line)}")
            line = []
        line.append(name)
    writer.line(f"del {', '.join(line)}")


def _shorten(writer: Writer, express: Expressions, start: str, nodes: Sequence[Node]) -> list[str]:
    """Give parts of an expression that is too long for a line lines of their own; their names."""
    names: list[str] = []
    while len(text := express.result(nodes[-1])) + len(start) > writer.room:
        part = express.part(nodes, len(text) // 2)
        if part is None:
            break
        name = f"_{part.op.name}_{len(names) + 1}"
        writer.statement(f"{name} = {express.apart(part, name)}", [part])
        names.append(name)
    return names


def _shape(node: Node) -> str:
    return f"[{', '.join(map(str, node.type.shape))}]"


def _update(writer: Writer, express: Expressions, call: UpdateCall) -> None:
    """One optimizer kernel over all parameters of a group."""
    group = call.group
    made = [node for row in group.after for node in row]
    options = {"lr": express.number(group.lr)}
    options |= {k: repr(v) for k, v in group.options.items() if k != "lr"}
    if group.rule != "sgd" and group.count is not None:
        options = {"count": express.number(group.count), **options}
    if any("@" in name for name in group.slots):
        options["slots"] = repr(group.slots)
    with writer.block(f"{group.rule}_(p, slot, {{", made):
        for key, gradient in zip(group.parameters, group.gradients, strict=True):
            path = key.partition(":")[2]
            writer.line(f'"{path}": {unbracketed(express.whole(gradient))},', made)
    writer.line(f"}}, {', '.join(f'{name}={text}' for name, text in options.items())})")


def _loop(writer: Writer, context: Context, express: Expressions, call: LoopCall) -> None:
    """The body as a function of the index, the carried and the captured values, and the loop."""
    node = call.nodes[-1]
    body = call.body
    opened = node.op.body.open()  # type: ignore[attr-defined]
    inner = Context(body, context.several, context.constants)
    first = next(iter(call.results.values())).name
    carried = len(opened.carries)
    leaves = (opened.index, *opened.carries, *opened.captures)
    formals = [
        body.buffers[leaf].name if leaf in body.buffers else f"_{place}"
        for place, leaf in enumerate(leaves)
    ]
    writer.line()
    with writer.block(f"def _iterate_{first}({', '.join(formals)}):"):
        for leaf, formal in zip(leaves, formals, strict=True):
            if leaf in inner.converted:
                writer.line(f"{formal} = channels_last({formal})", [leaf])
        for part in body.calls:
            _call(writer, inner, part)
        inside = Expressions(inner, (), KERNELS)
        results = [
            _own(inside.whole(node), node, LoopCapture)
            for node in (body.outputs[str(k)] for k in range(carried))
        ]
        writer.line(f"return {', '.join(results)}")
    writer.line()
    names = [call.results[k].name if k in call.results else f"{first}_{k}" for k in range(carried)]
    for name, operand in zip(names, node.inputs[:carried], strict=True):
        writer.line(f"{name} = {_own(express.whole(operand), operand, Input)}")
    given = [
        express.number(operand) if operand in context.plan.host else express.whole(operand)
        for operand in node.inputs[carried:]
    ]
    count = context.size(node.op.body.count)  # type: ignore[attr-defined]
    with writer.block(f"for _i in range({count}):", call.nodes):
        writer.line(f"{', '.join(names)} = _iterate_{first}({', '.join(['_i', *names, *given])})")


def _own(text: str, node: Node, leaf: type[Op]) -> str:
    """A copy where a loop's value would show the memory of a leaf, which an update in place may
    change while the value lives on."""
    return f"{text}.clone()" if isinstance(base_of(node).op, leaf) else text


# ---- outputs -----------------------------------------------------------------------------


def _finish(writer: Writer, context: Context, carries: bool) -> None:
    """Assign what is carried over, and return the rest."""
    plan = context.plan
    express = Expressions(context, (), KERNELS)
    overwritten = plan.overwritten
    shared: set[Node] = set()
    returned: list[str] = []
    for name, node in plan.outputs.items():
        kind, _, key = name.partition(":")
        stored = carries and kind in CARRIED and bool(key)
        if stored and plan.settled(name):
            continue
        text = express.whole(node)
        base = base_of(node)
        carried = isinstance(base.op, Input) or base in overwritten
        if (carries and carried) or (stored and base in shared):
            text += ".clone()"
        if stored:
            shared.add(base)
            if node.type.rank == 4:
                # As it is after loading a checkpoint.
                text = f"in_order({unbracketed(text)})"
            writer.line(f'{CONTAINERS[kind]}["{key}"] = {text}', [node])
        else:
            returned.append(f'"{name}": {text}')
    text = f"return {{{', '.join(returned)}}}"
    if len(text) <= writer.room:
        writer.line(text)
        return
    with writer.block("return {"):
        for item in returned:
            writer.line(f"{item},")
    writer.line("}")
