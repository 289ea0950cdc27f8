"""Many errors in a file: each is reported once, at its line, and the rest of the file is read."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gendsl.diagnostics.model import Sink
from gendsl.source.text import SourceFile
from gendsl.syntax import table
from gendsl.syntax.parse import parse
from tests.syntax.compare import errors, parsed

HERE = Path(__file__).parent
PAPERS = (HERE / "papers.gml").read_text(encoding="utf-8")
EVERY_FORM = (HERE / "every_form.gml").read_text(encoding="utf-8")

# A line of papers.gml (which holds it once), and the same line with one mistake.
MISTAKES = [
    ("import nn: dense", "import nn dense"),
    ("dim hidden = 256", "dim hidden == 256"),
    ("hyper beta = 1.0 in 0..inf", "hyper beta = 1. in 0..inf"),
    ("data x: [B, (C H W)] in 0..1 from digits", "data x: [B, (C H W] in 0..1 from digits"),
    ("net encoder(x: [..b, D]) -> (mu", "net encoder(x: [..b, D]) => (mu"),
    ("    mu = dense[Z](h)", "    mu dense[Z](h)"),
    ("    logvar = dense[Z](h)", "    logvar = dense[Z(h)"),
    ("net decoder(z: [..b, Z]) -> [..b, (C H W)]:", "net decoder(z: [..b, Z]) -> [..b, (C H W)]"),
    ("    h = relu(dense[hidden](z))", "    h = relu(dense[hidden](z)))"),
    ("    return dense[(C H W)](h)", "    return dense[(C H W)](h), h"),
    ("    eps: [B, Z] ~ normal(mean = 0, var = 1)", "    eps ~ normal(mean = 0, var = 1)"),
    ("    z = reparameterize(mu, logvar, eps)", "    z = reparameterize(mu logvar, eps)"),
    ("    term kl = mean[B](kl_to_standard(mu, logvar))", "    term kl = mean[B]kl_to_standard()"),
    ("    minimize recon + beta * kl\n", "    minimise recon + beta * kl\n"),
    ("objective vq:", "objective vq"),
    ("    kl_nonneg:    kl >= 0", "    kl >= 0"),
    ("    kl_zero:      kl == 0 iff", "    kl_zero:      kl = 0 iff"),
    ("    monotone:     neg_elbo is nondecreasing in beta", "    monotone: neg_elbo is monotone"),
    ("    batch B = 128", "    batch B := 128"),
    ("    steps 2000", "    epochs 2000"),
    ("    z: [N, Z] ~ normal(mean = 0, var = 1)", "    z: [N, Z] = normal(mean = 0, var = 1)"),
    ("    k = nearest(codebook, z) ", "    k = nearest(codebook, z]"),
    ("const betas: [T] =", "const betas ="),
    ("    flow_1:     grad(commitment, codebook) == 0", "    flow_1:     grad(commitment, ) 0"),
    ("    for (t, s) in descending(T, S) carrying x:", "    for t, s in descending(T, S):"),
    ("        x = ddim_step(denoiser, x, t, s, eta, z)", "        x @ ddim_step(denoiser)"),
    ("dim T = 1000 >= 2", "dimm T = 1000 >= 2"),
]


def test_the_mistakes_are_in_the_text() -> None:
    assert [right for right, _ in MISTAKES if PAPERS.count(right) != 1] == []


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.sets(st.integers(0, len(MISTAKES) - 1), min_size=1))
def test_n_mistakes_are_n_errors_at_their_lines(chosen: set[int]) -> None:
    text = PAPERS
    for i in chosen:
        text = text.replace(*MISTAKES[i])
    lines = {PAPERS[: PAPERS.index(MISTAKES[i][0])].count("\n") + 1 for i in chosen}
    assert sorted(line for _, line in errors(text)) == sorted(lines)


@pytest.mark.parametrize("right", [right for right, _ in MISTAKES])
def test_the_other_declarations_are_kept(right: str) -> None:
    wrong = dict(MISTAKES)[right]
    whole = parsed(PAPERS).declarations
    module = parse(SourceFile("t.gml", PAPERS.replace(right, wrong)), Sink())
    place = PAPERS.index(right)
    kept = [d for d in whole if not d.span.start <= place < d.span.end]
    assert [type(d) for d in module.declarations] == [type(d) for d in kept]


BOTH = [("E0101", 3), ("E0101", 5)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("net f(x: [..b]) -> [..b]:\nreturn x\ndim Z = 3\n", [("E0105", 1)]),
        ("dim Z = 3\n    dim H = 4\n", [("E0105", 2)]),
        ("objective v:\n    a = 1\n   b = 2\n   c = 3\n    minimize a\n", [("E0105", 3)]),
        ("objective v:\n\ta = 1\n\tb = 2\n\tminimize a\n", [("E0102", 2)]),
        ("const c: real = f(a, (b, c)\ndim Z = 3\n", [("E0104", 1)]),
        ("const c: real = f(a))\n", [("E0104", 1)]),
        ("const c: real = f[a)\n", [("E0104", 1)]),
        ("const c: real = (\n1)\n", [("E0104", 1)]),
        ("dim é = 3\nhyper β = 1\n", [("E0103", 1), ("E0103", 2)]),
        ("objective v:\n    if a:\n        h = = 1\n    else:\n        h = 2 2\n", BOTH),
        ("objectiv v:\n    h = = 1\n", [("E0112", 1), ("E0101", 2)]),
        ("what is this\n    even = = about\n", [("E0112", 1)]),
        ("sampler s -> [N]:\n    return x\nfn f -> real:\n    return 1\n", [("E0116", 3)]),
        ("coupled fn f() -> real:\n    return 1\n", [("E0116", 1)]),
        ("param s: real > 1\n", [("E0116", 1)]),
        ("const c: real = (a + b)(c)\n", [("E0116", 1)]),
        ("const c: real = 2 * (a with beta = 0)\n", [("E0116", 1)]),
        ("claims:\n    c: (a with b = 0) + 1 == = 2\n", [("E0101", 2)]),
        ("claims:\n    c: a >= b up to scale\n", [("E0116", 2)]),
    ],
)
def test_layout_and_forms(text: str, found: list[tuple[str, int]]) -> None:
    assert errors(text) == found


WORDS = [
    *table.load().words,
    *table.load().symbols,
    "x",
    "1",
    "\n",
    "\n    ",
    "\n        ",
    "@",
    "#",
]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(WORDS), max_size=60))
def test_any_words_parse_or_are_reported(words: list[str]) -> None:
    _reads_or_reports(" ".join(words))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(string.printable + "βé\u00a0\u2028", max_size=80))
def test_any_text_parses_or_is_reported(text: str) -> None:
    _reads_or_reports(text)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, len(EVERY_FORM) - 1), st.integers(1, 40))
def test_programs_with_a_hole_parse_or_are_reported(start: int, length: int) -> None:
    _reads_or_reports(EVERY_FORM[:start] + EVERY_FORM[start + length :])


def _reads_or_reports(text: str) -> None:
    """No exception, and no word is lost in silence: without errors, every word is in the tree."""
    sink = Sink()
    module = parse(SourceFile("t.gml", text), sink)
    for diagnostic in sink.sorted():
        assert diagnostic.primary is not None
        assert 0 <= diagnostic.primary.span.start <= diagnostic.primary.span.end <= len(text)
    if not sink.has_errors:
        covered = [range(d.span.start, d.span.end) for d in module.declarations]
        code = [i for line in _lines(text) for i in line]
        assert all(any(i in span for span in covered) for i in code)


def _lines(text: str) -> list[list[int]]:
    """The offsets of what stands before the comment of each line, blanks apart."""
    lines, start = [], 0
    for line in text.split("\n"):
        code = line.partition("#")[0]
        lines.append([start + i for i, ch in enumerate(code) if not ch.isspace()])
        start += len(line) + 1
    return lines
