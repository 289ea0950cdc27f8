"""Ill-posed claims: E06xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

_FIT = """\
batch B
hyper beta = 1.0 in 0..inf
data x: [B, D] in 0..1 from digits
param centre: [D]

objective fit:
    eps: [B, D] ~ normal(mean = 0, var = 1)
    z = x + eps
    term error = mse[B, D](z, centre)
    term size = mse[D](centre, 0)
    minimize error + beta * size

claims fit:
"""

# Codes of the checker, for claims that are not well formed.
_FORM: tuple[Entry, ...] = (
    Entry(
        "E0601",
        "a substitution that is none",
        "`e with beta = 0` replaces hyperparameters, or bound arguments, by values, and stands "
        "only in claims. Everything else in an objective is computed; to assume something about a "
        "computed value, write `given size == 0: ...`.",
        f"{_FIT}    plain: fit with size = 0 == error\n",
    ),
    Entry(
        "E0602",
        "an average over something that is not drawn",
        "`E[eps](e)` averages over named draws of the objective; other values have no "
        "distribution.",
        f"{_FIT}    centred: E[z](error) >= 0\n",
    ),
    Entry(
        "E0603",
        "a value where a statement is wanted",
        "A claim is true or false: a comparison, a combination of such by `and`, `or`, `not`, "
        "`iff`, or one of the forms with words, such as `is nondecreasing in beta`.",
        f"{_FIT}    positive: error\n",
    ),
    Entry(
        "E0604",
        "a claim about gradients of another form",
        "`grad(value, group)` is the gradient of a scalar for all parameters of a group (a net or "
        "a free parameter). Sums of these, with factors, are compared by `==`; 0 says that all "
        "entries are zero.",
        f"{_FIT}    flow: grad(size, centre) >= 0\n",
    ),
    Entry(
        "E0605",
        "a Lipschitz claim of another form",
        "`lipschitz(e, x, l2) <= L` is about e as a function of a bound argument x of the claims "
        "block, in the norm l1, l2 or max.",
        f"{_FIT}    contraction: lipschitz(z, x, l2) <= 1\n",
    ),
    Entry(
        "E0606",
        "a claim about examples without a batch axis",
        "`is separable over B` and `is unchanged by repeating the batch` are about the axis that "
        "counts examples, declared by `batch`.",
        f"{_FIT}    per_example: fit is separable over D\n",
    ),
    Entry(
        "E0607",
        "an iteration of another form",
        "`iterate(step, x, t, ...)` applies a kernel `step(x, index, ...)` t times to x, where t "
        "is bound by `for all t in 0..T`. The law of the result is proved by induction.",
        f"{_FIT}    forward: iterate(noise, x, 3) has law normal(mean = 0, var = 1)\n",
    ),
    Entry(
        "E0608",
        "a bound on something that is not a modelled likelihood",
        "`e bounds nll(x) under z: PRIOR, x given z: LIKELIHOOD, posterior LAW` names the latent "
        "variable z as the objective does, and x is the data.",
        f"{_FIT}    bound: fit bounds nll(x) under w: normal(mean = 0, var = 1), "
        "x given w: normal(mean = z, var = 1), posterior normal(mean = x, var = 1)\n",
    ),
    Entry(
        "E0609",
        "a law that is not written as it has to be",
        "Laws are `normal(mean = ..., var = ...)`, `normal(mean = ..., cov = ...)`, "
        "`bernoulli(logits = ...)`, `uniform(low = ..., high = ...)` and `categorical(logits = "
        "...)`. `var` is a variance, never a standard deviation.",
        f"{_FIT}    law: z has law normal(mean = x, std = 1)\n",
    ),
    Entry(
        "E0610",
        "two claims with one name",
        "Reports, proofs and manifests refer to claims by name, so a program has each name once.",
        f"{_FIT}    positive: error >= 0\n    positive: size >= 0\n",
    ),
    Entry(
        "E0611",
        "more arguments than the function has",
        "`claims f(a, b):` binds a and b to all values that f takes, in the order of its "
        "parameters; there may be fewer names than parameters, not more.",
        "fn double(x: real) -> real:\n    return 2 * x\n\nclaims double(x, y):\n"
        "    linear: double(x + y) == double(x) + double(y)\n",
    ),
)

_INSTALLED = "depends on what is installed on the machine"

_JUDGE = (
    Entry(
        "E0671",
        "no coqc was found",
        "`gendsl check --coq` asks Coq, and no `coqc` is on the path. Install it: `apt-get install "
        "coq` (Debian, Ubuntu), `brew install coq` (macOS), or opam; any version from 8.16 on. "
        "Verdicts do not depend on it: without `--coq` they are the same.",
        "",
        _INSTALLED,
    ),
    Entry(
        "E0672",
        "Coq does not compile gendsl's lemmas",
        "The file of lemmas that exported proofs rest on, `GendslLib.v`, is not accepted by the "
        "`coqc` on the path: it is older than 8.16, or its standard library is not installed. "
        "Nothing was judged.",
        "",
        _INSTALLED,
    ),
)

ENTRIES: tuple[Entry, ...] = (*_FORM, *_JUDGE)
