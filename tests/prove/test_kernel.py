"""The kernel refuses what does not follow, whoever asks."""

from __future__ import annotations

import ast
import io
import tokenize
from fractions import Fraction

import pytest

from gendsl.prove import lemmas
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
    parts = [(ONE, lemmas.exp_above_tangent(x)), (ONE, lemmas.square(y))]
    target = n.add(n.exp(x), n.scale(x, -1), const(-1), n.mul(y, y))
    assert r.linear("ge", target, parts).concl == r.prop("ge", target)


def test_a_combination_must_be_the_target() -> None:
    with pytest.raises(KernelError):
        r.linear("ge", n.sub(n.mul(y, y), ONE), [(ONE, lemmas.square(y))])


def test_inequalities_take_no_negative_factor() -> None:
    with pytest.raises(KernelError):
        r.linear("ge", n.scale(n.mul(y, y), -1), [(const(-1), lemmas.square(y))])


def test_a_strict_conclusion_needs_a_strict_premise() -> None:
    with pytest.raises(KernelError):
        r.linear("gt", n.mul(y, y), [(ONE, lemmas.square(y))])


def test_exponentials_are_rebuilt() -> None:
    """Certificate data are polynomials of the kernel: exp(l)^(1/2) cannot slip in as exp(l)."""
    half = n.power(n.exp(x), Fraction(1, 2))
    assert half is n.exp(n.scale(x, Fraction(1, 2)))
    claim = n.sub(n.exp(x), n.add(ONE, n.scale(x, 2)))
    with pytest.raises(KernelError):
        r.linear("ge", claim, [(ONE, lemmas.exp_above_tangent(n.scale(x, 2)))])


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
    t = lemmas.cancel(n.add(x, ONE), 0)
    assert r.prop("ne", n.add(x, ONE)) in t.hyps or r.prop("ne", n.sub(const(-1), x)) in t.hyps


def test_logarithms_leave_their_condition() -> None:
    assert r.prop("gt", x) in lemmas.log_below_tangent(x).hyps
    assert not lemmas.log_below_tangent(n.exp(x)).hyps


def test_roots_leave_their_condition() -> None:
    root = n.power(n.add(x, y), Fraction(1, 2))
    assert r.prop("ge", n.add(x, y)) in lemmas.square(root).hyps


def test_cut_needs_the_very_hypothesis() -> None:
    t = lemmas.log_below_tangent(x)
    lemma = r.assume(r.prop("gt", y))
    assert r.prop("gt", x) in r.cut(t, lemma).hyps


def test_division_of_inequalities_needs_a_sign() -> None:
    product = r.assume(r.prop("ge", n.mul(x, y)))
    with pytest.raises(KernelError):
        lemmas.divide(product, r.assume(r.prop("ne", x)), y)
    assert lemmas.divide(product, r.assume(r.prop("gt", x)), y).concl == r.prop("ge", y)


def test_zero_parts_need_signs() -> None:
    total = r.assume(r.prop("eq", n.add(x, y)))
    parts = [r.assume(r.prop("ge", x)), r.assume(r.prop("ne", y))]
    with pytest.raises(KernelError):
        zero_part(total, parts, 0)


def test_zero_roots() -> None:
    assert lemmas.zero_root(r.assume(r.prop("eq", n.mul(x, x))), x).concl == r.prop("eq", x)
    tangent = r.assume(r.prop("eq", n.sub(n.exp(x), n.add(x, ONE))))
    assert lemmas.zero_root(tangent, x).concl == r.prop("eq", x)
    with pytest.raises(KernelError):
        lemmas.zero_root(r.assume(r.prop("eq", n.power(x, 3))), x)


def test_signed_variables_need_signed_values() -> None:
    t = r.evident("ge", var("w", sign="0+"))
    with pytest.raises(KernelError):
        r.instance(t, "w", [], x)
    assert r.instance(t, "w", [], n.mul(x, x)).concl == r.prop("ge", n.mul(x, x))


def test_an_instance_replaces_all_entries() -> None:
    t = lemmas.square(var("v", i))
    constant = n.index_const(ZERO, D)
    with pytest.raises(KernelError):
        r.instance(t, "v", [constant], x)


