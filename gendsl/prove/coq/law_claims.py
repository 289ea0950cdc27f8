"""Claims about laws: affine functions of standard normal noise, with their mean and covariance.

In: a `HasLaw` body with a diagonal normal law. Out: a theorem for every Ex that acts as the mean
over independent standard normal entries does (`gaussian` in `GendslLib.v`: linear, with the first
two moments):

    Ex (value at) = mean at
    Ex ((value at - mean at) * (value at' - mean at')) = var at where at = at', else 0
    the value is affine in the noise

That an affine function of normals is normal is the one step that Coq is not asked. The value at
noise 0, and the change from noise 0 to 1, are nodes made here; that the value is the first plus the
second times the noise is a sequent like any other, and so is what the law says of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from gendsl.core import claim as c
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.rewrite import substitute
from gendsl.ops.arithmetic import Add, Mul, Sub
from gendsl.ops.broadcast import fill
from gendsl.ops.leaf import Const, Draw
from gendsl.prove.coq.expr import NotExported, index_name
from gendsl.prove.coq.header import Theorem
from gendsl.prove.coq.normalise import Writer
from gendsl.prove.coq.statement import Source
from gendsl.prove.coq.whole import Formula, Prove, Sayer, assembled, conjuncts, readable, text
from gendsl.prove.kernel.term import Atom
from gendsl.prove.laws import draws_below
from gendsl.prove.props import alternatives, comparison
from gendsl.prove.reading import Sequent, Setting
from gendsl.prove.terms import indices, leaf_name, size

HIGHEST = 4  # axes that the noise may have


@dataclass(frozen=True)
class Affine:
    """value = start + slope * noise."""

    value: Node
    noise: Node
    start: Node
    slope: Node

    @property
    def line(self) -> tuple[Node, Node]:
        return self.value, self.noise


def affine(build: Builder, value: Node, noise: Node) -> Affine:
    """The value at noise 0, and its change from 0 to 1, entry by entry."""
    ends = []
    for k in (Fraction(0), Fraction(1)):
        number = fill(build, build.apply(Const(k)), noise)
        ends += substitute(build, [value], {noise: number})
    return Affine(value, noise, ends[0], build.apply(Sub(), ends[1], ends[0]))


def noise_of(value: Node, law: c.LawSpec) -> Node:
    """The one draw that the law is over, with an entry for each entry of the value."""
    fixed = {x for a in law.arguments.values() for x in draws_below(a)}
    draws = [x for x in draws_below(value) if x not in fixed]
    if law.dist != "normal" or "var" not in law.arguments:
        raise NotExported("a law that is not normal with a diagonal covariance")
    if len(draws) != 1 or draws[0].type.shape != value.type.shape or draws[0].inputs:
        raise NotExported("a law over several draws, or of another shape than the value")
    (noise,) = draws
    if not isinstance(noise.op, Draw) or noise.op.dist != "normal":
        raise NotExported("a law over draws that are not normal")
    if len(noise.type.shape) > HIGHEST:
        raise NotExported("noise with many axes")
    return noise


def theorems(
    claim: c.Claim, body: c.HasLaw, setting: Setting, name: str, prove: Prove
) -> tuple[Theorem, ...]:
    build, law = setting.build, body.law
    noise = noise_of(body.value, law)
    a = affine(build, body.value, noise)
    cases = alternatives(c.And(claim.given), build)
    if len(cases) != 1:
        raise NotExported("a law under alternative hypotheses")
    line = build.apply(Add(), a.start, build.apply(Mul(), a.slope, noise))
    square = build.apply(Mul(), a.slope, a.slope)
    pairs = [(body.value, line), (a.start, law.arguments["mean"]), (square, law.arguments["var"])]
    made = []
    for k, (left, right) in enumerate(pairs, 1):
        goal = comparison("==", left, right, build)
        made.append(prove(Sequent(cases[0], goal), setting, f"{name}_{k}"))
    parts = [p for _, p in made]
    stands = readable(parts)
    if any(noise in reachable([x]) for x in stands):
        raise NotExported("a variable for something that depends on the noise")
    source = Source(stands)
    given = [Sayer(source, build).prop(p) for p in claim.given]
    printed = _Law(source, a, law, tuple(q for p in given for q in conjuncts(p)))
    own = [leaf_name(noise)]
    sizes = [size(d) for d in noise.type.shape]
    last = assembled(name, source, parts, setting, sizes, printed.goal, bound=own)
    return (*(t for t, _ in made), last)


@dataclass(frozen=True)
class _Law:
    """The statement and its proof; the parts are line, mean and variance."""

    source: Source
    a: Affine
    law: c.LawSpec
    given: tuple[Formula, ...]

    def __post_init__(self) -> None:
        self._trees(indices(self.a.value.type.shape))  # the variables are known before the names

    def _trees(self, at: tuple[Atom, ...]) -> list[object]:
        nodes = [self.a.value, *(self.law.arguments[k] for k in ("mean", "var")), self.a.slope]
        found: list[object] = [self.source.real(x, at if x.type.shape else ()) for x in nodes]
        self.source.real(self.a.noise, at)
        return found

    def goal(self, w: Writer) -> tuple[str, list[str]]:
        rank = len(self.a.value.type.shape)
        at, then = indices(self.a.value.type.shape), indices(self.a.value.type.shape)
        i, j = ([index_name(x) for x in row] for row in (at, then))
        value, mean, var, slope = (w.t(x) for x in self._trees(at))  # type: ignore[arg-type]
        noise = w.names.variable(leaf_name(self.a.noise))
        kind = " -> ".join(["nat"] * rank + ["R"])
        args = f" ({' '.join(i)} : nat)" if rank else ""
        sizes = "".join(f" {w.names.nat(x.args[1])}" for x in at)
        m, v = self._call("M", i), self._call("Var", i)
        same = " * ".join(f"delta {a} {b}" for a, b in zip(i, j, strict=True)) or "1"
        gap = f"({self._call('V', [*i, 'z'])} - {m})"
        other = f"({self._call('V', [*j, 'z'])} - {self._call('M', j)})"
        mixed = f"(fun{args} => z{_row(i)} + t * y{_row(i)})" if rank else "(z + t * y)"
        none = f"(fun{args} => 0)" if rank else "0"
        given = "".join(f"{text(w, p)} ->\n  " for p in self.given)
        said = (
            f"{given}let V := (fun{args} ({noise} : {kind}) => {value}) in\n"
            f"  let M := {self._of(args, mean)} in let Var := {self._of(args, var)} in\n"
            f"  forall Ex : (({kind}) -> R) -> R, gaussian{rank}{sizes} Ex ->\n"
            f"  ({w.quantified(at)}Ex {self._call('V', i)} = {m}) /\\\n"
            f"  ({w.quantified((*at, *then))}Ex (fun z => {gap} * {other}) = {same} * {v}) /\\\n"
            f"  ({w.quantified(at)}forall (y z : {kind}) (t : R), "
            f"{self._call('V', [*i, mixed])} - {self._call('V', [*i, 'z'])}"
            f" = t * ({self._call('V', [*i, 'y'])} - {self._call('V', [*i, none])}))"
        )
        names = _Names(i, j, [f"H{x}" for x in i], [f"H{x}" for x in j])
        return said, self._proof(w, at, kind, noise, self._of(args, slope), names)

    def _proof(
        self, w: Writer, at: tuple[Atom, ...], kind: str, noise: str, slope: str, x: _Names
    ) -> list[str]:
        suppose = [f"G{k}" for k in range(len(self.given))]
        rank, row = len(at), " ".join(f"{a} {h}" for a, h in zip(x.i, x.hi, strict=True))
        s, v, m = (self._call(f, x.i) for f in ("Slope", "V", "M"))
        tuple_, other = (f"({', '.join(r)})" if r else "tt" for r in (x.i, x.j))
        inside, inside_then = (_conj(h) for h in (x.hi, x.hj))
        pattern = f"'({', '.join(x.i)})" if rank > 1 else x.i[0] if rank else "(_ : unit)"
        entry = f"z{_row(x.i)}"
        functions = " ".join(f"(fun {pattern} => {self._call(f, x.i)})" for f in ("V", "M"))
        whole = f"{functions} (fun {pattern} => {s})"
        split = _pattern(x.i)
        return [
            f"intros{_row(suppose)} V M Var Ex HEx.",
            f"pose (Slope := {slope}).",
            f"assert (Line : {w.quantified(at)}forall z, {v} z = {m} + {s} * {entry}).",
            f"{{ {f'intros {row}' if row else 'idtac'}; intros z; unfold V, M, Slope.",
            f"  pose proof ((fun {noise} : {kind} => {{0}}) z{_row(suppose)} {row}) as A;"
            f" pose proof ({{1}}{_row(suppose)} {row}) as B; cbv beta in A, B.",
            "  etransitivity; [ exact A | ]. rewrite <- B. first [reflexivity | ring]. }",
            f"destruct (law_affine _ _ _ _ _ Ex HEx {whole}) as [First Second].",
            f"{{ intros {split} z Inside; {_opened(x.hi)}exact (Line {row} z). }}",
            "split; [ | split ].",
            f"- intros {row}; exact (First {tuple_} {inside})."
            if rank
            else "- exact (First tt I).",
            f"- {f'intros {row} ' if rank else ''}"
            f"{' '.join(f'{a} {h}' for a, h in zip(x.j, x.hj, strict=True))}{'.' if rank else ''}",
            f"  {'' if rank else 'idtac. '}"
            f"etransitivity; [ exact (Second {tuple_} {other} {inside} {inside_then}) | ].",
            "  cbv beta iota.",
            *(
                f"  destruct (Nat.eq_dec {a} {b}) as [<-|N];"
                f" [ | rewrite (delta_other {a} {b} N); ring ]."
                for a, b in zip(x.i, x.j, strict=True)
            ),
            f"  rewrite ?delta_same. pose proof ({{2}}{_row(suppose)} {row}) as D; cbv beta in D.",
            f"  assert (E : {s} * {s} = {self._call('Var', x.i)}) by exact D. rewrite <- E. ring.",
            f"- {f'intros {row}; ' if rank else ''}intros y z t;"
            f" rewrite !(Line{' ' + row if row else ''}); ring.",
        ]

    @staticmethod
    def _call(f: str, args: list[str]) -> str:
        return f"({f} {' '.join(args)})" if args else f

    @staticmethod
    def _of(args: str, body: str) -> str:
        return f"(fun{args} => {body})" if args else body


@dataclass(frozen=True)
class _Names:
    """Indices of an entry, of a second one, and the names of their bounds."""

    i: list[str]
    j: list[str]
    hi: list[str]
    hj: list[str]


def _row(names: list[str]) -> str:
    return "".join(f" {x}" for x in names)


def _conj(names: list[str]) -> str:
    """A proof of the conjunction of named facts, as `gaussian` states it."""
    if not names:
        return "I"
    return names[0] if len(names) == 1 else f"(conj {names[0]} {_conj(names[1:])})"


def _pattern(names: list[str]) -> str:
    """An introduction pattern for a tuple."""
    if not names:
        return "[]"
    return names[0] if len(names) == 1 else f"[{_pattern(names[:-1])} {names[-1]}]"


def _opened(names: list[str]) -> str:
    if not names:
        return ""
    own = " & ".join(names)
    return (
        f"destruct Inside as {f'({own})' if len(names) > 1 else own}; "
        if len(names) > 1
        else (f"rename Inside into {names[0]}; ")
    )
