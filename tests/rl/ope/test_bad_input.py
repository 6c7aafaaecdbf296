"""Bad input never becomes a number: every estimator and interval refuses it, naming rows, or says why it abstains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes, Policy
from rl.errors import DatasetError, EvaluationError, UnsupportedEstimator
from rl.ope.estimators.category_weights import category_sample
from rl.ope.estimators.importance_sampling import NO_WEIGHT
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import Interval, Resampling, percentile_interval, widest_intervals
from rl.ope.intervals.partial_sums import EstimationPlan, merged_parts, partial_sums, sums_in_batches, whole_log
from rl.ope.intervals.sums import RatioSums
from rl.ope.intervals.sums_table import from_table, to_table
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import EvaluationSettings
from rl.ope.samples.density_ratio import DensityRatios
from rl.ope.samples.q_function import ActionValues, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.bench.intervals.interval_methods import INTERVAL_METHODS, make_interval
from tests.rl.ope.single_fit import fit_fqe
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ

N = 6
DISCOUNT = DiscountFunction(0.9)
POLICY = TablePolicy(np.array([[0.6, 0.4, 0.0]]))
BEHAVIOR = TablePolicy(np.array([[0.5, 0.5, 0.0]]), "behavior")
NEVER = TablePolicy(np.array([[0.0, 1.0, 0.0]]), "never")
Q = TableQ(np.array([[1.0, 2.0, 3.0]]))
CATEGORY = np.array([0, 1, 2])
WEIGHTED = [name for name, entry in ESTIMATORS.items() if entry.needs_weights]
MERGEABLE = [name for name in WEIGHTED if not ESTIMATORS[name].needs_categories]
DRAWS = Resampling(n_draws=50, seed=1)


def log_for(name: str, **overrides: Any) -> LoggedEpisodes:
    """Six rows that all took action 0 of two available ones: episodes of one step, or of two where that is allowed."""
    length = 1 if ESTIMATORS[name].is_one_step else 2
    n_episodes = N // length
    fields: dict[str, Any] = {
        "features": np.ones((N, 1), dtype=np.float32),
        "next_features": np.ones((N, 1), dtype=np.float32),
        "action": np.zeros(N, dtype=np.int64),
        "reward": np.arange(1.0, N + 1),
        "terminal": np.arange(N) % length == length - 1,
        "timeout": np.zeros(N, dtype=bool),
        "propensity": np.full(N, 0.5),
        "availability": np.array([[True, True, False]]),
        "mask_index": np.zeros(N, dtype=np.int64),
        "next_mask_index": np.zeros(N, dtype=np.int64),
        "offsets": np.arange(0, N + 1, length, dtype=np.int64),
        "unit": np.arange(n_episodes),
        "start_time": np.arange(n_episodes),
        "elapsed_microseconds": np.full(N, 60_000_000),
        "policy_version": np.zeros(N, dtype=np.int64),
    }
    return LoggedEpisodes(**{**fields, **overrides})


def estimate(name: str, log: LoggedEpisodes, policy: Policy = POLICY, **given: Any) -> float:
    """The value by that estimator, from the log on."""
    return ESTIMATORS[name].estimate(sample_for(name, log, policy, **given))[0].value()


def sample_for(
    name: str,
    log: LoggedEpisodes,
    policy: Policy,
    *,
    values: ActionValues | None = None,
    reward: FloatArray | None = None,
    ratios: DensityRatios | None = None,
    steps: int | None = None,
) -> EvaluationSample:
    """What the estimator needs; density ratios of 1 but for what is given."""
    if ESTIMATORS[name].needs_categories:
        return category_sample(policy, log, CATEGORY, discount=DISCOUNT, behavior=BEHAVIOR, reward=reward)
    values = values or action_values(Q, policy, log)
    sample = evaluation_sample(policy, log, discount=DISCOUNT, values=values, reward=reward, steps=steps)
    return replace(sample, density_ratios=ratios or ones(log.n_transitions))


def ones(n: int) -> DensityRatios:
    return DensityRatios(np.ones(n), np.ones(n), np.ones(n), 0.0, "made up")


def spoiled(column: npt.NDArray[Any], value: float) -> FloatArray:
    """The column with that value in row 4."""
    return np.where(np.arange(len(column)) == 4, value, column)


def spoiled_features(value: float) -> FeatureArray:
    """Features of which one of row 4 has that value."""
    return spoiled(np.ones(N), value).astype(np.float32)[:, None]


@dataclass(frozen=True)
class BadLog:
    """Columns that make a log bad, and what the error says."""

    columns: dict[str, Any]
    says: str


def bad_rows(name: str) -> dict[str, BadLog]:
    log = log_for(name)
    return {
        "propensity 0": BadLog({"propensity": spoiled(log.propensity, 0.0)}, r"rows \[4\] .*propensity"),
        "propensity below 0": BadLog({"propensity": spoiled(log.propensity, -0.1)}, r"rows \[4\] .*propensity"),
        "propensity above 1": BadLog({"propensity": spoiled(log.propensity, 1.01)}, r"rows \[4\] .*propensity"),
        "propensity infinite": BadLog({"propensity": spoiled(log.propensity, np.inf)}, r"rows \[4\] .*propensity"),
        "reward NaN": BadLog({"reward": spoiled(log.reward, np.nan)}, r"rows \[4\] .*reward"),
        "reward infinite": BadLog({"reward": spoiled(log.reward, -np.inf)}, r"rows \[4\] .*reward"),
        "reward no square of which is a double": BadLog(
            {"reward": spoiled(log.reward, -1e305)}, r"rows \[4\] .*reward beyond 1e\+100"
        ),
        "features NaN": BadLog({"features": spoiled_features(np.nan)}, r"rows \[4\] have features"),
        "features infinite": BadLog({"features": spoiled_features(-np.inf)}, r"rows \[4\] have features"),
        "next features NaN": BadLog({"next_features": spoiled_features(np.nan)}, r"rows \[4\] have next_features"),
        "metric NaN": BadLog({"metrics": {"clicks": spoiled(log.reward, np.nan)}}, r"rows \[4\] .*metric clicks"),
        "metric infinite": BadLog({"metrics": {"clicks": spoiled(log.reward, np.inf)}}, r"rows \[4\] .*metric clicks"),
        "time that runs backwards": BadLog(
            {"elapsed_microseconds": spoiled(log.reward, -60.0)}, r"rows \[4\] .*before"
        ),
        "time unknown": BadLog({"elapsed_microseconds": spoiled(log.reward, np.nan)}, r"rows \[4\] .*before"),
        "nothing available after a cut": BadLog(
            {
                "timeout": log.terminal & (np.arange(N) == 5),
                "terminal": log.terminal & (np.arange(N) != 5),
                "availability": np.array([[True, True, False], [False] * 3]),
                "next_mask_index": (np.arange(N) == 5).astype(int),
            },
            r"rows \[5\] go on, or time out, .*empty availability set",
        ),
        "action masked": BadLog({"action": spoiled(log.action, 2).astype(int)}, r"rows \[4\] .*availability set"),
        "action unknown": BadLog({"action": spoiled(log.action, 3).astype(int)}, r"rows \[4\] .*action outside 0\.\.2"),
        "action negative": BadLog({"action": spoiled(log.action, -1).astype(int)}, r"rows \[4\] .*action outside"),
        "mask unknown": BadLog({"mask_index": spoiled(log.mask_index, 1).astype(int)}, r"rows \[4\] .*mask_index"),
        "mask negative": BadLog({"mask_index": spoiled(log.mask_index, -1).astype(int)}, r"rows \[4\] .*mask_index"),
        "next mask unknown": BadLog(
            {"next_mask_index": spoiled(log.mask_index, -1).astype(int)}, r"rows \[4\] .*next_mask_index"
        ),
        "no end": BadLog({"terminal": log.terminal & (np.arange(N) != 5)}, r"rows \[5\] .*exactly one of terminal"),
        "rows before the first episode": BadLog({"offsets": log.offsets + (log.offsets == 0)}, "offsets start at"),
        "episodes that run back": BadLog({"offsets": log.offsets[[0, 2, 1, *range(3, len(log.offsets))]]}, "offsets"),
    } | {
        f"{column} too short": BadLog({column: getattr(log, column)[:-1]}, f"{column} has .*, expected ")
        for column in (
            "features",
            "next_features",
            "reward",
            "terminal",
            "timeout",
            "propensity",
            "mask_index",
            "next_mask_index",
            "elapsed_microseconds",
            "policy_version",
            "unit",
            "start_time",
        )
    }


@pytest.mark.parametrize("name", ESTIMATORS)
def test_sound_input_gives_a_number(name: str) -> None:
    """What the tests below spoil is otherwise estimated, at once and in parts; else they could not fail."""
    assert np.isfinite(estimate(name, log_for(name)))
    if name in MERGEABLE:
        assert np.isfinite(in_parts(name, log_for(name), POLICY).require(name).value())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_log_with_bad_rows_is_refused_by_name(name: str) -> None:
    """No estimator sees such a log: it can't be made, and the error names the rows."""
    for case, bad in bad_rows(name).items():
        with pytest.raises(DatasetError, match=bad.says):
            estimate(name, log_for(name, **bad.columns))
            pytest.fail(f"{case} became a number")


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_empty_split_is_refused(name: str) -> None:
    """No episodes, no value: at once and in parts."""
    log = log_for(name)
    per_row = (
        "features",
        "next_features",
        "action",
        "reward",
        "terminal",
        "timeout",
        "propensity",
        "mask_index",
        "next_mask_index",
        "elapsed_microseconds",
        "policy_version",
        "unit",
        "start_time",
    )
    empty = replace(log, **{column: getattr(log, column)[:0] for column in per_row}, offsets=np.array([0]))
    with pytest.raises(EvaluationError, match="no episodes"):
        estimate(name, empty)
    with pytest.raises(EvaluationError, match="no episodes"):
        in_parts(name, empty, POLICY)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_outcome_that_is_no_number_is_refused_by_row(name: str, bad: float) -> None:
    """An outcome that doesn't come with the log is checked where it is valued."""
    with pytest.raises(EvaluationError, match=r"rows \[4\] have no finite outcome"):
        estimate(name, log_for(name), reward=spoiled(np.ones(N), bad))
    with pytest.raises(EvaluationError, match=f"5 rows of the outcome, expected {N}"):
        estimate(name, log_for(name), reward=np.ones(N - 1))


