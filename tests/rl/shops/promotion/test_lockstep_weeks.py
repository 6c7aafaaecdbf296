"""Weeks of shoppers: the same in any batch, as likely as the reactions say, and with money that adds up."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import ShopError
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.fixed_policies import everybody_policy, nobody_policy, random_policy
from rl.shops.promotion.lockstep_weeks import LockstepWeeks
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shop import build_shop
from rl.shops.promotion.week_responses import NEVER, WeekResponses

SETTINGS = PromotionSettings(n_weeks=12)
SHOP = build_shop(SETTINGS)


def played(first: int, n_shoppers: int, n_weeks: int = 12) -> tuple[LockstepWeeks, list[WeekResponses]]:
    weeks = LockstepWeeks(SHOP, Chance((1,)), first, n_shoppers)
    behavior = logging_policy(SETTINGS)
    return weeks, [weeks.play(behavior) for _ in range(n_weeks)]


def test_weeks_do_not_depend_on_the_batch() -> None:
    """Two batches of shoppers live exactly as they do in one."""
    _, together = played(0, 300)
    (_, head), (_, tail) = played(0, 110), played(110, 190)
    for one, first, second in zip(together, head, tail, strict=True):
        np.testing.assert_array_equal(one.row, np.concatenate([first.row, second.row + 110]))
        for name in ("action", "propensity", "order_time", "refund_time", "visits", "opt_out_time", "profit"):
            parts = np.concatenate([getattr(first, name), getattr(second, name)])
            np.testing.assert_array_equal(getattr(one, name), parts, err_msg=name)


def test_money_is_exact() -> None:
    """A week's profit is, line by line, what was paid less costs, less what came back, less the contact."""
    _, weeks = played(0, 800)
    n_refunds = 0
    for one in weeks[3:6]:
        for row in range(len(one.row)):
            profit = -int(one.contact_cost[row])
            for place, basket in enumerate(one.orders):
                paid = sum(
                    int(c - d) * 10_000 for c, d in zip(basket.list_cents[row], basket.discount_cents[row], strict=True)
                )
                goods = int(basket.cost[row].sum())
                profit += paid - goods
                if one.refund_time[row, place] != NEVER:
                    n_refunds += 1
                    profit -= paid - (goods if one.is_resold[row, place] else 0)
            assert one.profit[row] == profit
    assert n_refunds > 20


def test_spend_redeemed_is_at_most_committed() -> None:
    """What an offer costs in the end never exceeds what sending it committed; nothing sent commits nothing."""
    for one in played(0, 1500)[1]:
        spent = one.contact_cost + one.discount
        assert (spent <= one.committed).all()
        assert (one.committed[one.action == 0] == 0).all()
        assert (one.discount[~one.is_redeemed] == 0).all()


def test_times_lie_in_the_week_and_orders_in_their_order() -> None:
    """Orders stand between two decisions, the second after the first, refunds on later days."""
    for one in played(0, 1500)[1]:
        begin, end = SHOP.calendar.decision_time(one.week), SHOP.calendar.decision_time(one.week + 1)
        there = one.order_time != NEVER
        assert ((one.order_time > begin) & (one.order_time < end))[there].all()
        both = there.all(axis=1)
        assert (one.order_time[both, 0] <= one.order_time[both, 1]).all()
        assert not (there[:, 1] & ~there[:, 0]).any()
        returned = one.refund_time != NEVER
        assert (SHOP.calendar.day(one.refund_time[returned]) > SHOP.calendar.day(one.order_time[returned])).all()


