"""Names: what a module declares, what a body has in scope.

One namespace per module, no shadowing. A `Module` maps names to entities; a `Body` is the mutable
scope of one body being checked: let-bound terms, local sizes, spreads, flags, net parameters, and
what the body collects on its way (size conditions, own parameters, names already used for layers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gendsl.core.program import DataField, DimInfo, HyperInfo
from gendsl.core.term import FnDef, OwnParam, Signature, Term
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import TensorType
from gendsl.source.text import SourceFile, Span
from gendsl.syntax import ast


@dataclass
class ValueEntity:
    """A declared tensor: kind "data", "hyper", "const", "state" or "param" (free)."""

    kind: str
    name: str
    type: TensorType
    span: Span
    value: Term | None = None
    positive: bool = False
    hyper: HyperInfo | None = None
    data: DataField | None = None


@dataclass
class FnEntity:
    """A function-like declaration; signature and body are checked on first use."""

    decl: ast.FnDecl
    module: Module
    signature: Signature | None = None
    definition: FnDef | None = None
    busy: bool = False
    broken: bool = False
    net_dims: dict[str, tuple[Dim, Span]] = field(default_factory=dict)


@dataclass
class ObjectiveEntity:
    decl: ast.ObjectiveDecl


Entity = DimInfo | ValueEntity | FnEntity | ObjectiveEntity


@dataclass
class Module:
    """A file's names. `imported` says which names came from elsewhere; `broken` are names whose
    declaration or import failed: it was reported, so their uses are not. An `incomplete` module has
    syntax errors."""

    name: str
    source: SourceFile
    tree: ast.Module
    entities: dict[str, Entity] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    incomplete: bool = False

    def dims(self) -> Iterator[DimInfo]:
        return (e for e in self.entities.values() if isinstance(e, DimInfo))


Condition = tuple[str, Dim, Dim, Span]


@dataclass
class Body:
    """The scope of one body. `owner` prefixes draws and qualifies local sizes; `binding` is the
    name being bound, after which a layer call names its parameters."""

    module: Module
    owner: str
    kind: str
    values: dict[str, Term] = field(default_factory=dict)
    value_spans: dict[str, Span] = field(default_factory=dict)
    sizes: dict[str, Dim] = field(default_factory=dict)
    spreads: set[str] = field(default_factory=set)
    nets: dict[str, Signature] = field(default_factory=dict)
    instances: dict[str, ast.Bracket | ast.Name] = field(default_factory=dict)
    conditions: list[Condition] = field(default_factory=list)
    params: list[OwnParam] = field(default_factory=list)
    used_instances: dict[str, Span] = field(default_factory=dict)
    occurrences: dict[str, int] = field(default_factory=dict)
    draws: set[str] = field(default_factory=set)
    binding: str = "out"
    open_sizes: bool = False  # signatures and data types may introduce sizes by naming them
    claim: bool = False

    @property
    def may_draw(self) -> bool:
        return self.kind in ("objective", "sampler", "kernel", "net", "layer")

    @property
    def may_own_parameters(self) -> bool:
        return self.kind in ("net", "layer")

    def local_dim(self, name: str) -> Dim:
        """Introduce a local size under its internal name."""
        dim = Dim.name(f"{name}@{self.owner}")
        self.sizes[name] = dim
        return dim
