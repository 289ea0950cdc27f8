"""`report.html`: one page that shows a whole run, with nothing outside of the file.

In: a run folder's manifest, metrics and pictures. Out: HTML text with inline style, SVG charts and
embedded PNGs; it runs no script and fetches nothing. Always: it is made from what is on the disk,
so it can be made again at any time, and it says of a run that is not finished that it is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from gendsl.diagnostics.counted import counted
from gendsl.run.chart import Chart, Series, chart, legend, svg, with_smooth
from gendsl.run.files import disk_errors, write_whole
from gendsl.run.folder import RunFolder
from gendsl.run.manifest import fresh_command, further_command, resume_command
from gendsl.run.metrics import Record, damaged, read
from gendsl.run.progress import duration, number
from gendsl.run.report_pictures import final_pictures, over_time
from gendsl.run.report_style import STYLE
from gendsl.run.units import objectives_in_nats, unit_of

Json = dict[str, Any]

_TOKEN = re.compile(
    r"(?P<c>\#.*)"
    r"|(?P<k>\b(?:import|batch|dim|hyper|const|data|net|layer|param|fn|kernel|state|update|objective"
    r"|sampler|train|claims|term|show|minimize|maximize|return|for|carrying|if|else|step|over|with"
    r"|steps|schedule|clip|ema|from|in|of|init|given|iff|is|has|law|and|or|not|expand|rearrange)\b)"
    r"|(?P<n>\b\d[\d_.]*(?:e[-+]?\d+)?)"
)


def charts(records: Sequence[Record], in_nats: frozenset[str]) -> list[Chart]:
    """One chart for each objective, term and scheduled value, in the order of the program;
    `in_nats` are objectives."""
    names = list(dict.fromkeys(name for r in records for name in r.metrics))
    objectives = [name for name in names if "." not in name]
    pictures = []
    for name in names:
        series: list[Series] = []
        train = _series(records, name, "train", "raw")
        series += with_smooth(Series("train", "train", train)) if train else ()
        for weights, label, style in (
            ("raw", "held-out", "heldout"),
            ("ema", "held-out, averaged weights", "ema"),
        ):
            points = _series(records, name, "heldout", weights)
            if points:
                series.append(Series(label, style, points))
        title = name.split(".", 1)[1] if len(objectives) == 1 and "." in name else name
        pictures.append(chart(title, unit_of(name, in_nats), series))
    for name in dict.fromkeys(name for r in records for name in r.hypers):
        values = tuple((float(r.step), r.hypers[name]) for r in records if name in r.hypers)
        pictures.append(chart(name, "schedule", [Series(name, "value", values)]))
    return pictures


def _series(
    records: Sequence[Record], name: str, split: str, weights: str
) -> tuple[tuple[float, float], ...]:
    """One point a step: the first line, since the last evaluation may repeat one on more data."""
    points: dict[float, float] = {}
    for r in records:
        if r.split == split and r.weights == weights and name in r.metrics:
            points.setdefault(float(r.step), r.metrics[name])
    return tuple(points.items())


def write_report(folder: RunFolder, manifest: Json) -> None:
    """Make the page and `curves.png` from the folder's files."""
    from gendsl.run import pictures
    from gendsl.run.chart_png import panel_sheet

    records = read(folder.metrics)
    drawn = charts(records, objectives_in_nats(manifest["claims"]))
    if drawn:
        pictures.write(folder.path / "curves.png", panel_sheet(drawn))
    write_whole(folder.report, page(folder, manifest, records, drawn))


def page(folder: RunFolder, manifest: Json, records: Sequence[Record], drawn: list[Chart]) -> str:
    """The whole page."""
    name = escape(str(manifest["program"]["name"]))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{name} · gendsl run</title><style>{STYLE}</style></head><body><main>",
        _header(manifest, records),
        _section("Pictures", final_pictures(folder, manifest)),
        _curves(drawn),
        _section("Samples over time", over_time(folder)),
        _claims(manifest),
        _numbers(manifest),
        _origin(manifest),
        _again(folder, manifest),
        _program(manifest),
        f"<footer>gendsl {escape(manifest['versions'].get('gendsl', ''))}, graph "
        f"<code>{escape(manifest['graph_hash'])}</code></footer>",
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


# ---- sections ----------------------------------------------------------------------------


