"""What a scenario's ways to order ask of it: refused in one sentence, before any file is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from conf.errors import SpecError
from conf.specs.orders import Orders, guarded_flows, order_prices, refuse_orders
from conf.specs.pipeline_fit import misfits
from conf.specs.problem import WEEKDAYS
from conf.specs.scenario import Pipeline, Scenario, load_pipeline
from conf.specs.spec_hash import data_spec_hash, full_spec_hash

SCENARIO = load_pipeline("inventory", "simulated_inventory").scenario
CONTENT = SCENARIO.model_dump(mode="json")
TERMS = CONTENT["reward"]["terms"]


def changed(**changes: Any) -> Scenario:
    return Scenario.model_validate(CONTENT | changes)


def test_a_scenario_with_orders_is_written_and_read_alike() -> None:
    """What it writes is what it was, though it leaves out what orders don't have."""
    assert changed() == SCENARIO
    assert SCENARIO.units == "products"


def test_candidates_are_named_by_method_and_seed() -> None:
    """Formulas have one seed unless they are given more."""
    orders = Orders.model_validate(
        {"candidates": [{"algorithm": "base_stock"}, {"algorithm": "hindsight", "seeds": [2, 5]}]}
    )
    assert orders.candidate_names == ("base_stock-1", "hindsight-2", "hindsight-5")


def test_an_algorithm_may_stand_once_for_each_kind_of_rows() -> None:
    """The second has its rows in its name; the first keeps the name that it would have alone."""
    rows = [{"algorithm": "iql", "rows": one} for one in ("relabelled", "as_logged")]
    orders = Orders.model_validate({"candidates": [{"algorithm": "base_stock"}, *rows]})
    assert orders.candidate_names == ("base_stock-1", "iql-1", "iql.as_logged-1")
    assert orders.seeded["iql.as_logged-1"][0].rows == "as_logged"
    alone = Orders.model_validate({"candidates": [{"algorithm": "base_stock"}, rows[1]]})
    assert alone.candidate_names == ("base_stock-1", "iql-1")


def test_limits_that_allow_no_order_are_refused() -> None:
    """With the largest least order that goes with them."""
    given = {"candidates": [{"algorithm": "base_stock"}], "most_units": 500}
    with pytest.raises(ValidationError, match="least_order 600 is more than most_units 500"):
        Orders.model_validate(given | {"least_order": 600})
    assert Orders.model_validate(given | {"least_order": 500}).least_order == 500


def test_prices_are_those_of_the_reward_in_millionths() -> None:
    """Two cents a unit held, half a euro a line, nothing a unit ordered."""
    assert order_prices(SCENARIO) == {"holding": 20_000, "order_line": 500_000, "order_unit": 0}


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([{"algorithm": "hindsight"}], "no candidate is a formula"),
        ([{"algorithm": "plan"}, {"algorithm": "cql"}], "no candidate is a formula"),
        ([{"algorithm": "base_stock"}, {"algorithm": "plan", "n_updates": 5}], "plan has no updates"),
        ([{"algorithm": "base_stock"}, {"algorithm": "plan", "rows": "as_logged"}], "plan learns from no rows"),
        ([{"algorithm": "base_stock"}, {"algorithm": "base_stock"}], "stand twice: base_stock"),
        ([{"algorithm": "base_stock", "n_updates": 5}], "base_stock has no updates"),
    ],
)
def test_candidates_that_say_nothing_are_refused(candidates: list[dict[str, Any]], expected: str) -> None:
    """With what to write instead."""
    with pytest.raises(ValidationError, match=expected):
        Orders.model_validate({"candidates": candidates})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"orders": None}, "candidates: missing"),
        ({"candidates": [{"algorithm": "bc", "seeds": [1], "n_updates": 5}]}, "candidates: orders have candidates of"),
        ({"policy": {"temperatures": [0.3], "exploration_floor": 0.1}}, "policy: orders have"),
        ({"evaluation": CONTENT["evaluation"] | {"estimator": "dr"}}, "judged by replay alone"),
        ({"discount": {"per": "step", "gamma": 0.95}}, "discount.gamma: 1"),
        (
            {"gate": CONTENT["gate"] | {"guardrails": [{"metric": "revenue", "max_relative_decrease": 0.1}]}},
            "guardrails on revenue: a replay tells",
        ),
        (
            {"ordering": CONTENT["ordering"] | {"every": "week"}},
            r"ordering.every: day, and orders.weekdays: \[monday\]",
        ),
        (
            {"orders": CONTENT["orders"] | {"weekdays": ["monday"]}},
            "last for 10 days.* add observation.features: is_reduced_in_4d, .*is_reduced_in_9d",
        ),
        ({"reward": CONTENT["reward"] | {"terms": TERMS[:1]}}, "without what holding costs"),
        ({"reward": CONTENT["reward"] | {"terms": TERMS[1:]}}, "nothing is earned"),
        (
            {"reward": CONTENT["reward"] | {"terms": [*TERMS, {"event": "purchase", "value": "count", "weight": 1}]}},
            "not count of purchase",
        ),
        (
            {"metrics": {name: one for name, one in CONTENT["metrics"].items() if name not in ("margin", "received")}},
            "value: received}; metrics: {event: purchase, value: margin}",
        ),
        (
            {
                "observation": CONTENT["observation"]
                | {"features": [one for one in CONTENT["observation"]["features"] if one["name"] != "units_due_in_1d"]}
            },
            "observation.features: units_due_in_1d",
        ),
    ],
)
def test_what_a_replay_lacks_is_said(changes: dict[str, Any], expected: str) -> None:
    """Everything at once, with the keys to write."""
    with pytest.raises(ValidationError, match=expected):
        changed(**changes)


