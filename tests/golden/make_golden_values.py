"""Writes the golden values: what sb-obp and scope-rl say on the logs of `random_logs`, and on a public log.

Run it in a throwaway environment, since sb-obp wants a NumPy below 2, from the project's root:

    python3.11 -m venv /tmp/peers
    /tmp/peers/bin/python -m pip install sb-obp==0.5.10 scope-rl==0.2.1 torch==2.13.0 "numpy<2"
    NIGHTCART_REAL_DATA=... PYTHONPATH=. /tmp/peers/bin/python tests/golden/make_golden_values.py

Without NIGHTCART_REAL_DATA the values on the public log stay as they were.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import obp.ope as obp
import scope_rl.ope.discrete as scope
from obp.ope.estimators_embed import (
    MarginalizedInverseProbabilityWeighting,
    SelfNormalizedMarginalizedInverseProbabilityWeighting,
)

from tests.golden.open_bandit import OPEN_BANDIT_DRAWS, open_bandit_input
from tests.golden.random_logs import (
    ONE_STEP_SHAPES,
    SEQUENTIAL_SHAPES,
    OneStepInput,
    SequentialInput,
    fingerprint,
    one_step_input,
    sequential_input,
)

VERSIONS = {"sb-obp": "0.5.10", "scope-rl": "0.2.1", "torch": "2.13.0"}
TARGET = Path(__file__).with_name("golden_values.json")
LIMITS = (0.5, 1.5, 4.0, 20.0)
STRENGTHS = (0.3, 3.0, 50.0, 2000.0)
SHARES = (0.0, 0.05, 0.3, 0.9)


def main() -> None:
    check_versions()
    before = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    golden: dict[str, Any] = {
        "made_with": {name: importlib.metadata.version(name) for name in (*VERSIONS, "numpy")},
        "one_step": [one_step_golden(one_step_input(shape), shape.name) for shape in ONE_STEP_SHAPES],
        "sequential": [
            sequential_golden(sequential_input(shape), shape.name, shape.gamma) for shape in SEQUENTIAL_SHAPES
        ],
        "open_bandit": before.get("open_bandit", []),
    }
    if folder := os.environ.get("NIGHTCART_REAL_DATA"):
        golden["open_bandit"] = [open_bandit_golden(Path(folder), seed) for seed in OPEN_BANDIT_DRAWS]
    TARGET.write_text(json.dumps(golden, indent=1, allow_nan=False) + "\n")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes", file=sys.stderr)


def check_versions() -> None:
    """The golden values are those of exactly these versions."""
    found = {name: importlib.metadata.version(name) for name in VERSIONS}
    wrong = {name: version for name, version in found.items() if version.split("+")[0] != VERSIONS[name]}
    if wrong:
        raise SystemExit(f"golden values are made with {VERSIONS}, found {wrong}")


def one_step_golden(given: OneStepInput, name: str) -> dict[str, Any]:
    """OBP's estimators on a random log."""
    log = {
        "reward": given.reward,
        "action": given.action,
        "pscore": given.propensity,
        "action_dist": given.evaluation[:, :, None],
    }
    with_q = log | {"estimated_rewards_by_reg_model": given.q[:, :, None]}
    return {
        "log": name,
        "fingerprint": fingerprint(given),
        "values": obp_values(log, with_q),
        "chosen": chosen_levels(log, with_q),
        "categories": category_values(given),
        "loggers": logger_values(given, log, with_q),
    }


