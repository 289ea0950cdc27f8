"""Grammar reductions to AST nodes: declarations, statements, the training recipe and claims.

In: a `SourceFile`, then one call per reduction from the LALR machine. Out: nodes of `ast`, and
`problems` (see `build_expr`). Always: every node spans the words it was made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gendsl.diagnostics.model import Diagnostic, Label
from gendsl.syntax import ast
from gendsl.syntax.build_expr import Children, ExprBuilder, idents


class Builder(ExprBuilder):
    """All methods that the rules of the grammar name."""

    def check_withs(self, decls: Iterable[ast.Decl]) -> None:
        """Make problems of the `with`s outside claims."""
        for decl in decls:
            if isinstance(decl, ast.ClaimsDecl):
                continue
            for span in self.withs:
                if decl.span.start <= span.start < decl.span.end:
                    help = "elsewhere, pass the value as an argument"
                    self.problem(span, "`with` is for claims", "not in a claim", help)

    def module(self, parts: Children, begin: int, end: int) -> tuple[ast.Decl, ...]:
        return tuple(parts)

    # ---- declarations --------------------------------------------------------------------

    def import_(self, parts: Children, begin: int, end: int) -> ast.Import:
        return ast.Import(parts[0], parts[1], self.span(begin, end))

    def batch(self, parts: Children, begin: int, end: int) -> ast.BatchDecl:
        return ast.BatchDecl(parts[0], self.span(begin, end))

    def dim(self, parts: Children, begin: int, end: int) -> ast.DimDecl:
        name, default, at_least = parts
        return ast.DimDecl(name, default, at_least, self.span(begin, end))

    def hyper(self, parts: Children, begin: int, end: int) -> ast.HyperDecl:
        name, default, range_ = parts
        return ast.HyperDecl(name, default, range_, self.span(begin, end))

    def const(self, parts: Children, begin: int, end: int) -> ast.ConstDecl:
        name, type_, value = parts
        return ast.ConstDecl(name, type_, value, self.span(begin, end))

    def data(self, parts: Children, begin: int, end: int) -> ast.DataDecl:
        name, type_, source = parts
        return ast.DataDecl(name, type_, source, self.span(begin, end))

    def param(self, parts: Children, begin: int, end: int) -> ast.ParamDecl:
        name, type_, positive, init = parts
        return ast.ParamDecl(name, type_, positive is not None, init, self.span(begin, end))

    def positive(self, parts: Children, begin: int, end: int) -> bool:
        if parts[0].value != 0:
            help = "write `> 0`, and add the bound where the parameter is used"
            span = self.span(begin, end)
            self.problem(span, "a parameter is bounded by `> 0` or not at all", "not zero", help)
        return True

    def state(self, parts: Children, begin: int, end: int) -> ast.StateDecl:
        name, type_, init = parts
        return ast.StateDecl(name, type_, init, self.span(begin, end))

    def fn(self, parts: Children, begin: int, end: int) -> ast.FnDecl:
        coupled, kind, name, sizes, params, result, body = parts
        if params is None and kind.text != "sampler":
            help = f"write `{kind.text} {name.name}()` when it takes none"
            message = f"the arguments of {kind.text} `{name.name}` are missing"
            self.problem(name.span, message, "no `(...)` after this", help)
        if coupled is not None and kind.text not in ("net", "layer"):
            span = self.span(coupled.start, coupled.end)
            help = "leave out `coupled`: a function may name the batch"
            self.problem(span, "only nets and layers are `coupled`", f"on a {kind.text}", help)
        return ast.FnDecl(
            kind.text,
            name,
            sizes or (),
            params or (),
            result,
            coupled is not None,
            body,
            self.span(begin, end),
        )

    def sizes(self, parts: Children, begin: int, end: int) -> tuple[ast.SizeParam, ...]:
        return tuple(parts)

    def size_param(self, parts: Children, begin: int, end: int) -> ast.SizeParam:
        return ast.SizeParam(parts[0], parts[1], self.span(begin, end))

    def spread_param(self, parts: Children, begin: int, end: int) -> ast.SizeParam:
        return ast.SizeParam(parts[0], None, self.span(begin, end), spread=True)

    def params(self, parts: Children, begin: int, end: int) -> tuple[ast.ParamSig, ...]:
        return tuple(parts)

    def param_sig(self, parts: Children, begin: int, end: int) -> ast.ParamSig:
        name, type_, default = parts
        return ast.ParamSig(name, type_, default, self.span(begin, end))

    def objective(self, parts: Children, begin: int, end: int) -> ast.ObjectiveDecl:
        return ast.ObjectiveDecl(parts[0], parts[1], self.span(begin, end))

    # ---- statements ----------------------------------------------------------------------

    def block(self, parts: Children, begin: int, end: int) -> tuple[ast.Stmt, ...]:
        return tuple(parts)

    def assign(self, parts: Children, begin: int, end: int) -> ast.Assign:
        return ast.Assign(parts[0], parts[1], self.span(begin, end))

    def draw(self, parts: Children, begin: int, end: int) -> ast.DrawStmt:
        target, type_, dist = parts
        return ast.DrawStmt(target, type_, dist, self.span(begin, end))

    def return_(self, parts: Children, begin: int, end: int) -> ast.Return:
        return ast.Return(parts[0], self.span(begin, end))

    def term(self, parts: Children, begin: int, end: int) -> ast.TermStmt:
        return ast.TermStmt(parts[0], parts[1], self.span(begin, end))

    def show(self, parts: Children, begin: int, end: int) -> ast.ShowStmt:
        target, value, range_ = parts
        return ast.ShowStmt(target, value, range_, self.span(begin, end))

    def optimize(self, parts: Children, begin: int, end: int) -> ast.Optimize:
        return ast.Optimize(parts[0].text, parts[1], self.span(begin, end))

    def update(self, parts: Children, begin: int, end: int) -> ast.Update:
        return ast.Update(parts[0], parts[1], self.span(begin, end))

    def for_(self, parts: Children, begin: int, end: int) -> ast.For:
        indices, iterable, carrying, body = parts
        return ast.For(indices, iterable, carrying or (), body, self.span(begin, end))

    def indices(self, parts: Children, begin: int, end: int) -> tuple[ast.Ident, ...]:
        return tuple(parts)

    def if_(self, parts: Children, begin: int, end: int) -> ast.If:
        condition, then, otherwise = parts
        return ast.If(condition, then, otherwise or (), self.span(begin, end))

    # ---- training ------------------------------------------------------------------------

    def train(self, parts: Children, begin: int, end: int) -> ast.TrainDecl:
        return ast.TrainDecl(tuple(parts), self.span(begin, end))

    def step(self, parts: Children, begin: int, end: int) -> ast.TrainStep:
        maximize, objective, groups, optimizer, times = parts
        span = self.span(begin, end)
        return ast.TrainStep(objective, groups, optimizer, times, maximize is not None, span)

    def schedule(self, parts: Children, begin: int, end: int) -> ast.TrainSchedule:
        return ast.TrainSchedule(parts[0], parts[1], self.span(begin, end))

    def batch_setting(self, parts: Children, begin: int, end: int) -> ast.TrainSetting:
        return ast.TrainSetting("batch", parts[1], parts[2], self.span(begin, end))

    def plain_setting(self, parts: Children, begin: int, end: int) -> ast.TrainSetting:
        return ast.TrainSetting(parts[0].text, None, parts[1], self.span(begin, end))

    # ---- claims --------------------------------------------------------------------------

    def claims(self, parts: Children, begin: int, end: int) -> ast.ClaimsDecl:
        subject, params, *claims = parts
        return ast.ClaimsDecl(subject, params or (), tuple(claims), self.span(begin, end))

    def claim_params(self, parts: Children, begin: int, end: int) -> tuple[ast.Ident, ...]:
        return tuple(parts)

    def claim(self, parts: Children, begin: int, end: int) -> ast.Claim:
        name, alias, body, nets = parts
        start = body.span.start
        if nets is not None:
            body = ast.ForAny(body, nets, self.span(start, end))
        written = re.sub(r"#[^\n]*", " ", self.text[start:end])
        source = re.sub(r"\s+", " ", written).strip()
        return ast.Claim(name, body, source, self.span(begin, end), alias)

    def given(self, parts: Children, begin: int, end: int) -> ast.Given:
        return ast.Given(parts[0], parts[1], self.span(begin, end))

    def for_all_fin(self, parts: Children, begin: int, end: int) -> ast.ForAll:
        return ast.ForAll(parts[0], parts[1], None, parts[2], self.span(begin, end))

    def for_all_range(self, parts: Children, begin: int, end: int) -> ast.ForAll:
        return ast.ForAll(parts[0], None, parts[1], parts[2], self.span(begin, end))

    def proposition(self, parts: Children, begin: int, end: int) -> ast.Proposition:
        return ast.Proposition(parts[0], self.span(begin, end))

    def iff(self, parts: Children, begin: int, end: int) -> ast.Iff:
        return ast.Iff(parts[0], parts[1], self.span(begin, end))

    def monotone(self, parts: Children, begin: int, end: int) -> ast.Monotone:
        value, direction, variable = parts
        return ast.Monotone(value, direction.text, variable, self.span(begin, end))

    def in_range(self, parts: Children, begin: int, end: int) -> ast.InRange:
        return ast.InRange(parts[0], parts[1], self.span(begin, end))

    def has_law(self, parts: Children, begin: int, end: int) -> ast.HasLaw:
        return ast.HasLaw(parts[0], parts[1], self.span(begin, end))

    def independent(self, parts: Children, begin: int, end: int) -> ast.Independent:
        return ast.Independent(parts[0], parts[1], self.span(begin, end))

    def leaves(self, parts: Children, begin: int, end: int) -> ast.Leaves:
        return ast.Leaves(parts[0], parts[1], self.span(begin, end))

    def repeat_invariant(self, parts: Children, begin: int, end: int) -> ast.RepeatInvariant:
        return ast.RepeatInvariant(parts[0], self.span(begin, end))

    def separable(self, parts: Children, begin: int, end: int) -> ast.Separable:
        return ast.Separable(parts[0], parts[1], self.span(begin, end))

    def up_to(self, parts: Children, begin: int, end: int) -> ast.UpTo | ast.Proposition:
        equation, words, *groups = parts
        span = self.span(begin, end)
        if not isinstance(equation, ast.Compare) or equation.op != "==":
            help = "write `a == b up to scale and constant in (...)`"
            message = "`up to` weakens an equality"
            self.problems.append(
                Diagnostic("E0116", message, Label(equation.span, "not an equality"), help=help)
            )
            return ast.Proposition(equation, span)
        scale, constant = "scale" in words, "constant" in words
        return ast.UpTo(equation.left, equation.right, scale, constant, idents(groups), span)

    def up_to_what(self, parts: Children, begin: int, end: int) -> frozenset[str]:
        return frozenset(part.text for part in parts if part is not None)

    def prior(self, parts: Children, begin: int, end: int) -> ast.Law:
        return ast.Law(parts[0], None, parts[1], self.span(begin, end))

    def likelihood(self, parts: Children, begin: int, end: int) -> ast.Law:
        return ast.Law(parts[0], parts[1], parts[2], self.span(begin, end))

    def bounds(self, parts: Children, begin: int, end: int) -> ast.Bounds:
        value, target, prior, likelihood, posterior = parts
        return ast.Bounds(value, target, prior, likelihood, posterior, self.span(begin, end))
