"""The reference of the specs says what the models say, and errors point at its headings."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

from conf.errors import SpecError
from conf.settings import PROJECT_ROOT
from conf.spec_reference import SPECS, in_yaml, pages, undescribed, write_pages
from conf.specs.candidate import DISCRETE_ALGORITHMS, ContinuousCandidate
from conf.specs.judging import Gate
from conf.specs.reward import EventMetric
from conf.specs.scenario import SCENARIOS_FOLDER, Scenario, load_pipeline
from conf.specs.shopper_model import ShopperModel, load_shopper_model
from conf.specs.side_table import SIDE_TABLES, SideTable
from conf.specs.source import SOURCES_FOLDER, Source
from conf.specs.spec_sections import sections_of
from conf.specs.strict_yaml import StrictModel, parse_model

ROOTS = [model for model, _, _ in SPECS]
PLACED_KEYS = [
    (root, section.model, f"{place}.{key}" if place else key)
    for root in ROOTS
    for section in sections_of(root)
    for place in section.places
    # What side tables share with events is placed there; their own keys have a test below.
    if place.split(".")[0] not in SIDE_TABLES
    for key in section.model.model_fields
]
ORIGINS = ("column", "columns", "constant", "from_path", "first_of")
LEFT_OUT = object()
WEEKLY: dict[str, Any] = {"clock": "shopper_week", "week": {"weekday": "monday"}}
CAPPED = WEEKLY | {"observation.history_days": 91, "observation.features": [{"name": "n_offers_28d"}]}

DATED: dict[str, Any] = {"delivery": {"layout": "dated_files", "files": ["**/events*.jsonl"]}}

# What decisions of products ask of a scenario.
ORDERED: dict[str, Any] = {
    "clock": "sku_day",
    "ordering": {"lead_days": 3},
    "observation.features": [{"name": "units_on_hand"}],
    "action": {"key": "quantity", "mask": "none", "max_actions": 5, "quantities": [0, 1]},
    "reward.attribution": {"link": "last_decision", "window_hours": 48},
}

# What a rule of each kind needs beside the key that is shown.
RULED: dict[str, dict[str, Any]] = {
    "block": {"actions": ["x"]},
    "pin": {"action": "x"},
    "eligibility": {"actions": ["x"], "feature": "session_step", "at_least": 1},
    "caps": {"actions": ["x"], "per_shopper_day": 1},
}
SEEN_BY_RULES = {"observation.features": [{"name": "session_step"}, {"name": "n_past_purchases"}]}

# What ways to order ask of it.
STOCK = ("opening", "ordered", "received", "sold", "closing")
REPLAYED: dict[str, Any] = ORDERED | {
    "observation.features": [{"name": "units_on_hand"}, *({"name": f"units_due_in_{day}d"} for day in range(3))],
    "reward.weights": {},
    "reward.terms": [
        {"event": "purchase", "value": "margin"},
        {"event": "stock", "value": "units", "weight": -0.02},
    ],
    "metrics": {flow: {"event": "stock", "value": flow} for flow in STOCK}
    | {"margin": {"event": "purchase", "value": "margin"}},
    "gate.guardrails": [],
    "evaluation.estimator": "replay",
    "discount.gamma": 1,
    "candidates": LEFT_OUT,
    "policy": LEFT_OUT,
    "exploration": LEFT_OUT,
    "orders": {"candidates": [{"algorithm": "base_stock"}]},
}

# What a log that counts no stock asks of both.
UNCOUNTED = {"every": "day", "lead_days": 3, "receipts": "none", "stock": "none"}
SIMULATED: dict[str, Any] = REPLAYED | {
    "ordering": UNCOUNTED,
    "observation.history_days": 35,
    "observation.features": [{"name": "units_sold_day_1"}],
    "metrics": {"sold": {"event": "stock", "value": "sold"}, "margin": {"event": "purchase", "value": "margin"}},
    "orders": {"candidates": [{"algorithm": "base_stock"}], "declared_stock": {"safety": 1.3}},
}

# What else a spec must say for a key's example to be valid in it: by key path, values by key path.
COMPANY: dict[str, dict[str, Any]] = {
    "clock": {"week": LEFT_OUT},
    **{f"review.{name}": {"review": {}} for name in ("respondents", "days_to_answer")},
    "review.second_person_above": {"review": {"respondents": ["ann", "bob"]}},
    "arrival": DATED,
    "hours_past_day": DATED,
    **{
        f"arrival.{name}": DATED | {"items": {"files": ["items.jsonl"]}, "arrival": {"marker": "**/_SUCCESS"}}
        for name in ("marker", "feeds", "share_of_usual", "by", "wait_hours")
    },
    "week": {"clock": "shopper_week"},
    **{
        f"week.{name}": {"clock": "shopper_week", "week": {"weekday": "monday"}}
        for name in ("weekday", "hour", "weeks")
    },
    "ordering": ORDERED,
    **{
        f"ordering.{name}": ORDERED
        for name in ("every", "weekday", "hour", "periods", "lead_days", "receipts", "overdue_days", "rests")
    },
    "ordering.stock": SIMULATED,
    "ordering.range_days": SIMULATED,
    "orders.declared_stock": SIMULATED,
    **{f"orders.declared_stock.{name}": SIMULATED for name in ("safety", "recent_days")},
    "action.quantities": ORDERED,
    "orders": REPLAYED,
    **{
        f"orders.{name}": REPLAYED
        for name in (
            *("candidates", "least_order", "most_units", "shared_limit", "weekdays", "shelf"),
            *("corrects_forecasts", "demand_tail"),
        )
    },
    "orders.shared_limit.of": REPLAYED | {"orders.shared_limit": {"of": "units", "at_most": 100}},
    "orders.shared_limit.at_most": REPLAYED | {"orders.shared_limit": {"of": "units", "at_most": 100}},
    **{f"orders.shelf.{name}": REPLAYED | {"orders.shelf": {"days": 3}} for name in ("days", "categories", "charged")},
    **{
        f"orders.shelf.categories[].{name}": REPLAYED
        | {"orders.shelf": {"categories": [{"category": "bread", "days": 2}]}}
        for name in ("category", "days")
    },
    **{f"orders.candidates[].{name}": REPLAYED for name in ("algorithm", "seeds")},
    "orders.candidates[].rows": REPLAYED
    | {"orders": {"candidates": [{"algorithm": "double_dqn"}, {"algorithm": "base_stock"}]}},
    "orders.candidates[].n_updates": REPLAYED
    | {"orders": {"candidates": [{"algorithm": "hindsight"}, {"algorithm": "base_stock"}]}},
    "evaluation.after_cut": {"clock": "shopper_week", "week": {"weekday": "monday"}},
    **{f"monitor.{name}": {"monitor": {}} for name in ("on_broken_promise", "false_alarms_a_year", "most_unexplained")},
    **{
        f"rollout.{name}": {"rollout": {}}
        for name in ("stages", "shadow_days", "level", "margin", "min_days", "covariate_days", "schedule", "on_retreat")
    },
    "rollout.lasting": {"rollout": {}},
    **{f"rollout.lasting.{name}": {"rollout": {"lasting": {}}} for name in ("share", "margin", "days")},
    "rollout.schedule.days": {"rollout": {"schedule": {"margin": 0.2}}},
    "rollout.schedule.margin": {"rollout": {"schedule": {"days": 7}}},
    "rollout.schedule.beyond": {"rollout": {"schedule": {"days": 7, "margin": 0.2}}},
    **{
        f"rollout.schedule.beyond.{name}": {"rollout": {"schedule": {"days": 7, "margin": 0.2, "beyond": {}}}}
        for name in ("share", "margin", "level")
    },
    "budget": WEEKLY,
    **{f"budget.{name}": WEEKLY | {"budget": {"weekly": 5}} for name in ("weekly", "committed")},
    "budget.pacing": WEEKLY | {"budget": {"weekly": 5}},
    **{
        f"budget.pacing.{name}": WEEKLY | {"budget": {"weekly": 5, "pacing": {"weeks": 13, "starts": date(2026, 1, 5)}}}
        for name in ("weeks", "starts", "most")
    },
    "budget.caps": CAPPED | {"budget": {"weekly": 5}},
    "budget.caps[].offers": CAPPED | {"budget": {"weekly": 5, "caps": [{"weeks": 4}]}},
    "budget.caps[].weeks": CAPPED | {"budget": {"weekly": 5, "caps": [{"offers": 2}]}},
    "eligibility": WEEKLY,
    **{
        f"eligibility.{name}": WEEKLY
        | {
            "eligibility": {"active_days": 5, "available": "everyone", "unavailable": "blocked"},
            "observation.history_days": 91,
        }
        for name in ("active_days", "opted_out", "available", "unavailable")
    },
    **{f"rules.{kind}": SEEN_BY_RULES | {"rules": {}} for kind in RULED},
    "rules.not_yet_known": SEEN_BY_RULES | {"rules": {"block": [{"actions": ["item-7"]}]}},
    **{
        f"rules.{kind}[].{name}": SEEN_BY_RULES | {"rules": {kind: [rule]}}
        for kind, rule in RULED.items()
        for name in ("actions", "action", "positions", "feature", "at_least", "at_most", "per_shopper_day")
    },
    "max_shoppers": {
        "target": "session_purchase",
        "horizon_days": LEFT_OUT,
        "active_days": LEFT_OUT,
        "features": ["session_step"],
    },
    "scales_short_histories": {"features": ["n_visit_days"]},
    "action.item_categories": {"action.key": "category", "observation.item_categories": True},
    "action.attributes[].name": {"action.attributes": [{"kind": "amount"}]},
    "action.attributes[].kind": {"action.attributes": [{"name": "price"}]},
    "candidates[].action_scores": {
        "candidates[].encoder": LEFT_OUT,
        "action.attributes": [{"name": "price", "kind": "amount"}],
    },
    **{
        f"candidates[].{key}": {
            "candidates": [
                {"algorithm": "resemblance", "seeds": [1], "n_updates": 1, "action_scores": "by_attributes"},
            ],
            "action.attributes": [{"name": "price", "kind": "amount"}],
        }
        for key in ("lookahead", "ridge")
    },
    "csv.columns": {
        "csv.has_header": False,
        "csv.fill_down": LEFT_OUT,
        "events": {
            "event_time": {"column": "unix_seconds", "unit": "seconds"},
            "event_type": {"column": "behavior", "map": {"pv": "view"}},
            "user_id": {"column": "user"},
        },
    },
    "events.event_time.columns": {"events.event_time.column": LEFT_OUT},
    "events.event_time.constant": {"events.event_time.column": LEFT_OUT, "events.event_time.unit": "iso"},
    "events.event_time.day_one": {"events.event_time.unit": "day_number"},
    "events.event_type.first_of": {"events.event_type.column": LEFT_OUT},
    "events.derived[].match": {"events.derived[].values": LEFT_OUT},
    "events.ignore_where[].column": {"events.ignore_where": [{"values": ["test"]}]},
    **{f"events.ignore_where[].{name}": {"events.ignore_where": [{"column": "state"}]} for name in ("values", "match")},
    "format": {"csv": LEFT_OUT},
    "unnest": {"format": "jsonl", "csv": LEFT_OUT},
    **{
        f"events.event_time.offset.{name}": {"events.event_time.offset": {"column": "passed", "unit": "seconds"}}
        for name in ("column", "unit")
    },
    "events.event_time.pattern": {"events.event_time.unit": "pattern"},
    "events.event_type.match": {"events.event_type.map": LEFT_OUT},
    "events.event_type.match[].pattern": {
        "events.event_type.map": LEFT_OUT,
        "events.event_type.match": [{"pattern": "x", "type": "view"}],
    },
    "events.event_type.match[].type": {
        "events.event_type.map": LEFT_OUT,
        "events.event_type.match": [{"pattern": "x", "type": "view"}],
    },
    "events.event_type.constant": {"events.event_type.map": LEFT_OUT, "events.event_type.column": LEFT_OUT},
    "observation.features[].name": {"observation.features[].length": LEFT_OUT},
    "observation.features[].values": {
        "observation.features[].name": "shopper_tier",
        "observation.features[].length": LEFT_OUT,
    },
    "candidates[].patience": {"candidates[].n_checkpoints": 4},
    "candidates[].encoder.n_heads": {"candidates[].encoder.kind": "transformer"},
    "candidates[].encoder.sampled_above": {"candidates[].encoder.is_output_tied": True},
    "reward.margin_rate": {"reward.terms": [{"event": "purchase", "value": "margin"}]},
    "reward.action_cost.logged": {"reward.action_cost": {}},
    "reward.action_cost.otherwise": {"reward.action_cost": {"declared": {"shoe": 1}}},
    "reward.action_cost.declared": {"reward.action_cost": {"otherwise": 1}},
    "gate.guardrails[].max_relative_increase": {"gate.guardrails[].max_relative_decrease": LEFT_OUT},
}


def base_spec(root: type[StrictModel]) -> dict[str, Any]:
    """A valid spec: the shipped scenario, or a source that says something in every section but `match`."""
    if root is ShopperModel:
        return load_shopper_model("purchase-propensity-7").model_dump(mode="json")
    folder, name = (SCENARIOS_FOLDER, "recommendation") if root is Scenario else (SOURCES_FOLDER, "retailrocket")
    content: dict[str, Any] = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    content.pop("overrides", None)
    if root is Scenario:
        content["observation"]["features"] = [{"name": "recent_shown_items", "length": 3}]
        content["candidates"] = [
            {"algorithm": "discrete_cql", "seeds": [1], "n_updates": 5, "encoder": {"kind": "gru"}}
        ]
        content["reward"]["terms"] = [{"event": "favorite", "value": "margin"}]
        content["metrics"]["money"] = {"event": "purchase", "value": "revenue"}
        return content
    fields = sections_of(Source)[0].model.model_fields["events"].annotation.model_fields  # type: ignore[union-attr]
    for field in sorted(set(fields) - {"event_time", "event_type", "derived", "ignore_where"}):
        content["events"][field] = {"column": field}
    content["events"]["derived"] = [{"column": "click", "values": ["1"], "type": "click"}]
    content["events"]["derived"][0] |= {"price": {"column": "refund"}, "quantity": {"column": "pieces"}}
    content["csv"]["fill_down"] = {"by": "order", "columns": ["customer"]}
    content["window"] = {"first": "2017-11-01", "last": "2017-12-31"}
    side_files = {name: {"files": [f"{name}*"]} for name in ("items", "availability", "currencies")}
    return content | {"currency": "EUR"} | side_files


def put(content: Any, path: str, value: Any) -> None:
    """The value stands at the key path; `[]` is the first entry of a list."""
    *parents, key = path.replace("[]", ".[]").split(".")
    for parent in parents:
        content = content[0] if parent == "[]" else content[parent]
    if value is LEFT_OUT:
        content.pop(key, None)
    else:
        content[key] = value


def spec_with_example(root: type[StrictModel], model: type[StrictModel], path: str) -> dict[str, Any]:
    """A spec that holds the example of the key at its path."""
    content, (place, _, key) = base_spec(root), path.rpartition(".")
    prefix = ""
    if path.startswith("feeds"):
        own = {name: content.pop(name) for name in ("format", "csv", "delivery", "events")}
        content["feeds"], prefix = [{"name": "clicks", **own}], "feeds[]."
    for other, value in COMPANY.get(path.removeprefix(prefix), {}).items():
        put(content, prefix + other, value)
    if {key, *ORIGINS} <= set(model.model_fields):
        for origin in ORIGINS if key in ORIGINS else ():
            put(content, f"{place}.{origin}", LEFT_OUT)
    if owners := [name for name, entry in DISCRETE_ALGORITHMS.items() if key in entry.parameters]:
        put(content, f"{place}.algorithm", owners[0])
        put(content, f"{place}.encoder", LEFT_OUT)
    at = f"metrics.money.{key}" if model is EventMetric else path
    put(content, at, (model.model_fields[key].examples or [None])[0])
    return content


@pytest.mark.parametrize("root", ROOTS)
def test_committed_page_is_what_the_models_say(root: type[StrictModel]) -> None:
    """Whoever changes a key writes its page anew."""
    committed = (PROJECT_ROOT / root.reference).read_text(encoding="utf-8")
    assert committed == pages()[root], f"{root.reference} isn't what the models say: run make reference"


@pytest.mark.parametrize("root", [*ROOTS, ContinuousCandidate])
def test_every_key_has_a_description_and_an_example(root: type[StrictModel]) -> None:
    """A sentence that ends in a full stop, and a value that may stand there."""
    assert undescribed(root) == []


@pytest.mark.parametrize(("root", "model", "path"), PLACED_KEYS, ids=[path for _, _, path in PLACED_KEYS])
def test_every_example_is_valid_in_its_place(root: type[StrictModel], model: type[StrictModel], path: str) -> None:
    """A whole spec with the key's example is taken."""
    parse_model(root, spec_with_example(root, model, path), path)


