"""What gendsl needs, what of it is here, and the command that brings the rest.

Out: findings, each with a state; nothing is changed and nothing is downloaded. Works with the core
dependencies alone: torch is asked about in a separate process, since importing it takes seconds and
may itself fail.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from gendsl import __version__, resources

State = Literal["good", "missing", "wrong", "optional"]


@dataclass(frozen=True)
class Finding:
    """`area` groups findings; "missing" and "wrong" make `gendsl doctor` exit with 1, "optional"
    is absent and not needed for a first run. `fix` is a command or an instruction."""

    area: str
    name: str
    state: State
    text: str
    fix: str | None = None


def examine() -> Iterator[Finding]:
    """Everything, in the order to show it."""
    yield _python()
    yield _own_files()
    yield from _packages()
    torch = probe_torch() if _version("torch") else None
    yield from _devices(torch)
    if _version("numpy"):
        yield from _data()
    else:
        yield Finding("data", "data", "optional", "cannot be looked at without numpy", _install())
    yield _coq()


# ---- Python and packages ----------------------------------------------------------------------

LEAST_PYTHON = (3, 11)
_PIP = "python -m pip install"
_CHECKOUT = Path(resources.__file__).resolve().parent.parent / "Makefile"


def _install(extra: str = "", options: str = "") -> str:
    """The command that brings gendsl with an extra: in a checkout, the Makefile's."""
    if _CHECKOUT.is_file():
        return "make clean setup" if options else "make setup"
    return f"{_PIP} {options}{' ' * bool(options)}'gendsl{f'[{extra}]' if extra else ''}'"


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < LEAST_PYTHON:
        fix = "install Python 3.11 or newer, then `make setup PYTHON=python3.11`"
        return Finding("python", "python", "wrong", f"{version} is too old", fix)
    place = "in a virtual environment" if sys.prefix != sys.base_prefix else "not in a venv"
    return Finding("python", "python", "good", f"{version}, {place}: {sys.prefix}")


def _own_files() -> Finding:
    try:
        counts = [
            f"{len(resources.names(folder))} in {folder}" for folder in ("stdlib", "programs")
        ]
        resources.data("grammar")
    except resources.MissingData as problem:
        return Finding(
            "python", "gendsl", "wrong", str(problem), _install(options="--force-reinstall")
        )
    return Finding("python", "gendsl", "good", f"{__version__}, programs: {', '.join(counts)}")


@dataclass(frozen=True)
class Requirement:
    """A package with its extra ("" for the core) and its lowest and excluded versions."""

    name: str
    extra: str
    least: tuple[int, ...]
    below: tuple[int, ...] | None = None

    @property
    def wanted(self) -> str:
        least = ".".join(map(str, self.least))
        return f">= {least}" + (f", < {'.'.join(map(str, self.below))}" if self.below else "")


REQUIREMENTS = (
    Requirement("lark", "", (1, 2), (2,)),
    Requirement("numpy", "", (1, 26)),
    Requirement("mpmath", "", (1, 3), (2,)),
    Requirement("sympy", "", (1, 13), (2,)),
    Requirement("torch", "train", (2, 6)),
    Requirement("pillow", "train", (10,)),
    Requirement("safetensors", "train", (0, 4, 5)),
    Requirement("rich", "train", (13,)),
    Requirement("triton", "cuda", (3, 6)),
)
_WHY = {"": "needed", "train": "needed to train", "cuda": "needed for `--cuda`"}


def _packages() -> Iterator[Finding]:
    for requirement in REQUIREMENTS:
        found = _version(requirement.name)
        area = "packages" if not requirement.extra else f"packages for `{requirement.extra}`"
        fix = _install(requirement.extra)
        if found is None:
            state: State = "optional" if requirement.extra == "cuda" else "missing"
            text = f"not installed, {_WHY[requirement.extra]} ({requirement.wanted})"
            yield Finding(area, requirement.name, state, text, fix)
        elif not _fits(found, requirement):
            text = f"{found}, but {requirement.wanted} is wanted"
            yield Finding(
                area, requirement.name, "wrong", text, _install(requirement.extra, "--upgrade")
            )
        else:
            yield Finding(area, requirement.name, "good", found)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _fits(version: str, requirement: Requirement) -> bool:
    numbers = tuple(int(n) for n in re.findall(r"\d+", version.split("+")[0])[:3])
    above = numbers >= requirement.least
    return above and (requirement.below is None or numbers < requirement.below)


