"""Where the log has never been."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.errors import UnsupportedEstimator
from rl.night.action_shares import ActionShares
from rl.night.support_summary import support_bands, unseen_actions, weight_shares
from rl.ope.samples.sample import evaluation_sample
from tests.rl.factories import make_logged_episodes

NAMES = ("seen often", "seen twice", "never", "never, nor wanted")
LOG = make_logged_episodes([1] * 14, 4, action=np.array([0] * 12 + [1] * 2))
SHARES = ActionShares(np.array([12, 2, 0, 0]) / 14, np.array([0.5, 0.2, 0.3, 0.0]))


class Fixed:
    """A policy of given probability for the logged action of each row."""

    version = "fixed"

    def __init__(self, taken: np.ndarray) -> None:
        self._taken = taken

    def probabilities(self, features: np.ndarray, mask: np.ndarray) -> np.ndarray:  # noqa: ARG002 -- a Policy
        """The row number is its only feature; the rest goes to the last action."""
        taken = self._taken[features[:, 0].astype(int)]
        return np.stack([taken, 1 - taken], axis=1)


def test_bands_divide_the_vocabulary_by_how_often_the_log_took_each() -> None:
    """Counts run over all splits given; the shares of all bands are whole."""
    bands = {(band.least, band.most): band for band in support_bands(SHARES, LOG)}
    assert [bands[key].n_actions for key in ((0, 0), (1, 9), (10, 99), (100, 999), (1000, None))] == [2, 1, 1, 0, 0]
    assert bands[0, 0].policy == pytest.approx(0.3)
    assert sum(band.logged for band in bands.values()) == pytest.approx(1)
    assert sum(band.policy for band in bands.values()) == pytest.approx(1)
    assert {(band.least, band.n_actions) for band in support_bands(SHARES, *[LOG] * 5)} >= {(10, 2), (1, 0)}


def test_unseen_actions_are_those_that_the_policy_would_take() -> None:
    """What nobody took and nobody wants isn't worth a line."""
    assert unseen_actions(SHARES, NAMES, LOG) == (("never", 0.3),)


def test_weight_shares_count_the_heaviest_shoppers_first() -> None:
    """One shopper of weight 6 among nine of weight 2/3 holds half of all."""
    log = make_logged_episodes(
        [1] * 10,
        2,
        action=np.zeros(10, dtype=np.int64),
        propensity=np.full(10, 0.1),
    )
    taken = np.array([0.6] + [0.6 / 9] * 9)
    found = weight_shares(evaluation_sample(Fixed(taken), log, discount=DiscountFunction(1.0)))
    assert (found.n_units, found.n_for_half) == (10, 1)
    assert found.held[0] == 0.0
    assert found.held[1] == pytest.approx(0.5)
    assert found.held[-1] == pytest.approx(1.0)
    assert (np.diff(found.held) >= 0).all()


def test_weight_shares_refuse_a_log_without_propensities() -> None:
    """No weights, no curve."""
    log = make_logged_episodes([1] * 4, 2, propensity=np.full(4, np.nan))
    with pytest.raises(UnsupportedEstimator, match="no propensities"):
        weight_shares(evaluation_sample(Fixed(np.full(4, 0.5)), log, discount=DiscountFunction(1.0)))
