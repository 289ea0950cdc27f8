"""The seven workloads as plain PyTorch modules that return their loss.

`forward(x, noise, player)` gives the loss of a player (most models have one). `merged` says which
of our weights one layer holds side by side: heads with a common input are one `nn.Linear`, as a
careful script writes them. `draw` makes the noise of a step, in the layout that is fastest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Noise = Mapping[str, Tensor]


@dataclass(frozen=True)
class Player:
    """Which parts of a model an Adam trains, and how."""

    name: str
    parts: tuple[str, ...]
    lr: float = 1e-3
    beta1: float = 0.9


class Model(nn.Module):
    """What the workloads have in common."""

    images: ClassVar[bool] = False  # whether channels_last is worth trying
    merged: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    players: ClassVar[tuple[Player, ...]]

    def draw(self, size: int) -> dict[str, Tensor]:
        raise NotImplementedError


def negative_elbo(logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float) -> Tensor:
    recon = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = 0.5 * torch.sum(logvar.exp() + mu.square() - 1 - logvar)
    return (recon + beta * kl) / len(x)


class Chain(nn.Module):
    """Layers with a relu between them, by the names that they have."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        self.order = list(layers)
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        for name in self.order[:-1]:
            x = F.relu(getattr(self, name)(x))
        return getattr(self, self.order[-1])(x)


class MlpVae(Model):
    merged: ClassVar = {"encoder.heads": ("encoder.mu", "encoder.logvar")}
    players: ClassVar = (Player("neg_elbo", ("encoder", "decoder")),)
    beta = 1.0
    latent = 20

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Chain(h=nn.Linear(784, 400), heads=nn.Linear(400, 40))
        self.decoder = Chain(h=nn.Linear(20, 400), out=nn.Linear(400, 784))

    def draw(self, size: int) -> dict[str, Tensor]:
        return {"neg_elbo.eps": torch.randn(size, self.latent)}

    def forward(self, x: Tensor, noise: Noise, player: str) -> Tensor:
        mu, logvar = self.encoder(x).chunk(2, 1)
        z = mu + noise["neg_elbo.eps"] * torch.exp(0.5 * logvar)
        return negative_elbo(self.decoder(z), x, mu, logvar, self.beta)


class DigitsVae(MlpVae):
    beta = 0.25
    latent = 8

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.encoder = Chain(h1=nn.Linear(64, 128), h2=nn.Linear(128, 64), heads=nn.Linear(64, 16))
        self.decoder = Chain(h1=nn.Linear(8, 64), h2=nn.Linear(64, 128), out=nn.Linear(128, 64))


class ConvVae(MlpVae):
    images = True
    merged: ClassVar = {"heads": ("encoder.mu", "encoder.logvar")}
    players: ClassVar = (Player("neg_elbo", ("encoder", "heads", "decoder")),)
    latent = 64

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.encoder = Chain(
            h1=nn.Conv2d(3, 32, 4, 2, 1),
            h2=nn.Conv2d(32, 64, 4, 2, 1),
            h3=nn.Conv2d(64, 128, 4, 2, 1),
        )
        self.heads = nn.Linear(2048, 128)
        self.decoder = Chain(
            flat=nn.Linear(64, 2048),
            h2=nn.ConvTranspose2d(128, 64, 4, 2, 1),
            h1=nn.ConvTranspose2d(64, 32, 4, 2, 1),
            out=nn.ConvTranspose2d(32, 3, 4, 2, 1),
        )

    def forward(self, x: Tensor, noise: Noise, player: str) -> Tensor:
        mu, logvar = self.heads(F.relu(self.encoder(x)).flatten(1)).chunk(2, 1)
        z = mu + noise["neg_elbo.eps"] * torch.exp(0.5 * logvar)
        h = F.relu(self.decoder.flat(z)).view(-1, 128, 4, 4)
        logits = self.decoder.out(F.relu(self.decoder.h1(F.relu(self.decoder.h2(h)))))
        return negative_elbo(logits, x, mu, logvar, self.beta)


