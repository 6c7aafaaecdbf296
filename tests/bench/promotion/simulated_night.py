"""A night of the shop of weekly offers without Spark and Airflow: log, episodes, candidates, selection."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from conf.kernel.calendar import calendar_of, day_number
from conf.kernel.clocks.shopper_week import ShopperWeek
from conf.kernel_rules import clock_of
from conf.observation_features import id_hash
from conf.specs.reward import millionths
from conf.specs.scenario import Pipeline, Scenario, load_pipeline
from conf.specs.strict_yaml import merge, parse_model
from rl.data.discount_function import DiscountFunction
from rl.data.encoder_fitting import fit_encoder
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray, LoggedEpisodes
from rl.data.splits import SplitName, TimeSpan, split_intervals
from rl.errors import EvaluationError
from rl.gate.alpha_spending import night_level
from rl.learning.algorithms import ALGORITHMS
from rl.learning.candidates import SeededCandidate, seeded_candidates
from rl.learning.replay.replay_columns import columns_of
from rl.learning.training import TrainingSettings, train_candidate
from rl.learning.training_run import KeptNetwork
from rl.night.checkpoint_choice import choose_checkpoints
from rl.night.gate_ahead import GateAhead
from rl.night.pricing import PricingTerms, WeeklyPricing
from rl.night.selection import Selection, select_candidate
from rl.night.validation_gain import gain_in_standard_errors
from rl.ope.report import EvaluationSettings
from rl.policy import StochasticPolicy
from rl.policy.observation_encoder import ObservationEncoder
from rl.policy.offer_prices import Cap
from rl.policy.vocabulary import Vocabulary
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shop import build_shop
from rl.shops.promotion.simulate import LOG_STREAM
from rl.shops.promotion.visible_history import Columns
from rl.shops.promotion.watched_weeks import WatchedWeeks
from rl.shops.promotion.week_calendar import DAYS_A_WEEK

MILLIONTHS = 1e6
LAST_DATE = date(2026, 1, 4)


def promotion_pipeline(**scenario: object) -> Pipeline:
    """The shipped scenario on the simulated source, parts of it replaced: `week={"weeks": 8}`."""
    loaded = load_pipeline("promotion", "simulated_promotion")
    content = merge(loaded.scenario.model_dump(), dict(scenario))
    return Pipeline(source=loaded.source, scenario=parse_model(Scenario, content, "bench"))


def shop_of_a_year(seed: int, n_shoppers: int, *, n_weeks: int = 52, last_date: date = LAST_DATE) -> PromotionSettings:
    """The shop that `make nightly SCENARIO=promotion` writes, with another log."""
    first = last_date - timedelta(days=n_weeks * DAYS_A_WEEK - 1)
    return PromotionSettings(first_monday=first, n_weeks=n_weeks, n_shoppers=n_shoppers, seed=seed)


@dataclass(frozen=True)
class SeenLog:
    """Every shopper-week of a log in the order of weeks, then shoppers, `(n,)` each.

    Attributes:
        seen, next_seen: the features of the scenario at the decision, and a week later.
        week, shopper, action, is_reachable: of the decision.
        is_reachable_next: a week later.
        reward: profit in currency.
        propensity: of the action.
        metrics: side metrics.
    """

    seen: Columns
    next_seen: Columns
    week: IntArray
    shopper: IntArray
    action: IntArray
    is_reachable: IntArray
    is_reachable_next: IntArray
    reward: FloatArray
    propensity: FloatArray
    metrics: dict[str, FloatArray]


def seen_log(settings: PromotionSettings, pipeline: Pipeline) -> SeenLog:
    """What a pipeline makes of the shop's log, as tests of each feature and of the money say."""
    chance = Chance((settings.seed, settings.catalogue_seed, LOG_STREAM))
    running = WatchedWeeks.begin(build_shop(settings), chance, 0, settings.n_shoppers, pipeline)
    behavior, seen, there, reachable, played = logging_policy(settings), [], [], [], []
    for week in range(settings.n_weeks + 1):
        there.append(running.weeks.present())
        seen.append(running.observe())
        reachable.append(running.weeks.mask(there[-1])[:, -1].astype(np.int64))
        if week < settings.n_weeks:
            played.append(running.play_on_columns(behavior))
    follow = [np.searchsorted(there[week + 1], there[week]) for week in range(settings.n_weeks)]
    names = list(seen[0])
    return SeenLog(
        seen={name: np.concatenate([one[name] for one in seen[:-1]]) for name in names},
        next_seen={
            name: np.concatenate([after[name][rows] for after, rows in zip(seen[1:], follow, strict=True)])
            for name in names
        },
        week=np.concatenate([np.full(len(one.row), one.week) for one in played]),
        shopper=np.concatenate([one.row for one in played]),
        action=np.concatenate([one.action for one in played]),
        is_reachable=np.concatenate(reachable[:-1]),
        is_reachable_next=np.concatenate([after[rows] for after, rows in zip(reachable[1:], follow, strict=True)]),
        reward=np.concatenate([one.profit for one in played]) / MILLIONTHS,
        propensity=np.concatenate([one.propensity for one in played]),
        metrics={
            "purchases": np.concatenate(
                [sum((basket.quantity > 0).sum(axis=1) for basket in one.orders) for one in played]
            ).astype(np.float64),
        },
    )


