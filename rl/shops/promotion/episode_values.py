"""True values per episode, as estimates have them: blocks of weeks that start as the test episodes do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conf.specs.scenario import Pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shop import Shop, build_shop
from rl.shops.promotion.true_value import BATCH_SHOPPERS, MILLIONTHS, TRUTH_STREAM, spent_money
from rl.shops.promotion.watched_weeks import Player, WatchedWeeks
from rl.shops.promotion.week_calendar import WeekCalendar
from rl.shops.true_value import EpisodeValue, SpentMoney


@dataclass(frozen=True)
class Block:
    """Weeks of the log that are an episode of each shopper, newcomers from their first week on.

    Attributes:
        first: its first week in the log.
        end: the week behind its last one in the log.
        starts: its weeks in which judged episodes begin, at least one.
    """

    first: int
    end: int
    starts: tuple[int, ...]


@dataclass(frozen=True)
class JudgedEpisodes:
    """Which episodes are judged, and what of them counts.

    Attributes:
        blocks: in order.
        discount: what later weeks count for.
        steps: weeks of an episode that count at most.
        weeks_beyond: weeks behind a block's end that count, too.
    """

    blocks: Sequence[Block]
    discount: DiscountFunction
    steps: int
    weeks_beyond: int = 0


@dataclass(frozen=True)
class EpisodeReturns:
    """Sums by shopper over the judged episodes, `(n_shoppers,)` each.

    Attributes:
        returns: discounted profit, in currency.
        n_episodes: of each shopper.
        spent: what offers cost and on whom it was spent, discounted, in currency, by name as `spent_money` gives it.
    """

    returns: FloatArray
    n_episodes: IntArray
    spent: Mapping[str, FloatArray]

    def value(self) -> EpisodeValue:
        """Return the mean return of an episode, and what its offers cost."""
        total = int(self.n_episodes.sum())
        spent = SpentMoney(**{name: float(values.sum() / total) for name, values in self.spent.items()})
        return replace(_mean(self.returns, self.n_episodes), spent=spent)

    def above(self, other: EpisodeReturns) -> EpisodeValue:
        """Return the mean return less that of another policy on the same shoppers, paired."""
        return _mean(self.returns - other.returns, self.n_episodes)


def played_returns(
    settings: PromotionSettings,
    players: Mapping[str, Player],
    judged: JudgedEpisodes,
    *,
    pipeline: Pipeline | None,
    n_shoppers: int,
    seed: int = 0,
    batch_shoppers: int = BATCH_SHOPPERS,
) -> dict[str, EpisodeReturns]:
    """Return what the episodes earn under each player.

    Fresh shoppers live under the behavior policy until a block starts; the block is then played by each player, from
    the same past and by the same chance, and leaves no trace.

    Args:
        settings: the shop.
        players: by name.
        judged: which episodes.
        pipeline: whose rows players see; None for the shop's own columns.
        n_shoppers: drawn, newcomers of all weeks included.
        seed: of the truth's own chance.
        batch_shoppers: played at once; the result doesn't depend on it.

    Raises:
        ShopError: no episode is judged, or a policy that returns no distributions.
    """
    shop = _with_weeks_beyond(build_shop(settings), judged.weeks_beyond)
    chance, behavior = Chance((settings.catalogue_seed, TRUTH_STREAM, seed)), logging_policy(settings)
    parts: dict[str, list[EpisodeReturns]] = {name: [] for name in players}
    for first in range(0, n_shoppers, batch_shoppers):
        running = WatchedWeeks.begin(shop, chance, first, min(batch_shoppers, n_shoppers - first), pipeline)
        found: dict[str, list[EpisodeReturns]] = {name: [] for name in players}
        for block in judged.blocks:
            while running.weeks.week < block.first:
                running.play_on_columns(behavior)
            for name, player in players.items():
                found[name].append(_block_returns(running.branched(), player, block, judged))
        for name, blocks in found.items():
            parts[name].append(_summed(blocks))
    together = {name: _joined(found) for name, found in parts.items()}
    if not all(found.n_episodes.any() for found in together.values()):
        raise ShopError(f"none of {n_shoppers} shoppers starts an episode in the judged weeks; expected more shoppers")
    return together


def _block_returns(branch: WatchedWeeks, player: Player, block: Block, judged: JudgedEpisodes) -> EpisodeReturns:
    """Play a block; return what its judged episodes earn."""
    calendar, joined = branch.weeks.shop.calendar, branch.weeks.population.joined_week
    start = np.maximum(joined, block.first)
    is_judged = np.isin(start, block.starts)
    end = block.end + judged.weeks_beyond
    times = np.array([calendar.decision_time(week) for week in range(end)], dtype=np.int64)
    returns, spent = np.zeros(len(joined)), dict[str, FloatArray]()
    for week in range(block.first, min(end, max(block.starts) + judged.steps)):
        played = player(branch)
        row = played.row[is_judged[played.row]]
        step = week - start[row]
        weight = judged.discount.since_start(step, times[week] - times[start[row]]) * (step < judged.steps)
        returns[row] += weight * played.profit[is_judged[played.row]] / MILLIONTHS
        for name, money in spent_money(played).items():
            spent.setdefault(name, np.zeros(len(joined)))[row] += weight * money[is_judged[played.row]]
    return EpisodeReturns(returns, is_judged.astype(np.int64), spent)


def _with_weeks_beyond(shop: Shop, n_weeks: int) -> Shop:
    """Return the shop with a calendar of more weeks, in which nobody new comes."""
    settings = shop.settings
    calendar = WeekCalendar.of(
        zone=settings.zone,
        first_monday=settings.first_monday,
        n_weeks=settings.n_weeks + n_weeks,
        decision_hour=settings.decision_hour,
    )
    return replace(shop, calendar=calendar)


def _summed(blocks: Sequence[EpisodeReturns]) -> EpisodeReturns:
    return EpisodeReturns(
        np.sum([one.returns for one in blocks], axis=0),
        np.sum([one.n_episodes for one in blocks], axis=0),
        {name: np.sum([one.spent[name] for one in blocks], axis=0) for name in blocks[0].spent},
    )


def _joined(parts: Sequence[EpisodeReturns]) -> EpisodeReturns:
    return EpisodeReturns(
        np.concatenate([one.returns for one in parts]),
        np.concatenate([one.n_episodes for one in parts]),
        {name: np.concatenate([one.spent[name] for one in parts]) for name in parts[0].spent},
    )


def _mean(returns: FloatArray, n_episodes: IntArray) -> EpisodeValue:
    """Return the mean per episode, with the standard error of a ratio of sums over shoppers."""
    total, n_shoppers = int(n_episodes.sum()), int((n_episodes > 0).sum())
    value = float(returns.sum() / total)
    inflation = n_shoppers / (n_shoppers - 1) if n_shoppers > 1 else np.inf
    error = float(np.sqrt(inflation * ((returns - value * n_episodes) ** 2).sum()) / total)
    return EpisodeValue(value, error, total)
