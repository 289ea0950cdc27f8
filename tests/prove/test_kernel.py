"""The kernel refuses what does not follow, whoever asks."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.normal import KernelError
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, const, of_atom
from gendsl.prove.peel import zero_part

D = of_atom(atom("dim", "D"))
HALF = Fraction(1, 2)
i, j = atom("i", "i", D), atom("i", "j", D)


def var(name: str, *at: Atom, sign: str = "") -> Poly:
    return of_atom(atom("var", name, at, sign))


x, y = var("x"), var("y")


def test_theorems_cannot_be_forged() -> None:
    with pytest.raises(KernelError):
        r.Thm(object(), frozenset(), r.prop("gt", const(-1)), "forged", (), ())


def test_kl_from_its_parts() -> None:
    parts = [(ONE, r.exp_above_tangent(x)), (ONE, r.square(y))]
    target = n.add(n.exp(x), n.scale(x, -1), const(-1), n.mul(y, y))
    assert r.linear("ge", target, parts).concl == r.prop("ge", target)


def test_a_combination_must_be_the_target() -> None:
    with pytest.raises(KernelError):
        r.linear("ge", n.sub(n.mul(y, y), ONE), [(ONE, r.square(y))])


def test_inequalities_take_no_negative_factor() -> None:
    with pytest.raises(KernelError):
        r.linear("ge", n.scale(n.mul(y, y), -1), [(const(-1), r.square(y))])


def test_a_strict_conclusion_needs_a_strict_premise() -> None:
    with pytest.raises(KernelError):
        r.linear("gt", n.mul(y, y), [(ONE, r.square(y))])


def test_exponentials_are_rebuilt() -> None:
    """Certificate data are polynomials of the kernel: exp(l)^(1/2) cannot slip in as exp(l)."""
    half = n.power(n.exp(x), Fraction(1, 2))
    assert half is n.exp(n.scale(x, Fraction(1, 2)))
    claim = n.sub(n.exp(x), n.add(ONE, n.scale(x, 2)))
    with pytest.raises(KernelError):
        r.linear("ge", claim, [(ONE, r.exp_above_tangent(n.scale(x, 2)))])


def test_no_generalization_over_a_hypothesis() -> None:
    h = r.assume(r.prop("ge", var("v", i)))
    with pytest.raises(KernelError):
        r.generalize(h, [i])
    with pytest.raises(KernelError):
        r.total(h, i)


def test_sums_of_quantified_hypotheses() -> None:
    h = r.assume(r.prop("ge", var("v", i), [i]))
    t = r.total(r.specialize(h, [j]), j)
    assert t.concl == r.prop("ge", n.nsum(i, var("v", i)))


def test_specialization_minds_sizes() -> None:
    h = r.assume(r.prop("ge", var("v", i), [i]))
    other = atom("i", "k", of_atom(atom("dim", "N")))
    with pytest.raises(KernelError):
        r.specialize(h, [other])


def test_division_leaves_its_condition() -> None:
    """x / x = 1 only where x != 0; the condition cannot be forgotten."""
    t = r.cancel(n.add(x, ONE), 0)
    assert r.prop("ne", n.add(x, ONE)) in t.hyps or r.prop("ne", n.sub(const(-1), x)) in t.hyps


def test_logarithms_leave_their_condition() -> None:
    assert r.prop("gt", x) in r.log_below_tangent(x).hyps
    assert not r.log_below_tangent(n.exp(x)).hyps


def test_roots_leave_their_condition() -> None:
    root = n.power(n.add(x, y), Fraction(1, 2))
    assert r.prop("ge", n.add(x, y)) in r.square(root).hyps


def test_cut_needs_the_very_hypothesis() -> None:
    t = r.log_below_tangent(x)
    lemma = r.assume(r.prop("gt", y))
    assert r.prop("gt", x) in r.cut(t, lemma).hyps


def test_division_of_inequalities_needs_a_sign() -> None:
    product = r.assume(r.prop("ge", n.mul(x, y)))
    with pytest.raises(KernelError):
        r.divide(product, r.assume(r.prop("ne", x)), y)
    assert r.divide(product, r.assume(r.prop("gt", x)), y).concl == r.prop("ge", y)


def test_zero_parts_need_signs() -> None:
    total = r.assume(r.prop("eq", n.add(x, y)))
    parts = [r.assume(r.prop("ge", x)), r.assume(r.prop("ne", y))]
    with pytest.raises(KernelError):
        zero_part(total, parts, 0)


def test_zero_roots() -> None:
    assert r.zero_root(r.assume(r.prop("eq", n.mul(x, x))), x).concl == r.prop("eq", x)
    tangent = r.assume(r.prop("eq", n.sub(n.exp(x), n.add(x, ONE))))
    assert r.zero_root(tangent, x).concl == r.prop("eq", x)
    with pytest.raises(KernelError):
        r.zero_root(r.assume(r.prop("eq", n.power(x, 3))), x)


def test_signed_variables_need_signed_values() -> None:
    t = r.evident("ge", var("w", sign="0+"))
    with pytest.raises(KernelError):
        r.instance(t, "w", [], x)
    assert r.instance(t, "w", [], n.mul(x, x)).concl == r.prop("ge", n.mul(x, x))


def test_an_instance_replaces_all_entries() -> None:
    t = r.square(var("v", i))
    constant = n.index_const(ZERO, D)
    with pytest.raises(KernelError):
        r.instance(t, "v", [constant], x)


def test_rewriting_needs_a_solved_quantified_equation() -> None:
    free = r.assume(r.prop("eq", n.sub(var("v", i), x)))  # for this i only
    at = atom("var", "v", (i,), "")
    with pytest.raises(KernelError):
        r.rewrite(n.nsum(j, var("v", j)), free, at)
    every = r.assume(r.prop("eq", n.sub(var("v", i), x), [i]))
    pattern = next(a for m in every.concl.poly.terms for a, _ in m if a.args[0] == "v")
    t = r.rewrite(n.nsum(j, var("v", j)), every, pattern)
    assert t.concl == r.prop("eq", n.sub(n.nsum(j, var("v", j)), n.mul(D, x)))


def test_recursive_equations_do_not_rewrite() -> None:
    every = r.assume(r.prop("eq", n.sub(x, n.exp(x))))
    with pytest.raises(KernelError):
        r.rewrite(x, every, atom("var", "x", (), ""))


def test_cases_cover_both_signs() -> None:
    above = r.assume(r.prop("ge", x))
    with pytest.raises(KernelError):
        r.cases(x, above, r.square(x))
    twice = n.sub(n.relu(x), n.scale(n.relu(n.scale(x, Fraction(2))), HALF))
    assert not twice.terms
    left = r.relu_at(above)  # under x >= 0, relu x - x = 0
    right = r.relu_above(x)  # relu x - x >= 0, always
    both = r.cases(x, r.weaken(left, "ge"), right)
    assert both.concl == right.concl and not both.hyps


def test_argmin_is_least() -> None:
    lam = n.lam([i], var("d", i))
    least = atom("ix", "argmin", (lam,), D)
    t = r.selected(least, j)
    assert t.concl == r.prop("ge", n.sub(var("d", j), var("d", least)))
    with pytest.raises(KernelError):
        r.selected(j, least)


def test_false_numbers_prove_anything_and_true_ones_do_not() -> None:
    with pytest.raises(KernelError):
        r.absurd(r.evident("gt", ONE), "eq", x)
    impossible = r.assume(r.prop("gt", const(-1)))
    assert r.absurd(impossible, "eq", x).hyps == {r.prop("gt", const(-1))}


def test_the_kernel_imports_only_itself_and_the_standard_library() -> None:
    import ast
    import sys
    from pathlib import Path

    import gendsl.prove.kernel as package

    for file in Path(package.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                root = str(name).split(".")[0]
                assert root in sys.stdlib_module_names or str(name).startswith(
                    "gendsl.prove.kernel"
                ), (file.name, name)


def test_the_kernel_stays_small() -> None:
    """Every line counts; the README says how many there are."""
    from pathlib import Path

    import gendsl.prove.kernel as package

    folder = Path(package.__path__[0])
    rules, normal, term = (
        len((folder / f"{name}.py").read_text().splitlines())
        for name in ("rules", "normal", "term")
    )
    assert rules + normal <= 804  # and 600 is the aim
    page = (Path(__file__).parents[2] / "README.md").read_text()
    said = f"{rules + normal} lines", f"{rules} are the rules and {normal} the normal form"
    assert all(text in " ".join(page.split()) for text in said)
    assert f"{term} more for the term type" in " ".join(page.split())


def test_bad_advice_makes_no_false_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors with another product are not taken, nor an order that drops an index."""
    n._factors.cache_clear()
    y_ = var("advised")
    monkeypatch.setitem(n.ADVICE, "factors", lambda p, whole: ((const(2), Fraction(1)),))
    root = n.power(n.add(y_, ONE), HALF)
    assert n.mul(root, root) is n.add(y_, ONE)
    monkeypatch.setitem(n.ADVICE, "order", lambda binders, factors: binders[:-1])
    with pytest.raises(KernelError):
        n.nsum(i, var("advised", i))
    n._factors.cache_clear()


def test_a_free_index_with_a_bound_name_is_not_captured() -> None:
    hostile = atom("i", "#1", D)
    with pytest.raises(KernelError):
        n.nsum(i, var("captured", hostile, i))


def test_a_theorem_is_not_forged() -> None:
    from dataclasses import replace

    t = r.square(x)
    with pytest.raises(KernelError):
        replace(t, concl=r.prop("gt", n.scale(t.poly, -1)))
    with pytest.raises(KernelError):
        r.Thm(frozenset(), r.prop("gt", const(-1)), "square", (), ())
