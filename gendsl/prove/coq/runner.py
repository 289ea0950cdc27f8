"""Running Coq on exported theorems: one file for many, then one by one where that fails.

In: theorems. Out: for each, accepted or the reason. A theorem is accepted when `coqc` compiles it
and `Print Assumptions` lists nothing but the standard axioms of the real numbers. Files are made in
a temporary folder; `coqc` is found on the path.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gendsl import resources
from gendsl.diagnostics.model import fail
from gendsl.prove.coq.header import Theorem

LIBRARY = "GendslLib"
HEAD = f"""\
Require Import Reals Lra Lia Psatz List ZArith.
Require Import {LIBRARY}.
Import ListNotations.
Open Scope R_scope.

"""
CHUNK = 12  # claims in one file
SECONDS = 20  # of the processor, for the theorems of one claim
MANY_SECONDS = 45  # for those of a file with several
# The axioms of Coq's classical real numbers and of functions.
AXIOMS = frozenset(
    {
        "ClassicalDedekindReals.sig_not_dec",
        "ClassicalDedekindReals.sig_forall_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "Classical_Prop.classic",
    }
)
MISSING = "no coqc was found"
HOW_TO_GET = (
    "install it: `apt-get install coq` (Debian, Ubuntu), `brew install coq` (macOS), or opam; any "
    "version from 8.16 on"
)


@dataclass(frozen=True)
class Judgement:
    """Of a group of theorems: `reason` is empty when all are accepted; with the others of their
    file they rest on `axioms`."""

    name: str
    reason: str = ""
    axioms: frozenset[str] = frozenset()
    late: bool = False  # Coq did not come to an end

    @property
    def accepted(self) -> bool:
        return not self.reason


def find() -> str | None:
    """The path of `coqc`."""
    return shutil.which("coqc")


def version(coqc: str) -> str:
    found = subprocess.run([coqc, "--print-version"], capture_output=True, text=True, check=False)
    return (found.stdout.split() or ["?"])[0]


def library_source() -> Path:
    return resources.data("stdlib") / "coq" / f"{LIBRARY}.v"


def script(groups: Sequence[Sequence[Theorem]]) -> str:
    """A file that Coq can be run on beside the library. The axioms below all claims are listed at
    once: the list takes Coq longer than most proofs."""
    parts = [t.text for group in groups for t in group]
    names = ", ".join(group[-1].name for group in groups)
    end = f"Definition all_claims := ({names}).\nPrint Assumptions all_claims.\n"
    return HEAD + "\n".join([*parts, end])


def judge(coqc: str, groups: Sequence[Sequence[Theorem]]) -> list[Judgement]:
    """Every group of theorems (those of one claim: the last may use the others), in order."""
    with tempfile.TemporaryDirectory(prefix="gendsl-coq-") as place:
        folder = Path(place)
        shutil.copy(library_source(), folder)
        made = _compile(coqc, folder, f"{LIBRARY}.v")
        if made.returncode != 0:
            raise fail("E0672", f"{LIBRARY}.v does not compile: {_message(made.stderr)}")
        chunks = [groups[k : k + CHUNK] for k in range(0, len(groups), CHUNK)]
        with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
            rows = pool.map(
                lambda k: _chunk(coqc, folder, f"Chunk{k}", chunks[k]), range(len(chunks))
            )
            return [j for row in rows for j in row]


def _chunk(
    coqc: str, folder: Path, name: str, groups: Sequence[Sequence[Theorem]]
) -> list[Judgement]:
    """All at once; if that fails, each group on its own."""
    path = folder / f"{name}.v"
    path.write_text(script(groups), encoding="utf-8")
    done = _compile(coqc, folder, path.name, SECONDS if len(groups) == 1 else MANY_SECONDS)
    axioms = assumptions(done.stdout) if done.returncode == 0 else None
    if axioms is not None and axioms <= AXIOMS:
        return [Judgement(group[-1].name, "", axioms) for group in groups]
    if len(groups) == 1:
        reason = _message(done.stderr) or "no list of its axioms"
        if done.returncode == LATE:
            return [Judgement(groups[0][-1].name, done.stderr, late=True)]
        if axioms is not None:
            reason = f"it rests on {', '.join(sorted(axioms - AXIOMS))}"
        return [Judgement(groups[0][-1].name, reason)]
    singles = [_chunk(coqc, folder, f"{name}_{k}", [x]) for k, x in enumerate(groups)]
    return [j for row in singles for j in row]


def assumptions(output: str) -> frozenset[str] | None:
    """The axioms that `Print Assumptions` printed, None if it printed no list."""
    found: set[str] | None = None
    for line in output.splitlines():
        if line.startswith(("Axioms:", "Closed under the global context")):
            found = found or set()
        elif found is not None and (name := re.match(r"([\w.]+)(?= |$)(?: *:|$)", line)):
            found.add(name[1])
    return None if found is None else frozenset(found)


LATE = -1


def _compile(
    coqc: str, folder: Path, name: str, seconds: int = MANY_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run coqc with so much time of the processor, which does not depend on the load."""
    command = ["sh", "-c", f'ulimit -t {seconds}; exec "$0" -q "$1"', coqc, name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode < 0 or done.returncode > 128:
        late = f"Coq needs more than {seconds} s of the processor"
        return subprocess.CompletedProcess(command, LATE, "", late)
    return done


def _message(stderr: str) -> str:
    """The error without the warnings before it."""
    where = re.findall(r"line (\d+)", stderr)
    text = " ".join(stderr.rpartition("Error:")[2].split())[:300]
    return f"line {where[-1]}: {text}" if where and text else text


__all__ = ["AXIOMS", "HOW_TO_GET", "MISSING", "Judgement", "find", "judge", "script", "version"]
