"""Shapes: E04xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E0401",
        "a tensor of another shape is wanted",
        "The sizes of an argument, a result or a contracted axis are not those that are declared. "
        "Sizes are names, so this is decided for all sizes: two that are equal numbers by chance "
        "do not match. The message says which size stands where another is wanted and, for a size "
        "that another argument determined, which argument that was.",
        "dim hidden = 256\ndim Z = 16\n\nfn decode(z: [..b, Z]) -> [..b]:\n"
        "    return sum[Z](z)\n\n"
        "fn f(h: [..b, hidden]) -> [..b]:\n    return decode(h)\n",
    ),
    Entry(
        "E0402",
        "operands that do not align",
        "Operands of arithmetic meet axis by axis by *label*; the smaller one's labels are, in "
        "order, among the larger one's (`[B, H] + [H]`). Nothing else is broadcast: not an axis of "
        "size 1, not two axes of equal size. For all pairs, write the outer product with `expand`; "
        "for another order, `rearrange`.",
        "fn f(x: [B], centres: [K]) -> [B, K]:\n    return x - centres\n",
    ),
    Entry(
        "E0403",
        "not a size",
        "Sizes are whole numbers >= 1: declared by `dim`, `batch` or a data field, or made of such "
        "by + - * /. Hyperparameters and tensors are never sizes, so that shapes never depend on "
        "values.",
        "hyper width = 64\n\nfn f(x: real) -> [width]:\n    return 0\n",
    ),
    Entry(
        "E0404",
        "a division of sizes that is not exact",
        "`H / 4` stands for an exact quotient and brings the condition that 4 divides H. A "
        "quotient by a sum, or of numbers that do not divide, has no such form.",
        "fn f(x: [n: 30]) -> [g: 30 / 4]:\n    return 0\n",
    ),
    Entry(
        "E0405",
        "a spread in the wrong place",
        "`..b` stands for any number of leading axes. Parameters introduce it, with a name, and "
        "the body can use it; `[..]` alone stands only in reductions, for all axes.",
        "fn f(x: [.., D]) -> real:\n    return 0\n",
    ),
    Entry(
        "E0406",
        "two axes with one label",
        "Labels in one type are distinct, because everything that reduces, aligns or rearranges "
        "goes by label. An axis is labelled by its size unless it is given a label: "
        "`[q: N, k: N]`.",
        "fn f(x: [N, N]) -> real:\n    return 0\n",
    ),
    Entry(
        "E0407",
        "a size that nothing determines",
        "A size of a call is given in brackets (`dense[hidden](x)`) or follows from the shapes of "
        "the arguments. This one is neither.",
        "import nn: dense\n\nnet f(x: [..b, D]) -> [..b, D]:\n    return dense(x)\n",
    ),
    Entry(
        "E0408",
        "brackets that do not fit",
        "The call has too many sizes in brackets, needs some, or is of a function that works entry "
        "by entry and has nothing to say there.",
        "fn f(x: [D]) -> [D]:\n    return exp[D](x)\n",
    ),
    Entry(
        "E0409",
        "reduced axes that are not the ones named",
        "A function declared with a spread in brackets, like `mse[..s]`, reduces these axes, and "
        "the call names them all: `mse[B, D](a, b)`. So each program shows over what its losses "
        "are averaged. `[..]` stands for all.",
        "fn f(a: [N, D], b: [N, D]) -> real:\n    return mse[N](a, b)\n",
    ),
    Entry(
        "E0410",
        "sizes that break a condition",
        "Layers and reshapes bring conditions on sizes, such as `4 | H` (two halvings) or "
        "`S <= T`. Here the sizes are numbers, and the condition fails. Data that is bound later "
        "is checked in the same way when it is bound.",
        "import nn: conv\n\nnet encoder(x: [..b, C, H: 7, W: 7]) -> [..b, f: 8, y: 4, x: 4]:\n"
        "    return conv[f: 8, k: 4, s: 2](x)\n",
    ),
    Entry(
        "E0411",
        "one net at two sizes",
        "A net has one set of parameters, shared by all its calls, so each of its sizes has one "
        "value. For two sizes, declare two nets.",
        "import nn: dense\n\nbatch B\ndata x: [B, D] from digits\n\n"
        "net head(x: [..b, I]) -> [..b, k: 3]:\n    return dense[k: 3](x)\n\nobjective o:\n"
        "    first = head(x)\n    second = head(first)\n"
        "    minimize mean[..](square(second))\n",
    ),
    Entry(
        "E0412",
        "a reshape that does not add up",
        "`rearrange x: [source] -> [target]` names every factor of the source, and uses each once "
        "in the target; in a group at most one factor is of unknown size. `expand` keeps every "
        "axis, in order, and adds new ones.",
        "fn f(x: [C, H, W]) -> [(H W)]:\n    return rearrange x: [C, H, W] -> [(H W)]\n",
    ),
    Entry(
        "E0413",
        "a reduction over an axis that is not there, or not named",
        "Reductions say over what: `sum[Z](...)`, `mean[B](...)`, `softmax[k](...)`; there is no "
        "bare `mean`, because most wrong losses are a mean for a sum. The labels are those of the "
        "operand.",
        "fn f(x: [D]) -> real:\n    return mean(x)\n",
    ),
    Entry(
        "E0414",
        "a slice beyond the end",
        "`slice[f](x, start = s, size = n)` takes the entries s, s + 1, ..., s + n - 1, which have "
        "to exist for all sizes.",
        "fn f(x: [f: Z]) -> [f: Z]:\n    return slice[f](x, start = 1, size = Z)\n",
    ),
    Entry(
        "E0415",
        "a stride or kernel size that is not a number",
        "Strides, kernel sizes and paddings shape the code that is generated; they are numbers, or "
        "sizes that a call gives as numbers: `conv[f: 32, k: 4, s: 2](x)`.",
        "import nn: conv\n\ndim S = 2\n\n"
        "net f(x: [..b, C, H, W]) -> [..b, f: 8, y: H / S, x: W / S]:\n"
        "    return conv[f: 8, k: 2, s: S](x)\n",
    ),
)
