from __future__ import annotations

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.errors import EvaluationError
from rl.ope.overlap.differing_units import RowWeights, effective_differing_units, row_weights
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.tabular_mdp import small_mdp


def weights(*values: float, unit: tuple[int, ...] | None = None) -> RowWeights:
    return RowWeights(np.array(values, dtype=np.float32), np.array(unit or range(len(values)), dtype=np.int32))


def test_units_that_differ_alike_count_one_each() -> None:
    """Those for which the two decide alike count nothing, however heavy they are."""
    assert effective_differing_units(weights(2, 0, 2, 9, 9), weights(1, 1, 1, 9, 9)) == pytest.approx(3)


def test_rows_of_a_unit_count_together() -> None:
    """Two rows of one shopper make one shopper."""
    candidate, baseline = (weights(*values, unit=(0, 0, 1, 1)) for values in ((2, 2, 3, 3), (1, 1, 1, 1)))
    assert effective_differing_units(candidate, baseline) == pytest.approx(1.8)


def test_equal_policies_differ_for_nobody() -> None:
    """Then there is nothing to tell apart."""
    assert effective_differing_units(weights(2, 1), weights(2, 1)) == 0.0


def test_other_rows_are_refused() -> None:
    """Weights of two samples can't be compared."""
    with pytest.raises(EvaluationError, match="the same rows"):
        effective_differing_units(weights(1, 1), weights(1, 1, unit=(0, 0)))


def test_row_weights_are_discounted_and_cumulative() -> None:
    """As estimators read them; the behavior policy's are the discount alone."""
    mdp = small_mdp(end_probability=0.4)
    log = mdp.log(mdp.random_policy(1), n_episodes=30, seed=0, max_steps=5)
    sample = evaluation_sample(mdp.random_policy(2), log, discount=DiscountFunction(0.9))
    found = row_weights(sample)
    own = row_weights(evaluation_sample(None, log, discount=DiscountFunction(0.9)), beside=found)
    assert found is not None and own is not None and sample.weights is not None
    assert np.allclose(found.weight, 0.9**log.step * sample.weights.cumulative)
    assert np.allclose(own.weight, 0.9**log.step)
    assert np.array_equal(found.unit, log.unit[log.episode])
    assert own.unit is found.unit
