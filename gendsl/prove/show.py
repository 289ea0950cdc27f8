"""Terms as text for people: what a report, a goal and an explanation print.

In: kernel polynomials and names of nodes. Out: one line such as `1/B * sum[b, i](mu[b, i]^2)`.
Nothing reads this text back.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from gendsl.prove.kernel.term import Atom, Mono, Poly


class Printer:
    """`names` gives readable names for the variables of opaque nodes (`%44` -> `encoder.mu`)."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self.names = dict(names or {})
        self._indices: dict[Atom, str] = {}

    def poly(self, p: Poly) -> str:
        text = ""
        for m, c in sorted(p.terms.items(), key=lambda x: (-len(x[0]), str(self._mono(x[0])))):
            sign = "-" if c < 0 else "+"
            body = self._term(m, abs(c))
            text += (f" {sign} " if text else ("-" if sign == "-" else "")) + body
        return text or "0"

    def _term(self, m: Mono, c: Fraction) -> str:
        body = self._mono(m)
        if not body:
            return str(c)
        return body if c == 1 else f"{c} * {body}"

    def _mono(self, m: Mono) -> str:
        return " * ".join(self._power(a, k) for a, k in sorted(m, key=lambda x: x[0].serial))

    def _power(self, a: Atom, k: Fraction) -> str:
        base = self.atom(a)
        if k == 1:
            return base
        if k == Fraction(1, 2):
            return f"sqrt({base.removeprefix('(').removesuffix(')') if a.kind == 'P' else base})"
        if k.denominator == 1:
            return f"{base}^{k}" if k > 0 else f"{base}^({k})"
        return f"{base}^({k})"

    def atom(self, a: Atom) -> str:
        args = a.args
        match a.kind:
            case "var" | "bool":
                return self._name(args[0]) + self._at(args[1])
            case "fn":
                return f"{args[0].split(':')[0]}(..)" + self._at(args[1])
            case "dim":
                return str(args[0])
            case "S":
                bound = ", ".join(self.index(b) for b in args[0])
                return f"sum[{bound}]({self._mono(args[1])})"
            case "d":
                return f"[{self.index(args[0])} == {self.index(args[1])}]"
            case "ge0" | "eq0":
                return f"[{self.poly(args[0])} {'>=' if a.kind == 'ge0' else '=='} 0]"
            case "ixval":
                return self.index(args[0])
            case "pi":
                return "pi"
            case "un":
                return f"{args[0]}({self.poly(args[1])})"
            case "P":
                return f"({self.poly(args[0])})"
            case _:
                return f"{a.kind}({self.poly(args[0])})"

    def _name(self, name: str) -> str:
        short = name.split(":", 1)[-1]
        return self.names.get(name, short)

    def _at(self, indices: tuple[Atom, ...]) -> str:
        return "[" + ", ".join(self.index(i) for i in indices) + "]" if indices else ""

    def index(self, i: Atom) -> str:
        match i.kind:
            case "i":
                if i not in self._indices:
                    free = "ijklmnpqrstuvw"
                    n = len(self._indices)
                    own = i.args[0].removeprefix("arg:")
                    mine = (
                        own if own[:1].isalpha() else free[n % len(free)] + "'" * (n // len(free))
                    )
                    self._indices[i] = mine
                return self._indices[i]
            case "ic":
                return self.poly(i.args[0])
            case "shift":
                by = self.poly(i.args[1])
                return self.index(i.args[0]) + ("" if by == "0" else f" + {by}")
            case "ix":
                return f"{i.args[0].split(':', 1)[-1].split('.')[-1]}[..]"
            case _:
                return f"{i.kind}(..)"
