"""Probability and the structure of objectives: E05xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

_DATA = "batch B\ndata x: [B, D] from digits\nparam centre: [D]\n\n"
_FIT = f"{_DATA}objective fit:\n    minimize mse[B, D](x, centre)\n\n"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E0501",
        "parameters outside nets and layers",
        "Parameters belong to nets, to the layers that nets call, and to `param` declarations at "
        "the top level. Objectives and functions own none, so that each parameter is in exactly "
        "one group that a training step can name.",
        f"import nn: dense\n\n{_DATA}objective o:\n    y = dense[D](x)\n"
        "    minimize mse[B, D](y, centre)\n",
    ),
    Entry(
        "E0502",
        "a draw where none is allowed",
        "Randomness is explicit: objectives, samplers, nets and kernels draw, functions do not. "
        "Declare the function as `kernel`, or draw where it is called and pass the noise.",
        "fn jitter(x: [..b, D]) -> [..b, D]:\n"
        "    noise: [..b, D] ~ normal(mean = 0, var = 1)\n    return x + noise\n",
    ),
    Entry(
        "E0503",
        "a shape that depends on the batch",
        "Parameters, constants and states exist once, whatever the batch size; their shapes cannot "
        "mention it. Usually two axes of an argument are swapped, or `[D]` is meant.",
        "batch B\ndata x: [B, D] from digits\nparam centre: [B, D]\n\nobjective o:\n"
        "    minimize mse[B, D](x, centre)\n",
    ),
    Entry(
        "E0504",
        "no value to optimise, or several",
        "An objective has exactly one `minimize` or `maximize` line. Several terms are added up "
        "there, with their weights in plain sight.",
        f"{_DATA}objective o:\n    term error = mse[B, D](x, centre)\n",
    ),
    Entry(
        "E0505",
        "a line that belongs into an objective",
        "`term`, `show`, `minimize`, `maximize` and `update` stand only in objectives.",
        "fn f(x: [D]) -> [D]:\n    term size = mean[D](square(x))\n    return x\n",
    ),
    Entry(
        "E0506",
        "data where it is not seen",
        "Only objectives, and claims about them, see data fields. Nets and functions get data as "
        "arguments; samplers run without data, or a sample could be a training example.",
        f"{_FIT}sampler copies[N = 4]() -> [N, D]:\n    return x\n",
    ),
    Entry(
        "E0507",
        "a distribution that is not written as it has to be",
        "After `~` stands `normal(mean = ..., var = ...)`, `uniform(low, high)`, `uniform(a..b)` "
        "for an index, or `bernoulli(probs = ...)`. The arguments of `normal` are named, because "
        "half of the field writes standard deviations: `var = square(std)`.",
        f"{_DATA}objective o:\n    eps: [B, D] ~ normal(mean = 0, std = 1)\n"
        "    minimize mse[B, D](x + eps, centre)\n",
    ),
    Entry(
        "E0508",
        "a training recipe that does not say what it has to",
        "A `train:` block says, each once: at least one `step OBJECTIVE over GROUPS with "
        "OPTIMIZER`, `batch B = ...` and `steps ...`; and, if wanted, `schedule`, `clip` and "
        "`ema`. Options of optimizers have the names of the catalog: `lr`, `beta1`, `beta2`, "
        "`eps`, `weight_decay`, `momentum`.",
        f"{_FIT}train:\n    step fit over centre with adam(learning_rate = 1e-3)\n"
        "    batch B = 32\n    steps 100\n",
    ),
    Entry(
        "E0509",
        "two draws with one name",
        "The bits of a draw are determined by its name (and the seed, the step and the example), "
        "so two draws of one name would be the same noise.",
        f"{_DATA}objective o:\n    eps: [B, D] ~ normal(mean = 0, var = 1)\n"
        "    eps: [B, D] ~ normal(mean = 0, var = 1)\n"
        "    minimize mse[B, D](x + eps, centre)\n",
    ),
    Entry(
        "E0510",
        "a term or objective that is not a scalar",
        "What is logged and optimised is one number. An axis is left: the mean over the batch is "
        "missing, or a sum went over the examples instead of the coordinates.",
        f"{_DATA}objective o:\n    minimize sum[D](square(x - centre))\n",
    ),
    Entry(
        "E0511",
        "two terms with one name",
        "Terms are logged and named in claims; each has a name of its own.",
        f"{_DATA}objective o:\n    term error = mse[B, D](x, centre)\n"
        "    term error = mse[D](centre, 0)\n    minimize error\n",
    ),
    Entry(
        "E0512",
        "a misplaced return",
        "A body returns once, at its end; when one branch of an `if` returns, so does the other.",
        "fn f(x: [D]) -> [D]:\n    return x\n    y = 2 * x\n",
    ),
    Entry(
        "E0513",
        "an update of something that is no state",
        "`update s <- e` changes a tensor that is declared as `state s: [...] = ...`, once for "
        "each training step and without a gradient. Parameters are changed by optimizers, "
        "everything else never changes.",
        f"{_DATA}objective o:\n    update centre <- mean[B](x)\n"
        "    minimize mse[B, D](x, centre)\n",
    ),
    Entry(
        "E0514",
        "a loop that is not of the known form",
        "Loops stand in samplers and are bounded: `for (t, s) in descending(T, S) carrying x:` or "
        "`for i in steps(n) carrying x:`. Elsewhere, repetition is a reduction over an axis.",
        "fn f(x: [D]) -> [D]:\n    y = x\n    for i in steps(3) carrying y:\n        y = 2 * y\n"
        "    return y\n",
    ),
    Entry(
        "E0515",
        "results that are missing, or returned in the wrong way",
        "A body with named results, `-> (mu: [Z], logvar: [Z])`, assigns each of them and has no "
        "`return`; any other body ends in one `return`.",
        "fn f(x: [D]) -> (low: real, high: real):\n    low = min[D](x)\n",
    ),
    Entry(
        "E0516",
        "a data field without a batch axis",
        "The first axis of a data field counts the examples: `data x: [B, C, H, W]` with "
        "`batch B`.",
        "batch B\ndata x: [C, H, W] from digits\n",
    ),
    Entry(
        "E0517",
        "a net that sees the batch",
        "Nets and layers are written for one example, with `..b` for the leading axes, so that no "
        "example can influence another by accident. One that normalises over the batch is "
        "declared as `coupled net`, and claims about single examples then do not hold for it.",
        "batch B\ndata x: [B, D] from digits\n\nnet centred(x: [B, D]) -> [B, D]:\n"
        "    return x - mean[B](x)\n\nobjective o:\n    minimize mse[B, D](centred(x), 0)\n",
    ),
    Entry(
        "E0518",
        "an unknown precision of products",
        "`precision` says how exactly products of matrices are computed: `float32` (also without "
        "the line) has float32's accuracy, `ieee` is float32 without tensor cores, `tf32` and "
        "`bf16` round the operands and add up in float32. Parameters, losses and statistics are "
        "float32 under each of them.",
        f"{_FIT}train:\n    step fit over centre with adam(lr = 1e-3)\n"
        "    batch B = 32\n    steps 100\n    precision fp16\n",
    ),
)
