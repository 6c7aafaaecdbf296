"""Arms as large as they were drawn."""

from __future__ import annotations

import pytest
from scipy.stats import chisquare

from rl.rollout.mismatch import SURELY_MISMATCHED, size_mismatch


def test_it_is_the_chi_square_of_both_arms() -> None:
    assert size_mismatch(520, 9480, 0.05) == pytest.approx(chisquare([520, 9480], [500, 9500]).pvalue)


def test_a_tenth_that_went_missing_is_seen() -> None:
    assert size_mismatch(1800, 8000, 0.2) < SURELY_MISMATCHED
    assert size_mismatch(2000, 8000, 0.2) == pytest.approx(1.0)


@pytest.mark.parametrize(("n_new", "n_replaced"), [(0, 0), (0, 60), (4, 90)])
def test_few_shoppers_tell_nothing(n_new: int, n_replaced: int) -> None:
    assert size_mismatch(n_new, n_replaced, 0.05) == 1.0
