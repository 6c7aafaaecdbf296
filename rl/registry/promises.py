"""What a version is promoted on: the gain that its evaluation predicts, over its baseline and over control."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rl.errors import EvaluationError
from rl.figures.night import BEHAVIOR, NightFigures, read_figures
from rl.figures.values import Gain
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
    """Return the gain that the evaluation predicts, and the one over the shop's own rule; None where it told none.

    An evaluation of an earlier release tells the second one only where there was no champion: its behavior policy is
    what made the log, which is mostly the champion once one is served.
    """
    gain = _promised(figures.gain)
    if figures.gain is None or gain is None:
        return None
    is_told = "over_control" in figures.model_fields_set
    against_control = _promised(figures.over_control)
    if not is_told and gain.baseline == BEHAVIOR == figures.champion_in_force:
        against_control = gain
    return Promise(
        estimator=figures.gain.estimator,
        reward_unit=figures.facts.reward_unit,
        steps=figures.facts.steps,
        gain=gain,
        against_control=against_control,
    )


def _promised(gain: Gain | None) -> PromisedGain | None:
    if gain is None or gain.value is None or gain.lower is None or gain.upper is None:
        return None
    return PromisedGain(
        baseline=gain.baseline,
        value=gain.value,
        corrected=gain.corrected,
        lower=gain.lower,
        upper=gain.upper,
        level=gain.level,
        baseline_value=gain.baseline_value,
    )
