"""The true worth of any policy in the shop: money per shopper-week over some weeks, by simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from conf.specs.scenario import Pipeline
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.lockstep_weeks import LockstepWeeks, Probabilities
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shop import build_shop
from rl.shops.promotion.visible_history import Columns
from rl.shops.promotion.watched_weeks import Player, WatchedWeeks
from rl.shops.promotion.week_responses import WeekResponses

# Streams of their own, so that no log's shoppers come back in the truth that judges it.
TRUTH_STREAM = 7_000_013
BATCH_SHOPPERS = 8192
MILLIONTHS = 1e6

WeeklyList = Callable[[Columns, BoolArray], tuple[IntArray, FloatArray]]
"""A week's list: the observation of all n shoppers and what each may get, to the action of each, `(n,)`, and the
probabilities that it was drawn by, `(n, n_actions)`."""

Measure = Literal[
    "profit", "margin", "committed", "redeemed", "spent_on_sure_things", "spent_on_driven_away", "lost_purchases"
]


@dataclass(frozen=True)
class TrueValue:
    """A mean per shopper-week, in currency.

    Attributes:
        value: the Monte Carlo mean.
        standard_error: of the value, over shoppers, whose weeks aren't independent.
    """

    value: float
    standard_error: float


@dataclass(frozen=True)
class PolicyTruth:
    """What a policy leads to, by shopper; sums over the judged weeks, in currency, `(n_shoppers,)` each.

    Attributes:
        weeks: judged weeks in which the shopper was there, each weighted by the discount.
        profit: margin less refunds, redeemed discounts and contacts.
        margin: the same before contacts.
        committed: contacts and the largest discounts of all that was sent.
        redeemed: contacts and the discounts that were in fact taken off; at most what was committed.
        spent_on_sure_things: the part of it that went to weeks in which the shopper would have bought anyway.
        spent_on_driven_away: the part that went to shoppers whom the offer made less likely to buy.
        lost_purchases: purchases that an offer drove away (a number, no money).
        kind: index of each shopper's kind.
    """

    weeks: FloatArray
    profit: FloatArray
    margin: FloatArray
    committed: FloatArray
    redeemed: FloatArray
    spent_on_sure_things: FloatArray
    spent_on_driven_away: FloatArray
    lost_purchases: FloatArray
    kind: IntArray

    def mean(self, measure: Measure, *, kind: int | None = None) -> TrueValue:
        """Return a measure per shopper-week, of all shoppers or those of a kind."""
        chosen = np.ones(len(self.weeks), dtype=np.bool_) if kind is None else self.kind == kind
        return _ratio(getattr(self, measure)[chosen], self.weeks[chosen])

    def lagrangian(self, price: float) -> TrueValue:
        """Return profit less the price times what was committed, per shopper-week.

        Args:
            price: what a unit of committed money has to bring beyond itself, at least 0.
        """
        return _ratio(self.profit - price * self.committed, self.weeks)

    def above(self, other: PolicyTruth, measure: Measure = "profit", *, price: float = 0.0) -> TrueValue:
        """Return this policy's measure less another's, paired on the same shoppers.

        Args:
            other: of the same shop, weeks, shoppers and seed.
            measure: what is compared.
            price: taken off for each unit of committed money, in both.

        Raises:
            ShopError: the two weren't played on the same shoppers.
        """
        if not np.array_equal(self.weeks, other.weeks) or not np.array_equal(self.kind, other.kind):
            raise ShopError(
                "the two truths aren't of the same shoppers; play both with the same weeks, number and seed"
            )
        mine = getattr(self, measure) - price * self.committed
        return _ratio(mine - (getattr(other, measure) - price * other.committed), self.weeks)


def true_policy_value(  # noqa: PLR0913 -- one call says all that a truth depends on
    settings: PromotionSettings,
    probabilities: Probabilities,
    *,
    lead_weeks: int,
    n_weeks: int,
    n_shoppers: int = 20_000,
    seed: int = 0,
    gamma: float = 1.0,
    batch_shoppers: int = BATCH_SHOPPERS,
    pipeline: Pipeline | None = None,
) -> PolicyTruth:
    """Return what the policy leads to in some weeks after others under the behavior policy.

    Shoppers are drawn afresh; the shop is the settings', whatever its seed. Two policies with equal arguments meet the
    same shoppers on the same days, and differ only in what they do.

    Args:
        settings: the shop.
        probabilities: the policy over the shop's actions; `over_keys` makes one of natural keys.
        lead_weeks: weeks under the behavior policy first.
        n_weeks: judged weeks after them.
        n_shoppers: drawn, newcomers of all weeks included.
        seed: of the truth's own chance.
        gamma: what a week counts for by how many judged weeks stand before it, to that power.
        batch_shoppers: played at once; the result doesn't depend on it.
        pipeline: whose rows' features the policy sees; None for the shop's own columns.

    Raises:
        ShopError: more weeks than the shop has, nobody there, or a policy that returns no distributions.
    """
    name = "policy"
    return true_policy_values(
        settings,
        {name: lambda weeks: weeks.play(probabilities)},
        lead_weeks=lead_weeks,
        n_weeks=n_weeks,
        n_shoppers=n_shoppers,
        seed=seed,
        gamma=gamma,
        batch_shoppers=batch_shoppers,
        pipeline=pipeline,
    )[name]


def true_policy_values(  # noqa: PLR0913 -- one call says all that a truth depends on
    settings: PromotionSettings,
    players: Mapping[str, Player],
    *,
    lead_weeks: int,
    n_weeks: int,
    n_shoppers: int = 20_000,
    seed: int = 0,
    gamma: float = 1.0,
    batch_shoppers: int = BATCH_SHOPPERS,
    pipeline: Pipeline | None = None,
) -> dict[str, PolicyTruth]:
    """Return what each player leads to, as `true_policy_value` does for one; the weeks before are played once for all.

    Args:
        settings: the shop.
        players: by name; each goes on from the same past.
        lead_weeks: weeks under the behavior policy first.
        n_weeks: judged weeks after them.
        n_shoppers: drawn, newcomers of all weeks included.
        seed: of the truth's own chance.
        gamma: what a week counts for by how many judged weeks stand before it, to that power.
        batch_shoppers: played at once; the result doesn't depend on it.
        pipeline: whose rows players may ask to see; None for the shop's own columns.

    Raises:
        ShopError: more weeks than the shop has, nobody there, or a policy that returns no distributions.
    """
    _refuse_weeks(settings, lead_weeks, n_weeks)
    shop, behavior = build_shop(settings), logging_policy(settings)
    chance = Chance((settings.catalogue_seed, TRUTH_STREAM, seed))
    parts: dict[str, list[PolicyTruth]] = {name: [] for name in players}
    for first in range(0, n_shoppers, batch_shoppers):
        weeks = WatchedWeeks.begin(shop, chance, first, min(batch_shoppers, n_shoppers - first), pipeline)
        for _ in range(lead_weeks):
            weeks.play_on_columns(behavior)
        for name, player in players.items():
            own, sums = weeks.branched(), _Sums(weeks.weeks)
            for place in range(n_weeks):
                sums.add(player(own), gamma**place)
            parts[name].append(sums.truth())
    together = {name: _joined(found) for name, found in parts.items()}
    if not all(one.weeks.any() for one in together.values()):
        raise ShopError(f"none of {n_shoppers} shoppers is there in the judged weeks; expected more shoppers")
    return together


def _joined(parts: list[PolicyTruth]) -> PolicyTruth:
    """Return the truth of all batches' shoppers."""
    names = PolicyTruth.__dataclass_fields__
    return PolicyTruth(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def true_list_value(
    settings: PromotionSettings,
    weekly_list: WeeklyList,
    *,
    lead_weeks: int,
    n_weeks: int,
    n_shoppers: int,
    seed: int = 0,
) -> tuple[PolicyTruth, IntArray]:
    """Return what weekly lists lead to, and what each week's list committed, `(n_weeks,)`, in millionths.

    A list is drawn for all shoppers of a week together, as one that keeps a budget has to be; so they are played in one
    batch, and `true_policy_value` is faster where each shopper is decided alone.

    Args:
        settings: the shop.
        weekly_list: draws the week's actions.
        lead_weeks: weeks under the behavior policy first.
        n_weeks: judged weeks after them.
        n_shoppers: drawn, newcomers of all weeks included.
        seed: of the truth's own chance; a list's own draws aren't of it.

    Raises:
        ShopError: more weeks than the shop has, or a list that sends what isn't allowed.
    """
    _refuse_weeks(settings, lead_weeks, n_weeks)
    chance, behavior = Chance((settings.catalogue_seed, TRUTH_STREAM, seed)), logging_policy(settings)
    weeks = LockstepWeeks(build_shop(settings), chance, 0, n_shoppers)
    for _ in range(lead_weeks):
        weeks.play(behavior)
    sums, committed = _Sums(weeks), []
    for _ in range(n_weeks):
        rows = weeks.present()
        responses = weeks.respond(*weekly_list(weeks.observe(rows), weeks.mask(rows)))
        sums.add(responses, 1.0)
        committed.append(int(responses.committed.sum()))
    return sums.truth(), np.array(committed, dtype=np.int64)


def _refuse_weeks(settings: PromotionSettings, lead_weeks: int, n_weeks: int) -> None:
    if n_weeks < 1 or lead_weeks < 0 or lead_weeks + n_weeks > settings.n_weeks:
        raise ShopError(
            f"{lead_weeks} weeks and {n_weeks} judged ones; expected at least one, {settings.n_weeks} together at most"
        )


class _Sums:
    """Sums of the judged weeks by shopper."""

    def __init__(self, weeks: LockstepWeeks) -> None:
        self._kind = weeks.population.kind
        self._sums = {name: np.zeros(weeks.n_shoppers) for name in _MEASURES}

    def add(self, responses: WeekResponses, weight: float) -> None:
        """Add a week that counts for so much."""
        for name, measure in _MEASURES.items():
            self._sums[name][responses.row] += weight * measure(responses)

    def truth(self) -> PolicyTruth:
        """Return the sums."""
        return PolicyTruth(**self._sums, kind=self._kind)


def spent_money(responses: WeekResponses) -> dict[str, FloatArray]:
    """Return what the week's offers cost, and on whom it was spent, in currency, by name, `(n,)` each."""
    redeemed: FloatArray = (responses.contact_cost + responses.discount) / MILLIONTHS
    is_driven_away = responses.purchase_probability < responses.usual_probability
    return {
        "committed": responses.committed / MILLIONTHS,
        "redeemed": redeemed,
        "on_sure_things": redeemed * responses.would_buy,
        "on_driven_away": redeemed * is_driven_away,
    }


def _lost(responses: WeekResponses) -> FloatArray:
    return (responses.would_buy & ~(responses.orders[0].quantity > 0).any(axis=1)).astype(np.float64)


_MEASURES: dict[str, Callable[[WeekResponses], FloatArray]] = {
    "weeks": lambda responses: np.ones(len(responses.row)),
    "profit": lambda responses: responses.profit / MILLIONTHS,
    "margin": lambda responses: responses.margin / MILLIONTHS,
    "committed": lambda responses: spent_money(responses)["committed"],
    "redeemed": lambda responses: spent_money(responses)["redeemed"],
    "spent_on_sure_things": lambda responses: spent_money(responses)["on_sure_things"],
    "spent_on_driven_away": lambda responses: spent_money(responses)["on_driven_away"],
    "lost_purchases": _lost,
}


def _ratio(values: FloatArray, weeks: FloatArray) -> TrueValue:
    """Return the sum of values over the sum of weeks, with the standard error of a ratio over shoppers."""
    total = weeks.sum()
    if total == 0:
        raise ShopError("nobody is among the chosen shoppers; expected a kind that the shop has")
    value = float(values.sum() / total)
    n_shoppers = int((weeks > 0).sum())
    inflation = n_shoppers / (n_shoppers - 1) if n_shoppers > 1 else np.inf
    return TrueValue(value, float(np.sqrt(inflation * ((values - value * weeks) ** 2).sum()) / total))
