"""What is printed parses to the same tree, and formatting is final."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from gendsl.source.text import SourceFile
from gendsl.syntax import ast
from gendsl.syntax.format import format_source
from gendsl.syntax.printer import show_module
from tests.syntax.compare import parsed, shape
from tests.syntax.generate import modules

QUICK = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@QUICK
@given(modules())
def test_printed_modules_parse_back(module: ast.Module) -> None:
    text = show_module(module)
    assert shape(parsed(text)) == shape(module), text


@QUICK
@given(modules())
def test_formatting_keeps_the_tree_and_is_final(module: ast.Module) -> None:
    text = format_source(SourceFile("t.gml", show_module(module)))
    assert shape(parsed(text)) == shape(module), text
    assert format_source(SourceFile("t.gml", text)) == text