@pytest.mark.parametrize("name", [name for name, entry in ESTIMATORS.items() if entry.needs_values])
@pytest.mark.parametrize("part", ["value", "action_value", "next_value"])
def test_values_that_are_no_numbers_are_refused_by_row(name: str, part: str) -> None:
    """A Q-function may diverge; what it says doesn't reach a report."""
    sound = ActionValues(np.ones(N), np.ones(N), np.zeros(N))
    with pytest.raises(EvaluationError, match=r"rows \[4\] have no finite"):
        estimate(name, log_for(name), values=replace(sound, **{part: spoiled(np.ones(N), np.nan)}))
    with pytest.raises(EvaluationError, match=f"5 rows of the .*value, expected {N}"):
        estimate(name, log_for(name), values=replace(sound, **{part: np.ones(N - 1)}))


@pytest.mark.parametrize("name", [name for name, entry in ESTIMATORS.items() if entry.needs_density_ratios])
def test_density_ratios_that_dont_fit_are_refused(name: str) -> None:
    """Not finite by row; and of one row, which would stretch to all."""
    with pytest.raises(EvaluationError, match=r"rows \[4\] have a density ratio"):
        DensityRatios(spoiled(np.ones(N), np.nan), np.ones(N), np.ones(N), 0.0, "made up")
    with pytest.raises(EvaluationError, match=f"1 density ratios, expected {N}"):
        estimate(name, log_for(name), ratios=ones(1))


