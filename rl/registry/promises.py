"""What a version is promoted on: the gain that its evaluation predicts, over its baseline and over control."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from scipy.special import ndtri

from rl.errors import EvaluationError
from rl.figures.night import BEHAVIOR, NightFigures, read_figures
from rl.figures.values import ValueFigures
from rl.registry.launches import Promise, PromisedGain
from rl.registry.versions import RegisteredVersion

EVALUATION_FILE = "evaluation.json"
"""Artifact of a version's run: the evaluation that its verdict comes from."""


def promise_of_version(client: MlflowClient, version: RegisteredVersion, own: Path) -> Promise | None:
    """Return the promise that a version was registered with; None where its evaluation is gone, or told no gain.

    Args:
        client: MLflow's.
        version: registered, with its evaluation as an artifact of its run.
        own: the night's evaluation.json, which stands in where that artifact is gone, if it is of the same policy.
    """
    figures = evaluation_of_version(client, version, own)
    return None if figures is None else promise_of(figures)


def evaluation_of_version(client: MlflowClient, version: RegisteredVersion, own: Path) -> NightFigures | None:
    """Return the evaluation that a version was registered with; None where it is gone.

    A night that is evaluated again is compared with the champion of that moment, which may be its own version: its file
    then tells of another comparison than the one that the verdict comes from.

    Args:
        client: MLflow's.
        version: registered, with its evaluation as an artifact of its run.
        own: the night's evaluation.json, which stands in where that artifact is gone, if it is of the same policy.
    """
    try:
        with TemporaryDirectory(prefix="evaluation-") as folder:
            return read_figures(Path(client.download_artifacts(version.run_id, EVALUATION_FILE, folder)))
    except (MlflowException, OSError, EvaluationError):
        pass
    try:
        figures = read_figures(own)
    except (OSError, EvaluationError):
        return None
    is_of_version = figures.selected.policy_version == version.tags.get("policy_version")
    return figures if is_of_version else None


def promise_of(figures: NightFigures) -> Promise | None:
    """Return the gain that the evaluation predicts, and the one over the behavior policy; None where it told none.

    Where the gate compared with a champion, the gain over the behavior policy is the difference of two reports by the
    same estimator, the two taken for independent: on the same episodes they seldom are, so its bounds are wide. Luck is
    taken out of it as it is out of the gain that passed the gate.
    """
    gain = figures.gain
    if gain is None or gain.value is None or gain.lower is None or gain.upper is None:
        return None
    over_baseline = PromisedGain(
        baseline=gain.baseline,
        value=gain.value,
        corrected=gain.corrected,
        lower=gain.lower,
        upper=gain.upper,
        level=gain.level,
        baseline_value=gain.baseline_value,
    )
    against_control = over_baseline if gain.baseline == BEHAVIOR else _over_behavior(figures, over_baseline)
    return Promise(
        estimator=gain.estimator,
        reward_unit=figures.facts.reward_unit,
        steps=figures.facts.steps,
        gain=over_baseline,
        against_control=against_control,
    )


def _over_behavior(figures: NightFigures, gain: PromisedGain) -> PromisedGain | None:
    candidate = _report(figures, figures.selected.name)
    behavior = _report(figures, BEHAVIOR)
    if candidate is None or behavior is None or candidate.value is None or behavior.value is None:
        return None
    if candidate.standard_error is None or behavior.standard_error is None or not 0 < gain.level < 1:
        return None
    value = candidate.value - behavior.value
    reach = float(ndtri(gain.level)) * math.hypot(candidate.standard_error, behavior.standard_error)
    return PromisedGain(
        baseline=BEHAVIOR,
        value=value,
        corrected=None if gain.corrected is None else value - (gain.value - gain.corrected),
        lower=value - reach,
        upper=value + reach,
        level=gain.level,
        baseline_value=behavior.value,
        is_paired=False,
    )


def _report(figures: NightFigures, policy: str) -> ValueFigures | None:
    """Return the report on a policy by the gate's estimator; the behavior policy's may be its logged mean alone."""
    own = [one for one in figures.reports if one.policy == policy]
    by_estimator = [one for one in own if one.estimator == figures.estimator and one.value is not None]
    logged = [one for one in own if policy == BEHAVIOR and one.estimator == "on_policy"]
    return next(iter(by_estimator or logged), None)