@pytest.mark.parametrize("key", SideTable.model_fields)
def test_every_example_of_a_side_table_is_valid(key: str) -> None:
    """A whole source whose items have the key's example is taken."""
    items: dict[str, Any] = {"files": ["items*"], "columns": {"item_id": {"column": "sku"}}}
    example = (SideTable.model_fields[key].examples or [None])[0]
    company = {"format": {"csv": {"has_header": True}}, "csv": {"format": "csv"}}.get(key, {})
    parse_model(Source, base_spec(Source) | {"items": items | company | {key: example}}, key)


def test_a_wrong_example_would_be_refused() -> None:
    """The check of examples can fail: a value that doesn't fit is refused at its path."""
    content = base_spec(Scenario)
    put(content, "gate.guardrails[].max_relative_decrease", 1)
    with pytest.raises(SpecError, match=r"gate\.guardrails\.0\.max_relative_decrease: .* less than 1"):
        parse_model(Scenario, content, "x")


def test_a_key_without_words_is_told_with_its_path() -> None:
    """A new field must say what it does, in a sentence and by an example."""

    class Silent(Gate):
        new: int = 1
        half: int = Field(default=1, description="Does half", examples=[1])

    class Spec(StrictModel):
        gate: Silent = Field(description="Says when.", examples=[{}])

    assert undescribed(Spec) == [
        "gate.new: expected a description that ends in a full stop",
        "gate.new: expected an example",
        "gate.half: expected a description that ends in a full stop",
    ]


