"""The first test week as one decision: on a log whose effects are known, for shoppers who were there in that week."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from rl.data.logged_episodes import LoggedEpisodes
from rl.figures.effects import OneDecision
from rl.night.spend.gain_at_spend import SHARES
from rl.night.spend.one_decision import first_week, one_decision, values_of_money
from rl.policy import StochasticPolicy
from rl.policy.offer_prices import Cap, OfferPrices
from tests.rl.night.spend.test_gain_at_spend import BROUGHT, COMMITTED, SETTINGS, a_log, a_policy

N_SHOPPERS = 4000
WEEK_US = 7 * 86_400_000_000


@cache
def the_log() -> LoggedEpisodes:
    return a_log(7, N_SHOPPERS)


def priced(budget: int = N_SHOPPERS * 500_000, **changes: object) -> StochasticPolicy:
    prices = OfferPrices(COMMITTED, 0.5, 0.4, budget, float(N_SHOPPERS), (0.0,), (0.0,), nothing=0)
    return a_policy(replace(prices, **changes))  # type: ignore[arg-type]  # fields of the prices, by name


@cache
def found(*, has_values: bool = True) -> OneDecision:
    return one_decision(priced(), the_log(), has_values=has_values, settings=SETTINGS)


def test_the_candidate_s_order_reaches_what_its_money_can_buy() -> None:
    """Half of the shoppers are moved: all get the letter in the end, by values whose unit is that of money."""
    lines = found().lines
    assert lines is not None
    assert [(line.kind, line.name) for line in lines.lines] == [
        ("candidate", "knows-1"),
        ("learner", "dr_learner"),
        ("learner", "t_learner"),
        ("arm", "mail"),
        ("arm", "letter"),
    ]
    own = lines.lines[0]
    moved = float(the_log().features[::3, 0].mean())
    assert own.spend[-1] == pytest.approx(moved * 4, rel=1e-6)
    # Four standard errors.
    assert own.gain[-1] == pytest.approx(moved * BROUGHT[2], abs=2 * own.at[-1].half_width)
    assert own.at[-1].lower < own.at[-1].value < own.at[-1].upper


def test_rows_stand_at_shares_of_today_s_budget_a_shopper() -> None:
    one = found()
    assert one.lines is not None
    assert one.n_shoppers == N_SHOPPERS
    assert one.weekly_budget == 0.5
    assert one.lines.spends == pytest.approx([0.5 * share for share in SHARES])


def test_knowing_whom_an_offer_moves_is_ahead_of_chance() -> None:
    """Mail to those it moves brings twice as much for the money as to anybody: 3 for 1, in place of 1.5."""
    lines = found().lines
    assert lines is not None
    assert lines.ahead[0].lower > 0
    own = lines.lines[0].at[0]
    assert own.value == pytest.approx(0.25 * BROUGHT[1], abs=2 * own.half_width)


def test_logits_give_no_order_and_learners_still_do() -> None:
    lines = found(has_values=False).lines
    assert lines is not None
    assert [line.kind for line in lines.lines] == ["learner", "learner", "arm", "arm"]


def test_values_are_in_money_before_any_price() -> None:
    """Outputs of half a unit a unit of money, charged at a price: the order knows neither."""
    week = first_week(the_log(), SETTINGS)
    values = values_of_money(priced(), priced().prices, week)  # type: ignore[arg-type]  # it has prices
    is_moved = week.features[:, 0] == 1
    np.testing.assert_allclose(values[is_moved], np.tile(2 * np.array(BROUGHT), (is_moved.sum(), 1)), rtol=1e-6)


def test_shoppers_whose_first_test_week_comes_later_are_left_out() -> None:
    test = the_log()
    starts = test.start_time.copy()
    starts[:] = starts.min()
    starts[:150] += WEEK_US
    week = first_week(replace(test, start_time=starts), SETTINGS)
    assert week.n == N_SHOPPERS - 150
    assert not np.isin(test.unit[:150], week.unit).any()


def test_a_week_of_newcomers_alone_is_no_first_week() -> None:
    """The split begins within a block, in which nine shoppers start; all, these too, are decided on a week later."""
    test = the_log()
    starts = np.full_like(test.start_time, test.start_time.min() + WEEK_US)
    starts[:9] -= WEEK_US
    unit = test.unit.copy()
    unit[9:18] = unit[:9]
    week = first_week(replace(test, start_time=starts, unit=unit), SETTINGS)
    assert week.n == N_SHOPPERS - 9
    assert np.isin(unit[:9], week.unit).all()


def test_capped_shoppers_get_nothing_by_any_order() -> None:
    """Whoever is moved has had enough: neither curve nor tenths send them anything."""
    capped = priced(caps=(Cap("moved", 1),))
    one = one_decision(capped, the_log(), has_values=True, settings=SETTINGS)
    assert one.lines is not None
    moved = float(the_log().features[::3, 0].mean())
    mail = next(line for line in one.lines.lines if line.name == "mail")
    assert mail.spend[-1] == pytest.approx(1 - moved)
    assert one.lines.lines[0].spend[-1] == 0
    assert one.deciles is not None  # of the others, whom nothing moves
    assert sum(tenth.n for tenth in one.deciles.deciles) == round(4000 * (1 - moved))
    assert one.deciles.spread.lower < 0 < one.deciles.spread.upper


def test_tenths_put_first_whom_offers_move() -> None:
    deciles = found().deciles
    assert deciles is not None
    assert deciles.nothing == "none"
    assert deciles.spread.lower > 0
    assert deciles.deciles[0].predicted > 3 * deciles.deciles[-1].predicted


def test_where_nothing_can_be_told_it_says_why() -> None:
    """Without propensities, without a price, or with offers that commit nothing."""
    unknown = replace(the_log(), propensity=np.full(3 * N_SHOPPERS, np.nan))
    for one, why in (
        (one_decision(priced(), unknown, has_values=True, settings=SETTINGS), "no known propensity"),
        (one_decision(a_policy(), the_log(), has_values=True, settings=SETTINGS), "holds no prices"),
        (
            one_decision(priced(committed=(0, 0, 4_000_000)), the_log(), has_values=True, settings=SETTINGS),
            "an offer commits nothing",
        ),
    ):
        assert one.lines is None
        assert one.refusal is not None
        assert why in one.refusal
