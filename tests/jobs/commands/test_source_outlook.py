"""What could be learned from a log is worked out from its first events alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conf.errors import FAILS_AGAIN
from conf.observation_features import OBSERVATION_FEATURES
from conf.specs.scenario import Pipeline, load_pipeline
from jobs.commands import source_outlook
from jobs.commands.check_source import main
from jobs.commands.source_outlook import OutlookEvent, attributable, empty_features, verdict_line
from tests.jobs.formats.plain_events import SAMPLES

HOUR = 3_600_000_000
# Features that no field is needed for: times and counts of the decisions themselves.
ALWAYS_THERE = {
    "session_step",
    "seconds_since_session_start",
    "seconds_since_previous_event",
    "n_decisions_since_engagement",
    "hour_of_day",
    "day_of_week",
    "n_past_sessions_days",
    "days_since_last_visit",
}


def _event(kind: str, hours: float, user: str = "ann", **fields: Any) -> OutlookEvent:
    return OutlookEvent(int(hours * HOUR), user, kind, fields)


def _last_touch() -> Pipeline:
    """Views are decisions, a cart earns 3 and a purchase 10, within 12 hours on the same item."""
    return load_pipeline("recommendation", "retailrocket")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([_event("view", 0, item_id="a"), _event("purchase", 1, item_id="a")], 1.0),
        ([_event("view", 0, item_id="a"), _event("purchase", 13, item_id="a")], 0.0),
        ([_event("view", 0, item_id="a"), _event("purchase", 12, item_id="a")], 1.0),
        ([_event("view", 0, item_id="a"), _event("purchase", 1, item_id="b")], 0.0),
        ([_event("view", 0, item_id="a"), _event("purchase", 1, "bob", item_id="a")], 0.0),
        ([_event("purchase", 0, item_id="a"), _event("view", 1, item_id="a")], 0.0),
        ([_event("purchase", 0, item_id="a"), _event("view", 0, item_id="a")], 1.0),
        ([_event("view", 0, item_id="a"), _event("cart", 1, item_id="a"), _event("purchase", 1, item_id="b")], 3 / 13),
        ([_event("view", 0, item_id="a"), _event("purchase", 1)], 0.0),
        ([_event("view", 0, item_id="a")], None),
    ],
)
def test_share_of_reward_goes_by_the_last_touch(events: list[OutlookEvent], expected: float | None) -> None:
    """Weighted by what events earn; at one moment a view comes before a purchase."""
    weights = {"cart": 3.0, "purchase": 10.0}
    pipeline = _last_touch()
    reward = pipeline.scenario.reward.model_copy(update={"weights": weights})
    pipeline = pipeline.model_copy(update={"scenario": pipeline.scenario.model_copy(update={"reward": reward})})
    assert attributable(events, pipeline).share == expected


def test_share_of_reward_goes_by_the_decision_that_is_named() -> None:
    """Of three clicks one names a decision that was there, one another, one none."""
    pipeline = load_pipeline("recommendation", "open_bandit")
    events = [_event("impression", 0, decision_id="d1"), _event("click", 0, decision_id="d1")]
    events += [_event("click", 0.1, decision_id="d2"), _event("click", 0.2)]
    found = attributable(events, pipeline)
    n_weighed = sum(pipeline.scenario.reward.weight_millionths[kind] for kind in ("click",) * 3)
    assert (found.reward, found.n_unnamed) == (n_weighed, 1)
    assert found.share == pytest.approx(1 / 3)


def _two_feeds(n_both: int) -> list[OutlookEvent]:
    """Views of 20 shoppers, purchases of 20 of whom so many are among them; every second one is of another item."""
    events = [_event("view", 0, f"u{n}", item_id="a") for n in range(20)]
    buyers = range(20 - n_both, 40 - n_both)
    return [*events, *[_event("purchase", 1, f"u{n}", item_id="ab"[place % 2]) for place, n in enumerate(buyers)]]


@pytest.mark.parametrize(
    ("n_both", "is_all", "share", "told"),
    [
        (6, True, 3 / 20, "15% finds a decision among these lines, by last_touch"),
        (6, False, 3 / 6, "50% finds a decision among these lines, of 6 shoppers with both there, by last_touch"),
        (4, False, None, "can't be told from these lines: 4 shoppers have both a decision and a reward among them"),
        (0, False, None, "can't be told from these lines: 0 shoppers"),
    ],
)
def test_share_of_a_part_of_the_lines_is_of_shoppers_with_both(
    n_both: int, is_all: bool, share: float | None, told: str
) -> None:
    """The first lines of two feeds are of different shoppers: that theirs don't meet says nothing."""
    pipeline, events = _last_touch(), _two_feeds(n_both)
    seen = source_outlook.ToldEvents(events, events)
    assert attributable(events, pipeline, is_all=is_all).share == share
    assert source_outlook.outlook_result(seen, pipeline.source, pipeline, is_all=is_all)["attributable_share"] == share
    assert told in "\n".join(source_outlook.outlook_lines(seen, pipeline.source, pipeline, is_all=is_all))


def test_features_without_their_field_are_named() -> None:
    """No category, no price, no cart: what rests on them is the same at every decision."""
    pipeline = _last_touch()
    events = [_event("view", 0, item_id="a"), _event("purchase", 1, item_id="a")]
    assert empty_features(events, pipeline.scenario, pipeline.source) == [
        "recent_shown_categories",
        "recent_engaged_categories",
        "n_session_carts",
        "last_price_band",
        "favorite_categories",
    ]
    events += [_event("cart", 2, item_id="a", category_id="c", price=5), _event("view", 2, category_id="c")]
    assert empty_features(events, pipeline.scenario, pipeline.source) == []


def test_every_feature_is_known() -> None:
    """Whoever adds one says what it needs."""
    needing = {*source_outlook._NEEDS, *source_outlook._OF_DECISIONS}
    assert needing | ALWAYS_THERE == set(OBSERVATION_FEATURES)
    assert not needing & ALWAYS_THERE


@pytest.mark.parametrize(
    ("source", "events", "expected"),
    [
        ("retailrocket", [_event("view", 0)], "abstain"),
        ("open_bandit", [_event("click", 0)], "no impression, so no decision"),
        ("open_bandit", [_event("impression", 0, propensity=0.5)], "can be promoted"),
        ("open_bandit", [_event("impression", 0)], "are estimated"),
        ("open_bandit", [_event("impression", 0), _event("impression", 0, propensity=1)], "1 of 2 decisions lack"),
    ],
)
def test_verdict_follows_from_decisions_and_propensities(
    source: str, events: list[OutlookEvent], expected: str
) -> None:
    """Before any night has run."""
    assert expected in verdict_line(events, load_pipeline("recommendation", source).source)


def test_command_says_what_could_be_learned(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the Segment sample: a cart and two purchases earn, of which the first two purchases find no list before."""
    arguments = ["--source", "segment", "--logs", str(SAMPLES / "segment")]
    assert main(arguments) in (0, FAILS_AGAIN)
    shown = capsys.readouterr()
    outlook = json.loads(shown.out)["outlook"]
    # A click (1; its repetition is rejected) and a cart (3) by a-1; two purchases (10 each) by u-9, shown nothing.
    assert outlook["attributable_share"] == pytest.approx((1 + 3) / (1 + 3 + 20))
    assert "reward of recommendation: 17% finds a decision among these lines, by last_touch" in shown.err
    assert main([*arguments, "--scenario", "recomendation"]) == FAILS_AGAIN
    assert "did you mean 'recommendation'" in capsys.readouterr().err