def test_purchases_are_as_likely_as_the_reactions_say() -> None:
    """Standardized sums of purchases, redemptions, drifts and opt-outs lie within four standard deviations of 0."""
    weeks = LockstepWeeks(SHOP, Chance((1,)), 0, 6000)
    policy = random_policy()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ("buys", "redeems", "opts_out", "visits")}
    for _ in range(8):
        states = weeks.states(weeks.present())
        one = weeks.play(policy)
        buys = SHOP.reactions.purchase_probability(states, one.action)
        redeems = SHOP.reactions.redemption_probability(states, one.action)
        opts_out = SHOP.reactions.opt_out_probability(states, one.action)
        visits = SHOP.reactions.mean_visits(states, one.action)
        seen = {
            "buys": (one.order_time[:, 0] != NEVER, buys, buys * (1 - buys)),
            "redeems": (one.is_redeemed, redeems, redeems * (1 - redeems)),
            "opts_out": (one.opt_out_time != NEVER, opts_out, opts_out * (1 - opts_out)),
            "visits": (one.visits, visits, visits),
        }
        for name, (happened, mean, variance) in seen.items():
            found[name].append((float(happened.sum() - mean.sum()), float(variance.sum())))
    for name, sums in found.items():
        off, variance = np.sum(sums, axis=0)
        # Visits are capped at six, which costs less than a thousandth of them.
        assert abs(off) < 4 * np.sqrt(variance) + (0.002 * variance if name == "visits" else 0), name


def test_who_opted_out_gets_nothing() -> None:
    """After an opt-out the mask allows nothing but none, for good, and every policy of the shop keeps to it."""
    weeks = LockstepWeeks(SHOP, Chance((1,)), 0, 2000)
    out: set[int] = set()
    for _ in range(10):
        one = weeks.play(everybody_policy(3))
        gone = np.isin(one.row, list(out))
        assert not one.mask[gone, 1:].any()
        assert (one.action[gone] == 0).all()
        assert (one.propensity[gone] == 1).all()
        assert one.mask[~gone].all()
        out |= set(one.row[one.opt_out_time != NEVER].tolist())
    assert len(out) > 50


def test_who_was_long_inactive_gets_nothing() -> None:
    """Shoppers unseen for the limit are no longer written to, until they come again."""
    settings = PromotionSettings(n_weeks=12, dynamics=SETTINGS.dynamics.model_copy(update={"inactive_weeks": 3}))
    weeks = LockstepWeeks(build_shop(settings), Chance((1,)), 0, 1000)
    n_blocked = 0
    for _ in range(10):
        rows = weeks.present()
        observed = weeks.observe(rows)
        unseen = np.where(observed["weeks_since_visit"] < 0, observed["tenure_weeks"], observed["weeks_since_visit"])
        one = weeks.play(nobody_policy())
        np.testing.assert_array_equal(one.mask[:, 1], unseen < 3)
        n_blocked += int((unseen >= 3).sum())
    assert n_blocked > 100


def test_same_shoppers_buy_the_same_where_nothing_differs() -> None:
    """Under common random numbers, a week in which both policies send nothing to rested shoppers is the same week."""
    one, other = (LockstepWeeks(SHOP, Chance((1,)), 0, 500) for _ in range(2))
    first, second = one.play(nobody_policy()), other.play(everybody_policy(1))
    np.testing.assert_array_equal(first.would_buy, second.would_buy)
    np.testing.assert_array_equal(first.would_buy, first.order_time[:, 0] != NEVER)


@pytest.mark.parametrize(
    ("chances", "reason"),
    [
        (lambda mask: np.zeros(mask.shape), "sum to 1"),
        (lambda mask: np.full(mask.shape, np.nan), "finite"),
        (lambda mask: np.ones((len(mask), 2)) / 2, "shape"),
        (lambda mask: np.tile([-1.0, 2.0, 0, 0, 0], (len(mask), 1)), "finite"),
    ],
)
def test_policies_that_are_no_distributions_are_refused(chances, reason: str) -> None:
    """What can't be drawn from is refused with the reason."""
    with pytest.raises(ShopError, match=reason):
        LockstepWeeks(SHOP, Chance((1,)), 0, 20).play(lambda _, mask: chances(mask))
