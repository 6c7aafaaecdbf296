"""What the clock of products asks of a scenario and of a source, and how quantities are told apart."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from conf.kernel_rules import clock_of, longest_closing_days, partition_date, rules_of
from conf.specs.pipeline_fit import misfits
from conf.specs.problem import Action
from conf.specs.scenario import Scenario, load_pipeline, scenarios_for
from conf.specs.source import Source

PIPELINE = load_pipeline("inventory", "simulated_inventory")
CONTENT = PIPELINE.scenario.model_dump(mode="json")
SOURCE = PIPELINE.source.model_dump(mode="json")


def changed(**changes: Any) -> Scenario:
    return Scenario.model_validate(CONTENT | changes)


def source_with(feed: str, **changes: Any) -> Source:
    feeds = [one | {"events": one["events"] | changes} if one["name"] == feed else one for one in SOURCE["feeds"]]
    return Source.model_validate(SOURCE | {"feeds": feeds})


def test_quantities_are_told_apart_by_their_least_units() -> None:
    """Each natural key says its range; the last one has no end."""
    action = Action(key="quantity", mask="none", max_actions=5, quantities=(0, 1, 6, 7))
    assert action.quantity_keys == ("0", "1-5", "6", "7+")


@pytest.mark.parametrize("least", [[1, 2], [0, 6, 6], [0, 6, 3]])
def test_quantities_that_do_not_ascend_from_nothing_are_refused(least: list[int]) -> None:
    """Every number of units is one action."""
    with pytest.raises(ValidationError, match="ascend from 0"):
        Action(key="quantity", mask="none", max_actions=5, quantities=tuple(least))


def test_quantities_stand_with_their_key_alone() -> None:
    """Neither without the other."""
    for given in ({"key": "item", "quantities": (0, 1)}, {"key": "quantity"}):
        with pytest.raises(ValidationError, match="give quantities with key: quantity"):
            Action.model_validate({"mask": "none", "max_actions": 5} | given)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ordering": None}, "give ordering with clock: sku_day"),
        ({"action": CONTENT["action"] | {"key": "item", "quantities": None}}, "key: quantity, mask: none"),
        (
            {"reward": CONTENT["reward"] | {"attribution": {"link": "last_touch", "window_hours": 192}}},
            "link: last_decision",
        ),
        (
            {"reward": CONTENT["reward"] | {"attribution": {"link": "last_decision", "window_hours": 25}}},
            "window_hours is 25; expected at least 26",
        ),
        (
            {"observation": {"history_days": 7, "features": [{"name": "session_step"}, {"name": "n_clicks_7d"}]}},
            "features of shoppers, who are no products: session_step, n_clicks_7d",
        ),
        (
            {"ordering": CONTENT["ordering"] | {"receipts": "none"}},
            "received, closing, shrinkage, ran_out, last_lead_days: made of receipts",
        ),
        (
            {"observation": {"history_days": 7, "features": [{"name": "units_sold_8d"}]}},
            "looks back further than history_days",
        ),
        ({"observation": {"history_days": 7, "features": [{"name": "units_sold_0d"}]}}, "no feature 'units_sold_0d'"),
        (
            {"metrics": {"x": {"event": "order", "value": "sold"}}, "gate": CONTENT["gate"] | {"guardrails": []}},
            "sold is told by counts; write event: stock",
        ),
        (
            {"metrics": {"lost": {"event": "stock", "value": "lost"}}, "gate": CONTENT["gate"] | {"guardrails": []}},
            "value",
        ),
    ],
)
def test_what_does_not_go_with_the_clock_is_refused(changes: dict[str, Any], expected: str) -> None:
    """With what to write instead."""
    with pytest.raises(ValidationError, match=expected):
        changed(**changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"observation": {"features": [{"name": "units_on_hand"}]}}, "features of products, for clock sku_day alone"),
        ({"action": {"key": "quantity", "mask": "none", "max_actions": 5, "quantities": [0, 1]}}, "action.key"),
        ({"metrics": {"left": {"event": "stock", "value": "closing"}}, "gate.guardrails": []}, "metrics of stock"),
    ],
)
def test_other_clocks_have_nothing_of_products(changes: dict[str, Any], expected: str) -> None:
    """A scenario of sessions that asks for it is told so."""
    content = load_pipeline("recommendation", "simulated_shop").scenario.model_dump(mode="json")
    content["gate"]["guardrails"] = []
    with pytest.raises(ValidationError, match=expected):
        Scenario.model_validate(content | {key: value for key, value in changes.items() if "." not in key})


def test_a_scenario_without_receipts_says_so() -> None:
    """Then no feed of receipts is asked for, and orders need no number."""
    features = [one for one in CONTENT["observation"]["features"] if one["name"] != "last_lead_days"]
    scenario = changed(
        ordering=CONTENT["ordering"] | {"receipts": "none"},
        observation=CONTENT["observation"] | {"features": features},
        metrics={"sold": {"event": "stock", "value": "sold"}},
        gate=CONTENT["gate"] | {"guardrails": []},
        orders=None,
        candidates=[{"algorithm": "bc", "seeds": [1], "n_updates": 5}],
        evaluation=CONTENT["evaluation"] | {"estimator": "dr"},
    )
    feeds = [one for one in SOURCE["feeds"] if one["name"] != "receipts"]
    bare = Source.model_validate(SOURCE | {"feeds": feeds})
    assert [one.problem for one in misfits(scenario, bare)] == []
    problems = [one.problem for one in misfits(PIPELINE.scenario, bare)]
    assert problems == [
        "sku_day: no line of simulated_inventory becomes a receipt event; where the log has no receipts, write "
        "ordering.receipts: none"
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (source_with("stock", quantity=None), "maps no events.quantity of its stock events"),
        (source_with("receipts", order_id=None), "maps no events.order_id of its receipt events"),
        (Source.model_validate(SOURCE | {"items": None}), "no table of items with price"),
        (
            Source.model_validate(SOURCE | {"decisions": SOURCE["decisions"] | {"event_type": "order"}}),
            "expected stock, got order",
        ),
    ],
)
def test_what_the_source_lacks_is_named(source: Source, expected: str) -> None:
    """By the key that asks for it."""
    assert expected in "\n".join(one.problem for one in misfits(PIPELINE.scenario, source))


def test_units_are_asked_of_the_feeds_that_are_counted() -> None:
    """Of any clock's scenario."""
    pipeline = load_pipeline("recommendation", "retailrocket")
    terms = [{"event": "purchase", "value": "units", "weight": 0.5}]
    reward = pipeline.scenario.reward.model_dump(mode="json") | {"terms": terms}
    content = pipeline.scenario.model_dump(mode="json") | {"reward": reward}
    problems = [one.problem for one in misfits(Scenario.model_validate(content), pipeline.source)]
    assert problems == ["units of purchase: no feed of source retailrocket maps quantity of them"]


