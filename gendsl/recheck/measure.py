"""Claims that are no comparisons: what they say is evaluated on the graph itself, with 60 digits.

In: the record of a claim, ways to make sizes and points. Out: one line on what was evaluated, or
`Contradicted`. Nothing of a net is taken as a variable here: everything is computed from leaves.

- A law: the value is affine in its draws (tested by superposition), its value at draws 0 is the
  declared mean, and the products of its coefficients are the declared covariance. That an affine
  image of independent standard normals is normal is taken as known.
- A law of an iterated kernel: see `iterates.py`.
- A gradient: the derivative along a random direction of the group's parameters, by numbers that
  carry derivatives; `stop_grad` drops them. Equal for several directions and points.
- Steps: the update lines of the objective, as the certificate lists them, name other groups.
- Batch claims: the value on two batches and on their concatenation, or on a batch twice.
- Up to scale and constant: the parameters of the groups move, and both sides move together.
- A bound: the latent has the posterior law, and the value is the mean over examples of the negative
  log-likelihood and the divergence of posterior and prior. That this bounds the negative
  log-likelihood of the data (Gibbs) is taken as known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mpmath import mp, mpf

from .arrays import Array, Dual, Undefined, places, plain, tabulate
from .evaluate import Evaluator, Unsupported
from .functions import inverse, log, same
from .iterates import Contradicted, follows, need
from .node_text import Node, below
from .obligation import Claim, Comparison, Conjunction, Record
from .points import Point
from .search_points import candidates, meeting, names_of
from .sizes import Malformed, Misfit, read_size

Sizes = Callable[..., list[dict[str, int]]]
POINTS = 3
LIMIT = 60_000  # entries of a graph at its sizes


def measure(claim: Claim, made: Mapping[str, Any], base: Point, sizes: Sizes) -> str:
    """Judge a claim by evaluating it."""
    return Measure(claim, made, base, sizes).run()


class Measure:
    def __init__(self, claim: Claim, made: Mapping[str, Any], base: Point, sizes: Sizes) -> None:
        self.claim, self.made, self.base, self.sizes = claim, made, base, sizes

    def run(self) -> str:
        body = self.claim.body
        match body["is"]:
            case "Leaves":
                return self._leaves(body)
            case "HasLaw":
                return self._each(lambda p: self._law(p, self._node(body["value"]), body["law"]))
            case "IterateLaw":
                names = ("initial", "state", "index", "step", "count")
                nodes = {k: self._node(body[k]) for k in names}
                law = {k: self._node(v) for k, v in body["law"]["arguments"].items()}
                need(body["law"]["dist"] == "normal", "a law that is not normal")
                return self._each(lambda p: follows(p, nodes, law))
            case "Plain":
                return self._each(lambda p: self._proposition(p, body["prop"]))
            case "Independent":
                return self._each(lambda p: self._same_gradient(p, body))
            case "RepeatInvariant":
                return self._each(lambda p: self._repeated(p, body))
            case "Separable":
                return self._each(lambda p: self._separable(p, body))
            case "UpTo":
                return self._each(lambda p: self._up_to(p, body))
            case "Bounds":
                return self._each(lambda p: self._bound(p, body))
            case other:
                raise Unsupported(f"a claim of the form {other}")

    def _node(self, record: Record) -> Node:
        return self.claim.node(record)

    # ---- points ---------------------------------------------------------------------------

    def _each(self, check: Callable[[Point], None]) -> str:
        """Apply a check at points that meet the hypotheses; at least one has to be defined."""
        done = 0
        for given in self.claim.hypotheses:
            before = done
            for point in self._points(given):
                try:
                    check(point)
                    done += 1
                except (Undefined, OverflowError):
                    continue
                if done - before >= POINTS:
                    break
            need(done > before, "no point at which the claim is defined")
        return f"evaluated: holds at {done} points"

    def _points(self, given: Conjunction) -> Iterable[Point]:
        roots = [*self.claim.roots, *(x for q in given for x in (q.left, q.right))]
        nodes = below(roots)
        found = self.sizes(nodes, 3)
        cheap = [s for s in found if _cost(nodes, s) <= LIMIT]
        if not cheap:
            raise Unsupported("a graph that is too large to evaluate here")
        wide = (p for p in candidates(cheap, self.base, 40) if p.mode in ("wide", "unit"))
        return meeting(given, {}, wide, POINTS + 2)

    # ---- training steps ---------------------------------------------------------------------

    def _leaves(self, body: Record) -> str:
        lines = [groups for name, groups in self.made["steps"] if name == body["objective"]]
        need(lines, f"no step minimizes {body['objective']}")
        need(not any(body["group"] in g for g in lines), f"a step updates {body['group']}")
        return "evaluated: the steps of the objective name other groups"

    # ---- laws -----------------------------------------------------------------------------

    def _law(self, point: Point, value: Node, law: Record) -> None:
        need(law["dist"] == "normal", "a law that is not normal")
        arguments = {k: self._node(v) for k, v in law["arguments"].items()}
        fixed = {x.key for a in arguments.values() for x in below([a]) if x.op.name == "draw"}
        draws = [x for x in below([value]) if x.op.name == "draw" and x.key not in fixed]
        need(draws and all(x.op["dist"] == "normal" for x in draws), "not normal draws")
        zero = self._drawn(point, draws, {})
        mean = Evaluator(zero).value(value)
        self._expect(mean, Evaluator(point).value(arguments["mean"]), "the mean")
        columns = []
        for x in draws:
            shape = tuple(d.count(point.sizes) for d in x.type.shape)
            for i in places(shape):
                moved = Evaluator(self._drawn(point, draws, {(x.key, i): mpf(1)})).value(value)
                columns.append((x.key, i, moved.map(lambda a, b: a - b, mean)))
        self._affine(point, value, mean, columns)
        self._covariance(point, law, arguments, mean.shape, [c for _, _, c in columns])

    def _drawn(self, point: Point, draws: Sequence[Node], values: Mapping[Any, Any]) -> Point:
        for x in draws:
            shape = tuple(d.count(point.sizes) for d in x.type.shape)
            key = str(x.key)
            row = tabulate(shape, lambda i, key=key: values.get((key, i), mpf(0)))  # type: ignore[misc]
            point = point.with_fixed(key, row)
        return point

    def _affine(
        self, point: Point, value: Node, mean: Array, columns: Sequence[tuple[Any, Any, Array]]
    ) -> None:
        """The value at the point's own draws is the superposition."""
        total = list(mean.entries)
        for key, i, column in columns:
            weight = point.real(key, i)
            total = [a + weight * b for a, b in zip(total, column.entries, strict=True)]
        self._expect(Evaluator(point).value(value), Array(mean.shape, total), "superposition")

    def _covariance(
        self, point: Point, law: Record, arguments: Mapping[str, Node], shape: tuple[int, ...],
        columns: Sequence[Array],
    ) -> None:  # fmt: skip
        lead = int(law["batch_axes"]["number"]) if isinstance(law["batch_axes"], dict) else 0
        at = Evaluator(point)
        given = at.value(arguments["var" if "var" in arguments else "cov"])
        for k, i in enumerate(places(shape)):
            for m, j in enumerate(places(shape)):
                found = sum((c.entries[k] * c.entries[m] for c in columns), mpf(0))
                if "var" in arguments:
                    want = given.at(i if given.shape else ()) if i == j else mpf(0)
                elif i[:lead] != j[:lead]:
                    want = mpf(0)
                else:
                    full = len(given.shape) == 2 * len(shape) - lead
                    want = given.at(((*i[:lead],) if full else ()) + (*i[lead:], *j[lead:]))
                need(same(found, want), f"covariance at {i}, {j}: {found} is not {want}")

    def _expect(self, found: Array, want: Array, what: str) -> None:
        for i in places(found.shape):
            a, b = found.at(i), want.at(i if want.shape else ())
            need(
                same(a, b), f"{what} at {i}: {mp.nstr(plain(a), 15)} is not {mp.nstr(plain(b), 15)}"
            )

    # ---- gradients --------------------------------------------------------------------------

    def _proposition(self, point: Point, p: Record) -> None:
        match p["is"]:
            case "And":
                for q in p["parts"]:
                    self._proposition(point, q)
            case "GradEqual":
                sides = [self._gradients(point, p[side]) for side in ("left", "right")]
                need(same(*sides), f"gradients {sides[0]} and {sides[1]}")
            case "Compare":
                (row,) = self.claim.alternatives(p)
                need(all(q.holds(Evaluator(point)) for q in row), "a comparison is false")
            case other:
                raise Unsupported(f"a proposition {other}")

    def _gradients(self, point: Point, terms: Sequence[Record]) -> Any:
        total = mpf(0)
        for t in terms:
            slope = self.slope(point, self._node(t["value"]), t["group"])
            factor = t["factor"]
            if factor is not None:
                slope *= Evaluator(point).value(self._node(factor)).entries[0]
            total += slope
        return total

    def slope(self, point: Point, value: Node, group: str) -> Any:
        """The derivative of a scalar along a random direction of a group's parameters."""
        along = frozenset(f"param:{k}" for k, g in self.made["groups"].items() if g == group)
        need(along, f"no parameters in {group}")
        found = Evaluator(point, {}, along).value(value).entries[0]
        return found.d if isinstance(found, Dual) else mpf(0)

    def _same_gradient(self, point: Point, body: Record) -> None:
        variable, value = self._node(body["variable"]), self._node(body["value"])
        other = replace(point, seed=point.seed + 1000)
        shape = tuple(d.count(point.sizes) for d in variable.type.shape)
        key = str(variable.key)
        moved = point.with_fixed(key, tabulate(shape, lambda i: other.real(key, i)))
        slopes = [self.slope(p, value, body["group"]) for p in (point, moved)]
        need(same(*slopes), f"gradients {slopes[0]} and {slopes[1]}")

    # ---- batches ----------------------------------------------------------------------------

    def _batched(self, value: Node, batch: str) -> list[tuple[Node, list[int]]]:
        """The leaves with axes of the batch size."""
        size = read_size(batch)
        found = []
        for x in below([value]):
            axes = [k for k, d in enumerate(x.type.shape) if d == size]
            if x.key is not None and axes:
                found.append((x, axes))
        return found

    def _joined(
        self, leaves: Sequence[tuple[Node, list[int]]], point: Point, other: Point, batch: str
    ) -> Point:
        """The point of the concatenated batches: entries of `point`, then those of `other`."""
        first = point.sizes[batch]
        sizes = {**point.sizes, batch: first + other.sizes[batch]}
        joined = replace(point, sizes=sizes)
        for x, axes in leaves:
            shape = tuple(d.count(sizes) for d in x.type.shape)
            if len(axes) != 1 or x.inputs:
                raise Unsupported(f"a leaf with {len(axes)} batch axes")
            parts = [Evaluator(p).value(x) for p in (point, other)]

            def entry(i: tuple[int, ...], k: int = axes[0], parts: list[Array] = parts) -> Any:
                late = i[k] >= first
                j = (*i[:k], i[k] - first * late, *i[k + 1 :])
                return parts[int(late)].at(j)

            joined = joined.with_fixed(str(x.key), tabulate(shape, entry))
        return joined

    def _repeated(self, point: Point, body: Record) -> None:
        value, batch = self._node(body["value"]), body["batch"]
        twice = self._joined(self._batched(value, batch), point, point, batch)
        a, b = (Evaluator(p).value(value) for p in (point, twice))
        need(a.shape == b.shape, "a value with a batch axis")
        self._expect(b, a, "repeated")

    def _separable(self, point: Point, body: Record) -> None:
        value, batch = self._node(body["value"]), body["batch"]
        leaves = self._batched(value, batch)
        own = {str(x.key) for x, _ in leaves}
        count = 1 + point.sizes[batch] % 2
        other = replace(point, seed=point.seed, sizes={**point.sizes, batch: count})
        shuffled = replace(point, seed=point.seed + 1000)
        for x, _ in leaves:
            shape = tuple(d.count(other.sizes) for d in x.type.shape)
            at = replace(shuffled, sizes=other.sizes)
            other = other.with_fixed(str(x.key), at.array(str(x.key), x.type, shape, ()))
        need(own, "nothing depends on the batch")
        joined = self._joined(leaves, point, other, batch)
        a, b, both = (Evaluator(p).value(value).entries[0] for p in (point, other, joined))
        n, m = point.sizes[batch], count
        need(same(both, (n * a + m * b) / (n + m)), f"{both} is not the mean of {a} and {b}")

    # ---- comparisons up to something ----------------------------------------------------------

    def _up_to(self, point: Point, body: Record) -> None:
        groups = set(body["groups"])
        params = {f"param:{k}" for k, g in self.made["groups"].items() if g in groups}
        left, right = self._node(body["left"]), self._node(body["right"])
        rows = []
        for k in range(4):
            moved = point
            for x in below([left, right]):
                if x.key in params:
                    shape = tuple(d.count(point.sizes) for d in x.type.shape)
                    at = replace(point, seed=point.seed + 1000 * k)
                    moved = moved.with_fixed(str(x.key), at.array(str(x.key), x.type, shape, ()))
            at_point = Evaluator(moved)
            rows.append((at_point.value(left).entries, at_point.value(right).entries))
        for entry in range(len(rows[0][0])):
            self._moves_together([(a[entry], b[entry]) for a, b in rows], body)

    @staticmethod
    def _moves_together(rows: Sequence[tuple[Any, Any]], body: Record) -> None:
        (a0, b0), (a1, b1) = rows[0], rows[1]
        scale = (a1 - a0) * inverse(b1 - b0) if body["scale"] else mpf(1)
        need(scale > 0, f"the scale is {scale}")
        constant = a0 - scale * b0
        need(body["constant"] or same(constant, mpf(0)), f"the constant is {constant}")
        for a, b in rows:
            need(same(a, scale * b + constant), "the two sides do not move together")

    # ---- bounds -----------------------------------------------------------------------------

    def _bound(self, point: Point, body: Record) -> None:
        self._law(point, self._node(body["latent"]), body["posterior"])
        at, batch = Evaluator(point), point.sizes[body["batch"]]
        nll = self._nll(at, self._node(body["target"]), body["likelihood"])
        kl = self._divergence(at, self._node(body["latent"]), body["posterior"], body["prior"])
        want, found = (nll + kl) / batch, at.value(self._node(body["value"])).entries[0]
        need(same(found, want), f"the value {found} is not the derived bound {want}")

    def _arguments(self, at: Evaluator, law: Record, shape: tuple[int, ...]) -> list[list[Any]]:
        """Mean and variance at each entry."""
        need(law["dist"] == "normal" and "var" in law["arguments"], "not a diagonal normal law")
        found = []
        for key in ("mean", "var"):
            x = at.value(self._node(law["arguments"][key]))
            found.append([x.at(i if x.shape else ()) for i in places(shape)])
        return found

    def _nll(self, at: Evaluator, target: Node, law: Record) -> Any:
        x = at.value(target)
        total = mpf(0)
        for v, m, s in zip(x.entries, *self._arguments(at, law, x.shape), strict=True):
            total += (log(2 * mp.pi * s) + (v - m) ** 2 * inverse(s)) / 2
        return total

    def _divergence(self, at: Evaluator, latent: Node, law: Record, prior: Record) -> Any:
        shape = at.value(latent).shape
        total = mpf(0)
        rows = zip(
            *self._arguments(at, law, shape), *self._arguments(at, prior, shape), strict=True
        )
        for m, s, m0, s0 in rows:
            ratio = s * inverse(s0)
            total += (ratio + (m - m0) ** 2 * inverse(s0) - 1 - log(ratio)) / 2
        return total


def _cost(nodes: Sequence[Node], sizes: Mapping[str, int]) -> int:
    total = 0
    for x in nodes:
        try:
            count = 1
            for d in x.type.shape:
                count *= d.count(sizes)
        except Misfit:
            return LIMIT + 1
        total += count
    return total


__all__ = ["Comparison", "Contradicted", "Malformed", "measure", "names_of"]
