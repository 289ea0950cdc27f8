"""Loading modules: the program's file, and what it imports from beside it or from the stdlib.

The prelude is in scope everywhere. A module is parsed once; cycles are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass

from gendsl.core.program import DimInfo
from gendsl.core.scope import Entity, FnEntity, Module, ObjectiveEntity, ValueEntity
from gendsl.diagnostics.model import Label, Sink
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.source.text import SourceFile, Span
from gendsl.syntax import ast
from gendsl.syntax.parse import parse

PRELUDE = "prelude"

Value = ast.DimDecl | ast.HyperDecl | ast.ConstDecl | ast.DataDecl | ast.ParamDecl | ast.StateDecl
Declared = Value | ast.FnDecl

# Finds the source of a module by name: (name, importing path) -> source.
Finder = Callable[[str, str], SourceFile | None]


@dataclass
class Loader:
    """Parsed modules by name, and the order in which they were first needed."""

    sink: Sink
    find: Finder
    available: Callable[[], list[str]]
    declare: Callable[[Module], None]
    modules: dict[str, Module] = field(default_factory=dict)
    _busy: list[str] = field(default_factory=list)

    def main(self, source: SourceFile, name: str) -> Module:
        """The program's own module; `name` is "" for a program, or a stdlib module's name."""
        module = self._parse(name, source)
        if module.incomplete:
            return module
        if name:
            self.modules[name] = module
        self._busy.append(name)
        self._imports(module)
        self.declare(module)
        return module

    def exports(self, importer: Module) -> dict[str, frozenset[str]]:
        """What can be imported from each available module; read only to explain a mistake."""
        found: dict[str, frozenset[str]] = {}
        for name in self.available():
            module = self.modules.get(name)
            if module is None:
                source = self.find(name, importer.source.path)
                if source is None or name in self._busy:
                    continue
                module = Module(name, source, parse(source, Sink()))
            declared = (d for d in module.tree.declarations if isinstance(d, ast.FnDecl))
            found[name] = frozenset(d.name.name for d in declared)
        return found

    def values(self, module: Module) -> Iterator[tuple[Value, Module]]:
        """The declarations of the sizes and values that a module imports, each with its module."""
        for decl in module.tree.declarations:
            source = self.modules.get(decl.module.name) if isinstance(decl, ast.Import) else None
            if source is None or not isinstance(decl, ast.Import):
                continue
            wanted = {n.name for n in decl.names}
            for found in source.tree.declarations:
                if isinstance(found, Value) and found.name.name in wanted:
                    yield found, source

    def _parse(self, name: str, source: SourceFile) -> Module:
        """The module of a file; it is `incomplete` after syntax errors."""
        own = Sink()
        tree = parse(source, own)
        for problem in own.sorted():
            self.sink.report(problem)
        return Module(name, source, tree, incomplete=own.has_errors)

    def _load(self, name: ast.Ident | None, key: str, importer: Module) -> Module | None:
        if key in self.modules:
            return self.modules[key]
        if key in self._busy:
            if name is not None:
                chain = " -> ".join([*self._busy[self._busy.index(key) :], key])
                self.sink.error("E0207", f"`{key}` imports itself", name.span, chain)
            return None
        source = self.find(key, importer.source.path)
        if source is None:
            if name is not None:
                self.sink.error(
                    "E0208",
                    f"there is no module `{key}`",
                    name.span,
                    "neither beside this file nor in the stdlib",
                    help=did_you_mean(key, self.available()),
                )
            return None
        module = self._parse(key, source)
        self._busy.append(key)
        self._imports(module)
        self._busy.pop()
        self.modules[key] = module
        self.declare(module)
        return module

    def _imports(self, module: Module) -> None:
        if PRELUDE not in self._busy:
            prelude = self._load(None, PRELUDE, module)
            if prelude is not None:
                for name, entity in prelude.entities.items():
                    if name not in prelude.imported:
                        module.entities[name] = entity
                        module.imported.add(name)
        for decl in module.tree.declarations:
            if isinstance(decl, ast.Import):
                self._import(decl, module)

    def _import(self, decl: ast.Import, module: Module) -> None:
        source = self._load(decl.module, decl.module.name, module)
        if source is None:  # one error, not one per use of its names
            module.broken |= {n.name for n in decl.names}
            return
        for name in decl.names:
            entity = source.entities.get(name.name)
            if entity is None or name.name in source.imported:
                module.broken.add(name.name)
                if name.name in source.broken or source.incomplete:
                    continue
                known = [n for n in source.entities if n not in source.imported]
                self.sink.error(
                    "E0209",
                    f"`{decl.module.name}` has no `{name.name}`",
                    name.span,
                    "not there",
                    help=did_you_mean(name.name, known) or _listing(decl.module.name, known),
                )
                continue
            kind = _own_kind(entity)
            if kind is not None:
                module.broken.add(name.name)
                self.sink.error(
                    "E0206",
                    f"`{name.name}` is {kind}",
                    name.span,
                    "belongs to its own program",
                    help="import the functions, sizes and values that it is made of",
                )
                continue
            if name.name in module.entities and module.entities[name.name] is not entity:
                at = module.spans.get(name.name)
                self.sink.error(
                    "E0205",
                    f"`{name.name}` is already declared",
                    name.span,
                    "imported again",
                    labels=(Label(at, "declared here"),) if at else (),
                )
                continue
            module.entities[name.name] = entity
            module.imported.add(name.name)
            module.spans[name.name] = name.span


def _own_kind(entity: Entity) -> str | None:
    """What only the program that declares it has: its objectives and samplers."""
    if isinstance(entity, ObjectiveEntity):
        return "an objective"
    sampler = isinstance(entity, FnEntity) and entity.decl.kind == "sampler"
    return "a sampler" if sampler else None


def needed(decl: Declared, own: Module, main: Module, sink: Sink) -> None:
    """Report sizes and values that a declaration of the module `own` uses and the program does not
    import: they are the program's, with one value each (`--set`, the recipe), so it lists them."""
    missing: dict[str, list[str]] = {}
    for name in dict.fromkeys(_names(decl)) if own is not main else ():
        entity = own.entities.get(name)
        hidden = isinstance(entity, ValueEntity) and entity.kind == "data"
        if isinstance(entity, DimInfo | ValueEntity) and not hidden:
            origin = _origin(own, name)
            if main.entities.get(name) is not entity and f"{origin}.{name}" not in main.broken:
                missing.setdefault(origin, []).append(name)
    for origin, names in missing.items():
        main.broken |= {f"{origin}.{name}" for name in names}  # one report for all that need them
        _not_imported(decl.name.name, origin, names, main, sink)


