"""The price of money, fixed on validation weeks: at it a policy commits what its scenario's budget allows.

Test weeks are never looked at, and no later ones: given the price, a shopper's probabilities depend on nobody else, and
are known before anything is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import structlog

from conf.kernel.arrays import MICROS_PER_DAY
from conf.kernel.calendar import calendar_of
from conf.kernel.clocks.shopper_week import ShopperWeek
from conf.kernel_rules import clock_of
from conf.observation_features import NOTHING_OFFERED
from conf.paths import Lake
from conf.specs.candidate import CLOSED_FORM_ALGORITHMS
from conf.specs.reward import millionths
from rl.data.dataset import Dataset
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes
from rl.data.offer_costs import committed_costs
from rl.data.splits import SplitName
from rl.data.transition_columns import N_LOTS
from rl.errors import EvaluationError
from rl.learning.algorithms import ALGORITHMS
from rl.learning.trained_candidates import LoadedCandidate
from rl.policy import StochasticPolicy
from rl.policy.offer_prices import MILLIONTHS, Cap, OfferPrices, plannable
from rl.policy.weekly_list import highest_price

_N_PATH = 120
_LOWEST_SHARE = 1e-6  # of the highest price: where the path leaves 0
_N_HALVINGS = 60
_MOST_ROWS = 50_000


@dataclass(frozen=True)
class PricingTerms:
    """What a budget asks, and what it is asked of.

    Attributes:
        committed: by sending each action, in millionths, in the vocabulary's order.
        weekly_budget: in millionths.
        outputs_per_money: of the network's outputs, by candidate.
        caps: of offers a shopper.
        nothing: index of the action that offers nothing; None without one.
    """

    committed: tuple[int, ...]
    weekly_budget: int
    outputs_per_money: Mapping[str, float]
    caps: tuple[Cap, ...] = ()
    nothing: int | None = None


class WeeklyPricing:
    """Gives policies the price that the budget sets on the validation weeks' shoppers."""

    def __init__(self, terms: PricingTerms, validation: LoggedEpisodes, n_shoppers: float) -> None:
        """Keep the validation weeks.

        Args:
            terms: of the budget.
            validation: decisions.
            n_shoppers: that a week decides on.
        """
        self._terms, self._n_shoppers = terms, n_shoppers
        # Of very many decisions some, evenly spread over the weeks, tell the mean as well.
        rows = np.unique(np.linspace(0, validation.n_transitions - 1, _MOST_ROWS).astype(np.int64))
        self._features, self._mask = validation.features[rows], validation.mask(rows)

    def priced(self, policy: StochasticPolicy) -> StochasticPolicy:
        """Return the policy at the least price at which a week is expected to keep the budget.

        What drawing a list may need beyond what is expected, one dearest action, is left to it.

        Raises:
            EvaluationError: exploring alone commits more than the budget.
        """
        terms = self._terms
        unset = OfferPrices(
            committed=terms.committed,
            outputs_per_money=terms.outputs_per_money[policy.name],
            price=0.0,
            weekly_budget=terms.weekly_budget,
            n_shoppers=self._n_shoppers,
            path_prices=(0.0,),
            path_spend=(0.0,),
            nothing=terms.nothing,
            caps=terms.caps,
        )
        free = policy.with_prices(unset)
        shoppers = _Shoppers(
            free,
            free.outputs(self._features),
            free.considered(self._features, self._mask),
            free.permitted(self._features, self._mask),
        )
        room = plannable(terms.weekly_budget, terms.committed) / self._n_shoppers
        highest = highest_price(free, shoppers.outputs)
        if (least := shoppers.spend(highest)) > room:
            raise EvaluationError(
                f"{policy.name}: exploring alone (exploration.floor {policy.exploration_floor:g}) commits "
                f"{least * self._n_shoppers:,.2f} a week, and budget.weekly of "
                f"{terms.weekly_budget / MILLIONTHS:,.2f} leaves {room * self._n_shoppers:,.2f}, less the dearest "
                "offer that drawing a list may need; raise the budget, or lower exploration.floor"
            )
        price = shoppers.least_price(room, highest)
        path = np.unique(np.concatenate([[0.0, price], np.geomspace(_LOWEST_SHARE * highest, highest, _N_PATH)]))
        spend = np.minimum.accumulate([shoppers.spend(one) for one in path.tolist()])
        structlog.get_logger().info("priced", candidate=policy.name, temperature=policy.temperature, price=price)
        return policy.with_prices(
            OfferPrices(
                **{
                    **vars(unset),
                    "price": price,
                    "path_prices": tuple(path.tolist()),
                    "path_spend": tuple(spend.tolist()),
                }
            )
        )


