"""A whole night: chosen on validation episodes, looked at once on test episodes, explained; built once, then read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from conf.paths import Lake
from conf.settings import Settings
from rl.data.dataset import Dataset
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.figures.effects import OneDecision
from rl.gate.alpha_spending import NightLevel
from rl.learning.device import resolve_device
from rl.learning.trained_candidates import LoadedCandidate
from rl.night.action_shares import ActionShares, action_shares
from rl.night.checkpoint_choice import ChosenCheckpoint, choose_checkpoints
from rl.night.evaluation import NightEvaluation, evaluate_night
from rl.night.explanation.night_explanation import NightExplanation, explain_night
from rl.night.exploration import ExploredNight, exploration_of
from rl.night.gate_ahead import GateAhead
from rl.night.losses import BeforeTest
from rl.night.over_control import IsOurs
from rl.night.pricing import is_of_logits, shoppers_a_week, weekly_pricing
from rl.night.second_look.second_look import SecondLook, second_look
from rl.night.selection import Selection, select_candidate
from rl.night.single_decisions import SingleDecisions
from rl.night.spend.equal_spend import rules_at_equal_spend
from rl.night.spend.gain_at_spend import GainAtSpend, gain_at_spend
from rl.night.spend.one_decision import one_decision
from rl.night.truth import TrueValues, true_values
from rl.ope.propensities.known import know_propensities
from rl.ope.ranking import PolicyRanker, Ranker, RankingReport, evaluate_ranking, fit_item_knn, fit_popularity
from rl.ope.report import BEHAVIOR, EvaluationSettings
from rl.policy import StochasticPolicy
from rl.registry.champion import Champion
from rl.registry.entry import NightKey

RANKING_CUTOFF = 10
ITEM_KNN, POPULARITY = "item-kNN", "popularity"


@dataclass(frozen=True)
class RegistryBefore:
    """What the registry says before the night: the champion in force, tonight's level, changes made by hand.

    Attributes:
        key: what makes the night the same as another.
        champion: None where there is none.
        level: that earlier nights' looks leave for this one.
        changes: what was changed in MLflow by hand, in sentences.
        is_ours: whether decisions under a policy version were a service's; none are where nothing was ever approved.
    """

    key: NightKey
    champion: Champion | None
    level: NightLevel
    changes: tuple[str, ...] = ()
    is_ours: IsOurs = field(default=lambda _: False)


@dataclass(frozen=True)
class Night:
    """What a night found.

    Attributes:
        dataset: prepared for this night's date, scenario and source.
        registered: what the registry said before it.
        left_out: candidates whose training failed, with the reason, by name.
        checkpoints: the network chosen for each candidate.
        selection: temperature and candidate, chosen on validation episodes.
        evaluation: the one report on test episodes, and the verdict.
        second_look: other estimators, and how returns are spread.
        truth: true values, where the shop is simulated.
        ranking: of the next action; empty where decisions were logged.
        shares: of actions, under the log and the selected candidate.
        explained: why the selected candidate decides as it does.
        spend: its gain at each weekly spend, or why that can't be told; None where the scenario has no budget.
        one_decision: what the first test week's money brings; None where the scenario has no budget.
        exploration: what to explore next, or why nothing is; None after a promotion, or where requests aren't served.
    """

    dataset: Dataset
    registered: RegistryBefore
    left_out: Mapping[str, str]
    checkpoints: Mapping[str, ChosenCheckpoint]
    selection: Selection
    evaluation: NightEvaluation
    second_look: SecondLook
    truth: TrueValues
    ranking: tuple[RankingReport, ...]
    shares: ActionShares
    explained: NightExplanation
    spend: GainAtSpend | str | None = None
    one_decision: OneDecision | None = None
    exploration: ExploredNight | str | None = None

    @property
    def champion_in_force(self) -> str:
        """Version of the champion, or `behavior` where there is none."""
        champion = self.registered.champion
        return BEHAVIOR if champion is None else str(champion.version.version)

    @property
    def compared_with(self) -> str:
        """What the gain is over: the champion, or `behavior` where the one in force can't be compared."""
        champion = self.registered.champion
        return BEHAVIOR if champion is None or champion.policy is None else str(champion.version.version)


