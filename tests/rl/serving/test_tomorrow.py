"""Tomorrow's recommendations in bulk: decided as a request is, published as a table and as lines of the log."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from conf.errors import SpecError
from conf.paths import Lake, Run
from conf.specs.scenario import load_pipeline
from rl.commands import decide
from rl.errors import ServingError
from rl.figures.exploration import ExplorationPlan
from rl.policy.action_rules import ActionRules
from rl.registry.person import Person
from rl.registry.store import open_store
from rl.registry.switching import turn_off
from rl.rollout.assignment import gets_new_version, is_control
from rl.serving.decisions import PolicyInUse, SharedOut
from rl.serving.explored import Explored
from rl.serving.histories import History
from rl.serving.observation import Moment, ObservationMaker
from rl.serving.shop_tables import ShopTables, set_in_force
from rl.serving.tomorrow import Tomorrow, TomorrowOrder, decide_tomorrow
from tests.rl.factories import write_availability
from tests.rl.policy.policies import make_policy
from tests.rl.serving.published_histories import day_of, publish_histories
from tests.rl.serving.served_home import ACTIONS, MODEL, SCENARIO, SOURCE, settings_at

PIPELINE = load_pipeline(SCENARIO, SOURCE)
TODAY = date(2026, 3, 30)
YESTERDAY = TODAY - timedelta(days=1)
NOON_US = (day_of(TODAY) * 24 + 10) * 3_600_000_000
KEY = b"a key for tests only"
POLICY = make_policy("a", "b", "c", has_other=True)
SHOPPERS = [f"{number:032x}" for number in range(60)]
KNOWN = {
    shopper: History(np.array([[day_of(TODAY) - 1, day_of(TODAY), 7, 2, number, 5]], dtype=np.int64))
    for number, shopper in enumerate(SHOPPERS)
}


def ordered(actions: str = "abc", n_positions: int = 1, **made_of: str) -> TomorrowOrder:
    return TomorrowOrder(TODAY, NOON_US, tuple(actions), "set-1", n_positions, {"scenario": SCENARIO, **made_of})


def decided(order: TomorrowOrder | None = None, **given: Any) -> Tomorrow:
    content: dict[str, Any] = {"key": KEY, "rules": ActionRules(), "champion": PolicyInUse.of(POLICY, 3)}
    content |= {"tables": ShopTables(categories={"a": "letters"})}
    pipeline = given.pop("pipeline", PIPELINE)
    return decide_tomorrow(pipeline, order or ordered(), KNOWN.items(), **content | given)


def test_propensities_are_the_policys_own_for_what_the_kernel_observes() -> None:
    """As a request without events at that moment would be decided, for every shopper."""
    found = decided()
    assert found.rows["user_id"].to_pylist() == SHOPPERS
    moments = [Moment(NOON_US, "tomorrow", (), KNOWN[shopper]) for shopper in SHOPPERS]
    features = POLICY.encode(ObservationMaker(PIPELINE).observe(moments))
    for row, one in enumerate(found.rows.to_pylist()):
        place = POLICY.vocabulary.keys.index(one["action"])
        chances = POLICY.probabilities(features[row : row + 1], np.array([[True, True, True, False]]))
        assert float(one["propensity"]) == pytest.approx(chances[0, place], rel=1e-6)
        assert (one["availability_id"], one["policy_version"]) == ("set-1", POLICY.version)
        assert one["category_id"] == {"a": "letters"}.get(one["action"])
    assert set(found.groups) <= {"champion", "exploration"}
    assert sum(found.groups.values()) == len(SHOPPERS)


def test_an_exploration_plan_is_followed_in_bulk_with_the_mixtures_propensities() -> None:
    """By the shares of each shopper's stratum; those who came often are not explored here."""
    other = make_policy("a", "b", "c", has_other=True, name="other-1", seed=9)
    plan = ExplorationPlan(
        model=MODEL,
        version=5,
        champion=3,
        dimension="past purchases",
        shares={"no past purchase": 0.0, "1 or more past purchases": 0.4},
        last_day=TODAY,
    )
    explored = Explored.of(plan, other, 0.5)
    found = decided(explored=explored)
    observation = ObservationMaker(PIPELINE).observe([Moment(NOON_US, "x", (), KNOWN[one]) for one in SHOPPERS])
    mask = np.array([[True, True, True, False]])
    share = np.where(observation["n_past_purchases"] > 0, 0.4, 0.0)[:, None]
    rows = [{name: values[row : row + 1] for name, values in observation.items()} for row in range(len(SHOPPERS))]
    chances = [np.concatenate([one.probabilities(one.encode(row), mask) for row in rows]) for one in (POLICY, other)]
    mixed = (1 - share) * chances[0] + share * chances[1]
    for row, one in enumerate(found.rows.to_pylist()):
        place = POLICY.vocabulary.keys.index(one["action"])
        assert float(one["propensity"]) == pytest.approx(mixed[row, place], rel=1e-6)
        assert one["policy_version"] == explored.version_beside(POLICY)
    assert len(np.unique(share)) == 2
    over = Explored.of(plan.model_copy(update={"last_day": YESTERDAY}), other, 0.5)
    assert set(decided(explored=over).rows["policy_version"].to_pylist()) == {POLICY.version}


