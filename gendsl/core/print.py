"""The checked program as text, for `--emit core`.

Declarations first, then every definition, the program's own and those that it calls, in let-form:
one line for each operation, with its type. A line is named as in the source where the source names
it, else `%1`, `%2`, ...; what is shared is written once. Item positions of broadcasts are shown, as
later stages see them. Equal programs give equal text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gendsl.core import term as t
from gendsl.core.conditions import condition_text
from gendsl.core.program import FreeParam, Program
from gendsl.core.show import plain, range_text, show_axis, show_number, show_type
from gendsl.core.term import FnDef, Invoke, LoopDef, Term
from gendsl.shape.tensor_type import Axis, Spread


def program_text(program: Program) -> str:
    """Everything that the checker knows, ending with a newline."""
    sections = [list(_declarations(program))]
    own = list(program.functions.values())
    sections += [list(_function(d)) for d in [*_called(program), *own]]
    sections += [list(_objective(o)) for o in program.objectives.values()]
    recipe = list(_recipe(program))
    claims = [f"claim {c.name}: {' '.join(c.source.split())}" for c in program.claims]
    return "\n\n".join("\n".join(s) for s in [*sections, recipe, claims] if s) + "\n"


# ---- declarations ------------------------------------------------------------------------


def _declarations(program: Program) -> Iterator[str]:
    interface = program.interface
    for dim in interface.dims.values():
        bound = "" if dim.at_least.constant == 1 else f" >= {dim.at_least}"
        default = "" if dim.default is None else f" = {dim.default}"
        kind = {"batch": "batch", "data": "size"}.get(dim.kind, "dim")
        yield f"{kind} {dim.name}{default}{bound}"
    for hyper in interface.hypers.values():
        yield f"hyper {hyper.name} = {show_number(hyper.default)} in {range_text(hyper.range)}"
    for data in interface.data.values():
        bounds = f" in {range_text(data.range)}" if data.range else ""
        source = f" from {data.source}" if data.source else ""
        yield f"data {data.name}: {show_type(data.type)}{bounds}{source}"
    for condition in interface.conditions:
        yield f"condition {plain(condition.text)}"
    for kind, values in (("const", program.constants), ("state", program.states)):
        for name, value in values.items():
            yield from _definition(f"{kind} {name}: {show_type(program.value_types[name])}", value)
    for param in program.params.values():
        yield from _free_param(param)


def _free_param(param: FreeParam) -> Iterator[str]:
    positive = " > 0" if param.positive else ""
    yield from _definition(f"param {param.name}: {show_type(param.type)}{positive}", param.init)


def _definition(head: str, value: Term) -> Iterator[str]:
    body = _Body({})
    result = body.ref(value)
    if body.lines:
        yield f"{head} ="
        yield from body.lines
        yield f"    {result}"
    else:
        yield f"{head} = {result}"


def _recipe(program: Program) -> Iterator[str]:
    recipe = program.interface.recipe
    if recipe is None:
        return
    yield "train"
    for line in recipe.steps_lines:
        options = ", ".join(f"{k} = {show_number(v)}" for k, v in line.optimizer.options.items())
        sense = "maximize step" if line.maximize else "step"
        times = "" if line.times == 1 else f" times {line.times}"
        optimizer = f"{line.optimizer.name}({options})"
        over = ", ".join(line.groups)
        yield f"    {sense} {line.objective} over {over} with {optimizer}{times}"
    for name, value in program.schedules.items():
        yield from (f"    {row}" for row in _definition(f"schedule {name}", value))
    yield f"    batch {recipe.batch}"
    yield f"    steps {recipe.steps}"
    if recipe.clip is not None:
        yield f"    clip {show_number(recipe.clip)}"
    if recipe.ema is not None:
        yield f"    ema {show_number(recipe.ema)}"
    if recipe.precision is not None:
        yield f"    precision {recipe.precision}"


# ---- definitions -------------------------------------------------------------------------


def _called(program: Program) -> list[FnDef]:
    """Definitions of other modules that the program reaches, callees first."""
    own = {id(d) for d in program.functions.values()}
    found: dict[int, FnDef] = {}
    roots: list[Term] = [o.loss for o in program.objectives.values()]
    roots += [v for o in program.objectives.values() for v in o.scope.values()]
    roots += [out for d in program.functions.values() for out in d.outputs]
    roots += [*program.constants.values(), *program.states.values(), *program.schedules.values()]

    def visit(target: FnDef) -> None:
        if id(target) in found or id(target) in seen:
            return
        seen.add(id(target))
        for inner in _targets(list(target.outputs)):
            visit(inner)
        if id(target) not in own:
            found[id(target)] = target

    seen: set[int] = set()
    for target in _targets(roots):
        visit(target)
    return list(found.values())


def _targets(roots: list[Term]) -> list[FnDef]:
    """The definitions called directly below some terms."""
    found: dict[int, FnDef] = {}
    done: set[int] = set()
    stack: list[Term] = roots[::-1]
    while stack:
        term = stack.pop()
        if id(term) in done:
            continue
        done.add(id(term))
        if isinstance(term, t.CallResult):
            for target in (term.call.target, *term.call.nets.values()):
                if isinstance(target, FnDef):
                    found.setdefault(id(target), target)
        stack.extend(reversed(_children(term)))
    return list(found.values())


def _children(term: Term) -> list[Term]:
    match term:
        case t.CallResult(call=call):
            return list(call.args.values())
        case t.LoopResultTerm(loop=loop):
            return [*loop.initial, *loop.next]
        case t.OwnParam(init=init):
            return [] if init is None else [init]
        case _:
            parts: list[Term] = []
            for value in vars(term).values():
                if isinstance(value, Term):
                    parts.append(value)
                elif isinstance(value, tuple):
                    parts += [v for v in value if isinstance(v, Term)]
            return parts


def _function(definition: FnDef) -> Iterator[str]:
    signature = definition.signature
    yield signature.describe()
    needs = (
        f"a number {plain(e)}" if kind == "number" else condition_text(kind, d, e).strip("`")
        for kind, d, e, _ in definition.conditions
    )
    yield from (f"    requires {need}" for need in dict.fromkeys(needs))
    body = _Body(definition.names)
    for param in definition.params:
        body.own(param)
    names = signature.result_names or ("return",)
    results = [body.ref(output) for output in definition.outputs]
    yield from body.lines
    for name, result in zip(names, results, strict=True):
        if name == "return":
            yield f"    return {result}"
        elif name != result:
            yield f"    {name} = {result}"


def _objective(objective: t.ObjectiveDef) -> Iterator[str]:
    yield f"objective {objective.name}"
    body = _Body(objective.scope)
    terms = {n: body.ref(value) for n, value in objective.terms.items()}
    loss = body.ref(objective.loss)
    shows = {n: body.ref(show.term) for n, show in objective.shows.items()}
    updates = {n: body.ref(value) for n, value in objective.updates.items()}
    yield from body.lines
    for name, value in terms.items():
        yield f"    term {name}" + ("" if value == name else f" = {value}")
    yield f"    {objective.sense} {loss}"
    for name, value in shows.items():
        bounds = objective.shows[name].range
        yield f"    show {name} = {value}" + (f" in {range_text(bounds)}" if bounds else "")
    for name, value in updates.items():
        yield f"    update {name} <- {value}"


# ---- bodies ------------------------------------------------------------------------------


@dataclass
class _Body:
    """The lines of one body. `names` says how the source calls some of its terms."""

    names: Mapping[str, Term]
    lines: list[str] = field(default_factory=list)
    indent: str = "    "
    _refs: dict[int, str] = field(default_factory=dict)
    _calls: dict[int, str] = field(default_factory=dict)
    _named: dict[int, str] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        for name, term in self.names.items():
            self._named.setdefault(id(term), name)

    def own(self, param: t.OwnParam) -> None:
        """A parameter that the body declares."""
        init = "" if param.init is None else f" init {self.ref(param.init)}"
        positive = " > 0" if param.positive else ""
        self.lines.append(
            f"{self.indent}param {param.name}: {show_type(param.type)}{positive}{init}"
        )
        self._refs[id(param)] = param.name

    def ref(self, term: Term) -> str:
        """How to refer to a term; its line is written when it is first needed."""
        known = self._refs.get(id(term))
        if known is not None:
            return known
        leaf = _leaf(term)
        if leaf is None:
            right = self._right(term)
            leaf = self._name(term)
            self.lines.append(f"{self.indent}{leaf}: {show_type(term.type)} = {right}")
        self._refs[id(term)] = leaf
        return leaf

    def _name(self, term: Term) -> str:
        named = self._named.get(id(term))
        if named is not None and named not in self._refs.values():
            return named
        self._count += 1
        return f"%{self._count}"

    def _right(self, term: Term) -> str:
        """The operation of a term over references."""
        match term:
            case t.Apply(op=op, args=args):
                extra = "".join(f", {k} = {v}" for k, v in op.attributes().items())
                return f"{op.name}({', '.join(self.ref(a) for a in args)}{extra})"
            case t.CallResult(call=call, result=result):
                return self._result(self._call(call), result, call)
            case t.LoopResultTerm(loop=loop, result=result):
                return f"{self._loop(loop)}.{plain(loop.carried[result]).split('@')[0]}"
            case t.Draw(name=name, dist=dist, bound=bound, low=low):
                ends = (
                    ""
                    if bound is None or low is None
                    else f"({plain(low)}..{plain(low + bound - 1)})"
                )
                return f"draw {name} ~ {dist}{ends}"
            case t.Reduce(kind=kind, arg=arg, items=items):
                labels = ", ".join(plain(arg.type.items[i].label) for i in items)
                return f"{kind}[{labels}]({self.ref(arg)})"
            case t.AlongAxis(kind=kind, arg=arg, item=item):
                return f"{kind}[{plain(arg.type.items[item].label)}]({self.ref(arg)})"
            case _:
                return self._structural(term)

    def _structural(self, term: Term) -> str:
        """Movement and indexing: the operands, then the numbers that say how."""
        name = type(term).__name__.removesuffix("Term").lower()
        operands: list[str] = []
        settings: list[str] = []
        for key, value in vars(term).items():
            if key in ("type", "span"):
                continue
            if isinstance(value, Term):
                operands.append(self.ref(value))
            elif isinstance(value, tuple) and value and isinstance(value[0], Term):
                operands += [self.ref(v) for v in value]
            else:
                settings.append(f"{key} = {_setting(value)}")
        return f"{name}({', '.join([*operands, *settings])})"

    def _call(self, call: Invoke) -> str:
        """The text of a call; one with several results has a line of its own."""
        if id(call) in self._calls:
            return self._calls[id(call)]
        target = call.target if isinstance(call.target, str) else call.target.name
        sizes = ", ".join(f"{plain(n)} = {plain(d)}" for n, d in call.dims.items())
        args = [f"{n} = {self.ref(a)}" for n, a in call.args.items()]
        args += [f"{n} = {self.ref(f)}" for n, f in call.flags.items()]
        args += [f"{n} = {f if isinstance(f, str) else f.name}" for n, f in call.nets.items()]
        text = f"{target}{f'[{sizes}]' if sizes else ''}({', '.join(args)})"
        if call.instance is not None:
            text += f" with parameters `{call.instance}`"
        if isinstance(call.target, FnDef) and call.target.signature.result_names:
            self._count += 1
            self.lines.append(f"{self.indent}%{self._count} = {text}")
            text = f"%{self._count}"
        self._calls[id(call)] = text
        return text

    def _result(self, call: str, result: int, invoke: Invoke) -> str:
        if isinstance(invoke.target, FnDef) and invoke.target.signature.result_names:
            return f"{call}.{invoke.target.signature.result_names[result]}"
        return call

    def _loop(self, loop: LoopDef) -> str:
        """The block of a loop, once; later results refer to its name."""
        if id(loop) in self._calls:
            return self._calls[id(loop)]
        self._count += 1
        name = f"%{self._count}"
        self._calls[id(loop)] = name
        starts = [self.ref(i) for i in loop.initial]
        indices = ", ".join(
            f"{plain(n)} {s.kind}" for n, s in zip(loop.index_names, loop.sequences, strict=True)
        )
        carried = ", ".join(f"{plain(n)} = {s}" for n, s in zip(loop.carried, starts, strict=True))
        head = (
            f"{self.indent}{name} = loop {plain(loop.count)} times, {indices}, carrying {carried}"
        )
        self.lines.append(head)
        outer, self.indent = self.indent, self.indent + "    "
        nexts = [self.ref(n) for n in loop.next]
        for carry, value in zip(loop.carried, nexts, strict=True):
            self.lines.append(f"{self.indent}next {plain(carry)} = {value}")
        self.indent = outer
        return name


def _leaf(term: Term) -> str | None:
    """Terms that are written where they are used."""
    match term:
        case t.Literal(value=value):
            return show_number(value)
        case t.Flag(name=name, value=value):
            return name or str(value).lower()
        case t.SizeTerm(dim=dim):
            return f"({plain(dim)})" if dim.as_name is None and dim.constant is None else plain(dim)
        case t.Local(name=name) | t.Bound(name=name) | t.OwnParam(name=name):
            return plain(name)
        case t.GlobalTerm(name=name):
            return name
        case t.PiTerm():
            return "pi"
        case _:
            return None


def _setting(value: object) -> str:
    if isinstance(value, Axis | Spread):
        return show_axis(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(_setting(v) for v in value) + ")"
    return plain(value)