def _origin(module: Module, name: str) -> str:
    """The module that declares a name which `module` has in scope."""
    for decl in module.tree.declarations:
        if isinstance(decl, ast.Import) and any(n.name == name for n in decl.names):
            return decl.module.name
    return module.name


def _not_imported(user: str, origin: str, names: list[str], main: Module, sink: Sink) -> None:
    imports = [d for d in main.tree.declarations if isinstance(d, ast.Import)]
    place = next((d for d in imports if d.module.name == origin), imports[0])
    taken = [name for name in names if name in main.spans]
    sink.error(
        "E0211",
        f"`{user}` uses {_quoted(names)} of `{origin}`",
        place.span,
        "not imported here",
        labels=tuple(Label(main.spans[name], f"another `{name}`") for name in taken),
        help=f"rename {_quoted(taken)} here, and add `import {origin}: {', '.join(names)}`"
        if taken
        else f"add `import {origin}: {', '.join(names)}`",
    )


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _names(node: object) -> Iterator[str]:
    """Every name that is read somewhere in a piece of syntax."""
    if isinstance(node, ast.Name):
        yield node.name
    elif isinstance(node, tuple):
        for part in node:
            yield from _names(part)
    elif is_dataclass(node) and not isinstance(node, Span):
        for each in fields(node):
            yield from _names(getattr(node, each.name))


def _listing(module: str, names: list[str]) -> str | None:
    return f"`{module}` has {', '.join(f'`{n}`' for n in sorted(names))}" if names else None
