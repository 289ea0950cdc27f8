"""The training recipe: `step`, `schedule`, `batch`, `steps`, `clip`, `ema`,
`precision`."""

from __future__ import annotations

from fractions import Fraction

from gendsl.core.check_call import call_results
from gendsl.core.context import CallSyntax, Context
from gendsl.core.program import OptimizerSpec, Recipe, RecipeStep
from gendsl.core.scope import FnEntity, ObjectiveEntity, ValueEntity
from gendsl.core.show import range_text, show_range
from gendsl.core.sizes import constant
from gendsl.core.term import Term
from gendsl.diagnostics.model import Label
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.precision import PRECISIONS
from gendsl.source.text import Span
from gendsl.syntax import ast
from gendsl.syntax.printer import show_expr

OPTIMIZERS: dict[str, dict[str, Fraction]] = {
    "sgd": {"lr": Fraction(1, 100), "momentum": Fraction(0), "weight_decay": Fraction(0)},
    "adam": {
        "lr": Fraction(1, 1000),
        "beta1": Fraction(9, 10),
        "beta2": Fraction(999, 1000),
        "eps": Fraction(1, 10**8),
    },
    "adamw": {
        "lr": Fraction(1, 1000),
        "beta1": Fraction(9, 10),
        "beta2": Fraction(999, 1000),
        "eps": Fraction(1, 10**8),
        "weight_decay": Fraction(1, 100),
    },
}


def recipe(decl: ast.TrainDecl, ctx: Context) -> tuple[Recipe | None, dict[str, Term]]:
    """The recipe, and the scheduled values as terms over the step."""
    lines: list[RecipeStep] = []
    schedules: dict[str, Term] = {}
    settings: dict[str, tuple[Fraction, Span]] = {}
    precisions: list[ast.TrainSetting] = []
    for item in decl.items:
        match item:
            case ast.TrainStep():
                line = _step(item, ctx)
                if line is not None:
                    lines.append(line)
            case ast.TrainSchedule():
                _schedule(item, ctx, schedules)
            case ast.TrainSetting(key="precision"):
                precisions.append(item)
            case ast.TrainSetting():
                _setting(item, ctx, settings)
    _require(decl, ctx)
    precision = _precision(precisions, ctx)
    if "batch" not in settings or "steps" not in settings or not lines:
        return None, schedules
    made = Recipe(
        tuple(lines),
        int(settings["batch"][0]),
        int(settings["steps"][0]),
        tuple(schedules),
        settings["clip"][0] if "clip" in settings else None,
        settings["ema"][0] if "ema" in settings else None,
        precision,
        {
            i.target.name: show_expr(i.value)
            for i in decl.items
            if isinstance(i, ast.TrainSchedule) and i.target.name in schedules
        },
    )
    return made, schedules


def _require(decl: ast.TrainDecl, ctx: Context) -> None:
    """A recipe says `batch`, `steps` and at least one `step`."""
    said = {i.key for i in decl.items if isinstance(i, ast.TrainSetting)}
    head = Span(decl.span.path, decl.span.start, decl.span.start + len("train"))
    for key in ("batch", "steps"):
        if key not in said:
            ctx.error(
                "E0508",
                f"the recipe says no `{key}`",
                head,
                f"no `{key}` here",
                help="add `batch B = 128`" if key == "batch" else "add `steps 2000`",
            )
    if not any(isinstance(i, ast.TrainStep) for i in decl.items):
        ctx.error(
            "E0508",
            "the recipe has no `step` line",
            head,
            "nothing would be trained",
            help="write `step OBJECTIVE over NET, ... with adam(lr = 1e-3)`",
        )


def _precision(items: list[ast.TrainSetting], ctx: Context) -> str | None:
    """`precision tf32`: one of the policies, said once; None where it is not said."""
    for again in items[1:]:
        first = Label(items[0].span, "first here")
        ctx.error("E0508", "`precision` is said twice", again.span, "again", labels=(first,))
    if not items:
        return None
    value = items[0].value
    name = value.name if isinstance(value, ast.Name) else None
    if name in PRECISIONS:
        return name
    listed = ", ".join(PRECISIONS)
    ctx.error(
        "E0518",
        f"unknown precision `{name}`" if name else "`precision` wants a name",
        value.span,
        f"one of {listed}",
        help=did_you_mean(name or "", list(PRECISIONS)) or _PRECISION_HELP,
    )
    return None


_PRECISION_HELP = "without a `precision` line products have float32's accuracy"


def _step(item: ast.TrainStep, ctx: Context) -> RecipeStep | None:
    entities = ctx.body.module.entities
    if any(g.name in ctx.body.module.broken for g in item.groups):
        return None
    if not isinstance(entities.get(item.objective.name), ObjectiveEntity):
        known = [n for n, e in entities.items() if isinstance(e, ObjectiveEntity)]
        ctx.error(
            "E0206",
            f"unknown objective `{item.objective.name}`",
            item.objective.span,
            "not an objective",
            help=did_you_mean(item.objective.name, known),
        )
        return None
    for group in item.groups:
        entity = entities.get(group.name)
        net = isinstance(entity, FnEntity) and entity.decl.kind == "net"
        free = isinstance(entity, ValueEntity) and entity.kind == "param"
        if not net and not free:
            known = [
                n
                for n, e in entities.items()
                if (isinstance(e, FnEntity) and e.decl.kind == "net")
                or (isinstance(e, ValueEntity) and e.kind == "param")
            ]
            ctx.error(
                "E0206",
                f"`{group.name}` is not a parameter group",
                group.span,
                "a net or a free parameter is wanted",
                help=did_you_mean(group.name, known),
            )
            return None
    optimizer = _optimizer(item.optimizer, ctx)
    times = Fraction(1) if item.times is None else constant(item.times)
    if times is None or times.denominator != 1 or times < 1:
        ctx.error("E0508", "`times` wants a whole number >= 1", item.span, "not one")
        return None
    if optimizer is None:
        return None
    groups = tuple(g.name for g in item.groups)
    return RecipeStep(item.objective.name, groups, optimizer, int(times), item.maximize, item.span)


