"""Writes the source of a step in two stages: what is bound once, and what each step runs.

In: the plan of a step and its plain source. Out: `BoundSource`: the text

    def step(p, slot, state, ema, at):        # once; `at` gives places in the arena
        ...
        def run(data, hyper, number, draw):   # each step
            ...
        return run

with the bytes of the arena and what torch allocates besides. Always: carried tensors keep their
storage, so that names and views of them are bound for good; what a step returns is not overwritten
before the next one runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backends.common.text import WIDTH, Source, Writer
from backends.torch_cpu.blocks import RULES, blocks
from backends.torch_cpu.lower import Lowering
from backends.torch_cpu.lowered import Bound, Lowered, Memory, by_rows, nameless
from backends.torch_cpu.observe import observed
from backends.torch_cpu.place import Placed, apart, placed
from backends.torch_cpu.use import Use
from gendsl.ir.graph import Node
from gendsl.ir.plan import Plan, quantity

STEP = "p, slot, state, ema, at"
RUN = "data, hyper, number, draw"


@dataclass(frozen=True)
class BoundSource:
    source: Source
    use: Use


def bound_source(plan: Plan, plain: Source) -> BoundSource:
    """The two-stage form of the plain source of a step."""
    constants, body, seen = observed(plain.text, plan)
    together, joined = blocks(body, seen)
    lowered = Lowering(seen, constants, together, joined).run(body)
    while bad := apart(lowered):
        together = [block for block in together if block not in bad]
        paths = {path for block in together for path in block.paths}
        joined = {e: unit for e, unit in joined.items() if paths.issuperset(unit.paths)}
        lowered = Lowering(seen, constants, together, joined).run(body)
    places = placed(lowered)
    _give_names(lowered)
    library = {name: (len(sizes), sum(sizes)) for name, sizes in sorted(lowered.library.items())}
    use = Use(places.bytes, places.live, library, tuple(together))
    return BoundSource(_Text(plan, plain, lowered, places, use).written(constants), use)


def _give_names(lowered: Lowered) -> None:
    """Names for what the plain source gives none."""
    taken = lowered.taken | {b.name.id for b in lowered.bound}
    for bound in lowered.bound:
        if not nameless(bound.name):
            continue
        match bound.value:
            case Memory(cell=None):
                wish = "_inner"
            case Memory(cell=text):
                container, path, _ = str(text).replace('"', "'").split("'")
                path = path if container == "p[" else f"{container[:-1]}_{path}"
                wish = "".join(c if c.isalnum() else "_" for c in path)
            case view:
                names = [n.id for n in ast.walk(view) if isinstance(n, ast.Name)]
                wish = f"{names[-1].lstrip('_')}_{_suffix(view)}"
        count, name = 1, wish if wish != "_inner" else "_inner_1"
        while name in taken:
            count += 1
            name = f"{wish}_{count}"
        taken.add(name)
        bound.name.id = name


def _suffix(view: ast.expr) -> str:
    match view:
        case ast.Call(func=ast.Attribute(attr="t")):
            return "t"
        case ast.Call(func=ast.Attribute(attr="permute")):
            return "turned"
        case ast.Call(func=ast.Attribute(attr="expand")):
            return "wide"
        case ast.Call(func=ast.Attribute(attr="view")):
            return "flat"
        case _:
            return "part"


class _Text:
    def __init__(
        self, plan: Plan, plain: Source, lowered: Lowered, places: Placed, use: Use
    ) -> None:
        self.plan, self.plain = plan, plain
        self.lowered, self.places, self.use = lowered, places, use
        self.writer = Writer()
        self.shapes = {b.name: b.shape for b in plan.buffers.values() if b.shape}

    def written(self, constants: Sequence[ast.stmt]) -> Source:
        writer = self.writer
        for line in self._heading():
            writer.line(line)
        writer.line()
        for constant in constants:
            self._put(ast.unparse(constant), ())
        if constants:
            writer.line()
        writer.line()
        with writer.block(f"def {self.plan.name}({STEP}):"):
            self._bindings()
            with writer.block(f"def run({RUN}):"):
                for statement in self.lowered.body:
                    if id(statement) not in self.places.dropped:
                        self._put(_text(statement.syntax), self.plain.at(statement.line))
            writer.line()
            writer.line("return run")
        return writer.source()

    def _heading(self) -> Iterator[str]:
        plan, use = self.plan, self.use
        sizes = ", ".join(f"{name} = {value}" for name, value in plan.sizes.items())
        yield f'"""{plan.name}' + (f" at {sizes}" if sizes else "")
        yield ""
        yield (
            f"Written by gendsl for torch on CPU: {len(plan.calls)} calls, "
            f"{quantity(plan.flops, 'flop')}."
        )
        yield (
            f"Temporaries: an arena of {quantity(use.arena, 'B')}, of which at most "
            f"{quantity(use.live, 'B')} are needed at once."
        )
        found = [f"{name} {n} ({quantity(b, 'B')})" for name, (n, b) in use.library.items()]
        yield from _filled("Allocated by torch in each step: ", found or ["nothing"], ".")
        yield '"""'

    def _bindings(self) -> None:
        """Carried tensors, then temporaries, then what shows them, each where it is first read;
        then optimizers."""
        order = sorted(self.lowered.bound, key=_rank)
        done: set[str] = set()
        for bound in order:
            if bound.name.id not in done:
                done.add(bound.name.id)
                self._put(self._binding(bound), self.plain.at(bound.line))
        if order:
            self.writer.line()

    def _binding(self, bound: Bound) -> str:
        name, value = bound.name.id, bound.value
        if not isinstance(value, Memory):
            return f"{name} = {_text(value)}"
        if value.cell is not None:
            return f"{name} = {_quoted(value.cell)}"
        room = self.places.rooms[value]
        if room.cell is not None:
            return f"{name} = {room.cell.name.id}"
        return f"{name} = {self._place(value, self.places.offsets[room])}"

    def _place(self, memory: Memory, offset: int) -> str:
        seen = memory.seen
        parts = [str(offset), str(seen.shape)]
        if seen.strides != by_rows(seen.shape):
            parts.append(f"strides={seen.strides}")
        if seen.elem != "float32":
            parts.append(f"dtype=torch.{seen.elem}")
        return f"at({', '.join(parts)})"

    def _put(self, text: str, nodes: Iterable[Node]) -> None:
        """A statement on as many lines as it takes."""
        made = tuple(nodes)
        for part in _quoted(text).splitlines():
            for line in wrapped(part, self.writer.room):
                self.writer.line(line, made)


