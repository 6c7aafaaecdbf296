"""evaluation.json of a night of orders: the same form as any night's, with what was found of ways to order."""

from __future__ import annotations

from collections.abc import Mapping

from conf.paths import Run
from rl.data.description import DatasetDescription
from rl.errors import EvaluationError
from rl.figures.candidates import CandidateFigures, SelectedCandidate
from rl.figures.data import Propensities
from rl.figures.night import BEHAVIOR, NightFigures, Notes, UncomparedChampion
from rl.figures.values import Gain, GuardrailFigures, PlayedValue, Spread, ValueFigures
from rl.figures.verdict import VerdictFigures
from rl.gate.rules import GuardrailEvidence
from rl.night.figures.data_summary import summarize_data
from rl.night.figures.night_facts import lineage_of, night_facts
from rl.night.figures.values import allowance_of, finite, level_spread
from rl.ope.intervals.intervals import Interval
from rl.orders.order_figures import order_figures
from rl.orders.order_judging import TODAY, LedOrders, earned_interval
from rl.orders.order_night import OrderNight
from rl.orders.trained_orders import TrainedOrders

ESTIMATOR = "replay"


def order_night_figures(
    night: OrderNight,
    candidates: Mapping[str, TrainedOrders],
    *,
    run: Run,
    description: DatasetDescription,
    approval: str | None,
) -> NightFigures:
    """Return the figures of a night of orders.

    Args:
        night: what it found.
        candidates: that it chose from, by name.
        run: of the night; holds what ingest and build counted.
        description: what the night's dataset.json says.
        approval: of the deployment, `human` or `auto`; None: as the scenario says.
    """
    key, before, judged = night.before.key, night.before, night.judged
    champion = before.champion
    number = BEHAVIOR if champion is None else str(champion.version.version)
    gain = _gain(night)
    best, trained = night.best, candidates[night.selection.best].result
    return NightFigures(
        facts=night_facts(night.dataset.pipeline, run, approval),
        dataset_digest=key.dataset_digest,
        spec_hash=key.spec_hash,
        code_hash=key.code_hash,
        lineage=lineage_of(description),
        selected=SelectedCandidate(
            name=best.name, update=trained["n_updates"], temperature=0.0, policy_version=best.version
        ),
        verdict=VerdictFigures.model_validate(judged.verdict.to_json()),
        allowance=allowance_of(before.level),
        level=before.level.level,
        champion_in_force=number,
        compared_with=BEHAVIOR if before.compared is None else number,
        estimator=ESTIMATOR,
        gain=gain,
        # Once a list was followed, what the log did isn't the shop's own rule, and no group keeps that. A rule that is
        # declared isn't what the shop did either.
        over_control=gain if before.compared is None and night.dataset.history.declared is None else None,
        reports=tuple(_value(judged.led, name, night) for name in _reported(night)),
        metric_reports={},
        validation_reports=(),
        truth=_truth(night),
        guardrails=tuple(_guardrail(rail) for rail in judged.evidence.guardrails),
        propensities=Propensities(
            source="none",
            note="Orders are not drawn by chance, and none is weighted: demand is declared not to depend on them.",
        ),
        notes=_notes(night),
        data=summarize_data(run, description),
        orders=order_figures(night),
        curves=tuple(curve for candidate in candidates.values() for curve in candidate.curves),
        candidates=tuple(_candidate(night, name, one) for name, one in candidates.items()),
    )


def _reported(night: OrderNight) -> tuple[str, ...]:
    champion = night.before.compared
    return (TODAY, night.selection.best, *(() if champion is None else (champion.name,)))


def _gain(night: OrderNight) -> Gain | None:
    found, evidence, led = night.judged.evidence.difference, night.judged.evidence, night.judged.led
    if found is None:
        return None
    champion = night.before.compared
    reported = night.judged.reported_gain
    return Gain(
        baseline=evidence.baseline,
        estimator=ESTIMATOR,
        value=found.value,
        lower=finite(found.lower),
        upper=finite(found.upper),
        level=1 - night.before.level.level,
        baseline_value=led.a_week(TODAY if champion is None else champion.name),
        interval=None if reported is None else level_spread(reported),
    )


def _value(led: LedOrders, name: str, night: OrderNight) -> ValueFigures:
    level = night.dataset.pipeline.scenario.evaluation.confidence
    found, refusal = _interval(led, name, level)
    evidence = night.judged.evidence
    return ValueFigures(
        policy=name,
        estimator=ESTIMATOR,
        outcome="reward",
        value=led.a_week(name),
        lower=None if found is None else finite(found.lower),
        upper=None if found is None else finite(found.upper),
        standard_error=None if found is None else finite(found.standard_error),
        level=level,
        interval_method=None if found is None else found.method,
        n_episodes=int(led.span.is_known.any(axis=1).sum()),
        n_units=int(led.span.is_known.any(axis=1).sum()),
        effective_sample_size=evidence.effective_sample_size,
        n_effective_rewarded=evidence.effective_rewarded,
        mean_weight=None,
        max_weight=None,
        clip=None,
        share_clipped=None,
        share_outside_support=None,
        steps=None,
        share_cut=0.0,
        is_bootstrapped_at_cut=False,
        is_prediction=False,
        refusal=refusal,
    )


def _interval(led: LedOrders, name: str, level: float) -> tuple[Interval | None, str | None]:
    try:
        return earned_interval(led, name, level=level), None
    except EvaluationError as error:
        return None, str(error)


def _truth(night: OrderNight) -> dict[str, PlayedValue]:
    earned = night.truth.earned or {}
    n_products = int(night.judged.led.span.is_known.any(axis=1).sum())
    return {
        name: PlayedValue(value=earned[name].value, standard_error=earned[name].standard_error, n_episodes=n_products)
        for name in _reported(night)
        if name in earned
    }


def _guardrail(rail: GuardrailEvidence) -> GuardrailFigures:
    return GuardrailFigures(
        metric=rail.metric,
        max_relative_increase=rail.max_relative_increase,
        max_relative_decrease=rail.max_relative_decrease,
        relative_increase=finite(rail.relative_increase),
        lower=finite(rail.lower_bound),
        upper=finite(rail.upper_bound),
        is_kept=rail.is_kept,
        refusal=rail.refusal,
    )


def _notes(night: OrderNight) -> Notes:
    champion = night.before.champion
    is_played = night.dataset.pipeline.source.is_simulated
    return Notes(
        uncompared_champion=None
        if champion is None or champion.policy is not None
        else UncomparedChampion(name=champion.name, problem=champion.problem),
        no_truth=night.truth.note or None if is_played else None,
        left_out=tuple(night.left_out),
        registry_changes=night.before.changes,
    )


def _candidate(night: OrderNight, name: str, trained: TrainedOrders) -> CandidateFigures:
    led = night.selection.led
    found, _ = _interval(led, name, night.dataset.pipeline.scenario.evaluation.confidence)
    spread = None if found is None else Spread.of(found)
    return CandidateFigures(
        name=name,
        algorithm=trained.result["algorithm"],
        seed=trained.result["seed"],
        update=trained.result["n_updates"],
        n_updates=trained.result["n_updates"],
        temperature=0.0,
        estimator=ESTIMATOR,
        value=led.a_week(name),
        lower=None if spread is None else spread.lower,
        upper=None if spread is None else spread.upper,
        effective_sample_size=None,
        seconds=trained.result["seconds"]["all"],
        is_selected=name == night.selection.best,
    )