# ---- torch and the GPU ------------------------------------------------------------------------

_PROBE = """
import json, torch
gpu = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda, "threads": torch.get_num_threads(),
    "gpu": torch.cuda.get_device_name(0) if gpu else None,
    "capability": torch.cuda.get_device_capability(0) if gpu else None,
}))
"""


@dataclass(frozen=True)
class TorchFacts:
    """What torch says about itself; `problem` when it cannot be imported."""

    cuda: str | None = None
    threads: int = 0
    gpu: str | None = None
    problem: str | None = None


def probe_torch() -> TorchFacts:
    """Ask torch in a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        return TorchFacts(problem="importing torch took more than two minutes")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return TorchFacts(problem=lines[-1] if lines else f"exit code {done.returncode}")
    facts = json.loads(done.stdout.strip().splitlines()[-1])
    return TorchFacts(facts["cuda"], facts["threads"], facts["gpu"])


def _devices(torch: TorchFacts | None) -> Iterator[Finding]:
    area = "devices"
    if torch is None:
        return
    if torch.problem:
        fix = f"{_PIP} --force-reinstall torch"
        yield Finding(area, "torch", "wrong", f"cannot be imported: {torch.problem}", fix)
        return
    yield Finding(
        area, "cpu", "good", f"{os.cpu_count()} cores, torch uses {torch.threads} threads"
    )
    yield _gpu(torch)


def _gpu(torch: TorchFacts) -> Finding:
    """What stands between the user and `--cuda`, if anything."""
    card = shutil.which("nvidia-smi") is not None
    if torch.gpu:
        text = f"{torch.gpu}, CUDA {torch.cuda}"
        return Finding("devices", "gpu", "good", text)
    if torch.cuda is None:
        text = "this build of torch is for the CPU only"
        if card:
            return Finding("devices", "gpu", "optional", text, "make setup TORCH=cuda")
        return Finding("devices", "gpu", "optional", f"{text}, and no NVIDIA driver was found")
    fix = "check `nvidia-smi`" if card else "install the NVIDIA driver to use `--cuda`"
    return Finding("devices", "gpu", "optional", f"torch has CUDA {torch.cuda}, sees no GPU", fix)


# ---- data and the proof assistant -------------------------------------------------------------


def _data() -> Iterator[Finding]:
    from gendsl.data.sets import FETCHED
    from gendsl.data.store import BUNDLED, cache_folder, find

    area = "data"
    for bundled in BUNDLED:
        if bundled.path.is_file():
            yield Finding(area, bundled.name, "good", "bundled")
        else:
            fix = _install(options="--force-reinstall")
            yield Finding(area, bundled.name, "wrong", "its file is missing", fix)
    for known in FETCHED:
        folder = find(known)
        if folder is None:
            fix = f"gendsl data get {known.name}"
            yield Finding(area, known.name, "optional", "not on this machine", fix)
        else:
            yield Finding(area, known.name, "good", str(folder))
    yield _cache(cache_folder("").parent)


def _cache(folder: Path) -> Finding:
    """Whether the cache can be written, judged by its nearest existing parent."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if os.access(there, os.W_OK):
        return Finding("data", "cache", "good", str(folder))
    fix = "set XDG_CACHE_HOME to a folder that can be written"
    return Finding("data", "cache", "wrong", f"{there} cannot be written", fix)


def _coq() -> Finding:
    program = shutil.which("coqc")
    if program is None:
        text = "coqc not found; only a third judge of proofs needs it"
        return Finding("proof assistant", "coqc", "optional", text, "apt-get install coq")
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    return Finding("proof assistant", "coqc", "good", lines[0] if lines else program)
