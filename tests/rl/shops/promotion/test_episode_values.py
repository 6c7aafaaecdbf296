"""True values per episode: on the log's own footing, whatever the batch, and without a trace of a played block."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.errors import ShopError
from rl.shops.promotion.episode_values import Block, EpisodeReturns, JudgedEpisodes, played_returns
from rl.shops.promotion.fixed_policies import everybody_policy, nobody_policy
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.simulate import simulate
from rl.shops.promotion.watched_weeks import Player

SETTINGS = PromotionSettings(n_weeks=12, n_shoppers=1500)
BLOCKS = [Block(first=4, end=8, starts=(4, 5, 6, 7)), Block(first=8, end=11, starts=(8, 9, 10))]
JUDGED = JudgedEpisodes(BLOCKS, DiscountFunction(0.9), steps=8)
PLAYERS: dict[str, Player] = {
    "behavior": lambda weeks: weeks.play_on_columns(logging_policy(SETTINGS)),
    "nobody": lambda weeks: weeks.play(nobody_policy()),
    "letters": lambda weeks: weeks.play(everybody_policy(4)),
}


def played(
    judged: JudgedEpisodes = JUDGED, n_shoppers: int = 3000, batch_shoppers: int = 8192
) -> dict[str, EpisodeReturns]:
    return played_returns(
        SETTINGS, PLAYERS, judged, pipeline=None, n_shoppers=n_shoppers, seed=3, batch_shoppers=batch_shoppers
    )


def test_the_behavior_policy_earns_what_logs_say() -> None:
    """The mean discounted profit of a log's own blocks, newcomers' shorter ones included, within five errors."""
    simulation = simulate(SETTINGS)
    joined, returns, n_episodes = simulation.population.joined_week, 0.0, 0
    for block in BLOCKS:
        start = np.maximum(joined, block.first)
        n_episodes += int((start < block.end).sum())
        for week in simulation.weeks[block.first : block.end]:
            returns += float((0.9 ** (week.week - start[week.row]) * week.profit).sum()) / 1e6
    value = played()["behavior"].value()
    assert abs(value.value - returns / n_episodes) < 5 * value.standard_error * np.sqrt(1 + 3000 / 1500)
    assert value.n_episodes > 4500


def test_blocks_leave_no_trace() -> None:
    """What a policy earns in a block doesn't depend on which other policies were played, nor on earlier blocks."""
    last = JudgedEpisodes(BLOCKS[1:], DiscountFunction(0.9), steps=8)
    first = JudgedEpisodes(BLOCKS[:1], DiscountFunction(0.9), steps=8)
    both, one, other = played(), played(first), played(last)
    for name in PLAYERS:
        assert np.allclose(both[name].returns, one[name].returns + other[name].returns)


def test_batches_change_nothing() -> None:
    """Chance belongs to shopper and week."""
    whole, parts = played(), played(batch_shoppers=1024)
    for name in PLAYERS:
        assert np.array_equal(whole[name].returns, parts[name].returns)
        assert np.array_equal(whole[name].n_episodes, parts[name].n_episodes)


def test_a_gain_is_paired() -> None:
    """Letters to everybody lose against nothing, by far more than the paired error, which is below the unpaired one."""
    found = played()
    gain = found["letters"].above(found["nobody"])
    assert gain.value < -5 * gain.standard_error
    assert gain.standard_error < np.hypot(
        found["letters"].value().standard_error, found["nobody"].value().standard_error
    )


def test_steps_and_weeks_beyond_bound_a_value() -> None:
    """One step is the first week alone; weeks beyond a block count for what the discount leaves of them."""
    block = [Block(first=4, end=8, starts=(4,))]
    one, four, more = (
        played(JudgedEpisodes(block, DiscountFunction(0.9), steps, beyond))["nobody"].value().value
        for steps, beyond in ((1, 0), (4, 0), (12, 8))
    )
    assert one < four < more
    assert more / four == pytest.approx((1 - 0.9**12) / (1 - 0.9**4), rel=0.2)


def test_starts_choose_the_episodes() -> None:
    """Newcomers of a block's later weeks have episodes of their own; none is judged outside the given weeks."""
    all_starts = played()["nobody"].n_episodes.sum()
    first_alone = JudgedEpisodes([Block(4, 8, (4,)), Block(8, 11, (8,))], DiscountFunction(0.9), steps=8)
    assert 0 < all_starts - played(first_alone)["nobody"].n_episodes.sum() < 0.1 * all_starts


def test_nobody_to_judge_is_an_error() -> None:
    """One shopper who joins later has no episode: an error, no division by 0."""
    late = PromotionSettings(n_weeks=12, n_shoppers=1, newcomer_share=0.999)
    judged = JudgedEpisodes([Block(0, 1, (0,))], DiscountFunction(0.9), steps=1)
    with pytest.raises(ShopError, match="more shoppers"):
        played_returns(late, PLAYERS, judged, pipeline=None, n_shoppers=1)


def test_it_is_known_on_whom_offers_money_is_spent() -> None:
    """Nobody costs nothing; letters to everybody cost most where the shopper would have bought anyway."""
    found = {name: returns.value().spent for name, returns in played().items()}
    nobody, letters = found["nobody"], found["letters"]
    assert nobody is not None
    assert letters is not None
    assert (nobody.committed, nobody.redeemed, nobody.on_sure_things, nobody.on_driven_away) == (0, 0, 0, 0)
    assert letters.committed > letters.redeemed > letters.on_sure_things > letters.on_driven_away > 0
    # Whoever was sent a letter and would have bought anyway redeems most of the time: 10 of some 11 committed.
    weeks = sum(0.9**step for step in range(3))
    assert letters.committed < 11.2 * (weeks + 0.9**3)
