"""Decisions that can't be used: their episodes are set aside whole, counted, and bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.publication import read_pointers
from conf.specs.scenario import Pipeline
from jobs.errors import CheckError
from jobs.transitions.build import build
from jobs.transitions.quarantine import DateDecisions
from tests.jobs.transitions.delivered_shop import DeliveredShop
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, available, event, impression, made_of, transitions

NEXT_DAY = DAY + timedelta(days=1)
FEATURES = [{"name": "session_step"}, {"name": "recent_shown_items", "length": 3}, {"name": "n_past_clicks"}]


def pipeline(**changes: Any) -> Pipeline:
    """Masked by availability; episodes of two decisions."""
    return a_pipeline(
        action={"mask": "availability"},
        observation={"features": FEATURES, "history_days": 7},
        episode={"max_steps": 2},
        **changes,
    )


SETS = [available("morning", "06:00", "shoe", "hat")]


def set_aside(rows: Sequence[Row], sets: Sequence[Row] = SETS) -> list[tuple[str, str | None, str | None, int]]:
    """Tallies of decisions and episodes that are set aside."""
    found = made_of(rows, pipeline(), sets=sets)[1].to_pylist()
    told = [(one["kind"], one["outcome"], one["example"], one["n"]) for one in found if one is not None]
    return sorted(one for one in told if "set_aside" in one[0])


@pytest.mark.parametrize(
    ("unfit", "reason", "example"),
    [
        (
            {"action": None, "item_id": None},
            "no_action",
            "2026-01-14 10:01:00 UTC, action (none), availability_id morning",
        ),
        (
            {"action": "boot", "item_id": "boot"},
            "outside_set",
            "2026-01-14 10:01:00 UTC, action boot, availability_id morning",
        ),
        (
            {"availability_id": "evening"},
            "unknown_set",
            "2026-01-14 10:01:00 UTC, action hat, availability_id evening",
        ),
        (
            {"availability_id": None},
            "unknown_set",
            "2026-01-14 10:01:00 UTC, action hat, availability_id (none)",
        ),
    ],
)
def test_episode_is_set_aside_whole_and_features_still_see_it(unfit: Row, reason: str, example: str) -> None:
    """Of four decisions in a session, two an episode, the second can't be used: the other episode stays as it was."""
    rows = [impression(f"10:0{n}", action="hat", decision_id=f"d{n}", availability_id="morning") for n in range(4)]
    whole = transitions(rows, pipeline(), sets=SETS)
    rows[1] |= unfit
    found = transitions(rows, pipeline(), sets=SETS)
    assert [(row["decision_id"], row["step"], row["episode_id"]) for row in found] == [
        (row["decision_id"], row["step"], row["episode_id"]) for row in whole[2:]
    ]
    assert [row["observation"]["session_step"] for row in found] == [2, 3]
    beside = "2026-01-14 10:00:00 UTC, action hat, availability_id morning"
    assert set_aside(rows) == [
        ("episode_set_aside", None, None, 1),
        *sorted([("set_aside", "beside_another", beside, 1), ("set_aside", reason, example, 1)]),
    ]


def test_episode_before_one_that_is_set_aside_names_a_set_that_is_known() -> None:
    """Its last step is followed by a decision of an unknown set: the set in force stands in for it."""
    rows = [impression(f"10:0{n}", action="hat", availability_id="morning") for n in range(3)]
    rows[2]["availability_id"] = "evening"
    found = transitions(rows, pipeline(), sets=SETS)
    assert [row["next_availability_id"] for row in found] == ["morning", "morning"]


def test_what_decisions_that_are_set_aside_earned_is_told() -> None:
    """A click on each of two decisions of one episode, of which one can't be used."""
    rows = [impression(f"10:0{n}", decision_id=f"d{n}", availability_id="morning") for n in range(2)]
    rows += [event("click", f"10:0{n}:30", decision_id=f"d{n}") for n in range(2)]
    rows[0]["availability_id"] = "evening"
    tallies = made_of(rows, pipeline(), sets=SETS)[1].to_pylist()
    assert [(one["outcome"], one["decision_date"], one["n"]) for one in tallies if one["kind"] == "event"] == [
        ("quarantined", DAY, 2)
    ]


def a_log(n_unfit: int) -> list[Row]:
    """Two hundred shoppers with a decision each; as many as said chose what their set doesn't offer; all clicked."""
    rows: list[Row] = []
    for number in range(200):
        action = "boot" if number < n_unfit else "hat"
        named: Row = {"user_id": f"shopper {number}", "decision_id": f"d{number}"}
        rows += [
            impression("10:00", action=action, availability_id="morning", **named),
            event("click", "10:01", **named),
        ]
    return rows


