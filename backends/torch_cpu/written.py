"""A plan as it is run: its source, and what calling it needs; kept on the disk between runs.

In: a way to make it, and a text that says what it is made from. Out: a `Written`, from the cache if
it was made before. Always: the key of an entry is a hash of that text, of the sizes and of the
compiler's own files, so that an entry never outlives what it was made from; entries are written
whole or not at all; one that does not hold what its hash says is made again, and that is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gendsl.ir
import gendsl.ops
from backends.torch_cpu.emit import emit
from backends.torch_cpu.use import Block, Unit, Use
from gendsl.cache import read_entry, write_entry
from gendsl.ir.graph import Builder, Node, postorder
from gendsl.ir.plan import Plan
from gendsl.ir.text import nodes_text
from gendsl.ops.leaf import Input
from gendsl.shape.tensor_type import Bool, Elem, Fin

KEPT = 1000  # entries; those not used for longest go first


@dataclass(frozen=True)
class Given:
    """A value that is given to the function: "param:PATH" and so on, its elements ("real", "index"
    or "bool") and its shape."""

    key: str
    elem: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Written:
    """`notes` say what a line of the text computes, for errors. `use` is None for a function,
    which is called as it stands; a step is bound to its carried tensors and an arena first."""

    name: str
    text: str
    flops: int
    given: tuple[Given, ...]
    notes: Mapping[int, str]
    use: Use | None


def write_out(plan: Plan, builder: Builder | None, *, carries: bool) -> Written:
    """The source of a plan; `carries`: of a step."""
    source, use = emit(plan, carries=carries), None
    if carries:
        from backends.torch_cpu.bound import bound_source  # asks torch what calls return

        made = bound_source(plan, source)
        source, use = made.source, made.use
    given = tuple(
        Given(f"{b.node.op.kind}:{b.node.op.key}", elements(b.elem), b.shape)
        for b in plan.inputs
        if isinstance(b.node.op, Input)
    )
    notes = {line: _note(nodes, builder) for line, nodes in source.nodes.items()}
    return Written(plan.name, source.text, plan.flops, given, notes, use)


def elements(elem: Elem) -> str:
    match elem:
        case Fin():
            return "index"
        case Bool():
            return "bool"
        case _:
            return "real"


def _note(nodes: Iterable[Node], builder: Builder | None) -> str:
    names = builder.names if builder else {}
    spans = builder.spans if builder else {}
    texts = [f"`{names[n]}`" for n in nodes if n in names] or [n.op.name for n in nodes]
    places = sorted({spans[n].path for n in nodes if n in spans})
    return f"while computing {', '.join(texts)}" + (f" of {places[0]}" if places else "")


# ---- the cache -------------------------------------------------------------------------------


def identity(
    outputs: Mapping[str, Node], sizes: Mapping[str, int], builder: Builder | None, *more: object
) -> str:
    """A text that is equal for what compiles to the same `Written`."""
    names, spans = (builder.names, builder.spans) if builder else ({}, {})
    nodes = postorder(outputs.values())
    labels = [(names.get(n, ""), spans[n].path if n in spans else "") for n in nodes]
    numbers = sorted(sizes.items())
    return "\n".join([nodes_text(outputs), repr(numbers), repr(labels), repr(more)])


@cache
def fingerprint() -> str:
    """A hash of what decides what is written: the compiler's files, and which torch it is."""
    here = Path(__file__).parent
    folders = [here, here.parent / "common"]
    folders += [Path(package.__file__ or "").parent for package in (gendsl.ir, gendsl.ops)]
    digest = hashlib.sha256(version("torch").encode())
    for folder in folders:
        for file in sorted(folder.glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def kept(folder: Path | None, text: Callable[[], str], make: Callable[[], Written]) -> Written:
    """What `make` gives, from `folder` if it was made before from the same text."""
    if folder is None:
        return make()
    key = hashlib.sha256(f"{fingerprint()}\n{text()}".encode()).hexdigest()
    path = folder / f"{key}.json"
    body = read_entry(path, "compiled plan")
    if body is not None:
        return _written(json.loads(body))
    found = make()
    write_entry(path, json.dumps(asdict(found)).encode(), "compiled plan", KEPT)
    return found


def _written(held: Mapping[str, Any]) -> Written:
    given = tuple(Given(g["key"], g["elem"], tuple(g["shape"])) for g in held["given"])
    notes = {int(line): note for line, note in held["notes"].items()}
    use = held["use"]
    if use is not None:
        library = {name: (count, size) for name, (count, size) in use["library"].items()}
        use = Use(use["arena"], use["live"], library, tuple(map(_block, use["blocks"])))
    return Written(held["name"], held["text"], held["flops"], given, notes, use)


def _block(held: Mapping[str, Any]) -> Block:
    units = tuple(Unit(tuple(unit["paths"]), unit["axis"]) for unit in held["units"])
    return Block(units, tuple(held["slots"]))