def test_replay_is_for_orders_alone() -> None:
    """Other scenarios weigh logged decisions."""
    other = load_pipeline("recommendation", "simulated_shop").scenario.model_dump(mode="json")
    with pytest.raises(ValidationError, match="replay is for scenarios with orders"):
        Scenario.model_validate(other | {"evaluation": other["evaluation"] | {"estimator": "replay"}})


def test_commands_that_weigh_decisions_refuse_orders() -> None:
    """In one sentence; other scenarios pass."""
    with pytest.raises(SpecError, match="worth weighs logged decisions, and inventory decides on orders"):
        refuse_orders(SCENARIO, "worth")
    refuse_orders(load_pipeline("promotion", "simulated_promotion").scenario, "worth")


def test_a_shared_limit_is_whole_and_leaves_the_hash_of_specs_without_one() -> None:
    """Money in millionths, pieces never more than written; what isn't written isn't hashed."""
    assert "shared_limit" not in CONTENT["orders"]
    limited = [
        Orders.model_validate(CONTENT["orders"] | {"shared_limit": {"of": of, "at_most": 12.75}}).shared_limit
        for of in ("units", "volume", "cost")
    ]
    assert [one.in_whole for one in limited if one is not None] == [12, 12, 12_750_000]
    with pytest.raises(ValidationError, match="room for nothing"):
        Orders.model_validate(CONTENT["orders"] | {"shared_limit": {"of": "units", "at_most": 0.5}})


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        (["monday", "friday", "monday"], "stand twice: monday"),
        (list(WEEKDAYS), "leave them out to order every day"),
        (["mondays"], "monday"),
    ],
)
def test_weekdays_that_say_nothing_are_refused(weekdays: list[str], expected: str) -> None:
    """With what to write instead."""
    with pytest.raises(ValidationError, match=expected):
        Orders.model_validate(CONTENT["orders"] | {"weekdays": weekdays})


def test_days_of_orders_shape_no_data_and_no_hash_where_they_are_left_out() -> None:
    """Rows are by the day whenever orders are placed, and what isn't written isn't hashed."""
    assert "weekdays" not in CONTENT["orders"]
    features = [one for one in CONTENT["observation"]["features"] if not one["name"].startswith("is_reduced_in_")]
    observation = CONTENT["observation"] | {"features": features}
    source = load_pipeline("inventory", "simulated_inventory").source
    plain, weekly = (
        changed(orders=CONTENT["orders"] | weekdays, observation=observation)
        for weekdays in ({}, {"weekdays": ["monday", "thursday"]})
    )
    hashes = [
        [of(Pipeline(scenario=one, source=source)) for of in (data_spec_hash, full_spec_hash)]
        for one in (plain, weekly)
    ]
    assert hashes[0][0] == hashes[1][0] and hashes[0][1] != hashes[1][1]