def obp_values(log: dict[str, Any], with_q: dict[str, Any]) -> dict[str, Any]:
    """Each estimator's value; those with a parameter by its value."""

    def value(estimator: Any, given: dict[str, Any]) -> float:
        return float(estimator.estimate_policy_value(**given))

    of_q = {
        name: with_q[name] for name in with_q if name in ("action_dist", "estimated_rewards_by_reg_model", "position")
    }
    return {
        "dm": value(obp.DirectMethod(), of_q),
        "ipw": value(obp.InverseProbabilityWeighting(), log),
        "clipped_ipw": {str(x): value(obp.InverseProbabilityWeighting(lambda_=x), log) for x in LIMITS},
        "snipw": value(obp.SelfNormalizedInverseProbabilityWeighting(), log),
        "dr": value(obp.DoublyRobust(), with_q),
        "clipped_dr": {str(x): value(obp.DoublyRobust(lambda_=x), with_q) for x in LIMITS},
        "sndr": value(obp.SelfNormalizedDoublyRobust(), with_q),
        "switch_dr": {str(x): value(obp.SwitchDoublyRobust(lambda_=x), with_q) for x in LIMITS},
        "dr_os": {str(x): value(obp.DoublyRobustWithShrinkage(lambda_=x), with_q) for x in STRENGTHS},
        "sg_ipw": {str(x): value(obp.SubGaussianInverseProbabilityWeighting(lambda_=x), log) for x in SHARES},
    }


def chosen_levels(log: dict[str, Any], with_q: dict[str, Any]) -> dict[str, Any]:
    """What OBP's SLOPE chooses among the same parameters, with one-sided intervals at 5%, and the value there."""
    tuned = {
        "clipped_ipw": (obp.InverseProbabilityWeightingTuning, LIMITS, log),
        "switch_dr": (obp.SwitchDoublyRobustTuning, LIMITS, with_q),
        "dr_os": (obp.DoublyRobustWithShrinkageTuning, STRENGTHS, with_q),
        "sg_ipw": (obp.SubGaussianInverseProbabilityWeightingTuning, SHARES, log),
    }
    found = {}
    for name, (make, lambdas, given) in tuned.items():
        estimator = make(lambdas=list(lambdas), tuning_method="slope", delta=0.05)
        value = float(estimator.estimate_policy_value(**given))
        found[name] = {"level": float(estimator.best_hyperparam), "value": value}
    return found


def category_values(given: OneStepInput) -> dict[str, float]:
    """MIPS with the actions' categories as embeddings, whose distribution given the action is known."""
    p_e_a = np.eye(given.category.max() + 1)[given.category][:, :, None]
    common = {
        "reward": given.reward,
        "action": given.action,
        "action_embed": given.category[given.action][:, None],
        "pi_b": given.behavior[:, :, None],
        "action_dist": given.evaluation[:, :, None],
        "context": np.zeros((given.n, 1)),
        "p_e_a": p_e_a,
    }
    n_actions = given.evaluation.shape[1]
    return {
        "mips": float(MarginalizedInverseProbabilityWeighting(n_actions=n_actions).estimate_policy_value(**common)),
        "snmips": float(
            SelfNormalizedMarginalizedInverseProbabilityWeighting(n_actions=n_actions).estimate_policy_value(**common)
        ),
    }


def logger_values(given: OneStepInput, log: dict[str, Any], with_q: dict[str, Any]) -> dict[str, float]:
    """Balanced and weighted estimators of a log made by several policies."""
    shares = np.bincount(given.logger, minlength=len(given.loggers)) / given.n
    mixture = np.tensordot(shares, given.loggers, axes=1)[np.arange(given.n), given.action]
    balanced = {key: value for key, value in with_q.items() if key != "pscore"} | {"pscore_avg": mixture}
    weighted = {"stratum_idx": given.logger}
    without_q = {key: value for key, value in balanced.items() if key != "estimated_rewards_by_reg_model"}
    return {
        "balanced_ipw": float(obp.MultiLoggersBalancedInverseProbabilityWeighting().estimate_policy_value(**without_q)),
        "balanced_dr": float(obp.MultiLoggersBalancedDoublyRobust().estimate_policy_value(**balanced)),
        "weighted_ipw": float(
            obp.MultiLoggersWeightedInverseProbabilityWeighting().estimate_policy_value(**log, **weighted)
        ),
        "weighted_dr": float(obp.MultiLoggersWeightedDoublyRobust().estimate_policy_value(**with_q, **weighted)),
    }


