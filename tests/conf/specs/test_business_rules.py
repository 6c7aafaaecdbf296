"""A shop's rules as YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.errors import SpecError
from conf.spec_reference import undescribed
from conf.specs.business_rules import BusinessRules, load_rules
from conf.specs.scenario import load_pipeline

SCENARIO = load_pipeline("recommendation", "simulated_shop").scenario
RULES = """
scenario: recommendation
block: [{actions: [item-7]}]
pin: [{action: item-9, positions: [0, 1]}]
eligibility: [{actions: [item-3], feature: n_past_purchases, at_least: 1}]
caps: [{actions: [item-1, item-2], per_shopper_day: 3}]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return path


def test_rules_are_read(tmp_path: Path) -> None:
    rules = load_rules(written(tmp_path, RULES), SCENARIO)
    assert (rules.block[0].actions, rules.pin[0].positions) == (("item-7",), (0, 1))
    assert (rules.eligibility[0].at_least, rules.eligibility[0].at_most) == (1, None)
    assert rules.caps[0].per_shopper_day == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("block", "blok", "blok: unknown key; did you mean 'block'?"),
        ("n_past_purchases", "n_past_purchase", "'n_past_purchase' is no count.*did you mean 'n_past_purchases'?"),
        ("n_past_purchases", "favorite_categories", "'favorite_categories' is no count"),
        (
            "n_past_purchases",
            "day_of_week",
            "'day_of_week' is no count.*allowed where observed: session_step, .*n_past",
        ),
        ("n_past_purchases", "hour_of_day", "'hour_of_day' is no count"),
        ("n_past_purchases", "shopper_loyalty", "'shopper_loyalty' is no count"),
        ("block:", "not_yet_known: [item-8]\nblock:", "lists what no rule names: 'item-8'; did you mean"),
        ("block:", "rules: {pin: []}\nblock:", "`rules` holds all rules of the file.*beside it stand block, caps"),
        ("block: [{actions: [item-7]}]", "rules: 3", "`rules` holds all rules"),
        (", at_least: 1", "", "give at_least, at_most or both"),
        ("per_shopper_day: 3", "per_shopper_day: 0", "caps.0.per_shopper_day"),
        ("scenario: recommendation", "scenario: promotion", "scenario is 'promotion', expected 'recommendation'"),
    ],
)
def test_rules_that_do_not_fit_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_rules(written(tmp_path, RULES.replace(old, new)), SCENARIO)


def test_a_rule_on_what_the_scenario_does_not_observe_is_refused(tmp_path: Path) -> None:
    """It could never be asked."""
    features = tuple(one for one in SCENARIO.observation.features if one.name != "n_past_purchases")
    blind = SCENARIO.model_copy(update={"observation": SCENARIO.observation.model_copy(update={"features": features})})
    with pytest.raises(SpecError, match=r"eligibility\.0\.feature: the scenario doesn't observe 'n_past_purchases'"):
        load_rules(written(tmp_path, RULES), blind)


def test_rules_may_stand_below_a_key_as_in_a_scenario(tmp_path: Path) -> None:
    """What was tried in a file moves into the scenario as it is."""
    scenario, *rules = RULES.strip().splitlines()
    nested = "\n".join([scenario, "rules:", *(f"  {line}" for line in rules)])
    assert load_rules(written(tmp_path, nested), SCENARIO) == load_rules(written(tmp_path, RULES), SCENARIO)


def test_what_is_not_yet_known_is_written_only_where_it_is_said(tmp_path: Path) -> None:
    """So that the hash of a scenario whose rules don't use the key stays as it was."""
    plain = load_rules(written(tmp_path, RULES), SCENARIO)
    assert "not_yet_known" not in plain.model_dump()
    said = load_rules(written(tmp_path, f"{RULES}not_yet_known: [item-7]"), SCENARIO)
    assert said.model_dump()["not_yet_known"] == ("item-7",)
    assert said.named_actions() == [
        ("block.0.actions", "item-7"),
        ("eligibility.0.actions", "item-3"),
        ("caps.0.actions", "item-1"),
        ("caps.0.actions", "item-2"),
        ("pin.0.action", "item-9"),
    ]


def test_every_key_is_explained() -> None:
    assert undescribed(BusinessRules) == []
