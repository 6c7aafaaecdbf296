"""The one report on test episodes, and the gate's verdict on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from rl.data.dataset import Dataset
from rl.data.logged_episodes import MICROSECONDS_PER_DAY, LoggedEpisodes
from rl.gate.alpha_spending import NightLevel
from rl.gate.close_call import Closeness, closeness
from rl.gate.evidence import gate_evidence, gate_rules, with_losses
from rl.gate.headlines import Headline, headlines, log_facts
from rl.gate.propensity_doubt import propensity_doubt
from rl.gate.rules import GateEvidence, Verdict, judge
from rl.gate.split_losses import SplitLosses
from rl.night.doubts.clipping import night_clip_sensitivity
from rl.night.doubts.confounding import ConfoundingSensitivity, confounding_sensitivity
from rl.night.doubts.loggers import LoggersReport, night_loggers
from rl.night.losses import BeforeTest, night_losses
from rl.night.over_control import GainOverControl, IsOurs, gain_over_control
from rl.night.samples import NightSamples, night_samples
from rl.night.selection import Selection
from rl.ope.contenders import Contender
from rl.ope.estimators.registry import with_one_step
from rl.ope.overlap.clip_sensitivity import ClippedEstimate
from rl.ope.propensities.known import KnownPropensities, know_propensities
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from rl.policy import StochasticPolicy
from rl.policy.aligned_policy import AlignedPolicy
from rl.registry.champion import Champion

_REPEATS = 3  # of a cross-fit: three deals of four folds leave nine degrees of freedom to see its scatter with


@dataclass(frozen=True)
class NightEvaluation:
    """What the test episodes say about behavior policy, selected candidate and champion.

    Attributes:
        evaluation: all policies' values of the reward (not of side metrics).
        metric_evaluations: of the guardrails' side metrics, by metric.
        evidence: that the gate read.
        verdict: its answer.
        level: that tonight's look might spend of the year's allowance.
        champion: compared with; None where there is none or it can't be compared.
        propensities: of the test episodes' logged actions, and how far they may be trusted.
        samples: of candidate and baseline, as the report read them.
        confounding: how strong a hidden reason would flip what the gate says of the gain; None where there is none.
        clipping: the gain with the candidate's weights limited; empty where there is none.
        loggers: the candidate's value by policy version; None where one made the log.
        unknown_actions: share of the test decisions by actions that the candidate doesn't know.
        headlines: what a reader must know before it.
        closeness: how near another verdict is; None where no training could turn it.
        over_control: the candidate's gain over the shop's own rule; None where it can't be told.
    """

    evaluation: PolicyEvaluation
    metric_evaluations: Mapping[str, PolicyEvaluation]
    evidence: GateEvidence
    verdict: Verdict
    level: NightLevel
    champion: Champion | None
    propensities: KnownPropensities
    samples: NightSamples
    confounding: ConfoundingSensitivity | None
    clipping: tuple[ClippedEstimate, ...]
    loggers: LoggersReport | None
    unknown_actions: float = 0.0
    headlines: tuple[Headline, ...] = ()
    closeness: Closeness | None = None
    over_control: GainOverControl | None = None


def evaluate_night(
    dataset: Dataset,
    selection: Selection,
    *,
    champion: Champion | None,
    level: NightLevel,
    before: BeforeTest,
    settings: EvaluationSettings,
    is_ours: IsOurs,
) -> NightEvaluation:
    """Return the report on the selected candidate, on test episodes that chose nothing, and the gate's verdict.

    Args:
        dataset: prepared for this night's date, scenario and source.
        selection: candidate and temperature, chosen on validation episodes.
        champion: of the registry, comparable or not.
        level: one-sided, that tonight's look may spend.
        before: training episodes, on which Q-functions are fitted, and validation episodes; losses count in both.
        settings: of the evaluation.
        is_ours: whose decisions are a service's.
    """
    pipeline, gate = dataset.pipeline, dataset.pipeline.scenario.gate
    estimator = pipeline.scenario.evaluation.estimator
    known = know_propensities(dataset.to_logged_episodes("test"), is_logged=pipeline.is_logged, n_repeats=_REPEATS)
    selected = selection.best.policy
    contenders = [Contender(selected.name, selected, before.train, known.episodes)]
    if champion is not None and champion.policy is not None:
        contenders.append(aligned_contender(dataset, champion.name, champion.policy, known.episodes))
    estimators = with_one_step(settings.estimators, known.episodes.lengths)
    whole = evaluate_contenders(contenders, replace(settings, estimators=estimators), is_logged=pipeline.is_logged)
    baseline = contenders[-1].name if len(contenders) > 1 else BEHAVIOR
    compared = contenders if baseline != BEHAVIOR else contenders[:1]
    metrics = _evaluate_guardrails(compared, settings, dataset)
    evidence = gate_evidence(
        whole,
        metrics,
        candidate=selected.name,
        baseline=baseline,
        estimator=estimator,
        gate=gate,
        alpha=level.level,
        unit_of_value=pipeline.scenario.reward.unit,
        propensities=known.trust,
        units=pipeline.scenario.units,
    )
    if known.repeats is not None:
        doubt = propensity_doubt([whole, *metrics.values()], contenders, known.repeats)
        evidence = doubt.widened_evidence(evidence, whole)
        whole, metrics = doubt.widened(whole), {name: doubt.widened(found) for name, found in metrics.items()}
    losses = _losses(dataset, compared, champion, before, evidence, settings)
    evidence = with_losses(evidence, losses, whole, alpha=level.level)
    confounding = confounding_sensitivity(evidence, whole, contenders)
    evidence = replace(evidence, survived=None if confounding is None else confounding.survived)
    found = headlines(log_facts(dataset, known))
    withheld = tuple(one.text for one in found if one.forbids_promotion)
    evidence = replace(evidence, withheld=withheld, n_days=_days(before.train, known.episodes))
    rules = gate_rules(gate, alpha=level.level)
    verdict = judge(evidence, rules)
    structlog.get_logger().info("judged", verdict=verdict.decision.value, candidate=selected.name, baseline=baseline)
    return NightEvaluation(
        evaluation=whole,
        metric_evaluations=metrics,
        evidence=evidence,
        verdict=verdict,
        level=level,
        champion=champion,
        propensities=known,
        samples=night_samples(whole, contenders, known.repeats),
        confounding=confounding,
        clipping=night_clip_sensitivity(evidence, whole, level=settings.confidence),
        loggers=night_loggers(evidence, whole, contenders[0]),
        unknown_actions=unknown_actions(known.episodes),
        headlines=found,
        closeness=closeness(evidence, rules, verdict, seeds=selection.seeds),
        over_control=gain_over_control(evidence, whole, known.episodes, is_ours=is_ours, alpha=level.level),
    )


def _losses(
    dataset: Dataset,
    compared: list[Contender],
    champion: Champion | None,
    before: BeforeTest,
    evidence: GateEvidence,
    settings: EvaluationSettings,
) -> SplitLosses | str:
    """Return the losses of all splits under candidate and baseline, or why they are unknown."""
    if not evidence.is_logged or evidence.difference is None:
        return evidence.refusal or "the gain itself can't be told"
    splits = [(before.train, before.validation)]
    if len(compared) > 1 and champion is not None and champion.policy is not None:
        splits.append(before.seen_by(champion.policy.encoder, dataset))
    return night_losses(compared, splits, settings=settings, estimator=evidence.estimator)


def _days(train: LoggedEpisodes, test: LoggedEpisodes) -> float:
    """Return the days from the first training episode to the last test episode."""
    return float(test.start_time.max() - train.start_time.min()) / MICROSECONDS_PER_DAY


def _evaluate_guardrails(
    compared: list[Contender], settings: EvaluationSettings, dataset: Dataset
) -> dict[str, PolicyEvaluation]:
    """Return the evaluations of the guardrails' side metrics, by metric, by the estimator that the gate may use."""
    scenario = dataset.pipeline.scenario
    own = replace(settings, estimators=(scenario.evaluation.estimator,))
    return {
        metric: evaluate_contenders(compared, own, is_logged=dataset.pipeline.is_logged, outcome=metric)
        for metric in dict.fromkeys(rail.metric for rail in scenario.gate.guardrails)
    }


