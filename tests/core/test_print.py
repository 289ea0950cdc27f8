"""The checked program as text."""

from __future__ import annotations

import pytest

from gendsl.core.print import program_text
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.resources import data
from tests.core.reading import program_of

SOURCE = """
import gaussian: reparameterize

batch B
dim Z = 2 >= 2
hyper beta = 0.5 in 0..1
data x: [B, Z] in 0..1 from digits
param centre: [Z] > 0 init 1

fn moments(x: [..b, Z]) -> (low: [..b], high: [..b]):
    low = min[Z](x)
    high = max[Z](x)

objective fit:
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(x, 0, eps)
    low, high = moments(z)
    term error = mse[B, Z](z, centre)
    minimize error + beta * mean[B](high - low)
    show samples = clamp(z, 0, 1)

claims fit:
    nonneg: error >= 0

train:
    step fit over centre with sgd(lr = 0.1)
    batch B = 4
    steps 10
"""

EXPECTED = """\
batch B
dim Z = 2 >= 2
hyper beta = 0.5 in 0..1
data x: [B, Z] in 0..1 from digits
param centre: [Z] > 0 = 1

fn mse[..s](a: [..s], b: [..s]) -> real
    %1: [..s] = sub(a, b)
    %2: [..s] = square(%1)
    %3: real = mean[..s](%2)
    return %3

fn reparameterize(mu: [..b, Z], logvar: [..b, Z], eps: [..b, Z]) -> [..b, Z]
    %1: [..b, Z] = spreadout(0.5, positions = ())
    %2: [..b, Z] = mul(%1, logvar)
    %3: [..b, Z] = exp(%2)
    %4: [..b, Z] = mul(%3, eps)
    %5: [..b, Z] = add(mu, %4)
    return %5

fn moments(x: [..b, Z]) -> (low: [..b], high: [..b])
    low: [..b] = min[Z](x)
    high: [..b] = max[Z](x)

objective fit
    %1: [B, Z] = spreadout(0, positions = ())
    eps: [B, Z] = draw eps ~ normal
    z: [B, Z] = reparameterize[Z = Z](mu = x, logvar = %1, eps = eps)
    %2: [B, Z] = spreadout(centre, positions = (1))
    error: real = mse(a = z, b = %2)
    %3 = moments(x = z)
    high: [B] = %3.high
    low: [B] = %3.low
    %4: [B] = sub(high, low)
    %5: real = mean[B](%4)
    %6: real = mul(beta, %5)
    %7: real = add(error, %6)
    %8: [B, Z] = spreadout(0, positions = ())
    %9: [B, Z] = maximum(z, %8)
    %10: [B, Z] = spreadout(1, positions = ())
    %11: [B, Z] = minimum(%9, %10)
    term error
    minimize %7
    show samples = %11 in 0..1

train
    step fit over centre with sgd(lr = 0.1, momentum = 0, weight_decay = 0)
    batch 4
    steps 10

claim nonneg: error >= 0
"""


def test_let_form() -> None:
    assert program_text(program_of(SOURCE)) == EXPECTED


@pytest.mark.parametrize("path", sorted(data("programs").glob("*.gml")), ids=lambda p: p.stem)
def test_every_program_prints_everything_it_declares(path: str) -> None:
    program = analyse(str(path), Sink(), prove=False).program
    assert program is not None
    text = program_text(program)
    again = analyse(str(path), Sink(), prove=False).program
    assert again is not None and program_text(again) == text
    assert "@" not in text
    names = [*program.interface.dims, *program.functions, *program.objectives, *program.params]
    words = set(text.replace("[", " ").replace("(", " ").replace(":", " ").split())
    assert [n for n in names if n not in words] == []
    assert all(f"claim {claim.name}: " in text for claim in program.claims)