def _optimizer(expr: ast.Expr, ctx: Context) -> OptimizerSpec | None:
    name = (
        expr.callee.name
        if isinstance(expr, ast.Call) and isinstance(expr.callee, ast.Name)
        else None
    )
    if not isinstance(expr, ast.Call) or name not in OPTIMIZERS:
        place = expr.callee.span if isinstance(expr, ast.Call) else expr.span
        ctx.error(
            "E0206",
            f"unknown optimizer `{name}`" if name else "an optimizer is wanted",
            place,
            "one of " + ", ".join(OPTIMIZERS),
            help=did_you_mean(name or "", list(OPTIMIZERS)) or "write `adam(lr = 1e-3)`",
        )
        return None
    options = dict(OPTIMIZERS[name])
    for arg in expr.args:
        value = constant(arg.value)
        if arg.name is None or arg.name.name not in options or value is None or value < 0:
            key = arg.name.name if arg.name else "?"
            ctx.error(
                "E0508",
                f"`{name}` has no option `{key}`"
                if key not in options
                else f"`{key}` wants a number >= 0",
                arg.span,
                "options: " + ", ".join(options),
                help=_option_help(key, list(options)) if key not in options else None,
            )
            return None
        options[arg.name.name] = value
    return OptimizerSpec(name, options)


_ELSEWHERE = {"learning_rate": "lr", "betas": "beta1", "decay": "weight_decay", "eta": "lr"}


def _option_help(key: str, options: list[str]) -> str | None:
    known = _ELSEWHERE.get(key)
    return f"write `{known} = ...`" if known in options else did_you_mean(key, options)


def _schedule(item: ast.TrainSchedule, ctx: Context, schedules: dict[str, Term]) -> None:
    """`schedule beta = linear_warmup(0, 1, steps = 1000)`: a function with a parameter `step`."""
    from gendsl.core.check_expr import term

    entity = ctx.body.module.entities.get(item.target.name)
    if item.target.name != "lr" and not (
        isinstance(entity, ValueEntity) and entity.kind == "hyper"
    ):
        ctx.error(
            "E0206",
            f"`{item.target.name}` is neither a hyperparameter nor `lr`",
            item.target.span,
            "cannot be scheduled",
        )
        return
    call = item.value
    if not isinstance(call, ast.Call) or not isinstance(call.callee, ast.Name):
        ctx.error(
            "E0508",
            "a schedule is a call of a schedule function",
            call.span,
            "not a call",
            help="`linear_warmup(0, 1, steps = 1000)`",
        )
        return
    place = ast.Name("step", call.span)
    args = (*call.args, ast.Arg(ast.Ident("step", call.span), place, call.span))
    ctx.body.binding = item.target.name
    results = call_results(
        CallSyntax(call.callee.name, None, args, call.span), call.callee.span, ctx, term
    )
    if results is None:
        return
    if len(results) != 1 or results[0][1].type.items:
        ctx.error("E0508", "a schedule gives one number", call.span, "not a scalar")
        return
    if isinstance(entity, ValueEntity) and entity.hyper is not None:
        from gendsl.core.ranges import inside

        allowed, found = entity.hyper.range, results[0][1].type.range
        if not inside(found, allowed):
            ctx.error(
                "E0304",
                f"`{item.target.name}` is declared in {range_text(allowed)}",
                call.span,
                show_range(found),
                labels=(Label(entity.span, "declared here"),),
                help="a schedule stays in the declared range: change its ends, or the range",
            )
            return
    schedules[item.target.name] = results[0][1]


def _setting(
    item: ast.TrainSetting, ctx: Context, settings: dict[str, tuple[Fraction, Span]]
) -> None:
    value = constant(item.value)
    whole = item.key in ("batch", "steps")
    if item.key in settings:
        first = Label(settings[item.key][1], "first here")
        ctx.error("E0508", f"`{item.key}` is said twice", item.span, "again", labels=(first,))
    elif value is None or (whole and (value.denominator != 1 or value < 1)) or value <= 0:
        ctx.error(
            "E0508",
            f"`{item.key}` wants a {'whole ' if whole else ''}number > 0",
            item.value.span,
            "not one",
        )
    elif item.key == "ema" and not 0 < value < 1:
        ctx.error("E0508", "an EMA decay lies between 0 and 1", item.value.span, "not there")
    else:
        if item.axis is not None:
            from gendsl.core.program import DimInfo

            info = ctx.body.module.entities.get(item.axis.name)
            if not isinstance(info, DimInfo) or info.kind != "batch":
                ctx.error(
                    "E0206", f"`{item.axis.name}` is not a batch axis", item.axis.span, "unknown"
                )
                return
        settings[item.key] = (value, item.span)
