"""A night of orders on Mondays through the commands: prepared, fitted, judged, registered, and listed on Sundays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.orders import OrderCandidate, Orders, Shelf
from conf.specs.problem import Feature
from conf.specs.scenario import Pipeline
from rl.commands import decide, evaluate, prepare, promote, register, train
from rl.data.transitions_reading import read_transitions
from rl.errors import DatasetError
from rl.figures.night import read_figures
from rl.inventory.order_days import EVERY_DAY
from rl.inventory.order_policy import load_order_policy
from rl.orders.history_reading import read_history
from rl.orders.order_split import load_orders
from rl.registry.order_champion import find_order_champion
from rl.registry.store import open_store
from tests.rl.commands.test_order_night import OrderHome
from tests.rl.orders.order_lake import SCENARIO, SOURCE, write_order_lake
from tests.rl.orders.shop_history import PIPELINE, a_shop

pytestmark = pytest.mark.xdist_group("nights")

N_AHEAD = 10
CANDIDATES = ("newsvendor-1", "projected_level-1")


def on(*weekdays: str, shelf: Shelf | None = None, corrects_forecasts: bool = False) -> Pipeline:
    """The scenario with two formulas and orders on the weekdays, promotions seen as far as they have to last."""
    observed = [one for one in PIPELINE.scenario.observation.features if not one.name.startswith("is_reduced")]
    features = (*observed, *(Feature(name=f"is_reduced_in_{day}d") for day in range(N_AHEAD)))
    orders = Orders(
        candidates=tuple(OrderCandidate(algorithm=name) for name in ("newsvendor", "projected_level")),  # type: ignore[arg-type]
        weekdays=weekdays,  # type: ignore[arg-type]  # by name
        shelf=shelf,
        corrects_forecasts=corrects_forecasts,
    )
    scenario = PIPELINE.scenario.model_copy(
        update={
            "orders": orders,
            "observation": PIPELINE.scenario.observation.model_copy(update={"features": features}),
            "gate": PIPELINE.scenario.gate.model_copy(update={"wrong_promotions_per_year": 45.0}),
        }
    )
    return Pipeline(source=PIPELINE.source, scenario=type(scenario).model_validate(scenario.model_dump(mode="json")))


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Any:
    days = a_shop(n_products=16, n_days=183, seed=2, catalogue_seed=2, order_weekdays=("monday",), buyer_safety=0.0)
    with pytest.MonkeyPatch.context() as patched:
        for name in ("prepare", "train", "evaluate", "register", "promote", "decide", "decide_orders"):
            patched.setattr(f"rl.commands.{name}.load_pipeline", lambda *_: on("monday"))
        settings, history = write_order_lake(tmp_path_factory.mktemp("weekly") / "home", days, on("monday"))
        home = OrderHome(settings, history, {})
        home.results["prepare"] = home.command(prepare)
        for name in CANDIDATES:
            home.results[name] = home.command(train, candidate=name)
        home.results["evaluate"] = home.command(evaluate)
        home.results["register"] = home.command(register)
        home.results["promote"] = home.command(promote, version=1)
        yield home


def test_promotions_are_read_as_far_as_an_order_lasts(night: OrderHome) -> None:
    """Ten days, for three of waiting and a week."""
    published = read_transitions(on("monday"), Lake(night.settings.lake, SOURCE), night.history.last_day)
    found = read_history(on("monday"), Lake(night.settings.lake, SOURCE), published, night.history.last_day)
    assert found.n_ahead == N_AHEAD and found.order_days == night.history.order_days
    np.testing.assert_array_equal(found.promoted, night.history.promoted)
    listed = night.history.is_listed
    np.testing.assert_array_equal(found.next_promoted[listed], night.history.next_promoted[listed])


def test_what_was_fitted_orders_on_mondays(night: OrderHome) -> None:
    """The policies' files say so, and another spec's days don't take them over."""
    for name in CANDIDATES:
        assert load_order_policy(night.run.candidate(name) / "policy").weekdays == (0,)
    with pytest.raises(DatasetError, match="prepare the dataset again"):
        load_orders(on("tuesday"), Lake(night.settings.lake, SOURCE), night.run)
    with pytest.raises(DatasetError, match="prepare the dataset again"):
        load_orders(on("monday", shelf=Shelf(days=3, charged=False)), Lake(night.settings.lake, SOURCE), night.run)
    with pytest.raises(DatasetError, match="prepare the dataset again"):
        load_orders(on("monday", corrects_forecasts=True), Lake(night.settings.lake, SOURCE), night.run)


def test_the_night_is_judged_by_the_week_and_its_page_says_so(night: OrderHome) -> None:
    """Held against today's rule, which is a weekly one, and the shop's truth by the same rhythm."""
    figures = read_figures(night.run.evaluation)
    orders = figures.orders
    assert orders is not None and figures.gain is not None
    assert figures.verdict.decision == night.results["evaluate"]["verdict"] == "promote"
    assert (orders.order_days, orders.days_covered, orders.placed_elsewhere) == ("every Monday", N_AHEAD, 0.0)
    today, chosen = orders.way("today"), orders.way("candidate")
    assert today is not None and chosen is not None and today.truth is not None and chosen.truth is not None
    assert figures.gain.value == pytest.approx(chosen.truth - today.truth, abs=max(0.5 * abs(figures.gain.value), 10))
    page = night.run.page.read_text(encoding="utf-8")
    assert "Orders are placed every Monday, and taken to arrive 3 days after" in page
    assert "in 10 days, until the next order arrives" in page


def test_sunday_makes_monday_s_list_and_other_days_leave_it(night: OrderHome) -> None:
    """By the champion; on other days nothing is decided, nothing is written over, and the next is told."""
    monday = night.history.last_day + timedelta(days=1)
    assert monday.weekday() == 0
    no_list = {"version": None, "budget": None}
    found = night.command(decide, **no_list)
    assert found["as_of"] == str(monday) and found["units_ordered"] > 0
    folder = Lake(night.settings.lake, SOURCE).order_lists(SCENARIO)
    before = read_pointers(folder)
    skipped = night.command(decide, days_before=1, **no_list)
    sunday = monday - timedelta(days=1)
    assert skipped["skipped"] == f"no orders on Sunday {sunday}: they are placed every Monday, next on Monday {monday}"
    assert read_pointers(folder) == before == {f"as_of={monday}": before[f"as_of={monday}"]}


def test_a_champion_for_other_days_is_not_compared(night: OrderHome) -> None:
    """It is named, with what is different."""
    key = evaluate._key(on("monday"), "another", night.history.last_day)
    with open_store(night.settings) as client:
        found = find_order_champion(client, key, lead_days=3, order_days=EVERY_DAY)
        same = find_order_champion(client, key, lead_days=3, order_days=night.history.order_days)
    assert found is not None and same is not None and same.policy is not None
    assert (found.policy, found.problem) == (None, "it orders every Monday, the scenario now every day")