class VqVae(Model):
    images = True
    players: ClassVar = (Player("vq", ("encoder", "decoder", "codebook")),)

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Chain(
            h1=nn.Conv2d(3, 64, 4, 2, 1),
            h2=nn.Conv2d(64, 64, 4, 2, 1),
            h3=nn.Conv2d(64, 64, 3, 1, 1),
            z=nn.Conv2d(64, 64, 1),
        )
        self.decoder = Chain(
            h1=nn.Conv2d(64, 64, 1),
            h2=nn.Conv2d(64, 64, 3, 1, 1),
            h3=nn.ConvTranspose2d(64, 64, 4, 2, 1),
            out=nn.ConvTranspose2d(64, 3, 4, 2, 1),
        )
        self.codebook = nn.Parameter(torch.zeros(512, 64))

    def draw(self, size: int) -> dict[str, Tensor]:
        return {}

    def forward(self, x: Tensor, noise: Noise, player: str) -> Tensor:
        z = self.encoder(x).permute(0, 2, 3, 1)
        flat, codes = z.detach().reshape(-1, 64), self.codebook.detach()
        # |z|^2 is the same for every code, so the nearest does not need it.
        nearest = (codes.square().sum(1) - 2 * flat @ codes.T).argmin(1)
        e = F.embedding(nearest, self.codebook).view(z.shape)
        xhat = torch.sigmoid(self.decoder((z + (e - z).detach()).permute(0, 3, 1, 2)))
        recon = F.mse_loss(xhat, x, reduction="sum")
        codebook_loss = F.mse_loss(e, z.detach(), reduction="sum")
        commitment = F.mse_loss(z, e.detach(), reduction="sum")
        return (recon + codebook_loss + 0.25 * commitment) / len(x)


class Lsgan(Model):
    players: ClassVar = (
        Player("d_loss", ("discriminator",), 2e-4, 0.5),
        Player("g_loss", ("generator",), 2e-4, 0.5),
    )

    def __init__(self) -> None:
        super().__init__()
        self.generator = Chain(
            h1=nn.Linear(64, 256), h2=nn.Linear(256, 512), out=nn.Linear(512, 784)
        )
        self.discriminator = nn.ModuleDict(
            {"h1": nn.Linear(784, 512), "h2": nn.Linear(512, 256), "score": nn.Linear(256, 1)}
        )

    def draw(self, size: int) -> dict[str, Tensor]:
        return {"d_loss.noise": torch.randn(size, 64), "g_loss.noise": torch.randn(size, 64)}

    def score(self, x: Tensor) -> Tensor:
        parts = self.discriminator
        h = F.leaky_relu(parts["h1"](x), 0.2)
        return parts["score"](F.leaky_relu(parts["h2"](h), 0.2))

    def forward(self, x: Tensor, noise: Noise, player: str) -> Tensor:
        if player == "g_loss":
            fake = torch.sigmoid(self.generator(noise["g_loss.noise"]))
            return (self.score(fake) - 1).square().mean()
        with torch.no_grad():
            fake = torch.sigmoid(self.generator(noise["d_loss.noise"]))
        return (self.score(x) - 1).square().mean() + self.score(fake).square().mean()


