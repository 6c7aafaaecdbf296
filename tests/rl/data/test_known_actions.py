"""Rules that name what nothing knows are refused, with what is known and near."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from conf.errors import SpecError
from conf.specs.shop_rules import ShopRules
from rl.data.known_actions import nearest, refuse_unknown

CATALOGUE = frozenset(f"item-{number:03d}" for number in range(30))


def rules(*blocked: str, **further: Any) -> ShopRules:
    return ShopRules.model_validate({"block": [{"actions": blocked}], **further})


def test_a_misspelt_action_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        SpecError, match=r"file.yaml: 1 problem.*\n  block.0.actions: nothing knows 'item-7'; did you"
    ) as told:
        refuse_unknown(rules("item-7", "item-003"), [lambda: CATALOGUE], "file.yaml")
    assert "did you mean 'item-007'" in str(told.value)
    assert "item-003" not in str(told.value)


def test_every_kind_of_rule_is_looked_at() -> None:
    """All of them at once, each with its key."""
    asked = ShopRules.model_validate(
        {
            "block": [{"actions": ["a"]}],
            "pin": [{"action": "b"}],
            "eligibility": [{"actions": ["c"], "feature": "n_past_purchases", "at_least": 1}],
            "caps": [{"actions": ["d"], "per_shopper_day": 1}],
        }
    )
    with pytest.raises(SpecError) as told:
        refuse_unknown(asked, [lambda: CATALOGUE], "rules")
    keys = [line.split(":")[0].strip() for line in str(told.value).splitlines()[1:5]]
    assert keys == ["block.0.actions", "eligibility.0.actions", "caps.0.actions", "pin.0.action"]


def test_what_is_dear_to_ask_is_asked_only_for_what_is_left() -> None:
    """MLflow takes seconds."""
    asked: list[str] = []

    def place(name: str, known: Collection[str]) -> Any:
        def look_up() -> Collection[str]:
            asked.append(name)
            return known

        return look_up

    known = [place("tables", CATALOGUE), place("champion", {"old"})]
    refuse_unknown(rules("item-001"), known, "rules")
    assert asked == ["tables"]
    refuse_unknown(rules("item-001", "old"), known, "rules")
    assert asked == ["tables", "tables", "champion"]


def test_what_is_still_to_come_is_said_to_be() -> None:
    refuse_unknown(rules("item-new", not_yet_known=["item-new"]), [lambda: CATALOGUE], "rules")
    with pytest.raises(SpecError, match="'item-nwe'"):
        refuse_unknown(rules("item-new", "item-nwe", not_yet_known=["item-new"]), [lambda: CATALOGUE], "rules")


def test_where_nothing_is_known_a_night_is_needed_first() -> None:
    with pytest.raises(SpecError, match="no action is known yet: run a night first"):
        refuse_unknown(rules("item-001"), [frozenset], "rules")


@pytest.mark.parametrize(
    ("action", "expected"),
    [("item-7", "item-007"), ("ITEM-012", "item-012"), ("item 3", "item-003"), ("item_0021", "item-021")],
)
def test_the_nearest_differs_in_form_alone(action: str, expected: str) -> None:
    assert nearest(action, CATALOGUE)[0] == expected


def test_nothing_is_near_what_is_like_nothing() -> None:
    assert nearest("umbrella", CATALOGUE) == []
