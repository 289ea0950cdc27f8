"""Grammar reductions to AST nodes: names, sizes, types and expressions.

Each method has the name of a rule or alias of `grammar/gml.lark` and takes the picked children and
the place of what was reduced. Forms that the grammar lets through and that mean nothing are
collected in `problems`; a node is returned all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from gendsl.diagnostics.model import Diagnostic, Label
from gendsl.source.text import SourceFile, Span
from gendsl.syntax import ast
from gendsl.syntax.lexer import Token

MAX_DIGITS = 80
MAX_EXPONENT = 400

Children = list[Any]


class ExprBuilder:
    """`soft_names`: where a keyword's word is used as a name (the formatter needs to know)."""

    def __init__(self, source: SourceFile) -> None:
        self.path, self.text = source.path, source.text
        self.problems: list[Diagnostic] = []
        self.withs: list[Span] = []
        self.soft_names: set[int] = set()

    def span(self, begin: int, end: int) -> Span:
        return Span(self.path, begin, end)

    def problem(self, span: Span, message: str, text: str, help: str, code: str = "E0116") -> None:
        self.problems.append(Diagnostic(code, message, Label(span, text), help=help))

    # ---- names and numbers ---------------------------------------------------------------

    def ident(self, parts: Children, begin: int, end: int) -> ast.Ident:
        token: Token = parts[0]
        if token.kind != "NAME":
            self.soft_names.add(begin)
        return ast.Ident(token.text, Span(self.path, begin, end))

    def names(self, parts: Children, begin: int, end: int) -> tuple[ast.Ident, ...]:
        return tuple(parts)

    def name(self, parts: Children, begin: int, end: int) -> ast.Name:
        if len(parts) == 1:
            return ast.Name(parts[0].name, parts[0].span)
        return ast.Name(".".join(p.name for p in parts), Span(self.path, begin, end))

    def number(self, parts: Children, begin: int, end: int) -> ast.Number:
        text = parts[0].text
        value = exact(text)
        span = Span(self.path, begin, end)
        if value is None:
            help = f"at most {MAX_DIGITS} digits and exponents up to {MAX_EXPONENT}"
            message = "this number is out of bounds"
            self.problem(span, message, "too large or too long", help, "E0109")
            value = Fraction(0)
        return ast.Number(value, text, span)

    def true(self, parts: Children, begin: int, end: int) -> ast.BoolLit:
        return ast.BoolLit(True, self.span(begin, end))

    def false(self, parts: Children, begin: int, end: int) -> ast.BoolLit:
        return ast.BoolLit(False, self.span(begin, end))

    # ---- sizes ---------------------------------------------------------------------------

    def items(self, parts: Children, begin: int, end: int) -> tuple[ast.SizeItem, ...]:
        return tuple(parts)

    def axis(self, parts: Children, begin: int, end: int) -> ast.SizeAxis:
        return ast.SizeAxis(None, parts[0], self.span(begin, end))

    def labelled_axis(self, parts: Children, begin: int, end: int) -> ast.SizeAxis:
        return ast.SizeAxis(parts[0], parts[1], self.span(begin, end))

    def factor(self, parts: Children, begin: int, end: int) -> ast.SizeAxis:
        size = parts[0]
        if isinstance(size, ast.Ident):
            size = ast.Name(size.name, size.span)
        return ast.SizeAxis(None, size, self.span(begin, end))

    def group(self, parts: Children, begin: int, end: int) -> ast.SizeGroup:
        return ast.SizeGroup(None, tuple(parts), self.span(begin, end))

    def labelled_group(self, parts: Children, begin: int, end: int) -> ast.SizeGroup:
        return ast.SizeGroup(parts[0], tuple(parts[1:]), self.span(begin, end))

    def spread(self, parts: Children, begin: int, end: int) -> ast.SizeSpread:
        return ast.SizeSpread(parts[0], self.span(begin, end))

    def range(self, parts: Children, begin: int, end: int) -> ast.RangeExpr:
        """An infinite end is None; `inf..1` and `0..-inf` hold nothing."""
        low, high = parts
        span = self.span(begin, end)
        if _is_inf(low) or _is_minus_inf(high):
            self.problem(span, "this range is empty", "no number lies in it", "write `0..inf`")
        low_end = None if _is_minus_inf(low) else low
        return ast.RangeExpr(low_end, None if _is_inf(high) else high, span)

    # ---- types ---------------------------------------------------------------------------

    def plain_element(self, parts: Children, begin: int, end: int) -> tuple[str, None]:
        return parts[0].text, None

    def fin_element(self, parts: Children, begin: int, end: int) -> tuple[str, ast.Expr]:
        return "fin", parts[0]

    def tensor_type(self, parts: Children, begin: int, end: int) -> ast.TypeExpr:
        items, element, range_ = parts
        elem, bound = element or ("real", None)
        return ast.TypeExpr(items, elem, bound, range_, self.span(begin, end))

    def scalar_type(self, parts: Children, begin: int, end: int) -> ast.TypeExpr:
        (elem, bound), range_ = parts
        return ast.TypeExpr(None, elem, bound, range_, self.span(begin, end))

    def net_type(self, parts: Children, begin: int, end: int) -> ast.NetTypeExpr:
        return ast.NetTypeExpr(parts[0], parts[1], self.span(begin, end))

    def result_type(self, parts: Children, begin: int, end: int) -> ast.ResultSig:
        return ast.ResultSig((), (parts[0],), self.span(begin, end))

    def named_result(self, parts: Children, begin: int, end: int) -> tuple[ast.Ident, ast.TypeExpr]:
        return parts[0], parts[1]

    def result_named(self, parts: Children, begin: int, end: int) -> ast.ResultSig:
        names = tuple(name for name, _ in parts)
        return ast.ResultSig(names, tuple(type_ for _, type_ in parts), self.span(begin, end))

    # ---- expressions ---------------------------------------------------------------------

    def binary(self, parts: Children, begin: int, end: int) -> ast.Binary:
        left, op, right = parts
        return ast.Binary(op.text, left, right, Span(self.path, begin, end))

    def unary(self, parts: Children, begin: int, end: int) -> ast.Unary:
        return ast.Unary(parts[0].text, parts[1], self.span(begin, end))

    def compare(self, parts: Children, begin: int, end: int) -> ast.Compare:
        return ast.Compare(parts[1].text, parts[0], parts[2], self.span(begin, end))

    def with_(self, parts: Children, begin: int, end: int) -> ast.With:
        span = self.span(begin, end)
        self.withs.append(span)
        return ast.With(parts[0], tuple(parts[1:]), span)

    def reshape(self, parts: Children, begin: int, end: int) -> ast.Reshape:
        verb, operand, source, target = parts
        return ast.Reshape(verb.text, operand, source, target, self.span(begin, end))

    def bracket(self, parts: Children, begin: int, end: int) -> ast.Bracket:
        return ast.Bracket(parts[0], parts[1], Span(self.path, begin, end))

    def call(self, parts: Children, begin: int, end: int) -> ast.Call:
        callee, args = parts
        base = callee.base if isinstance(callee, ast.Bracket) else callee
        if not isinstance(base, ast.Name):
            self.problem(
                callee.span,
                "only a name can be called",
                "this is not the name of a function, net or layer",
                "write `*` for a product; bind the value first to call it by its name",
            )
        return ast.Call(callee, args, Span(self.path, begin, end))

    def args(self, parts: Children, begin: int, end: int) -> tuple[ast.Arg, ...]:
        return tuple(parts)

    def arg(self, parts: Children, begin: int, end: int) -> ast.Arg:
        return ast.Arg(None, parts[0], Span(self.path, begin, end))

    def named_arg(self, parts: Children, begin: int, end: int) -> ast.Arg:
        return ast.Arg(parts[0], parts[1], self.span(begin, end))

    def range_value(self, parts: Children, begin: int, end: int) -> ast.RangeValue:
        return ast.RangeValue(parts[0], self.span(begin, end))


@cache
def exact(text: str) -> Fraction | None:
    """The value of a literal; None when writing it out would take too long."""
    digits, _, exponent = text.lower().partition("e")
    if len(digits) > MAX_DIGITS or len(exponent) > 6 or abs(int(exponent or 0)) > MAX_EXPONENT:
        return None
    return Fraction(text)


def _is_inf(value: ast.Expr) -> bool:
    return isinstance(value, ast.Name) and value.name == "inf"


def _is_minus_inf(value: ast.Expr) -> bool:
    return isinstance(value, ast.Unary) and value.op == "-" and _is_inf(value.operand)


def idents(parts: Sequence[Any]) -> tuple[ast.Ident, ...]:
    """The names among children, without the None of an absent part."""
    return tuple(part for part in parts if part is not None)
