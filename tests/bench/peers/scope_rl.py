"""scope-rl's basic estimators on the inputs of `ope_speed_inputs`, timed in its own Python by `ope_speed`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.bench.ope.speed_inputs import GAMMA, LEVEL, N_DRAWS, speed_input
from tests.bench.peers.answers import serve


def prepare() -> Callable[..., dict[str, Any]]:
    """Imports scope-rl and makes the inputs; what it returns estimates once."""
    # Imported after stdout has been kept for answers, and there is no such package in this project's environment.
    import scope_rl.ope.discrete as scope  # type: ignore[import-not-found]  # noqa: PLC0415

    given = speed_input()
    inputs = {
        "step_per_trajectory": given.horizon,
        "action": given.action,
        "reward": given.reward,
        "pscore": given.propensity,
        "evaluation_policy_action_dist": given.evaluation,
        "state_action_value_prediction": given.q,
        "gamma": GAMMA,
    }
    estimators = {
        "dm": scope.DirectMethod(),
        "tis": scope.TrajectoryWiseImportanceSampling(),
        "pdis": scope.PerDecisionImportanceSampling(),
        "dr": scope.DoublyRobust(),
        "wis": scope.SelfNormalizedTIS(),
        "wpdis": scope.SelfNormalizedPDIS(),
        "wdr": scope.SelfNormalizedDR(),
    }
    return lambda seed: {name: _timed(estimator, inputs, seed) for name, estimator in estimators.items()}


def _timed(estimator: Any, inputs: dict[str, Any], seed: int) -> dict[str, float]:
    """Point and bootstrap interval of one estimator, with the seconds of each."""
    started = time.perf_counter()
    value = float(estimator.estimate_policy_value(**inputs))
    between = time.perf_counter()
    interval = estimator.estimate_interval(
        **inputs, alpha=1 - LEVEL, ci="bootstrap", n_bootstrap_samples=N_DRAWS, random_state=seed
    )
    ended = time.perf_counter()
    _, lower, upper = (float(bound) for bound in interval.values())
    return {
        "value": value,
        "lower": lower,
        "upper": upper,
        "point_seconds": between - started,
        "interval_seconds": ended - between,
    }


if __name__ == "__main__":
    serve(["scope-rl"], prepare)
