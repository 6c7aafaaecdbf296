"""Our estimates equal those of OBP and SCOPE-RL on the same logs; docs/evaluation.md says where definitions differ.

`tests/golden/make_golden_values.py` wrote the values and names the versions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.ope.estimators.category_weights import category_sample
from rl.ope.estimators.doubly_robust import dr
from rl.ope.estimators.limited_weights import clipped_ips_at, dr_os_at, sg_ips_at, switch_dr_at
from rl.ope.estimators.one_step import ips, residuals
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.estimators.slope import AtLevel, choose_level
from rl.ope.propensities.balanced_loggers import EpisodeLoggers, balanced_log, episode_loggers
from rl.ope.propensities.weighted_loggers import weighted_over_loggers
from rl.ope.samples.density_ratio import DensityRatios
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.golden.open_bandit import N_ITEMS, N_POSITIONS, open_bandit_input
from tests.golden.random_logs import (
    ONE_STEP_SHAPES,
    SEQUENTIAL_SHAPES,
    OneStepInput,
    SequentialInput,
    fingerprint,
    one_step_input,
    sequential_input,
)

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "golden_values.json").read_text())
ONE_STEP = {entry["log"]: entry for entry in GOLDEN["one_step"]}
SEQUENTIAL = {entry["log"]: entry for entry in GOLDEN["sequential"]}
ONE_STEP_INPUTS = {shape.name: one_step_input(shape) for shape in ONE_STEP_SHAPES}
SEQUENTIAL_INPUTS = {shape.name: sequential_input(shape) for shape in SEQUENTIAL_SHAPES}
SAME_ONE_STEP = {"dm": "dm", "ips": "ipw", "snips": "snipw", "dr": "dr", "sndr": "sndr"}
SAME_SEQUENTIAL = {
    "dm": "dm",
    "tis": "tis",
    "pdis": "pdis",
    "dr": "dr",
    "wis": "sntis",
    "wpdis": "snpdis",
    "wdr": "sndr",
}


def same(value: float) -> Any:
    """Equal to 1e-6 relative, the summation order of doubles being all that differs."""
    return pytest.approx(value, rel=1e-6, abs=1e-12)


@dataclass(frozen=True)
class RowPolicy:
    """A policy whose probabilities are listed by row; features are the row number."""

    table: FloatArray
    version: str = "table"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        return np.where(mask, self.table[features[:, 0].astype(np.int64)], 0.0)


# Each family with its parameter as the papers state it, and the level that it stands for here.
FAMILIES: dict[str, tuple[AtLevel, Any]] = {
    "clipped_ipw": (clipped_ips_at, lambda limit: limit),
    "switch_dr": (switch_dr_at, lambda limit: limit),
    "dr_os": (dr_os_at, lambda strength: np.sqrt(strength) / 2),
    "sg_ipw": (sg_ips_at, lambda share: 1 / share if share else np.inf),
}


def log_of(action: IntArray, reward: FloatArray, propensity: FloatArray, *, n_actions: int, length: int = 1) -> Any:
    """Terminal episodes of one length; features are the row number, all actions are available."""
    n = len(action)
    is_last = np.arange(n) % length == length - 1
    nothing = np.zeros(n, dtype=np.int64)
    row = np.arange(n, dtype=np.float32)[:, None]
    return LoggedEpisodes(
        features=row,
        next_features=row,
        action=action,
        reward=reward,
        terminal=is_last,
        timeout=np.zeros(n, dtype=bool),
        propensity=propensity,
        availability=np.ones((1, n_actions), dtype=bool),
        mask_index=nothing,
        next_mask_index=nothing,
        offsets=np.arange(0, n + 1, length, dtype=np.int64),
        unit=np.arange(n // length),
        start_time=np.arange(n // length),
        elapsed_microseconds=nothing + 60_000_000,
        policy_version=nothing,
    )


def one_step_log(given: OneStepInput) -> LoggedEpisodes:
    log: LoggedEpisodes = log_of(given.action, given.reward, given.propensity, n_actions=given.evaluation.shape[1])
    names = tuple(f"version {k}" for k in range(len(given.loggers)))
    return replace(log, policy_version=given.logger, policy_versions=names)


def values_of(evaluation: FloatArray, q: FloatArray, action: IntArray) -> ActionValues:
    rows = np.arange(len(action))
    return ActionValues((evaluation * q).sum(axis=1), q[rows, action], np.zeros(len(action)))


def one_step_sample(given: OneStepInput, log: LoggedEpisodes | None = None) -> EvaluationSample:
    values = values_of(given.evaluation, given.q, given.action)
    return evaluation_sample(
        RowPolicy(given.evaluation), log or one_step_log(given), discount=DiscountFunction(1.0), values=values
    )


def value(name: str, sample: EvaluationSample) -> float:
    return ESTIMATORS[name].per_unit_sums(sample).value()


@pytest.mark.parametrize("log", list(ONE_STEP))
def test_one_step_input_is_the_one_the_golden_values_were_made_from(log: str) -> None:
    """The seeds still give the arrays that OBP saw."""
    assert fingerprint(ONE_STEP_INPUTS[log]) == pytest.approx(ONE_STEP[log]["fingerprint"], rel=1e-12)


@pytest.mark.parametrize("log", list(SEQUENTIAL))
def test_sequential_input_is_the_one_the_golden_values_were_made_from(log: str) -> None:
    """The seeds still give the arrays that SCOPE-RL saw."""
    assert fingerprint(SEQUENTIAL_INPUTS[log]) == pytest.approx(SEQUENTIAL[log]["fingerprint"], rel=1e-12)


@pytest.mark.parametrize("log", list(ONE_STEP))
@pytest.mark.parametrize("name", list(SAME_ONE_STEP))
def test_one_step_estimator_equals_that_of_obp(log: str, name: str) -> None:
    """DM, IPS, SNIPS, DR and SNDR are defined alike."""
    golden = ONE_STEP[log]["values"][SAME_ONE_STEP[name]]
    assert value(name, one_step_sample(ONE_STEP_INPUTS[log])) == same(golden)


@pytest.mark.parametrize("log", list(ONE_STEP))
@pytest.mark.parametrize("name", list(FAMILIES))
def test_estimator_with_a_level_equals_that_of_obp(log: str, name: str) -> None:
    """At each of four parameters, translated to a level, the values are alike."""
    at_level, level_of = FAMILIES[name]
    sample = one_step_sample(ONE_STEP_INPUTS[log])
    for parameter, golden in ONE_STEP[log]["values"][name].items():
        assert at_level(sample, level_of(float(parameter))).value() == same(golden)


@pytest.mark.parametrize("log", list(ONE_STEP))
def test_dr_under_the_clip_of_a_spec_equals_clipped_dr_of_obp(log: str) -> None:
    """`clip` limits the weights of every estimator, as OBP's lambda does in its DR."""
    given = ONE_STEP_INPUTS[log]
    for limit, golden in ONE_STEP[log]["values"]["clipped_dr"].items():
        sample = evaluation_sample(
            RowPolicy(given.evaluation),
            one_step_log(given),
            discount=DiscountFunction(1.0),
            clip=float(limit),
            values=values_of(given.evaluation, given.q, given.action),
        )
        assert value("dr", sample) == same(golden)


