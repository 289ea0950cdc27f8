"""The time before the first step: less of it, for the same results.

Inside `quick()` memory in cycles is looked for seldom: nearly all that is made before the first
step stays, and looking it through again and again takes longer than the compilation. From `load()`
on a thread of its own loads PyTorch's largest library, for which Python's import of it would hold
all else up for a tenth of a second. `over()` ends both, before the first step or with the command.

Always: the thread runs no Python code and nothing depends on it. It asks for the very files that
`import torch` will ask for, in its order; what it cannot find or load it leaves alone, so that the
import says what is wrong, as it does without it.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from gendsl.threads import spin_briefly

LIBRARIES = ("libtorch_global_deps.so", "libtorch_cpu.so")  # neither refers to Python
# What loads libraries in the meantime would have to wait for the thread, hence goes first. All of
# these are needed until the first step.
FIRST = (
    *("array", "csv", "ctypes", "datetime", "decimal", "fcntl", "hashlib", "json", "numpy"),
    *("random", "socket", "ssl", "subprocess", "zipfile"),
)
FOR_A_GPU = ("libtorch_cuda.so", "libtorch_hip.so", "libtorch_xpu.so")
SELDOM = (1_000_000, 20, 50)  # no more than some 100 MB of memory in cycles can pile up

_thread: threading.Thread | None = None
_thresholds: tuple[int, int, int] | None = None


@contextmanager
def quick() -> Iterator[None]:
    """Start-up inside, until `over()` or the end."""
    global _thresholds
    _thresholds = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        over()
        gc.unfreeze()


def load() -> None:
    """Begin to load PyTorch's libraries, where that can be done in this way."""
    global _thread
    folder = _libraries()
    if folder is None or _thread is not None:
        return
    spin_briefly()
    for name in FIRST:
        with suppress(ImportError):  # who needs it will say so
            import_module(name)
    _thread = threading.Thread(target=_load, args=(folder,), name="gendsl-libraries")
    _thread.start()


def over() -> None:
    """Start-up is over: memory is looked after as before, but for what is there already and stays.
    A no-op when it is over already."""
    global _thresholds
    loaded()
    if _thresholds is not None:
        gc.freeze()
        gc.set_threshold(*_thresholds)
        _thresholds = None


def loaded() -> None:
    """Wait until the thread has done its work, if there is one."""
    global _thread
    if _thread is not None:
        _thread.join()
        _thread = None


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process computes nothing else, and memory is looked after as ever, but for what
    is there already: what libraries hold must not use up the time that is given to a proof."""
    loaded()
    seldom = gc.get_threshold()
    if _thresholds is not None:
        gc.set_threshold(*_thresholds)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*seldom)


def _libraries() -> Path | None:
    """The folder of PyTorch's libraries, if they are to be loaded and can be in this way. A build
    for a GPU is left alone: it picks the versions of further libraries between these two."""
    if not sys.platform.startswith("linux") or "torch" in sys.modules:
        return None
    found = find_spec("torch")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "lib"
    complete = all((folder / name).is_file() for name in LIBRARIES)
    return folder if complete and not any((folder / name).exists() for name in FOR_A_GPU) else None


def _load(folder: Path) -> None:
    """Load the libraries until one cannot be. Called as a C function, `dlopen` leaves Python to the
    other threads, as `ctypes.CDLL(path)` does not."""
    import ctypes

    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name in LIBRARIES:
        # The first as torch does it, so that the others find what it brings.
        mode = os.RTLD_NOW | (os.RTLD_GLOBAL if name == LIBRARIES[0] else os.RTLD_LOCAL)
        if not dlopen(os.fsencode(folder / name), mode):
            return
