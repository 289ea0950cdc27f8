"""`mae.gml` in plain PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.common import DrawSpec, Named, Peer, Tensors
from benchmarks.peers.diffusion import Attention


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.n1, self.a = nn.LayerNorm(size), Attention(size, heads)
        self.n2 = nn.LayerNorm(size)
        self.f1, self.f2 = nn.Linear(size, 2 * size), nn.Linear(2 * size, size)

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.a(self.n1(x))
        return y + self.f2(F.gelu(self.f1(self.n2(y))))


class Encoder(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.a, self.b = Block(size, heads), Block(size, heads)
        self.out = nn.LayerNorm(size)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.b(self.a(x)))


class Decoder(nn.Module):
    def __init__(self, size: int, heads: int, patch: int) -> None:
        super().__init__()
        self.a, self.m, self.out = Block(size, heads), nn.LayerNorm(size), nn.Linear(size, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.m(self.a(x)))


def mae(sizes: Mapping[str, int]) -> Peer:
    p, size, kept = sizes["P"], sizes["E"], sizes["kept"]
    patch, count = p * p * sizes["C"], (sizes["H"] // p) * (sizes["W"] // p)
    net = Named(
        embedding=Named(out=nn.Linear(patch, size)),
        encoder=Encoder(size, sizes["heads"]),
        decoder=Decoder(size, sizes["heads"], patch),
    )
    net.position = nn.Parameter(torch.zeros(count, size))
    net.mask_token = nn.Parameter(torch.zeros(size))

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        x = batch["x"].unflatten(2, (-1, p)).unflatten(4, (-1, p))  # B, C, v, p, u, q
        patches = x.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        keep = noise["reconstruction.u"].argsort(dim=1, stable=True)[:, :kept]
        tokens = net.embedding.out(patches) + net.position
        index = keep[:, :, None].expand(-1, -1, size)
        encoded = net.encoder(tokens.gather(1, index))
        filled = net.mask_token.expand(len(x), count, size).scatter(1, index, encoded)
        predicted = net.decoder(filled + net.position)
        hidden = torch.ones(len(x), count).scatter(1, keep, 0.0)
        error = (predicted - patches).square().mean(2)
        loss = (hidden * error).sum() / hidden.sum()
        return {"loss": loss, "masked_mse": loss}

    draws = {"reconstruction.u": DrawSpec((count,), "uniform")}
    return Peer(net, draws, {"reconstruction": losses})
