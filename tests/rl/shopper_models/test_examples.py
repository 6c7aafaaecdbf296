"""Features know what was delivered before their day, and outcomes need a horizon that is over."""

from __future__ import annotations

import numpy as np
import pytest

from conf.kernel.daily_counts import DailyCounts
from conf.kernel.history_features import history_features
from conf.specs.shopper_model import load_shopper_model
from rl.errors import NothingToLearn
from rl.shopper_models.examples import as_of_days, examples_at, n_censored, outcomes
from rl.shopper_models.past import past_of
from tests.rl.shopper_models.simulated_activity import activity_of, simulate


def late_activity(seed: int = 0, n: int = 4_000, n_days: int = 150):
    """Views and purchases of 60 shoppers, some delivered up to five days late."""
    rng = np.random.default_rng(seed)
    day = rng.integers(0, n_days, n)
    late = np.where(rng.random(n) < 0.3, rng.integers(1, 6, n), 0)
    return activity_of(
        [f"s{one:02d}" for one in rng.integers(0, 60, n)],
        day,
        n_days=n_days,
        delivery_day=day + late,
        event_type=rng.choice(["view", "purchase", "impression", "refund"], n),
        spend=rng.integers(1, 100, n) * 1_000_000,
    )


def test_features_equal_those_of_events_cut_at_the_as_of_day() -> None:
    """Whatever is delivered later, the planted future among it, changes no feature."""
    activity, model = late_activity(), load_shopper_model("purchase-propensity-7")
    days = as_of_days(activity, model)
    every = examples_at(activity, model, days)
    for day in days:
        cut = examples_at(activity.known_at(int(day)), model, np.array([day]))
        rows = every.rows(every.as_of_day == day)
        np.testing.assert_array_equal(rows.shopper, cut.shopper)
        np.testing.assert_array_equal(rows.features, cut.features)
        np.testing.assert_array_equal(rows.rfm, cut.rfm)
        np.testing.assert_array_equal(rows.repeats.recency, cut.repeats.recency)


def test_a_planted_future_is_seen_by_the_cut() -> None:
    """Were deliveries' days forgotten, the comparison above would fail."""
    activity, model = late_activity(), load_shopper_model("purchase-propensity-7")
    day = as_of_days(activity, model)[3:4]
    leaking = activity_of(
        [activity.shoppers[one] for one in activity.shopper],
        activity.day,
        n_days=150,
        event_type=np.where(activity.n_purchases > 0, "purchase", "view"),
        spend=activity.spend,
    )
    cut = examples_at(activity.known_at(int(day[0])), model, day)
    leaked = examples_at(leaking, model, day)
    assert not np.array_equal(leaked.rows(np.isin(leaked.shopper, cut.shopper)).features, cut.features)


def test_sums_over_the_past_are_those_of_the_kernel() -> None:
    activity = late_activity()
    shopper = np.repeat(np.arange(60), 5)
    as_of = np.tile(np.array([10, 40, 41, 90, 150]), 60)
    nothing = np.zeros(len(activity), dtype=np.int64)
    daily = DailyCounts(
        activity.shopper, activity.day, activity.visible_from, nothing, nothing, activity.n_purchases, nothing
    )
    names = dict.fromkeys(("n_past_sessions_days", "days_since_last_visit", "n_past_purchases"))
    kernel = history_features(daily, shopper, as_of, names, history_days=28)
    past = past_of(activity, shopper, as_of, history_days=28)
    is_visit = np.ones(len(activity), dtype=bool)
    np.testing.assert_array_equal(past.n_days(is_visit, 28), kernel["n_past_sessions_days"])
    np.testing.assert_array_equal(past.summed(activity.n_purchases, 28), kernel["n_past_purchases"])
    latest = past.latest(is_visit)
    np.testing.assert_array_equal(np.where(latest >= 0, as_of - latest, -1), kernel["days_since_last_visit"])


def test_windows_count_by_hand() -> None:
    """Bought on days 10 (told on 13) and 20; as of 13 the first isn't known, as of 21 both are."""
    activity = activity_of(["a", "a", "a"], [9, 10, 20], delivery_day=[9, 13, 20], n_days=60)
    past = past_of(activity, np.array([0, 0, 0]), np.array([13, 14, 21]), history_days=90)
    np.testing.assert_array_equal(past.summed(activity.spend, 7) // 1_000_000, [10, 20, 10])
    np.testing.assert_array_equal(past.summed(activity.spend, 28) // 1_000_000, [10, 20, 30])
    np.testing.assert_array_equal(past.latest(activity.n_purchases > 0), [9, 10, 20])


def test_outcomes_are_counted_over_the_horizon_and_never_before_it_is_over() -> None:
    activity = activity_of(["a", "a", "b"], [5, 12, 5], n_days=40)
    model = load_shopper_model("purchase-propensity-7")
    examples = examples_at(activity, model, np.array([6, 12, 13]))
    asked = dict(
        zip(
            zip(examples.shopper.tolist(), examples.as_of_day.tolist(), strict=True),
            outcomes(activity, examples, model),
            strict=True,
        )
    )
    assert asked == {(0, 6): 1, (1, 6): 0, (0, 12): 1, (1, 12): 0, (0, 13): 0, (1, 13): 0}
    with pytest.raises(NothingToLearn, match="isn't over"):
        outcomes(activity, examples_at(activity, model, np.array([34])), model)
    assert n_censored(activity, model) == 2


def test_rows_with_an_open_horizon_would_bias_churn() -> None:
    """Of the rows at the log's end only those who came again are known: keeping them would say that nobody leaves."""
    activity = simulate(800, 200, seed=2).activity()
    model = load_shopper_model("churn-risk")
    days = as_of_days(activity, model)
    assert days[-1] + model.horizon_days - 1 == activity.complete_through
    share = outcomes(activity, examples_at(activity, model, days[-1:]), model).mean()
    assert 0.1 < share < 0.9
