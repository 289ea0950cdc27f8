"""`gan.gml`, `lsgan.gml`, `wgan_gp.gml` and `lsgan_ring.gml` in plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.common import DrawSpec, Named, Peer, Sampler, Tensors


class Generator(nn.Module):
    def __init__(self, latent: int, hidden: int, data: int, images: bool) -> None:
        super().__init__()
        self.h1 = nn.Linear(latent, hidden)
        self.h2 = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, data)
        self.images = images

    def forward(self, z: Tensor) -> Tensor:
        out = self.out(F.relu(self.h2(F.relu(self.h1(z)))))
        return torch.sigmoid(out) if self.images else out


class Discriminator(nn.Module):
    def __init__(self, data: int, hidden: int, act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.h1 = nn.Linear(data, hidden)
        self.h2 = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.act(self.h2(self.act(self.h1(x))))).squeeze(1)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _players(
    sizes: Mapping[str, int], images: bool, act: Callable[[Tensor], Tensor] = _leaky
) -> tuple[Named, int]:
    data = sizes["C"] * sizes["H"] * sizes["W"] if images else sizes["D"]
    net = Named(
        generator=Generator(sizes["Z"], sizes["hidden"], data, images),
        discriminator=Discriminator(data, sizes["hidden"], act),
    )
    return net, data


Score = Callable[[Tensor], Tensor]


def _two_player(
    sizes: Mapping[str, int], real: Score, fake: Score, fool: Score, images: bool = True
) -> Peer:
    """Terms d_real, d_fake and g_fake from scores; images are blurred by noise of size `blur`."""
    net, data = _players(sizes, images)
    sampler = Sampler("digits.z" if images else "points.z", (sizes["Z"],), net.generator)
    peer = Peer(net, {}, {}, sampler=sampler)

    def blurred(x: Tensor, noise: Tensors, path: str) -> Tensor:
        return x + peer.hypers["blur"] * noise[path] if images else x

    def d_loss(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        made = net.generator(noise["d_loss.noise"]).detach()
        d_real = real(net.discriminator(blurred(batch["x"], noise, "d_loss.real_blur"))).mean()
        d_fake = fake(net.discriminator(blurred(made, noise, "d_loss.fake_blur"))).mean()
        return {"loss": d_real + d_fake, "d_real": d_real, "d_fake": d_fake}

    def g_loss(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        made = blurred(net.generator(noise["g_loss.noise"]), noise, "g_loss.fake_blur")
        g_fake = fool(net.discriminator(made)).mean()
        return {"loss": g_fake, "g_fake": g_fake}

    latent, picture = DrawSpec((sizes["Z"],)), DrawSpec((data,))
    peer.draws = {"d_loss.noise": latent, "g_loss.noise": latent}
    if images:
        blurs = ("d_loss.real_blur", "d_loss.fake_blur", "g_loss.fake_blur")
        peer.draws = {**peer.draws, **dict.fromkeys(blurs, picture)}
    peer.objectives = {"d_loss": d_loss, "g_loss": g_loss}
    return peer


def gan(sizes: Mapping[str, int]) -> Peer:
    def fool(score: Tensor) -> Tensor:
        return F.softplus(-score)

    return _two_player(sizes, fool, F.softplus, fool)


def lsgan(sizes: Mapping[str, int], images: bool = True) -> Peer:
    def to_one(score: Tensor) -> Tensor:
        return (score - 1).square()

    return _two_player(sizes, to_one, torch.square, to_one, images)


def lsgan_ring(sizes: Mapping[str, int]) -> Peer:
    return lsgan(sizes, images=False)


def wgan_gp(sizes: Mapping[str, int], penalty: float = 10.0) -> Peer:
    net, _ = _players(sizes, True, F.silu)

    def d_loss(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        x, u = batch["x"], noise["d_loss.u"][:, None]
        fake = net.generator(noise["d_loss.noise"]).detach()
        between = (u * x + (1 - u) * fake).requires_grad_()
        with torch.enable_grad():
            scores = net.discriminator(between).sum()
            (slope,) = torch.autograd.grad(scores, between, create_graph=True)
        distance = net.discriminator(fake).mean() - net.discriminator(x).mean()
        norm = (slope.square().sum(1) + 1e-12).sqrt()
        smoothness = (norm - 1).square().mean()
        loss = distance + penalty * smoothness
        return {"loss": loss, "distance": distance, "smoothness": smoothness}

    def g_loss(batch: Tensors, noise: Tensors) -> dict[str, Tensor]:
        g_fake = -net.discriminator(net.generator(noise["g_loss.noise"])).mean()
        return {"loss": g_fake, "g_fake": g_fake}

    latent = DrawSpec((sizes["Z"],))
    draws = {"d_loss.noise": latent, "g_loss.noise": latent, "d_loss.u": DrawSpec((), "uniform")}
    sampler = Sampler("digits.z", (sizes["Z"],), net.generator)
    return Peer(net, draws, {"d_loss": d_loss, "g_loss": g_loss}, sampler=sampler)
