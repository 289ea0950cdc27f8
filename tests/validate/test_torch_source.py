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
    "sign": (r"encoder_logvar, 0\.5,", "encoder_logvar, -0.5,"),
    "wrong noise": (r'eps", "normal"', 'eps", "uniform"'),
    "wrong axis": (r"torch\.sum\((\w+), 0, out", r"torch.sum(\1, 1, out"),
    "dropped transpose": (r"\.t\(\)", ""),
    "wrong rate": (r"lr=0\.001", "lr=0.002"),
    "wrong gradient": (r'"encoder\.mu\.b": \w+', '"encoder.mu.b": grad_encoder_logvar_b'),
    "wrong output": (r'"neg_elbo\.kl": kl', '"neg_elbo.kl": recon'),
    "missing output": (r', "neg_elbo\.kl": kl', ""),
    "unknown call": (r"torch\.exp\(", "torch.sinh("),
}


def verdict(text: str, plan: Any) -> Validation:
    return torch_source(text, plan, carries=True)


def altered(text: str, pattern: str, replacement: str) -> str:
    made, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1, f"the source has no {pattern}"
    return made


@pytest.mark.parametrize("program", ["autoencoder", "vae"])
def test_source_is_proved(emitted: Emitted, program: str) -> None:
    found = verdict(*emitted(program, "torch_cpu"))
    assert found.status == PROVED, found.text()
    assert len(found.kernels[0].findings) > 30


@pytest.mark.parametrize("bug", BUGS)
def test_bug_is_caught(emitted: Emitted, bug: str) -> None:
    text, plan = emitted("vae", "torch_cpu")
    found = verdict(altered(text, *BUGS[bug]), plan)
    assert found.status != PROVED
    assert all(f.reason for k in found.kernels for f in k.findings if f.status != PROVED)


def test_reading_memory_after_its_update_is_not_proved(emitted: Emitted) -> None:
    """A view of a parameter that is read after the optimizer overwrote it."""
    text, plan = emitted("vae", "torch_cpu")
    end = "        return {"
    made = text.replace(end, f"        torch.sum(encoder_mu_w, None, out=neg_elbo)\n{end}")
    assert made != text
    assert verdict(made, plan).status != PROVED


# What goes wrong when memory is shared, written early or read late.
MEMORY = {
    "two lives in one place": (r"sub_1 = at\(\d+,", "sub_1 = at(MUL,"),
    "a view of memory used again": (r"torch\.mm\(add_2_t, where_1", "torch.mm(relu_2_t, where_1"),
    "the result in another's place": (r"out=mul_3\)", "out=sub_1)"),
    "two results in each other's place": (
        r"(?s)out=grad_decoder_h_b\)(.*?)out=grad_decoder_h_w\)",
        r"out=grad_decoder_h_w)\1out=grad_decoder_h_b)",
    ),
    "a product in the place of its operand": (r"out=contract_1\)", "out=where_1)"),
    "an operand overwritten while it waits": (r"contract_1, eps, out=\w+", "eps, eps, out=expm1_1"),
    "a result that nobody keeps": (r"add_\(_sub_1\)", "add(_sub_1)"),
    "a copy bound for good": (r"encoder_mu_logvar_w\.t\(\)", "encoder_mu_logvar_w.t().clone()"),
    "a value bound for good": (r"add_2\.t\(\)", "torch.exp(add_2).t()"),
    "a parameter overwritten": (r"out=mul_3\)", "out=decoder_out_w)"),
    "no memory at all": (r"\n +mul_3 = at\(.*\)", ""),
    "memory with gaps": (r"mul_3 = at\((\d+), (\(.*?\))\)", r"mul_3 = at(\1, \2, strides=(65, 1))"),
    "a place bound twice": (r"( +mul_3 = at\(.*\))", r"\1\n\1"),
    "parameters beside each other in another order": (
        r"beside\(\(encoder_mu_w, encoder_logvar_w\)",
        "beside((encoder_logvar_w, encoder_mu_w)",
    ),
    "parameters one above the other": (r"encoder_logvar_b\), 0\)", "encoder_logvar_b), 1)"),
    "a parameter and a copy": (
        r"beside\(\(encoder_mu_w, encoder_logvar_w\)",
        "beside((encoder_mu_w, encoder_logvar_w.clone())",
    ),
    "parameters read after their update": (
        r"(?s)( +update\(count=count\)\n)(.*?)( +return)",
        r"\1\2        torch.sum(encoder_mu_logvar_w, None, out=neg_elbo)\n\3",
    ),
    "an update too early": (
        r"(?s)( +torch.neg\(dense\(relu_2_t, mul_3.*?)( +update\(count=count\)\n)",
        r"\2\1",
    ),
    "an update that never comes": (r" +update\(count=count\)\n", ""),
    "an update that comes twice": (r"( +update\(count=count\)\n)", r"\1\1"),
    "an option given twice": (r"update\(count=count\)", "update(count=count, lr=0.001)"),
    "a wrong count": (r"update\(count=count\)", "update(count=t)"),
}


@pytest.mark.parametrize("bug", MEMORY)
def test_bug_of_memory_is_caught(emitted: Emitted, bug: str) -> None:
    text, plan = emitted("vae", "torch_cpu")
    pattern, replacement = MEMORY[bug]
    place = re.search(r"mul_2 = at\((\d+),", text)
    assert place is not None
    made = altered(text, pattern, replacement.replace("MUL", place[1]))
    assert verdict(text, plan).status == PROVED
    found = verdict(made, plan)
    assert found.status != PROVED
    assert any(f.reason for k in found.kernels for f in k.findings)


CALLS = {
    "steeper leaky relu": ("lsgan", r"leaky_relu\((\w+), 0\.2,", r"leaky_relu(\1, 0.3,"),
    "other side of 0": ("lsgan", r"leaky_slope_at_0\(", "leaky_slope("),
    "cotangent for value": (
        "lsgan",
        r"sigmoid_slope_\((\w+), (.*)\)\n",
        r"sigmoid_slope_(\2, \1)\n",
    ),
    "softmax of columns": ("mae", r"softmax_slope\((\w+), (\w+), 3,", r"softmax_slope(\1, \2, 2,"),
    "norm of the cotangent": ("mae", r"norm_slope\((\w+), (\w+),", r"norm_slope(\2, \1,"),
    "rows of another order": ("mae", r"gather\((\w+), slice_1, 1\)", r"gather(\1, slice_1, 0)"),
}


@pytest.mark.parametrize("bug", CALLS)
def test_bug_in_a_closed_form_is_caught(emitted: Emitted, bug: str) -> None:
    program, *change = CALLS[bug]
    text, plan = emitted(program, "torch_cpu")
    made = altered(text, *change)
    assert verdict(text, plan).status == PROVED
    assert verdict(made, plan).status != PROVED
