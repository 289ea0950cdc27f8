"""Inequalities that the cone search proves, for all sizes, and neighbours that it does not."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Prop, prop
from gendsl.prove.kernel.term import ONE, Atom, Poly, atom, const, of_atom

D = of_atom(atom("dim", "D"))
i = atom("i", "i", D)
HALF = Fraction(1, 2)


def var(name: str, *at: Atom, sign: str = "") -> Poly:
    return of_atom(atom("var", name, at, sign))


def kl(m: Poly, lv: Poly) -> Poly:
    return n.scale(n.add(n.exp(lv), n.mul(m, m), n.scale(lv, -1), const(-1)), HALF)


m, lv, x, y, t = var("m", i), var("l", i), var("x", i), var("y", i), var("t")
p, q = var("p", i, sign="+"), var("q", i, sign="+")
s1, s2 = var("s1", sign="+"), var("s2", sign="+")
softplus = n.log(n.add(ONE, n.exp(t)))
mean_x = n.mul(n.power(D, -1), n.nsum(i, x))
a, b, c = var("a"), var("b"), var("c")

TRUE: dict[str, tuple[Poly, tuple[Prop, ...]]] = {
    "kl of one coordinate": (kl(m, lv), ()),
    "kl of many": (n.nsum(i, kl(m, lv)), ()),
    "kl, mean": (n.mul(n.nsum(i, kl(m, lv)), n.power(D, -1)), ()),
    "squared error": (n.nsum(i, n.power(n.sub(x, y), 2)), ()),
    "variance": (n.sub(n.mul(n.power(D, -1), n.nsum(i, n.mul(x, x))), n.mul(mean_x, mean_x)), ()),
    "Cauchy-Schwarz": (
        n.sub(
            n.mul(n.nsum(i, n.mul(x, x)), n.nsum(i, n.mul(y, y))),
            n.power(n.nsum(i, n.mul(x, y)), 2),
        ),
        (),
    ),
    "softplus >= 0": (softplus, ()),
    "softplus >= t": (n.sub(softplus, t), ()),
    "Gibbs": (
        n.sub(n.nsum(i, n.mul(q, n.sub(n.log(q), n.log(p)))), n.sub(n.nsum(i, q), n.nsum(i, p))),
        (),
    ),
    "kl of two normals": (
        n.add(
            n.sub(n.log(s2), n.log(s1)),
            n.scale(n.mul(n.add(n.mul(s1, s1), n.power(n.sub(a, b), 2)), n.power(s2, -2)), HALF),
            const(-HALF),
        ),
        (),
    ),
    "monotone in a weight": (n.mul(n.sub(a, b), c), (prop("ge", n.sub(a, b)), prop("ge", c))),
    "a factor from hypotheses": (
        n.sub(ONE, n.mul(a, b)),
        (prop("ge", n.sub(ONE, a)), prop("ge", n.sub(ONE, b)), prop("ge", a), prop("ge", b)),
    ),
}

FALSE: dict[str, tuple[Poly, tuple[Prop, ...]]] = {
    "kl minus one": (n.sub(kl(m, lv), ONE), ()),
    "kl with std for variance": (
        n.add(n.exp(n.scale(lv, HALF)), n.mul(m, m), n.scale(lv, -1), const(-1)),
        (),
    ),
    "reversed variance": (
        n.sub(n.mul(mean_x, mean_x), n.mul(n.power(D, -1), n.nsum(i, n.mul(x, x)))),
        (),
    ),
    "monotone, weight of unknown sign": (n.mul(n.sub(a, b), c), (prop("ge", n.sub(a, b)),)),
    "softplus >= 1": (n.sub(softplus, ONE), ()),
    "relu <= its argument": (n.sub(t, n.relu(t)), ()),
}


@pytest.mark.parametrize("name", TRUE)
def test_proved(name: str) -> None:
    target, given = TRUE[name]
    found = Cone([r.assume(h) for h in given]).prove(target)
    assert found is not None
    assert found.concl in (prop("ge", target), prop("gt", target))
    assert found.hyps <= set(given)


@pytest.mark.parametrize("name", FALSE)
def test_not_proved(name: str) -> None:
    target, given = FALSE[name]
    assert Cone([r.assume(h) for h in given]).prove(target) is None


def test_strict() -> None:
    gap = n.sub(ONE, a)
    facts = [prop("ge", n.sub(b, a)), prop("ge", n.sub(ONE, b)), prop("gt", gap)]
    found = Cone([r.assume(h) for h in facts]).prove(gap, "gt")
    assert found is not None and found.concl == prop("gt", gap)
    assert Cone([r.assume(h) for h in facts[:2]]).prove(gap, "gt") is None
