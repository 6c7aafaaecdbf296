"""MIPS as a night's second opinion."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from rl.errors import UnsupportedEstimator
from rl.night.second_look.categories import action_categories, category_opinion
from rl.night.second_look.opinions import SecondOpinion
from rl.ope.estimators.importance_sampling import on_policy
from tests.rl.night_factory import made_night
from tests.rl.ope.estimators.test_category_weights import CATEGORIES, N_ACTIONS, policies, shop_of_categories

NAMES = tuple(f"item-{action:02d}" for action in range(N_ACTIONS))
BY_ITEM = {name: f"category-{category}" for name, category in zip(NAMES, CATEGORIES, strict=True)}
PROBLEM = shop_of_categories()
BEHAVIOR, POLICY = policies(PROBLEM)


@cache
def opinion(*, is_logged: bool = True, has_champion: bool = False) -> SecondOpinion:
    """On 5,000 single decisions of a shop where categories alone decide what is earned."""
    night = made_night(
        PROBLEM.log(BEHAVIOR, n=2000, seed=3),
        PROBLEM.log(BEHAVIOR, n=5000, seed=4),
        POLICY,
        champion=BEHAVIOR if has_champion else None,
        is_logged=is_logged,
    )
    return category_opinion(night, names=NAMES, categories=BY_ITEM)


def test_actions_without_a_category_are_their_own() -> None:
    """Two items share one, the other two stand alone, even where an item is called like the category."""
    found = action_categories(("a", "b", "c", "shoes"), {"a": "shoes", "b": "shoes"})
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 3


@pytest.mark.parametrize(
    ("categories", "reason"),
    [
        ({}, "none of the 2 actions is an item whose category is known"),
        ({"a": "shoes", "b": "hats"}, "no two of the 2 actions share a category"),
    ],
)
def test_categories_that_merge_nothing_are_refused(categories: dict[str, str], reason: str) -> None:
    """Unknown ones, and as many as there are actions."""
    with pytest.raises(UnsupportedEstimator, match=reason):
        action_categories(("a", "b"), categories)


def test_mips_finds_the_gain_where_categories_decide() -> None:
    """Gain and values lie within 4 standard errors of the truth; more is left of the log than by actions."""
    found = opinion()
    assert found.gain is not None
    truth = PROBLEM.exact_value(POLICY) - PROBLEM.exact_value(BEHAVIOR)
    assert abs(found.gain.value - truth) < 4 * found.gain.standard_error
    candidate, behavior = found.reports
    assert (candidate.policy, candidate.estimator, behavior.policy) == ("candidate", "mips", "behavior")
    night = made_night(PROBLEM.log(BEHAVIOR, n=2000, seed=3), PROBLEM.log(BEHAVIOR, n=5000, seed=4), POLICY)
    of_actions = night.evaluation.report("candidate", "dr").effective_sample_size
    assert candidate.effective_sample_size is not None
    assert of_actions is not None
    assert candidate.effective_sample_size > 1.5 * of_actions
    assert behavior.value == pytest.approx(on_policy(night.samples.baseline).value())


def test_mips_weights_a_champion_by_category_too() -> None:
    """A champion that is the logging policy is worth what the log earned, within its own interval."""
    found = opinion(has_champion=True)
    _, champion = found.reports
    assert champion.policy == "champion"
    assert champion.lower is not None
    assert champion.upper is not None
    assert champion.lower < PROBLEM.exact_value(BEHAVIOR) < champion.upper


def test_mips_gives_the_reason_on_implied_decisions_and_without_categories() -> None:
    """No figure, but why."""
    assert "implied" in str(opinion(is_logged=False).refusal)
    log = PROBLEM.log(BEHAVIOR, n=500, seed=4)
    night = made_night(log, log, POLICY)
    found = category_opinion(night, names=NAMES, categories={})
    assert found.gain is None
    assert "category is known" in str(found.refusal)
    assert all(report.refusal == found.refusal and report.value is None for report in found.reports)
    assert np.isfinite(night.evaluation.report("candidate", "dr").value or np.nan)