def test_no_page_is_written_of_keys_without_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make reference` stops with the names of the keys."""

    class Silent(StrictModel):
        reference = "silent.md"
        new: int = 1

    monkeypatch.setattr("conf.spec_reference.SPECS", ((Silent, "Silent", "Says nothing."),))
    with pytest.raises(SpecError, match="Silent can't be explained: new: expected a description"):
        write_pages(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("root", ROOTS)
def test_every_key_stands_once_under_a_heading_of_its_own(root: type[StrictModel]) -> None:
    """Headings are unique, so that a pointer leads to one place, and every key has a row."""
    headings = [section.anchor for section in sections_of(root)]
    assert len(set(headings)) == len(headings)
    page = pages()[root]
    for section in sections_of(root):
        (text,) = re.findall(rf"^## {re.escape(section.heading)}\n(.*?)(?=^## |\Z)", page, flags=re.M | re.S)
        rows = [f"| `{section.key_path(key)}` |" for key in section.model.model_fields]
        assert [text.count(row) for row in rows] == [1] * len(rows)


@pytest.mark.parametrize("root", ROOTS)
def test_links_of_a_page_lead_to_its_headings(root: type[StrictModel]) -> None:
    """Every `#heading` that the page links to is there."""
    page = pages()[root]
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", page, flags=re.M)}
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= headings