def evaluate_contenders(
    contenders: list[Contender],
    settings: EvaluationSettings,
    *,
    is_logged: bool,
    outcome: str = "reward",
) -> PolicyEvaluation:
    """Return one evaluation of all contenders, each on its own encoding of the same episodes, hence the same units.

    Args:
        contenders: with the episodes as their own encoders see them.
        settings: of the evaluation.
        is_logged: False where decisions are implied.
        outcome: `reward`, or a side metric.
    """
    parts: list[PolicyEvaluation] = []
    for contender in contenders:
        structlog.get_logger().info("evaluating", policy=contender.name, outcome=outcome)
        parts.append(
            evaluate_policies(
                {contender.name: contender.policy},
                train=contender.train,
                test=contender.test,
                settings=settings,
                is_logged=is_logged,
                outcome=outcome,
                has_behavior=not parts,
                keeps_samples=True,
            )
        )
    first, *others = parts
    reports, sums, fits = list(first.reports), dict(first.sums), dict(first.fits)
    weights, samples = dict(first.weights), dict(first.samples)
    for part in others:
        reports += part.reports
        sums |= part.sums
        fits |= part.fits
        weights |= part.weights
        samples |= part.samples
    return replace(first, reports=tuple(reports), sums=sums, fits=fits, weights=weights, samples=samples)


def aligned_contender(dataset: Dataset, name: str, policy: StochasticPolicy, test: LoggedEpisodes) -> Contender:
    """Return an older policy over the dataset's actions, on episodes in its own encoding with given propensities.

    Args:
        dataset: whose episodes it is asked about.
        name: that it is reported under.
        policy: the champion's, or any registered version's.
        test: the test episodes in the dataset's own encoding, with the propensities that hold.
    """
    train = dataset.to_logged_episodes("train", policy.encoder)
    own_test = replace(dataset.to_logged_episodes("test", policy.encoder), propensity=test.propensity)
    return Contender(name, AlignedPolicy(policy, dataset.vocabulary), train, own_test)


def unknown_actions(test: LoggedEpisodes) -> float:
    """Return the share of the test decisions whose action has no entry in the vocabulary."""
    return 0.0 if test.lumped is None else float((test.action == test.n_actions - 1).mean())
