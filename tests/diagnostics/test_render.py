"""How diagnostics look: excerpts, marks, clipping, colour; and their JSON."""

from __future__ import annotations

import json

import pytest

from gendsl.diagnostics.model import Diagnostic, Label
from gendsl.diagnostics.render import render_concise, render_text, summary, to_json
from gendsl.diagnostics.style import Style
from gendsl.source.text import SourceFile, Span

TEXT = """\
# A program.
dim hidden = 256

objective o:
\th = encoder(x, train)
    xhat = decoder(h)
    a = 1
    b = 2
    c = 3
    done
"""
SOURCE = SourceFile("programs/vae.gml", TEXT)


def lookup(path: str) -> SourceFile | None:
    return SOURCE if path == SOURCE.path else None


def at(words: str, source: SourceFile = SOURCE) -> Span:
    start = source.text.index(words)
    return Span(source.path, start, start + len(words))


def shown(diagnostic: Diagnostic, source: SourceFile = SOURCE, width: int = 120) -> str:
    find = {source.path: source}.get
    return render_text([diagnostic], find, Style(False, width))


def test_two_lines_and_a_help() -> None:
    found = Diagnostic(
        "E0401",
        "`decoder` wants z: [..b, Z], got [B, hidden]",
        Label(Span(SOURCE.path, at("(h)").start + 1, at("(h)").start + 2), "h is [B, hidden]"),
        (Label(at("hidden"), "this size"),),
        ("one note\nof two lines",),
        "sample with `reparameterize`",
    )
    assert shown(found) == (
        "error[E0401]: `decoder` wants z: [..b, Z], got [B, hidden]\n"
        " --> programs/vae.gml:6:20\n"
        "  |\n"
        "2 | dim hidden = 256\n"
        "  |     ------ this size\n"
        "6 |     xhat = decoder(h)\n"
        "  |                    ^ h is [B, hidden]\n"
        "  = note: one note\n"
        "          of two lines\n"
        "  = help: sample with `reparameterize`\n\n"
    )


def test_labels_on_one_line_hang_below_each_other() -> None:
    found = Diagnostic(
        "W0801",
        "m",
        Label(at("train"), "here"),
        (Label(at("encoder"), "a net"), Label(at("x, "), "an argument\nof two lines")),
    )
    assert shown(found).splitlines()[3:] == [
        "5 |     h = encoder(x, train)",
        "  |         ------- ---^^^^^ here",
        "  |         |       |",
        "  |         |       an argument",
        "  |         |       of two lines",
        "  |         a net",
        "",
    ]


def test_a_mark_inside_of_another_stays_visible() -> None:
    source = SourceFile("a.gml", "    return a - b\n")
    found = Diagnostic(
        "E0402",
        "m",
        Label(at("a - b", source), ""),
        (Label(at("b", source), "right"), Label(Span("a.gml", 11, 12), "left")),
    )
    assert shown(found, source).splitlines()[3:7] == [
        "1 |     return a - b",
        "  |            -^^^- right",
        "  |            |",
        "  |            left",
    ]


def test_a_span_over_lines_is_marked_on_each_and_shortened() -> None:
    span = at("objective o:").to(at("done"))
    lines = shown(Diagnostic("E0504", "m", Label(span, "all of this"))).splitlines()
    assert lines[1:] == [
        "  --> programs/vae.gml:4:1",
        "   |",
        " 4 | objective o:",
        "   | ^^^^^^^^^^^^",
        " 5 |     h = encoder(x, train)",
        "   |     ^^^^^^^^^^^^^^^^^^^^^",
        "...",
        " 9 |     c = 3",
        "   |     ^^^^^",
        "10 |     done",
        "   |     ^^^^ all of this",
        "",
    ]


def test_wide_and_invisible_characters_keep_marks_in_place() -> None:
    source = SourceFile("w.gml", "日本 e\u0301 \u202e x\n")
    lines = shown(Diagnostic("E0101", "m", Label(at("x", source), "here")), source).splitlines()
    assert lines[3] == "1 | 日本 e\u0301 \ufffd x"
    assert lines[4] == "  |          ^ here"


def test_long_lines_are_clipped_around_their_marks() -> None:
    source = SourceFile("l.gml", "a" * 200 + " bad " + "c" * 200)
    lines = shown(
        Diagnostic("E0101", "m", Label(at("bad", source), "here")), source, width=80
    ).splitlines()
    line, marks = lines[3][4:], lines[4][4:]
    assert len(line) <= 72
    assert line[0] == line[-1] == "…"
    assert line[marks.index("^") :][:3] == "bad"


@pytest.mark.parametrize("offset", [0, 40, 199, 200, 203, 300, 404, 405])
def test_clipping_shows_the_mark_wherever_it_is(offset: int) -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(405))
    source = SourceFile("l.gml", text)
    found = Diagnostic("E0101", "m", Label(Span("l.gml", offset, offset + 1), ""))
    lines = shown(found, source, width=80).splitlines()
    column = lines[4].index("^")
    if offset < len(text):
        assert lines[3][column] == text[offset]
    else:
        assert column == len(lines[3])


@pytest.mark.parametrize("text", ["", "\n", "dim Z"])
def test_the_end_of_the_file_can_be_marked(text: str) -> None:
    source = SourceFile("e.gml", text)
    end = Span("e.gml", len(text), len(text))
    assert "^ more" in shown(Diagnostic("E0101", "m", Label(end, "more")), source)


def test_other_files_follow_and_unknown_ones_are_named() -> None:
    found = Diagnostic(
        "E0401", "m", Label(at("hidden"), "here"), (Label(Span("gone.gml", 3, 4), "there"),)
    )
    lines = shown(found).splitlines()
    assert lines[1] == " --> programs/vae.gml:2:5"
    assert lines[-2] == " ::: gone.gml"


def test_no_place() -> None:
    found = Diagnostic("E1001", "no data", help="get some")
    assert shown(found) == "error[E1001]: no data\n  = help: get some\n\n"


def test_concise() -> None:
    found = [
        Diagnostic("E0401", "one\nline", Label(at("decoder"), "")),
        Diagnostic("W0801", "elsewhere", Label(Span("gone.gml", 0, 1), "")),
        Diagnostic("E1001", "nowhere"),
    ]
    assert render_concise(found, lookup) == (
        "programs/vae.gml:6:12: error[E0401]: one line\n"
        "gone.gml: warning[W0801]: elsewhere\n"
        "error[E1001]: nowhere\n"
    )
    assert summary(found) == "2 errors, 1 warning"
    assert summary([]) == ""


def test_json_is_complete_and_plain() -> None:
    label = Label(Span("gone.gml", 0, 1), "there")
    found = Diagnostic("E0401", "m", Label(at("hidden"), "here"), (label,), ("n",), "h")
    value = to_json(found, lookup)
    assert json.loads(json.dumps(value)) == value
    assert value["primary"] == {
        "path": "programs/vae.gml",
        "start": {"line": 2, "column": 5},
        "end": {"line": 2, "column": 11},
        "text": "here",
    }
    assert value["labels"] == [{"path": "gone.gml", "start": None, "end": None, "text": "there"}]
    assert (value["severity"], value["notes"], value["help"]) == ("error", ["n"], "h")


def test_colour_only_adds_escapes() -> None:
    import re

    found = Diagnostic(
        "E0401", "m", Label(at("decoder"), "p"), (Label(at("hidden"), "s"),), ("n",), "h"
    )
    plain = render_text([found], lookup, Style(False, 100))
    painted = render_text([found], lookup, Style(True, 100))
    assert "\x1b[1;31m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain
