"""What a logged decision brought later."""

from __future__ import annotations

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.learning.closed_form.later_rewards import LaterRewards, later_rewards
from rl.learning.replay.replay_columns import columns_of
from tests.rl.factories import make_logged_episodes


def later(*, lookahead: float = 1.0, terminal: tuple[bool, bool] = (True, True)) -> LaterRewards:
    """Of episodes of two and three steps that earn 1, 2 and 3, 4, 5, at a discount of one half."""
    n, ends = 5, np.zeros(5, dtype=bool)
    ends[[1, 4]] = terminal
    cut = np.zeros(5, dtype=bool)
    cut[[1, 4]] = ~np.array(terminal)
    features = np.arange(n, dtype=np.float32)[:, None]
    episodes = make_logged_episodes(
        [2, 3],
        reward=np.array([1.0, 2, 3, 4, 5]),
        features=features,
        next_features=features + 1 + 10 * (ends | cut)[:, None],
        terminal=ends,
        timeout=cut,
    )
    return later_rewards(columns_of(episodes), DiscountFunction(0.5), lookahead)


def test_returns_are_sums_to_the_end_of_the_episode() -> None:
    """1 + 2/2, then 3 + 4/2 + 5/4: no reward of the next episode."""
    found = later()
    assert found.returns.tolist() == [2.0, 2.0, 6.25, 6.5, 5.0]
    assert found.is_told.all()


def test_without_a_look_ahead_they_are_the_rewards() -> None:
    """Every row tells its own, cut or not."""
    found = later(lookahead=0.0, terminal=(False, False))
    assert found.returns.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert found.is_told.all()


def test_a_look_ahead_multiplies_the_discount() -> None:
    """Half of one half."""
    assert later(lookahead=0.5).returns.tolist() == [1.5, 2.0, 3 + 1 + 5 / 16, 5.25, 5.0]


def test_rows_before_a_cut_are_left_out_while_much_lies_behind_it() -> None:
    """An eighth of the rewards behind the cut counts in the first of three rows: more than a twentieth."""
    assert later(terminal=(True, False)).is_told.tolist() == [True, True, False, False, False]
    assert later(terminal=(True, False), lookahead=0.5).is_told.tolist() == [True, True, True, False, False]
