"""The canonical layout: what it looks like, that it is final, and that comments survive."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gendsl import resources
from gendsl.diagnostics.model import GendslError
from gendsl.source.text import SourceFile
from gendsl.syntax.format import format_source
from tests.syntax.compare import parsed, shape

HERE = Path(__file__).parent
PAPERS = (HERE / "papers.gml").read_text(encoding="utf-8")
EVERY_FORM = (HERE / "every_form.gml").read_text(encoding="utf-8")


def formatted(text: str) -> str:
    """The canonical text, which must be final and mean the same."""
    out = format_source(SourceFile("t.gml", text))
    assert format_source(SourceFile("t.gml", out)) == out
    assert shape(parsed(out)) == shape(parsed(text.expandtabs(4)))
    return out


def comments(text: str) -> list[str]:
    return [line[line.index("#") :].strip() for line in text.split("\n") if "#" in line]


@pytest.mark.parametrize("text", [PAPERS, EVERY_FORM], ids=["papers", "every form"])
def test_programs_keep_their_meaning_and_comments(text: str) -> None:
    out = formatted(text)
    assert comments(out) == comments(text)
    assert max(len(line.partition("#")[0].rstrip()) for line in out.split("\n")) <= 100


def test_the_language_descriptions_programs_are_almost_canonical() -> None:
    ours = PAPERS.split("\n")
    changed = [line for line in formatted(PAPERS).split("\n") if line not in ours]
    assert all("#" in line for line in changed) and len(changed) <= 5


@pytest.mark.parametrize("name", [*resources.names("stdlib"), *resources.names("programs")])
def test_shipped_files_keep_their_meaning(name: str) -> None:
    path = resources.shipped("stdlib", name) or resources.shipped("programs", name)
    assert path is not None
    formatted(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("\n\n", ""),
        ("# only\n", "# only\n"),
        ("dim Z=3", "dim Z = 3\n"),
        ("dim Z = 2*K+ -1\n", "dim Z = 2 * K + -1\n"),
        ("const c:real=a ^ -b*( c-d )\n", "const c: real = a^-b * (c - d)\n"),
        ("data x:[ .. b,( C H  W ),] in 0 .. 1\n", "data x: [..b, (C H W)] in 0..1\n"),
        (
            "const c: [ fin_ : T+1 ] of fin [ 3 ]= f ( x , ) [ k ]\n",
            "const c: [fin_: T + 1] of fin[3] = f(x)[k]\n",
        ),
        ("const c: real = (a)+((b))\n", "const c: real = (a) + ((b))\n"),
        ("dim A\n\n\n\ndim B\n", "dim A\n\ndim B\n"),
        (
            "claims:\n  a :x==1\n  long:y  in -inf..1\n",
            "claims:\n    a:    x == 1\n    long: y in -inf..1\n",
        ),
        ("claims:\n  a:x==1\n\n  long:y==1\n", "claims:\n    a: x == 1\n\n    long: y == 1\n"),
        (
            "dim A\nobjective v:\n\n  minimize 1\ndim B\n",
            "dim A\n\nobjective v:\n    minimize 1\n\ndim B\n",
        ),
        (
            "dim A\n# about v\nobjective v:\n  minimize not(a)\n",
            "dim A\n\n# about v\nobjective v:\n    minimize not (a)\n",
        ),
        (
            "objective v:\n\tif a :\n\t\tb=1\n\telse :\n\t\tb=2\n\tminimize -b\n",
            "objective v:\n    if a:\n        b = 1\n    else:\n        b = 2\n    minimize -b\n",
        ),
        (
            "dim A # one\ndim Long # two\n\ndim B  #   three  \n",
            "dim A     # one\ndim Long  # two\n\ndim B  #   three\n",
        ),
        ("const c: real =\n   1 +\n   2\n", "const c: real = 1 + 2\n"),
        ("dim A\r\n# note\r\ndim B\r\n", "dim A\n# note\ndim B\n"),
        (
            "objective step:\n  state=batch (step)\n  minimize (state)\n",
            "objective step:\n    state = batch(step)\n    minimize (state)\n",
        ),
    ],
)
def test_small_layouts(before: str, after: str) -> None:
    assert formatted(before) == after


def test_long_lines_are_broken_in_brackets() -> None:
    names = ", ".join(f"argument_{i}: [..b, D]" for i in range(5))
    out = formatted(f"fn f({names}) -> real:\n  return g(a)\n")
    assert out.split("\n")[:3] == [
        "fn f(",
        "    argument_0: [..b, D],",
        "    argument_1: [..b, D],",
    ]
    assert ") -> real:\n    return g(a)\n" in out


def test_long_sums_are_broken_before_operators() -> None:
    terms = " + ".join(f"a_long_name_{i}" for i in range(8))
    out = formatted(f"objective v:\n  minimize 2*({terms})\n")
    assert "    minimize 2 * (\n        a_long_name_0\n        + a_long_name_1\n" in out


def test_long_claims_go_on_over_lines() -> None:
    side = "a_rather_long_function(first_argument, second_argument)"
    out = formatted(f"claims:\n  c: given x > 0: {side} == {side} and {side} == 0\n")
    assert out.split("\n")[1:] == [
        "    c: given x > 0:",
        f"        {side}",
        f"        == {side}",
        f"        and {side} == 0",
        "",
    ]


def test_comments_inside_brackets_keep_the_breaks() -> None:
    text = (
        "net f(  # a net\n"
        "      x: [..b, D],# the picture\n"
        "  # the time:\n"
        "  t: [..b]\n"
        ") -> [..b]: # end\n"
        "  return x  # x\n"
        "  # last\n"
        "# next\n"
        "dim Z\n"
    )
    assert formatted(text) == (
        "net f(  # a net\n"
        "    x: [..b, D],  # the picture\n"
        "    # the time:\n"
        "    t: [..b]\n"
        ") -> [..b]:  # end\n"
        "    return x  # x\n"
        "    # last\n"
        "\n"
        "# next\n"
        "dim Z\n"
    )


def test_comments_stay_in_their_block() -> None:
    text = (
        "objective v:\n"
        "    # first\n"
        "    if a:\n"
        "        b = 1\n"
        "        # inner\n"
        "    # outer\n"
        "    minimize b\n"
        "    # last of v\n"
        "# of the file\n"
    )
    assert formatted(text) == text.replace("# of the file", "\n# of the file")


def test_random_spacing_and_comments() -> None:
    """Blanks, breaks in brackets and comments anywhere change neither meaning nor finality."""
    rng = random.Random(0)
    for _ in range(40):
        text = _disturbed(EVERY_FORM, rng)
        out = formatted(text)
        assert comments(out) == comments(text)


def _disturbed(text: str, rng: random.Random) -> str:
    lines = []
    for line in text.split("\n"):
        if "#" not in line and line.strip():
            line = line.replace(", ", rng.choice([", ", ",", " ,  "]))
            if "(" in line and rng.random() < 0.3:
                line = line.replace("(", f"(  # n{rng.random()}\n{' ' * 90}", 1)
            elif rng.random() < 0.2:
                line += f" # {rng.random()}"
        lines.append(line)
        if rng.random() < 0.1:
            lines.append(rng.choice(["", f"    # {rng.random()}", f"# {rng.random()}"]))
    return "\n".join(lines)


def test_a_file_with_errors_is_refused() -> None:
    with pytest.raises(GendslError) as caught:
        format_source(SourceFile("t.gml", "dim Z = = 3\n"))
    assert [d.code for d in caught.value.diagnostics] == ["E0101"]


def test_claims_with_a_second_name_stand_in_one_column() -> None:
    text = "claims f(x):\n    a as Other_name: f(x) >= 0\n    long_one: f(0) == 0\n"
    laid_out = format_source(SourceFile("m.gml", text))
    assert "    a as Other_name: f(x) >= 0\n    long_one:        f(0) == 0\n" in laid_out
    assert format_source(SourceFile("m.gml", laid_out)) == laid_out
