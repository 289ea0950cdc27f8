"""The functions that the language itself provides; everything else is `.gml` in the stdlib.

A builtin takes the context and the call as written and returns a core term. `BUILTINS` maps every
name to its function; `SUMMARY` has one line for each, for the reference and the editor.
"""

from __future__ import annotations

from gendsl.core.builtins import axes, movement, pointwise, select
from gendsl.core.context import Builtin

BUILTINS: dict[str, Builtin] = {
    **pointwise.TABLE,
    **axes.TABLE,
    **movement.TABLE,
    **select.TABLE,
}
