"""`autoencoder.gml`, `vae.gml`, `beta_vae.gml` and `conditional_vae.gml` in plain PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.common import (
    DrawSpec,
    Named,
    Peer,
    Sampler,
    Tensors,
    classes,
    kl_to_standard,
)


class Encoder(nn.Module):
    """One hidden layer, then mean and log-variance; `extra` more inputs for a class."""

    def __init__(self, data: int, hidden: int, latent: int, extra: int = 0) -> None:
        super().__init__()
        self.h = nn.Linear(data + extra, hidden)
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.h(x))
        return self.mu(h), self.logvar(h)


class Mlp(nn.Module):
    """One hidden layer."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.h = nn.Linear(inputs, hidden)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.h(x)))


def pixels(sizes: Mapping[str, int]) -> int:
    return sizes["C"] * sizes["H"] * sizes["W"]


def autoencoder(sizes: Mapping[str, int]) -> Peer:
    data, hidden, latent = pixels(sizes), sizes["hidden"], sizes["Z"]
    net = Named(encoder=Mlp(data, hidden, latent), decoder=Mlp(latent, hidden, data))

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        x = batch["x"]
        recon = F.mse_loss(torch.sigmoid(net.decoder(net.encoder(x))), x, reduction="sum") / len(x)
        return {"loss": recon, "recon": recon}

    return Peer(net, {}, {"reconstruction_error": losses})


def gaussian_nll(mean: Tensor, variance: float, x: Tensor) -> Tensor:
    """Averaged over the batch, with its constant."""
    squared = F.mse_loss(mean, x, reduction="sum") / len(x)
    return 0.5 * (squared / variance + x[0].numel() * math.log(2 * math.pi * variance))


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Of pixels in [0, 1], averaged over the batch."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def neg_elbo(
    net: nn.Module,
    latent: int,
    sampler: str,
    beta: float,
    recon: Callable[[Tensor, Tensor], Tensor],
) -> Peer:
    """`recon` of what the decoder gives and the pictures, plus beta times the KL."""

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        x = batch["x"]
        mu, logvar = net.encoder(x)
        z = mu + torch.exp(0.5 * logvar) * noise["neg_elbo.eps"]
        terms = {"recon": recon(net.decoder(z), x), "kl": kl_to_standard(mu, logvar)}
        return {"loss": terms["recon"] + beta * terms["kl"], **terms}

    samples = Sampler(sampler, (latent,), lambda z: torch.sigmoid(net.decoder(z)))
    draws = {"neg_elbo.eps": DrawSpec((latent,))}
    return Peer(net, draws, {"neg_elbo": losses}, sampler=samples)


def mlps(sizes: Mapping[str, int]) -> Named:
    data, hidden, latent = pixels(sizes), sizes["hidden"], sizes["Z"]
    return Named(encoder=Encoder(data, hidden, latent), decoder=Mlp(latent, hidden, data))


def vae(sizes: Mapping[str, int], variance: float = 0.04) -> Peer:
    """A Gaussian likelihood of fixed variance."""

    def recon(logits: Tensor, x: Tensor) -> Tensor:
        return gaussian_nll(torch.sigmoid(logits), variance, x)

    return neg_elbo(mlps(sizes), sizes["Z"], "digits.z", 1.0, recon)


def beta_vae(sizes: Mapping[str, int], beta: float = 0.25) -> Peer:
    """Cross-entropy plus beta times the KL."""
    return neg_elbo(mlps(sizes), sizes["Z"], "digits.z", beta, cross_entropy)


def conditional_vae(sizes: Mapping[str, int], variance: float = 0.04) -> Peer:
    """The class, one-hot, goes into encoder and decoder."""
    data, hidden, latent = pixels(sizes), sizes["hidden"], sizes["Z"]
    net = Named(
        encoder=Encoder(data, hidden, latent, extra=10), decoder=Mlp(latent + 10, hidden, data)
    )

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        x, y = batch["x"], F.one_hot(batch["y"].long(), 10).to(batch["x"])
        mu, logvar = net.encoder(torch.cat([x, y], 1))
        z = mu + torch.exp(0.5 * logvar) * noise["neg_elbo.eps"]
        recon = gaussian_nll(torch.sigmoid(net.decoder(torch.cat([z, y], 1))), variance, x)
        kl = kl_to_standard(mu, logvar)
        return {"loss": recon + kl, "recon": recon, "kl": kl}

    def sample(z: Tensor) -> Tensor:
        y = F.one_hot(classes(len(z)), 10).to(z)
        return torch.sigmoid(net.decoder(torch.cat([z, y], 1)))

    draws = {"neg_elbo.eps": DrawSpec((latent,))}
    sampler = Sampler("digits.z", (latent,), sample)
    return Peer(net, draws, {"neg_elbo": losses}, sampler=sampler)
