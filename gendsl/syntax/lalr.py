"""The LALR machine: tokens to a value, by the table of the grammar and a builder's methods.

In: tokens that end in `$END`. Out: the value of the start symbol, or a `Failure` at the first
token that cannot stand where it stands. Always: the work is linear and nothing recurses; spans run
from the first to the last word of what was reduced.

A keyword token is tried as the keyword and, where the state does not want that, as a NAME, unless
the word is reserved: this is how `step` or `batch` can be variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gendsl.syntax.lexer import Token, is_soft
from gendsl.syntax.table import Rule, Table

Build = Callable[[list[Any], int, int], Any]


@dataclass(frozen=True)
class Failure:
    """`found` cannot follow `before` (None at the very start); `expected` are the terminals
    that could, `state` is where the machine stood."""

    found: Token
    before: Token | None
    state: int
    expected: frozenset[str]


class Machine:
    """A table whose rules are bound to a builder: it has a method for each rule's callback."""

    def __init__(self, table: Table, builder: object) -> None:
        self.table = table
        self._calls: list[Build | None] = [_bound(rule, builder) for rule in table.rules]

    def run(self, start: str, tokens: Sequence[Token]) -> Any:
        """The value that `builder` makes of the tokens, or a `Failure`."""
        table, actions = self.table, self.table.actions
        state = table.start_states[start]
        end_state = table.end_states[start]
        states, values = [state], list[Any]()
        starts: list[int] = []
        ends: list[int] = []
        last_end = 0
        for position, token in enumerate(tokens):
            kind = token.kind
            soft = "NAME" if is_soft(token) else kind
            while True:
                row = actions[state]
                action = row.get(kind)
                if action is None:
                    action = row.get(soft)
                    if action is None:
                        return self._failure(start, tokens, position, state)
                if action >= 0:
                    break
                rule = table.rules[-1 - action]
                size = rule.size
                if not rule.transparent:
                    if size:
                        begin, end = starts[-size], ends[-1]
                        value = self._reduce(-1 - action, rule, values[-size:], begin, end)
                    else:
                        begin, end = token.start, last_end
                        value = self._reduce(-1 - action, rule, [], begin, end)
                else:
                    begin, end = starts[-size], ends[-1]
                    value = values[rule.plan[0][0] - size]
                if size:
                    del states[-size:], values[-size:], starts[-size:], ends[-size:]
                state = table.gotos[states[-1]][rule.origin]
                states.append(state)
                values.append(value)
                starts.append(begin)
                ends.append(end)
                if kind == "$END" and state == end_state:
                    return value
            state = action
            states.append(state)
            values.append(token)
            starts.append(token.start)
            ends.append(token.end)
            last_end = token.end
        raise AssertionError("tokens end in $END, which is never shifted")

    def _reduce(self, number: int, rule: Rule, children: list[Any], begin: int, end: int) -> Any:
        call = self._calls[number]
        plan = rule.plan
        if call is None and plan and plan[0] == (0, True):
            picked = children[0]  # a list that only this place knows: grow it
            plan = plan[1:]
        else:
            picked = []
        for i, splice in plan:
            if splice:
                picked.extend(children[i])
            else:
                picked.append(children[i] if i >= 0 else None)
        return picked if call is None else call(picked, begin, end)

    def _failure(self, start: str, tokens: Sequence[Token], position: int, at: int) -> Failure:
        """What could have stood at `position` is asked of the machine as it was before it saw
        that token, which may have made it reduce too much."""
        states = [self.table.start_states[start]]
        for token in tokens[:position]:
            if not self._shift(states, token.kind):
                self._shift(states, "NAME")
        wanted = [k for k in self.table.actions[states[-1]] if self._shift(list(states), k)]
        before = tokens[position - 1] if position else None
        return Failure(tokens[position], before, at, frozenset(wanted))

    def _shift(self, states: list[int], kind: str) -> bool:
        """Move over one terminal, values apart; whether it is accepted. If not, `states` may
        have been reduced by the rules that a NAME in this place asks for as well."""
        while True:
            action = self.table.actions[states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                states.append(action)
                return True
            rule = self.table.rules[-1 - action]
            if rule.size:
                del states[-rule.size :]
            states.append(self.table.gotos[states[-1]][rule.origin])
            if kind == "$END" and states[-1] in self.table.end_states.values():
                return True


def _bound(rule: Rule, builder: object) -> Build | None:
    """The builder's method for a rule; the rules Lark makes for `$root_...` have none."""
    if rule.callback is None or rule.transparent or rule.origin.startswith("$"):
        return None
    method: Build = getattr(builder, rule.callback)
    return method