@pytest.mark.parametrize(
    ("shelf", "expected"),
    [
        ({}, "nothing is said of any product; write days"),
        ({"categories": [{"category": "c1", "days": 2}, {"category": "c1", "days": 3}]}, "stand twice: c1"),
        ({"days": 0}, "greater than or equal to 1"),
    ],
)
def test_a_shelf_that_says_nothing_is_refused(shelf: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        Orders.model_validate(CONTENT["orders"] | {"shelf": shelf})


def test_waste_can_be_limited_where_a_shelf_is_declared_alone() -> None:
    """By a name that no metric has; learners that know no waste are refused, and what isn't written isn't hashed."""
    assert "shelf" not in CONTENT["orders"]
    rails = CONTENT["gate"] | {"guardrails": [{"metric": "wasted", "max_relative_increase": 0.1}]}
    orders = CONTENT["orders"] | {"shelf": {"days": 4}}
    changed(orders=orders, gate=rails)
    with pytest.raises(ValidationError, match=r"on wasted: .* or declare orders\.shelf, which wasted is counted by"):
        changed(gate=rails)
    metrics = CONTENT["metrics"] | {"wasted": {"event": "stock", "value": "shrinkage"}}
    with pytest.raises(ValidationError, match=r"metrics\.wasted: what replays count as waste"):
        changed(orders=orders, metrics=metrics)
    with pytest.raises(ValidationError, match="double_dqn: rows of decisions know no waste"):
        changed(orders=orders | {"candidates": [{"algorithm": "double_dqn"}, {"algorithm": "base_stock"}]})


def test_a_charged_shelf_needs_what_a_piece_costs() -> None:
    """Of items, where the source names its columns; the simulated shop's tell cost and category."""
    pipeline = load_pipeline("inventory", "simulated_inventory")
    items = pipeline.source.items
    assert items is not None and {"cost", "category_id"} <= set(items.columns)

    def problems(*left_out: str, **shelf: Any) -> list[str]:
        columns = {name: one for name, one in items.columns.items() if name not in left_out}
        source = pipeline.source.model_copy(update={"items": items.model_copy(update={"columns": columns})})
        declared = changed(orders=CONTENT["orders"] | {"shelf": shelf})
        return [one.key for one in misfits(declared, source) if one.key.startswith("orders.shelf")]

    bread = [{"category": "c1", "days": 2}]
    assert problems(days=3, categories=bread) == problems("cost", "category_id", days=3, charged=False) == []
    assert problems("cost", days=3) == ["orders.shelf"]
    assert problems("category_id", categories=bread) == ["orders.shelf.categories"]


def test_a_shared_limit_needs_what_pieces_take_of_it() -> None:
    """The simulated shop's items tell a cost, and no volume."""
    pipeline = load_pipeline("inventory", "simulated_inventory")

    def problems(of: str) -> list[str]:
        limited = changed(orders=CONTENT["orders"] | {"shared_limit": {"of": of, "at_most": 5}})
        return [one.problem for one in misfits(limited, pipeline.source) if one.key == "orders.shared_limit"]

    assert problems("cost") == problems("units") == []
    assert problems("volume") == ["volume: source simulated_inventory has no table of items with volume; map it"]


SALES = load_pipeline("orders_from_sales", "simulated_sales").scenario
SALES_CONTENT = SALES.model_dump(mode="json")


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ({"declared_stock": None}, "give it with ordering.stock: none, and only then"),
        ({"declared_stock": {"safety": 1.3, "recent_days": 1}}, "greater than or equal to 2"),
        ({"declared_stock": {"safety": float("nan")}}, "finite"),
        ({"declared_stock": {}}, "Field required"),
    ],
)
def test_a_log_without_counts_asks_for_a_declared_stock(orders: dict[str, Any], expected: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValidationError, match=expected):
        Scenario.model_validate(SALES_CONTENT | {"orders": SALES_CONTENT["orders"] | orders})


def test_a_log_that_counts_has_no_declared_stock() -> None:
    with pytest.raises(ValidationError, match=r"orders\.declared_stock simulates what no log counts"):
        changed(orders=CONTENT["orders"] | {"declared_stock": {"safety": 1.3}})


def test_guardrails_of_simulated_stock_go_by_the_replay_s_names() -> None:
    """Every flow of a replay has one, and no metric may take it."""
    assert guarded_flows(SALES) == {name: name for name in ("sold", "opening", "ordered", "closing", "ran_out")}
    metrics = SALES_CONTENT["metrics"] | {"ran_out": {"event": "purchase", "value": "units"}}
    with pytest.raises(ValidationError, match=r"metrics\.ran_out: what replays count as simulated stock"):
        Scenario.model_validate(SALES_CONTENT | {"metrics": metrics})


def test_the_declared_rule_names_another_night_and_not_other_rows() -> None:
    """The same rows are read; the night's spec is another."""
    source = load_pipeline("orders_from_sales", "simulated_sales").source
    orders = SALES_CONTENT["orders"] | {"declared_stock": {"safety": 2.0}}
    other = Scenario.model_validate(SALES_CONTENT | {"orders": orders})
    pipelines = [Pipeline(source=source, scenario=one) for one in (SALES, other)]
    rows, nights = [data_spec_hash(one) for one in pipelines], [full_spec_hash(one) for one in pipelines]
    assert rows[0] == rows[1] and nights[0] != nights[1]
