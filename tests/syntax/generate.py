"""A hypothesis strategy for modules that a parse can give: every node, no semantics.

Spans are all the same. Names include words that are keywords elsewhere. The generator draws one
small choice at a time, so that hypothesis can shrink what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from hypothesis import strategies as st

from gendsl.source.text import NOWHERE as AT
from gendsl.syntax import ast, table
from gendsl.syntax.lexer import RESERVED

T = TypeVar("T")
WORDS = ["x", "mu", "Z", "long_name_7", "_h", *sorted(set(table.load().words) - RESERVED)]
NUMBERS = ["0", "1", "16", "0.5", "1e-4", "2.50", "3E+2"]
RELATIONS = ["==", "!=", "<", "<=", ">", ">="]
OPERATORS = ["+", "-", "*", "/", "^", "and", "or"]


class Generator:
    """Draws nodes; `depth` says how many levels of expressions may still follow."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def one(self, choices: Sequence[T]) -> T:
        return choices[self._draw(st.integers(0, len(choices) - 1))]

    def some(self, make: Callable[[], T], least: int = 0, most: int = 3) -> tuple[T, ...]:
        return tuple(make() for _ in range(self.one(range(least, most + 1))))

    def maybe(self, make: Callable[[], T]) -> T | None:
        return make() if self.one([False, True]) else None

    def word(self) -> str:
        return self.one(WORDS)

    def ident(self) -> ast.Ident:
        return ast.Ident(self.word(), AT)

    def idents(self, least: int = 1) -> tuple[ast.Ident, ...]:
        return self.some(self.ident, least)

    # ---- expressions ---------------------------------------------------------------------

    def atom(self) -> ast.Expr:
        match self.one(range(4)):
            case 0:
                return ast.Name(self.word(), AT)
            case 1:
                return ast.Name(f"{self.word()}.{self.word()}", AT)
            case 2:
                return self.number()
            case _:
                return ast.BoolLit(self.one([False, True]), AT)

    def number(self) -> ast.Number:
        text = self.one(NUMBERS)
        return ast.Number(Fraction(text), text, AT)

    def expr(self, depth: int = 2, *, claim: bool = False) -> ast.Expr:
        """Any expression; `claim`: with substitutions in it."""
        if depth == 0:
            return self.atom()

        def inner() -> ast.Expr:
            return self.expr(depth - 1, claim=claim)

        match self.one(range(9 if claim else 8)):
            case 0:
                return self.atom()
            case 1:
                return ast.Unary(self.one(["-", "not"]), inner(), AT)
            case 2:
                return ast.Binary(self.one(OPERATORS), inner(), inner(), AT)
            case 3:
                return ast.Binary(self.one(OPERATORS), inner(), inner(), AT)
            case 4:
                return ast.Compare(self.one(RELATIONS), inner(), inner(), AT)
            case 5:
                return ast.Bracket(inner(), self.items(depth - 1), AT)
            case 6:
                return self.call(depth - 1)
            case 7:
                verb = self.one(["expand", "rearrange"])
                items = self.items(0), self.items(depth - 1)
                return ast.Reshape(verb, inner(), *items, AT)
            case _:
                bindings = self.some(lambda: ast.Arg(self.ident(), inner(), AT), 1)
                return ast.With(inner(), bindings, AT)

    def call(self, depth: int = 1) -> ast.Call:
        """The callee is a name or a bracket of one."""
        callee: ast.Expr = ast.Name(self.word(), AT)
        if self.one([False, True]):
            callee = ast.Bracket(callee, self.items(depth), AT)
        return ast.Call(callee, self.some(lambda: self.arg(depth)), AT)

    def arg(self, depth: int) -> ast.Arg:
        return ast.Arg(self.maybe(self.ident), self.value(depth), AT)

    def value(self, depth: int = 1) -> ast.Expr:
        if self.one([False, False, True]):
            return ast.RangeValue(self.range(depth), AT)
        return self.expr(depth)

    def range(self, depth: int = 1) -> ast.RangeExpr:
        return ast.RangeExpr(*(self.maybe(lambda: self.expr(depth)) for _ in range(2)), AT)

    # ---- sizes and types -----------------------------------------------------------------

    def items(self, depth: int = 1) -> tuple[ast.SizeItem, ...]:
        return self.some(lambda: self.item(depth), 1)

    def item(self, depth: int) -> ast.SizeItem:
        match self.one(range(3)):
            case 0:
                return ast.SizeAxis(self.maybe(self.ident), self.expr(depth), AT)
            case 1:
                return ast.SizeSpread(self.maybe(self.ident), AT)
            case _:
                return ast.SizeGroup(self.maybe(self.ident), self.factors(depth), AT)

    def factors(self, depth: int) -> tuple[ast.SizeAxis, ...]:
        """Two factors or more, or one with a label."""

        def labelled() -> ast.SizeAxis:
            return ast.SizeAxis(self.ident(), self.expr(depth), AT)

        def factor() -> ast.SizeAxis:
            plain: ast.Expr = self.one([ast.Name(self.word(), AT), self.number()])
            return self.one([labelled, lambda: ast.SizeAxis(None, plain, AT)])()

        return (labelled(),) if self.one([False, True]) else self.some(factor, 2)

    def type(self) -> ast.TypeExpr:
        elem = self.one(["real", "bool", "fin"])
        bound = self.expr(1) if elem == "fin" else None
        return ast.TypeExpr(self.maybe(self.items), elem, bound, self.maybe(self.range), AT)

    def param(self, *, nets: bool = True) -> ast.ParamSig:
        type_: ast.TypeExpr | ast.NetTypeExpr = self.type()
        if nets and self.one([False, False, True]):
            params = self.some(lambda: self.param(nets=False))
            type_ = ast.NetTypeExpr(params, self.result(), AT)
        return ast.ParamSig(self.ident(), type_, self.maybe(self.expr), AT)

    def result(self) -> ast.ResultSig:
        if self.one([False, True]):
            return ast.ResultSig((), (self.type(),), AT)
        names = self.idents()
        return ast.ResultSig(names, tuple(self.type() for _ in names), AT)

    # ---- statements ----------------------------------------------------------------------

    def block(self, depth: int = 2) -> tuple[ast.Stmt, ...]:
        return self.some(lambda: self.statement(depth), 1)

    def statement(self, depth: int) -> ast.Stmt:
        makers: list[Callable[[], ast.Stmt]] = [
            lambda: ast.Assign(self.idents(), self.expr(), AT),
            lambda: ast.DrawStmt(self.ident(), self.type(), self.expr(), AT),
            lambda: ast.Return(self.expr(), AT),
            lambda: ast.TermStmt(self.ident(), self.expr(), AT),
            lambda: ast.ShowStmt(self.ident(), self.expr(), self.maybe(self.range), AT),
            lambda: ast.Optimize(self.one(["minimize", "maximize"]), self.expr(), AT),
            lambda: ast.Update(self.ident(), self.expr(), AT),
            self.param_decl,
        ]
        if depth:
            makers += [
                lambda: ast.For(
                    self.idents(), self.value(), self.idents(0), self.block(depth - 1), AT
                ),
                lambda: ast.If(
                    self.expr(),
                    self.block(depth - 1),
                    self.maybe(lambda: self.block(depth - 1)) or (),
                    AT,
                ),
            ]
        return self.one(makers)()

    def param_decl(self) -> ast.ParamDecl:
        positive = self.one([False, True])
        return ast.ParamDecl(self.ident(), self.type(), positive, self.maybe(self.expr), AT)

    # ---- declarations --------------------------------------------------------------------

    def declaration(self) -> ast.Decl:
        makers: list[Callable[[], ast.Decl]] = [
            lambda: ast.Import(self.ident(), self.idents(), AT),
            lambda: ast.BatchDecl(self.ident(), AT),
            lambda: ast.DimDecl(self.ident(), self.maybe(self.expr), self.maybe(self.expr), AT),
            lambda: ast.HyperDecl(self.ident(), self.expr(), self.maybe(self.range), AT),
            lambda: ast.ConstDecl(self.ident(), self.type(), self.expr(), AT),
            lambda: ast.DataDecl(self.ident(), self.type(), self.maybe(self.ident), AT),
            lambda: ast.StateDecl(self.ident(), self.type(), self.expr(), AT),
            lambda: ast.ObjectiveDecl(self.ident(), self.block(), AT),
            lambda: ast.TrainDecl(self.some(self.train_item, 1), AT),
            self.param_decl,
            self.function,
            self.claims,
        ]
        return self.one(makers)()

    def function(self) -> ast.FnDecl:
        kind = self.one(["fn", "kernel", "layer", "net", "sampler"])
        return ast.FnDecl(
            kind,
            self.ident(),
            self.some(self.size_param),
            self.some(self.param),
            self.result(),
            kind in ("net", "layer") and self.one([False, True]),
            self.block(),
            AT,
        )

    def size_param(self) -> ast.SizeParam:
        if self.one([False, True]):
            return ast.SizeParam(self.ident(), None, AT, spread=True)
        return ast.SizeParam(self.ident(), self.maybe(self.expr), AT)

    def train_item(self) -> ast.TrainStep | ast.TrainSchedule | ast.TrainSetting:
        match self.one(range(4)):
            case 0:
                times = self.maybe(self.expr)
                maximize = self.one([False, True])
                return ast.TrainStep(self.ident(), self.idents(), self.call(), times, maximize, AT)
            case 1:
                return ast.TrainSchedule(self.ident(), self.expr(), AT)
            case 2:
                return ast.TrainSetting("batch", self.ident(), self.expr(), AT)
            case _:
                return ast.TrainSetting(self.one(["steps", "clip", "ema"]), None, self.expr(), AT)

    # ---- claims --------------------------------------------------------------------------

    def claims(self) -> ast.ClaimsDecl:
        subject = self.maybe(self.ident)
        params = self.idents(0) if subject else ()
        return ast.ClaimsDecl(subject, params, self.some(self.claim, 1), AT)

    def claim(self) -> ast.Claim:
        body = self.claim_body(2)
        if self.one([False, True]):
            body = ast.ForAny(body, self.idents(), AT)
        return ast.Claim(self.ident(), body, "", AT)

    def claim_body(self, depth: int) -> ast.ClaimBody:
        if depth == 0 or self.one([False, True]):
            return self.plain_claim()
        inner = self.claim_body(depth - 1)
        match self.one(range(3)):
            case 0:
                return ast.Given(self.side(), inner, AT)
            case 1:
                return ast.ForAll(self.ident(), self.expr(1), None, inner, AT)
            case _:
                return ast.ForAll(self.ident(), None, self.range(), inner, AT)

    def side(self) -> ast.Expr:
        return self.expr(2, claim=True)

    def plain_claim(self) -> ast.ClaimBody:
        directions = ["nondecreasing", "nonincreasing"]
        makers: list[Callable[[], ast.ClaimBody]] = [
            lambda: ast.Proposition(self.side(), AT),
            lambda: ast.Iff(self.side(), self.side(), AT),
            lambda: ast.Monotone(self.side(), self.one(directions), self.ident(), AT),
            lambda: ast.InRange(self.side(), self.range(), AT),
            lambda: ast.HasLaw(self.side(), self.call(), AT),
            lambda: ast.Independent(self.side(), self.ident(), AT),
            lambda: ast.Leaves(self.ident(), self.ident(), AT),
            lambda: ast.RepeatInvariant(self.side(), AT),
            lambda: ast.Separable(self.side(), self.ident(), AT),
            self.up_to,
            self.bounds,
        ]
        return self.one(makers)()

    def up_to(self) -> ast.UpTo:
        scale, constant = self.one([(True, False), (False, True), (True, True)])
        return ast.UpTo(self.side(), self.side(), scale, constant, self.idents(0), AT)

    def bounds(self) -> ast.Bounds:
        prior = ast.Law(self.ident(), None, self.call(), AT)
        likelihood = ast.Law(self.ident(), self.ident(), self.call(), AT)
        return ast.Bounds(self.side(), self.side(), prior, likelihood, self.call(), AT)


@st.composite
def modules(draw: Callable[[st.SearchStrategy[Any]], Any]) -> ast.Module:
    """Modules of up to three declarations."""
    return ast.Module("m.gml", Generator(draw).some(Generator(draw).declaration))
