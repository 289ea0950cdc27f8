"""Checking whole programs: alignment, polymorphism, sizes of nets, conditions, modules, lints."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.core.show import show_type
from gendsl.core.term import Apply, CallResult, FnDef, Spreadout
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from tests.core.reading import checked, codes_of, program_of

IMAGES = """
batch B
data x: [B, C, H, W] in 0..1 from digits
"""


def result_of(body: str, head: str) -> str:
    """The type of `y` in a function with the given parameters."""
    program = program_of(f"fn f({head}) -> real:\n    y = {body}\n    return sum[..](y)\n")
    return show_type(program.functions["f"].names["y"].type)


# ---- alignment ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "head", "type_"),
    [
        ("a + b", "a: [B, H], b: [H]", "[B, H]"),
        ("a + b", "a: [H], b: [B, H]", "[B, H]"),
        ("a * b", "a: [B, K, H], b: [B, H]", "[B, K, H]"),
        ("2 * a", "a: [B, H]", "[B, H]"),
        ("maximum(a, b)", "a: [B], b: [B, H]", "[B, H]"),
        ("where(a > 0, a, b)", "a: [B, H], b: [H]", "[B, H]"),
        ("expand a: [B] -> [B, K]", "a: [B], c: [K]", "[B, K]"),
        ("sum[H](a)", "a: [B, H, W]", "[B, W]"),
        ("a - mean[H](a)", "a: [..b, H]", "[..b, H]"),
        ("contract[H](a, b)", "a: [B, H], b: [H, K]", "[B, K]"),
        ("contract[d](a, b)", "a: [q: N, d: D], b: [k: N, d: D]", "[q: N, k: N]"),
        ("softmax[k](a)", "a: [q: N, k: N]", "[q: N, k: N]"),
        ("concat[t](1, a)", "a: [t: T]", "[t: T + 1]"),
        ("slice[t](a, start = 1, size = 2)", "a: [t: T + 2]", "[t: 2]"),
        ("pad[t](a, before = 1, after = 2)", "a: [t: T]", "[t: T + 3]"),
        ("a[k]", "a: [K, C], k: [B] of fin[K]", "[B, C]"),
        ("a[0]", "a: [K, C]", "[C]"),
        ("gather[K](a, k)", "a: [B, K, C], k: [B, P] of fin[K]", "[B, P, C]"),
        ("one_hot[K](k)", "k: [B] of fin[K]", "[B, K]"),
        ("segment_sum[K](k, a)", "a: [B, C], k: [B] of fin[K]", "[K, C]"),
        ("rearrange a: [B, (C H W)] -> [B, C, H, W]", "a: [B, (C H W)]", "[B, C, H, W]"),
        (
            "rearrange a: [C, (h p: P), (w q: P)] -> [(h w), (p q C)]",
            "a: [C, H, W], s: [P]",
            "[(h: H / P w: W / P), (p: P q: P C)]",
        ),
        (
            "conv2d(a, w, stride = 2)",
            "a: [B, C, H, W], w: [O, C, kh: 4, kw: 4]",
            "[B, O, H / 2, W / 2]",
        ),
        ("grad[a](sum[H](square(a)))", "a: [B, H]", "[B, H]"),
    ],
)
def test_shapes_of_expressions(body: str, head: str, type_: str) -> None:
    assert result_of(body, head) == type_


def test_arithmetic_holds_positions_not_labels() -> None:
    program = program_of("fn f(a: [B, K, H], b: [B, H]) -> [B, K, H]:\n    return a + b\n")
    (output,) = program.functions["f"].outputs
    assert isinstance(output, Apply)
    left, right = output.args
    assert not isinstance(left, Spreadout)
    assert isinstance(right, Spreadout) and right.positions == (0, 2)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("[B]", "[K]"),
        ("[B, H]", "[H, B]"),
        ("[q: N]", "[k: N]"),
        ("[d: H]", "[d: W]"),
        ("[B]", "[B, K, B2: B]"),
    ],
)
def test_only_labels_in_order_align(a: str, b: str) -> None:
    text = f"fn f(a: {a}, b: {b}) -> real:\n    return sum[..](a + b)\n"
    assert codes_of(text) == ([] if a == "[B]" and b == "[B, K, B2: B]" else ["E0402"])


# ---- polymorphism ------------------------------------------------------------------------


def test_a_function_is_checked_once_and_called_at_many_shapes() -> None:
    program = program_of("""
fn norm(x: [..b, D]) -> [..b]:
    return sum[D](square(x))