def test_rewriting_needs_a_solved_quantified_equation() -> None:
    free = r.assume(r.prop("eq", n.sub(var("v", i), x)))  # for this i only
    at = atom("var", "v", (i,), "")
    with pytest.raises(KernelError):
        lemmas.rewrite(n.nsum(j, var("v", j)), free, at)
    every = r.assume(r.prop("eq", n.sub(var("v", i), x), [i]))
    pattern = next(a for m in every.concl.poly.terms for a, _ in m if a.args[0] == "v")
    t = lemmas.rewrite(n.nsum(j, var("v", j)), every, pattern)
    assert t.concl == r.prop("eq", n.sub(n.nsum(j, var("v", j)), n.mul(D, x)))


def test_recursive_equations_do_not_rewrite() -> None:
    every = r.assume(r.prop("eq", n.sub(x, n.exp(x))))
    with pytest.raises(KernelError):
        lemmas.rewrite(x, every, atom("var", "x", (), ""))


def test_cases_cover_both_signs() -> None:
    above = r.assume(r.prop("ge", x))
    with pytest.raises(KernelError):
        lemmas.cases(x, above, lemmas.square(x))
    twice = n.sub(n.relu(x), n.scale(n.relu(n.scale(x, Fraction(2))), HALF))
    assert not twice.terms
    left = lemmas.relu_at(above)  # under x >= 0, relu x - x = 0
    right = lemmas.relu_above(x)  # relu x - x >= 0, always
    both = lemmas.cases(x, lemmas.weaken(left, "ge"), right)
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
        lemmas.absurd(r.evident("gt", ONE), "eq", x)
    impossible = r.assume(r.prop("gt", const(-1)))
    assert lemmas.absurd(impossible, "eq", x).hyps == {r.prop("gt", const(-1))}


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
    """Every line of its folder counts; the README says how many there are."""
    from pathlib import Path

    import gendsl.prove.kernel as package

    folder = Path(package.__path__[0])
    count = {p.stem: len(p.read_text().splitlines()) for p in folder.glob("*.py")}
    assert set(count) == {"__init__", "rules", "normal", "term"}
    assert count["rules"] + count["normal"] <= 748 and sum(count.values()) <= 874
    page = " ".join((Path(__file__).parents[2] / "README.md").read_text().split())
    assert f"{count['rules'] + count['normal']} lines" in page
    assert f"{count['rules']} are the rules and {count['normal']} the normal form" in page
    assert f"{count['term']} more for the term type" in page
    code = sum(_lines_of_code(p.read_text()) for p in folder.glob("*.py"))
    assert code < 600 and f"{code} lines of code" in page


def _lines_of_code(text: str) -> int:
    """Lines that hold a token of the program: no blank ones, comments or docstrings."""
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    spans = [(t.start[0], t.end[0]) for t in tokens if t.type not in layout and t.string]
    docstrings = [
        (first.lineno, first.end_lineno or first.lineno)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        for first in node.body[:1]
    ]

    def of(rows: list[tuple[int, int]]) -> set[int]:
        return {n for first, last in rows for n in range(first, last + 1)}

    return len(of(spans) - of(docstrings))


def v_(name: str, *at: Atom) -> Poly:
    return of_atom(atom("var", name, at, ""))


def test_congruence_is_not_forged() -> None:
    """The equation must be the sides', a comparison is none, and the place has no sign."""
    place = v_("h")
    equal_ = r.assume(r.prop("eq", n.sub(x, y)))
    t = r.congruence(n.exp(place), "h", (), x, y, equal_)
    assert t.concl == r.prop("eq", n.sub(n.exp(x), n.exp(y)))
    above = r.assume(r.prop("ge", n.sub(x, y)))
    for left, right, equation in ((y, x, equal_), (x, ONE, equal_), (x, y, above)):
        with pytest.raises(KernelError):
            r.congruence(n.exp(place), "h", (), left, right, equation)
    with pytest.raises(KernelError):  # sqrt(h^2) is h for h >= 0 only
        r.congruence(var("h", sign="0+"), "h", (), x, y, equal_)


