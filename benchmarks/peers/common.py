"""What a peer script offers to the comparison, and loading initial weights by our parameter names.

A peer is an ordinary `nn.Module` trained by autograd and `torch.optim.Adam`. Only its initial
weights, its batches and its noise are given from outside, so that the loss curves can be compared.
Its modules have the names of our nets and layers ("encoder.h1" is an `nn.Linear` or `nn.Conv2d`).
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

Arrays = Mapping[str, np.ndarray]
Tensors = Mapping[str, Tensor]
Losses = Callable[[Tensors, Tensors], dict[str, Tensor]]


@dataclass(frozen=True)
class DrawSpec:
    """Noise that a loss wants. `shape` is per example, or whole where `examples` is False; "bits"
    are `low`, ..., `low + bound - 1`, with `bound` for each example where `per_example` is set."""

    shape: tuple[int, ...] = ()
    dist: str = "normal"
    bound: int | None = None
    low: int = 0
    examples: bool = True


@dataclass(frozen=True)
class Sampler:
    """Samples from standard normal noise of a shape per example; `path` names the noise."""

    path: str
    shape: tuple[int, ...]
    run: Callable[[Tensor], Tensor]


def classes(count: int, kinds: int = 10) -> Tensor:
    """0, 1, 2, ..., again and again."""
    return torch.arange(count) % kinds


@dataclass
class Peer:
    """A model and its objectives: name -> (batch, noise) -> the objective ("loss") and its terms.

    `draws` names the noise of each objective by path ("neg_elbo.eps"); `after` runs once an
    objective was evaluated and before its update counts (states); `hypers` are set by the
    comparison where the program schedules them; `sampler` is the program's first one,
    `choices` gives what is encoded and the codes taken, where there are codes."""

    module: nn.Module
    draws: Mapping[str, DrawSpec]
    objectives: Mapping[str, Losses]
    hypers: dict[str, float] = field(default_factory=dict)
    after: Callable[[Tensors, Tensors], None] | None = None
    sampler: Sampler | None = None
    choices: Callable[[Tensors], tuple[Tensor, Tensor]] | None = None

    def parameters(self, groups: tuple[str, ...]) -> list[nn.Parameter]:
        """The parameters of nets and free parameters, by the names of the groups."""
        found: list[nn.Parameter] = []
        for name in groups:
            part = getattr(self.module, name)
            found += [part] if isinstance(part, nn.Parameter) else list(part.parameters())
        return found

    def load(self, params: Arrays) -> None:
        """Set the weights from our parameters by path; every weight of the module is set."""
        left = {id(p) for p in self.module.parameters()}
        for path, value in params.items():
            target, tensor = target_of(self.module, path, torch.tensor(value))
            assert target.shape == tensor.shape, (path, target.shape, tensor.shape)
            with torch.no_grad():
                target.copy_(tensor)
            left.discard(id(target))
        assert not left, "some weights of the peer were not set"


_NAMES = {"w": "weight", "b": "bias", "gain": "weight", "bias": "bias", "table": "weight"}


def target_of(module: nn.Module, path: str, value: Tensor) -> tuple[Tensor, Tensor]:
    """The weight of a module that a parameter of ours is, and our value in its layout."""
    *parts, last = path.split(".")
    if not parts:
        return getattr(module, last), value
    owner: nn.Module = module
    for part in parts:
        owner = getattr(owner, f"{part}_" if keyword.iskeyword(part) else part)
    linear = isinstance(owner, nn.Linear) and last == "w"
    return getattr(owner, _NAMES.get(last, last)), value.T if linear else value


def kl_to_standard(mu: Tensor, logvar: Tensor) -> Tensor:
    """In nats, summed over the latent and averaged over the batch."""
    return 0.5 * torch.sum(logvar.exp() + mu**2 - 1 - logvar) / len(mu)


class Named(nn.Module):
    """A module made of named parts."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
