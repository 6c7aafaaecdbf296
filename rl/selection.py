"""The choice of temperature and candidate, on validation episodes alone.

Test episodes are never looked at here: choosing and reporting on the same episodes would credit luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from rl.errors import EvaluationError
from rl.logged_episodes import LoggedEpisodes
from rl.ope.fqe import FqeSettings
from rl.ope.report import EvaluationSettings, PolicyValueReport, evaluate_policies
from rl.policy import StochasticPolicy

# The direct method needs no propensity: what is left where the spec's estimator refuses.
FALLBACK_ESTIMATOR = "dm"


# A doubly robust estimate is only steadied by its Q-function, not biased: where many policies are compared, or rare
# events counted, a rougher one does at a fraction of the time.
_ROUGH_SHARE, _ROUGH_ROUNDS = 0.2, 15


@dataclass(frozen=True)
class Choice:
    """A candidate at one temperature, as seen on the validation episodes."""

    policy: StochasticPolicy
    report: PolicyValueReport

    @property
    def score(self) -> float:
        """The interval's lower bound: of two equal guesses, the one the log knows more about."""
        return float("-inf") if self.report.lower is None else self.report.lower


@dataclass(frozen=True)
class Selection:
    """What validation episodes decided.

    Attributes:
        best: the selected candidate at its temperature.
        by_candidate: each candidate at its best temperature, in the given order.
        reports: of every candidate at every temperature.
        estimator: that decided.
        note: why it isn't the spec's; empty where it is.
    """

    best: Choice
    by_candidate: tuple[Choice, ...]
    reports: tuple[PolicyValueReport, ...]
    estimator: str
    note: str = ""


def select_candidate(
    candidates: Mapping[str, StochasticPolicy],
    *,
    train: LoggedEpisodes,
    validation: LoggedEpisodes,
    settings: EvaluationSettings,
    estimator: str,
    temperatures: Sequence[float],
    is_logged: bool,
) -> Selection:
    """The candidate and temperature with the highest lower bound of value on the validation episodes.

    Args:
        candidates: by name, in the order of the spec; ties go to the first.
        train: Q-functions are fitted here.
        validation: values are estimated here.
        settings: how.
        estimator: the spec's; where it gives no value for anyone, the direct method decides.
        temperatures: of the spec.
        is_logged: False where decisions are implied.

    Raises:
        EvaluationError: no candidates, or no value for any of them.
    """
    if not candidates or not temperatures:
        raise EvaluationError("there is no candidate to choose from; train one first")
    warmed = {
        f"{name} at {temperature:g}": policy.with_temperature(temperature)
        for name, policy in candidates.items()
        for temperature in temperatures
    }
    # One Q-function a candidate: it steadies the doubly robust estimate at every temperature, and biases none. The
    # direct method alone would be biased by it, so implied decisions get one for each.
    middle = temperatures[len(temperatures) // 2]
    stand_ins = {
        f"{name} at {temperature:g}": warmed[f"{name} at {middle:g}"]
        for name in candidates
        for temperature in temperatures
    }
    estimators = tuple(dict.fromkeys((estimator, FALLBACK_ESTIMATOR)))
    evaluation = evaluate_policies(
        warmed,
        train=train,
        test=validation,
        settings=replace(settings, estimators=estimators, fqe=rough_fqe(settings.fqe)),
        is_logged=is_logged,
        stand_ins=stand_ins if is_logged else None,
    )
    used, note = _usable_estimator([evaluation.report(name, estimator) for name in warmed], estimator)
    choices = [Choice(policy, evaluation.report(name, used)) for name, policy in warmed.items()]
    by_candidate = tuple(
        max((choice for choice in choices if choice.policy.name == policy.name), key=lambda choice: choice.score)
        for policy in candidates.values()
    )
    best = max(by_candidate, key=lambda choice: choice.score)
    if best.report.value is None:
        raise EvaluationError(f"no candidate could be valued on validation episodes: {best.report.refusal}")
    structlog.get_logger().info(
        "selected", candidate=best.policy.name, temperature=best.policy.temperature, value=best.report.value
    )
    reports = tuple(report for report in evaluation.reports if report.policy in warmed)
    return Selection(best, by_candidate, reports, used, note)


def rough_fqe(fqe: FqeSettings) -> FqeSettings:
    """The settings with a fifth of the updates, in fewer rounds."""
    n_updates = max(1, round(_ROUGH_SHARE * fqe.n_updates))
    return replace(fqe, n_updates=n_updates, n_rounds=min(fqe.n_rounds, _ROUGH_ROUNDS))


def _usable_estimator(reports: Sequence[PolicyValueReport], estimator: str) -> tuple[str, str]:
    if any(report.value is not None for report in reports):
        return estimator, ""
    return FALLBACK_ESTIMATOR, f"chosen by {FALLBACK_ESTIMATOR} instead of {estimator}: {reports[0].refusal}"