def test_weights_of_units_are_bounded() -> None:
    """As those of money are."""
    terms = [{"event": "stock", "value": "units", "weight": -101}]
    with pytest.raises(ValidationError, match="of units; expected at most 100"):
        changed(reward=CONTENT["reward"] | {"terms": terms})


def test_blocks_are_the_scenario_s() -> None:
    """Rules, partitions and how long they change follow from the spec."""
    rules, clock = rules_of(PIPELINE), clock_of(PIPELINE)
    assert rules.decision.quantities.keys[:3] == ("0", "1-2", "3-5")
    assert rules.clock == clock
    assert longest_closing_days(PIPELINE) == 32
    assert PIPELINE.longest_episode_hours == 4 + 24 * 28
    assert PIPELINE.settle_days == 1 + -(-(4 + 24 * 28 + 192 + 1) // 24)
    assert "an episode's periods in hours" in PIPELINE.embargo_in_words
    assert rules.products is not None
    first = partition_date(PIPELINE, partition_date(PIPELINE, date(2026, 2, 11)))
    assert first.weekday() == 0


def test_the_source_of_the_simulated_shop_has_its_scenario() -> None:
    """And no other."""
    assert scenarios_for("simulated_inventory") == ["inventory"]


UNCOUNTED = load_pipeline("orders_from_sales", "simulated_sales")
SALES = UNCOUNTED.scenario.model_dump(mode="json")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"receipts": "delivered"}, "write receipts: none and every: day"),
        ({"every": "week"}, "write receipts: none and every: day"),
        ({"stock": "counted"}, "range_days is for a log that counts no stock"),
        ({"range_days": 35}, r"expected less than observation.history_days \(35\)"),
    ],
)
def test_what_a_log_without_counts_can_t_tell_of_orders_is_refused(changes: dict[str, Any], expected: str) -> None:
    """Receipts, weeks, counts, and who is in the range before its history."""
    ordering = SALES["ordering"] | {"range_days": 20} | changes
    with pytest.raises(ValidationError, match=expected):
        Scenario.model_validate(SALES | {"ordering": ordering})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"metrics": {"left": {"event": "stock", "value": "closing"}}}, "metrics.left: made of counts or orders"),
        (
            {"observation": {"history_days": 35, "features": [{"name": "units_due_in_2d"}, {"name": "units_on_hand"}]}},
            "observation.features: units_due_in_2d, observation.features: units_on_hand: made of counts",
        ),
    ],
)
def test_what_only_counts_tell_is_refused_without_them(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        Scenario.model_validate(SALES | {"gate": SALES["gate"] | {"guardrails": []}} | changes)


def test_a_source_of_sales_alone_fits() -> None:
    """Its decisions are implied by sales; of items nothing but what features see is needed."""
    assert misfits(UNCOUNTED.scenario, UNCOUNTED.source) == []
    retail = load_pipeline("orders_from_sales", "online_retail_products")
    assert misfits(retail.scenario, retail.source) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decisions": {"kind": "implied", "event_type": "stock", "clock": "sku_day"}}, "got implied, stock"),
        ({"decisions": {"kind": "logged", "event_type": "purchase", "clock": "sku_day"}}, "got logged, purchase"),
        ({"feeds": SOURCE["feeds"]}, "become order, receipt, stock events, which a declared stock would contradict"),
    ],
)
def test_a_source_that_counts_after_all_is_refused(changes: dict[str, Any], expected: str) -> None:
    """What it counts would contradict what is simulated."""
    source = Source.model_validate(UNCOUNTED.source.model_dump(mode="json") | changes)
    assert expected in "\n".join(one.problem for one in misfits(UNCOUNTED.scenario, source))


