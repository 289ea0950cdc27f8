"""Lean 4 text of exported theorems, for users who have Mathlib. Not compiled: no Lean was at hand.

In: the statement of a theorem as trees (`prove/coq/expr.py`). Out: text with the same statement and
a proof attempt by Mathlib's general tactics. The file says that it was not compiled; nothing counts
it as evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gendsl.prove.coq.expr import (
    Add,
    Canon,
    Delta,
    E,
    Fn,
    Inv,
    Ix,
    Mul,
    NotExported,
    Num,
    Pi,
    Pow,
    Product,
    Size,
    Step,
    Sub,
    Sum,
    Var,
    index_name,
    ordered,
    tree_of,
)
from gendsl.prove.kernel.term import Atom, Poly

HEAD = """\
-- Written by gendsl. NOT COMPILED: no Lean was at hand; take the proofs as attempts.
import Mathlib

open Finset

"""
_PREFIX = {
    "exp": "Real.exp",
    "ln": "Real.log",
    "sqrt": "Real.sqrt",
    "sin": "Real.sin",
    "cos": "Real.cos",
    "tanh": "Real.tanh",
    "Rmax": "max",
    "Rmin": "min",
    "Rabs": "abs",
}
_SIGNS = {"eq": "=", "ge": "≥", "gt": ">", "ne": "≠"}
_TACTICS = {
    "eq": "  simp only [sum_add_distrib, mul_sum, sum_mul] <;> field_simp <;> ring_nf",
    "ge": "  first | positivity | nlinarith [Real.add_one_le_exp, sq_nonneg]",
    "gt": "  first | positivity | nlinarith [Real.add_one_le_exp, sq_nonneg]",
    "ne": "  positivity",
}


@dataclass(frozen=True)
class Claim:
    """`left rel right` for all values of the indices `at`."""

    name: str
    at: tuple[Atom, ...]
    rel: str
    left: E
    right: E


@dataclass(frozen=True)
class Statement:
    """Sizes, variables (name, number of indices) and premises of a theorem."""

    name: str
    dims: Sequence[str]
    variables: Sequence[tuple[str, int]]
    premises: Sequence[Claim]
    goal: Claim


@dataclass(frozen=True)
class Printer:
    """`variable` gives the Lean name of a kernel variable."""

    variable: Callable[[str], str]

    def theorem(self, s: Statement) -> str:
        lines = [f"({d} : ℕ) (h{d} : 0 < {d})" for d in s.dims]
        for name, count in s.variables:
            lines.append(f"({name} : {' → '.join(['ℕ'] * count + ['ℝ'])})")
        lines += [f"({p.name} : {self.claim(p)})" for p in s.premises]
        head = "\n    ".join([f"theorem {s.name}", *lines])
        return f"{head} :\n    {self.claim(s.goal)} := by\n  intros\n{_TACTICS[s.goal.rel]}\n"

    def claim(self, p: Claim) -> str:
        bounds = "".join(f"∀ {index_name(i)} < {self.nat(i.args[1])}, " for i in p.at)
        return f"{bounds}{self.text(p.left)} {_SIGNS[p.rel]} {self.text(p.right)}"

    def nat(self, size: Poly) -> str:
        rows = []
        for m, c in ordered(size):
            fits = c.denominator == 1 and c > 0 and all(k > 0 and k.denominator == 1 for _, k in m)
            if not fits or not all(a.kind == "dim" for a, _ in m):
                raise NotExported("a size with a division")
            factors = ["d" + str(a.args[0]) for a, k in m for _ in range(int(k))]
            rows.append(" * ".join(([str(c)] if c != 1 or not factors else []) + factors))
        text = " + ".join(rows)
        return f"({text})" if " " in text else text

    def index(self, i: Atom) -> str:
        if i.kind == "i":
            return index_name(i)
        if i.kind == "ix" and all(x.kind != "lam" for x in i.args[1]):
            return self._applied(self.variable(i.args[0]), [self.index(x) for x in i.args[1]])
        raise NotExported(f"an index {i.kind}")

    @staticmethod
    def _applied(name: str, args: Iterable[str]) -> str:
        row = " ".join([name, *args])
        return f"({row})" if " " in row else row

    def text(self, e: E) -> str:
        match e:
            case Num(value) if value.denominator == 1:
                return f"({value} : ℝ)"
            case Num(value):
                return f"({value.numerator} / {value.denominator} : ℝ)"
            case Var(name, at):
                return self._applied(self.variable(name), [self.index(i) for i in at])
            case Size(size):
                return f"({self.nat(size)} : ℝ)"
            case Add(parts):
                return "(" + " + ".join(map(self.text, parts)) + ")"
            case Sub(left, right):
                return f"({self.text(left)} - {self.text(right)})"
            case Mul(parts):
                return "(" + " * ".join(map(self.text, parts)) + ")"
            case Pow(base, exponent):
                return f"({self.text(base)} ^ {exponent})"
            case Inv(base):
                return f"({self.text(base)})⁻¹"
            case Sum(index, body):
                below = self.nat(index.args[1])
                return f"(∑ {index_name(index)} ∈ range {below}, {self.text(body)})"
            case Delta(i, j):
                return f"(if {self.index(i)} = {self.index(j)} then (1 : ℝ) else 0)"
            case Ix(i):
                return f"({self.index(i)} : ℝ)"
            case Pi():
                return "Real.pi"
            case Canon(p):
                return self.text(tree_of(p))
            case Fn(name, args):
                return self._function(name, [self.text(x) for x in args])
            case Product() | Step():
                raise NotExported("a running product or a concatenation")

    @staticmethod
    def _function(name: str, args: Sequence[str]) -> str:
        match name:
            case "relu":
                return f"(max {args[0]} 0)"
            case "ge0":
                return f"(if 0 ≤ {args[0]} then (1 : ℝ) else 0)"
            case "eq0":
                return f"(if {args[0]} = 0 then (1 : ℝ) else 0)"
            case _:
                return f"({_PREFIX[name]} {' '.join(args)})"


def lean_text(theorems: Iterable[str]) -> str:
    """A file of Lean theorems."""
    return HEAD + "\n".join(theorems)
