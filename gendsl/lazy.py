"""numpy, loaded at first use: `gendsl check` of a program without claims never needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _Lazy:
        """Stands for a module until an attribute is asked for."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            import importlib

            module = importlib.import_module(self._name)
            self.__dict__.update(module.__dict__)
            return getattr(module, attribute)

    np = _Lazy("numpy")

__all__ = ["np"]
