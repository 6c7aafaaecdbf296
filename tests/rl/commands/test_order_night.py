"""A whole night of orders through the commands: from published counts to a champion, its page and tomorrow's list."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from conf.errors import SpecError
from conf.paths import Lake, Run
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.orders import OrderCandidate, Orders
from conf.specs.scenario import Pipeline
from rl.commands import decide, evaluate, prepare, promote, register, train
from rl.data.transitions_reading import read_transitions
from rl.errors import EvaluationError
from rl.figures.night import NightFigures, read_figures
from rl.inventory.order_policy import load_order_policy
from rl.orders.history_reading import read_history
from rl.orders.order_history import OrderHistory
from rl.registry.store import CHAMPION, aliases, open_store
from tests.rl.orders.order_lake import SCENARIO, SOURCE, write_order_lake
from tests.rl.orders.shop_history import PIPELINE, a_shop

pytestmark = pytest.mark.xdist_group("nights")

CANDIDATES = ("base_stock-1", "newsvendor-1", "reorder_point-1", "plan-1", "hindsight-1", "iql-1", "iql.as_logged-1")
MODEL = "inventory-policy"


@dataclass(frozen=True)
class OrderHome:
    """A home after a night of orders.

    Attributes:
        settings: of the home.
        history: that its lake was written from.
        results: of the commands, by name.
    """

    settings: Settings
    history: OrderHistory
    results: dict[str, dict[str, Any]]

    @property
    def run(self) -> Run:
        return Run(self.settings.home, SOURCE, SCENARIO, self.history.last_day)

    def command(self, module: Any, *, days_before: int = 0, **more: Any) -> dict[str, Any]:
        day = self.history.last_day - timedelta(days=days_before)
        found: dict[str, Any] = module.run(
            settings=self.settings, source=SOURCE, scenario=SCENARIO, run_date=day, **more
        )
        return found

    @property
    def figures(self) -> NightFigures:
        return read_figures(self.run.evaluation)


def few_candidates() -> Pipeline:
    """The scenario with fewer candidates and a short training, at a level that a small shop can pass."""
    orders = Orders(
        candidates=(
            *(OrderCandidate(algorithm=name) for name in ("base_stock", "newsvendor", "reorder_point", "plan")),  # type: ignore[arg-type]
            OrderCandidate(algorithm="hindsight", n_updates=60),
            OrderCandidate(algorithm="iql", n_updates=20),
            OrderCandidate(algorithm="iql", n_updates=20, rows="as_logged"),
        ),
        least_order=2,
        most_units=900,
    )
    gate = PIPELINE.scenario.gate.model_copy(update={"wrong_promotions_per_year": 45.0})
    scenario = PIPELINE.scenario.model_copy(update={"orders": orders, "gate": gate})
    return Pipeline(source=PIPELINE.source, scenario=scenario)


@pytest.fixture(scope="module")
def patch() -> Any:
    """The commands' scenario is the small one."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("prepare", "train", "evaluate", "register", "promote", "decide", "decide_orders"):
            patched.setattr(f"rl.commands.{name}.load_pipeline", lambda *_: few_candidates())
        yield patched


@pytest.fixture(scope="module")
def night(patch: Any, tmp_path_factory: pytest.TempPathFactory) -> OrderHome:
    days = a_shop(n_products=24, seed=2, catalogue_seed=2, leaver_share=0.25)
    settings, history = write_order_lake(tmp_path_factory.mktemp("orders") / "home", days)
    home = OrderHome(settings, history, {})
    home.results["prepare"] = home.command(prepare)
    for name in CANDIDATES:
        home.results[name] = home.command(train, candidate=name)
    home.results["evaluate"] = home.command(evaluate)
    home.results["register"] = home.command(register)
    no_list = {"version": None, "budget": None}
    home.results["draft"] = home.command(decide, **no_list)
    home.results["draft"]["rows"] = home.run.draft_orders.read_text(encoding="utf-8").splitlines()
    home.results["promote"] = home.command(promote, version=1)
    home.results["decide"] = home.command(decide, **no_list)
    return home


def test_the_gain_has_an_interval_at_the_reports_confidence(night: OrderHome) -> None:
    gain = night.figures.gain
    assert gain is not None and gain.value is not None and gain.interval is not None
    assert (gain.interval.value, gain.interval.level) == (gain.value, 0.95)
    assert gain.interval.lower < gain.value < gain.interval.upper


def test_what_was_published_is_read_back_as_products_by_days(night: OrderHome) -> None:
    """Every unit, day, pack and promotion; what is known of tomorrow is the last row's next observation."""
    lake = Lake(night.settings.lake, SOURCE)
    published = read_transitions(few_candidates(), lake, night.history.last_day)
    found = read_history(few_candidates(), lake, published, night.history.last_day)
    assert (found.products, found.first_day, found.category) == (
        night.history.products,
        night.history.first_day,
        night.history.category,
    )
    for name in ("is_known", "ran_out", "margin", "pipeline", "promoted", "pack_size"):
        np.testing.assert_array_equal(getattr(found, name), getattr(night.history, name), err_msg=name)
    for flow, values in night.history.units.items():
        np.testing.assert_array_equal(found.units[flow], values, err_msg=flow)
    listed = night.history.is_listed
    np.testing.assert_array_equal(found.next_pipeline[listed], night.history.next_pipeline[listed])
    assert 0 < np.count_nonzero(listed) < len(listed)