def _header(manifest: Json, records: Sequence[Record]) -> str:
    program, progress = manifest["program"], manifest["progress"]
    state = "finished" if manifest["finished"] else progress["state"]
    line = (
        f"{escape(program['path'])} · {progress['step']:,} of "
        f"{counted(manifest['steps'], 'step')}, {state} · seed {manifest['seed']} · "
        f"{escape(manifest['target'])}, products in {escape(manifest['precision'])}"
    )
    in_nats = objectives_in_nats(manifest["claims"])
    tiles = []
    for name, value in _result(records):
        unit = unit_of(name, in_nats)
        tiles.append(_tile(number(value), f"{name} · held-out" + (f", {unit}" if unit else "")))
    if progress["seconds"]:
        tiles.append(_tile(duration(progress["seconds"]), "training time"))
    if progress["steps_per_second"]:
        tiles.append(_tile(f"{progress['steps_per_second']:,.0f}", "steps per second"))
    if manifest["parameters"]:
        count = sum(entry["count"] for entry in manifest["parameters"])
        tiles.append(_tile(f"{count:,}", "parameters"))
    banner = ""
    if manifest["allow_refuted"]:
        names = ", ".join(c["name"] for c in manifest["claims"] if c["verdict"] == "refuted")
        banner += f'<div class="banner">Trained in spite of refuted claims: {escape(names)}</div>'
    if progress["failure"]:
        banner += f'<div class="banner">{escape(progress["failure"])}</div>'
    return (
        f'<header><h1>{escape(program["name"])}</h1><p class="soft">{line}</p>{banner}'
        f'<div class="tiles">{"".join(tiles)}</div></header>'
    )


def _result(records: Sequence[Record]) -> list[tuple[str, float]]:
    """The last held-out line, averaged weights preferred."""
    found = [r for r in records if r.split == "heldout"]
    return list(found[-1].metrics.items()) if found else []


def _tile(value: str, label: str) -> str:
    return f'<div class="tile"><b>{escape(value)}</b><span>{escape(label)}</span></div>'


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _curves(drawn: list[Chart]) -> str:
    cells = []
    for picture in drawn:
        cells.append(
            f'<div class="card"><h3>{escape(picture.title)} <span>{escape(picture.scale)}</span>'
            f"</h3>{svg(picture)}{legend(picture.series)}</div>"
        )
    return _section("Curves", f'<div class="charts">{"".join(cells)}</div>' if cells else "")


def _claims(manifest: Json) -> str:
    rows = [
        (
            f"<code>{escape(c['name'])}</code>",
            f"<code>{escape(c['statement'])}</code>" + _detail(c["detail"]),
            f'<span class="verdict {escape(c["verdict"])}">{escape(c["verdict"])}</span>',
        )
        for c in manifest["claims"]
    ]
    table = _table(("claim", "statement", "verdict"), rows)
    return _section("Claims", f'<div class="card">{table}</div>' if rows else "")


def _detail(text: str) -> str:
    return f'<div class="soft">{escape(text)}</div>' if text else ""


def _numbers(manifest: Json) -> str:
    parameters = [
        (
            f"<code>{escape(p['path'])}</code>",
            escape(" × ".join(map(str, p["shape"])) or "scalar"),
            p,
        )
        for p in manifest["parameters"]
    ]
    shapes = [(name, shape, f"{p['count']:,}") for name, shape, p in parameters]
    scheduled = manifest.get("scheduled", {})  # an older manifest has hashes alone
    settings = [
        (
            f"<code>{escape(name)}</code>",
            escape(kind),
            "as scheduled" if name in scheduled else f"{value:g}",
        )
        for kind, values in (("size", manifest["sizes"]), ("hyperparameter", manifest["hypers"]))
        for name, value in values.items()
    ]
    training: list[str] = manifest.get("training") or manifest["recipe"]
    recipe = "".join(f"<p><code>{escape(line)}</code></p>" for line in training)
    left = _table(("name", "", "value"), settings, right=True)
    right = _table(("parameter", "shape", "numbers"), shapes, right=True)
    return _section(
        "Sizes and parameters",
        f'<div class="columns"><div class="card">{left}{recipe}</div>'
        f'<div class="card">{right}</div></div>',
    )


def _examples(data: Json) -> str:
    """How many there are, and how many of the held-out ones evaluations during training use."""
    text = f"{data['train']:,} for training, {data['held_out']:,} held out"
    used = data.get("evaluated", data["held_out"])  # older manifests: all
    if used == data["held_out"]:
        return text
    return f"{text}; evaluations during training use {used:,} of these, the last one uses all"


