"""The stored LALR table is that of the grammar, which has no conflicts and no dead rules."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from gendsl import resources
from gendsl.syntax import table
from gendsl.syntax.build import Builder
from gendsl.syntax.lexer import RESERVED

GRAMMAR = (resources.data("grammar") / "gml.lark").read_text(encoding="utf-8")


def test_the_stored_table_is_that_of_the_grammar() -> None:
    stored = (resources.data("grammar") / "gml.table.json").read_text(encoding="utf-8")
    assert stored == table.text_of(GRAMMAR), "run: python -m gendsl.syntax.table"


def test_a_conflict_in_the_grammar_is_an_error() -> None:
    right = "?power: postfix | postfix CARET minus "
    assert GRAMMAR.count(right) == 1
    with pytest.raises(ValueError, match="conflict"):
        table.text_of(GRAMMAR.replace(right, "?power: postfix | minus CARET minus "))


def test_a_stored_table_of_another_grammar_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gml.lark").write_text(GRAMMAR.replace('"dim"', '"size"'), encoding="utf-8")
    (tmp_path / "gml.table.json").write_text(table.text_of(GRAMMAR), encoding="utf-8")
    monkeypatch.setattr(table, "resources", SimpleNamespace(data=lambda folder: tmp_path))
    words = table.load.__wrapped__().words
    assert "size" in words and "dim" not in words


def test_without_a_stored_table_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = table.load()
    (tmp_path / "gml.lark").write_text(GRAMMAR, encoding="utf-8")
    monkeypatch.setattr(table, "resources", SimpleNamespace(data=lambda folder: tmp_path))
    assert table.load.__wrapped__() == expected


def test_every_rule_has_a_method_and_every_method_a_rule() -> None:
    called = {r.callback for r in table.load().rules if r.callback and not r.transparent}
    helpers = {"span", "problem", "check_withs"}
    methods = {name for name in dir(Builder) if not name.startswith("_")} - helpers
    assert called == methods


def test_the_grammar_lists_the_reserved_words() -> None:
    line = next(line for line in GRAMMAR.split("\n") if line.startswith("// Reserved: "))
    assert set(line.removeprefix("// Reserved: ").rstrip(".").split()) == RESERVED