def test_days_are_split_without_a_gap(night: OrderHome) -> None:
    """All candidates are named; an episode is a product's days of a split."""
    content = night.results["prepare"]
    splits = content["splits"]
    assert splits["train"]["end"] == splits["validation"]["start"]
    assert splits["validation"]["end"] == splits["test"]["start"]
    assert sum(one["n_transitions"] for one in splits.values()) < content["counts"]["n_transitions"]
    assert tuple(content["candidates"]) == CANDIDATES


def test_each_candidate_leaves_a_policy_without_pickle(night: OrderHome) -> None:
    """JSON and safetensors, its version that of its result; a network's curve holds what validation days gave."""
    for name in CANDIDATES:
        folder = night.run.candidate(name)
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert load_order_policy(folder / "policy").version == result["policy_version"]
        assert sorted(path.name for path in (folder / "policy").iterdir()) == [
            "order_policy.json",
            "order_weights.safetensors",
        ]
    curve = (night.run.candidate("hindsight-1") / "curve.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["update"] for line in curve] == [38, 45, 52, 60]


def test_the_plan_tells_how_many_products_it_plans(night: OrderHome) -> None:
    """In its result, in the night's figures and on the page; all others are ordered by the projected level."""
    told = night.results["plan-1"]["planned"]
    assert told["n_products"] == len(night.history.products) == told["n_planned"] + len(told["others"])
    orders = night.figures.orders
    assert orders is not None and orders.plan is not None
    assert (orders.plan.n_planned, orders.plan.n_products) == (told["n_planned"], told["n_products"])
    page = night.run.page.read_text(encoding="utf-8")
    assert f"Plan for {told['n_planned']} of {told['n_products']} products (plan-1)" in page


def test_a_repeat_fits_the_same(night: OrderHome) -> None:
    """To the last weight: the same data and seed give the same version."""
    for name in ("newsvendor-1", "plan-1", "hindsight-1", "iql-1"):
        before = night.results[name]
        again = night.command(train, candidate=name)
        assert again["policy_version"] == before["policy_version"]


def test_the_night_judges_against_today_s_rule(night: OrderHome) -> None:
    """By replay, with the simulated shop's truth beside it; the gain is near the true one."""
    figures = night.figures
    assert (figures.estimator, figures.compared_with, figures.facts.units) == ("replay", "behavior", "products")
    assert figures.gain is not None and figures.gain.baseline == "today's rule"
    assert figures.over_control == figures.gain
    assert figures.verdict.decision == night.results["evaluate"]["verdict"] == "promote"
    orders = figures.orders
    assert orders is not None
    today, chosen = orders.way("today"), orders.way("candidate")
    assert today is not None and chosen is not None
    assert today.truth is not None and chosen.truth is not None
    assert figures.gain.value == pytest.approx(chosen.truth - today.truth, rel=0.35)
    assert chosen.service > today.service
    assert {one.name for one in orders.validation} == {"behavior", *CANDIDATES}
    assert orders.censored.share > 0 and orders.censored.added > 0
    assert sum(one.n_products for one in orders.categories) == len(
        [row for row in range(len(night.history.products)) if night.history.is_known[row, -46:-1].any()]
    )


def test_a_candidate_whose_fit_failed_is_left_out_and_named(night: OrderHome) -> None:
    """Once training is over; before that, it may still come."""
    result = night.run.candidate("base_stock-1") / "result.json"
    kept = result.read_text(encoding="utf-8")
    try:
        result.unlink()
        with pytest.raises(EvaluationError, match="base_stock-1 has no result"):
            night.command(evaluate)
        pipeline = few_candidates()
        figures = evaluate._orders(night.settings, pipeline, night.run, is_training_over=True)
        assert figures.notes.left_out == ("base_stock-1",)
    finally:
        result.write_text(kept, encoding="utf-8")


def test_limits_that_changed_since_the_fit_ask_for_another_and_bind_the_list(
    night: OrderHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dataset is the same and its candidates are stale; the champion's list keeps the new limit at once."""
    pipeline = few_candidates()
    assert pipeline.scenario.orders is not None
    orders = pipeline.scenario.orders.model_copy(update={"most_units": 40})
    changed = Pipeline(source=pipeline.source, scenario=pipeline.scenario.model_copy(update={"orders": orders}))
    with pytest.raises(EvaluationError, match="newsvendor-1 was fitted under least_order 2 and most_units 900, the"):
        evaluate._orders(night.settings, changed, night.run, is_training_over=True)
    monkeypatch.setattr("rl.commands.decide_orders.load_pipeline", lambda *_: changed)
    kept = night.run.decide_result.read_text(encoding="utf-8")
    try:
        result = night.command(decide, version=1, budget=None)
    finally:
        monkeypatch.undo()
        night.command(decide, version=1, budget=None)
        night.run.decide_result.write_text(kept, encoding="utf-8")
    assert 0 < result["units_ordered"] < night.results["decide"]["units_ordered"]


def test_the_registered_model_orders_as_the_policy(night: OrderHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded from MLflow; its tags say what was chosen, and the metrics what was found."""
    # The model's own code is put before the project's, where later tests' processes would find it.
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", night.settings.mlflow_uri)
    client = MlflowClient(tracking_uri=night.settings.mlflow_uri, registry_uri=night.settings.mlflow_uri)
    version = client.get_model_version(MODEL, "1")
    selected = night.figures.selected
    assert version.tags["nightcart.policy_version"] == selected.policy_version
    metrics = client.get_run(version.run_id).data.metrics
    assert metrics["candidate/earned_a_week"] > metrics["today/earned_a_week"]
    model = mlflow.pyfunc.load_model(version.source)
    asked = {"item_id": ["70001"], "pack_size": [6], **{f"units_in_{day}d": [0] for day in range(3)}}
    found = model.predict(asked | {f"forecast_{day}d": [5.0] for day in range(4)})
    assert found["order"][0] % 6 == 0 and found["order"][0] > 10


def test_before_an_approval_orders_are_drafted(night: OrderHome) -> None:
    """In the run folder, by the version that the night registered; nothing is published."""
    draft = night.results["draft"]
    assert draft["is_draft"] and "nothing was approved yet" in draft["skipped"]
    assert len(draft["rows"]) == 1 + draft["n_products"]
    assert not night.run.draft_orders.exists()


def test_the_champion_s_list_is_published_within_packs_and_limits(night: OrderHome) -> None:
    """One row a product that was counted on the last day, with its reason; the CSV file holds the same."""
    result, lake = night.results["decide"], Lake(night.settings.lake, SOURCE)
    with open_store(night.settings) as client:
        assert aliases(client, MODEL)[CHAMPION] == 1 == result["version"]
    tomorrow = night.history.last_day + timedelta(days=1)
    pointer = read_pointers(lake.order_lists(SCENARIO))[f"as_of={tomorrow}"]
    rows = pq.ParquetFile(lake.order_lists(SCENARIO) / pointer.files[0]).read().to_pylist()
    listed = [
        name for name, is_listed in zip(night.history.products, night.history.is_listed, strict=True) if is_listed
    ]
    assert [row["item_id"] for row in rows] == listed
    packs = dict(zip(night.history.products, night.history.pack_size.tolist(), strict=True))
    for row in rows:
        assert row["pack_size"] == packs[row["item_id"]] and row["order_units"] % row["pack_size"] == 0
        assert row["order_units"] == 0 or row["order_units"] >= 2
        assert row["order_units"] + row["on_hand"] + row["on_the_way"] <= 900 or row["order_units"] == 0
        assert f"{row['on_hand']:,} on hand" in row["reason"]
        assert row["policy_version"] == night.figures.selected.policy_version
    assert result["units_ordered"] == sum(row["order_units"] for row in rows) > 0
    with Path(result["csv"]).open(encoding="utf-8", newline="") as file:
        shown = list(csv.DictReader(file))
    assert sorted(row["item_id"] for row in shown) == listed
    assert [int(row["order_units"]) for row in shown] == sorted((row["order_units"] for row in rows), reverse=True)
    assert night.command(decide, version=None, budget=None)["is_new"] is False


def test_the_page_says_what_is_declared_who_won_and_what_to_order(night: OrderHome) -> None:
    """Before the figures; products, not shoppers."""
    page = night.run.page.read_text(encoding="utf-8")
    assert "demand doesn&#39;t depend on what is ordered" in page
    assert "Tomorrow's orders" in page and "shopper" not in page.replace("sends shoppers to the next product", "")
    assert "<svg" in page and "What today's rule costs against the candidate's, by category" in page
    chosen = night.figures.selected.name
    assert f"Chosen on the validation days: {chosen}" in page
    is_learner = chosen.startswith(("hindsight", "iql"))
    assert ("Learning doesn&#39;t earn its place here" in page) is not is_learner


def test_the_next_night_is_compared_with_the_champion(night: OrderHome) -> None:
    """A later look at the same days, by another spec: the candidate, being the champion's equal, is no better."""
    pipeline = few_candidates()
    others = pipeline.scenario.model_copy(update={"title": "Another title"})
    figures = evaluate._orders(
        night.settings, Pipeline(source=pipeline.source, scenario=others), night.run, is_training_over=False
    )
    assert figures.compared_with == "1" and figures.gain is not None
    assert figures.gain.baseline == "champion (version 1)"
    assert figures.gain.value == 0 and figures.verdict.decision == "reject"


def test_a_budget_of_orders_is_refused(night: OrderHome) -> None:
    """They have none."""
    with pytest.raises(SpecError, match="leave out --budget"):
        night.command(decide, version=None, budget=5.0)