@dataclass(frozen=True)
class _Shoppers:
    """Decisions as a policy sees them at any price."""

    policy: StochasticPolicy
    outputs: FloatArray
    considered: BoolArray
    permitted: BoolArray

    def spend(self, price: float) -> float:
        """Return what a decision is expected to commit at the price, in currency."""
        prices = self.policy.prices
        if prices is None:
            raise EvaluationError(f"policy {self.policy.name} has no prices")
        chances = self.policy.chances(self.outputs - prices.at_price(price).charges, self.considered, self.permitted)
        return float((chances @ prices.costs).mean())

    def least_price(self, room: float, highest: float) -> float:
        """Return the least price, up to halving, at which no more than the room is committed."""
        if self.spend(0.0) <= room:
            return 0.0
        low, high = 0.0, highest
        for _ in range(_N_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.spend(middle) <= room else (middle, high)
        return high


def weekly_pricing(
    dataset: Dataset,
    lake: Lake,
    candidates: Mapping[str, LoadedCandidate],
    validation: LoggedEpisodes,
    *,
    last_delivery: date,
) -> WeeklyPricing | None:
    """Return what prices the night's policies; None where the scenario has no budget.

    Args:
        dataset: of the night.
        lake: of its source, whose table of offers may say what they commit.
        candidates: by name.
        validation: the split.
        last_delivery: the night's date.

    Raises:
        DatasetError: an action whose cost nobody told.
    """
    scenario = dataset.pipeline.scenario
    if scenario.budget is None:
        return None
    vocabulary = dataset.vocabulary
    committed = committed_costs(dataset.pipeline, lake, vocabulary.keys, last_delivery)
    # `(other)` is never served; whoever is asked of it anyway takes it for the dearest.
    other = (max(committed),) if vocabulary.has_other else ()
    terms = PricingTerms(
        committed=(*committed, *other),
        weekly_budget=millionths(scenario.budget.weekly),
        outputs_per_money={name: outputs_per_money(one) for name, one in candidates.items()},
        caps=tuple(Cap(cap.feature, cap.offers) for cap in scenario.budget.caps),
        nothing=vocabulary.keys.index(NOTHING_OFFERED) if NOTHING_OFFERED in vocabulary.keys else None,
    )
    return WeeklyPricing(terms, validation, shoppers_a_week(dataset, "validation", validation))


def outputs_per_money(candidate: LoadedCandidate) -> float:
    """Return how much of the network's outputs a unit of money is: 1 for logits, which have no unit."""
    return 1.0 if is_of_logits(candidate) else 1 / float(candidate.result["reward_scale"])


def is_of_logits(candidate: LoadedCandidate) -> bool:
    """Return True for a candidate that learned how often the log chose an action, and not what it brings."""
    algorithm = str(candidate.result["algorithm"])
    return algorithm not in CLOSED_FORM_ALGORITHMS and ALGORITHMS[algorithm].outputs == "logits"


def shoppers_a_week(dataset: Dataset, split: SplitName, episodes: LoggedEpisodes) -> float:
    """Return on how many shoppers a week decides, by the weeks of a split, the other shoppers' splits included.

    A split may begin within a block; of that one it holds newcomers alone, whose weeks tell nothing of how many there
    are. Blocks count that it holds from their first week on; where there is none, all weeks do.

    Args:
        dataset: of the night.
        split: its name.
        episodes: that it holds.
    """
    clock, moments = clock_of(dataset.pipeline), decision_times(episodes)
    if not isinstance(clock, ShopperWeek):
        raise EvaluationError(f"{dataset.pipeline.scenario.name} doesn't decide by the week")
    first, last = int(moments.min() // MICROS_PER_DAY) - 1, int(moments.max() // MICROS_PER_DAY) + 1
    week = clock.weeks_of(moments, calendar_of(dataset.pipeline.source.zone, first, last))
    is_whole = np.isin(week // clock.weeks, week[week % clock.weeks == 0] // clock.weeks)
    counted = week[is_whole] if is_whole.any() else week
    lots = dataset.intervals[split].lots
    return len(counted) / len(np.unique(counted)) * N_LOTS / (lots[1] - lots[0])


def decision_times(episodes: LoggedEpisodes) -> IntArray:
    """Return when each decision was made, microseconds since the epoch, `(n,)`."""
    elapsed = episodes.elapsed_microseconds
    before = np.cumsum(elapsed) - elapsed
    return np.asarray(episodes.start_time[episodes.episode] + before - before[episodes.offsets[:-1]][episodes.episode])
