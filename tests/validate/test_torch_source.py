"""The torch source of steps: proved as emitted, and not proved with a bug."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gendsl.validate.claims import torch_source
from gendsl.validate.verdict import PROVED, Validation

Emitted = Callable[[str, str], tuple[str, Any]]

BUGS = {
    "sign": (r"0\.5 \* encoder_logvar", "-0.5 * encoder_logvar"),
    "wrong noise": (r'eps", "normal"', 'eps", "uniform"'),
    "wrong axis": (r"torch\.sum\((\w+), 0\)", r"torch.sum(\1, 1)"),
    "dropped transpose": (r"\.t\(\)", ""),
    "wrong rate": (r"lr=0\.001", "lr=0.002"),
    "wrong gradient": (r'"encoder\.mu\.b": \w+', '"encoder.mu.b": grad_encoder_logvar_b'),
    "wrong output": (r'"neg_elbo\.kl": kl', '"neg_elbo.kl": recon'),
    "missing output": (r', "neg_elbo\.kl": kl', ""),
    "unknown call": (r"torch\.exp\(", "torch.sinh("),
}


def verdict(text: str, plan: Any) -> Validation:
    return torch_source(text, plan, carries=True)


JUDGE = """
import sys
from gendsl.validate.claims import torch_source
from tests.validate.conftest import emitted_of
found = torch_source(*emitted_of(sys.argv[1], "torch_cpu"), carries=True)
print(found.text(), found.status, len(found.kernels[0].findings), sep=chr(10))
"""


@pytest.mark.parametrize("program", ["autoencoder", "vae"])
def test_source_is_proved(program: str) -> None:
    """In a process of its own, as `check --kernels` has: which of two equal forms a term takes may
    depend on the terms that were made before, and then a true equation may go unproved."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", JUDGE, program]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    *text, status, findings = done.stdout.splitlines() or ["", "", "0"]
    assert status == PROVED, "\n".join([*text, done.stderr])
    assert int(findings) > 30


@pytest.mark.parametrize("bug", BUGS)
def test_bug_is_caught(emitted: Emitted, bug: str) -> None:
    text, plan = emitted("vae", "torch_cpu")
    pattern, replacement = BUGS[bug]
    made, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1
    found = verdict(made, plan)
    assert found.status != PROVED
    assert all(f.reason for k in found.kernels for f in k.findings if f.status != PROVED)


def test_reading_memory_after_its_update_is_not_proved(emitted: Emitted) -> None:
    """A view of a parameter that is read after the optimizer overwrote it."""
    text, plan = emitted("vae", "torch_cpu")
    made = text.replace("    return {", "    neg_elbo = torch.sum(encoder_mu_w.t())\n    return {")
    assert verdict(made, plan).status != PROVED


CALLS = {
    "steeper leaky relu": ("lsgan", r"leaky_relu\((\w+), 0\.2\)", r"leaky_relu(\1, 0.3)"),
    "other side of 0": ("lsgan", r"leaky_slope_at_0\(", "leaky_slope("),
    "cotangent for value": (
        "lsgan",
        r"sigmoid_slope_\((\w+), (.*)\)  #",
        r"sigmoid_slope_(\2, \1)",
    ),
    "softmax of columns": ("mae", r"softmax_slope\((\w+), (\w+), 3\)", r"softmax_slope(\1, \2, 2)"),
    "norm of the cotangent": ("mae", r"norm_slope\((\w+), (\w+),", r"norm_slope(\2, \1,"),
    "rows of another order": ("mae", r"gather\((\w+), slice_1, 1\)", r"gather(\1, slice_1, 0)"),
}


@pytest.mark.parametrize("bug", CALLS)
def test_bug_in_a_closed_form_is_caught(emitted: Emitted, bug: str) -> None:
    program, pattern, replacement = CALLS[bug]
    text, plan = emitted(program, "torch_cpu")
    made, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1
    assert verdict(text, plan).status == PROVED
    assert verdict(made, plan).status != PROVED
