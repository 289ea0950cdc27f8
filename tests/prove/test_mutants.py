"""Mutants of shipped claims: what is proved of one is never contradicted by the reference.

One node below a claim is changed (another op, a factor, an operand dropped); the claim is settled
again, and whatever is proved is tried at many more points than the prover looked at.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from gendsl import driver
from gendsl.core import claim as c
from gendsl.diagnostics.model import Sink
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.rewrite import substitute
from gendsl.ops import arithmetic as ar
from gendsl.ops import unary as un
from gendsl.ops.broadcast import full
from gendsl.prove import refute
from gendsl.prove.case import Case
from gendsl.prove.props import alternatives
from gendsl.prove.settle import setting_of, settle_one
from gendsl.resources import data

FILES = [data("stdlib") / f"{name}.gml" for name in ("gaussian", "losses", "prelude", "gan")]
EACH = 5  # mutants of one claim


def mutants(build: Builder, root: Node, rng: random.Random) -> Iterator[Node]:
    """The root with one node changed."""
    inner = [x for x in reachable([root]) if isinstance(x.op, ar.Add | ar.Sub | ar.Mul | un.Exp)]
    for x in rng.sample(inner, min(EACH, len(inner))):
        yield substitute(build, [root], {x: changed(build, x, rng)})[0]


def changed(build: Builder, x: Node, rng: random.Random) -> Node:
    choice = rng.randrange(4)
    if choice == 0:
        return build.apply(ar.Neg(), x)
    if choice == 1:
        return build.apply(ar.Mul(), x, full(build, Fraction(1, 2), x))
    if choice == 2 and len(x.inputs) == 2:
        other = ar.Sub() if isinstance(x.op, ar.Add) else ar.Add()
        return build.apply(other, *x.inputs)
    return x.inputs[0]


def propositions(analysis: driver.Analysis) -> Iterator[c.Claim]:
    for claim in analysis.obligations:
        if isinstance(claim.body, c.Plain) and isinstance(claim.body.prop, c.Compare):
            yield claim


def contradicted(case: Case, prop: c.Prop) -> bool:
    build = case.graph.builder
    goals = alternatives(prop, build)
    return refute.refute(case, case.given, goals, range(200, 260)) is not None


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_no_mutant_is_proved_and_contradicted(file: Path) -> None:
    analysis = driver.analyse(str(file), Sink(), prove=False)
    graph, interface = analysis.graph, analysis.interface
    assert graph is not None and interface is not None
    rng = random.Random(1)
    tried = refuted = 0
    for claim in propositions(analysis):
        assert isinstance(claim.body, c.Plain) and isinstance(claim.body.prop, c.Compare)
        op, left, right = claim.body.prop.op, claim.body.prop.left, claim.body.prop.right
        for mutant in mutants(graph.builder, left, rng):
            if mutant is left or mutant.type != left.type:
                continue
            prop = c.Compare(op, mutant, right)
            changed_claim = replace(claim, body=c.Plain(prop))
            found = settle_one(graph, changed_claim, interface, seconds=0.7)
            tried += 1
            refuted += found.verdict == "refuted"
            if found.verdict == "proved":
                setting = setting_of(graph, changed_claim, interface, time.process_time() + 30)
                case = Case(changed_claim, graph, interface, setting)
                assert not contradicted(case, prop), (claim.name, mutant)
    assert tried >= 5 and refuted >= tried // 4
