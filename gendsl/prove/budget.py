"""The processor time that a question may take, without what it does not cause.

In: a piece of search with a deadline. Out: the same, with Python's search for memory in cycles put
off until it is over: in a process that holds much, one such search takes longer than the question
is given, and what is proved would depend on what the process did before. Counted references free
nearly all that a question leaves behind.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """No search for cycles inside; nested uses are one."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()
