"""PyTorch contenders on the device; each is one training step as a call without arguments.

- eager: autograd and `torch.optim.Adam` as it comes.
- eager graph: the same with `Adam(fused=True, capturable=True)`, captured by hand as a CUDA graph.
- compile: `torch.compile(model, mode="max-autotune")`, which brings CUDA graphs, and fused Adam.
- compile graph: loss, gradients and Adam as one function compiled with max-autotune, and the whole
  of it captured by hand as a CUDA graph.

Noise is drawn by torch inside of the step; the batch is copied in from pinned memory, where it lies
as the model reads it. Nothing else in a step asks where tensors are made (`torch.device` as a
context costs every call of torch some microseconds).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.device import Device, Work
from benchmarks.peers.speed.torch_models import MODELS, Model
from benchmarks.peers.speed.torch_step import load, parameters

Losses = Callable[[Tensor], list[Tensor]]


def use(policy: str) -> None:
    """The same precision for every product and convolution of a contender."""
    torch.backends.cuda.matmul.allow_tf32 = policy == "tf32"
    torch.backends.cudnn.allow_tf32 = policy == "tf32"


def by_autograd(model: Model, loss_of: Callable[..., Tensor], **adam: Any) -> Losses:
    """Backward and one Adam per player, with noise drawn here."""
    trained = [(p, list(parameters(model, p).values())) for p in model.players]
    optimizers = [
        torch.optim.Adam(params, lr=p.lr, betas=(p.beta1, 0.999), **adam) for p, params in trained
    ]

    def step(x: Tensor) -> list[Tensor]:
        losses, noise = [], drawn(model, x)
        for (player, params), optimizer in zip(trained, optimizers, strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(x, noise, player.name)
            loss.backward(inputs=params)
            optimizer.step()
            losses.append(loss.detach())
        return losses

    return step


def drawn(model: Model, x: Tensor) -> Mapping[str, Tensor]:
    """The noise of a step, on the device of the batch."""
    with torch.device(x.device):
        return model.draw(len(x))


def jointly(model: Model) -> Losses:
    """One compiled function; see `benchmarks.peers.speed.torch_step.joint_update`."""
    from benchmarks.peers.speed.torch_step import joint_update

    update = joint_update(model, "max-autotune-no-cudagraphs")
    return lambda x: update(x, drawn(model, x))


MAKERS: Mapping[str, Callable[[Model, Device], Losses]] = {
    "eager": lambda model, _: by_autograd(model, model),
    "eager graph": lambda model, d: by_autograd(
        model, model, **({"fused": True, "capturable": True} if d.cuda else {})
    ),
    "compile": lambda model, _: by_autograd(
        model, torch.compile(model, mode="max-autotune"), fused=True
    ),
    "compile graph": lambda model, _: jointly(model),
}


def contender(
    kind: str, workload: str, device: Device, params: Mapping[str, Any], batches: list[Any]
) -> Work:
    """A step of `kind`, ready to be timed: compiled and captured."""
    with torch.device(device.name):
        model = MODELS[workload]()
        if model.images and kind != "eager":
            model.to(memory_format=torch.channels_last)
        load(model, {k: np.asarray(v) for k, v in params.items()})
        losses = MAKERS[kind](model, device)
    held = [torch.from_numpy(b) for b in batches]
    if model.images and kind != "eager":
        held = [b.contiguous(memory_format=torch.channels_last) for b in held]
    held = [b.pin_memory() for b in held] if device.cuda else held
    x = held[0].to(device.name)

    def compute() -> list[Tensor]:
        return losses(x)

    compute()
    replay = device.graph(compute) if kind.endswith("graph") else compute
    number = 0

    def step() -> None:
        nonlocal number
        x.copy_(held[number % len(held)], non_blocking=True)
        number += 1
        replay()

    return step
