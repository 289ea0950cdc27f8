"""`ddpm.gml`, `ddpm_unet.gml` and `flow_matching.gml` in plain PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.common import DrawSpec, Named, Peer, Sampler, Tensors, classes


def time_features(t: Tensor, size: int) -> Tensor:
    """Sines and cosines at size / 2 frequencies from 1 to 1 / 10000."""
    half = size // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half) / half)
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1)


class Residual(nn.Module):
    """Two convolutions with group normalisation, shifted by the embedding, around a skip."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.n1 = nn.GroupNorm(8, channels)
        self.h1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shift = nn.Linear(embedding, channels)
        self.n2 = nn.GroupNorm(8, channels)
        self.h2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.h1(F.silu(self.n1(x))) + self.shift(e)[:, :, None, None]
        return x + self.h2(F.silu(self.n2(h)))


class Attention(nn.Module):
    """Self-attention over a sequence."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries, self.keys = nn.Linear(size, size), nn.Linear(size, size)
        self.values, self.out = nn.Linear(size, size), nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        parts = [p(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for p in self._projections()]
        mixed = F.scaled_dot_product_attention(*parts)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _projections(self) -> tuple[nn.Linear, ...]:
        return self.queries, self.keys, self.values


class AttentionBlock(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.n = nn.GroupNorm(8, channels)
        self.a = Attention(channels, heads)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.a(self.n(x).flatten(2).transpose(1, 2))
        return x + mixed.transpose(1, 2).reshape(x.shape)


class Denoiser(nn.Module):
    """`ddpm.gml`'s network (`deep`) and `flow_matching.gml`'s, which has one block fewer."""

    def __init__(self, c: int, width: int, deep: bool) -> None:
        super().__init__()
        self.width, self.deep = width, deep
        self.e1, self.e = nn.Linear(width, width), nn.Linear(width, width)
        self.h0 = nn.Conv2d(c, width, 3, padding=1)
        self.h1 = Residual(width, width)
        self.down = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.h2 = Residual(2 * width, width)
        self.up = nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1)
        join, last = nn.Conv2d(2 * width, width, 1), Residual(width, width)
        if deep:
            self.h3, self.h4, self.h5 = Residual(2 * width, width), join, last
        else:
            self.h3, self.h4 = join, last
        self.out = nn.Conv2d(width, c, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        e = F.silu(self.e(F.silu(self.e1(time_features(t, self.width)))))
        h1 = self.h1(self.h0(x), e)
        h = self.h2(self.down(h1), e)
        join, last = (self.h4, self.h5) if self.deep else (self.h3, self.h4)
        if self.deep:
            h = self.h3(h, e)
        h = join(torch.cat([h1, self.up(h)], 1))
        return self.out(F.silu(last(h, e)))


def _times(last: int, steps: int) -> list[tuple[int, int]]:
    """From the last time to 0 in so many steps."""
    times = [(steps - k) * last // steps for k in range(steps + 1)]
    return list(pairwise(times))


def _ddim(x: Tensor, eps: Tensor, a_t: Tensor, a_s: Tensor) -> Tensor:
    clean = (x - (1 - a_t).sqrt() * eps) / a_t.sqrt()
    return a_s.sqrt() * clean + (1 - a_s).sqrt() * eps


def _image(x: Tensor) -> Tensor:
    return (0.5 * x + 0.5).clamp(0, 1)


def _image_noise(sizes: Mapping[str, int]) -> DrawSpec:
    return DrawSpec((sizes["C"], sizes["H"], sizes["W"]))


def ddpm(sizes: Mapping[str, int]) -> Peer:
    steps = sizes["T"]
    net = Named(denoiser=Denoiser(sizes["C"], sizes["width"], deep=True))
    kept = torch.cumprod(1 - torch.linspace(5e-4, 0.1, steps, dtype=torch.float64), 0)
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), kept]).to(torch.get_default_dtype())

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        t, eps = noise["simple.t"], noise["simple.noise"]
        a = alpha_bar[t][:, None, None, None]
        x_t = a.sqrt() * (2 * batch["x"] - 1) + (1 - a).sqrt() * eps
        loss = F.mse_loss(net.denoiser(x_t, t), eps)
        return {"loss": loss, "eps_mse": loss}

    draws = {"simple.t": DrawSpec((), "bits", steps, 1), "simple.noise": _image_noise(sizes)}

    def sample(x: Tensor) -> Tensor:
        for t, s in _times(steps, 50):
            eps = net.denoiser(x, torch.full((len(x),), t))
            x = _ddim(x, eps, alpha_bar[t], alpha_bar[s])
        return _image(x)

    sampler = Sampler("ddim.x", _image_noise(sizes).shape, sample)
    return Peer(net, draws, {"simple": losses}, sampler=sampler)


def flow_matching(sizes: Mapping[str, int]) -> Peer:
    steps = sizes["T"]
    net = Named(velocity=Denoiser(sizes["C"], sizes["width"], deep=False))

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        t, eps = noise["matching.t"], noise["matching.noise"]
        s = (t / steps)[:, None, None, None]
        clean = 2 * batch["x"] - 1
        loss = F.mse_loss(net.velocity((1 - s) * clean + s * eps, t), eps - clean)
        return {"loss": loss, "velocity_mse": loss}

    draws = {"matching.t": DrawSpec((), "bits", steps + 1), "matching.noise": _image_noise(sizes)}

    def sample(x: Tensor) -> Tensor:
        for t, s in _times(steps, 50):
            x = x + (s - t) / steps * net.velocity(x, torch.full((len(x),), t))
        return _image(x)

    sampler = Sampler("digits.x", _image_noise(sizes).shape, sample)
    return Peer(net, draws, {"matching": losses}, sampler=sampler)


class UNet(nn.Module):
    """`ddpm_unet.gml`'s network, on 2 x 2 patches as channels."""

    def __init__(self, c: int, width: int) -> None:
        super().__init__()
        e = 2 * width
        self.width = width
        self.time, self.class_, self.e = nn.Linear(width, e), nn.Embedding(11, e), nn.Linear(e, e)
        self.h0 = nn.Conv2d(4 * c, width, 3, padding=1)
        self.h1 = Residual(width, e)
        self.down = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.h2, self.h4 = Residual(2 * width, e), Residual(2 * width, e)
        self.h3 = AttentionBlock(2 * width, 4)
        self.up = nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1)
        self.h5 = nn.Conv2d(2 * width, width, 1)
        self.h6 = Residual(width, e)
        self.out = nn.Conv2d(width, 4 * c, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        e = F.silu(self.time(time_features(t, self.width)) + self.class_(y))
        e = F.silu(self.e(e))
        h1 = self.h1(self.h0(F.pixel_unshuffle(x, 2)), e)
        h = self.h4(self.h3(self.h2(self.down(h1), e)), e)
        h = self.h6(self.h5(torch.cat([h1, self.up(h)], 1)), e)
        return F.pixel_shuffle(self.out(F.silu(h)), 2)


def ddpm_unet(sizes: Mapping[str, int], drop: float = 0.1) -> Peer:
    steps = sizes["T"]
    net = Named(denoiser=UNet(sizes["C"], sizes["width"]))
    phase = (torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008) / 1.008
    start = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    alpha_bar = ((phase * math.pi / 2).cos() ** 2 / start).clamp(1e-4, 1)
    alpha_bar = alpha_bar.to(torch.get_default_dtype())

    def losses(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        t, eps, x0 = noise["simple.t"], noise["simple.noise"], 2 * batch["x"] - 1
        y = torch.where(noise["simple.u"] < drop, 10, batch["y"].long())
        a = alpha_bar[t][:, None, None, None]
        x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
        target = a.sqrt() * eps - (1 - a).sqrt() * x0
        loss = F.mse_loss(net.denoiser(x_t, t, y), target)
        return {"loss": loss, "v_mse": loss}

    draws = {
        "simple.t": DrawSpec((), "bits", steps, 1),
        "simple.noise": _image_noise(sizes),
        "simple.u": DrawSpec((), "uniform"),
    }

    def sample(x: Tensor) -> Tensor:
        y = classes(len(x))
        for t, s in _times(steps, 25):
            time, a_t, a_s = torch.full((len(x),), t), alpha_bar[t], alpha_bar[s]
            plain = net.denoiser(x, time, torch.full_like(y, 10))
            v = 2 * net.denoiser(x, time, y) - plain
            clean = (a_t.sqrt() * x - (1 - a_t).sqrt() * v).clamp(-1, 1)
            x = _ddim(x, (x - a_t.sqrt() * clean) / (1 - a_t).sqrt(), a_t, a_s)
        return _image(x)

    sampler = Sampler("clothes.x", _image_noise(sizes).shape, sample)
    return Peer(net, draws, {"simple": losses}, sampler=sampler)
