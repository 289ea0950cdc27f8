"""`vq_vae.gml` and `vq_vae_ema.gml` in plain PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.common import DrawSpec, Named, Peer, Tensors


class Encoder(nn.Module):
    """To (B, P, code) vectors at a quarter of the resolution."""

    def __init__(self, c: int, width: int, code: int) -> None:
        super().__init__()
        self.h1 = nn.Conv2d(c, width, 4, stride=2, padding=1)
        self.h2 = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.z = nn.Conv2d(2 * width, code, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.z(F.relu(self.h2(F.relu(self.h1(x))))).flatten(2).transpose(1, 2)


class Decoder(nn.Module):
    def __init__(self, c: int, width: int, code: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.h1 = nn.Conv2d(code, 2 * width, 3, padding=1)
        self.h2 = nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1)
        self.out = nn.ConvTranspose2d(width, c, 4, stride=2, padding=1)

    def forward(self, e: Tensor) -> Tensor:
        h = e.transpose(1, 2).reshape(len(e), -1, *self.grid)
        return torch.sigmoid(self.out(F.relu(self.h2(F.relu(self.h1(h))))))


def _nets(sizes: Mapping[str, int]) -> Named:
    grid = (sizes["H"] // 4, sizes["W"] // 4)
    return Named(
        encoder=Encoder(sizes["C"], sizes["width"], sizes["Cd"]),
        decoder=Decoder(sizes["C"], sizes["width"], sizes["Cd"], grid),
    )


def _nearest(z: Tensor, codes: Tensor) -> Tensor:
    # |z|^2 is the same for every code.
    return (codes.square().sum(1) - 2 * z @ codes.T).argmin(-1)


def vq_vae(sizes: Mapping[str, int], beta: float = 0.25) -> Peer:
    net = _nets(sizes)
    net.codebook = nn.Parameter(torch.zeros(sizes["K"], sizes["Cd"]))

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        x = batch["x"]
        z = net.encoder(x)
        e = net.codebook[_nearest(z.detach(), net.codebook.detach())]
        recon = F.mse_loss(net.decoder(z + (e - z).detach()), x, reduction="sum") / len(x)
        codebook_loss = F.mse_loss(e, z.detach(), reduction="sum") / len(x)
        commitment = F.mse_loss(z, e.detach(), reduction="sum") / len(x)
        loss = recon + codebook_loss + beta * commitment
        return {
            "loss": loss,
            "recon": recon,
            "codebook_loss": codebook_loss,
            "commitment": commitment,
        }

    def choices(batch: Tensors) -> tuple[Tensor, Tensor]:
        z = net.encoder(batch["x"])
        return z, _nearest(z, net.codebook)

    return Peer(net, {}, {"vq": losses}, choices=choices)


def vq_vae_ema(
    sizes: Mapping[str, int], beta: float = 0.25, decay: float = 0.98, least: float = 0.5
) -> Peer:
    """The codebook is the ratio of two running averages; unused codes restart at an input."""
    net = _nets(sizes)
    codes = sizes["K"]
    net.register_buffer("counts", torch.ones(codes))
    net.register_buffer("sums", torch.zeros(codes, sizes["Cd"]))

    def quantize(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = net.encoder(x)
        book = net.sums / net.counts[:, None]
        k = _nearest(z.detach(), book)
        return z, k, book[k]

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        x = batch["x"]
        z, _, e = quantize(x)
        recon = F.mse_loss(net.decoder(z + (e - z).detach()), x, reduction="sum") / len(x)
        commitment = F.mse_loss(z, e, reduction="sum") / len(x)
        return {"loss": recon + beta * commitment, "recon": recon, "commitment": commitment}

    def after(batch: Tensors, noise: Tensors) -> None:
        with torch.no_grad():
            z, k, _ = quantize(batch["x"])
            flat, hits = z.flatten(0, 1), F.one_hot(k.flatten(), codes).to(z)
            counts = decay * net.counts + (1 - decay) * hits.sum(0)
            sums = decay * net.sums + (1 - decay) * hits.T @ flat
            unused = counts < least
            fresh = flat[noise["vq.chosen"]] + 0.01 * noise["vq.jitter"]
            net.counts.copy_(torch.where(unused, torch.ones_like(counts), counts))
            net.sums.copy_(torch.where(unused[:, None], fresh, sums))

    places = (sizes["H"] // 4) * (sizes["W"] // 4)
    chosen = DrawSpec((codes,), "bits", sizes["B"] * places, examples=False)

    def choices(batch: Tensors) -> tuple[Tensor, Tensor]:
        z, k, _ = quantize(batch["x"])
        return z, k

    jitter = DrawSpec((codes, sizes["Cd"]), examples=False)
    draws = {"vq.chosen": chosen, "vq.jitter": jitter}
    return Peer(net, draws, {"vq": losses}, after=after, choices=choices)