def _origin(manifest: Json) -> str:
    rows = []
    if manifest["data"]:
        data = manifest["data"]
        rows += [
            ("data", escape(data["name"])),
            ("examples", _examples(data)),
            ("provenance", escape(data["provenance"])),
            ("licence", escape(data["licence"])),
            ("data hash", f"<code>{escape(manifest['data_hash'])}</code>"),
        ]
    rows += [(escape(name), escape(version)) for name, version in manifest["versions"].items()]
    if "threads" in manifest:
        counts = _threads(manifest["threads"]["torch"]) or "of no effect"
        cores = counted(manifest["threads"]["cores"], "processor core")
        rows.append(("threads", f"{counts} ({cores})"))
    return _section("Data and versions", f'<div class="card">{_table(("", ""), rows)}</div>')


def _again(folder: RunFolder, manifest: Json) -> str:
    command = manifest["command"]
    if manifest["finished"]:
        resume = further_command(command, folder.path, 2 * max(1, manifest["steps"]))
    else:
        resume = resume_command(command, folder.path)
    what = "Train further" if manifest["finished"] else "Go on"
    return _section(
        "Again",
        f'<div class="card"><p class="soft">{what} from the last checkpoint:</p>'
        f'<pre>{escape(resume)}</pre><p class="soft">{escape(how_equal(manifest))}:</p>'
        f"<pre>{escape(fresh_command(command))}</pre></div>",
    )


def how_equal(manifest: Json) -> str:
    """What the run started anew has in common with this one."""
    same = "The same run from the start"
    if "threads" not in manifest:  # older manifests
        return same
    match manifest["threads"]["torch"]:
        case []:
            return f"{same}, bit for bit on the same kind of GPU with the same versions and kernels"
        case [int(count)]:
            return (
                f"{same}, bit for bit on the same kind of processor with the same versions and "
                f"{counted(count, 'thread')} (OMP_NUM_THREADS={count})"
            )
        case counts:
            return (
                f"{same}; its last bits may differ, since this one had {_threads(counts)} threads"
            )


def _threads(counts: Sequence[int | None]) -> str:
    """Of the sessions of a run, in turn."""
    return ", then ".join("an unknown number of" if n is None else str(n) for n in counts)


def _program(manifest: Json) -> str:
    lines = manifest["program"]["text"].rstrip("\n").split("\n")
    width = len(str(len(lines)))
    body = "\n".join(
        f'<span class="l">{i:>{width}}  </span>{_coloured(line)}' for i, line in enumerate(lines, 1)
    )
    return _section("Program", f'<div class="card"><pre>{body}</pre></div>')


def _coloured(line: str) -> str:
    """Comments, keywords and numbers in their own colours."""
    parts, place = [], 0
    for match in _TOKEN.finditer(line):
        parts.append(escape(line[place : match.start()]))
        parts.append(f'<span class="{match.lastgroup}">{escape(match[0])}</span>')
        place = match.end()
    return "".join(parts) + escape(line[place:])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: bool = False) -> str:
    """A table of HTML cells; `right` aligns the last column to the right."""
    last = len(head) - 1

    def cells(tag: str, row: Sequence[str]) -> str:
        marks = [' class="number"' if right and i == last else "" for i in range(len(row))]
        return "".join(f"<{tag}{m}>{cell}</{tag}>" for m, cell in zip(marks, row, strict=True))

    top = f"<tr>{cells('th', [escape(h) for h in head])}</tr>" if any(head) else ""
    return "<table>" + top + "".join(f"<tr>{cells('td', row)}</tr>" for row in rows) + "</table>"


def timing_summary(path: Path) -> tuple[float, float]:
    """(seconds, steps per second) over all sessions of `timings.jsonl`; zeros when there is none.

    A session starts over at second 0. The first line of each (its warm-up) is left out of the rate.
    """
    if not path.exists():
        return 0.0, 0.0
    with disk_errors("read", path):
        lines = path.read_text().split("\n")[:-1]
    total = 0.0
    steps, seconds = 0, 0.0
    before: Json | None = None
    for row, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
        except ValueError as error:
            raise damaged(path, row) from error
        if before is not None and line["seconds"] >= before["seconds"]:
            steps += line["step"] - before["step"]
            seconds += line["seconds"] - before["seconds"]
            total += line["seconds"] - before["seconds"]
        else:
            total += line["seconds"]
        before = line
    return total, steps / seconds if seconds > 0 else 0.0
