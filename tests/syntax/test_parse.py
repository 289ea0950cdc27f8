"""Programs to trees: every node, precedence, names, numbers, places, odd files."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.source.text import SourceFile, Span
from gendsl.syntax import ast
from gendsl.syntax.lexer import RESERVED
from gendsl.syntax.parse import parse
from gendsl.syntax.printer import show_expr
from tests.syntax.compare import errors, parsed, shape

HERE = Path(__file__).parent
EVERY_FORM = (HERE / "every_form.gml").read_text(encoding="utf-8")
PAPERS = (HERE / "papers.gml").read_text(encoding="utf-8")


def nodes(value: Any) -> list[Any]:
    """A node and everything in it."""
    if isinstance(value, tuple):
        return [node for item in value for node in nodes(item)]
    if not is_dataclass(value) or isinstance(value, Span):
        return []
    inner = (getattr(value, item.name) for item in fields(value))
    return [value, *(node for part in inner for node in nodes(part))]


def expr(text: str) -> ast.Expr:
    (decl,) = parsed(f"const c: real = {text}\n").declarations
    assert isinstance(decl, ast.ConstDecl)
    return decl.value


def claim(text: str) -> ast.ClaimBody:
    (decl,) = parsed(f"claims:\n    c: {text}\n").declarations
    assert isinstance(decl, ast.ClaimsDecl)
    return decl.claims[0].body


def test_every_node_kind_is_made() -> None:
    kinds = {
        kind
        for kind in vars(ast).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind is not Span
    }
    made = {type(node) for node in nodes(parsed(EVERY_FORM))}
    assert kinds - made == set()


def test_the_programs_of_the_language_description() -> None:
    kinds = [type(decl).__name__ for decl in parsed(PAPERS).declarations]
    assert kinds.count("FnDecl") == 4 and kinds.count("ClaimsDecl") == 2
    assert kinds.count("ObjectiveDecl") == 3 and kinds.count("TrainDecl") == 1


def test_every_node_spans_the_words_it_was_made_of() -> None:
    for node in nodes(parsed(EVERY_FORM)):
        if isinstance(node, ast.Module):
            continue
        text = EVERY_FORM[node.span.start : node.span.end]
        assert text and text == text.strip(), (node, text)
        if isinstance(node, (ast.Ident, ast.Name)):
            assert text == node.name


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("-x^2", "-(x^2)"),
        ("x^-y", "x^(-y)"),
        ("a^b^c", "a^(b^c)"),
        ("a - b - c", "(a - b) - c"),
        ("a / b * c", "(a / b) * c"),
        ("-a * b", "(-a) * b"),
        ("a + b * c", "a + (b * c)"),
        ("not a == b", "not (a == b)"),
        ("a or b and not c", "a or (b and (not c))"),
        ("a + b <= c * d", "(a + b) <= (c * d)"),
        ("f(x)[k] ^ 2", "((f(x))[k])^2"),
        ("2 * expand x: [B] -> [B, K] + y", "(2 * (expand x: [B] -> [B, K])) + y"),
        ("a < -b", "a < (-b)"),
        ("a <-b", "a < (-b)"),
    ],
)
def test_precedence(text: str, grouped: str) -> None:
    assert shape(expr(text)) == shape(expr(grouped))


def test_parentheses_are_printed_only_where_needed() -> None:
    for text in ("(a + b) * c", "a - (b - c)", "(-a)^2", "-a^2", "not (a and b)", "(a == b) == c"):
        assert show_expr(expr(text)) == text


def test_with_binds_tighter_than_comparison() -> None:
    body = claim("a + b with beta = 0, gamma = 1 == c")
    assert isinstance(body, ast.Proposition) and isinstance(body.value, ast.Compare)
    substitution = body.value.left
    assert isinstance(substitution, ast.With) and len(substitution.bindings) == 2
    assert isinstance(substitution.operand, ast.Binary)


def test_for_any_holds_of_the_whole_claim() -> None:
    body = claim("given a <= L: f(x) <= L for any f, g")
    assert isinstance(body, ast.ForAny) and isinstance(body.claim, ast.Given)
    assert [net.name for net in body.nets] == ["f", "g"]


def test_a_bound_may_go_on_over_lines() -> None:
    body = claim(
        "elbo bounds nll(x)\n"
        "        under z: normal(mean = 0, var = 1),  # the prior\n"
        "              x given z: bernoulli(logits),\n"
        "        posterior normal(mean = mu, var = 1)"
    )
    assert isinstance(body, ast.Bounds)
    assert body.prior.given is None and body.likelihood.given is not None


def test_the_source_of_a_claim_is_its_text_in_one_line() -> None:
    (decl,) = parsed("claims:\n    c:   a==b  # note\n        and  c == d\n").declarations
    assert isinstance(decl, ast.ClaimsDecl)
    assert decl.claims[0].source == "a==b and c == d"


@pytest.mark.parametrize(
    ("items", "kinds"),
    [
        ("[..b, D]", [ast.SizeSpread, ast.SizeAxis]),
        ("[..]", [ast.SizeSpread]),
        ("[B, (C H W)]", [ast.SizeAxis, ast.SizeGroup]),
        ("[(h p: P), d: (C H)]", [ast.SizeGroup, ast.SizeGroup]),
        ("[time: T + 1, (a + b) * 2,]", [ast.SizeAxis, ast.SizeAxis]),
        ("[(p: P)]", [ast.SizeGroup]),
        ("[(C)]", [ast.SizeAxis]),
        ("[(p: P 2 q)]", [ast.SizeGroup]),
    ],
)
def test_items_of_brackets(items: str, kinds: list[type]) -> None:
    (decl,) = parsed(f"const c: {items} = 0\n").declarations
    assert isinstance(decl, ast.ConstDecl) and isinstance(decl.type, ast.TypeExpr)
    assert [type(item) for item in decl.type.items or ()] == kinds


def test_numbers_are_exact() -> None:
    for text in ("1e-4", "0.1", "16", "2.50E+3", f"0.{'3' * 60}"):
        number = expr(text)
        assert isinstance(number, ast.Number)
        assert (number.value, number.text) == (Fraction(text), text)


def test_huge_numbers_end() -> None:
    assert errors("const c: real = 1e999999999\n") == [("E0109", 1)]
    assert errors(f"const c: real = {'9' * 5000}\n") == [("E0109", 1)]


def test_infinite_ranges() -> None:
    (decl,) = parsed("hyper beta = 1 in -inf..inf\n").declarations
    assert isinstance(decl, ast.HyperDecl) and decl.range is not None
    assert decl.range.low is None and decl.range.high is None
    assert errors("hyper beta = 1 in inf..0\n") == [("E0116", 1)]


SOFT = (
    "step batch data state schedule bounds law scale constant times clip ema steps under posterior "
    "term show update param train real bool net kernel from init of over is has all any minimize"
)


@pytest.mark.parametrize("word", SOFT.split())
def test_keywords_are_names_where_no_keyword_is_wanted(word: str) -> None:
    assert word not in RESERVED
    text = (
        f"net f({word}: [..b], y: real = {word}) -> [..b]:\n"
        f"    {word} = {word} + f({word}, {word} = {word}[{word}])\n"
        f"    {word}, y = g({word})\n"
        f"    return -{word}\n"
        f"claims:\n    {word}: {word} == {word} + 1\n    c: {word} in 0..1\n"
    )
    module = parsed(text)
    assert sum(isinstance(n, ast.Name) and n.name == word for n in nodes(module)) == 10


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_reserved_words_are_no_names(word: str) -> None:
    assert [code for code, _ in errors(f"dim {word} = 3\n")] == ["E0108"]


def test_line_ends_and_byte_order_mark_do_not_matter() -> None:
    windows = "\ufeff" + EVERY_FORM.replace("\n", "\r\n")
    assert shape(parsed(windows)) == shape(parsed(EVERY_FORM))


def test_a_missing_last_newline_does_not_matter() -> None:
    assert shape(parsed(EVERY_FORM.rstrip("\n"))) == shape(parsed(EVERY_FORM))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "   \n\t\n", "\r\n"])
def test_files_without_a_declaration(text: str) -> None:
    assert parsed(text).declarations == ()


def test_any_letters_in_comments() -> None:
    module = parsed("dim Z = 3  # β ≥ 0, 数学, \U0001f600\n# ünï\ndim H\n")
    assert [decl.name.name for decl in module.declarations if isinstance(decl, ast.DimDecl)] == [
        "Z",
        "H",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"const c: real = {'(' * 5000}1{')' * 5000}\n",
        f"const c: real = {'f(' * 5000}\n",
        f"const c: real = {'-' * 5000}1\n",
        f"const c: real = {'2^' * 5000}1\n",
        f"const c: real = {'1 + ' * 5000}1\n",
        f"const c: real = {'not ' * 5000}a\n",
        f"const c: real = x{'[0]' * 5000}\n",
        "objective v:\n" + "".join(f"{' ' * (i + 4)}if a:\n" for i in range(2000)),
    ],
    ids=["parentheses", "calls", "minus", "power", "sum", "not", "indexing", "blocks"],
)
def test_deep_nesting_is_an_error(text: str) -> None:
    assert "E0107" in {code for code, _ in errors(text)}


def test_a_hundred_lines_in_fifteen_milliseconds() -> None:
    source = SourceFile("t.gml", EVERY_FORM)
    lines = EVERY_FORM.count("\n")
    best = min(_seconds(source) for _ in range(7))
    assert best * 100 / lines < 0.015


def _seconds(source: SourceFile) -> float:
    start = time.perf_counter()
    parse(source, Sink())
    return time.perf_counter() - start


def test_parsing_loads_neither_numpy_nor_lark() -> None:
    program = (
        "import sys; from gendsl.source.text import SourceFile;"
        "from gendsl.diagnostics.model import Sink; from gendsl.syntax.parse import parse;"
        "parse(SourceFile('t', 'dim Z = 1'), Sink());"
        "print({'numpy', 'lark', 'torch', 'sympy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
