"""`gendsl check PROGRAM --explain CLAIM`: proofs as steps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gendsl.__main__ import main

ROOT = Path(__file__).resolve().parent.parent.parent


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["check", *words])
    return code, capsys.readouterr().out


def test_the_proof_that_kl_is_not_negative(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = explained(capsys, str(ROOT / "stdlib/gaussian.gml"), "--explain", "kl_nonneg")
    assert code == 0
    assert "kl_to_standard.kl_nonneg: kl_to_standard(mu, logvar) >= 0\n  proved" in text
    assert "exp lies above its tangent: exp(u) >= u + 1" in text
    assert "for all sizes >= 1 and all mu in R^(b, Z), logvar in R^(b, Z)" in text
    steps = re.findall(r"^ +\((\d+)\) ", text, re.MULTILINE)
    assert [int(n) for n in steps] == list(range(1, len(steps) + 1))
    for number, reason in re.findall(r"^ +\((\d+)\) .*\n +(.*)$", text, re.MULTILINE):
        assert all(int(n) < int(number) for n in re.findall(r"\((\d+)\)", reason))
    goal = re.search(r"to show: for all i: (.*)", text)
    last = re.findall(r"^ +\(\d+\) (.*)$", text, re.MULTILINE)[-1]
    assert goal is not None
    assert re.sub(r"\b[a-z]\b", "", goal[1]) == re.sub(r"\b[a-z]\b", "", last)


def test_hypotheses_and_conditions_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "stdlib/diffusion.gml")
    _, text = explained(capsys, path, "--explain", "variance_small")
    assert len(re.findall(r"^ +given: ", text, re.MULTILINE)) == 4
    assert "defined, since" in text


def test_terms_inside_a_proof_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "programs/beta_vae.gml")
    _, text = explained(capsys, path, "--explain", "neg_elbo.monotone")
    assert "t1 stands for" in text
    assert "%" not in text
    assert "-beta + beta' >= 0" in text


def test_an_alias_and_an_equation(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "programs/beta_vae.gml")
    alias = "betaVae_loss_eq_weightedTwoTerm"
    _, text = explained(capsys, path, "--explain", alias)
    assert "both sides unfold to" in text


def test_a_refuted_claim_shows_its_counterexample(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "programs/bugs/pf_ode_backwards.gml")
    code, text = explained(capsys, path, "--explain", "exact_noise")
    assert code == 1
    assert "refuted" in text and "a_t = " in text


def test_latex_is_balanced(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "stdlib/gaussian.gml")
    _, text = explained(capsys, path, "--explain", "kl_zero_iff_standard", "--latex")
    assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") == 3
    plain = text.replace(r"\{", "").replace(r"\}", "")
    assert plain.count("{") == plain.count("}")
    assert r"\sum_{" in text and r"\exp\left(" in text


def test_an_unknown_claim(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", str(ROOT / "stdlib/gaussian.gml"), "--explain", "kl_nonnegg"])
    assert code == 2
    assert "kl_nonneg" in capsys.readouterr().err


SMALL = """batch B
hyper beta = 0.5 in 0..inf
data x: [B, D] in 0..1 from digits
param w: [D]

objective o:
    y = mean[..](x * expand w: [D] -> [B, D])
    s = sin(y)
    minimize square(y) * beta

claims o:
    hard: exp(sin(y) + cos(square(y))) * (s + 3) >= 1 - (beta + sin(s)) / 1000
    wrong: square(y) * beta >= 1
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.gml"
    path.write_text(SMALL)
    return str(path)


def test_what_is_left_is_written_as_in_the_program(
    capsys: pytest.CaptureFixture[str], small: str
) -> None:
    _, text = explained(capsys, small, "--explain", "o.hard")
    assert "left to show: exp(s + cos(square(y))) * (s + 3) >= 1 - (beta + sin(s)) / 1000" in text
    assert "%" not in text


def test_a_counterexample_is_a_few_lines(capsys: pytest.CaptureFixture[str], small: str) -> None:
    _, text = explained(capsys, small, "--explain", "o.wrong")
    lines = [line.strip() for line in text.splitlines()]
    assert "refuted" in lines and any(line.startswith("at sizes B = ") for line in lines)
    assert any(line.startswith("beta = ") for line in lines)
    assert "is not >= right 1" in lines[-1] and "{" not in text


def test_where_each_term_of_a_sum_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    _, text = explained(capsys, str(ROOT / "programs/vae.gml"), "--explain", "kl_zero")
    assert re.search(r"so each term is 0, at index \w: \(", text)


def test_a_plain_check_names_what_the_program_names(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Neither what is left to show nor a counterexample shows numbers of nodes or raw records."""
    path = tmp_path / "small.gml"
    path.write_text(SMALL)
    assert main(["check", str(path)]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "false at sizes B = " in text and "is not >= right 1" in text
    assert "left to show: " in text and "%" not in text and "{" not in text


def test_a_size_is_written_as_a_size(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In what is left to show, where it stands for a number."""
    path = tmp_path / "small.gml"
    sized = "batch B\nfn f(x: [B]) -> real:\n    return exp(sum[B](cos(x)) / B) * B\n"
    path.write_text(f"{sized}claims f(x):\n    hard: f(x) >= cos(f(x)) * B - sin(f(x))\n")
    assert main(["check", str(path)]) == 3
    text = " ".join(capsys.readouterr().out.split())
    assert "left to show: exp(sum(cos(x))" in text and "* B" in text and "size()" not in text
