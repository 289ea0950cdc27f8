"""`gendsl data list|get|info|verify`: data sets by name."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from gendsl.cli.codes import OK, WRONG
from gendsl.cli.flags import UsageError
from gendsl.diagnostics.suggest import did_you_mean

if TYPE_CHECKING:
    from gendsl.data.dataset import Column, Dataset

ACTIONS = {
    "list": "every data set known by name, and whether it is on this machine",
    "get": "bring sets to this machine, checksums verified",
    "info": "what a set or a file holds",
    "verify": "hash what is on this machine again",
}


def configure(parser: argparse.ArgumentParser) -> None:
    listed = "; ".join(f"{name}: {text}" for name, text in ACTIONS.items())
    parser.add_argument("action", nargs="?", metavar="ACTION", help=listed)
    parser.add_argument("names", nargs="*", metavar="NAME", help="data sets, for info also paths")


def execute(args: argparse.Namespace) -> int:
    words = ", ".join(f"`gendsl data {name}`" for name in ACTIONS)
    match args.action:
        case "list":
            return _list()
        case "get" if args.names:
            return _get(args.names)
        case "info" if args.names:
            return _info(args.names)
        case "verify":
            return _verify(args.names)
        case "get" | "info":
            raise UsageError(f"`gendsl data {args.action}` wants a name", "`gendsl data list`")
        case None:
            raise UsageError("no action given", words)
        case word:
            raise UsageError(
                f"there is no `gendsl data {word}`", did_you_mean(word, ACTIONS) or words
            )


def _list() -> int:
    from gendsl.data.sets import FETCHED
    from gendsl.data.store import BUNDLED, find

    rows = [(s.name, "bundled", s.title, s.licence) for s in BUNDLED]
    for known in FETCHED:
        state = "here" if find(known) else "not here"
        rows.append((known.name, state, known.title, known.licence))
    rows.append(("synthetic:ring8", "made", "points on a ring of eight Gaussians", "none needed"))
    rows.append(
        ("synthetic:gauss(d)", "made", "a linear Gaussian model in d dimensions", "none needed")
    )
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    for name, state, title, licence in rows:
        print(f"{name:<{widths[0]}}  {state:<{widths[1]}}  {title}")
        print(f"{'':<{widths[0]}}  {'':<{widths[1]}}  licence: {licence}")
    if any(row[1] == "not here" for row in rows):
        print("\n`gendsl data get NAME` brings a set that is not here.")
    return OK


def _get(names: list[str]) -> int:
    from gendsl.data.fetch import get
    from gendsl.data.sets import fetched_set
    from gendsl.data.store import bundled_set

    for name in names:
        known = fetched_set(name.lower())
        if known is None:
            bundled = bundled_set(name.lower())
            if bundled is None:
                raise _unknown(name)
            print(f"{bundled.name}: comes with gendsl, nothing to get")
            continue
        get(known, _say)
        print(f"{known.name}: licence: {known.licence}")
        print(f"{known.name}: from: {known.origin}")
    return OK


def _say(line: str) -> None:
    print(line, flush=True)


def _unknown(name: str) -> UsageError:
    from gendsl.data import names

    hint = did_you_mean(name, names())
    return UsageError(f"there is no data set `{name}`", hint or "`gendsl data list` shows all")


def _info(names: list[str]) -> int:
    from gendsl.data import load

    for i, name in enumerate(names):
        if i:
            print()
        _describe(load(name))
    return OK


def _describe(dataset: Dataset) -> None:
    print(dataset.name)
    own = f", {dataset.test_count:,} held out by the set" if dataset.test else ""
    print(f"  examples    {dataset.count:,}{own}")
    for name, column in dataset.columns.items():
        print(f"  {name:<11} {_column(column)}")
    if dataset.classes:
        print(f"  classes     {', '.join(dataset.classes)}")
    print(f"  provenance  {dataset.provenance}")
    print(f"  licence     {dataset.licence}")
    print(f"  data hash   {dataset.data_hash}")


def _column(column: Column) -> str:
    shape = " x ".join(map(str, column.raw.shape[1:])) or "scalar"
    if column.kind != "real":
        return f"{shape}, {column.kind}"
    mean, deviation = column.moments()
    low, high = column.bounds
    return (
        f"{shape}, values {low:g} to {high:g}, mean {mean:.4f}, standard deviation {deviation:.4f}"
    )


def _verify(names: list[str]) -> int:
    from gendsl.data.fetch import verify
    from gendsl.data.loading import load_bundled
    from gendsl.data.sets import FETCHED, fetched_set
    from gendsl.data.store import BUNDLED, bundled_set

    every = [*(s.name for s in BUNDLED), *(s.name for s in FETCHED)]
    wanted = [name.lower() for name in names] or every
    sound = True
    for name in wanted:
        bundled, known = bundled_set(name), fetched_set(name)
        if bundled is not None:
            load_bundled(bundled)  # compares the content hash; a difference is a coded error
            print(f"{bundled.name}: sound")
        elif known is not None:
            states = verify(known)
            for file, state in (states or {}).items():
                print(f"{known.name}: {file}: {state}")
            if states is None:
                print(f"{known.name}: not on this machine")
            sound = sound and all(s == "sound" for s in (states or {}).values())
        else:
            raise _unknown(name)
    sys.stdout.flush()
    return OK if sound else WRONG
