"""JAX contender: `python -m benchmarks.peers.speed.jax_step WORKLOAD jax MATERIAL`.

One `jax.jit` function with donated state per step: loss, gradients, Adam, and the noise where the
step draws its own. Written for the workloads without many convolutions (XLA's run at a quarter of
oneDNN's speed on a CPU) and for `vq_vae`, which shows that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.peers.speed.turns import Arrays, arguments, given, serve, unavailable, weights

if find_spec("jax") is None:
    unavailable("jax is not installed; `pip install -r benchmarks/requirements.txt` brings it")

import jax
import jax.numpy as jnp
from jax import lax

Params = dict[str, Any]
Noise = Mapping[str, Any]
Loss = Callable[[Params, Params, Any, Noise], Any]


def dense(p: Params, name: str, x: Any) -> Any:
    return x @ p[f"{name}.w"] + p[f"{name}.b"]


def negative_elbo(p: Params, x: Any, noise: Noise, hidden: tuple[str, ...], beta: float) -> Any:
    h = x
    for name in hidden:
        h = jax.nn.relu(dense(p, f"encoder.{name}", h))
    mu, logvar = dense(p, "encoder.mu", h), dense(p, "encoder.logvar", h)
    h = mu + jnp.exp(0.5 * logvar) * noise["neg_elbo.eps"]
    for name in hidden:
        h = jax.nn.relu(dense(p, f"decoder.{name}", h))
    logits = dense(p, "decoder.out", h)
    recon = jnp.sum(jax.nn.softplus(logits) - x * logits)
    kl = 0.5 * jnp.sum(jnp.exp(logvar) + mu * mu - 1 - logvar)
    return (recon + beta * kl) / len(x)


def mlp_vae(own: Params, rest: Params, x: Any, noise: Noise) -> Any:
    return negative_elbo({**rest, **own}, x, noise, ("h",), 1.0)


def digits_vae(own: Params, rest: Params, x: Any, noise: Noise) -> Any:
    return negative_elbo({**rest, **own}, x, noise, ("h1", "h2"), 0.25)


def score(p: Params, x: Any) -> Any:
    h = jax.nn.leaky_relu(dense(p, "discriminator.h1", x), 0.2)
    h = jax.nn.leaky_relu(dense(p, "discriminator.h2", h), 0.2)
    return dense(p, "discriminator.score", h)


def generated(p: Params, z: Any) -> Any:
    h = jax.nn.relu(dense(p, "generator.h1", z))
    h = jax.nn.relu(dense(p, "generator.h2", h))
    return jax.nn.sigmoid(dense(p, "generator.out", h))


def d_loss(own: Params, rest: Params, x: Any, noise: Noise) -> Any:
    fake = generated(rest, noise["d_loss.noise"])
    return jnp.mean((score(own, x) - 1) ** 2) + jnp.mean(score(own, fake) ** 2)


def g_loss(own: Params, rest: Params, x: Any, noise: Noise) -> Any:
    return jnp.mean((score(rest, generated(own, noise["g_loss.noise"])) - 1) ** 2)


LAYOUT = ("NHWC", "OIHW", "NHWC")


def conv(p: Params, name: str, x: Any, stride: int) -> Any:
    w = p[f"{name}.w"]
    pad = (w.shape[2] - stride) // 2
    steps, pads = (stride, stride), ((pad, pad), (pad, pad))
    y = lax.conv_general_dilated(x, w, steps, pads, dimension_numbers=LAYOUT)
    return y + p[f"{name}.b"]


def conv_up(p: Params, name: str, x: Any) -> Any:
    """The adjoint of a convolution of 4 x 4 windows, stride 2 and padding 1."""
    w = jnp.flip(p[f"{name}.w"], (2, 3)).swapaxes(0, 1)
    pads = ((2, 2), (2, 2))
    y = lax.conv_general_dilated(x, w, (1, 1), pads, (2, 2), dimension_numbers=LAYOUT)
    return y + p[f"{name}.b"]


def vq_vae(own: Params, rest: Params, x: Any, noise: Noise) -> Any:
    p, x = {**rest, **own}, x.transpose(0, 2, 3, 1)
    h = jax.nn.relu(conv(p, "encoder.h1", x, 2))
    h = jax.nn.relu(conv(p, "encoder.h2", h, 2))
    z = conv(p, "encoder.z", jax.nn.relu(conv(p, "encoder.h3", h, 1)), 1)
    book, flat = lax.stop_gradient(p["codebook"]), lax.stop_gradient(z).reshape(-1, 64)
    nearest = jnp.argmin(jnp.sum(book * book, 1) - 2 * flat @ book.T, 1)
    e = p["codebook"][nearest].reshape(z.shape)
    h = jax.nn.relu(conv(p, "decoder.h1", z + lax.stop_gradient(e - z), 1))
    h = jax.nn.relu(conv(p, "decoder.h2", h, 1))
    xhat = jax.nn.sigmoid(conv_up(p, "decoder.out", jax.nn.relu(conv_up(p, "decoder.h3", h))))
    codebook_loss = jnp.sum((e - lax.stop_gradient(z)) ** 2)
    commitment = jnp.sum((z - lax.stop_gradient(e)) ** 2)
    return (jnp.sum((xhat - x) ** 2) + codebook_loss + 0.25 * commitment) / len(x)


# Per workload: the players as (loss, names of the parts that it trains, rate, beta1).
PLAYERS: Mapping[str, tuple[tuple[Loss, tuple[str, ...], float, float], ...]] = {
    "mlp_vae": ((mlp_vae, ("encoder", "decoder"), 1e-3, 0.9),),
    "digits_vae": ((digits_vae, ("encoder", "decoder"), 1e-3, 0.9),),
    "vq_vae": ((vq_vae, ("encoder", "decoder", "codebook"), 1e-3, 0.9),),
    "lsgan": (
        (d_loss, ("discriminator",), 2e-4, 0.5),
        (g_loss, ("generator",), 2e-4, 0.5),
    ),
}


def corrected(beta: float, count: Any) -> Any:
    """1 - beta^count, without the digits that float32 would lose."""
    return -jnp.expm1(count * math.log(beta))


def updated(workload: str, state: tuple[Any, ...], x: Any, noise: Noise) -> tuple[Any, Any]:
    """The state after a step, and the losses."""
    p, m, v, count = state
    p, m, v, count, losses = dict(p), dict(m), dict(v), count + 1, []
    for loss_of, parts, rate, b1 in PLAYERS[workload]:
        own = {n: a for n, a in p.items() if n.split(".")[0] in parts}
        rest = {n: a for n, a in p.items() if n not in own}
        loss, grads = jax.value_and_grad(loss_of)(own, rest, x, noise)
        for n, g in grads.items():
            m[n] = b1 * m[n] + (1 - b1) * g
            v[n] = 0.999 * v[n] + 0.001 * g * g
            root = jnp.sqrt(v[n] / corrected(0.999, count)) + 1e-8
            p[n] = p[n] - rate / corrected(b1, count) * m[n] / root
        losses.append(loss)
    return (p, m, v, count), losses


class JaxContender:
    """A contender of the turns; see `turns.Contender`."""

    def __init__(self, workload: str, arrays: Arrays) -> None:
        params = {n: jnp.asarray(a) for n, a in weights(arrays).items()}
        zeros = {n: jnp.zeros_like(a) for n, a in params.items()}
        self.state = (params, zeros, {n: jnp.zeros_like(a) for n, a in zeros.items()}, 0.0)
        self.batches = [jnp.asarray(b) for b in arrays["batch"]]
        self.given = given(arrays)
        shapes = {k: v.shape[1:] for k, v in self.given.items()}
        self.key = jax.random.key(0)

        def own(state: Any, x: Any, key: Any) -> Any:
            key, *keys = jax.random.split(key, len(shapes) + 1)
            noise = {
                name: jax.random.normal(k, shape)
                for (name, shape), k in zip(shapes.items(), keys, strict=True)
            }
            return updated(workload, state, x, noise)[0], key

        self.own = jax.jit(own, donate_argnums=(0,))
        self.told = jax.jit(partial(updated, workload), donate_argnums=(0,))

    def given_step(self, number: int) -> list[float]:
        noise = {k: np.asarray(v[number]) for k, v in self.given.items()}
        self.state, losses = self.told(self.state, self.batches[number], noise)
        return [float(loss) for loss in losses]

    def step(self, number: int) -> None:
        x = self.batches[number % len(self.batches)]
        self.state, self.key = self.own(self.state, x, self.key)

    def wait(self) -> None:
        jax.block_until_ready(self.state)


def main() -> None:
    workload, _, arrays = arguments(("jax",))
    if workload not in PLAYERS:
        unavailable(f"there is no JAX script of {workload}")
    serve(JaxContender(workload, arrays), arrays)


if __name__ == "__main__":
    main()