class Ddpm(Model):
    images = True
    players: ClassVar = (Player("simple", ("denoiser",)),)
    steps = 200

    def __init__(self) -> None:
        super().__init__()
        convs = {n: nn.Conv2d(32, 32, 3, padding=1) for n in ("a1", "a2", "b1", "b2")}
        ends = {"h0": nn.Conv2d(3, 32, 3, padding=1), "out": nn.Conv2d(32, 3, 3, padding=1)}
        self.denoiser = nn.ModuleDict({"e": nn.Linear(32, 32), **convs, **ends})
        kept = torch.cumprod(1 - torch.linspace(5e-4, 0.1, self.steps, dtype=torch.float64), 0)
        self.register_buffer("alpha_bar", torch.cat([torch.ones(1), kept.float()]))
        self.register_buffer("frequency", torch.exp(-math.log(10000) * torch.arange(16) / 16))

    def draw(self, size: int) -> dict[str, Tensor]:
        noise = torch.randn(size, 32, 32, 3).permute(0, 3, 1, 2)  # channels_last as it is made
        return {"simple.t": torch.randint(1, self.steps + 1, (size,)), "simple.noise": noise}

    def forward(self, x: Tensor, noise: Noise, player: str) -> Tensor:
        t, eps, parts = noise["simple.t"], noise["simple.noise"], self.denoiser
        a = self.alpha_bar[t][:, None, None, None]
        x_t = a.sqrt() * (2 * x - 1) + (1 - a).sqrt() * eps
        angle = t[:, None] * self.frequency
        e = parts["e"](torch.cat([angle.sin(), angle.cos()], 1))
        h = parts["h0"](x_t) + e[:, :, None, None]
        h = h + parts["a2"](F.silu(parts["a1"](F.silu(h))))
        h = h + parts["b2"](F.silu(parts["b1"](F.silu(h))))
        return F.mse_loss(parts["out"](F.silu(h)), eps)


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.a = nn.ModuleDict({"qkv": nn.Linear(size, 3 * size), "out": nn.Linear(size, size)})
        self.f1, self.f2 = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        qkv = self.a["qkv"](self.n1(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv.unbind(0))
        y = x + self.a["out"](mixed.transpose(1, 2).reshape(b, n, d))
        return y + self.f2(F.gelu(self.f1(self.n2(y))))


def _merged_attention(*blocks: str) -> dict[str, tuple[str, ...]]:
    return {
        f"{b}.a.qkv": tuple(f"{b}.a.{p}" for p in ("queries", "keys", "values")) for b in blocks
    }


class Mae(Model):
    merged: ClassVar = _merged_attention("encoder.a", "encoder.b", "decoder.a")
    players: ClassVar = (
        Player(
            "reconstruction",
            ("encoder", "bridge", "decoder", "embedding", "position", "place", "mask_token"),
        ),
    )
    kept = 16

    def __init__(self) -> None:
        super().__init__()
        encoder = {"a": Block(96, 3), "b": Block(96, 3), "out": nn.LayerNorm(96)}
        self.encoder = nn.ModuleDict(encoder)
        decoder = {"a": Block(64, 2), "m": nn.LayerNorm(64), "out": nn.Linear(64, 48)}
        self.decoder = nn.ModuleDict(decoder)
        self.embedding = nn.ModuleDict({"out": nn.Linear(48, 96)})
        self.bridge = nn.ModuleDict({"out": nn.Linear(96, 64)})
        self.position = nn.Parameter(torch.zeros(64, 96))
        self.place = nn.Parameter(torch.zeros(64, 64))
        self.mask_token = nn.Parameter(torch.zeros(64))

    def draw(self, size: int) -> dict[str, Tensor]:
        return {"reconstruction.u": torch.rand(size, 64)}

    def forward(self, x: Tensor, noise: Noise, player: str) -> Tensor:
        b = len(x)
        patches = x.view(b, 3, 8, 4, 8, 4).permute(0, 2, 4, 3, 5, 1).reshape(b, 64, 48)
        order = noise["reconstruction.u"].argsort(dim=1)
        keep, back = order[:, : self.kept], order.argsort(dim=1)
        tokens = self.embedding["out"](patches) + self.position
        seen = tokens.gather(1, keep[:, :, None].expand(-1, -1, 96))
        h = self.encoder["out"](self.encoder["b"](self.encoder["a"](seen)))
        h = self.bridge["out"](h)
        full = torch.cat([h, self.mask_token.expand(b, 64 - self.kept, 64)], 1)
        full = full.gather(1, back[:, :, None].expand(-1, -1, 64)) + self.place
        predicted = self.decoder["out"](self.decoder["m"](self.decoder["a"](full)))
        error = (predicted - patches).square().mean(2)
        hidden = (back >= self.kept).to(error.dtype)
        return (error * hidden).sum() / hidden.sum()


MODELS: Mapping[str, type[Model]] = {
    "mlp_vae": MlpVae,
    "digits_vae": DigitsVae,
    "conv_vae": ConvVae,
    "vq_vae": VqVae,
    "lsgan": Lsgan,
    "ddpm": Ddpm,
    "mae": Mae,
}
