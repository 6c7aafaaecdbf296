from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.category_weights import by_categories, category_sample
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import standard_error
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.one_step_logs import DISCOUNT, Bandit, bandit
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of

N_ACTIONS = 12
CATEGORIES = np.arange(N_ACTIONS) % 3
BEHAVIOR_SEED, POLICY_SEED = 1, 2


def shop_of_categories(*, noise: float = 0.5) -> Bandit:
    """A bandit in which an action's category alone decides what it earns."""
    problem = bandit(n_actions=N_ACTIONS, noise=noise)
    return replace(problem, mean_reward=problem.mean_reward[:, CATEGORIES])


def policies(problem: Bandit) -> tuple[TablePolicy, TablePolicy]:
    """Behavior and evaluation policy, far apart."""
    return problem.random_policy(BEHAVIOR_SEED, sharpness=2.0), problem.random_policy(POLICY_SEED, sharpness=1.5)


def test_mips_with_a_queryable_behavior_policy_finds_the_true_value() -> None:
    """On 20,000 rows MIPS lies within 4 standard errors of the truth, where categories alone earn."""
    problem = shop_of_categories()
    behavior, policy = policies(problem)
    log = problem.log(behavior, n=20_000, seed=4)
    sample = category_sample(policy, log, CATEGORIES, discount=DISCOUNT, behavior=behavior)
    sums = ESTIMATORS["mips"].per_unit_sums(sample)
    assert abs(sums.value() - problem.exact_value(policy)) < 4 * standard_error(sums)
    assert sample.category_source == "queried"
    assert sample.n_categories == 3


def test_mips_varies_less_than_ips() -> None:
    """Weights of 3 categories instead of 12 actions: less than half the standard error on the same rows."""
    problem = shop_of_categories()
    behavior, policy = policies(problem)
    log = problem.log(behavior, n=5000, seed=4)
    of_categories = category_sample(policy, log, CATEGORIES, discount=DISCOUNT, behavior=behavior)
    of_actions = evaluation_sample(policy, log, discount=DISCOUNT)
    errors = [
        standard_error(ESTIMATORS[name].per_unit_sums(sample))
        for name, sample in (("mips", of_categories), ("ips", of_actions))
    ]
    assert errors[0] < 0.5 * errors[1]


def test_mips_with_one_category_for_each_action_is_ips() -> None:
    """Nothing is merged, so the weights are those of the actions."""
    problem = bandit()
    behavior, policy = policies(problem)
    log = problem.log(behavior, n=200, seed=1)
    sample = category_sample(policy, log, np.arange(4), discount=DISCOUNT, behavior=behavior)
    np.testing.assert_allclose(
        sample.require_weights(), evaluation_sample(policy, log, discount=DISCOUNT).require_weights(), rtol=1e-9
    )


def test_mips_is_biased_by_what_the_policy_does_within_categories() -> None:
    """Where actions of one category earn differently, the bias is the closed-form one, and not nil.

    The expectation is the policy's choice of category with the behavior policy's choice within it.
    """
    problem = bandit(n_actions=N_ACTIONS)
    behavior, policy = policies(problem)
    to_category = np.eye(3)[CATEGORIES]
    share = (policy.table @ to_category) / (behavior.table @ to_category)
    expected = float(problem.start @ (behavior.table * share[:, CATEGORIES] * problem.mean_reward).sum(axis=1))
    log = problem.log(behavior, n=20_000, seed=4)
    sample = category_sample(policy, log, CATEGORIES, discount=DISCOUNT, behavior=behavior)
    sums = ESTIMATORS["mips"].per_unit_sums(sample)
    assert abs(sums.value() - expected) < 4 * standard_error(sums)
    assert abs(expected - problem.exact_value(policy)) > 8 * standard_error(sums)


@pytest.mark.parametrize("is_known", [True, False])
def test_mips_with_an_estimated_behavior_policy_finds_the_true_value(is_known: bool) -> None:
    """Without the policy, with or without logged propensities, the estimate is within .1 of the truth of about 1.

    The standard error is about .02; the rest is left to the regression's error.
    """
    problem = shop_of_categories()
    behavior, policy = policies(problem)
    log = problem.log(behavior, n=5000, seed=4)
    if not is_known:
        log = replace(log, propensity=np.full(log.n_transitions, np.nan))
    sample = category_sample(policy, log, CATEGORIES, discount=DISCOUNT)
    assert sample.category_source == "estimated"
    found = ESTIMATORS["mips"].per_unit_sums(sample).value()
    assert found == pytest.approx(problem.exact_value(policy), abs=0.1)


