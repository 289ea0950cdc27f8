"""`conv_vae.gml` in plain PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.common import Arrays, set_conv, set_linear


class ConvVAE(nn.Module):
    """Two strided convolutions, a hidden layer, and the mirror image."""

    def __init__(self, c: int, h: int, w: int, width: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.grid = (2 * width, h // 4, w // 4)
        flat = 2 * width * (h // 4) * (w // 4)
        self.conv1 = nn.Conv2d(c, width, 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.encode = nn.Linear(flat, hidden)
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)
        self.decode = nn.Linear(latent, hidden)
        self.expand = nn.Linear(hidden, flat)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(width, c, 4, stride=2, padding=1)

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = F.relu(self.conv2(F.relu(self.conv1(x)))).flatten(1)
        h = F.relu(self.encode(h))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(0.5 * logvar) * eps
        g = F.relu(self.expand(F.relu(self.decode(z)))).reshape(-1, *self.grid)
        return self.up2(F.relu(self.up1(g))), mu, logvar


class ConvVaePeer:
    """The same objective as the MLP's, summed over the image."""

    draws: Mapping[str, tuple[int, ...]]

    def __init__(self, sizes: Mapping[str, int], beta: float = 1.0) -> None:
        self.beta = beta
        self.draws = {"neg_elbo.eps": (sizes["Z"],)}
        image = (sizes["C"], sizes["H"], sizes["W"])
        self._module = ConvVAE(*image, sizes["width"], sizes["hidden"], sizes["Z"])

    def module(self) -> nn.Module:
        return self._module

    def load(self, params: Arrays) -> None:
        m = self._module
        set_conv(m.conv1, params, "encoder.h1")
        set_conv(m.conv2, params, "encoder.h2")
        set_linear(m.encode, params, "encoder.h")
        set_linear(m.mu, params, "encoder.mu")
        set_linear(m.logvar, params, "encoder.logvar")
        set_linear(m.decode, params, "decoder.h")
        set_linear(m.expand, params, "decoder.flat")
        set_conv(m.up1, params, "decoder.h2")
        set_conv(m.up2, params, "decoder.out")

    def losses(self, batch: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
        x = batch["x"]
        logits, mu, logvar = self._module(x, noise["neg_elbo.eps"])
        recon = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = 0.5 * torch.sum(logvar.exp() + mu**2 - 1 - logvar) / len(x)
        return {"loss": recon + self.beta * kl, "recon": recon, "kl": kl}