@dataclass(frozen=True)
class BadPolicy:
    """Sound but at row 4."""

    row_4: tuple[float, ...]
    version: str = "bad"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        table = POLICY.probabilities(features, mask)
        table[4:5] = self.row_4
        return table


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((np.nan, 0.5, 0.5), "not finite"),
        ((1.5, -0.5, 0.0), "negative"),
        ((0.5, 0.4, 0.0), "miss a sum of 1"),
        ((0.4, 0.4, 0.2), "unavailable actions"),
    ],
)
def test_a_policy_whose_probabilities_are_none_is_refused_by_row(name: str, row: tuple[float, ...], says: str) -> None:
    """Nothing is renormalised in silence."""
    with pytest.raises(EvaluationError, match=rf"{says}.* at rows \[4\]"):
        estimate(name, log_for(name), BadPolicy(row))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_value_over_no_steps_is_refused(name: str) -> None:
    """Steps count from 1."""
    if not ESTIMATORS[name].needs_categories:
        with pytest.raises(EvaluationError, match="at least one step"):
            estimate(name, log_for(name), steps=0)


@pytest.mark.parametrize("name", MERGEABLE)
@pytest.mark.parametrize("n_unknown", [1, N])
def test_unknown_propensities_are_an_abstention(name: str, n_unknown: int) -> None:
    """One is enough, at once and in parts; the reason says how many."""
    log = log_for(name, propensity=np.where(np.arange(N) < n_unknown, np.nan, 0.5))
    says = f"{n_unknown} of {N} logged decisions have no propensity" if n_unknown < N else "no propensities"
    with pytest.raises(UnsupportedEstimator, match=says):
        estimate(name, log)
    with pytest.raises(UnsupportedEstimator, match=says):
        in_parts(name, log, POLICY).require(name)


