"""What to do about a name that nothing declares: import it, or write what gendsl has for it.

In: the name and the body that uses it. Out: the help of E0201 and E0203, None where nothing is
known. Names of other libraries (`randn`, `nn.Linear`) are met whole or by their last part.
"""

from __future__ import annotations

from collections.abc import Iterable

from gendsl.core.context import Context
from gendsl.core.scope import FnEntity, Module
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.syntax import ast

# Libraries whose functions are written `library.name`.
LIBRARIES = frozenset(("torch", "nn", "F", "functional", "np", "numpy", "jnp", "jax", "math", "tf"))

_NORMAL = "draw it: `eps: [B, Z] ~ normal(mean = 0, var = 1)`"
_UNIFORM = "draw it: `u: [B] ~ uniform(0, 1)`"
_MOVE = "name the axes: `rearrange x: [A, B] -> [B, A]`"
_RESHAPE = "name the axes: `rearrange x: [B, C, H, W] -> [B, (C H W)]`"
_ADD_AXIS = "name the axes: `expand x: [B, C] -> [B, 1, C]`"
_PRODUCT = "name the summed axis: `contract[I](x, w)`"
_CONSTANT = "numbers fit every shape: write `0` or `1`"
_LAYER = "import the layer and say its width: `import nn: {0}`, then `{0}{1}(x)`"

# What other libraries call it, in lower case, and what to write here.
FOREIGN = {
    **dict.fromkeys(("randn", "randn_like", "standard_normal"), _NORMAL),
    **dict.fromkeys(("rand", "rand_like"), _UNIFORM),
    "randint": "draw it: `t: [B] of fin[T] ~ uniform(0..T - 1)`",
    **dict.fromkeys(("transpose", "permute", "swapaxes"), _MOVE),
    **dict.fromkeys(("view", "reshape", "flatten"), _RESHAPE),
    **dict.fromkeys(("unsqueeze", "expand_dims"), _ADD_AXIS),
    **dict.fromkeys(("matmul", "bmm", "mm", "einsum", "dot"), _PRODUCT),
    **dict.fromkeys(("zeros", "ones", "full", "zeros_like", "ones_like"), _CONSTANT),
    **dict.fromkeys(("cat", "stack"), "join along an axis by its label: `concat[f](a, b)`"),
    **dict.fromkeys(("detach", "stop_gradient"), "write `stop_grad(x)`"),
    **dict.fromkeys(("mse_loss", "mseloss"), "write `mse(a, b)`"),
    **dict.fromkeys(
        ("binary_cross_entropy_with_logits", "bcewithlogitsloss"),
        "import it: `import losses: bernoulli_nll`, then `bernoulli_nll(logits, x)`",
    ),
    "linear": _LAYER.format("dense", "[hidden]"),
    "conv2d": _LAYER.format("conv", "[32, k = 3]"),
    "convtranspose2d": _LAYER.format("conv_up", "[32]"),
    "embedding": _LAYER.format("embedding", "[E]"),
    "layernorm": _LAYER.format("layer_norm", ""),
    "groupnorm": _LAYER.format("group_norm", "[8]"),
    "multiheadattention": _LAYER.format("self_attention", "[4]"),
}


def advice(name: str, known: Iterable[str], ctx: Context) -> str | None:
    """How to get `name`, or what else was meant; `known` are the names that would do here."""
    candidates = list(known)
    path, _, last = name.rpartition(".")
    if not path:
        return import_of(name, ctx) or FOREIGN.get(name.lower()) or did_you_mean(name, candidates)
    if last in ("T", "mT"):
        return _MOVE
    if last.lower() in FOREIGN:
        return FOREIGN[last.lower()]
    if last in candidates:
        if path.partition(".")[0] in LIBRARIES:
            return f"it is built in: write `{last}`"
        return f"a value has no members: write `{last}({path})`"
    return import_of(last, ctx) or did_you_mean(name, (n for n in candidates if "." in n))


def import_of(name: str, ctx: Context) -> str | None:
    """``add `import nn: dense` `` where a module of the standard library has `name`."""
    module = ctx.body.module
    for owner, names in ctx.program.exports(module).items():
        if name in names and owner != module.name:
            listed = [*_imported_from(module, owner), name]
            whole = f"`import {owner}: {', '.join(listed)}`"
            if len(listed) > 1:
                return f"`{owner}` has it, and the import does not name it: write {whole}"
            return f"`{owner}` has it: add {whole}"
    return None


def _imported_from(module: Module, owner: str) -> list[str]:
    """The names that a program imports from `owner` already."""
    return [
        name.name
        for decl in module.tree.declarations
        if isinstance(decl, ast.Import) and decl.module.name == owner
        for name in decl.names
    ]


def functions(module: Module) -> list[str]:
    """The functions that a module has in scope."""
    return [name for name, entity in module.entities.items() if isinstance(entity, FnEntity)]