fn use(a: [P], b: [B, Q], c: [B, H, R]) -> (x: real, y: [B], z: [B, H]):
    x = norm(a)
    y = norm(b)
    z = norm(c)
""")
    outputs = program.functions["use"].outputs
    assert [show_type(o.type) for o in outputs] == ["real", "[B]", "[B, H]"]
    targets = {o.call.target for o in outputs if isinstance(o, CallResult)}
    assert targets == {program.functions["norm"]}


def test_leading_axes_broadcast_in_calls() -> None:
    program = program_of("""
import gaussian: kl_between

fn to_prior(mu: [B, Z], logvar: [B, Z], m: [Z]) -> [B]:
    return kl_between(mu, logvar, m, 0)
""")
    (call,) = program.functions["to_prior"].outputs
    assert isinstance(call, CallResult)
    third, fourth = call.call.args["mu2"], call.call.args["logvar2"]
    assert isinstance(third, Spreadout) and third.positions == (1,)
    assert isinstance(fourth, Spreadout) and fourth.positions == ()


def test_bracket_sizes_have_defaults_and_labels() -> None:
    program = program_of("""
import nn: conv

net f(x: [..b, C, H, W]) -> [..b, f: 8, y: H / 2, x: W / 2]:
    return conv[f: 8, s: 2, k: 4](x)
""")
    (call,) = program.functions["f"].outputs
    assert isinstance(call, CallResult) and isinstance(call.call.target, FnDef)
    sizes = {name.split("@")[0]: str(size) for name, size in call.call.dims.items()}
    assert (sizes["O"], sizes["k"], sizes["s"]) == ("8", "4", "2")
    assert show_type(call.type) == "[..b, f: 8, H / 2, W / 2]"


def test_flags_choose_statically() -> None:
    program = program_of("""
fn scale(x: [D], double: bool = false) -> [D]:
    if double:
        y = 2 * x
    else:
        y = x
    return y

fn use(x: [D]) -> [D]:
    return scale(x, double = true)
""")
    (call,) = program.functions["use"].outputs
    assert isinstance(call, CallResult)
    assert set(call.call.flags) == {"double"}


def test_nets_are_passed_to_functions() -> None:
    program_of("""
import nn: dense

batch B
dim Z = 4
data x: [B, Z] from digits

net step(x: [..b, Z]) -> [..b, Z]:
    return dense[Z](x)

fn twice(f: net(x: [..b, Z]) -> [..b, Z], x: [..b, Z]) -> [..b, Z]:
    return f(f(x))

objective o:
    minimize mean[..](square(twice(step, x)))
""")


# ---- sizes of nets, conditions -----------------------------------------------------------


def test_all_calls_of_a_net_agree_on_its_sizes() -> None:
    text = """
import nn: dense

batch B
dim Z = 4
data x: [B, D] from digits

net head(x: [..b, I]) -> [..b, Z]:
    return dense[Z](x)

objective o:
    minimize mean[..](square(head(x))) + mean[..](square(head({second})))
"""
    assert program_of(text.format(second="2 * x")).net_dims["head"]
    assert codes_of(text.format(second="head(x)")) == ["E0411"]


def conditions(text: str) -> list[str]:
    return sorted(c.text for c in program_of(text).interface.conditions)


def test_conditions_are_inherited_through_calls() -> None:
    text = f"""
import nn: conv
{IMAGES}
net level(x: [..b, C, H, W]) -> [..b, f: 8, y: H / 2, x: W / 2]:
    return conv[f: 8, k: 4, s: 2](x)

net encoder(x: [..b, C, H, W]) -> [..b, f: 8, y: H / 2, x: W / 2]:
    return level(x)

objective o:
    minimize mean[..](square(encoder(x)))
"""
    assert conditions(text) == ["2 | H", "2 | W"]


def test_conditions_that_hold_are_not_reported() -> None:
    text = """
fn f(x: [n: 28]) -> [m: 28 / 4]:
    y = rearrange x: [(m k: 4)] -> [m, k]
    return sum[k](y)
"""
    assert conditions(text) == []


@pytest.mark.parametrize(("size", "codes"), [("8", []), ("6", ["E0410"]), ("H", [])])
def test_conditions_are_decided_for_numbers(size: str, codes: list[str]) -> None:
    text = f"""
fn pool(x: [L]) -> [n: L / 4]:
    y = rearrange x: [(n k: 4)] -> [n, k]
    return mean[k](y)

fn use(x: [h: {size}]) -> real:
    return sum[..](pool(x))