@pytest.mark.parametrize("name", WEIGHTED)
def test_a_log_without_any_weight_is_an_abstention(name: str) -> None:
    """A policy that does nothing of what was logged has no value here, not one of 0 or of its model alone."""
    log = log_for(name)
    with pytest.raises(UnsupportedEstimator, match=NO_WEIGHT):
        estimate(name, log, NEVER, ratios=DensityRatios(np.ones(N), np.zeros(N), np.ones(N), 0.0, "made up"))
    if name in MERGEABLE:
        with pytest.raises(UnsupportedEstimator, match=NO_WEIGHT):
            in_parts(name, log, NEVER).require(name)


@pytest.mark.parametrize("name", ["tis", "wis"])
@pytest.mark.parametrize("through", ["memory", "a table"])
def test_weights_of_whole_episodes_that_are_all_0_are_an_abstention(name: str, through: str) -> None:
    """First steps that the policy takes too don't make up for second ones that it never takes."""
    log = replace(log_for(name), action=np.arange(N) % 2)
    policy = TablePolicy(np.array([[1.0, 0.0, 0.0]]))
    with pytest.raises(UnsupportedEstimator, match=NO_WEIGHT):
        estimate(name, log, policy)
    found = in_parts(name, log, policy)
    if through == "a table":
        parts = merged_parts([partial_sums(policy, log, plan_for(name))])
        found = whole_log(from_table(to_table(parts)))
    with pytest.raises(UnsupportedEstimator, match=NO_WEIGHT):
        found.require(name)
    assert in_parts("pdis", log, policy).require("pdis").value() > 0


@pytest.mark.parametrize("name", MERGEABLE)
def test_a_level_is_never_chosen_on_a_part(name: str) -> None:
    """In parts an estimator with a level needs it given; those without have none to give."""
    found = sums_in_batches(POLICY, log_for(name), replace(plan_for(name), levels={}), max_rows=2)
    assert (name in found.refusals) == (ESTIMATORS[name].at_level is not None)


@dataclass(frozen=True)
class Ratios:
    """Density ratios of 1, and of pairs as the policy's own ratios."""

    def ratios(self, policy: Policy, episodes: LoggedEpisodes) -> DensityRatios:
        mask = episodes.mask()
        rows = np.arange(episodes.n_transitions)
        taken = policy.probabilities(episodes.features, mask)[rows, episodes.action] / 0.5
        return DensityRatios(np.ones(len(rows)), taken, np.ones(len(rows)), 0.0, "made up")


def plan_for(name: str) -> EstimationPlan:
    return EstimationPlan((name,), DISCOUNT, q_function=Q, ratio_model=Ratios(), levels={name: 1.5})


def in_parts(name: str, log: LoggedEpisodes, policy: Policy) -> Any:
    """Estimated episode by episode and merged."""
    return sums_in_batches(policy, log, plan_for(name), max_rows=1)


def sums_of(numerator: FloatArray, denominator: FloatArray) -> RatioSums:
    return RatioSums(np.arange(len(numerator)), numerator[:, None], denominator[:, None])


BAD_SUMS: dict[str, tuple[Callable[[], RatioSums], str]] = {
    "no units": (lambda: sums_of(np.ones(0), np.ones(0)), "at least two units"),
    "one unit": (lambda: sums_of(np.ones(1), np.ones(1)), "at least two units"),
    "NaN": (lambda: sums_of(spoiled(np.ones(N), np.nan), np.ones(N)), r"units \[4\]"),
    "infinite": (lambda: sums_of(spoiled(np.ones(N), np.inf), np.ones(N)), r"units \[4\]"),
    "NaN weight": (lambda: sums_of(np.ones(N), spoiled(np.ones(N), np.nan)), r"units \[4\]"),
    "too large together": (lambda: sums_of(np.full(N, 1e308), np.ones(N)), "no double can hold"),
    "lengths that disagree": (lambda: RatioSums(np.arange(N), np.ones((N, 1)), np.ones((N - 1, 1))), "have shapes"),
    "no weight": (lambda: sums_of(np.zeros(N), np.zeros(N)), NO_WEIGHT),
}


@pytest.mark.parametrize("method", INTERVAL_METHODS)
def test_sound_sums_give_an_interval(method: str) -> None:
    """What the tests below spoil."""
    found = make_interval(method, sums_of(np.arange(1.0, 41), np.ones(40)), level=0.9, resampling=DRAWS)
    assert found.lower <= found.value <= found.upper