def test_the_same_inputs_give_the_same_list_and_others_other_ids() -> None:
    """So that a list that is made again keeps what was sent, and one that differs is told from it."""
    first, again, other = decided(), decided(), decided(ordered(histories="newer"))
    assert first.rows.equals(again.rows)
    assert not set(first.rows["decision_id"].to_pylist()) & set(other.rows["decision_id"].to_pylist())


def test_positions_of_a_slate_are_different_actions() -> None:
    found = decided(ordered(n_positions=2))
    slates: dict[str, list[str]] = {}
    for one in found.rows.to_pylist():
        slates.setdefault(one["slate_id"], []).append(one["action"])
    assert (len(slates), {len(set(actions)) for actions in slates.values()}) == (len(SHOPPERS), {2})


def test_rules_hold_and_who_is_left_without_is_counted() -> None:
    assert "a" not in decided(rules=ActionRules(blocked=frozenset("a"))).rows["action"].to_pylist()
    nothing = decided(rules=ActionRules(blocked=frozenset("abc")))
    assert (nothing.rows.num_rows, nothing.n_short) == (0, len(SHOPPERS))


def test_who_is_held_out_is_left_to_the_shop_and_who_did_not_consent_is_left_out() -> None:
    exploration = PIPELINE.scenario.exploration.model_copy(update={"control_holdout": 0.3})
    scenario = PIPELINE.scenario.model_copy(update={"exploration": exploration})
    pipeline = PIPELINE.model_copy(update={"scenario": scenario})
    held = {one for one in SHOPPERS if is_control(one, KEY, scenario=SCENARIO, share=0.3)}
    assert 0 < len(held) < len(SHOPPERS)
    found = decided(pipeline=pipeline)
    assert set(found.rows["user_id"].to_pylist()) == set(SHOPPERS) - held
    assert (found.n_shoppers, found.n_control) == (len(SHOPPERS), len(held))
    before = make_policy("a", "b", seed=7)
    by_control = decided(pipeline=pipeline, control=PolicyInUse.of(before, 1))
    versions = {one["user_id"]: one["policy_version"] for one in by_control.rows.to_pylist()}
    assert {one for one in SHOPPERS if versions[one] == before.version} == held
    consenting = frozenset(SHOPPERS[:10])
    asked = decided(consenting=consenting)
    assert set(asked.rows["user_id"].to_pylist()) == consenting
    assert (asked.n_shoppers, asked.n_without_consent) == (10, len(SHOPPERS) - 10)


def test_the_set_in_force_is_the_latest_that_was_told(tmp_path: Path) -> None:
    """Of those that hold at the moment; where several began at once, one has to be named."""
    lake = Lake(tmp_path, SOURCE)
    write_availability(lake, PIPELINE, YESTERDAY, {"old": ["a", "b"]})
    assert set_in_force(lake, NOON_US, YESTERDAY) == ("old", ("a", "b"))
    write_availability(lake, PIPELINE, TODAY, {"new": ["c"]})
    assert set_in_force(lake, NOON_US, YESTERDAY)[0] == "old"
    assert set_in_force(lake, NOON_US, TODAY)[0] == "new"
    write_availability(lake, PIPELINE, TODAY, {"here": ["a"], "there": ["b"]})
    with pytest.raises(ServingError, match=r"found 2 \(here, there\); name the one .*--availability-id"):
        set_in_force(lake, NOON_US, TODAY)
    with pytest.raises(ServingError, match=r"found 0 .none was delivered"):
        set_in_force(Lake(tmp_path / "empty", SOURCE), NOON_US, TODAY)


def run(home: Path, **given: Any) -> dict[str, Any]:
    asked = {"version": None, "budget": None, "asked": {}, "run_date": YESTERDAY} | given
    return decide.run(settings=settings_at(home), source=SOURCE, scenario=SCENARIO, **asked)


@pytest.fixture
def shop(home: Path) -> Path:
    """A home with a champion, histories of three shoppers for the day, and a set of ten actions."""
    lake = Lake(settings_at(home).lake, SOURCE)
    rows = [(day_of(TODAY) - 1, day_of(TODAY), 7, 1, 0, 1)]
    publish_histories(lake, PIPELINE, TODAY, dict.fromkeys(("ann", "bob", "cid"), rows))
    write_availability(lake, PIPELINE, YESTERDAY, {"set-1": ACTIONS[:10]})
    return home


