"""Numbers belong to a shopper and a week, not to the batch that asks for them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rl.shops.promotion.chance import Chance


@given(first=st.integers(0, 300), n_rows=st.integers(0, 40), n_draws=st.integers(1, 11), week=st.integers(0, 60))
def test_rows_do_not_depend_on_the_batch(first: int, n_rows: int, n_draws: int, week: int) -> None:
    """Any batch holds the same rows as the table that was drawn whole."""
    chance = Chance((3, 5))
    whole = chance.uniforms(2, week, first=0, n_rows=first + n_rows, n_draws=n_draws)
    batch = chance.uniforms(2, week, first=first, n_rows=n_rows, n_draws=n_draws)
    np.testing.assert_array_equal(batch, whole[first:])
    assert batch.shape == (n_rows, n_draws)


def test_streams_weeks_and_seeds_differ() -> None:
    """No two tables share a number, and the numbers are uniform."""
    tables = [
        Chance(seeds).uniforms(stream, week, first=0, n_rows=500, n_draws=3)
        for seeds in ((1,), (2,), (1, 0))
        for stream in (1, 2)
        for week in (0, 1)
    ]
    together = np.concatenate([table.ravel() for table in tables])
    assert len(np.unique(together)) == len(together)
    # Kolmogorov's distance of 18,000 uniforms exceeds 0.0145 once in a thousand.
    ranks = (np.arange(len(together)) + 0.5) / len(together)
    assert np.abs(np.sort(together) - ranks).max() < 0.0145
