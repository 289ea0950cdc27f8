"""Induction, products under roots, counting: what the rules accept, and what they refuse."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gendsl.prove import lemmas
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.normal import KernelError
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, const, of_atom

T = of_atom(atom("dim", "T"))
SIZE = n.add(T, ONE)
END, K = n.fresh(SIZE), n.fresh(T)
HALF = Fraction(1, 2)


def g(at: Atom) -> Poly:
    return of_atom(atom("var", "g", (at,), ""))


def shifted(by: int) -> Atom:
    return n.shift(K, const(by), SIZE)


def falling(c: int) -> r.Thm:
    """g[k] + c - g[k + 1] >= 0 for all k, as a hypothesis."""
    p = n.sub(n.add(g(shifted(0)), const(c)), g(shifted(1)))
    return r.specialize(r.assume(r.prop("ge", p, [K])), [K])


def test_what_holds_at_0_and_is_kept_holds_everywhere() -> None:
    p = n.sub(g(n.index_const(ZERO, SIZE)), g(END))  # g[0] - g[i] >= 0
    base = r.linear("ge", n.substitute(p, {END: n.index_const(ZERO, SIZE)}), [])
    before = r.assume(r.prop("ge", n.substitute(p, {END: shifted(0)})))
    target = n.substitute(p, {END: shifted(1)})
    step = r.linear("ge", target, [(ONE, before), (ONE, falling(0))])
    found = r.induct(base, step, "ge", p, END, K)
    assert found.concl == r.prop("ge", p)
    assert found.hyps == falling(0).hyps


def test_induction_needs_its_base_its_step_and_a_free_index() -> None:
    p = n.sub(g(n.index_const(ZERO, SIZE)), g(END))
    base = r.linear("ge", n.substitute(p, {END: n.index_const(ZERO, SIZE)}), [])
    before = r.assume(r.prop("ge", n.substitute(p, {END: shifted(0)})))
    target = n.substitute(p, {END: shifted(1)})
    step = r.linear("ge", target, [(ONE, before), (ONE, falling(0))])
    loose = r.assume(r.prop("ge", target))  # P(k + 1) from itself: k stays free in a hypothesis
    for wrong in ((step, step), (base, base), (base, loose)):
        with pytest.raises(KernelError):
            r.induct(*wrong, "ge", p, END, K)
    with pytest.raises(KernelError):
        r.induct(base, step, "ge", p, END, n.fresh(SIZE))


def test_roots_of_products_need_signs() -> None:
    x, y = (of_atom(atom("var", name, (), "")) for name in "xy")
    signs = [r.assume(r.prop("ge", z)) for z in (x, y)]
    assert lemmas.power_of_product(*signs, HALF).concl.rel == "eq"
    with pytest.raises(KernelError):
        lemmas.power_of_product(*signs, -HALF)
    with pytest.raises(KernelError):
        lemmas.log_of_product(*signs)
    with pytest.raises(KernelError):
        lemmas.exp_strictly_above(signs[0])


def test_a_shifted_index_stays_in_range() -> None:
    assert n.value_of(shifted(1)) is n.add(n.value_of(K), ONE)
    assert n.shift(shifted(1), const(-1), T) is K
    for by, size in ((2, SIZE), (-1, T), (1, T)):
        with pytest.raises(KernelError):
            n.shift(K, const(by), size)


def test_staircase_counts_indices_of_one_size() -> None:
    j = n.fresh(T)
    assert r.staircase(K, j).concl.rel == "eq"
    with pytest.raises(KernelError):
        r.staircase(END, j)
