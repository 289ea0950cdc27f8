"""numpy contender, by hand: `python -m benchmarks.peers.speed.numpy_step mlp_vae numpy MATERIAL`.

The backward pass is written out, the two heads are one product, updates are in place.
"""

from __future__ import annotations

import numpy as np

from benchmarks.peers.speed.turns import Arrays, arguments, given, serve, unavailable, weights

LR, B1, B2, EPS = np.float32(1e-3), np.float32(0.9), np.float32(0.999), np.float32(1e-8)


class NumpyContender:
    """The MLP VAE; see `turns.Contender`."""

    def __init__(self, arrays: Arrays) -> None:
        start = weights(arrays)
        heads = [
            np.concatenate([start[f"encoder.{h}.{k}"] for h in ("mu", "logvar")], -1) for k in "wb"
        ]
        layers = {
            "h": (start["encoder.h.w"], start["encoder.h.b"]),
            "heads": heads,
            "c": (start["decoder.h.w"], start["decoder.h.b"]),
            "out": (start["decoder.out.w"], start["decoder.out.b"]),
        }
        self.p = {
            f"{n}.{k}": a.copy()
            for n, pair in layers.items()
            for k, a in zip("wb", pair, strict=True)
        }
        self.m = {k: np.zeros_like(a) for k, a in self.p.items()}
        self.v = {k: np.zeros_like(a) for k, a in self.p.items()}
        self.count = 0
        self.batches = list(arrays["batch"])
        self.given = given(arrays)["neg_elbo.eps"]
        self.rng = np.random.default_rng(0)

    def update(self, x: np.ndarray, eps: np.ndarray) -> np.float32:
        p, n = self.p, np.float32(len(x))
        h = np.maximum(x @ p["h.w"] + p["h.b"], 0)
        heads = h @ p["heads.w"] + p["heads.b"]
        mu, logvar = heads[:, : eps.shape[1]], heads[:, eps.shape[1] :]
        sd = np.exp(np.float32(0.5) * logvar)
        variance = sd * sd
        z = mu + sd * eps
        c = np.maximum(z @ p["c.w"] + p["c.b"], 0)
        r = c @ p["out.w"] + p["out.b"]
        small = np.exp(-np.abs(r))
        recon = np.sum(np.maximum(r, 0) + np.log1p(small) - x * r)
        loss = (recon + np.float32(0.5) * np.sum(variance + mu * mu - 1 - logvar)) / n
        g: dict[str, np.ndarray] = {}
        dr = (np.where(r >= 0, 1, small) / (1 + small) - x) / n
        g["out.w"], g["out.b"] = c.T @ dr, dr.sum(0)
        dc = (dr @ p["out.w"].T) * (c > 0)
        g["c.w"], g["c.b"] = z.T @ dc, dc.sum(0)
        dz = dc @ p["c.w"].T
        dlogvar = np.float32(0.5) * (dz * eps * sd + (variance - 1) / n)
        dheads = np.concatenate([dz + mu / n, dlogvar], 1)
        g["heads.w"], g["heads.b"] = h.T @ dheads, dheads.sum(0)
        dh = (dheads @ p["heads.w"].T) * (h > 0)
        g["h.w"], g["h.b"] = x.T @ dh, dh.sum(0)
        self.adam(g)
        return loss

    def adam(self, gradients: dict[str, np.ndarray]) -> None:
        self.count += 1
        rate = LR / (1 - B1**self.count)
        root = np.sqrt(1 - B2**self.count)
        for key, g in gradients.items():
            m, v = self.m[key], self.v[key]
            m += (1 - B1) * (g - m)
            g *= g
            v += (1 - B2) * (g - v)
            np.sqrt(v, out=g)
            g /= root
            g += EPS
            np.divide(m, g, out=g)
            g *= rate
            self.p[key] -= g

    def given_step(self, number: int) -> list[float]:
        return [float(self.update(self.batches[number], self.given[number]))]

    def step(self, number: int) -> None:
        x = self.batches[number % len(self.batches)]
        self.update(x, self.rng.standard_normal(self.given.shape[1:], dtype=np.float32))

    def wait(self) -> None:
        """Everything is done when it returns."""


def main() -> None:
    workload, _, arrays = arguments(("numpy",))
    if workload != "mlp_vae":
        unavailable(f"there is no numpy script of {workload}: by hand for mlp_vae only")
    serve(NumpyContender(arrays), arrays)


if __name__ == "__main__":
    main()
