"""`vae.gml` and `beta_vae.gml` in plain PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.common import Arrays, set_linear


class VAE(nn.Module):
    """Encoder and decoder with one hidden layer each."""

    def __init__(self, data: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.encode = nn.Linear(data, hidden)
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)
        self.decode = nn.Linear(latent, hidden)
        self.out = nn.Linear(hidden, data)

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = F.relu(self.encode(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(0.5 * logvar) * eps
        return self.out(F.relu(self.decode(z))), mu, logvar


class VaePeer:
    """The negative ELBO: a Gaussian likelihood of fixed variance, and the KL to N(0, 1)."""

    draws: Mapping[str, tuple[int, ...]]

    def __init__(self, sizes: Mapping[str, int], variance: float = 0.04) -> None:
        self.variance = variance
        self.draws = {"neg_elbo.eps": (sizes["Z"],)}
        self._module = VAE(sizes["C"] * sizes["H"] * sizes["W"], sizes["hidden"], sizes["Z"])

    def module(self) -> nn.Module:
        return self._module

    def load(self, params: Arrays) -> None:
        m = self._module
        set_linear(m.encode, params, "encoder.h")
        set_linear(m.mu, params, "encoder.mu")
        set_linear(m.logvar, params, "encoder.logvar")
        set_linear(m.decode, params, "decoder.h")
        set_linear(m.out, params, "decoder.out")

    def losses(self, batch: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
        x = batch["x"]
        out, mu, logvar = self._module(x, noise["neg_elbo.eps"])
        squared = F.mse_loss(torch.sigmoid(out), x, reduction="sum") / len(x)
        constant = 0.5 * x.shape[1] * math.log(2 * math.pi * self.variance)
        recon = 0.5 * squared / self.variance + constant
        kl = kl_to_standard(mu, logvar)
        return {"loss": recon + kl, "recon": recon, "kl": kl}


class BetaVaePeer(VaePeer):
    """Cross-entropy plus beta times the KL."""

    def __init__(self, sizes: Mapping[str, int], beta: float = 0.25) -> None:
        super().__init__(sizes)
        self.beta = beta

    def losses(self, batch: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
        x = batch["x"]
        logits, mu, logvar = self._module(x, noise["neg_elbo.eps"])
        recon = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = kl_to_standard(mu, logvar)
        return {"loss": recon + self.beta * kl, "recon": recon, "kl": kl}


def kl_to_standard(mu: Tensor, logvar: Tensor) -> Tensor:
    """In nats, summed over the latent and averaged over the batch."""
    return 0.5 * torch.sum(logvar.exp() + mu**2 - 1 - logvar) / len(mu)
