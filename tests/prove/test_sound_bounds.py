"""A bound of nll(x) is derived from a model of x: what is no model has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse

PROGRAM = """\
import nn: dense
import gaussian: reparameterize, kl_to_standard

batch B
dim Z = 2

data x: [B, D] in 0..1 from digits

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    mu = dense[Z](x)
    logvar = dense[Z](x)

net decoder(z: [..b, Z]) -> [..b, D]:
    return dense[D](z)

objective o:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    xhat = decoder(z)
    term recon = mean[B](0.5 * sum[D](square(xhat - x)))
    term mean_recon = mean[B](0.5 * sum[D](square(decoder(mu) - x)))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl + 0 * mean_recon

claims o:
    bound: VALUE + D / 2 * log(2 * pi) bounds nll(x)
        under z: normal(PRIOR), x given z: normal(mean = MEAN, var = 1),
        posterior normal(mean = mu, var = exp(logvar))

train:
    step o over encoder, decoder with adam(lr = 1e-3)
    batch B = 8
    steps 1
"""
STANDARD, POSTERIOR = "mean = 0, var = 1", "mean = mu, var = exp(logvar)"


@pytest.mark.parametrize(
    ("value", "prior", "mean", "verdict"),
    [
        ("recon + kl", STANDARD, "xhat", "proved"),
        ("recon", POSTERIOR, "xhat", "unknown"),  # a prior that has seen the data
        ("kl", STANDARD, "x", "unknown"),  # the data as its own mean
        ("mean_recon + kl", STANDARD, "decoder(mu)", "unknown"),  # a way around the latent
    ],
)
def test_the_data_enter_through_the_latent_only(
    value: str, prior: str, mean: str, verdict: str, tmp_path: Path
) -> None:
    text = PROGRAM.replace("VALUE", value).replace("PRIOR", prior).replace("MEAN", mean)
    path = tmp_path / "bound.gml"
    path.write_text(text, encoding="utf-8")
    sink = Sink()
    (found,) = analyse(str(path), sink).claims
    assert not sink.has_errors, [d.message for d in sink.sorted()]
    assert found.verdict == verdict, found.goal
