"""Terms as LaTeX: `Printer` in another spelling."""

from __future__ import annotations

from fractions import Fraction

from gendsl.prove.kernel.term import Atom, Mono
from gendsl.prove.show import Printer

_FUNCTIONS = {"exp": r"\exp", "log": r"\log", "sin": r"\sin", "cos": r"\cos", "tanh": r"\tanh"}


class LatexPrinter(Printer):
    """The same terms, for math mode."""

    def _term(self, m: Mono, c: Fraction) -> str:
        up = [(a, k) for a, k in m if k > 0]
        down = [(a, -k) for a, k in m if k < 0]
        top = "".join([str(c.numerator)] if c.numerator != 1 or not up else [])
        top = r" \, ".join(x for x in (top, self._mono(tuple(up))) if x)
        bottom = str(c.denominator) if c.denominator != 1 else ""
        bottom = r" \, ".join(x for x in (bottom, self._mono(tuple(down))) if x)
        return rf"\frac{{{top}}}{{{bottom}}}" if bottom else top

    def _mono(self, m: Mono) -> str:
        rows = sorted(m, key=lambda x: (x[0].kind == "S", x[0].serial))
        return r" \, ".join(self._power(a, k) for a, k in rows)

    def _power(self, a: Atom, k: Fraction) -> str:
        base = self.atom(a)
        if k == 1:
            return base
        if k == Fraction(1, 2):
            return rf"\sqrt{{{base}}}"
        whole = a.kind in ("var", "dim", "pi", "P")
        return f"{base}^{{{k}}}" if whole else rf"\left({base}\right)^{{{k}}}"

    def atom(self, a: Atom) -> str:
        args = a.args
        match a.kind:
            case "var" | "bool":
                return rf"\mathrm{{{self._name(args[0])}}}".replace("_", r"\_") + self._at(args[1])
            case "S":
                bound = "".join(rf"\sum_{{{self.index(b)}}} " for b in args[0])
                return bound + self._mono(args[1])
            case "P":
                return rf"\left({self.poly(args[0])}\right)"
            case "pi":
                return r"\pi"
            case "dim":
                return rf"\mathit{{{args[0]}}}"
            case "exp" | "log":
                return rf"{_FUNCTIONS[a.kind]}\left({self.poly(args[0])}\right)"
            case "relu":
                return rf"\left[{self.poly(args[0])}\right]_+"
            case "un":
                name = _FUNCTIONS.get(args[0], rf"\operatorname{{{args[0]}}}")
                return rf"{name}\left({self.poly(args[1])}\right)"
            case "d":
                return rf"\delta_{{{self.index(args[0])} {self.index(args[1])}}}"
            case "ge0" | "eq0":
                relation = r"\ge" if a.kind == "ge0" else "="
                return rf"\mathbb{{1}}[{self.poly(args[0])} {relation} 0]"
            case _:
                return rf"\mathrm{{{a.kind}}}(\ldots)"

    def _at(self, indices: tuple[Atom, ...]) -> str:
        return "_{" + " ".join(self.index(i) for i in indices) + "}" if indices else ""