def test_an_estimated_category_is_at_least_as_likely_as_its_logged_action() -> None:
    """A logged propensity is a lower bound of its category's, so no weight exceeds pi(c|x) over it."""
    problem = shop_of_categories()
    behavior, policy = policies(problem)
    log = problem.log(behavior, n=300, seed=4)
    sample = category_sample(policy, log, CATEGORIES, discount=DISCOUNT)
    of_category = (policy.table @ np.eye(3)[CATEGORIES])[log.mask_index, CATEGORIES[log.action]]
    assert (sample.require_weights() <= of_category / log.propensity * (1 + 1e-9)).all()


def test_mips_refuses_where_the_behavior_policy_is_neither_known_nor_can_be_estimated() -> None:
    """Three shoppers are too few to estimate what the log did, and the refusal says so."""
    problem = shop_of_categories()
    behavior, policy = policies(problem)
    log = problem.log(behavior, n=30, seed=4, n_units=3)
    with pytest.raises(UnsupportedEstimator, match="3 units are too few"):
        category_sample(policy, log, CATEGORIES, discount=DISCOUNT)


def test_mips_refuses_weights_of_actions() -> None:
    """A plain sample has no categories."""
    problem = bandit()
    behavior, policy = policies(problem)
    sample = evaluation_sample(policy, problem.log(behavior, n=20, seed=1), discount=DISCOUNT)
    with pytest.raises(UnsupportedEstimator, match="no categories of actions"):
        ESTIMATORS["mips"].per_unit_sums(sample)


def test_mips_refuses_a_log_of_one_category() -> None:
    """A policy that is sure of the category shows nothing of the others, however many actions it takes."""
    problem = bandit()
    table = np.array([[0.5, 0.5, 0.0, 0.0]] * 5)
    log = problem.log(TablePolicy(table), n=40, seed=1)
    sample = category_sample(
        problem.random_policy(2), log, np.array([0, 0, 1, 1]), discount=DISCOUNT, behavior=TablePolicy(table)
    )
    with pytest.raises(UnsupportedEstimator, match="deterministic"):
        ESTIMATORS["mips"].per_unit_sums(sample)


@pytest.mark.parametrize(
    ("category", "message"),
    [(np.zeros(3, dtype=np.int64), r"shape \(3,\), expected one for each of 4"), (np.array([0, -1, 1, 0]), r"\[1\]")],
)
def test_categories_that_do_not_fit_are_refused(category: np.ndarray, message: str) -> None:
    """A list of another length, or an action without a category, is an error."""
    problem = bandit()
    behavior, policy = policies(problem)
    with pytest.raises(EvaluationError, match=message):
        category_sample(policy, problem.log(behavior, n=20, seed=1), category, discount=DISCOUNT, behavior=behavior)


def test_a_behavior_policy_that_cannot_have_made_the_log_is_refused() -> None:
    """Rows whose category the named policy never takes are named."""
    problem = bandit()
    behavior, policy = policies(problem)
    never = TablePolicy(np.array([[0.0, 0.5, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]] + [[0.0, 0.5, 0.5, 0.0]] * 3))
    with pytest.raises(EvaluationError, match=r"rows \[\d.*that policy table never takes"):
        category_sample(
            policy, problem.log(behavior, n=20, seed=1), np.array([0, 1, 1, 0]), discount=DISCOUNT, behavior=never
        )


def test_longer_episodes_are_refused() -> None:
    """Categories are weighted in one-step episodes, and the refusal says how to make them."""
    log = episodes_of([[1, 2], [3]], [[0.5, 0.5], [0.5]])
    half = TablePolicy(np.array([[0.5, 0.5]]))
    with pytest.raises(UnsupportedEstimator, match="as_decisions"):
        category_sample(half, log, np.array([0, 1]), discount=DiscountFunction(1.0), behavior=half)


def test_a_category_is_available_where_any_of_its_actions_is() -> None:
    """Merging actions merges their availability, and forgets the actions' propensities."""
    problem = Bandit(np.zeros((1, 4)), np.array([[True, False, False, True]]), np.ones(1))
    log: LoggedEpisodes = problem.log(problem.random_policy(0), n=10, seed=0)
    merged = by_categories(log, np.array([0, 1, 1, 2]))
    np.testing.assert_array_equal(merged.availability, [[True, False, True]])
    np.testing.assert_array_equal(merged.action, np.where(log.action == 3, 2, 0))
    assert np.isnan(merged.propensity).all()