def test_the_command_leaves_a_table_and_lines_of_the_log(shop: Path) -> None:
    """The CSV has the columns that the feed of decisions maps, and says what the Parquet says."""
    result = run(shop, asked={"positions": 2})
    assert (result["as_of"], result["version"], result["n_shoppers"]) == (str(TODAY), 1, 3)
    assert (result["n_decisions"], result["availability_id"], result["is_new"]) == (6, "set-1", True)
    (file,) = Path(result["table"]).glob("v-*/as_of=*/*.parquet")
    rows = pq.ParquetFile(file).read().to_pylist()
    with Path(result["csv"]).open(newline="") as opened:
        lines = list(csv.DictReader(opened))
    feed = ("event_time", "event_type", "event_id", "user_id", "item_id", "category_id", "decision_id", "slate_id")
    assert {*feed, "action", "availability_id", "policy_version", "position", "propensity"} <= set(lines[0])
    assert {line["event_time"] for line in lines} == {"2026-03-30T04:00:00.000000Z"}  # 6 in the morning in Berlin
    assert {line["event_type"] for line in lines} == {"impression"}
    assert [line["decision_id"] for line in lines] == [row["decision_id"] for row in rows]
    assert [float(line["propensity"]) for line in lines] == [float(row["propensity"]) for row in rows]
    assert {line["action"] for line in lines} <= set(ACTIONS[:10])
    written = json.loads(Run(shop, SOURCE, SCENARIO, YESTERDAY).decide_result.read_text())
    assert written["content_hash"] == result["content_hash"]
    again = run(shop, asked={"positions": 2})
    assert (again["is_new"], again["content_hash"]) == (False, result["content_hash"])


def test_the_moment_is_an_hour_of_the_shops_day(shop: Path) -> None:
    result = run(shop, asked={"hour": 18})
    assert datetime.fromisoformat(result["decision_time"]).astimezone(UTC).hour == 16


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"run_date": TODAY},
            ServingError,
            f"as of 2026-03-31 are published .the newest are as of {TODAY}.*AS_OF=2026",
        ),
        ({"asked": {"positions": 99}}, ServingError, "--positions 99: expected 1 to 20"),
        ({"asked": {"availability_id": "none"}}, ServingError, "--availability-id none: no such set"),
        ({"budget": 3.0}, SpecError, "leave out --budget"),
    ],
)
def test_what_no_list_can_be_made_of_is_refused(
    shop: Path, given: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(shop, **given)


def test_where_the_scenario_was_turned_off_there_is_no_list(shop: Path) -> None:
    """It is skipped, not red."""
    with open_store(settings_at(shop)) as client:
        turn_off(client, settings_at(shop), MODEL, Person("ann", "for a test"))
    assert "was turned off" in run(shop)["skipped"]
    assert not Run(shop, SOURCE, SCENARIO, YESTERDAY).decide_result.exists()


def test_where_nobody_knows_what_is_available_there_is_no_list(shop: Path) -> None:
    """A shop of several sets asks its service; its nights stay green, and who names a set gets a list."""
    lake = Lake(settings_at(shop).lake, SOURCE)
    write_availability(lake, PIPELINE, YESTERDAY, {"here": ACTIONS[:5], "there": ACTIONS[5:9]})
    assert "found 2 (here, there); name the one" in run(shop)["skipped"]
    assert run(shop, asked={"availability_id": "there"})["availability_id"] == "there"


def test_other_scenarios_take_none_of_its_options(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="--positions: promotion decides by shopper_week, not within sessions"):
        decide.run(
            settings=settings_at(tmp_path),
            source="simulated_promotion",
            scenario="promotion",
            run_date=YESTERDAY,
            version=None,
            budget=None,
            asked={"positions": 2},
        )


def test_while_a_version_is_rolled_out_the_others_get_what_it_replaces() -> None:
    """The same shoppers as a service's; where the shop itself decided before, nothing is listed for them."""
    before = make_policy("a", "b", "c", has_other=True, seed=9)
    found = decided(shared_out=SharedOut(0.5, PolicyInUse.of(before, 2)))
    groups = dict(zip(found.rows["user_id"].to_pylist(), found.rows["group"].to_pylist(), strict=True))
    versions = dict(zip(found.rows["user_id"].to_pylist(), found.rows["policy_version"].to_pylist(), strict=True))
    new = {
        shopper
        for shopper in SHOPPERS
        if gets_new_version(shopper, KEY, share=0.5, scenario=SCENARIO, policy_version=POLICY.version)
    }
    assert 10 < len(new) < 50
    assert {shopper for shopper, group in groups.items() if group != "incumbent"} == new
    assert all(versions[shopper] == (POLICY if shopper in new else before).version for shopper in SHOPPERS)
    alone = decided(shared_out=SharedOut(0.5, None))
    assert set(alone.rows["user_id"].to_pylist()) == new
    assert (alone.n_control, alone.n_incumbent) == (0, len(SHOPPERS) - len(new))
