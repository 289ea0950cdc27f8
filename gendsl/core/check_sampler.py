"""What a sampler's head must say, since nobody calls it: the command line runs it.

In: a sampler's signature. Out: reports. Always: at the defaults of its sizes, and a number of
examples, everything that it needs has a value or is an argument that can be set.
"""

from __future__ import annotations

from fractions import Fraction

from gendsl.core.show import plain, show_type
from gendsl.core.term import Formal, Signature
from gendsl.diagnostics.model import Sink
from gendsl.shape.tensor_type import Axis, Fin
from gendsl.source.text import Span
from gendsl.syntax import ast

_HEAD = "write `sampler NAME[N = 64](...) -> [N, ...]`"


def check_sampler(decl: ast.FnDecl, made: Signature, sink: Sink) -> None:
    """Report what of a sampler nothing determines."""
    name, place = made.name, decl.name.span
    if made.bracket_spread is not None or made.spreads:
        what = made.bracket_spread or made.spreads[0]
        text = f"the sampler `{name}` has no `..{what}`"
        sink.error("E0405", text, place, "nobody calls it", help=_HEAD)
        return
    if not made.sizes:
        text = f"the sampler `{name}` does not say how many examples it makes"
        sink.error("E0407", text, place, "no size in brackets", help=_HEAD)
        return
    example = made.sizes[0][0]
    for size in [n for n, default in made.sizes[1:] if default is None]:
        text = f"the size `{plain(size)}` of `{name}` has no value"
        sink.error("E0407", text, place, "no default", help=f"write `{plain(size)} = 16`")
    for size in made.implicit:
        text = f"nothing determines the size `{plain(size)}` of the sampler `{name}`"
        help = f"declare `dim {plain(size)} = 16`, or add `{plain(size)} = 16` to the brackets"
        sink.error("E0407", text, place, "not a size of the program", help=help)
    for formal in made.formals:
        _argument(name, formal, sink)
    spans = [t.span for t in decl.result.types]
    for result, span in zip(made.results, spans, strict=True):
        first = result.items[0] if result.items else None
        if not isinstance(first, Axis) or first.size.as_name != example:
            sink.error(
                "E0401",
                f"what `{name}` makes has `{plain(example)}` as its first axis",
                span,
                f"this is {show_type(result)}",
                help="the first size in brackets counts examples",
            )


def _argument(name: str, formal: Formal, sink: Sink) -> None:
    if formal.net is not None:
        sink.error(
            "E0310",
            f"the sampler `{name}` takes no net",
            formal.span,
            "nobody passes it one",
            help="call the net by its name",
        )
    elif formal.flag:
        sink.error(
            "E0309",
            f"the sampler `{name}` takes no flag",
            formal.span,
            "not known when it is compiled",
            help="write two samplers, or choose by a number: `where(guided > 0, a, b)`",
        )


def index_default(name: str, default: Fraction, elem: Fin, span: Span, sink: Sink) -> None:
    """Report a default that is no index below the bound."""
    bound = elem.bound.constant
    if default.denominator == 1 and default >= 0 and (bound is None or default < bound):
        return
    sink.error(
        "E0311",
        f"the default of `{name}` is not an index of fin[{plain(elem.bound)}]",
        span,
        "whole numbers from 0 on, below the bound",
    )
