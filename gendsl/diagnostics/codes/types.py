"""Types and ranges: E03xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E0301",
        "another kind of value is wanted",
        "Values are real numbers, indices (`of fin[K]`: one of 0, 1, ..., K - 1) or Booleans, and "
        "none turns into another silently: a class label is not a quantity. `index(y)` makes a "
        "real of an index, `one_hot[K](y)` a vector, `where(c, a, b)` chooses by a Boolean.",
        "batch B\ndata y: [B] of fin[10] from digits\n\nobjective o:\n"
        "    minimize mean[B](square(y - 3))\n",
    ),
    Entry(
        "E0302",
        "a constant is wanted",
        "Exponents, defaults and the values of hyperparameters are numbers, or arithmetic of "
        "numbers, that are known before the program runs.",
        "fn f(x: [D], y: real) -> [D]:\n    return x ^ y\n",
    ),
    Entry(
        "E0303",
        "a function where a value is wanted, or the reverse",
        "Functions, nets and layers are called; values are not. An entry of a tensor is looked up "
        "in brackets: `codebook[k]`. Samplers run after training and are never called.",
        "fn f(x: [D]) -> [D]:\n    return x(0)\n",
    ),
    Entry(
        "E0304",
        "a value outside its declared range",
        "Ranges are part of types: `x: [B, D] in 0..1`. The checker computes the range of every "
        "expression (a `sigmoid` is in 0..1, `2 * x - 1` of it in -1..1) and compares it where a "
        "range is declared: arguments, results, defaults, constants, draws, schedules. So a `tanh` "
        "output is never drawn, or compared, as if it were in 0..1.",
        "import nn: dense\n\nnet decoder(z: [..b, Z]) -> [..b, D: 64] in 0..1:\n"
        "    return tanh(dense[D: 64](z))\n",
    ),
    Entry(
        "E0305",
        "a range that makes no sense",
        "A range has two constant ends, the lower one first: `0..1`, `-1..1`, `0..inf`. Only real "
        "tensors have one; the range of an index is its type `fin[K]`. Parameters and states have "
        "none, since training changes them: `param p: [D] > 0` stays positive, and `sigmoid(p)` is "
        "between 0 and 1.",
        "hyper beta = 1.0 in 1..0\n",
    ),
    Entry(
        "E0307",
        "another number of results",
        "A call with several results is destructured into as many names: `mu, logvar = "
        "encoder(x)`. It cannot stand inside an expression, where one value is wanted.",
        "fn halves(x: [f: 2 * Z]) -> (a: [f: Z], b: [f: Z]):\n"
        "    a = slice[f](x, start = 0, size = Z)\n    b = slice[f](x, start = Z, size = Z)\n\n"
        "fn g(x: [f: 2 * Z]) -> [f: Z]:\n    return 2 * halves(x)\n",
    ),
    Entry(
        "E0308",
        "arguments that do not match the parameters",
        "An argument is missing, one too many, given twice, or named as no parameter is. Arguments "
        "go by place or by name; named ones may stand in any order after the others.",
        "import gaussian: reparameterize\n\n"
        "fn sample(mu: [..b, Z], logvar: [..b, Z]) -> [..b, Z]:\n"
        "    return reparameterize(mu, logvar)\n",
    ),
    Entry(
        "E0309",
        "a choice by a value that is not static",
        "`if` chooses while the program is compiled, by a flag (`train: bool = false`) that each "
        "call sets; there is no global mode. To choose by a tensor's values, entry by entry, use "
        "`where(condition, a, b)`.",
        "fn f(x: real) -> real:\n    if x > 0:\n        y = x\n    else:\n        y = 0\n"
        "    return y\n",
    ),
    Entry(
        "E0310",
        "an argument that is not a fitting net",
        "The parameter is declared as `net(...) -> ...`, so the argument is the name of a net (or "
        "function) with as many parameters and results.",
        "fn twice(f: net(x: [..b, Z]) -> [..b, Z], x: [..b, Z]) -> [..b, Z]:\n"
        "    return f(f(x))\n\n"
        "fn g(x: [..b, Z]) -> [..b, Z]:\n    return twice(x, x)\n",
    ),
    Entry(
        "E0311",
        "an index of another bound",
        "An axis of size K is indexed by values of `fin[K]`, which cannot be out of range; "
        "schedules with T + 1 entries by `fin[T + 1]`. `widen(k)` embeds an index in a bound that "
        "is larger by one, `last[K]()` is the largest index. Constant indices are compared with "
        "the size.",
        "fn f(x: [T]) -> real:\n    return x[T]\n",
    ),
    Entry(
        "E0312",
        "results bound in the wrong order",
        "Results are taken by place, and a name on the left is the name of a result in another "
        "place: almost certainly two are swapped, which no shape would reveal.",
        "fn moments(x: [D]) -> (mean_: real, spread: real):\n    mean_ = mean[D](x)\n"
        "    spread = mean[D](abs(x))\n\n"
        "fn g(x: [D]) -> real:\n    spread, mean_ = moments(x)\n    return mean_\n",
    ),
)