def test_sales_need_their_pieces() -> None:
    content = UNCOUNTED.source.model_dump(mode="json")
    events = content["events"] | {"quantity": None}
    feeds = [content["feeds"][0] | {"events": events}]
    source = Source.model_validate(content | {"feeds": feeds, "events": events})
    assert "maps no events.quantity of its purchase events" in "\n".join(
        one.problem for one in misfits(UNCOUNTED.scenario, source)
    )


def test_sales_without_pieces_are_rejected_lines_and_not_days_without_demand() -> None:
    content = UNCOUNTED.source.model_dump(mode="json")
    events = content["events"] | {"quantity": content["events"]["quantity"] | {"required": False}}
    feeds = [content["feeds"][0] | {"events": events}]
    source = Source.model_validate(content | {"feeds": feeds, "events": events})
    (found,) = misfits(UNCOUNTED.scenario, source)
    assert found.key == "events.quantity" and "write quantity: {required: true}" in found.problem


def test_scenarios_that_count_and_those_that_don_t_have_sources_of_their_own() -> None:
    """A shop that writes a source of sales gets the scenario for it, and a counting shop the other."""
    assert scenarios_for("simulated_sales") == scenarios_for("online_retail_products") == ["orders_from_sales"]
    assert "decisions.event_type" in {one.key for one in misfits(PIPELINE.scenario, UNCOUNTED.source)}
    told = [one.problem for one in misfits(PIPELINE.scenario, UNCOUNTED.source) if one.key == "decisions.event_type"]
    assert told[0].endswith("got purchase; where the log counts no stock, write ordering.stock: none")