"""
    assert codes_of(text) == codes


def test_loops_bring_an_order_of_sizes() -> None:
    text = """
dim T = 100 >= 2

sampler walk[N = 4, S = 10]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, S) carrying x:
        x = x * index(t) / (index(s) + 1)
    return x
"""
    program = program_of(text)
    assert len(program.interface.conditions) == 1
    assert "T" in program.interface.conditions[0].text


# ---- modules -----------------------------------------------------------------------------


def test_modules_beside_the_program_are_found_and_checked_once() -> None:
    program = program_of(
        "import shared: double\n\nfn f(x: real) -> real:\n    return double(x)\n",
        {"shared": "fn double(x: real) -> real:\n    return 2 * x\n"},
    )
    assert set(program.functions) == {"f"}


def test_imported_names_are_not_passed_on() -> None:
    modules = {
        "inner": "fn double(x: real) -> real:\n    return 2 * x\n",
        "outer": "import inner: double\n\nfn f(x: real) -> real:\n    return double(x)\n",
    }
    assert codes_of("import outer: double\n", modules) == ["E0209"]


CHAIN = {"chain": "dim T = 3\nconst low: [T] = 1\nconst high: [T] = 2 * low\n"}


def test_imported_constants_follow_those_that_they_use() -> None:
    program = program_of("import chain: high, low, T\n", CHAIN)
    assert list(program.constants) == ["low", "high"]


@pytest.mark.parametrize("names", ["high", "high, T", "high, low"])
def test_what_an_import_needs_of_its_module_is_imported(names: str) -> None:
    assert codes_of(f"import chain: {names}\n", CHAIN) == ["E0211"]


def test_a_module_may_use_what_a_third_one_declares() -> None:
    modules = {
        **CHAIN,
        "user": "import chain: T, high, low\n\nfn f(x: real) -> real:\n    return x * high[0]\n",
    }
    text = "import user: f\n\nfn g(x: real) -> real:\n    return f(x)\n"
    assert codes_of(text, modules) == ["E0211"]
    assert codes_of(f"import chain: T, low, high\n{text}", modules) == []


def test_circles_of_imports_are_refused_once() -> None:
    modules = {
        "a": "import b: g\n\nfn f(x: real) -> real:\n    return g(x)\n",
        "b": "import a: f\n\nfn g(x: real) -> real:\n    return f(x)\n",
    }
    program, sink = checked("import a: f\n", modules)
    assert program is None
    (problem,) = sink.sorted()
    assert problem.code == "E0207" and problem.primary is not None
    assert problem.primary.text == "a -> b -> a"


def test_a_syntax_error_in_a_module_is_the_only_report() -> None:
    modules = {
        "broken": "fn f(x: real) -> real\n    return x\n\nfn g(x: real) -> real:\n    return x\n"
    }
    text = "import broken: f, g\n\nfn h(x: real) -> real:\n    return f(g(x))\n"
    assert codes_of(text, modules) == ["E0106"]


def test_a_syntax_error_hides_what_it_may_have_caused() -> None:
    assert codes_of("dim Z == 4\n\nfn f(x: [Z]) -> [Z]:\n    return x + shift\n") == ["E0110"]


def test_the_prelude_is_in_scope_and_cannot_be_redeclared() -> None:
    program_of("fn f(a: [D], b: [D]) -> real:\n    return mse[D](a, b)\n")
    assert codes_of("fn mse(a: [D]) -> real:\n    return sum[D](a)\n") == ["E0205"]


# ---- one mistake, one diagnostic ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("fn f(x: [D]) -> [D]:\n    return y + y * z\n", ["E0201", "E0201"]),
        ("fn f(x: [D]) -> [D]:\n    y = nothing(x)\n    return y + nothing(y)\n", ["E0203"]),
        ("param p: [N]\n\nfn f(x: [D]) -> real:\n    return sum[N](p)\n", ["E0202"]),
        (
            f"{IMAGES}\nobjective o:\n    y = x + x[B]\n    z = 2 * y\n    minimize mean[..](z)\n",
            ["E0311"],
        ),
        ("hyper a = b\n\nfn f(x: real) -> real:\n    return a * x\n", ["E0302"]),
        ("import nowhere: a, b\n\nfn f(x: real) -> real:\n    return a(b(x))\n", ["E0208"]),
    ],
)
def test_one_mistake_is_one_diagnostic(text: str, codes: list[str]) -> None:
    assert codes_of(text) == codes


def test_a_broken_function_is_reported_once_for_all_its_calls() -> None:
    text = """
