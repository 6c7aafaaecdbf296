"""Runs of consecutive nights on a one-step shop, with a second look at candidates that were just short and without.

Every night judges a candidate on a window that slides by a day. A promotion moves nothing here: the log goes on under
the same policy, so that every promotion of a run is one over the same baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise

import numpy as np

from conf.specs.judging import Gate
from rl.data.episode_selection import join_episodes
from rl.data.logged_episodes import LoggedEpisodes
from rl.gate.alpha_spending import Look, night_level
from rl.gate.rules import Decision
from rl.gate.second_look import is_just_short, is_short_of_sessions, split_level
from tests.bench.gate.fast_nights import judged_splits, learned_policy
from tests.bench.gate.one_step_nights import Kind
from tests.rl.ope.tabular_mdp import TablePolicy

FIRST_NIGHT = date(2026, 1, 1)
TEST_DAYS, VALIDATION_DAYS, TRAIN_DAYS = 7, 4, 17
WINDOW = TRAIN_DAYS + VALIDATION_DAYS + TEST_DAYS


@dataclass(frozen=True)
class SecondLookPlan:
    """When the second look comes, and what the first one may spend.

    Attributes:
        after_days: from the first look to the second.
        first_share: of a night's level, for the first look; None declares second looks only where the first one spent
            nothing, at the whole level.
    """

    after_days: int
    first_share: float | None = 0.5


@dataclass(frozen=True)
class Promoted:
    """A candidate that a night promoted.

    Attributes:
        night: from 0.
        true_gain: as a share of the log's value.
        is_second: by a second look.
    """

    night: int
    true_gain: float
    is_second: bool


@dataclass(frozen=True)
class NightsRun:
    """What a run of nights promoted and spent.

    Attributes:
        n_nights: that it has.
        promoted: every promotion.
        spent: sum of all levels: the wrong promotions to be expected at most.
        n_declared: second looks that were declared.
    """

    n_nights: int
    promoted: tuple[Promoted, ...]
    spent: float
    n_declared: int

    @property
    def n_wrong(self) -> int:
        """Promotions of candidates that are no better."""
        return sum(one.true_gain <= 1e-9 for one in self.promoted)

    @property
    def shipped(self) -> float:
        """Mean gain over the run's nights if the first promotion is served from the next night on, as a share."""
        first = next(iter(self.promoted), None)
        return 0.0 if first is None else first.true_gain * (self.n_nights - 1 - first.night) / self.n_nights


@dataclass(frozen=True)
class _Trial:
    policy: TablePolicy
    night: int
    level: float


@dataclass(frozen=True)
class ShopRun:
    """The days of one shop, and the nights that look at them.

    Attributes:
        kind: of the candidates; its shop's `n` is the number of visits of a test split.
        seed: of the days.
        gate: floors and allowance.
        n_nights: of the run.
    """

    kind: Kind
    seed: int
    gate: Gate
    n_nights: int

    @cached_property
    def days(self) -> Sequence[LoggedEpisodes]:
        """Visits by day, each of a shopper of its own."""
        n = self.kind.shop.n // TEST_DAYS
        found = []
        for day in range(WINDOW + self.n_nights - 1):
            log = self.kind.shop.log(n, 100_000 * self.seed + day, is_test=True)
            place = day * n + np.arange(n)
            found.append(replace(log, unit=place, start_time=place))
        return found

    def splits(self, night: int) -> tuple[LoggedEpisodes, LoggedEpisodes, LoggedEpisodes]:
        """Training, validation and test visits of a night."""
        ends = np.cumsum([night, TRAIN_DAYS, VALIDATION_DAYS, TEST_DAYS])
        train, validation, test = (join_episodes(self.days[first:last]) for first, last in pairwise(ends.tolist()))
        return train, validation, test

    def candidate(self, night: int) -> TablePolicy:
        """The fixed candidate, or the one learned and selected on the night's own splits."""
        if self.kind.gain is not None:
            return self.kind.shop.candidate(self.kind.gain)
        level = night_level(self.gate.wrong_promotions_per_year, FIRST_NIGHT).level
        train, validation, _ = self.splits(night)
        return learned_policy(self.kind, train, validation, gate=self.gate, alpha=level, seed=self._seed(night))

    def run(self, plan: SecondLookPlan | None) -> NightsRun:
        """The nights one after the other, each at the level that those before it left."""
        looks: list[Look] = []
        promoted: list[Promoted] = []
        trial: _Trial | None = None
        n_declared = 0
        for night in range(self.n_nights):
            if plan is not None and trial is not None and night == trial.night + plan.after_days:
                promoted += self._looked_again(trial, night)
                trial, is_due = None, True
            else:
                is_due = False
            level = night_level(self.gate.wrong_promotions_per_year, _day(night), looks)
            may_declare = plan is not None and trial is None and not is_due
            share = plan.first_share if plan is not None and may_declare else None
            split = None if share is None else split_level(level, share)
            own = level if split is None else split.first
            policy = self.candidate(night)
            train, validation, test = self.splits(night)
            found, verdict = judged_splits(
                policy, (train, validation), test, gate=self.gate, alpha=own.level, seed=self._seed(night)
            )
            if verdict.decision is Decision.PROMOTE:
                promoted.append(Promoted(night, self.kind.shop.gain(policy), is_second=False))
            spent = own.level if verdict.spends_level else 0.0
            second = level.level if split is None else split.second
            is_short = is_short_of_sessions if split is None else is_just_short
            if may_declare and is_short(verdict, found):
                trial, n_declared, spent = _Trial(policy, night, second), n_declared + 1, spent + second
            looks.append(Look(_day(night), spent, night + 1))
        return NightsRun(self.n_nights, tuple(promoted), sum(look.level for look in looks), n_declared)

    def _looked_again(self, trial: _Trial, night: int) -> list[Promoted]:
        """Return the promotion of the frozen candidate by the days since its first look; none where it is refused."""
        train, validation, seen = self.splits(trial.night)
        unseen = join_episodes(self.days[trial.night + WINDOW : night + WINDOW])
        seed = self._seed(night) + 500
        before = (train, validation, seen)
        _, verdict = judged_splits(trial.policy, before, unseen, gate=self.gate, alpha=trial.level, seed=seed)
        is_promoted = verdict.decision is Decision.PROMOTE
        return [Promoted(night, self.kind.shop.gain(trial.policy), is_second=True)] if is_promoted else []

    def _seed(self, night: int) -> int:
        return 1000 * self.seed + night


def _day(night: int) -> date:
    return FIRST_NIGHT + timedelta(days=night)
