"""Differentiation: E07xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        code="E0701",
        title="no gradient flows through this op",
        explanation=(
            "A derivative is asked for, by a training step or by `grad[x](y)`, and a value between "
            "the two ends comes from an op that has no derivative rule: a loop of a sampler keeps "
            "only its last values, so that nothing can be carried back through its iterations. Ops "
            "that yield indices or truth values (`argmin`, `<`) are no error: nothing flows "
            "through them and the gradient is zero there. Put `stop_grad(...)` around the value if "
            "no gradient is meant to flow, or differentiate one iteration, inside the loop."
        ),
        example="""\
dim Z = 4
dim T = 10

sampler walk[N = 8] -> [N, Z]:
    x: [N, Z] ~ normal(mean = 0, var = 1)
    y = x
    for (t, s) in descending(T, T) carrying y:
        y = tanh(y)
    return grad[x](sum[N, Z](y))
""",
    ),
)
