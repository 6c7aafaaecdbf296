"""Bounds of values under hidden reasons behind the logged choices."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.estimators.doubly_robust import wdr
from rl.ope.estimators.importance_sampling import wpdis
from rl.ope.overlap.confounding_sensitivity import ConfoundedValue, smallest_gamma
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.tabular_mdp import episodes_of


class _AlwaysFirst:
    version = "always the first action"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:  # noqa: ARG002
        return np.broadcast_to([1.0, 0.0], mask.shape).astype(np.float64)


def confounded_log() -> LoggedEpisodes:
    """2,000 visits of which half have a hidden wish: it earns 1 if the first action is taken, which is then likelier.

    The action is taken with probability .8 where there is a wish and .4 where there is none, in exactly those shares;
    the log's propensity, which can't know, is the mean: .6, and .4 of the other action.
    """
    n_taken = {True: 800, False: 400}
    rewards = [1.0] * n_taken[True] + [0.0] * n_taken[False] + [0.0] * 800
    propensities = [0.6] * 1200 + [0.4] * 800
    log = episodes_of([[reward] for reward in rewards], [[p] for p in propensities])
    return replace(log, action=(np.arange(2000) >= 1200).astype(np.int64))


def confounded_value(log: LoggedEpisodes) -> tuple[ConfoundedValue, EvaluationSample]:
    sample = evaluation_sample(_AlwaysFirst(), log, discount=DiscountFunction(1.0))
    return ConfoundedValue(sample, log.propensity), sample


def odds(probability: float) -> float:
    return probability / (1 - probability)


def random_episodes(seed: int = 0, n_episodes: int = 4) -> tuple[EvaluationSample, FloatArray]:
    """Episodes of one or two steps with made-up weights, rewards and values."""
    rng = np.random.default_rng(seed)
    lengths = [1 + int(k % 2) for k in range(n_episodes)]
    log = episodes_of(
        [list(rng.normal(size=n)) for n in lengths], [list(rng.uniform(0.2, 0.8, size=n)) for n in lengths]
    )
    n = log.n_transitions
    values = ActionValues(rng.normal(size=n), rng.normal(size=n), np.zeros(n))
    return evaluation_sample(_AlwaysFirst(), log, discount=DiscountFunction(0.9), values=values), log.propensity


def test_bounds_at_the_true_strength_contain_the_truth() -> None:
    """The log says .667; without the hidden wish's sway it is .5, which the bounds hold from the true strength on."""
    value, sample = confounded_value(confounded_log())
    assert wpdis(sample).value() == pytest.approx(2 / 3)
    gamma = max(odds(0.8) / odds(0.6), odds(0.6) / odds(0.4))
    bounds = value.bounds(gamma)
    assert bounds.lower < 0.5 < bounds.upper
    assert value.bounds(1.5).lower > 0.5


def test_smallest_strength_is_the_closed_form() -> None:
    """800 (1 + g / s) = 400 (1 + g s), g = 2/3, says where the bound reaches .5: s = (1 + sqrt(41) / 3) / (4 / 3)."""
    value, _ = confounded_value(confounded_log())
    found = smallest_gamma(lambda gamma: 2 / 3 - value.bounds(gamma).lower, 2 / 3 - 0.5)
    assert found == pytest.approx((1 + np.sqrt(41) / 3) / (4 / 3), rel=2e-3)


def test_bounds_at_strength_one_are_the_estimate() -> None:
    """No hidden reason: both bounds are WPDIS, or WDR where there are fitted values."""
    sample, propensity = random_episodes()
    for estimate, has_values in ((wdr, True), (wpdis, False)):
        used = sample if has_values else replace(sample, values=None)
        bounds = ConfoundedValue(used, propensity).bounds(1.0)
        assert bounds.lower == pytest.approx(estimate(used).value())
        assert bounds.upper == pytest.approx(estimate(used).value())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bounds_of_one_step_are_the_best_of_all_corners(seed: int) -> None:
    """Trying every corner of the box of inverse propensities finds nothing beyond the sorted solution, and reaches it.

    A linear-fractional program is at its best in a corner; six rows have 64.
    """
    rng = np.random.default_rng(seed)
    propensity = rng.uniform(0.1, 0.9, size=6)
    reward = rng.normal(size=6)
    log = episodes_of([[r] for r in reward], [[p] for p in propensity])
    sample = evaluation_sample(_AlwaysFirst(), log, discount=DiscountFunction(1.0))
    gamma = 1.7
    ends = np.stack([1 + (1 / propensity - 1) / gamma, 1 + (1 / propensity - 1) * gamma])
    corners = [ends[list(corner), np.arange(6)] for corner in product((0, 1), repeat=6)]
    values = [(weight * reward).sum() / weight.sum() for weight in corners]
    bounds = ConfoundedValue(sample, propensity).bounds(gamma)
    assert (bounds.lower, bounds.upper) == (pytest.approx(min(values)), pytest.approx(max(values)))


def test_bounds_of_episodes_hold_every_corner() -> None:
    """Over two steps the steps are bounded apart, so no corner of the steps' boxes gives a value outside."""
    sample, propensity = random_episodes()
    gamma = 1.5
    bounds = ConfoundedValue(sample, propensity).bounds(gamma)
    ratio = sample.require_weights()  # of first rows: the ratio itself
    assert ratio[0] == pytest.approx(1 / propensity[0])
    for corner in product((1 / gamma, gamma), repeat=len(propensity)):
        inverse = 1 + (1 / propensity - 1) * np.array(corner)
        log = episodes_of(
            [[0.0] * n for n in sample.lengths], [list(p) for p in np.split(1 / inverse, sample.offsets[1:-1])]
        )
        other = evaluation_sample(_AlwaysFirst(), log, discount=DiscountFunction(0.9))
        value = wdr(replace(sample, weights=other.weights)).value()
        assert bounds.lower - 1e-9 <= value <= bounds.upper + 1e-9


def test_bounds_widen_with_the_strength() -> None:
    """A stronger hidden reason can do all that a weaker one can."""
    sample, propensity = random_episodes(1, 12)
    value = ConfoundedValue(sample, propensity)
    found = [value.bounds(gamma) for gamma in (1.0, 1.2, 2.0, 5.0)]
    assert all(later.lower < earlier.lower for earlier, later in pairwise(found))
    assert all(later.upper > earlier.upper for earlier, later in pairwise(found))


def test_a_choice_without_alternative_cannot_be_confounded() -> None:
    """Where every propensity is 1 no hidden reason had anything to decide."""
    log = episodes_of([[1.0], [3.0]], [[1.0], [1.0 - 1e-15]])
    bounds = confounded_value(log)[0].bounds(50.0)
    assert (bounds.lower, bounds.upper) == (pytest.approx(2.0), pytest.approx(2.0))


def test_a_gain_that_nothing_undoes_has_no_strength() -> None:
    """Where even a hundredfold reason isn't enough the answer is None, not a large number."""
    assert smallest_gamma(lambda gamma: 0.1 * (1 - 1 / gamma), 1.0) is None


def test_a_margin_of_nothing_is_refused() -> None:
    """A gain that isn't there can't be undone."""
    with pytest.raises(EvaluationError, match="nothing that a hidden reason could use up"):
        smallest_gamma(lambda gamma: gamma - 1, 0.0)


def test_a_strength_below_one_is_refused() -> None:
    """Strength is a factor between odds; 1 means no hidden reason."""
    with pytest.raises(EvaluationError, match="strength 1"):
        confounded_value(confounded_log())[0].bounds(0.5)