fn broken(x: [D]) -> [D]:
    return x + y

fn a(x: [D]) -> [D]:
    return broken(x)

fn b(x: [D]) -> [D]:
    return a(broken(x))
"""
    assert codes_of(text) == ["E0201"]


@pytest.mark.parametrize(
    ("net", "codes"),
    [
        ("net g(x: [..b, I]) -> [..b, Z]:\n    return dense[Z](x)\n", []),
        ("net g(x: [..b, Z], hot: bool = false) -> [..b, Z]:\n    return dense[Z](x)\n", []),
        ("net g(x: [..b, I]) -> [..b, k: 3]:\n    return dense[k: 3](x)\n", ["E0310"]),
        ("net g(x: [..b, k: 3]) -> [..b, Z]:\n    return dense[Z](x)\n", ["E0310"]),
        ("net g(x: [I]) -> [Z]:\n    return dense[Z](x)\n", ["E0310"]),
        (
            "fn g[O = 4](x: [..b, I]) -> [..b, O]:\n"
            "    return expand sum[I](x): [..b] -> [..b, O]\n",
            ["E0310"],
        ),
        ("net g(x: [..b, Z], y: [..b, Z]) -> [..b, Z]:\n    return dense[Z](x + y)\n", ["E0310"]),
    ],
)
def test_a_net_argument_does_what_the_parameter_asks(net: str, codes: list[str]) -> None:
    text = f"""
import nn: dense

batch B
dim Z = 4
data x: [B, Z] from digits

{net}
fn twice(f: net(x: [..b, Z]) -> [..b, Z], x: [..b, Z]) -> [..b, Z]:
    return f(f(x))

objective o:
    minimize mean[..](square(twice(g, x)))
"""
    assert codes_of(text) == codes


def test_a_net_argument_counts_as_a_call_of_the_net() -> None:
    text = """
import nn: dense

batch B
dim Z = 4
data x: [B, Z] from digits
data w: [B, D] from digits

net g(x: [..b, I]) -> [..b, Z]:
    return dense[Z](x)

fn apply(f: net(x: [..b, Z]) -> [..b, Z], x: [..b, Z]) -> [..b, Z]:
    return f(x)

objective o:
    minimize mean[..](square(apply(g, x))) + mean[..](square(g(w)))
"""
    assert codes_of(text) == ["E0411"]


# ---- declared ranges ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "const c: [K: 3] in 0..1 = 0.5\n",
        "const c: [K: 3] in 0..1 = clamp(index(iota[K: 3]()), 0, 1)\n",
        "kernel k(x: [N]) -> [N]:\n    u: [N] in -1..2 ~ uniform(-1, 2)\n    return x * u\n",
        "fn f(x: [N], s: real in 0..1 = 1) -> [N]:\n    return s * x\n",
        "state s: [K: 3] = uniform(0, 1)\n",
        "state s: [K: 3] of bool = index(iota[K: 3]()) > 1\n",
    ],
)
def test_values_inside_of_their_ranges_are_taken(text: str) -> None:
    assert codes_of(text) == []


def test_a_size_without_a_default_is_the_data_s_where_a_field_mentions_it() -> None:
    text = "batch B\ndim D\ndim E\ndim K\ndata x: [B, 2 * D] from digits\ndata y: [B] of fin[E]\n"
    dims = program_of(text + "param p: [K]\n").interface.dims
    kinds = {name: dim.kind for name, dim in dims.items()}
    assert kinds == {"B": "batch", "D": "data", "E": "data", "K": "dim"}
    assert dims["K"].default is None


# ---- claims about functions ----------------------------------------------------------------


@pytest.mark.parametrize("size", ["fin[T]", "fin[T + 1]", "fin[2 * T]"])
def test_claims_see_the_sizes_of_indices(size: str) -> None:
    text = f"fn f(t: {size}) -> real:\n    return index(t)\n\n"
    assert codes_of(f"{text}claims f(t):\n    c: f(t) <= 2 * T\n") == []


def test_claims_may_ask_a_net_at_a_number(tmp_path: Path) -> None:
    path = tmp_path / "odd.gml"
    path.write_text(
        "fn f(g: net(x: [..s]) -> [..s], x: [..s]) -> [..s]:\n    return g(x)\n\n"
        "claims f(g, x):\n    c: given x == 0: f(g, x) == g(0)\n"
    )
    sink = Sink()
    analysis = analyse(str(path), sink, prove=False)
    assert not sink.sorted() and len(analysis.obligations) == 1
