"""Laws, bounds and batches that look right and are not: none of them is proved."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.prove.verdict import ClaimReport

KERNELS = """\
kernel shared(c: real, m: [D]) -> [D]:
    e: [D] ~ normal(mean = 0, var = 1)
    return 0 * m + e + c * e

kernel two(c: real, m: [D]) -> [D]:
    e: [D] ~ normal(mean = 0, var = 1)
    f: [D] ~ normal(mean = 0, var = 1)
    return 0 * m + e + c * f

kernel rooted(m: [D], v: [D]) -> [D]:
    e: [D] ~ normal(mean = 0, var = 1)
    return m + sqrt(v) * e

kernel ratio(m: [D]) -> [D]:
    e: [D] ~ normal(mean = 0, var = 1)
    f: [D] ~ normal(mean = 0, var = 1)
    return m + e * e / f

kernel folded(m: [D]) -> [D]:
    e: [D] ~ normal(mean = 0, var = 1)
    return m + abs(e)

kernel centred(m: [D]) -> [D]:
    e: [D] ~ normal(mean = 0, var = 1)
    return m + e - mean[D](e)

kernel total(m: [D]) -> real:
    e: [D] ~ normal(mean = 0, var = 1)
    return 0 * sum[D](m) + sum[D](e)

kernel plain(m: [D]) -> [D]:
    e: [D] ~ normal(mean = 0, var = 1)
    return m + e

claims SUBJECT:
    law: CLAIM
"""


def claim(text: str, tmp_path: Path) -> ClaimReport:
    path = tmp_path / "laws.gml"
    path.write_text(text, encoding="utf-8")
    sink = Sink()
    (found,) = analyse(str(path), sink).claims
    assert not sink.has_errors, [d.message for d in sink.sorted()]
    return found


@pytest.mark.parametrize(
    ("subject", "text", "verdict"),
    [
        ("shared(c, m)", "normal(mean = 0, var = square(1 + c))", "proved"),
        ("shared(c, m)", "normal(mean = 0, var = 1 + square(c))", "refuted"),  # one draw, twice
        ("two(c, m)", "normal(mean = 0, var = 1 + square(c))", "proved"),
        ("two(c, m)", "normal(mean = 0, var = square(1 + c))", "refuted"),
        ("rooted(m, v)", "normal(mean = m, var = v)", "unknown"),  # v may be negative
        ("ratio(m)", "normal(mean = m, var = 1)", "unknown"),  # homogeneous, and not affine
        ("folded(m)", "normal(mean = m, var = 1)", "unknown"),
        ("centred(m)", "normal(mean = m, var = 1 - 1 / D)", "refuted"),  # entries are correlated
        ("total(m)", "normal(mean = 0, var = D)", "proved"),
        ("total(m)", "normal(mean = 0, var = 1)", "refuted"),  # true for D = 1
        ("plain(m)", "normal(mean = m, var = 0)", "refuted"),
    ],
)
def test_laws_of_kernels(subject: str, text: str, verdict: str, tmp_path: Path) -> None:
    body = f"{subject} has law {text}"
    found = claim(KERNELS.replace("SUBJECT", subject).replace("CLAIM", body), tmp_path)
    assert found.verdict == verdict, found.goal


OBJECTIVE = """\
import nn: dense
import gaussian: reparameterize, kl_to_standard

batch B
dim Z = 2
dim T = 4
hyper beta = 1 in -2..2

data x: [B, D] in 0..1 from digits

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    mu = dense[Z](x)
    logvar = dense[Z](x)

net decoder(z: [..b, Z]) -> [..b, D]:
    return dense[D](z)

kernel kept(x: [..s], t: fin[T + 1], e: [..s]) -> [..s]:
    f: [..s] ~ normal(mean = 0, var = 1)
    return x + e + 0 * f

objective o:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    xhat = decoder(z)
    centred = decoder(z - mean[B](z))
    term recon = mean[B](0.5 * sum[D](square(xhat - x)))
    term scaled = beta * recon
    term coupled = mean[B](0.5 * sum[D](square(centred - x)))
    term mean_recon = mean[B](0.5 * sum[D](square(decoder(mu) - x)))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl + 0 * coupled + 0 * scaled + 0 * mean_recon

claims o:
    fact: CLAIM

train:
    step o over encoder, decoder with adam(lr = 1e-3)
    batch B = 8
    steps 1
"""
LAW = "z has law normal(mean = mu, var = exp(logvar))"
MODEL = (
    " + D / 2 * log(2 * pi) bounds nll(x) under z: normal({prior}), "
    "x given z: normal(mean = {mean}, var = 1), posterior normal(mean = mu, var = exp(logvar))"
)
STANDARD, POSTERIOR = "mean = 0, var = 1", "mean = mu, var = exp(logvar)"


def model(mean: str, prior: str = STANDARD) -> str:
    return MODEL.format(mean=mean, prior=prior)


ITERATE = "for all n in 0..T: iterate(kept, mu, n, {}) has law normal(mean = mu, var = {})"
SCALE = "scaled == recon up to scale in (encoder, decoder)"


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        (LAW, ("proved",)),
        (f"given eps >= 0: {LAW}", ("unknown",)),  # half of a normal law is none
        (f"given z >= 0: {LAW}", ("unknown",)),
        ("z + eps has law normal(mean = mu, var = exp(logvar) + 1)", ("refuted",)),
        ("recon + kl" + model("xhat"), ("proved",)),
        ("recon" + model("xhat", POSTERIOR), ("unknown",)),  # a prior that has seen the data
        ("kl" + model("x"), ("unknown",)),  # the data as their own mean
        ("mean_recon + kl" + model("decoder(mu)"), ("unknown",)),  # a way around the latent
        ("coupled + kl" + model("centred"), ("unknown",)),  # another's latent has seen its data
        ("given eps >= 0: recon + kl" + model("xhat"), ("unknown",)),
        (ITERATE.format("0 * mu", "0"), ("proved",)),
        (ITERATE.format("eps", "index(n)"), ("unknown",)),  # drawn once: the variance is n^2
        ("recon is separable over B", ("proved",)),
        ("coupled is separable over B", ("refuted",)),
        ("recon + 1 / B is separable over B", ("refuted",)),
        ("given beta > 0: " + SCALE, ("proved",)),
        ("given beta > 0 or beta < 0: " + SCALE, ("unknown", "refuted")),  # each of them counts
    ],
)
def test_claims_of_an_objective(text: str, verdicts: tuple[str, ...], tmp_path: Path) -> None:
    found = claim(OBJECTIVE.replace("CLAIM", text), tmp_path)
    assert found.verdict in verdicts, found.goal
