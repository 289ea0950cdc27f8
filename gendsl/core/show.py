"""How sizes, types and signatures are written for people: internal suffixes of local sizes go."""

from __future__ import annotations

import re

from gendsl.core.term import Signature
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import TensorType

_SUFFIX = re.compile(r"@[\w.]+")


def plain(text: object) -> str:
    """The text without the `@owner` suffixes of local size names."""
    return _SUFFIX.sub("", str(text))


def show_dim(dim: Dim) -> str:
    return plain(dim)


def show_type(type_: TensorType) -> str:
    return plain(type_)


def show_signature(signature: Signature) -> str:
    """`layer dense[O](x: [..b, I]) -> [..b, O]`"""
    brackets = [plain(n) if d is None else f"{plain(n)} = {d}" for n, d in signature.sizes]
    if signature.bracket_spread:
        brackets.append(f"..{signature.bracket_spread}")
    formals = ", ".join(
        f"{f.name}: net" if f.net else f"{f.name}: {show_type(f.type)}" for f in signature.formals
    )
    if signature.result_names:
        named = zip(signature.result_names, signature.results, strict=True)
        result = "(" + ", ".join(f"{n}: {show_type(t)}" for n, t in named) + ")"
    else:
        result = show_type(signature.results[0]) if signature.results else "()"
    size_text = f"[{', '.join(brackets)}]" if brackets else ""
    return f"{signature.kind} {signature.name}{size_text}({formals}) -> {result}"