def sequential_golden(given: SequentialInput, name: str, gamma: float) -> dict[str, Any]:
    """scope-rl's estimators on episodes of one length."""
    log = {
        "step_per_trajectory": given.horizon,
        "action": given.action,
        "reward": given.reward,
        "pscore": given.propensity,
        "evaluation_policy_action_dist": given.evaluation,
        "gamma": gamma,
    }
    with_q = log | {"state_action_value_prediction": given.q}
    return {
        "log": name,
        "gamma": gamma,
        "fingerprint": fingerprint(given),
        "values": scope_values(log, with_q),
        "marginal": {str(n): marginal_values(given, log, with_q, n_step_pdis=n) for n in (0, 1) if n < given.horizon},
    }


def scope_values(log: dict[str, Any], with_q: dict[str, Any]) -> dict[str, float]:
    """The basic estimators."""
    estimators = {
        "dm": (scope.DirectMethod(), with_q),
        "tis": (scope.TrajectoryWiseImportanceSampling(), log),
        "pdis": (scope.PerDecisionImportanceSampling(), log),
        "dr": (scope.DoublyRobust(), with_q),
        "sntis": (scope.SelfNormalizedTIS(), log),
        "snpdis": (scope.SelfNormalizedPDIS(), log),
        "sndr": (scope.SelfNormalizedDR(), with_q),
    }
    return {name: float(estimator.estimate_policy_value(**given)) for name, (estimator, given) in estimators.items()}


def marginal_values(
    given: SequentialInput, log: dict[str, Any], with_q: dict[str, Any], *, n_step_pdis: int
) -> dict[str, float]:
    """The marginal estimators, given the density ratios; the first `n_step_pdis` steps by products of ratios."""
    start = {"initial_state_value_prediction": given.value.reshape(-1, given.horizon)[:, 0]}
    state = {"n_step_pdis": n_step_pdis, "state_marginal_importance_weight": given.state_ratio}
    both = {"n_step_pdis": n_step_pdis, "state_action_marginal_importance_weight": given.state_action_ratio}
    estimators = {
        "sm_is": (scope.StateMarginalIS(), log | state),
        "sm_dr": (scope.StateMarginalDR(), with_q | state | start),
        "sm_snis": (scope.StateMarginalSNIS(), log | state),
        "sm_sndr": (scope.StateMarginalSNDR(), with_q | state | start),
        "sam_is": (scope.StateActionMarginalIS(), log | both),
        "sam_dr": (scope.StateActionMarginalDR(), with_q | both | start),
        "sam_snis": (scope.StateActionMarginalSNIS(), log | both),
        "sam_sndr": (scope.StateActionMarginalSNDR(), with_q | both | start),
        "drl": (scope.DoubleReinforcementLearning(), with_q | both),
    }
    return {name: float(estimator.estimate_policy_value(**inputs)) for name, (estimator, inputs) in estimators.items()}


def open_bandit_golden(folder: Path, seed: int) -> dict[str, Any]:
    """OBP's estimators on rows drawn from the public log, with three positions."""
    given = open_bandit_input(folder, seed)
    n_positions = len(given.evaluation)
    log = {
        "reward": given.reward,
        "action": given.action,
        "pscore": given.propensity,
        "action_dist": np.repeat(given.evaluation.T[None], len(given.action), axis=0),
        "position": given.position,
    }
    q = np.repeat(np.repeat(given.q[:, None], n_positions, axis=1)[None], len(given.action), axis=0)
    with_q = log | {"estimated_rewards_by_reg_model": q}
    return {"draw": seed, "mean_reward": float(given.reward.mean()), "values": obp_values(log, with_q)}


if __name__ == "__main__":
    main()
