"""The torch source of steps: proved as emitted, and not proved with a bug."""

from __future__ import annotations

import re
from collections.abc import Callable
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


@pytest.mark.parametrize("program", ["autoencoder", "vae"])
def test_source_is_proved(emitted: Emitted, program: str) -> None:
    found = verdict(*emitted(program, "torch_cpu"))
    assert found.status == PROVED, found.text()
    assert len(found.kernels[0].findings) > 30


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