def wrapped(text: str, room: int) -> list[str]:
    """A statement on lines of so many characters, broken at the commas of its largest brackets."""
    if len(text) <= room:
        return [text]
    start, end = _largest_group(text)
    if end <= start + 1:
        return [text]
    lines = [text[: start + 1]]
    apart = text[start] == "{"
    line = ""
    for item in _items(text[start + 1 : end]):
        both = f"{line} {item}," if line else f"{item},"
        if line and (apart or len(both) > room - 4):
            lines.append(f"    {line}")
            both = f"{item},"
        line = both
        if len(line) > room - 4:
            lines += [f"    {part}" for part in wrapped(line, room - 4)]
            line = ""
    if line:
        lines.append(f"    {line}")
    return [*lines, *wrapped(text[end:], room)]


def _largest_group(text: str) -> tuple[int, int]:
    """Where the longest pair of outermost brackets opens and closes."""
    best, depth, start = (0, 0), 0, 0
    for place, char in enumerate(text):
        if char in "([{":
            start = place if depth == 0 else start
            depth += 1
        elif char in ")]}" and depth:
            depth -= 1
            if depth == 0 and place - start > best[1] - best[0]:
                best = (start, place)
    return best


def _items(text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [x for x in (*parts, text[start:].strip()) if x]


def _filled(head: str, items: Sequence[str], end: str) -> Iterator[str]:
    """Items after a heading, on lines of their own where one is too short."""
    line = head
    for place, item in enumerate(items):
        piece = item + (end if place == len(items) - 1 else ", ")
        if len(line + piece) > WIDTH:
            yield line.rstrip()
            line = "    "
        line += piece
    yield line.rstrip()


def _rank(bound: Bound) -> int:
    match bound.value:
        case Memory(cell=cell):
            return 0 if cell is not None else 1
        case ast.Call(func=ast.Name(rule)) if f"{rule}_" in RULES:
            return 3
        case _:
            return 2


def _quoted(text: str) -> str:
    """As this project writes strings; none of ours holds a quote."""
    return text.replace("'", '"')


def _text(syntax: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(syntax))
