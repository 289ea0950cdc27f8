"""Syntax: E01xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E0101",
        "unexpected word",
        "A word or symbol stands where the language has no place for it; the label says what "
        "could stand there. Often a comma or an operator is missing just before it, or a "
        "keyword is misspelt at the beginning of the line.",
        "dim Z = 16 32\n",
    ),
    Entry(
        "E0102",
        "a tab in the indentation",
        "Blocks are indented with spaces, four for each level, because a tab looks different in "
        "every editor. The file is read as if a tab reached to the next multiple of four "
        "columns; `gendsl fmt` replaces them.",
        "objective v:\n\tminimize 1\n",
    ),
    Entry(
        "E0103",
        "a character that means nothing",
        "Programs are written in ASCII letters, digits and the symbols of the language; "
        "comments may hold any text. Greek letters are spelt out (`beta`), comparison is `<=`, "
        "and strings do not exist. Invisible characters, such as the non-breaking spaces of "
        "copied text, are named.",
        "hyper β = 1.0\n",
    ),
    Entry(
        "E0104",
        "unbalanced brackets",
        "An opening bracket is never closed, a closing one closes nothing, or `(` is closed by "
        "`]`. Inside brackets a line may go on, but the next lines must be indented more than "
        "the first one, or begin with the closing bracket; that is how a forgotten bracket is "
        "found where it was forgotten.",
        "const c: real = exp(1\n",
    ),
    Entry(
        "E0105",
        "wrong indentation",
        "A line that ends in `:` opens a block, and the lines of the block are indented below "
        "it, all by the same amount. A line is indented although nothing opens a block, is not "
        "indented although something does, or returns to an indentation that no block around it "
        "has.",
        "objective v:\nminimize 1\n",
    ),
    Entry(
        "E0106",
        "a missing colon",
        "Lines that open a block (`net`, `objective`, `for`, `if`, `claims`, `train` ...) end "
        "in `:`, and a claim has a name that is followed by `:`. The colon belongs at the place "
        "of the label.",
        "objective v\n    minimize 1\n",
    ),
    Entry(
        "E0107",
        "nested too deeply",
        "Brackets, blocks or operators are nested deeper than any program needs; the limit "
        "keeps every later stage from running out of stack. Bind parts of the expression to "
        "names.",
        f"const c: real = {'(' * 60}1{')' * 60}\n",
    ),
    Entry(
        "E0108",
        "a reserved word as a name",
        "The words `and else expand false fin for given if in not or rearrange return true "
        "with` cannot be names. All other keywords can, where no keyword is wanted: `step`, "
        "`batch`, `state` and `train` are good names.",
        "dim fin = 16\n",
    ),
    Entry(
        "E0109",
        "a malformed number",
        "Numbers are decimal, with digits on both sides of the point: `0.5`, `1.0`, `1e-3`. A "
        "number directly before a name is no product; write `2 * x`. Numbers are exact, so "
        "their length and exponent are bounded.",
        "hyper beta = 1. in 0..1\n",
    ),
    Entry(
        "E0110",
        "`=`, `==`, `~`, `<-`, `:` or `>=` mixed up",
        "`=` binds a name, `==` compares, `name: type ~ law` draws, `update state <- value` "
        "changes a state after the step, `:` gives a type, and `dim T = 10 >= 2` bounds a size. "
        "The label says which of them belongs at the place.",
        "dim Z == 16\n",
    ),
    Entry(
        "E0111",
        "a form of another language",
        "The line is right in Python or another language, and gendsl has another form for it: "
        "`fn` for `def`, `^` for `**`, `contract[I](x, w)` for `@`, `where(c, a, b)` for `a if "
        "c else b`, `and` for `&&`, `import nn: dense` for `from nn import dense`. The help "
        "shows the form to use.",
        "const c: real = 2 ** 3\n",
    ),
    Entry(
        "E0112",
        "not a declaration",
        "At the left margin stand declarations, and each begins with its keyword: `dim`, "
        "`data`, `net`, `objective` and so on. Statements belong, indented, into the block of "
        "one.",
        "dimm Z = 16\n",
    ),
    Entry(
        "E0113",
        "an unfinished line",
        "The line ends before its form is complete: an operator without its right side, a "
        "declaration without its value. The label lists what could come next. A line goes on "
        "over several only inside brackets, and in one-line declarations, claims and `train` "
        "lines when the next lines are indented more.",
        "dim Z =\n",
    ),
    Entry(
        "E0114",
        "a missing or malformed type",
        "Arguments, data, constants, states, parameters and draws state their type: `real`, "
        "`bool`, `fin[K]`, or axes in brackets such as `[B, Z]`, `[B] of fin[10]`, `[B, D] in "
        "0..1`. Nets and functions state their result after `->`. Nothing is guessed, so that "
        "shape errors are found at the place where they are made.",
        "fn f(x) -> real:\n    return x\n",
    ),
    Entry(
        "E0115",
        "chained comparisons",
        "A comparison gives a truth value, which the next comparison could not use. Write both "
        "comparisons, joined by `and`, or a range claim: `x in 0..1`.",
        "claims:\n    unit: 0 <= x <= 1\n",
    ),
    Entry(
        "E0116",
        "a form without meaning here",
        "The words are in order, but the form means nothing where it stands: something is "
        "called that has no name, `with` is used outside claims, `coupled` marks something "
        "other than a net or a layer, a parameter is bounded by something other than `> 0`, a "
        "range is empty, `up to` weakens something other than an equality, or a function has no "
        "argument list.",
        "claims:\n    a: kl >= 0 up to scale\n",
    ),
)
