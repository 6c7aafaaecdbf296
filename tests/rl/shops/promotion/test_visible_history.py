"""The observation is what a reader of the log would count himself."""

from __future__ import annotations

import numpy as np

from rl.shops.promotion.chance import Chance
from rl.shops.promotion.lockstep_weeks import LockstepWeeks
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shop import build_shop
from rl.shops.promotion.visible_history import OBSERVED_COLUMNS
from rl.shops.promotion.week_responses import NEVER, WeekResponses

SETTINGS = PromotionSettings(n_weeks=20)


def counted(past: list[WeekResponses], shopper: int, week: int, joined: int) -> dict[str, object]:
    """What is known of a shopper at a week's decision, counted from the weeks before it."""
    rows = [
        (week - 1 - one.week, one, int(np.flatnonzero(one.row == shopper)[0])) for one in past if shopper in one.row
    ]
    orders = {ago: int((one.order_time[row] != NEVER).sum()) for ago, one, row in rows}
    visits = {ago: orders[ago] + int(one.visits[row]) for ago, one, row in rows}
    spend = {ago: int(one.summed("amount")[row].sum()) for ago, one, row in rows}
    discount = {ago: int(one.discount[row]) for ago, one, row in rows}
    sent = {ago: int(one.action[row]) for ago, one, row in rows}
    redeemed = {ago: int(one.is_redeemed[row]) for ago, one, row in rows}

    def within(values: dict[int, int], n_weeks: int) -> int:
        return sum(value for ago, value in values.items() if ago < n_weeks)

    def since(values: dict[int, int]) -> int:
        return min((ago for ago, value in values.items() if value), default=-1)

    return {
        "week": week,
        "tenure_weeks": week - joined,
        "weeks_since_order": since(orders),
        "weeks_since_visit": since(visits),
        "weeks_since_offer": since(sent),
        "orders": sum(orders.values()),
        "orders_7": within(orders, 1),
        "orders_28": within(orders, 4),
        "orders_91": within(orders, 13),
        "visits_7": within(visits, 1),
        "visits_28": within(visits, 4),
        "spend_7": within(spend, 1),
        "spend_28": within(spend, 4),
        "spend_91": within(spend, 13),
        "discount_91": within(discount, 13),
        "offers_28": within({ago: int(action > 0) for ago, action in sent.items()}, 4),
        "offers_91": within({ago: int(action > 0) for ago, action in sent.items()}, 13),
        "redeemed_91": within(redeemed, 13),
        "last_order_redeemed": redeemed[since(orders)] if since(orders) >= 0 else 0,
        "recent_offers": [sent.get(ago, 0) for ago in range(8)],
        "is_reachable": int(all(one.opt_out_time[row] == NEVER for _, one, row in rows)),
    }


def test_observation_is_what_the_log_shows() -> None:
    """In every week, each column of each shopper is the count over the weeks before its decision."""
    weeks = LockstepWeeks(build_shop(SETTINGS), Chance((2,)), 0, 60)
    behavior, past = logging_policy(SETTINGS), []
    for week in range(20):
        rows = weeks.present()
        observed = weeks.observe(rows)
        assert list(observed) == list(OBSERVED_COLUMNS)
        if week in (0, 1, 7, 19):
            for place, shopper in enumerate(rows.tolist()):
                expected = counted(past, shopper, week, int(weeks.population.joined_week[shopper]))
                seen = {name: observed[name][place].tolist() for name in expected}
                assert seen == expected, (week, shopper)
        past.append(weeks.play(behavior))


def test_segments_are_the_registers() -> None:
    """Segment and region never change, and a segment is the kind as often as the settings say."""
    weeks = LockstepWeeks(build_shop(SETTINGS), Chance((2,)), 0, 20_000)
    n_kinds = len(SETTINGS.kinds)
    right = (weeks.population.segment == weeks.population.kind).mean()
    # Four standard errors of a share of 20,000.
    assert abs(right - (SETTINGS.segment_accuracy + (1 - SETTINGS.segment_accuracy) / n_kinds)) < 0.0142
    rows = np.arange(20)
    first = weeks.observe(rows)
    weeks.play(logging_policy(SETTINGS))
    np.testing.assert_array_equal(first["segment"], weeks.observe(rows)["segment"])
    np.testing.assert_array_equal(first["region"], weeks.observe(rows)["region"])
