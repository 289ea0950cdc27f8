"""Exported claims before Coq. Where no coqc is installed these are skipped, but in CI they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gendsl.core.claim import Claim
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.prove.coq import runner
from gendsl.prove.coq.claims import exports, results
from gendsl.prove.coq.export import Export
from gendsl.prove.coq.header import Theorem

Made = list[tuple[Claim, Export]]
STANDARD_OUTPUT = """\
Axioms:
ClassicalDedekindReals.sig_not_dec : forall P : Prop, {~ ~ P} + {~ P}
FunctionalExtensionality.functional_extensionality_dep
  : forall (A : Type) (B : A -> Type) (f g : forall x : A, B x),
    (forall x : A, f x = g x) -> f = g
"""


@pytest.fixture(scope="module")
def coqc() -> str:
    found = runner.find()
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(runner.MISSING)
        pytest.skip(runner.MISSING)
    return found


def exported(path: Path) -> Made:
    rows: list[tuple[Any, Any]] = []
    found = analyse(str(path), Sink(), keep=lambda *row: rows.append(row))
    assert found.graph is not None and found.interface is not None
    return exports(rows, found.graph, found.interface, path.stem)


@pytest.fixture(scope="module")
def gaussian(root: Path) -> Made:
    return exported(root / "stdlib" / "gaussian.gml")


def theorem(made: Made, claim: str) -> Theorem:
    return next(e.theorems[0] for _, e in made if e.claim == claim)


def test_coq_accepts_the_claims_of_modules(root: Path, coqc: str, gaussian: Made) -> None:
    made = gaussian + exported(root / "stdlib" / "masking.gml")
    states = {r.claim: (r.state, r.reason) for r in results(coqc, made)}
    assert [x for x in states.items() if x[1][0] == "rejected"] == []
    assert sum(state == "accepted" for state, _ in states.values()) >= 20


def test_the_statement_is_that_of_the_source(gaussian: Made) -> None:
    text = " ".join(theorem(gaussian, "kl_to_standard.kl_nonneg").statement.split())
    assert "(dZ : nat) (HdZ : (0 < dZ)%nat)" in text
    assert "(logvar : nat -> nat -> R) (mu : nat -> nat -> R)" in text
    body = text.rpartition("0 <= ")[2]
    assert body.startswith("(rsum dZ (fun ") and "(exp (logvar " in body and "^ 2)) - 1)" in body


def test_coq_rejects_altered_statements(coqc: str, gaussian: Made) -> None:
    """A true claim's proof does not prove a neighbour of it."""
    right = theorem(gaussian, "kl_to_standard.kl_nonneg")
    wrong = []
    for k, (old, new) in enumerate([("0 <= (rsum", "1 <= (rsum"), (" ^ 2)) - 1)", " ^ 2)) - 2)")]):
        statement = right.statement.replace(old, new)
        assert statement != right.statement
        name = f"{right.name}_{k}"
        text = right.text.replace(right.statement, statement).replace(right.name, name)
        wrong.append(Theorem(name, statement, text))
    judged = runner.judge(coqc, [[right], *([x] for x in wrong)])
    assert [j.accepted for j in judged] == [True, False, False]


def test_coq_rejects_a_claim_with_a_case_missing(root: Path, coqc: str) -> None:
    """The statement is the claim's, not a list of what the prover took it apart into."""
    rows: list[tuple[Any, Any]] = []
    path = root / "stdlib" / "gaussian.gml"
    found = analyse(str(path), Sink(), keep=lambda *row: rows.append(row))
    assert found.graph is not None and found.interface is not None
    claim, outcome = next(row for row in rows if row[0].name == "kl_zero_iff_standard")
    assert len(outcome.proofs) == 3  # two ends of one way, and the other way
    states = []
    for kept in (outcome.proofs, outcome.proofs[1:], outcome.proofs[:2]):
        less = [(claim, replace(outcome, proofs=kept))]
        made = exports(less, found.graph, found.interface, "less")
        states += [r.state for r in results(coqc, made)]
    assert states == ["accepted", "rejected", "rejected"]


