"""The two rules are compared at a share that weights alone choose, with an interval that is paired."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rl.data.logged_episodes import LoggedEpisodes
from rl.ope.intervals.intervals import Resampling
from rl.ope.intervals.sums import RatioSums
from rl.worth.comparison import MARGIN, Judged, compare_rules, predict_rules, share_reached
from rl.worth.movement import Floors
from tests.rl.worth.worth_logs import DISCOUNT, make_log, predictions_of

RESAMPLING = Resampling(n_draws=300)


def compared(log: LoggedEpisodes, floors: Floors | None = None) -> Judged:
    return compare_rules(
        log,
        predictions_of(log),
        discount=DISCOUNT,
        steps=None,
        floors=floors or Floors(1, 1),
        level=0.95,
        resampling=RESAMPLING,
    )


def sums(values: np.ndarray) -> RatioSums:
    return RatioSums(np.arange(len(values)), values[:, None], np.ones((len(values), 1)))


def test_look_ahead_earns_more_where_the_best_action_drives_shoppers_away() -> None:
    """The action of the largest reward ends nine visits in ten: the one-step rule's share lies below 1."""
    reached = compared(make_log(n_shoppers=500, leaving=(0.05, 0.05, 0.9))).comparison.share_reached
    assert reached.upper is not None and reached.upper < 1


def test_share_is_chosen_without_a_look_at_rewards() -> None:
    """Rewards in another order lead to the same share."""
    log = make_log(n_shoppers=60)
    shuffled = replace(log, reward=np.random.default_rng(0).permutation(log.reward))
    assert compared(log).comparison.share_handed == compared(shuffled).comparison.share_handed


def test_a_thin_logger_gets_a_smaller_share_and_a_smaller_margin() -> None:
    """Where the usual choice is far from the logged propensities, fewer decisions are handed over."""
    log = make_log(n_shoppers=100)
    uneven = np.random.default_rng(1).choice([0.02, 0.9], size=log.n_transitions, p=[0.2, 0.8])
    found = compared(replace(log, propensity=uneven)).comparison
    assert found.share_handed < 1
    assert found.margin == MARGIN * found.share_handed


def test_floors_of_the_gate_are_asked_of_both_rules() -> None:
    """A floor above the number of shoppers isn't reached."""
    log = make_log(n_shoppers=60)
    assert not compared(log, Floors(61, 1)).is_enough
    assert not compared(log, Floors(1, 61)).is_enough
    assert compared(log, Floors(10, 10)).is_enough


def test_share_reached_is_paired() -> None:
    """Two policies that earn in proportion shopper by shopper have a share known exactly, however noisy each is."""
    noisy = np.random.default_rng(0).exponential(size=200)
    found = share_reached(sums(0.9 * noisy), sums(noisy), level=0.95, resampling=RESAMPLING)
    np.testing.assert_allclose([found.value or 0, found.lower or 0, found.upper or 0], 0.9)


def test_share_reached_of_a_value_that_is_not_positive_is_unknown() -> None:
    """No share can be taken of nothing."""
    assert share_reached(sums(np.ones(5)), sums(-np.ones(5)), level=0.95, resampling=RESAMPLING).value is None


def test_predict_rules_needs_no_propensities_and_says_what_it_is() -> None:
    """Without propensities there are values, marked as predictions, and no effective sample sizes."""
    log = make_log(n_shoppers=60)
    bare = replace(log, propensity=np.full(log.n_transitions, np.nan))
    found = predict_rules(bare, predictions_of(bare), discount=DISCOUNT, steps=None, level=0.95, resampling=RESAMPLING)
    assert found.is_prediction and found.estimator == "dm"
    assert found.policies[1].value.value is not None
    assert found.policies[1].effective_sample_size is None
