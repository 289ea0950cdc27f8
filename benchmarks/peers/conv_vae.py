"""`conv_vae.gml` in plain PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.common import Named, Peer
from benchmarks.peers.vae import cross_entropy, neg_elbo


class Encoder(nn.Module):
    """Two strided convolutions and a hidden layer."""

    def __init__(self, c: int, width: int, flat: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.h1 = nn.Conv2d(c, width, 4, stride=2, padding=1)
        self.h2 = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.h = nn.Linear(flat, hidden)
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.h(F.relu(self.h2(F.relu(self.h1(x)))).flatten(1)))
        return self.mu(h), self.logvar(h)


class Decoder(nn.Module):
    """The mirror image."""

    def __init__(self, c: int, grid: tuple[int, int, int], hidden: int, latent: int) -> None:
        super().__init__()
        self.grid = grid
        self.h = nn.Linear(latent, hidden)
        self.flat = nn.Linear(hidden, grid[0] * grid[1] * grid[2])
        self.h2 = nn.ConvTranspose2d(grid[0], grid[0] // 2, 4, stride=2, padding=1)
        self.out = nn.ConvTranspose2d(grid[0] // 2, c, 4, stride=2, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = F.relu(self.flat(F.relu(self.h(z)))).reshape(-1, *self.grid)
        return self.out(F.relu(self.h2(h)))


def conv_vae(sizes: Mapping[str, int], beta: float = 1.0) -> Peer:
    c, hidden, latent = sizes["C"], sizes["hidden"], sizes["Z"]
    grid = (2 * sizes["width"], sizes["H"] // 4, sizes["W"] // 4)
    flat = grid[0] * grid[1] * grid[2]
    net = Named(
        encoder=Encoder(c, sizes["width"], flat, hidden, latent),
        decoder=Decoder(c, grid, hidden, latent),
    )
    return neg_elbo(net, latent, "clothes.z", beta, cross_entropy)