@pytest.mark.parametrize(
    ("root", "path", "value", "expected"),
    [
        (Scenario, "gate.min_effective", 1, "docs/reference-scenarios.md#gate"),
        (Scenario, "gate.max_tail_index", "heavy", "docs/reference-scenarios.md#gate"),
        (Scenario, "gate.max_tail_index", -1, "docs/reference-scenarios.md#gate"),
        (Scenario, "gate", LEFT_OUT, "docs/reference-scenarios.md#gate"),
        (Scenario, "gate.guardrails[].max_relative_increase", 1, "docs/reference-scenarios.md#gate-guardrails"),
        (Scenario, "approval", "nobody", "docs/reference-scenarios.md#top-level"),
        (Scenario, "tilte", "x", "docs/reference-scenarios.md#top-level"),
        (Scenario, "splits.train", 0.5, "docs/reference-scenarios.md#splits"),
        (Scenario, "observation.features[].name", "sesion_step", "docs/reference-scenarios.md#observation-features"),
        (Scenario, "reward.weights", {"klick": 1}, "docs/reference-scenarios.md#reward"),
        (Scenario, "metrics", {"gate": "klick"}, "docs/reference-scenarios.md#metrics"),
        (Scenario, "candidates[].algorithm", "cql", "docs/reference-scenarios.md#candidates"),
        (Scenario, "candidates[].encoder.kind", "lstm", "docs/reference-scenarios.md#candidates-encoder"),
        (Scenario, "exploration.floor", 0.5, "docs/reference-scenarios.md#top-level"),
        (Source, "events.user_id.colunm", "x", "docs/reference-sources.md#shopper-mapping"),
        (Source, "events.item_id.constant", ["x"], "docs/reference-sources.md#field-mapping"),
        (Source, "events.price.above", "x", "docs/reference-sources.md#number-mapping"),
        (Source, "items.files", [], "docs/reference-sources.md#side-table"),
        (Source, "zone", "Mars/Olympus", "docs/reference-sources.md#top-level"),
        (Source, "zo\nne", "UTC", "docs/reference-sources.md#top-level"),
    ],
)
def test_error_ends_with_where_the_key_is_explained(
    root: type[StrictModel], path: str, value: Any, expected: str
) -> None:
    """Every problem stands on one line, which ends with a heading of the reference that is there."""
    content = base_spec(root)
    put(content, path, value)
    with pytest.raises(SpecError) as caught:
        parse_model(root, content, "shop.yaml")
    first, *problems = str(caught.value).splitlines()
    assert first == f"shop.yaml: {len(problems)} problem(s)"
    assert problems[0].endswith(f"; see {expected}")
    assert all(re.search(r"; see docs/reference-\w+\.md#[\w-]+$", problem) for problem in problems)
    page, _, anchor = expected.partition("#")
    headings = re.findall(r"^## (.*)$", (PROJECT_ROOT / page).read_text(encoding="utf-8"), flags=re.M)
    assert anchor in [heading.replace(" ", "-").lower() for heading in headings]


def test_error_of_an_estimator_that_cannot_apply_points_at_its_heading(tmp_path: Path) -> None:
    """What no model can see alone is told with its heading as well."""
    (tmp_path / "recommendation.yaml").write_text(yaml.safe_dump(base_spec(Scenario)), encoding="utf-8")
    with pytest.raises(SpecError, match=r"implied.*; see docs/reference-scenarios\.md#evaluation$"):
        load_pipeline("recommendation", "retailrocket", folder=tmp_path)


def test_example_is_written_as_yaml_reads_it() -> None:
    """What the page shows can be copied into a spec."""
    for _, model, path in PLACED_KEYS:
        for example in model.model_fields[path.rpartition(".")[2]].examples or []:
            assert yaml.safe_load(in_yaml(example)) == example