def delivered(spark: SparkSession, home: Path, rows: list[Row], sets: list[Row], **changes: Any) -> DeliveredShop:
    shop = DeliveredShop(spark, home, pipeline(**changes))
    shop.offer(sets)
    shop.deliver(rows)
    return shop


def counters(shop: DeliveredShop, day: date) -> dict[str, int]:
    return read_pointers(shop.folder)[f"date={day}"].manifest.counters


def test_a_few_are_counted_and_their_reward_is_a_residual(spark: SparkSession, tmp_path: Path) -> None:
    """Two of 200 decisions, and one of no shopper, which is 1% of 201 and no more; the ledger still balances."""
    nobody = impression("10:00", user_id="", availability_id="morning")
    shop = delivered(spark, tmp_path, [*a_log(1), nobody], SETS)
    result = build(spark, shop.settings, shop.pipeline, DAY)
    assert result["n_transitions"] == 199
    assert result["quarantined"] == {"episodes": 1, "decisions": 2, "outside_set": 1, "no_shopper": 1}
    assert result["reward"]["residuals"]["quarantined"] == 1_000_000
    assert result["reward"]["events"] == 200_000_000
    found = counters(shop, DAY)
    assert {name: n for name, n in found.items() if name.startswith("quarantined.")} == {
        "quarantined.episodes": 1,
        "quarantined.decisions": 2,
        "quarantined.outside_set": 1,
        "quarantined.no_shopper": 1,
    }


def test_more_than_the_stated_share_builds_nothing(spark: SparkSession, tmp_path: Path) -> None:
    """Three of 200 are more than 1%: date, reason, example and cure stand in the message, and nobody's id."""
    shop = delivered(spark, tmp_path, a_log(3), SETS)
    with pytest.raises(CheckError) as raised:
        build(spark, shop.settings, shop.pipeline, DAY)
    message = str(raised.value)
    assert "date=2026-01-14: 3 of 200 decisions (1.50%)" in message
    assert "3 outside_set" in message
    assert "2026-01-14 10:00:00 UTC, action boot, availability_id morning" in message
    assert "max_quarantined_share in conf/scenarios/recommendation.yaml" in message
    assert "shopper " not in message.replace("no shopper", "")
    assert read_pointers(shop.folder) == {}


@pytest.mark.parametrize(
    ("n_unfit", "n", "bound", "expected"),
    [
        (1, 30, 0.01, False),
        (2, 30, 0.01, False),
        (3, 30, 0.01, True),
        (3, 300, 0.01, False),
        (1, 6, 0.01, False),
        (1, 5, 0.01, True),
        (2, 2, 0.01, True),
        (1, 1000, 0.0, True),
        (0, 0, 0.0, False),
    ],
)
def test_one_or_two_are_no_share(n_unfit: int, n: int, bound: float, expected: bool) -> None:
    """Of a small date; unless none is allowed, or they are a fifth of it."""
    assert DateDecisions(n=n, n_unfit=Counter(outside_set=n_unfit)).has_too_many(bound) is expected


def test_share_of_the_scenario_allows_more(spark: SparkSession, tmp_path: Path) -> None:
    """The same three, under another share: which changes no hash of the data."""
    shop = delivered(spark, tmp_path, a_log(3), SETS, max_quarantined_share=0.015)
    assert build(spark, shop.settings, shop.pipeline, DAY)["quarantined"]["decisions"] == 3
    assert shop.folder == DeliveredShop(spark, tmp_path, pipeline()).folder


def test_set_that_comes_a_day_late_brings_its_episodes_back(spark: SparkSession, tmp_path: Path) -> None:
    """Until the partition is sealed; a set that comes after that is unknown for ever, whenever it is built."""
    rows = [*a_log(0), impression("11:00", day=NEXT_DAY, action="hat", availability_id="morning")]
    rows[0]["availability_id"] = "late"
    late = available("late", "00:00", "hat", delivery_date=NEXT_DAY)
    shop = delivered(spark, tmp_path, rows, [*SETS, late])
    assert build(spark, shop.settings, shop.pipeline, DAY)["quarantined"]["unknown_set"] == 1
    assert build(spark, shop.settings, shop.pipeline, NEXT_DAY)["quarantined"]["decisions"] == 0

    too_late = late | {"delivery_date": DAY + timedelta(days=shop.pipeline.settle_days + 1)}
    assert [one[1] for one in set_aside(rows, [*SETS, too_late]) if one[0] == "set_aside"] == ["unknown_set"]
