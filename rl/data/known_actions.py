"""Whether anything knows the actions that a shop's rules name: a misspelt one would take nothing away, silently."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from datetime import date

from conf.errors import SpecError
from conf.paths import Lake
from conf.specs.scenario import Pipeline
from conf.specs.shop_rules import ShopRules
from rl.data.transitions_reading import read_action_keys, read_availability, read_item_categories, read_item_ids

_ALIKE = str.maketrans("oil", "011")

Names = Callable[[], Collection[str]]
"""Looks up natural keys of actions."""

_MOST_NEAR = 3
_LEAST_LIKENESS = 0.6


def actions_in_lake(pipeline: Pipeline, lake: Lake, horizon: date) -> tuple[Names, ...]:
    """Return where actions are looked up in the lake, deliveries and dates up to the horizon, the cheapest first.

    These are the shop's items, or their categories, its availability sets, and last the published transitions, whose
    column of actions is read whole.
    """
    is_item = pipeline.scenario.action.key == "item"

    def sold() -> Collection[str]:
        return read_item_ids(lake, horizon) if is_item else frozenset(read_item_categories(lake, horizon).values())

    def offered() -> Collection[str]:
        return frozenset().union(*read_availability(lake, horizon).values())

    return sold, offered, lambda: read_action_keys(pipeline, lake, horizon)


def refuse_unknown(rules: ShopRules, known: Iterable[Names], where: str) -> None:
    """Raise if a rule names an action that nothing knows, and that the rules don't list as not yet known.

    Args:
        rules: whose actions are looked up.
        known: where; each is asked only for what those before it didn't know.
        where: the rules stand, for the message.

    Raises:
        SpecError: lists each such action with its key and the nearest known ones.
    """
    unknown = [(key, action) for key, action in rules.named_actions() if action not in rules.not_yet_known]
    seen: set[str] = set()
    for look_up in known:
        if not unknown:
            return
        seen.update(look_up())
        unknown = [(key, action) for key, action in unknown if action not in seen]
    if unknown:
        lines = [f"  {key}: nothing knows {action!r}{_hint(action, seen)}" for key, action in unknown]
        raise SpecError(
            f"{where}: {len(lines)} problem(s)\n" + "\n".join(lines) + "\n"
            "  Such a rule would take nothing away. Write the action's natural key as the log and the items table have "
            "it; one that is still to come is listed under not_yet_known too"
        )


def nearest(action: str, known: Collection[str]) -> list[str]:
    """Return the known names most like the action, at most three.

    One that differs in capitals, punctuation, leading zeros, or letters and digits that look alike alone goes first.

    >>> nearest("item-7", ["item-017", "item-007", "bread"])[0]
    'item-007'
    >>> nearest("item-0O1", ["item-011", "item-001"])[0]
    'item-001'
    """
    same = sorted(one for one in known if _plain(one) == _plain(action))
    alike = difflib.get_close_matches(action, sorted(known), n=_MOST_NEAR, cutoff=_LEAST_LIKENESS)
    return list(dict.fromkeys([*same, *alike]))[:_MOST_NEAR]


def _hint(action: str, known: Collection[str]) -> str:
    if not known:
        return "; no action is known yet: run a night first"
    if near := nearest(action, known):
        return f"; did you mean {' or '.join(map(repr, near))}?"
    return f"; {len(known)} are known, such as {', '.join(sorted(known)[:_MOST_NEAR])}"


def _plain(name: str) -> str:
    """Return the name without capitals, punctuation and leading zeros of its numbers; O is 0 there, I and l are 1."""
    alike = re.sub(r"[\W_]+", " ", name.casefold()).translate(_ALIKE)
    return re.sub(r"0+(?=\d)", "", alike)