ALTERED = {
    "neg_elbo.sampling_law": (" = delta ", " = 2 * delta "),
    "neg_elbo.batch_free": ("  V (copies * dB)%nat", "  2 * V (copies * dB)%nat"),
    "neg_elbo.per_example": ("= (INR dB * V dB", "= (INR more * V dB"),
    "neg_elbo.no_kl_to_dec": (") 0 0.", ") 0 1."),
}


def test_laws_batches_and_gradients(root: Path, coqc: str) -> None:
    """Coq accepts the theorems of claims that have no sequents, and none of their neighbours."""
    groups = []
    for _, e in exported(root / "programs" / "vae.gml"):
        if e.claim in ALTERED:
            old, new = ALTERED[e.claim]
            last = e.theorems[-1]
            wrong = last.statement.replace(old, new)
            assert wrong != last.statement
            text = last.text.replace(last.statement, wrong)
            groups += [e.theorems, (*e.theorems[:-1], Theorem(last.name, wrong, text))]
    judged = runner.judge(coqc, groups)
    assert [j.accepted for j in judged] == [True, False] * len(ALTERED)


RUNNING = {
    "alpha_bar_of.abar_zero": (") = 1)", ") = 2)"),
    "alpha_bar_of.abar_positive": (" 0 < (rprod", " 1 < (rprod"),
    "alpha_bar_of.abar_at_most_1": (" <= 1))", " < 1))"),
    "alpha_bar_of.abar_next": ("(0%nat + ", "(1%nat + "),
    "alpha_bar_of.abar_decreasing": ("(1%nat + ", "(0%nat + 0%nat * "),
    "geometric.n_steps_contract": ("(gap 0%nat)", "(gap 1%nat)"),
}


def test_running_products_and_steps(root: Path, coqc: str) -> None:
    """Claims that Coq proves by tactics of its own: accepted, and a neighbour of each is not."""
    groups = []
    for _, e in exported(root / "stdlib" / "diffusion.gml"):
        if e.claim in RUNNING:
            (right,) = e.theorems
            wrong = right.statement.replace(*RUNNING[e.claim])
            assert wrong != right.statement
            text = right.text.replace(right.statement, wrong)
            groups += [[right], [Theorem(right.name, wrong, text)]]
    judged = runner.judge(coqc, groups)
    assert [j.accepted for j in judged] == [True, False] * len(RUNNING)


def test_foreign_axioms_are_not_accepted(coqc: str) -> None:
    text = "Axiom wish : 1 = 0.\nTheorem cheat : 1 = 0.\nProof.\nexact wish.\nQed.\n"
    (judged,) = runner.judge(coqc, [[Theorem("cheat", "", text)]])
    assert not judged.accepted and "wish" in judged.reason


def test_lists_of_axioms_are_read() -> None:
    found = runner.assumptions(STANDARD_OUTPUT)
    assert found is not None and found <= runner.AXIOMS and len(found) == 2
    assert runner.assumptions("Closed under the global context\n") == frozenset()
    assert runner.assumptions("") is None


def test_the_library_holds_no_axiom(root: Path) -> None:
    text = (root / "stdlib" / "coq" / "GendslLib.v").read_text()
    for word in ("Axiom", "Admitted", "Parameter", "Hypothesis", "admit"):
        assert word not in text


def test_lean_text_stands_beside_it(gaussian: Made) -> None:
    lean = theorem(gaussian, "kl_to_standard.kl_nonneg").lean
    assert lean.startswith("theorem gaussian_kl_to_standard_kl_nonneg") and "∑" in lean


def test_a_missing_coqc_is_an_error(root: Path, tmp_path: Path) -> None:
    """`check --coq` says how to get one; what was proved is still shown."""
    command = [sys.executable, "-m", "gendsl", "check", "--coq", str(root / "stdlib/masking.gml")]
    paths = {"PATH": str(tmp_path), "PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=paths, check=False)
    assert done.returncode == 1
    assert "E0671" in done.stdout and "apt-get install" in done.stdout
    assert "proved" in done.stdout
