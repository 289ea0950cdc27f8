"""The LALR table of `grammar/gml.lark`: states, rules and the spelling of every terminal.

In: the grammar file and `grammar/gml.table.json`, which this module writes from it. Out: a `Table`.
Always: the table is that of the grammar text beside it; one that was written from another text is
ignored and made again in memory. Lark builds the table and is otherwise not needed, so that a
check of a program neither loads it nor waits for it (about 0.1 s).

After a change of the grammar: `python -m gendsl.syntax.table`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gendsl import resources

STARTS = ("module", "declaration", "statement", "claim", "train_item")


@dataclass(frozen=True)
class Rule:
    """One production: `size` symbols become one `origin`.

    `plan` picks the children given to the builder's method `callback`: (i, False) is child i,
    (i, True) is the list child i spliced in, (-1, False) is None for an absent optional part.
    `callback` is None where the children are passed on as a list; a rule that is only a step in
    the chain of precedences is `transparent`: its one child is its value.
    """

    origin: str
    callback: str | None
    size: int
    plan: tuple[tuple[int, bool], ...]
    transparent: bool


@dataclass(frozen=True)
class Table:
    """`actions[state][terminal]` is a state to shift to, or `-1 - rule` to reduce by;
    `gotos[state][nonterminal]` is the state after a reduction."""

    rules: tuple[Rule, ...]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    start_states: dict[str, int]
    end_states: dict[str, int]
    words: dict[str, str]
    symbols: dict[str, str]
    patterns: dict[str, str]

    @property
    def spelling(self) -> dict[str, str]:
        """The text of each terminal that has only one."""
        return {kind: text for text, kind in (self.words | self.symbols).items()}


@cache
def load() -> Table:
    """The table of the grammar as it stands."""
    folder = resources.data("grammar")
    grammar = (folder / "gml.lark").read_text(encoding="utf-8")
    path = folder / "gml.table.json"
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["grammar"] == _digest(grammar):
            return _decode(stored)
    return _decode(_encode(grammar))


def write(path: Path) -> None:
    """Write the table of the grammar as it stands to `path`, a line for a rule or a state."""
    grammar = (resources.data("grammar") / "gml.lark").read_text(encoding="utf-8")
    path.write_text(text_of(grammar), encoding="utf-8")


def text_of(grammar: str) -> str:
    """The stored form of a grammar's table."""
    parts = []
    for key, value in _encode(grammar).items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            parts.append(f'"{key}":[\n{rows}]')
        else:
            parts.append(f'"{key}":{json.dumps(value, separators=(",", ":"))}')
    return "{" + ",\n".join(parts) + "}\n"


def _digest(grammar: str) -> str:
    return hashlib.sha256(grammar.encode()).hexdigest()


def _encode(grammar: str) -> dict[str, Any]:
    """Everything of a `Table` as plain lists and dictionaries."""
    lark = _build(grammar)
    table = lark.parser.parser._parse_table
    rules = sorted(lark.rules, key=lambda r: (r.origin.name, [s.name for s in r.expansion]))
    numbers = {rule: i for i, rule in enumerate(rules)}
    names = sorted({name for row in table.states.values() for name in row})
    index = {name: i for i, name in enumerate(names)}
    terminals = {t.name for t in lark.terminals} | {"$END", "_NEWLINE", "_INDENT", "_DEDENT"}
    by_name = sorted(lark.terminals, key=lambda t: str(t.name))
    order = _state_order(table)
    renumbered = {state: i for i, state in enumerate(order)}
    actions = []
    for state in order:
        row: dict[int, int] = {}
        for name, (action, target) in table.states[state].items():
            shift = str(action) == "Shift"
            row[index[name]] = renumbered[target] if shift else -1 - numbers[target]
        actions.append([number for pair in sorted(row.items()) for number in pair])
    return {
        "grammar": _digest(grammar),
        "names": names,
        "terminals": sorted(terminals),
        "strings": {t.pattern.value: t.name for t in by_name if t.pattern.type == "str"},
        "patterns": {t.name: t.pattern.value for t in by_name if t.pattern.type == "re"},
        "starts": {name: renumbered[s] for name, s in sorted(table.start_states.items())},
        "ends": {name: renumbered[s] for name, s in sorted(table.end_states.items())},
        "rules": [_encode_rule(rule) for rule in rules],
        "states": actions,
    }