@pytest.mark.parametrize("log", list(ONE_STEP))
@pytest.mark.parametrize("name", list(FAMILIES))
def test_slope_chooses_as_obp_does(log: str, name: str) -> None:
    """Among the same parameters, with intervals as wide as OBP's (5% on one side), the choice and its value agree."""
    at_level, level_of = FAMILIES[name]
    golden = ONE_STEP[log]["chosen"][name]
    sample = one_step_sample(ONE_STEP_INPUTS[log])
    levels = [level_of(float(parameter)) for parameter in ONE_STEP[log]["values"][name]]
    choice = choose_level({level: at_level(sample, level) for level in levels}, confidence=0.9)
    assert choice.level == pytest.approx(level_of(golden["level"]))
    assert at_level(sample, choice.level).value() == same(golden["value"])


@pytest.mark.parametrize("log", list(ONE_STEP))
def test_mips_equals_that_of_obp(log: str) -> None:
    """With categories as embeddings that the action decides, MIPS and its self-normalised form are alike."""
    given, golden = ONE_STEP_INPUTS[log], ONE_STEP[log]["categories"]
    sample = category_sample(
        RowPolicy(given.evaluation),
        one_step_log(given),
        given.category,
        discount=DiscountFunction(1.0),
        behavior=RowPolicy(given.behavior),
    )
    assert value("mips", sample) == same(golden["mips"])
    assert value("snips", sample) == same(golden["snmips"])


