"""Weeks that somebody else than the shop's plan decides: sent as given, and nothing earlier changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rl.shops.promotion.feeds.campaign_feed import campaign_lines
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.simulate import GivenWeek, simulate
from rl.shops.promotion.writer import deliver, deliver_days

SETTINGS = PromotionSettings(n_weeks=12, n_shoppers=150, seed=3)
WEEK = 8


def _given() -> dict[int, GivenWeek]:
    action = np.arange(SETTINGS.n_shoppers) % 6 - 1
    return {WEEK: GivenWeek(action, np.full(SETTINGS.n_shoppers, 0.25), "tested-1")}


def test_shoppers_get_what_was_given_or_nothing_and_the_rest_what_the_plan_says() -> None:
    own, given = simulate(SETTINGS), simulate(SETTINGS, _given())
    week, asked = given.weeks[WEEK], _given()[WEEK].action[given.weeks[WEEK].row]
    allowed = week.mask[np.arange(len(asked)), np.maximum(asked, 0)]
    listed = asked >= 0
    assert (week.action[listed & allowed] == asked[listed & allowed]).all()
    assert (week.action[listed & ~allowed] == 0).all()
    assert (listed & ~allowed).any()
    np.testing.assert_array_equal(week.action[~listed], own.weeks[WEEK].action[~listed])
    has_choice = week.mask.sum(axis=1) > 1
    np.testing.assert_allclose(week.propensity[listed & has_choice], 0.25)
    np.testing.assert_allclose(week.propensity[listed & ~has_choice], 1.0)
    np.testing.assert_allclose(week.chances.sum(axis=1), 1.0)


def test_the_campaign_log_names_whose_plan_a_week_was() -> None:
    plans = {
        int(str(line.record["send_id"])[1:4]): line.record["plan"]
        for line in campaign_lines(simulate(SETTINGS, _given()))
    }
    own = SETTINGS.logging.policy_version
    assert plans == {week: "tested-1" if week == WEEK else own for week in range(SETTINGS.n_weeks)}


def test_no_earlier_week_changes() -> None:
    own, given = simulate(SETTINGS), simulate(SETTINGS, _given())
    for week in range(WEEK):
        np.testing.assert_array_equal(own.weeks[week].action, given.weeks[week].action)
        np.testing.assert_array_equal(own.weeks[week].order_time, given.weeks[week].order_time)
    assert (own.weeks[WEEK].action != given.weeks[WEEK].action).any()


def test_days_that_are_delivered_alone_have_the_bytes_they_have_among_all(tmp_path: Path) -> None:
    given = simulate(SETTINGS, _given())
    deliver(simulate(SETTINGS), tmp_path / "whole")
    deliver(given, tmp_path / "given")
    deliver_days(given, range(WEEK * 7 - 7, WEEK * 7 + 7), tmp_path / "alone")
    folders = sorted(path.name for path in (tmp_path / "alone").iterdir())
    assert len(folders) == 14
    for name in folders:
        found = [
            {path.name: path.read_bytes() for path in (tmp_path / kind / name).iterdir()}
            for kind in ("alone", "given", "whole")
        ]
        assert found[0] == found[1]
        assert (found[0] == found[2]) == (name in folders[:7])
