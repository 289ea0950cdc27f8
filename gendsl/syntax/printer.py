"""AST to text: the words of a node on one line, with the parentheses that it needs.

In: nodes of `ast` (their spans do not matter). Out: text that parses to the same nodes. A module is
printed a logical line at a time; `format` breaks long lines and aligns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gendsl.syntax import ast

# How tightly each form binds; an operand that binds less is put in parentheses.
OR, AND, NOT, COMPARE, WITH, SUM, PRODUCT, MINUS, POWER, POSTFIX, ATOM = range(11)
BINARY = {
    "or": (OR, OR, AND),
    "and": (AND, AND, NOT),
    "+": (SUM, SUM, PRODUCT),
    "-": (SUM, SUM, PRODUCT),
    "*": (PRODUCT, PRODUCT, MINUS),
    "/": (PRODUCT, PRODUCT, MINUS),
    "^": (POWER, POSTFIX, MINUS),
}


def show_expr(expr: ast.Expr, least: int = OR, *, claim: bool = False) -> str:
    """An expression that is to bind at least as tightly as `least`.

    `claim`: a `with` may stand without parentheses."""
    level, text = _show(expr, claim=claim)
    if level >= least:
        return text
    return f"({_show(expr, claim=True)[1]})"


def _show(expr: ast.Expr, *, claim: bool) -> tuple[int, str]:
    """How tightly the text of an expression binds, and the text; -1 for a bare `with` where none
    may stand."""
    match expr:
        case ast.Name(name):
            return ATOM, name
        case ast.Number(_, text):
            return ATOM, text
        case ast.BoolLit(value):
            return ATOM, "true" if value else "false"
        case ast.Unary("not", operand):
            return NOT, f"not {show_expr(operand, NOT, claim=claim)}"
        case ast.Unary(op, operand):
            return MINUS, f"{op}{show_expr(operand, MINUS)}"
        case ast.Binary(op, left, right):
            level, left_least, right_least = BINARY[op]
            first = show_expr(left, left_least, claim=claim and level < SUM)
            second = show_expr(right, right_least, claim=claim and level < SUM)
            gap = "" if op == "^" else " "
            return level, f"{first}{gap}{op}{gap}{second}"
        case ast.Compare(op, left, right):
            first = show_expr(left, WITH, claim=claim)
            return COMPARE, f"{first} {op} {show_expr(right, WITH, claim=claim)}"
        case ast.Bracket(base, items):
            return POSTFIX, f"{show_expr(base, POSTFIX)}{show_items(items)}"
        case ast.Call(callee, args):
            return POSTFIX, f"{show_expr(callee, POSTFIX)}({', '.join(map(_arg, args))})"
        case ast.Reshape(verb, operand, source, target):
            what = show_expr(operand, POSTFIX)
            return MINUS, f"{verb} {what}: {show_items(source)} -> {show_items(target)}"
        case ast.RangeValue(range_):
            return ATOM, show_range(range_)
        case ast.With(operand, bindings):
            text = ", ".join(f"{_arg(b, SUM)}" for b in bindings)
            return WITH if claim else -1, f"{show_expr(operand, SUM)} with {text}"


def _arg(arg: ast.Arg, least: int = OR) -> str:
    value = show_expr(arg.value, least)
    return value if arg.name is None else f"{arg.name.name} = {value}"


# ---- sizes and types ---------------------------------------------------------------------


def show_items(items: Iterable[ast.SizeItem]) -> str:
    """Sizes or labels in their brackets."""
    return f"[{', '.join(map(_item, items))}]"


def _item(item: ast.SizeItem) -> str:
    match item:
        case ast.SizeSpread(name):
            return f"..{name.name if name else ''}"
        case ast.SizeGroup(label, factors):
            return f"{_label(label)}({' '.join(map(_item, factors))})"
        case ast.SizeAxis(label, size):
            return f"{_label(label)}{show_expr(size, SUM)}"


def _label(label: ast.Ident | None) -> str:
    return f"{label.name}: " if label else ""


def show_range(range_: ast.RangeExpr) -> str:
    low = "-inf" if range_.low is None else show_expr(range_.low, SUM)
    high = "inf" if range_.high is None else show_expr(range_.high, SUM)
    return f"{low}..{high}"


def show_type(type_: ast.TypeExpr | ast.NetTypeExpr) -> str:
    match type_:
        case ast.NetTypeExpr(params, result):
            return f"net{_params(params)} -> {_result(result)}"
        case ast.TypeExpr(items, elem, bound, range_):
            element = elem if bound is None else f"fin[{show_expr(bound, SUM)}]"
            if items is not None:
                element = show_items(items) + ("" if elem == "real" else f" of {element}")
            return element + _in(range_)


def _in(range_: ast.RangeExpr | None) -> str:
    return f" in {show_range(range_)}" if range_ else ""


def _size_param(size: ast.SizeParam) -> str:
    return f"{'..' if size.spread else ''}{size.name.name}{_value(size.default, SUM)}"


def _params(params: Iterable[ast.ParamSig]) -> str:
    return f"({', '.join(map(_param, params))})"


def _param(param: ast.ParamSig) -> str:
    type_ = "" if param.type is None else f": {show_type(param.type)}"
    return param.name.name + type_ + _value(param.default)


def _value(value: ast.Expr | None, least: int = OR) -> str:
    return "" if value is None else f" = {show_expr(value, least)}"


def _result(result: ast.ResultSig) -> str:
    if not result.names:
        return show_type(result.types[0])
    pairs = zip(result.names, result.types, strict=True)
    return f"({', '.join(f'{name.name}: {show_type(type_)}' for name, type_ in pairs)})"


def _names(names: Iterable[ast.Ident]) -> str:
    return ", ".join(name.name for name in names)


# ---- declarations and statements ---------------------------------------------------------


def show_module(module: ast.Module) -> str:
    """A module, a logical line on each line."""
    return "".join(f"{line}\n" for decl in module.declarations for line in show_decl(decl))


def show_decl(decl: ast.Decl) -> Iterator[str]:
    """The lines of a declaration."""
    match decl:
        case ast.FnDecl(kind, name, sizes, params, result, coupled, body):
            bracket = f"[{', '.join(map(_size_param, sizes))}]" if sizes else ""
            listed = "" if kind == "sampler" and not params else _params(params)
            mark = "coupled " if coupled else ""
            yield f"{mark}{kind} {name.name}{bracket}{listed} -> {_result(result)}:"
            yield from _block(body)
        case ast.ObjectiveDecl(name, body):
            yield f"objective {name.name}:"
            yield from _block(body)
        case ast.TrainDecl(items):
            yield "train:"
            yield from (f"    {_train_item(item)}" for item in items)
        case ast.ClaimsDecl(subject, params, claims):
            listed = f"({_names(params)})" if params else ""
            yield f"claims {subject.name}{listed}:" if subject else "claims:"
            yield from (f"    {_claim_name(c)}: {show_claim(c.body)}" for c in claims)
        case ast.ParamDecl():
            yield _param_decl(decl)
        case _:
            yield _one_line(decl)


def _one_line(
    decl: ast.Import
    | ast.BatchDecl
    | ast.DimDecl
    | ast.HyperDecl
    | ast.ConstDecl
    | ast.DataDecl
    | ast.StateDecl,
) -> str:
    match decl:
        case ast.Import(module, names):
            return f"import {module.name}: {_names(names)}"
        case ast.BatchDecl(name):
            return f"batch {name.name}"
        case ast.DimDecl(name, default, at_least):
            bound = "" if at_least is None else f" >= {show_expr(at_least, SUM)}"
            return f"dim {name.name}{_value(default, SUM)}{bound}"
        case ast.HyperDecl(name, default, range_):
            return f"hyper {name.name}{_value(default)}{_in(range_)}"
        case ast.ConstDecl(name, type_, value):
            return f"const {name.name}: {show_type(type_)}{_value(value)}"
        case ast.DataDecl(name, type_, source):
            origin = f" from {source.name}" if source else ""
            return f"data {name.name}: {show_type(type_)}{origin}"
        case ast.StateDecl(name, type_, init):
            return f"state {name.name}: {show_type(type_)}{_value(init)}"


def _param_decl(decl: ast.ParamDecl) -> str:
    positive = " > 0" if decl.positive else ""
    init = "" if decl.init is None else f" init {show_expr(decl.init)}"
    return f"param {decl.name.name}: {show_type(decl.type)}{positive}{init}"


def _block(body: Iterable[ast.Stmt]) -> Iterator[str]:
    for stmt in body:
        for line in show_stmt(stmt):
            yield f"    {line}"


def show_stmt(stmt: ast.Stmt) -> Iterator[str]:
    """The lines of a statement."""
    match stmt:
        case ast.For(indices, iterable, carrying, body):
            named = _names(indices)
            listed = named if len(indices) == 1 else f"({named})"
            carried = f" carrying {_names(carrying)}" if carrying else ""
            yield f"for {listed} in {show_expr(iterable)}{carried}:"
            yield from _block(body)
        case ast.If(condition, then, otherwise):
            yield f"if {show_expr(condition)}:"
            yield from _block(then)
            if otherwise:
                yield "else:"
                yield from _block(otherwise)
        case ast.Assign(targets, value):
            yield f"{_names(targets)}{_value(value)}"
        case ast.DrawStmt(target, type_, dist):
            yield f"{target.name}: {show_type(type_)} ~ {show_expr(dist, POSTFIX)}"
        case ast.Return(value):
            yield f"return {show_expr(value)}"
        case ast.TermStmt(target, value):
            yield f"term {target.name}{_value(value)}"
        case ast.ShowStmt(target, value, range_):
            yield f"show {target.name}{_value(value)}{_in(range_)}"
        case ast.Optimize(verb, value):
            yield f"{verb} {show_expr(value)}"
        case ast.Update(target, value):
            yield f"update {target.name} <- {show_expr(value)}"
        case ast.ParamDecl():
            yield _param_decl(stmt)


def _train_item(item: ast.TrainStep | ast.TrainSchedule | ast.TrainSetting) -> str:
    match item:
        case ast.TrainStep(objective, groups, optimizer, times, maximize):
            verb = "maximize step" if maximize else "step"
            again = "" if times is None else f" times {show_expr(times, SUM)}"
            by = show_expr(optimizer, POSTFIX)
            return f"{verb} {objective.name} over {_names(groups)} with {by}{again}"
        case ast.TrainSchedule(target, value):
            return f"schedule {target.name}{_value(value)}"
        case ast.TrainSetting(key, axis, value):
            return f"{key} {f'{axis.name} = ' if axis else ''}{show_expr(value, SUM)}"


# ---- claims ------------------------------------------------------------------------------


def _claim_name(claim: ast.Claim) -> str:
    return f"{claim.name.name} as {claim.alias.name}" if claim.alias else claim.name.name


def show_claim(body: ast.ClaimBody) -> str:
    """A claim without its name."""
    match body:
        case ast.ForAny(claim, nets):
            return f"{show_claim(claim)} for any {_names(nets)}"
        case ast.Given(hypothesis, claim):
            return f"given {_side(hypothesis)}: {show_claim(claim)}"
        case ast.ForAll(variable, fin_bound, range_, claim):
            where = f"fin[{show_expr(fin_bound, SUM)}]" if fin_bound else ""
            where = show_range(range_) if range_ else where
            return f"for all {variable.name} in {where}: {show_claim(claim)}"
        case ast.Proposition(value):
            return _side(value)
        case ast.Iff(left, right):
            return f"{_side(left)} iff {_side(right)}"
        case ast.Monotone(value, direction, variable):
            return f"{_side(value)} is {direction} in {variable.name}"
        case ast.InRange(value, value_range):
            return f"{_side(value)}{_in(value_range)}"
        case ast.HasLaw(value, law):
            return f"{_side(value)} has law {show_expr(law, POSTFIX)}"
        case ast.Independent(value, variable):
            return f"{_side(value)} does not depend on {variable.name}"
        case ast.Leaves(objective, group):
            return f"step {objective.name} leaves {group.name} unchanged"
        case ast.RepeatInvariant(value):
            return f"{_side(value)} is unchanged by repeating the batch"
        case ast.Separable(value, axis):
            return f"{_side(value)} is separable over {axis.name}"
        case ast.UpTo(left, right, scale, constant, groups):
            words = [w for w, used in (("scale", scale), ("constant", constant)) if used]
            where = f" in ({_names(groups)})" if groups else ""
            sides = f"{show_expr(left, WITH, claim=True)} == {show_expr(right, WITH, claim=True)}"
            return f"{sides} up to {' and '.join(words)}{where}"
        case ast.Bounds(value, target, prior, likelihood, posterior):
            laws = f"{_law(prior)}, {_law(likelihood)}"
            last = f"posterior {show_expr(posterior, POSTFIX)}"
            return f"{_side(value)} bounds {_side(target)} under {laws}, {last}"


def _side(expr: ast.Expr) -> str:
    return show_expr(expr, claim=True)


def _law(law: ast.Law) -> str:
    given = f" given {law.given.name}" if law.given else ""
    return f"{law.variable.name}{given}: {show_expr(law.law, POSTFIX)}"
