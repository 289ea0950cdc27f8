"""What a peer script offers to the comparison, and loading initial weights by our parameter names.

A peer is an ordinary `nn.Module` trained by autograd and `torch.optim.Adam`. Only its initial
weights, its batches and its noise are given from outside, so that the loss curves can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import nn

Arrays = Mapping[str, np.ndarray]


class Peer(Protocol):
    """A model and its loss. `draws` are the noises that it wants: path -> shape per example."""

    draws: Mapping[str, tuple[int, ...]]

    def module(self) -> nn.Module: ...

    def load(self, params: Arrays) -> None:
        """Set the weights from our parameters by path ("encoder.h.w", [in, out])."""

    def losses(
        self, batch: Mapping[str, torch.Tensor], noise: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """The objective ("loss") and its named terms, in nats, averaged over the batch."""


def set_linear(layer: nn.Linear, params: Arrays, path: str) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(params[f"{path}.w"]).T)
        layer.bias.copy_(torch.tensor(params[f"{path}.b"]))


def set_conv(layer: nn.Conv2d | nn.ConvTranspose2d, params: Arrays, path: str) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(params[f"{path}.w"]))
        assert layer.bias is not None
        layer.bias.copy_(torch.tensor(params[f"{path}.b"]))