@pytest.mark.parametrize("method", INTERVAL_METHODS)
@pytest.mark.parametrize("case", BAD_SUMS)
def test_no_interval_is_put_around_bad_sums(method: str, case: str) -> None:
    """Units are named where some are at fault."""
    make, says = BAD_SUMS[case]
    with pytest.raises(EvaluationError, match=says):
        make_interval(method, make(), level=0.9, resampling=DRAWS)


@pytest.mark.parametrize("method", INTERVAL_METHODS)
@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, np.nan])
def test_a_level_that_is_no_probability_is_refused(method: str, level: float) -> None:
    """95 isn't .95."""
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        make_interval(method, sums_of(np.arange(9.0), np.ones(9)), level=level, resampling=DRAWS)


def test_no_draws_are_refused() -> None:
    """A percentile of nothing is nothing."""
    with pytest.raises(EvaluationError, match="at least one draw"):
        Resampling(n_draws=0)


@pytest.mark.parametrize("method", ["linear", "neural"])
def test_no_q_function_is_fitted_to_an_outcome_that_is_no_number(method: Any) -> None:
    """Else the fit would say that it diverged, and not why."""
    log = log_for("dm")
    settings = FqeSettings(method=method, n_updates=2, n_rounds=1)
    with pytest.raises(EvaluationError, match=r"rows \[4\] have no finite outcome"):
        fit_fqe(POLICY, log, discount=DISCOUNT, settings=settings, reward=spoiled(np.ones(N), np.nan))


def test_nothing_needs_to_be_available_after_the_end() -> None:
    """Nobody decides at a terminal's next observation; an empty set there is no fault."""
    log = log_for(
        "pdis",
        availability=np.array([[True, True, False], [False] * 3]),
        next_mask_index=log_for("pdis").terminal.astype(int),
    )
    assert np.isfinite(estimate("pdis", log))


def test_large_features_are_no_bad_ones() -> None:
    """A sum that overflows isn't taken for a value that isn't finite."""
    large = np.full((N, 1), 3e38, dtype=np.float32)
    assert log_for("pdis", features=large, next_features=-large).n_transitions == N


def test_all_that_is_wrong_with_a_log_is_said_at_once() -> None:
    """Ends, numbers and availability are checked together."""
    log = log_for("pdis")
    with pytest.raises(DatasetError) as caught:
        log_for(
            "pdis",
            reward=spoiled(log.reward, np.nan),
            features=spoiled_features(np.nan),
            action=spoiled(log.action, 2).astype(int),
            terminal=np.zeros(N, dtype=bool),
        )
    for part in ("exactly one of terminal", "a reward that is not finite", "availability set", "features that are not"):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", ["on_policy", *WEIGHTED])
@pytest.mark.parametrize("size", [1e154, 1e305])
def test_rewards_without_a_square_are_an_abstention(name: str, size: float) -> None:
    """A value whose bounds no double can hold is no value."""
    with np.errstate(all="raise", under="ignore"), pytest.raises(UnsupportedEstimator, match="no double can hold"):
        estimate(name, log_for(name), reward=np.full(N, size))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"confidence": np.nan}, "confidence is nan"),
        ({"steps": -3}, "steps is -3"),
        ({"weight_clip": np.nan}, "weight_clip is nan"),
        ({"weight_clip": 0.0, "steps": 0}, "steps is 0.*weight_clip is 0"),
    ],
)
def test_settings_that_evaluate_nothing_are_refused_by_name(fields: dict[str, Any], says: str) -> None:
    """All fields that can't be are named at once, before anything is fitted."""
    with pytest.raises(EvaluationError, match=says):
        EvaluationSettings(DISCOUNT, **fields)


def test_limits_and_counts_that_are_none_are_refused() -> None:
    """In code as in specs."""
    with pytest.raises(EvaluationError, match=r"clip.*nan"):
        evaluation_sample(POLICY, log_for("pdis"), discount=DISCOUNT, clip=np.nan)
    with pytest.raises(EvaluationError, match="n_rounds is 0"):
        FqeSettings(n_rounds=0)
    with pytest.raises(EvaluationError, match="steps = -1"):
        fit_fqe(POLICY, log_for("dm"), discount=DISCOUNT, steps=-1, settings=FqeSettings(method="linear"))
    for make in (percentile_interval, widest):
        with pytest.raises(EvaluationError, match="between 0 and 1"):
            make(sums_of(np.arange(9.0), np.ones(9)), level=1.5, resampling=DRAWS)


def widest(sums: RatioSums, *, level: float, resampling: Resampling) -> Interval:
    return widest_intervals([sums], level=level, resampling=resampling)[0]
