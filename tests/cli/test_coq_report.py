"""What `gendsl check --coq` prints of a theorem: all of it but names, in lines for a reader."""

from __future__ import annotations

from gendsl.cli.check_coq import LONGEST, _lines, shown
from gendsl.prove.coq.claims import ClaimResult

STATEMENT = """Theorem vae_kl_1 :
  forall (dB : nat) (HdB : (0 < dB)%nat)
  (dZ : nat) (HdZ : (0 < dZ)%nat)
  (s1 : nat) (Hs1 : INR s1 = (INR dZ) * 2) (Ps1 : (0 < s1)%nat)
  (x_ : nat -> nat -> R)
  (y_ : nat -> nat)
  (variance : R)
  (Rlo_variance : (1 / 10000) <= variance)
  (Rlo_x_ : forall (i1195 : nat) (Hi1195 : (i1195 < dB)%nat) (i1196 : nat), 0 <= (x_ i1195 i1196)),
  (0 <= (rsum dB (fun i1201 => (rsum dZ (fun i1144 => (x_ i1201 i1144)))))).
"""


def test_a_statement_for_a_reader() -> None:
    assert shown(STATEMENT) == [
        "for all sizes dB, dZ above 0",
        "for all real x_(., .), variance",
        "(s1 : nat) (Hs1 : INR s1 = (INR dZ) * 2) (Ps1 : (0 < s1)%nat)",
        "(y_ : nat -> nat)",
        "given (1 / 10000) <= variance",
        "given forall (i1 : nat) (Hi1 : (i1 < dB)%nat) (i2 : nat), 0 <= (x_ i1 i2)",
        "(0 <= (rsum dB (fun i1 => (rsum dZ (fun i2 => (x_ i1 i2)))))).",
    ]


def test_names_that_are_taken_are_left_alone() -> None:
    (line,) = shown("Theorem t :\n  (fun i1201 => (i1 i1201) + (Hi2 i1300)).\n")
    assert line == "(fun i3 => (i1 i3) + (Hi2 i4))."


def test_a_long_formula_says_where_the_rest_is() -> None:
    (line,) = shown(f"Theorem t :\n  (1 = {'1 + ' * LONGEST}1).\n")
    rest = len(f"(1 = {'1 + ' * LONGEST}1).") - LONGEST
    assert line.endswith(f" ... ({rest} more characters: `--certify DIR` writes them)")


def test_each_claim_in_the_words_of_the_program() -> None:
    found = [
        ClaimResult("vae.kl", "inequality", "accepted", statement=STATEMENT),
        ClaimResult("vae.law", "law", "not exported", "the op net_call"),
    ]
    lines = _lines(found, "8.16.1", {"vae.kl": "kl >= 0"})
    assert lines[:3] == [
        "coq      1 of 2 proved claims accepted by coqc 8.16.1",
        "         accepted: vae.kl: kl >= 0",
        "           for all sizes dB, dZ above 0",
    ]
    assert lines[-1] == "         not exported: vae.law: the op net_call"