@pytest.mark.parametrize("log", list(ONE_STEP))
def test_balanced_estimators_equal_those_of_obp(log: str) -> None:
    """On the mixture's propensities IPS and DR are OBP's balanced estimators of several loggers."""
    given, golden = ONE_STEP_INPUTS[log], ONE_STEP[log]["loggers"]
    policies = {f"version {k}": RowPolicy(table) for k, table in enumerate(given.loggers)}
    sample = one_step_sample(given, balanced_log(one_step_log(given), policies))
    assert value("ips", sample) == same(golden["balanced_ipw"])
    assert value("dr", sample) == same(golden["balanced_dr"])


@pytest.mark.parametrize("log", list(ONE_STEP))
def test_weighted_ips_by_variance_equals_that_of_obp(log: str) -> None:
    """Loggers weighted by rows over the variance of their weighted rewards."""
    given = ONE_STEP_INPUTS[log]
    found = weighted_over_loggers(ips, one_step_sample(given), loggers_of(given), by="variance")
    assert found.sums.value() == same(ONE_STEP[log]["loggers"]["weighted_ipw"])


@pytest.mark.parametrize("log", list(ONE_STEP))
def test_weighted_dr_of_obp_weights_the_correction_alone(log: str) -> None:
    """OBP averages predictions over all rows and weights loggers in the correction; ours weights whole values.

    So OBP's is our direct method plus each logger's mean weighted residual by our share of it, and ours differs.
    """
    given, golden = ONE_STEP_INPUTS[log], ONE_STEP[log]["loggers"]["weighted_dr"]
    sample = one_step_sample(given)
    ours = weighted_over_loggers(dr, sample, loggers_of(given), by="variance")
    corrections = weighted_over_loggers(ips, replace(sample, reward=residuals(sample)), loggers_of(given)).values
    assert value("dm", sample) + float(np.dot(ours.shares, corrections)) == same(golden)
    assert ours.sums.value() != pytest.approx(golden, rel=1e-5)


@pytest.mark.parametrize("log", list(SEQUENTIAL))
@pytest.mark.parametrize("name", list(SAME_SEQUENTIAL))
def test_sequential_estimator_equals_that_of_scope_rl(log: str, name: str) -> None:
    """On episodes of one length all seven are defined alike, the self-normalised ones step by step."""
    sample = sequential_sample(SEQUENTIAL_INPUTS[log], SEQUENTIAL[log]["gamma"])
    assert value(name, sample) == same(SEQUENTIAL[log]["values"][SAME_SEQUENTIAL[name]])


@pytest.mark.parametrize("log", list(SEQUENTIAL))
def test_mis_by_state_and_action_equals_that_of_scope_rl(log: str) -> None:
    """Given the density ratios, with none of its steps weighted per decision, SAM-IS is ours."""
    sample = marginal_sample(SEQUENTIAL_INPUTS[log], SEQUENTIAL[log]["gamma"])
    assert value("mis_sa", sample) == same(SEQUENTIAL[log]["marginal"]["0"]["sam_is"])


@pytest.mark.parametrize("log", list(SEQUENTIAL))
def test_drl_of_scope_rl_is_ours_without_discount(log: str) -> None:
    """SCOPE-RL's double reinforcement learning takes no discount: it is ours at a factor of 1, whatever the log's."""
    sample = marginal_sample(SEQUENTIAL_INPUTS[log], 1.0)
    assert value("drl_sa", sample) == same(SEQUENTIAL[log]["marginal"]["0"]["drl"])


