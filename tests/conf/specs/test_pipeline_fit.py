"""Source and scenario are held against each other before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.errors import SpecError
from conf.specs.pipeline_fit import misfits
from conf.specs.scenario import SCENARIOS_FOLDER, Pipeline, load_pipeline, scenarios_for
from conf.specs.source import SOURCES_FOLDER, source_names
from conf.specs.strict_yaml import merge

SHOP: dict[str, Any] = {
    "name": "shop",
    "title": "A shop",
    "format": "jsonl",
    "delivery": {"layout": "dated_files"},
    "events": {
        "event_time": {"column": "at", "unit": "iso"},
        "event_type": {"column": "kind", "map": {"seen": "impression", "buy": "purchase"}},
        "user_id": {"column": "who"},
        "item_id": {"column": "what"},
        "decision_id": {"column": "decision"},
        "availability_id": {"column": "offer"},
    },
    "availability": {"files": ["sets.jsonl"]},
    "duplicates": "reject",
    "session": {"gap_minutes": 30, "max_hours": 4},
    "decisions": {"kind": "logged", "event_type": "impression"},
}


def found(source: dict[str, Any], **scenario: Any) -> dict[str, str]:
    """The misfits of the recommendation scenario, by key."""
    loaded = load_pipeline("recommendation", "canonical").model_dump()["scenario"]
    fitting = merge(loaded, {"gate": {"guardrails": []}})
    pipeline = Pipeline.model_validate({"source": source, "scenario": merge(fitting, scenario)})
    return dict(misfits(pipeline.scenario, pipeline.source))


def without(*fields: str) -> dict[str, Any]:
    events = {name: value for name, value in SHOP["events"].items() if name not in fields}
    return SHOP | {"events": events}


def test_fitting_source_has_no_misfit() -> None:
    """It maps what the scenario asks for; propensities it may leave out: they are estimated."""
    assert found(SHOP) == {}


SHOPPERS = {"files": ["s"], "columns": {"user_id": {"column": "who"}, "tier": {"column": "tier"}}}


def attribute(name: str) -> dict[str, Any]:
    return {"features": [{"name": f"shopper_{name}", "values": ["gold"]}]}


def test_attributes_that_are_observed_are_mapped() -> None:
    """Each by its name."""
    assert found(SHOP | {"shoppers": SHOPPERS}, observation=attribute("tier")) == {}
    problems = found(SHOP | {"shoppers": SHOPPERS}, observation=attribute("teir"))
    assert problems == {
        "observation.features": "shopper_teir: source shop has no attribute teir: its shoppers have tier; did you mean "
        "'tier'?"
    }
    assert found(SHOP, observation=attribute("tier"))["observation.features"].endswith("it has no shoppers")


def test_attribute_of_items_that_no_table_has_is_named() -> None:
    """With what the source has, the nearest first."""
    told = {"files": ["items*"], "columns": {"item_id": {"column": "sku"}, "brand": {"column": "brand"}}}
    shop = SHOP | {"item_attributes": told}

    def problem(name: str) -> str | None:
        action = {"key": "item", "mask": "none", "max_actions": 5, "attributes": [{"name": name, "kind": "label"}]}
        return found(shop, action=action).get("action.attributes")

    assert problem("brand") is None
    assert problem("brnad") == (
        "source shop has no attribute brnad of items: its items have brand; did you mean 'brand'?; map it in items or "
        "item_attributes"
    )


def test_categories_of_items_need_a_table_that_has_them() -> None:
    named = {"files": ["i"]}
    asked = {"item_categories": True}
    assert found(SHOP | {"items": named}, observation=asked) == {}
    mapped = named | {"columns": {"item_id": {"column": "sku"}}}
    for source in (SHOP, SHOP | {"items": mapped}):
        assert "no table of items with category_id" in found(source, observation=asked)["observation.item_categories"]


@pytest.mark.parametrize("source", source_names())
def test_shipped_pairs_fit(source: str) -> None:
    """Each source has a scenario of its decisions' clock, and fits all of them."""
    names = scenarios_for(source)
    assert names
    assert [load_pipeline(name, source).scenario.name for name in names] == names


def test_a_scenario_of_another_clock_is_refused() -> None:
    """It names the source's own; DAGs and upgrades pass over it."""
    assert scenarios_for("simulated_promotion") == ["promotion"]
    assert scenarios_for("taobao") == ["recommendation"]
    with pytest.raises(SpecError, match=r"decides by shopper_week, .* by session_step .*scenarios are recommendation"):
        load_pipeline("promotion", "taobao")


