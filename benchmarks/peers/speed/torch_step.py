"""PyTorch contenders: `python -m benchmarks.peers.speed.torch_step WORKLOAD CONTENDER MATERIAL`.

- eager: autograd, `torch.optim.Adam` as it comes.
- eager_fused: `Adam(fused=True)`, and channels_last for image models.
- compile: `torch.compile` of the model, otherwise as eager_fused.
- compile_joint: loss, gradients and Adam in one `torch.compile(fullgraph=True)`, channels_last.
- compile_max: the same with mode "max-autotune".

Noise is drawn by torch outside of the compiled function in every contender, so that the compared
and the timed steps are the same function.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from benchmarks.peers.common import target_of
from benchmarks.peers.speed.torch_models import MODELS, Model, Player
from benchmarks.peers.speed.turns import Arrays, arguments, given, serve, unavailable, weights

CONTENDERS = ("eager", "eager_fused", "compile", "compile_joint", "compile_max")
Update = Callable[[Tensor, Mapping[str, Tensor]], list[Tensor]]


def load(model: Model, params: Arrays) -> None:
    """Our weights by path; those that one layer holds side by side are joined first."""
    left = {id(p) for p in model.parameters()}
    joined = dict(params)
    for owner, parts in model.merged.items():
        for last in ("w", "b"):
            joined[f"{owner}.{last}"] = np.concatenate(
                [joined.pop(f"{p}.{last}") for p in parts], -1
            )
    for path, value in joined.items():
        target, tensor = target_of(model, path, torch.tensor(value))
        assert target.shape == tensor.shape, (path, target.shape, tensor.shape)
        with torch.no_grad():
            target.copy_(tensor)
        left.discard(id(target))
    assert not left, "some weights of the peer were not set"


def parameters(model: Model, player: Player) -> dict[str, nn.Parameter]:
    return {n: p for n, p in model.named_parameters() if n.split(".")[0] in player.parts}


def autograd_update(model: Model, compiled: bool, fused: bool) -> Update:
    """Backward and one `torch.optim.Adam` per player."""
    loss_of = torch.compile(model) if compiled else model
    trained = [(p, list(parameters(model, p).values())) for p in model.players]
    kind = {"fused": True} if fused else {}
    optimizers = [
        torch.optim.Adam(params, lr=p.lr, betas=(p.beta1, 0.999), **kind) for p, params in trained
    ]

    def update(x: Tensor, noise: Mapping[str, Tensor]) -> list[Tensor]:
        losses = []
        for (player, params), optimizer in zip(trained, optimizers, strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(x, noise, player.name)
            loss.backward(inputs=params if len(trained) > 1 else None)
            optimizer.step()
            losses.append(loss.detach())
        return losses

    return update


def joint_update(model: Model, mode: str | None) -> Update:
    """Loss, gradients and Adam as one function, compiled whole."""
    trained = [(p, parameters(model, p)) for p in model.players]
    first = [{n: torch.zeros_like(p) for n, p in params.items()} for _, params in trained]
    second = [{n: torch.zeros_like(p) for n, p in params.items()} for _, params in trained]
    rest = {n: p.detach() for n, p in model.named_parameters()}
    count = torch.zeros(())

    def whole(x: Tensor, noise: Mapping[str, Tensor]) -> list[Tensor]:
        count.add_(1)
        losses = []
        for (player, params), m, v in zip(trained, first, second, strict=True):

            def loss_of(own: Mapping[str, Tensor], name: str = player.name) -> Tensor:
                return functional_call(model, {**rest, **own}, (x, noise, name))

            own = {n: rest[n] for n in params}
            grads, loss = grad_and_value(loss_of)(own)
            b1, b2 = player.beta1, 0.999
            # 1 - b^count, without the digits that float32 would lose.
            root = (-torch.expm1(count * math.log(b2))).sqrt()
            rate = player.lr / -torch.expm1(count * math.log(b1))
            for n, g in grads.items():
                m[n].mul_(b1).add_(g, alpha=1 - b1)
                v[n].mul_(b2).add_(g * g, alpha=1 - b2)
                rest[n].sub_(rate * m[n] / (v[n].sqrt() / root + 1e-8))
            losses.append(loss)
        return losses

    return torch.compile(whole, fullgraph=True, mode=mode)


class TorchContender:
    """A contender of the turns; see `turns.Contender`."""

    def __init__(self, workload: str, contender: str, arrays: Arrays) -> None:
        self.contender = contender
        self.model = MODELS[workload]()
        self.last = self.model.images and contender != "eager"
        if self.last:
            self.model.to(memory_format=torch.channels_last)
        self.batches = [self.layout(torch.from_numpy(b)) for b in arrays["batch"]]
        self.given = {k: torch.from_numpy(v) for k, v in given(arrays).items()}
        load(self.model, weights(arrays))
        self.update = self.made()

    def layout(self, x: Tensor) -> Tensor:
        if self.last and x.dim() == 4:
            return x.contiguous(memory_format=torch.channels_last)
        return x

    def made(self) -> Update:
        match self.contender:
            case "compile_joint":
                return joint_update(self.model, None)
            case "compile_max":
                return joint_update(self.model, "max-autotune")
            case kind:
                return autograd_update(self.model, kind == "compile", kind != "eager")

    def given_step(self, number: int) -> list[float]:
        noise = {k: self.layout(v[number]) for k, v in self.given.items()}
        return [loss.item() for loss in self.update(self.batches[number], noise)]

    def step(self, number: int) -> None:
        x = self.batches[number % len(self.batches)]
        noise = self.model.draw(len(x))
        if not self.last:
            noise = {k: v.contiguous() for k, v in noise.items()}
        self.update(x, noise)

    def wait(self) -> None:
        """Everything on the CPU is done when it returns."""


def main() -> None:
    workload, contender, arrays = arguments(CONTENDERS)
    if contender.startswith("compile") and shutil.which("g++") is None:
        unavailable("torch.compile needs g++, which is not installed")
    serve(TorchContender(workload, contender, arrays), arrays)


if __name__ == "__main__":
    main()
