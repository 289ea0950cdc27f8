"""gendsl: a typed language for generative models that proves what it trains.

A program is a page of text; this package turns it into one graph, proves the program's claims about
that graph, and compiles, trains and samples the same graph. The folders are the pipeline, and an
arrow between them goes one way (import-linter holds it):

    source/       text, spans, reading files
    diagnostics/  problems as data: codes, labels, one help; the catalog; rendering
    syntax/       tokens, the LALR machine, recovery, the AST, printer and formatter
    shape/        sizes (exact Laurent polynomials) and tensor types (labelled axes, spreads)
    core/         names, types, sizes: `from_syntax.check` makes a `Program` of typed terms, checked
                  once for all sizes
    ir/, ops/     the graph: hash-consed nodes; one class per op with its typing rule, numpy
                  meaning, gradient, facts, targets; text form and hash; evaluator; plans
    passes/       graph to graph: gradients, the joint training step, optimizers, simplification
    lower/        terms to nodes: instantiates polymorphic bodies; claims over nodes
    prove/        claims to verdicts: a small kernel of rules, and untrusted search around it
    driver.py     the front half as a table: read, parse, check, lower, prove
    data/         data sets: readers, bundled ones, fetching, binding to a program's fields
    run/          the back half: sessions, checkpoints, metrics, pictures, reports
    target.py     what a backend offers; the backends are in the package `backends`
    noise.py      the counter-based random numbers that every target draws
    cache.py      files that save a later run what an earlier one made
    cli/          the commands

Where to start reading: `driver.py`, then the docstring of the package that does what you look for.
The language is described in `grammar/reference.md`, next to its grammar.
A new op is one class in `ops/`; a new layer, loss, schedule or sampler is a few lines of `.gml` in
`stdlib/`, with its claims; a new diagnostic is one entry in `diagnostics/codes/` and its example.
"""

__version__ = "0.1.0"