def test_congruence_captures_no_index() -> None:
    """An equation for this i says nothing of the other terms of a sum."""
    here = r.assume(r.prop("eq", n.sub(var("v", i), var("w", i))))
    every = r.assume(r.prop("eq", n.sub(var("v", i), var("w", i)), [i]))
    under = n.nsum(j, v_("h", j))
    with pytest.raises(KernelError):
        r.congruence(under, "h", (i,), var("v", i), var("w", i), here)
    t = r.congruence(under, "h", (i,), var("v", i), var("w", i), every)
    assert t.concl == r.prop("eq", n.nsum(i, n.sub(var("v", i), var("w", i))))
    loose = r.congruence(n.nsum(i, v_("h")), "h", (), var("v", i), var("w", i), here)
    assert loose.concl == r.prop("eq", n.mul(D, n.sub(var("v", i), var("w", i))))


def test_congruence_keeps_the_domain_of_the_context() -> None:
    """log x = log y needs x > 0 (then y > 0), for all values of the indices; 1 / x needs x != 0."""
    equal_ = r.assume(r.prop("eq", n.sub(var("v", i), x)))
    t = r.congruence(n.log(v_("h")), "h", (), var("v", i), x, equal_)
    assert {r.prop("gt", var("v", i), [i]), r.prop("gt", x)} <= t.hyps
    gone = n.mul(v_("h", i), n.power(v_("g"), -1))
    t = r.congruence(gone, "g", (), x, y, r.assume(r.prop("eq", n.sub(x, y))))
    assert r.prop("ne", x) in t.hyps


def test_the_axioms_are_the_known_ones() -> None:
    assert len(r.AXIOMS) == 17
    assert r.axiom("strict").hyps == {r.prop("ge", lemmas.A), r.prop("ne", lemmas.A)}
    assert not r.axiom("exp_above_tangent").hyps
    with pytest.raises(KernelError):
        r.axiom("exp_below_tangent")
    for name in ("bit_on", "bit_off", "eq0_off", "antisymmetric", "zero_square", "zero_factor"):
        assert r.axiom(name).hyps, name


def test_cases_do_not_drop_a_wrong_side() -> None:
    low = r.assume(r.prop("gt", x))  # not -x > 0
    t = r.cases(x, r.linear("ge", x, [(ONE, r.assume(r.prop("ge", x)))]), lemmas.weaken(low, "ge"))
    assert r.prop("gt", x) in t.hyps


def test_a_note_changes_no_theorem() -> None:
    t = lemmas.square(x)
    false = r.noted(t, "linear", (), (const(-1),))
    assert false.concl == t.concl and false.hyps == t.hyps


def test_lemmas_refuse_what_does_not_fit() -> None:
    ge, gt, ne = (r.assume(r.prop(rel, x)) for rel in ("ge", "gt", "ne"))
    refused = [
        lambda: lemmas.exp_strictly_above(ge),
        lambda: lemmas.combine(ge, r.assume(r.prop("ge", x))),
        lambda: lemmas.combine(ge, r.assume(r.prop("ne", y))),
        lambda: lemmas.weaken(ge, "gt"),
        lambda: lemmas.weaken(ne, "ge"),
        lambda: lemmas.raise_to(ge, -1),
        lambda: lemmas.root(ge, r.assume(r.prop("ge", n.sub(x, y))), y),
        lambda: lemmas.zero_base(ge, x, Fraction(1)),
        lambda: lemmas.divide(r.assume(r.prop("eq", n.mul(x, y))), ge, y),
        lambda: lemmas.zero_summand(ge, gt, i),
        lambda: lemmas.bounded(atom("un", "exp2", x), 1),
        lambda: r.total(ne, i),
        lambda: r.evident("ne", x),
        lambda: r.times(ne, ge),
        lambda: r.staircase(i, atom("i", "k", of_atom(atom("dim", "N")))),
    ]
    for call in refused:
        with pytest.raises(KernelError):
            call()


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

    t = lemmas.square(x)
    with pytest.raises(KernelError):
        replace(t, concl=r.prop("gt", n.scale(t.poly, -1)))
    with pytest.raises(KernelError):
        r.Thm(frozenset(), r.prop("gt", const(-1)), "square", (), ())
