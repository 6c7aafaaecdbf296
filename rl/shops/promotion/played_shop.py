"""The shop of weekly offers as a night plays it: blocks of weeks that start as the test episodes do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conf.kernel.calendar import calendar_of, day_number
from conf.kernel.clocks.shopper_week import ShopperWeek
from conf.kernel_rules import clock_of
from conf.specs.reward import ActionCost, RewardTerm
from conf.specs.scenario import Pipeline, Scenario
from rl.data.dataset import Dataset
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FloatArray
from rl.data.splits import TimeSpan
from rl.errors import ShopError
from rl.policy import StochasticPolicy
from rl.shops.played_shop import KnownShop
from rl.shops.promotion.episode_values import Block, JudgedEpisodes, played_returns
from rl.shops.promotion.fixed_policies import over_keys
from rl.shops.promotion.lockstep_weeks import Probabilities
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import SHOP_FILE, PromotionSettings
from rl.shops.promotion.shop import build_shop
from rl.shops.promotion.visible_history import Columns
from rl.shops.promotion.watched_weeks import Player
from rl.shops.promotion.week_calendar import DAYS_A_WEEK
from rl.shops.true_value import EpisodeValue

N_EPISODES = 30_000
_BEHAVIOR = "behavior"
_NOTHING_LEFT = 0.01
"""Weeks that count for less than this aren't played where a value runs on without end."""


@dataclass(frozen=True)
class PlayedOfferShop:
    """A shop of weekly offers.

    Attributes:
        settings: the shop's.
        pipeline: whose rows policies see.
        judged: which episodes count, and over which weeks.
        n_episodes: to play for each policy, about.
        seed: of the truth's own chance.
    """

    settings: PromotionSettings
    pipeline: Pipeline
    judged: JudgedEpisodes
    n_episodes: int
    seed: int

    def values(self, policies: Mapping[str, StochasticPolicy]) -> tuple[EpisodeValue, dict[str, EpisodeValue]]:
        """Return the value of the behavior policy, and of each given policy, per episode.

        Raises:
            ShopError: a policy that can't be played.
        """
        behavior = logging_policy(self.settings)
        players: dict[str, Player] = {_BEHAVIOR: lambda weeks: weeks.play_on_columns(behavior)}
        players |= {f"policy {name}": _player(self.settings, policy) for name, policy in policies.items()}
        found = played_returns(
            self.settings,
            players,
            self.judged,
            pipeline=self.pipeline,
            n_shoppers=max(self.n_episodes // len(self.judged.blocks), 1),
            seed=self.seed,
        )
        return found[_BEHAVIOR].value(), {name: found[f"policy {name}"].value() for name in policies}


def open_shop(folder: Path, dataset: Dataset, n_episodes: int, seed: int) -> PlayedOfferShop:
    """Return the shop of the folder, judged on the test blocks of the dataset.

    Raises:
        ShopError: its weeks aren't the dataset's, or the scenario values what the shop can't be played for.
    """
    settings, pipeline = SHOP_FILE.load(folder), dataset.pipeline
    return PlayedOfferShop(
        settings, pipeline, judged_episodes(settings, pipeline, dataset.intervals["test"]), n_episodes, seed
    )


PROMOTION = KnownShop(SHOP_FILE.name, open_shop, N_EPISODES)


def judged_episodes(settings: PromotionSettings, pipeline: Pipeline, interval: TimeSpan) -> JudgedEpisodes:
    """Return the episodes of a scenario that start in an interval, and which of their weeks its values run over.

    Raises:
        ShopError: none starts in it, or the scenario values what the shop can't be played for.
    """
    scenario = pipeline.scenario
    _refuse_other_rewards(scenario)
    discount = DiscountFunction.of(scenario.discount)
    blocks = test_blocks(settings, pipeline, interval)
    longest = max(block.end - block.first for block in blocks)
    if longest > scenario.episode.max_steps:
        raise ShopError(
            f"blocks of {longest} weeks are cut into episodes of {scenario.episode.max_steps} (episode.max_steps); "
            "the shop is played by whole blocks"
        )
    if scenario.evaluation.after_cut == "nothing" or scenario.evaluation.steps < longest:
        return JudgedEpisodes(blocks, discount, scenario.evaluation.steps)
    beyond = _weeks_that_count(discount)
    return JudgedEpisodes(blocks, discount, longest + beyond, beyond)


def test_blocks(settings: PromotionSettings, pipeline: Pipeline, interval: TimeSpan) -> list[Block]:
    """Return the blocks of the shop's weeks in which episodes start within an interval, in order.

    Raises:
        ShopError: none does.
    """
    calendar, first_day = build_shop(settings).calendar, day_number(settings.first_monday)
    clock = clock_of(pipeline)
    if not isinstance(clock, ShopperWeek):
        raise ShopError(f"scenario {pipeline.scenario.name} decides by {pipeline.scenario.clock}, the shop by weeks")
    weeks = np.arange(settings.n_weeks)
    times = np.array([calendar.decision_time(week) for week in weeks.tolist()], dtype=np.int64)
    days = first_day + DAYS_A_WEEK * weeks
    zone = calendar_of(pipeline.source.zone, first_day, first_day + DAYS_A_WEEK * settings.n_weeks)
    number = clock.block(times, days, zone)
    is_inside = (times >= interval.start) & (times < interval.end)
    blocks = [
        Block(int(own[0]), int(own[-1]) + 1, tuple(own[is_inside[own]].tolist()))
        for own in (np.flatnonzero(number == one) for one in np.unique(number[is_inside]).tolist())
    ]
    if not blocks:
        raise ShopError(f"none of the shop's {settings.n_weeks} weeks from {settings.first_monday} is among the test's")
    return blocks


def _player(settings: PromotionSettings, policy: StochasticPolicy) -> Player:
    probabilities = over_keys(settings, encoding(policy), list(policy.vocabulary.names))
    return lambda weeks: weeks.play(probabilities)


def encoding(policy: StochasticPolicy) -> Probabilities:
    """Return a learned policy as one over the features of a pipeline's rows; its actions are its vocabulary's."""

    def probabilities(observation: Columns, mask: BoolArray) -> FloatArray:
        return policy.probabilities(policy.encode(observation), mask)

    return probabilities


def _weeks_that_count(discount: DiscountFunction) -> int:
    """Return how many weeks behind a block still count for something in a value without end."""
    a_week = discount.gamma if discount.per == "step" else discount.gamma**DAYS_A_WEEK
    if a_week >= 1:
        raise ShopError("values run on without end and without discount; no shop can be played so long")
    return math.ceil(math.log(_NOTHING_LEFT) / math.log(a_week))


def _refuse_other_rewards(scenario: Scenario) -> None:
    reward = scenario.reward
    is_profit = (
        not reward.weights
        and reward.terms == (RewardTerm(event="purchase", value="margin"),)
        and reward.margin_rate is None
        and reward.action_cost == ActionCost(logged=True)
        and reward.attribution.link == "last_decision"
    )
    if not is_profit:
        raise ShopError(
            f"the reward of scenario {scenario.name} isn't the week's margin less what contacting cost, the only one "
            "that the shop is played for"
        )
