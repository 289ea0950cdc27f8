"""Lowering of terms: interprets core terms as graph nodes under an environment.

Positions in terms count items; here they become positions of axes, once the spreads are known. A
term is lowered once per environment. Parameters met on the way are registered with their initial
values; a net that is called twice has its parameters once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gendsl.core import term as t
from gendsl.core.context import make_op
from gendsl.core.show import plain
from gendsl.diagnostics.model import Diagnostic, GendslError, Label
from gendsl.ir.build import broadcast_to, const, mean_of, reshape, sum_of, transpose
from gendsl.ir.graph import Builder, Node, ParamInfo
from gendsl.ir.op import Op
from gendsl.lower.calls import invoke, opaque_net
from gendsl.lower.environment import Env
from gendsl.ops import compare, contract, conv, leaf, movement, select, unary
from gendsl.ops.loop import LoopCarry, LoopIndex, loop
from gendsl.ops.symbolic import NetCall, Pi
from gendsl.shape.dim import ONE, ZERO, Dim
from gendsl.shape.tensor_type import Fin, TensorType
from gendsl.source.text import Span


@dataclass
class Lowering:
    """The builder and what lowering finds: parameters, their initial values."""

    build: Builder
    params: dict[str, ParamInfo] = field(default_factory=dict)
    inits: dict[str, Node] = field(default_factory=dict)
    globals: dict[tuple[str, str], tuple[TensorType, t.Term | None]] = field(default_factory=dict)
    positive: set[str] = field(default_factory=set)
    constants: dict[str, Node] = field(default_factory=dict)
    root: Env = field(default_factory=Env)

    def lower(self, term: t.Term, env: Env) -> Node:
        """The node of a term."""
        known = env.memo.get(id(term))
        if known is not None:
            return known[1]
        node = self._lower(term, env)
        env.memo[id(term)] = (term, node)
        if node not in self.build.spans and term.span.end:
            self.build.spans[node] = term.span
        return node

    def apply(self, op: Op, *inputs: Node) -> Node:
        return self.build.apply(op, *inputs)

    # -- by kind ----------------------------------------------------------------------------

    def _lower(self, term: t.Term, env: Env) -> Node:
        match term:
            case t.Literal(value=value):
                return broadcast_to(
                    self.build, const(self.build, value), env.shape(term.type.items)
                )
            case t.Flag():
                return self.apply(leaf.Truth(flag(term, env)))
            case t.SizeTerm(dim=dim):
                return self._size(term, env.dim(dim), env)
            case t.Local(name=name) | t.Bound(name=name):
                return self._argument(term, name, env)
            case t.GlobalTerm():
                return self._global(term, env)
            case t.OwnParam():
                return self._own_param(term, env)
            case t.Draw():
                return self._draw(term, env)
            case t.CallResult(call=call, result=result):
                opaque = opaque_net(call, env)
                if opaque is not None:
                    inputs = [self.lower(a, env) for a in call.args.values()]
                    type_ = env.node_type(term.type)
                    op = NetCall(opaque, str(result), type_.shape, 0, type_.elem)
                    return self.apply(op, *inputs)
                return invoke(self, call, env)[result]
            case t.Choose(flag=choice, then=then, otherwise=otherwise):
                assert isinstance(choice, t.Flag)
                return self.lower(then if flag(choice, env) else otherwise, env)
            case t.LoopResultTerm(loop=definition, result=result):
                return self._loop(definition, env)[result]
            case t.GradTerm(output=output, wrt=wrt):
                return self._gradient(output, wrt, env)
            case t.PiTerm():
                return self.apply(Pi())
            case _:
                return self._structural(term, env)

    def _structural(self, term: t.Term, env: Env) -> Node:
        build = self.build
        match term:
            case t.Apply(op=op, args=args):
                return self.apply(op, *(self.lower(a, env) for a in args))
            case t.WidenTerm(arg=arg):
                assert isinstance(term.type.elem, Fin)
                return self.apply(
                    compare.Widen(env.dim(term.type.elem.bound)), self.lower(arg, env)
                )
            case t.IotaTerm():
                return self.apply(leaf.Iota(env.shape(term.type.items)[0]))
            case t.Spreadout(arg=arg, positions=positions):
                at = env.axes(term.type.items)
                places = tuple(p for i in positions for p in at[i])
                return broadcast_to(build, self.lower(arg, env), env.shape(term.type.items), places)
            case t.Reduce():
                return self._reduce(term, env)
            case t.AlongAxis(kind=kind, arg=arg, item=item):
                axis = env.axes(arg.type.items)[item].start
                return self.apply(make_op(kind, axis=axis), self.lower(arg, env))
            case t.ContractTerm():
                return self._contract(term, env)
            case t.RearrangeTerm():
                return self._rearrange(term, env)
            case t.SliceTerm(arg=arg, item=item, start=start, length=length, step=step):
                axis = env.axes(arg.type.items)[item].start
                part = movement.Slice(axis, env.dim(start), env.dim(length), step)
                return self.apply(part, self.lower(arg, env))
            case t.PadTerm(arg=arg, item=item, before=before, after=after):
                axis = env.axes(arg.type.items)[item].start
                return self.apply(
                    movement.Pad(axis, env.dim(before), env.dim(after)), self.lower(arg, env)
                )
            case t.ConcatTerm(args=args, item=item):
                axis = env.axes(term.type.items)[item].start
                return self.apply(movement.Concat(axis), *(self.lower(a, env) for a in args))
            case t.GatherTerm(table=table, index=index, batch=batch):
                lead = env.axes(table.type.items)[batch].start
                return self.apply(
                    select.Gather(lead), self.lower(table, env), self.lower(index, env)
                )
            case t.ScatterTerm(index=index, values=values, batch=batch, size=size):
                lead = env.axes(index.type.items)[batch].start if batch else 0
                scatter = select.ScatterAdd(lead, env.dim(size))
                return self.apply(scatter, self.lower(index, env), self.lower(values, env))
            case t.OneHotTerm(arg=arg, bound=bound):
                return self.apply(select.OneHot(env.dim(bound)), self.lower(arg, env))
            case t.ConvTerm():
                return self._conv(term, env)
            case _:
                raise AssertionError(f"no lowering for {type(term).__name__}")

    # -- leaves -----------------------------------------------------------------------------

    def _size(self, term: t.Term, dim: Dim, env: Env) -> Node:
        if isinstance(term.type.elem, Fin):
            return self.apply(leaf.Index(dim, env.dim(term.type.elem.bound)))
        return const(self.build, dim)

    def _argument(self, term: t.Term, name: str, env: Env) -> Node:
        if name in env.args:
            return env.args[name]
        if isinstance(term, t.Bound):
            type_ = env.node_type(term.type)
            return self.apply(leaf.Input("argument", name, type_.shape, type_.elem))
        raise AssertionError(f"unbound argument {name}")

    def _global(self, term: t.GlobalTerm, env: Env) -> Node:
        if term.kind == "const":
            return self.constants[term.name]
        type_ = self.root.node_type(term.type)
        node = self.apply(leaf.Input(term.kind, term.name, type_.shape, type_.elem))
        if term.kind == "param" and term.name in self.positive:
            return self.apply(unary.Exp(), node)
        return node

    def _own_param(self, term: t.OwnParam, env: Env) -> Node:
        path = f"{env.path}.{term.name}"
        type_ = env.node_type(term.type)
        self.register(path, env.group, type_.shape, term.positive, term.init, env, term.span)
        node = self.apply(leaf.Input("param", path, type_.shape))
        return self.apply(unary.Exp(), node) if term.positive else node

    def register(
        self,
        path: str,
        group: str,
        shape: tuple[Dim, ...],
        positive: bool,
        init: t.Term | None,
        env: Env,
        span: Span,
    ) -> None:
        """Enter a parameter and the node of its initial stored value."""
        info = ParamInfo(path, group, shape, positive)
        if path in self.params:
            if self.params[path] != info:
                shapes = [", ".join(plain(d) for d in s) for s in (self.params[path].shape, shape)]
                label = Label(span, f"`{path}` would be [{shapes[0]}] and [{shapes[1]}]")
                help = "all calls share the net's parameters; use two nets, or equal sizes"
                raise GendslError(
                    Diagnostic("E0411", f"net `{group}` is called at two sizes", label, help=help)
                )
            return
        bad = [n for size in shape for n in size.names if n in env.batch]
        if bad:
            label = Label(span, f"its shape would mention `{bad[0]}`, which counts examples")
            raise GendslError(
                Diagnostic("E0503", f"parameter `{path}` depends on a batch size", label)
            )
        self.params[path] = info
        value = const(self.build, 0)
        if init is not None:
            value = self.lower(init, env.inner(draws=f"{path}|init"))
        value = broadcast_to(self.build, value, shape)
        self.inits[path] = self.apply(unary.Log(), value) if positive else value

    def _draw(self, term: t.Draw, env: Env) -> Node:
        shape = env.shape(term.type.items)
        path = (
            env.draws.removesuffix("|init")
            if env.draws.endswith("|init")
            else f"{env.draws}.{term.name}"
        )
        bound = None if term.bound is None else env.dim(term.bound)
        low = ZERO if term.low is None else env.dim(term.low)
        op = leaf.Draw(path, term.dist, shape, env.example_axis(shape), bound, low)
        node = self.apply(op, *env.loop_indices)
        if isinstance(term.type.elem, Fin) and bound is not None:
            want = env.dim(term.type.elem.bound)
            if want != bound + low:
                return self.apply(compare.Widen(want), node)
        return node

    # -- structure --------------------------------------------------------------------------

    def _reduce(self, term: t.Reduce, env: Env) -> Node:
        at = env.axes(term.arg.type.items)
        axes = tuple(p for i in term.items for p in at[i])
        arg = self.lower(term.arg, env)
        if not axes:
            return arg
        if term.kind == "mean":
            return mean_of(self.build, arg, axes)
        return self.apply(make_op(term.kind, axes=axes), arg)

    def _contract(self, term: t.ContractTerm, env: Env) -> Node:
        ids: dict[int, range] = {}
        count = 0
        for side, labels in ((term.left, term.left_ids), (term.right, term.right_ids)):
            for item, label in zip(side.type.items, labels, strict=True):
                if label not in ids:
                    width = len(env.item_sizes(item))
                    ids[label] = range(count, count + width)
                    count += width

        def spread(labels: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(i for label in labels for i in ids[label])

        op = contract.Contract(spread(term.left_ids), spread(term.right_ids), spread(term.out_ids))
        return self.apply(op, self.lower(term.left, env), self.lower(term.right, env))

    def _rearrange(self, term: t.RearrangeTerm, env: Env) -> Node:
        opened = reshape(self.build, self.lower(term.arg, env), env.shape(term.opened))
        at = env.axes(term.opened)
        moved = transpose(self.build, opened, tuple(p for i in term.order for p in at[i]))
        return reshape(self.build, moved, env.shape(term.type.items))

    def _conv(self, term: t.ConvTerm, env: Env) -> Node:
        """Leading axes are folded to one for the op."""
        x, weight = self.lower(term.x, env), self.lower(term.weight, env)
        stride, *pads = (self._whole(env.dim(d), term) for d in (term.stride, *term.pads))
        lead = x.type.shape[:-3]
        folded = reshape(self.build, x, (Dim.product(lead), *x.type.shape[-3:]))
        result = env.shape(term.type.items)
        four = (pads[0], pads[1], pads[2], pads[3])
        op: Op
        if term.kind == "conv2d":
            op = conv.Conv2d(stride, four)
        else:
            op = conv.ConvTranspose2d(stride, four, result[-2], result[-1])
        return reshape(self.build, self.apply(op, folded, weight), result)

    def _whole(self, dim: Dim, term: t.Term) -> int:
        value = dim.constant
        if value is None:
            label = Label(term.span, f"`{dim}` is symbolic here")
            raise GendslError(
                Diagnostic(
                    "E0415",
                    "strides, kernel sizes and paddings are numbers",
                    label,
                    help="call the layer with a number: `conv[32, k: 3, s: 2](x)`",
                )
            )
        return value

    def _gradient(self, output: t.Term, wrt: t.Term, env: Env) -> Node:
        from gendsl.passes.differentiate import gradients

        y, x = self.lower(output, env), self.lower(wrt, env)
        total = y if not y.type.shape else sum_of(self.build, y)
        return gradients(self.build, total, [x])[0]

    def _loop(self, definition: t.LoopDef, env: Env) -> list[Node]:
        """A bounded loop over carried values; its draws are keyed by the iteration."""
        known = env.calls.get(id(definition))
        if known is not None:
            return known[1]
        name = f"{env.draws}.{definition.name}"
        count = env.dim(definition.count)
        number = self.apply(LoopIndex(name, count))
        initial = [self.lower(i, env) for i in definition.initial]
        args = dict(env.args)
        for index_name, sequence in zip(definition.index_names, definition.sequences, strict=True):
            args[index_name] = self._sequence(sequence, number, count, env)
        for place, (carried, start) in enumerate(zip(definition.carried, initial, strict=True)):
            carry = LoopCarry(name, place, start.type.shape, start.type.elem)
            args[carried] = self.apply(carry)
        inside = env.inner(args=args, loop_indices=(*env.loop_indices, number))
        results = [self.lower(n, inside) for n in definition.next]
        made = loop(self.build, name, count, initial, results)
        env.calls[id(definition)] = (definition, made)
        return made

    def _sequence(self, sequence: t.LoopSequence, number: Node, count: Dim, env: Env) -> Node:
        if sequence.kind == "ascending":
            return number
        bound = env.dim(sequence.elem.bound)
        total = bound - 1
        if sequence.kind == "descending_next":
            number = self.apply(select.IndexAffine(ONE, ONE, ONE, count + 1), number)
        # floor((count - k) * total / count), exactly: descending from total to 0.
        return self.apply(select.IndexAffine(total, -total, count, bound), number)


def flag(term: t.Flag, env: Env) -> bool:
    return term.value if term.name is None else env.flags[term.name]