@pytest.mark.parametrize("log", [name for name, entry in SEQUENTIAL.items() if "1" in entry["marginal"]])
def test_mis_by_state_of_scope_rl_takes_the_ratio_of_the_state_before(log: str) -> None:
    """SM-IS weights a step by its action's ratio and the previous state's density ratio; ours by its own state's.

    So it is ours on ratios moved on by one step, with a first one of 1, and differs on the ratios themselves.
    """
    given, entry = SEQUENTIAL_INPUTS[log], SEQUENTIAL[log]
    moved = np.roll(given.state_ratio.reshape(-1, given.horizon), 1, axis=1)
    moved[:, 0] = 1.0
    golden = entry["marginal"]["1"]["sm_is"]
    assert value("mis_s", marginal_sample(replace(given, state_ratio=moved.ravel()), entry["gamma"])) == same(golden)
    assert value("mis_s", marginal_sample(given, entry["gamma"])) != pytest.approx(golden, rel=1e-3)


@pytest.mark.parametrize("log", list(SEQUENTIAL))
def test_marginal_dr_of_scope_rl_misplaces_the_last_two_values(log: str) -> None:
    """SAM-DR follows the last step but one by 0 and the last by its own value; ours by the next value and by 0.

    The difference is exactly what these two terms make.
    """
    given, entry = SEQUENTIAL_INPUTS[log], SEQUENTIAL[log]
    gamma, shape = entry["gamma"], (-1, given.horizon)
    weight, last = given.state_action_ratio.reshape(shape), given.value.reshape(shape)[:, -1]
    misplaced = gamma**given.horizon * weight[:, -1] * last
    if given.horizon > 1:
        misplaced -= gamma ** (given.horizon - 1) * weight[:, -2] * last
    ours = value("drl_sa", marginal_sample(given, gamma))
    assert ours + float(misplaced.mean()) == same(entry["marginal"]["0"]["sam_dr"])
    assert abs(float(misplaced.mean())) > 1e-3


def test_self_normalised_mis_equals_that_of_scope_rl_on_one_step() -> None:
    """SCOPE-RL normalises at each step index, ours over all steps by the expected length: alike where there is one."""
    sample = marginal_sample(SEQUENTIAL_INPUTS["one step"], 1.0)
    assert value("snmis_sa", sample) == same(SEQUENTIAL["one step"]["marginal"]["0"]["sam_snis"])


@pytest.mark.real_data
@pytest.mark.parametrize("entry", GOLDEN["open_bandit"], ids=lambda entry: f"draw {entry['draw']}")
def test_estimators_equal_those_of_obp_on_a_public_log(real_data: Path, entry: dict[str, Any]) -> None:
    """On rows drawn from the Open Bandit log, with three positions and 80 items, every value is alike."""
    given = open_bandit_input(real_data, entry["draw"])
    log = log_of(given.action, given.reward, given.propensity, n_actions=N_ITEMS)
    evaluation = given.evaluation[given.position]
    values = values_of(evaluation, np.broadcast_to(given.q, (len(given.action), N_ITEMS)), given.action)
    sample = evaluation_sample(RowPolicy(evaluation), log, discount=DiscountFunction(1.0), values=values)
    assert evaluation.shape == (len(given.action), N_ITEMS)
    assert len(np.unique(given.position)) == N_POSITIONS
    for ours, theirs in SAME_ONE_STEP.items():
        assert value(ours, sample) == same(entry["values"][theirs]), ours
    for name, (at_level, level_of) in FAMILIES.items():
        for parameter, golden in entry["values"][name].items():
            assert at_level(sample, level_of(float(parameter))).value() == same(golden), (name, parameter)


def loggers_of(given: OneStepInput) -> EpisodeLoggers:
    return episode_loggers(one_step_log(given))


def sequential_sample(given: SequentialInput, gamma: float) -> EvaluationSample:
    log = log_of(
        given.action, given.reward, given.propensity, n_actions=given.evaluation.shape[1], length=given.horizon
    )
    values = values_of(given.evaluation, given.q, given.action)
    return evaluation_sample(RowPolicy(given.evaluation), log, discount=DiscountFunction(gamma), values=values)


def marginal_sample(given: SequentialInput, gamma: float) -> EvaluationSample:
    """With the log's made-up density ratios, and the discounted length of its episodes."""
    length = sum(gamma**step for step in range(given.horizon))
    ratios = DensityRatios(given.state_ratio, given.state_action_ratio, np.full(given.n, length), np.nan, "given")
    return replace(sequential_sample(given, gamma), density_ratios=ratios)