def whole_night(
    dataset: Dataset,
    candidates: Mapping[str, LoadedCandidate],
    registered: RegistryBefore,
    *,
    settings: Settings,
    left_out: Mapping[str, str],
) -> Night:
    """Do the night's evaluation and return what it found; each split is read once, each policy weighted once.

    Args:
        dataset: prepared for this night's date, scenario and source.
        candidates: trained on it, by name.
        registered: what the registry says.
        settings: what the environment says: home, lake, registry.
        left_out: candidates whose training failed, with the reason, by name.
    """
    pipeline = dataset.pipeline
    lake = Lake(settings.lake, pipeline.source.name)
    how = EvaluationSettings.from_scenario(
        pipeline.scenario,
        device=resolve_device(settings.device),
        action_attributes=dataset.encoder.action_attributes(dataset.vocabulary),
    )
    train = dataset.to_logged_episodes("train")
    validation = know_propensities(dataset.to_logged_episodes("validation"), is_logged=pipeline.is_logged).episodes
    chosen, selection = _select(dataset, candidates, lake, registered, train=train, validation=validation, settings=how)
    selected = selection.best.policy
    evaluation = evaluate_night(
        dataset,
        selection,
        champion=registered.champion,
        level=registered.level,
        before=BeforeTest.of(train, validation, is_logged=pipeline.is_logged),
        settings=how,
        is_ours=registered.is_ours,
    )
    shares = action_shares(selected, evaluation.propensities.episodes)
    return Night(
        dataset=dataset,
        registered=registered,
        left_out=left_out,
        checkpoints=chosen,
        selection=selection,
        evaluation=evaluation,
        second_look=second_look(dataset, lake, selected, night=evaluation),
        truth=_truth(dataset, selection, registered, settings),
        ranking=() if pipeline.is_logged else _ranking(selection, evaluation, train, how),
        shares=shares,
        explained=explain_night(dataset, lake, selected, night=evaluation, train=train, shares=shares),
        spend=_gain_at_spend(dataset, selected, evaluation, train=train, settings=how),
        one_decision=None
        if pipeline.scenario.budget is None
        else one_decision(
            selected,
            evaluation.propensities.episodes,
            has_values=not is_of_logits(candidates[selected.name]),
            settings=how,
        ),
        exploration=exploration_of(dataset, evaluation),
    )


def _gain_at_spend(
    dataset: Dataset,
    policy: StochasticPolicy,
    evaluation: NightEvaluation,
    *,
    train: LoggedEpisodes,
    settings: EvaluationSettings,
) -> GainAtSpend | str | None:
    """Return the curve of gain against spend; None where the scenario has no budget."""
    scenario, test = dataset.pipeline.scenario, evaluation.propensities.episodes
    if scenario.budget is None:
        return None
    structlog.get_logger().info("valuing budgets", policy=policy.name)
    validation = dataset.to_logged_episodes("validation")
    return gain_at_spend(
        policy,
        rules_at_equal_spend(policy, scenario, train, validation),
        train=train,
        validation=validation,
        test=test,
        n_shoppers=shoppers_a_week(dataset, "test", test),
        settings=settings,
        estimator=scenario.evaluation.estimator,
    )


def _select(
    dataset: Dataset,
    candidates: Mapping[str, LoadedCandidate],
    lake: Lake,
    registered: RegistryBefore,
    *,
    train: LoggedEpisodes,
    validation: LoggedEpisodes,
    settings: EvaluationSettings,
) -> tuple[Mapping[str, ChosenCheckpoint], Selection]:
    """Return each candidate's network, and the selected candidate at its temperature, by validation episodes alone."""
    pipeline = dataset.pipeline
    estimator = pipeline.scenario.evaluation.estimator if pipeline.is_logged else "dm"
    pricing = weekly_pricing(dataset, lake, candidates, validation, last_delivery=registered.key.date)

    def at_temperature(policy: StochasticPolicy, temperature: float) -> StochasticPolicy:
        warmed = policy.with_temperature(temperature)
        return warmed if pricing is None else pricing.priced(warmed)

    temperatures = pipeline.scenario.policy.temperatures
    ahead = GateAhead.from_scenario(pipeline.scenario, alpha=registered.level.level)
    chosen = choose_checkpoints(
        {name: candidate.checkpoints for name, candidate in candidates.items()},
        train=train,
        validation=validation,
        settings=settings,
        estimator=estimator,
        temperature=temperatures[len(temperatures) // 2],
        ahead=ahead,
        at_temperature=at_temperature,
    )
    selection = select_candidate(
        {name: checkpoint.policy for name, checkpoint in chosen.items()},
        train=train,
        validation=validation,
        settings=settings,
        estimator=estimator,
        temperatures=temperatures,
        ahead=ahead,
        is_logged=pipeline.is_logged,
        at_temperature=at_temperature,
        single_decisions=SingleDecisions.of(pipeline.scenario, validation) if pipeline.is_logged else None,
        # A price says what money has to bring, and an imitator doesn't know what anything brings.
        imitators=() if pricing is None else [name for name, one in candidates.items() if is_of_logits(one)],
    )
    return chosen, selection


def _truth(dataset: Dataset, selection: Selection, registered: RegistryBefore, settings: Settings) -> TrueValues:
    """Return the true values of candidate and champion, where the shop can be played."""
    structlog.get_logger().info("playing the shop for true values", is_simulated=dataset.pipeline.source.is_simulated)
    selected, champion = selection.best.policy, registered.champion
    played = {selected.name: selected}
    if champion is not None and champion.policy is not None:
        played[champion.name] = champion.policy
    return true_values(settings.home, dataset, played)


def _ranking(
    selection: Selection, evaluation: NightEvaluation, train: LoggedEpisodes, settings: EvaluationSettings
) -> tuple[RankingReport, ...]:
    """Return how well the policy and simple baselines guess the next action; empty where one shopper can't tell."""
    policy = selection.best.policy
    rankers: dict[str, Ranker] = {
        policy.name: PolicyRanker(policy),
        ITEM_KNN: fit_item_knn(train),
        POPULARITY: fit_popularity(train),
    }
    test = evaluation.propensities.episodes
    try:
        return evaluate_ranking(
            rankers, test, cutoffs=(RANKING_CUTOFF,), level=settings.confidence, resampling=settings.resampling
        )
    except UnsupportedEstimator as error:
        structlog.get_logger().info("no ranking", reason=str(error))
        return ()