def test_a_scenario_and_a_source_may_list_each_other(tmp_path: Path) -> None:
    """A scenario for some sources is left out of all others; a source for some scenarios runs no other."""
    assert scenarios_for("hillstrom") == ["email_experiment"]
    assert "email_experiment" not in scenarios_for("canonical")
    content = yaml.safe_load((SCENARIOS_FOLDER / "recommendation.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "recommendation.yaml"
    path.write_text(yaml.safe_dump(content | {"sources": ["canonical"]}))
    assert scenarios_for("canonical", tmp_path) == ["recommendation"]
    assert scenarios_for("open_bandit", tmp_path) == []
    with pytest.raises(SpecError, match=r"is for canonical \(sources\), not open_bandit; name one"):
        load_pipeline("recommendation", "open_bandit", folder=tmp_path)
    with pytest.raises(SpecError, match=r"source hillstrom is for scenario email_experiment .*, not recommendation"):
        load_pipeline("recommendation", "hillstrom")


def test_money_of_a_derived_event_is_money() -> None:
    """Price and quantity that only the further event of a line has say what was paid; a price alone doesn't."""
    terms = {"reward": {"weights": {}, "terms": [{"event": "purchase", "value": "revenue"}]}}
    bought = {"column": "bought", "values": ["1"], "type": "purchase", "price": {"column": "paid"}}
    for derived, is_told in ((bought | {"quantity": {"constant": 1}}, True), (bought, False)):
        source = SHOP | {"currency": "EUR", "events": SHOP["events"] | {"derived": [derived]}}
        assert ("reward" not in found(source, **terms)) is is_told


def test_money_of_lines_that_each_name_their_currency_is_a_word() -> None:
    """No code of a currency is asked for that the source doesn't have."""
    terms = {"weights": {}, "terms": [{"event": "purchase", "value": "revenue"}]}
    paid = {"price": {"column": "p"}, "quantity": {"constant": 1}, "currency": {"column": "unit"}}
    source = SHOP | {"events": SHOP["events"] | paid}
    problem = found(source, reward=terms | {"unit": "EUR"})["reward"]
    assert "state currency: EUR in the source, or write the unit as a word, such as euros" in problem
    assert found(source, reward=terms | {"unit": "euros"}) == {}
    assert found(source | {"currency": "EUR"}, reward=terms | {"unit": "EUR"}) == {}


def test_a_scenario_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    """What is wrong with it is said where it is loaded."""
    (tmp_path / "odd.yaml").write_text("clock: [")
    (tmp_path / "other.yaml").write_text("clock: shopper_month")
    assert scenarios_for("taobao", tmp_path) == ["odd", "other"]


@pytest.mark.parametrize(
    ("source", "scenario", "key", "says"),
    [
        (
            SHOP | {"decisions": {"kind": "logged", "event_type": "promotion"}},
            {},
            "decisions.event_type",
            "impression, ",
        ),
        (without("item_id"), {}, "action.key", "no events.action or events.item_id"),
        (SHOP, {"action": {"key": "category"}}, "action.key", "no events.category_id or events.action"),
        (
            SHOP | {"items": {"files": ["items.jsonl"]}},
            {"action": {"key": "category"}},
            "action.key",
            "action.item_categories: true takes it from the table items",
        ),
        (
            SHOP | {"items": {"files": ["items.jsonl"]}, "events": SHOP["events"] | {"amount": {"column": "paid"}}},
            {"reward": {"weights": {}, "terms": [{"event": "purchase", "value": "margin"}]}},
            "reward",
            "item_costs: true takes the cost from the table items",
        ),
        (
            SHOP | {"events": SHOP["events"] | {"amount": {"column": "paid"}}},
            {"reward": {"weights": {}, "terms": [{"event": "purchase", "value": "margin"}], "item_costs": True}},
            "reward",
            "no table of items with cost",
        ),
        (
            SHOP,
            {"action": {"key": "category", "item_categories": True}, "observation": {"item_categories": True}},
            "action.item_categories",
            "no table of items with category_id",
        ),
        (SHOP | {"availability": None}, {}, "action.mask", "no table availability"),
        (without("availability_id"), {}, "action.mask", "no events.availability_id of its decisions"),
        (SHOP, {"reward": {"weights": {"refund": 1}}}, None, None),
        (without("decision_id"), {}, "reward.attribution.link", "no events.decision_id"),
        (without("item_id"), {"reward": {"attribution": {"link": "last_touch"}}}, "reward.attribution.link", "item_id"),
        (
            SHOP,
            {"gate": {"guardrails": [{"metric": "carts", "max_relative_decrease": 0.1}]}},
            "gate.guardrails",
            "carts counts cart events",
        ),
        (SHOP | {"decisions": {"kind": "implied", "event_type": "impression"}}, {}, "evaluation.estimator", "implied"),
    ],
)
def test_misfit_is_named(source: dict[str, Any], scenario: dict[str, Any], key: str | None, says: str | None) -> None:
    """By the key that asks for what isn't there; weights of which the source has some are no misfit."""
    problems = found(source, **scenario)
    assert (key in problems) if key is not None else problems == {}
    assert says is None or says in problems[str(key)]


def test_all_misfits_stand_in_one_message(tmp_path: Path) -> None:
    """With where each key is explained, before any file was read."""
    content = yaml.safe_load((SOURCES_FOLDER / "online_retail.yaml").read_text()) | {"name": "new_shop"}
    (tmp_path / "new_shop.yaml").write_text(yaml.safe_dump(content, default_flow_style=False))
    with pytest.raises(SpecError) as raised:
        load_pipeline("recommendation", "new_shop", sources_folder=tmp_path)
    message = str(raised.value)
    assert "doesn't fit source new_shop: 4 problem(s)" in message
    for key in ("action.mask", "reward.attribution.link", "gate.guardrails", "evaluation.estimator"):
        assert f"  {key}: " in message
    assert "docs/reference-scenarios.md#gate" in message
