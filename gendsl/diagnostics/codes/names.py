"""Names: E02xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E0201",
        "an unknown name",
        "The name is neither bound above in this body, nor a parameter, nor declared at the top "
        "level. A body sees its own names, the module's declarations and imports, and the prelude; "
        "nothing of other bodies. Often it is misspelt, or the value was made in another net and "
        "has to be returned from there.",
        "fn f(x: [D]) -> [D]:\n    return x + shift\n",
    ),
    Entry(
        "E0202",
        "an unknown size",
        "A size in brackets is a number, a declared size (`dim`, `batch`, or named by a data "
        "field) or arithmetic of these. In a signature, naming a new size introduces it; "
        "everywhere else it has to exist.",
        "fn f(x: [D]) -> [D]:\n    pairs = expand x: [D] -> [D, E]\n    return sum[E](pairs)\n",
    ),
    Entry(
        "E0203",
        "an unknown function",
        "Nothing of this name can be called here: it is not built in, not declared in this file, "
        "not imported, and not in the prelude. Layers and losses of the standard library have to "
        "be imported: `import nn: dense`.",
        "net f(x: [..b, D]) -> [..b, k: 3]:\n    return dense[k: 3](x)\n",
    ),
    Entry(
        "E0204",
        "two layers with one name",
        "A layer call owns parameters, which are named after the name that it is bound to: "
        "`h = dense[hidden](x)` in `encoder` makes `encoder.h.w`. Two anonymous calls in one "
        "expression would share one name. Bind each to a name of its own; to share the parameters "
        "on purpose, bind the layer first (`block = dense[hidden]`) and call it twice.",
        "import nn: dense\n\nnet f(x: [..b, D]) -> [..b, k: 3]:\n"
        "    return dense[k: 3](dense[h: 8](x))\n",
    ),
    Entry(
        "E0205",
        "a name that is already taken",
        "A module has one namespace, and nothing in a body may hide a declaration: a reader must "
        "not have to wonder which `beta` is meant. Only data fields may be hidden, by samplers and "
        "functions, which cannot see data anyway. Choose another name.",
        "dim Z = 16\n\nfn f(x: real) -> real:\n    Z = 2 * x\n    return Z\n",
    ),
    Entry(
        "E0206",
        "a name of another kind",
        "The name exists, or not, but here something particular is wanted: an objective, a "
        "parameter group (a net or a free parameter), an optimizer, a batch axis, or what a block "
        "of claims is about.",
        "batch B\ndata x: [B, D] from digits\nparam centre: [D]\n\nobjective fit:\n"
        "    minimize mse[B, D](x, centre)\n\ntrain:\n"
        "    step fit over center with adam(lr = 1e-3)\n    batch B = 32\n    steps 100\n",
    ),
    Entry(
        "E0207",
        "modules that import each other",
        "Imports form no circle: a module is checked after those that it imports. Move what both "
        "need into a third module.",
        "",
        "two files import each other, `a` with `import b: g` and `b` with `import a: f`",
    ),
    Entry(
        "E0208",
        "a module that does not exist",
        "A module is a `.gml` file in the standard library or beside the importing program; there "
        "is no other search path, and no package manager.",
        "import gausian: reparameterize\n",
    ),
    Entry(
        "E0209",
        "a module that lacks the imported name",
        "The module exists, and does not declare this name. Names that a module itself imports are "
        "not passed on: import them from where they are declared.",
        "import gaussian: reparametrize\n",
    ),
    Entry(
        "E0210",
        "recursion",
        "A function may not call itself, directly or through others: checking a program always "
        "ends. Repetition is a reduction over an axis, or a loop in a sampler.",
        "fn f(x: real) -> real:\n    return f(x / 2)\n",
    ),
    Entry(
        "E0211",
        "an import that needs more of its module",
        "A function of a module, or a value, uses a size, hyperparameter, constant, parameter or "
        "state of that module. Such a thing has one value in a program (a default, `--set`, what "
        "training makes of it), so the program names it, too: add it to the import. Where the "
        "program has another declaration of that name, one of the two has to be renamed.",
        "",
        "a module `steps` has `dim T = 10` and a function that uses it; `import steps: f` lacks T",
    ),
)
