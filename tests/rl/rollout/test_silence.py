"""Whether it may be by lots that a version decided for nobody."""

from __future__ import annotations

import pytest

from rl.rollout.silence import is_surely_silent


@pytest.mark.parametrize(
    ("n_replaced", "share", "is_sure"),
    [
        (134, 0.05, False),  # .95^134 = .00104
        (135, 0.05, True),  # .95^135 = .00098
        (0, 0.05, False),
        (0, 1.0, False),
        (1, 1.0, True),
    ],
)
def test_a_version_is_surely_silent_where_lots_do_it_once_in_a_thousand(
    n_replaced: int, share: float, is_sure: bool
) -> None:
    assert is_surely_silent(n_replaced, share) is is_sure