@dataclass(frozen=True)
class TrainedPolicies:
    """Candidates as they were trained.

    Attributes:
        kept: the policies of the networks kept on the way, by candidate and update; none has a price yet.
        outputs_per_money: how much of a candidate's outputs a unit of money is.
        imitators: candidates whose outputs are logits, which a budget never selects.
    """

    kept: dict[str, dict[int, StochasticPolicy]]
    outputs_per_money: dict[str, float]
    imitators: tuple[str, ...]


@dataclass
class SimulatedNight:
    """The shop's log as a night reads it.

    Attributes:
        settings: the shop and its log.
        pipeline: scenario and source.
        log: of the shop.
    """

    settings: PromotionSettings
    pipeline: Pipeline
    log: SeenLog = field(repr=False)

    @cached_property
    def intervals(self) -> dict[SplitName, TimeSpan]:
        """When the episodes of each split start."""
        last = self.settings.first_monday + timedelta(days=self.settings.n_weeks * DAYS_A_WEEK - 1)
        return split_intervals(self.pipeline, first=int(self._times[0]), horizon=last)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The shop's actions in their own order."""
        keys = tuple(self.settings.action_keys)
        return Vocabulary(keys, tuple(id_hash(key) for key in keys), has_other=False)

    @cached_property
    def encoder(self) -> ObservationEncoder:
        """Fitted on the training rows."""
        rows = self._rows("train")[0]
        return fit_encoder({name: values[rows] for name, values in self.log.seen.items()}, action_space="item")

    def episodes(self, split: SplitName) -> LoggedEpisodes:
        """The split's episodes: a shopper's weeks of a block."""
        rows, offsets = self._rows(split)
        log, first = self.log, rows[offsets[:-1]]
        is_last = np.zeros(len(rows), dtype=np.bool_)
        is_last[offsets[1:] - 1] = True
        return LoggedEpisodes(
            features=self.encoder.encode({name: values[rows] for name, values in log.seen.items()}),
            next_features=self.encoder.encode({name: values[rows] for name, values in log.next_seen.items()}),
            action=log.action[rows],
            reward=log.reward[rows],
            terminal=np.zeros_like(is_last),
            timeout=is_last,
            propensity=log.propensity[rows],
            availability=self.action_sets,
            mask_index=1 - log.is_reachable[rows],
            next_mask_index=1 - log.is_reachable_next[rows],
            offsets=offsets,
            unit=log.shopper[first],
            start_time=self._times[log.week[first]],
            elapsed_microseconds=np.diff(self._times)[log.week[rows]],
            policy_version=np.zeros(len(rows), dtype=np.int64),
            metrics={name: values[rows] for name, values in log.metrics.items()},
        )

    def candidates(self) -> TrainedPolicies:
        """Every candidate of the scenario trained."""
        scenario = self.pipeline.scenario
        train, validation = self.episodes("train"), self.episodes("validation")
        settings = EvaluationSettings.from_scenario(scenario)
        middle = scenario.policy.temperatures[len(scenario.policy.temperatures) // 2]
        found: dict[str, dict[int, StochasticPolicy]] = {}
        per_money: dict[str, float] = {}
        imitators: list[str] = []
        for name, seeded in seeded_candidates(scenario).items():

            def criterion(kept: KeptNetwork, seeded: SeededCandidate = seeded) -> float:
                return gain_in_standard_errors(
                    self._policy(seeded, kept).with_temperature(middle), validation, settings
                )

            training = TrainingSettings(
                discount=DiscountFunction.of(scenario.discount),
                criterion=criterion if seeded.candidate.n_checkpoints > 1 else None,
            )
            trained = train_candidate(seeded, columns_of(train), columns_of(validation), training)
            found[name] = {kept.update: self._policy(seeded, kept) for kept in trained.kept}
            if ALGORITHMS[seeded.candidate.algorithm].outputs == "logits":
                imitators.append(name)
            per_money[name] = 1.0 if name in imitators else 1 / trained.reward_scale
        return TrainedPolicies(found, per_money, tuple(imitators))

    @property
    def action_sets(self) -> BoolArray:
        """All that may be sent, and what may be sent to those who opted out, `(2, n_actions)`."""
        sets = np.ones((2, len(self.vocabulary.keys)), dtype=np.bool_)
        sets[1, 1:] = False
        return sets

    @property
    def decision_times(self) -> IntArray:
        """When each week is decided, and the one behind the last, `(n_weeks + 1,)`."""
        return self._times

    @property
    def committed(self) -> tuple[int, ...]:
        """What sending each action commits, in millionths."""
        return (0, *(offer.committed_millionths for offer in self.settings.offers))

    def n_shoppers(self, split: SplitName) -> float:
        """On how many shoppers a week of the split decides, by the blocks that it holds from their first week on."""
        week = self.log.week[self._rows(split)[0]]
        firsts = np.flatnonzero(np.diff(self._blocks, prepend=self._blocks[0] - 1))
        counted = week[np.isin(self._blocks[week], self._blocks[np.intersect1d(firsts, week)])]
        return len(counted) / len(np.unique(counted))

    def pricing(self, trained: TrainedPolicies, *, weekly_budget: int | None = None) -> WeeklyPricing | None:
        """What prices the night's policies on its validation weeks; None where the scenario has no budget.

        Args:
            trained: the candidates.
            weekly_budget: another one than the scenario's, in millionths.
        """
        budget = self.pipeline.scenario.budget
        if budget is None:
            return None
        terms = PricingTerms(
            committed=self.committed,
            weekly_budget=millionths(budget.weekly) if weekly_budget is None else weekly_budget,
            outputs_per_money=trained.outputs_per_money,
            caps=tuple(Cap(cap.feature, cap.offers) for cap in budget.caps),
            nothing=0,
        )
        return WeeklyPricing(terms, self.episodes("validation"), self.n_shoppers("validation"))

    def priced_at(self, policy: StochasticPolicy, trained: TrainedPolicies, spend: float) -> StochasticPolicy:
        """Return a trained policy at the price at which a shopper's week commits so much, in currency.

        Raises:
            EvaluationError: a scenario without a budget.
        """
        budget = round(spend * self.n_shoppers("validation") * MILLIONTHS) + max(self.committed)
        pricing = self.pricing(trained, weekly_budget=budget)
        if pricing is None:
            raise EvaluationError(f"{self.pipeline.scenario.name} has no budget, so that nothing has a price")
        return pricing.priced(policy)

    def select(
        self,
        trained: TrainedPolicies,
        train: LoggedEpisodes,
        validation: LoggedEpisodes,
        settings: EvaluationSettings,
    ) -> Selection:
        """The candidate and temperature that validation episodes choose, at the budget's price, as a night does."""
        scenario, pricing = self.pipeline.scenario, self.pricing(trained)

        def at_temperature(policy: StochasticPolicy, temperature: float) -> StochasticPolicy:
            warmed = policy.with_temperature(temperature)
            return warmed if pricing is None else pricing.priced(warmed)

        level = night_level(scenario.gate.wrong_promotions_per_year, LAST_DATE).level
        temperatures, ahead = scenario.policy.temperatures, GateAhead.from_scenario(scenario, alpha=level)
        chosen = choose_checkpoints(
            trained.kept,
            train=train,
            validation=validation,
            settings=settings,
            estimator=scenario.evaluation.estimator,
            temperature=temperatures[len(temperatures) // 2],
            ahead=ahead,
            at_temperature=at_temperature,
        )
        return select_candidate(
            {name: one.policy for name, one in chosen.items()},
            train=train,
            validation=validation,
            settings=settings,
            estimator=scenario.evaluation.estimator,
            temperatures=temperatures,
            ahead=ahead,
            is_logged=True,
            at_temperature=at_temperature,
            imitators=() if pricing is None else trained.imitators,
        )

    def _policy(self, seeded: SeededCandidate, kept: KeptNetwork) -> StochasticPolicy:
        spec = self.pipeline.scenario.policy
        return StochasticPolicy(
            name=seeded.name,
            network=kept.network,
            encoder=self.encoder,
            vocabulary=self.vocabulary,
            output_scale=kept.output_scale,
            temperature=max(spec.temperatures),
            exploration_floor=spec.exploration_floor,
            is_other_chosen=False,
            dataset_digest="simulated",
        )

    @cached_property
    def _times(self) -> IntArray:
        calendar = build_shop(self.settings).calendar
        return np.array([calendar.decision_time(week) for week in range(self.settings.n_weeks + 1)], dtype=np.int64)

    @cached_property
    def _blocks(self) -> IntArray:
        """The block of each week, `(n_weeks,)`."""
        clock, first = clock_of(self.pipeline), day_number(self.settings.first_monday)
        assert isinstance(clock, ShopperWeek)
        weeks = np.arange(self.settings.n_weeks)
        calendar = calendar_of(self.pipeline.source.zone, first, first + DAYS_A_WEEK * len(weeks))
        return clock.block(self._times[:-1], first + DAYS_A_WEEK * weeks, calendar)

    def _rows(self, split: SplitName) -> tuple[IntArray, IntArray]:
        """Rows of the split's episodes, episodes by start and shopper; and where each episode starts."""
        block = self._blocks[self.log.week]
        order = np.lexsort((self.log.week, self.log.shopper, block))
        is_first = np.append(True, (np.diff(block[order]) != 0) | (np.diff(self.log.shopper[order]) != 0))
        starts = np.append(np.flatnonzero(is_first), len(order))
        span, began = self.intervals[split], self._times[self.log.week[order[starts[:-1]]]]
        kept = np.flatnonzero((began >= span.start) & (began < span.end))
        lengths = np.diff(starts)[kept]
        rows = np.concatenate([order[starts[one] : starts[one + 1]] for one in kept.tolist()])
        return rows, np.append(0, np.cumsum(lengths)).astype(np.int64)
