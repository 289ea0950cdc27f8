"""Lowering of calls: the callee's body under an environment of the caller's sizes and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gendsl.core.term import Flag, FnDef, Invoke, Term
from gendsl.ir.graph import Node
from gendsl.lower.environment import Env
from gendsl.ops.symbolic import NetCall
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Axis, Spread

if TYPE_CHECKING:
    from gendsl.lower.terms import Lowering


def invoke(lowering: Lowering, call: Invoke, env: Env) -> list[Node]:
    """All results of a call."""
    known = env.calls.get(id(call))
    if known is not None:
        return known[1]
    args = {name: lowering.lower(term, env) for name, term in call.args.items()}
    if isinstance(call.target, str):
        actual = env.nets[call.target]
        assert not isinstance(actual, str), "opaque calls have no body"
        target, home = actual
        results = _net_parameter(lowering, call, target, home, args, env)
    else:
        inner = _environment(call, call.target, args, env)
        results = run(lowering, call.target, inner)
    env.calls[id(call)] = (call, results)
    return results


def run(lowering: Lowering, target: FnDef, env: Env) -> list[Node]:
    """The outputs of a definition under its environment."""
    signature = target.signature
    names = signature.result_names or ("",)
    if signature.name in env.opaque:
        return _opaque(lowering, target, env)
    results = [lowering.lower(output, env) for output in target.outputs]
    if signature.kind == "net":
        for name, node in zip(names, results, strict=True):
            full = f"{signature.name}.{name}" if name else signature.name
            lowering.build.names.setdefault(node, full)
    return results


def _environment(call: Invoke, target: FnDef, args: dict[str, Node], env: Env) -> Env:
    signature = target.signature
    flags = {f.name: bool(f.default) for f in signature.formals if f.flag}
    flags |= {name: _static(term, env) for name, term in call.flags.items()}
    nets = {name: _net(value, env) for name, value in call.nets.items()}
    path, group = env.path, env.group
    if signature.kind == "net":
        path = group = signature.name
    elif signature.kind == "layer":
        path = f"{env.path}.{call.instance}"
    return env.inner(
        dims={name: env.dim(size) for name, size in call.dims.items()},
        spreads={name: env.shape(items) for name, items in call.spreads.items()},
        args=args,
        flags=flags,
        nets=nets,
        path=path,
        group=group,
        draws=f"{env.draws}.{call.occurrence}",
    )


def _static(term: Term, env: Env) -> bool:
    """The value of a flag that a call gives."""
    from gendsl.lower.terms import flag

    assert isinstance(term, Flag)
    return flag(term, env)


def _net(value: FnDef | str, env: Env) -> tuple[FnDef, Env] | str:
    return env.nets.get(value, value) if isinstance(value, str) else (value, env)


def opaque_net(call: Invoke, env: Env) -> str | None:
    """The name of the opaque net that a call goes to, if it does."""
    if not isinstance(call.target, str):
        return None
    actual = env.nets.get(call.target, call.target)
    return actual if isinstance(actual, str) else None


def _net_parameter(
    lowering: Lowering,
    call: Invoke,
    target: FnDef,
    home: Env,
    args: dict[str, Node],
    env: Env,
) -> list[Node]:
    """A call through a net parameter: the actual net's sizes are read off the arguments' shapes."""
    formals = [f for f in target.signature.formals if not f.flag and f.net is None]
    by_place = list(args.values())
    dims: dict[str, Dim] = {}
    spreads: dict[str, tuple[Dim, ...]] = {}
    for formal, node in zip(formals, by_place, strict=False):
        shape = list(node.type.shape)
        items = formal.type.items
        at = next((i for i, item in enumerate(items) if isinstance(item, Spread)), len(items))
        after = len(items) - at - 1 if at < len(items) else 0
        for item, size in zip(items[:at], shape[:at], strict=False):
            _solve(item, size, dims)
        if at < len(items):
            spread = items[at]
            assert isinstance(spread, Spread)
            spreads[spread.name] = tuple(shape[at : len(shape) - after])
            for item, size in zip(items[at + 1 :], shape[len(shape) - after :], strict=True):
                _solve(item, size, dims)
    own = [f for f in target.signature.formals if f.flag]
    given = zip(own, call.flags.values(), strict=False)  # further ones of the net have defaults
    inner = home.inner(
        dims=dims,
        spreads=spreads,
        args={f.name: n for f, n in zip(formals, by_place, strict=False)},
        flags={f.name: bool(f.default) for f in own} | {f.name: _static(t, env) for f, t in given},
        path=target.signature.name,
        group=target.signature.name,
        draws=f"{env.draws}.{call.occurrence}",
        loop_indices=env.loop_indices,
        batch=env.batch,
        opaque=env.opaque,
    )
    return run(lowering, target, inner)


def _solve(item: object, size: Dim, dims: dict[str, Dim]) -> None:
    if isinstance(item, Axis):
        name = item.size.as_name
        if name is not None and "@" in name:
            dims.setdefault(name, size)


def _opaque(lowering: Lowering, target: FnDef, env: Env) -> list[Node]:
    """The net as an opaque function of its arguments, mapped over its leading axes."""
    signature = target.signature
    spread = signature.spreads[0] if signature.spreads and not signature.coupled else None
    mapped = len(env.spreads.get(spread, ())) if spread else 0
    inputs = [env.args[f.name] for f in signature.formals if f.name in env.args]
    names = signature.result_names or ("",)
    results = []
    for name, type_ in zip(names, signature.results, strict=True):
        node_type = env.node_type(type_)
        op = NetCall(signature.name, name, node_type.shape, mapped, node_type.elem)
        results.append(lowering.build.apply(op, *inputs))
    return results