def _state_order(table: Any) -> list[int]:
    """The states in an order that Lark's own numbering, which varies between runs, has no part
    in: breadth first from the start states, along symbols by name."""
    order = [state for _, state in sorted(table.start_states.items())]
    seen = set(order)
    for state in order:
        for _, (action, target) in sorted(table.states[state].items(), key=lambda item: item[0]):
            if str(action) == "Shift" and target not in seen:
                seen.add(target)
                order.append(target)
    return order


def _build(grammar: str) -> Any:
    """Lark's parser of the grammar. A conflict, which Lark would settle in silence, is an error."""
    import lark
    from lark.lexer import Lexer

    class NoLexer(Lexer):
        def __init__(self, conf: Any) -> None:
            self.conf = conf

        def lex(self, lexer_state: Any, parser_state: Any) -> Any:
            raise NotImplementedError("gendsl reads tokens with its own lexer")

    class Conflicts(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "conflict" in record.getMessage().lower():
                raise ValueError(f"gml.lark: {record.getMessage()}")

    handler, level = Conflicts(), lark.logger.level
    lark.logger.addHandler(handler)
    lark.logger.setLevel(logging.DEBUG)
    options: dict[str, Any] = {"maybe_placeholders": True, "debug": True}
    try:
        return lark.Lark(grammar, parser="lalr", lexer=NoLexer, start=list(STARTS), **options)
    finally:
        lark.logger.removeHandler(handler)
        lark.logger.setLevel(level)


def _encode_rule(rule: Any) -> list[Any]:
    options = rule.options
    gaps = [0] * (len(rule.expansion) + 1)
    if options.empty_indices:
        ones = "".join(str(int(absent)) for absent in options.empty_indices)
        gaps = [len(run) for run in ones.split("0")]
    plan: list[list[int]] = []
    for i, symbol in enumerate(rule.expansion):
        plan += [[-1, 0]] * gaps[i]
        if options.keep_all_tokens or not (symbol.is_term and symbol.filter_out):
            plan.append([i, int(not symbol.is_term and symbol.name.startswith("_"))])
    plan += [[-1, 0]] * gaps[-1]
    origin = rule.origin.name
    inline = origin.startswith("_")
    name = None if inline else rule.alias or options.template_source or origin
    single = len(plan) == 1 and plan[0][0] >= 0 and not plan[0][1]
    transparent = single and options.expand1 and not rule.alias
    return [origin, name, len(rule.expansion), plan, int(transparent)]


def _decode(stored: dict[str, Any]) -> Table:
    names: list[str] = stored["names"]
    terminals = set(stored["terminals"])
    actions, gotos = [], []
    for row in stored["states"]:
        pairs = [(names[row[i]], row[i + 1]) for i in range(0, len(row), 2)]
        actions.append({name: target for name, target in pairs if name in terminals})
        gotos.append({name: target for name, target in pairs if name not in terminals})
    strings: dict[str, str] = stored["strings"]
    is_word = re.compile(r"[a-z]").match
    return Table(
        rules=tuple(_decode_rule(*row) for row in stored["rules"]),
        actions=tuple(actions),
        gotos=tuple(gotos),
        start_states=stored["starts"],
        end_states=stored["ends"],
        words={text: kind for text, kind in strings.items() if is_word(text)},
        symbols={text: kind for text, kind in strings.items() if not is_word(text)},
        patterns=stored["patterns"],
    )


def _decode_rule(
    origin: str, callback: str | None, size: int, plan: list[tuple[int, int]], transparent: int
) -> Rule:
    picks = tuple((i, bool(splice)) for i, splice in plan)
    return Rule(origin, callback, size, picks, bool(transparent))


if __name__ == "__main__":
    write(resources.data("grammar") / "gml.table.json")
