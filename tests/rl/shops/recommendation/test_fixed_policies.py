"""Every fixed policy is a distribution over what is available; behavior draws by its propensities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rl.errors import ShopError
from rl.shops.recommendation.fixed_policies import (
    anti_repeat_policy,
    believed_minds,
    myopic_policy,
    patient_policy,
    uniform_policy,
)
from rl.shops.recommendation.lockstep_sessions import Probabilities, draw_actions
from rl.shops.recommendation.logging_policy import items_of_keys, logging_policy
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.simulate import PlayedSessions, simulate

SHOP = build_shop(ShopSettings(n_days=3, n_shoppers=200))
KEYS = ["(other)", *reversed(SHOP.catalogue.item_ids)]
POLICIES: dict[str, Callable[[Shop, list[str]], Probabilities]] = {
    "behavior": logging_policy,
    "uniform": uniform_policy,
    "anti_repeat": anti_repeat_policy,
    "myopic": myopic_policy,
    "patient": patient_policy,
}


@pytest.fixture(scope="module")
def played() -> PlayedSessions:
    return simulate(SHOP).played


@pytest.mark.parametrize("name", POLICIES)
def test_policy_is_a_distribution_over_what_is_available(name: str, played: PlayedSessions) -> None:
    """Rows sum to 1, nothing outside the mask, and every available action has at least a tenth of a uniform share."""
    items = items_of_keys(SHOP, KEYS)
    mask = SHOP.availability[played.responses.half_day][:, items] & (items >= 0)
    chances = POLICIES[name](SHOP, KEYS)(played.observation, mask)
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(mask)))
    assert (chances[~mask] == 0).all()
    assert (chances >= 0.1 / mask.sum(axis=1, keepdims=True) - 1e-12)[mask].all()


@pytest.mark.parametrize("name", ["anti_repeat", "myopic", "patient"])
def test_policy_depends_on_the_observation(name: str, played: PlayedSessions) -> None:
    """What was shown changes what will be shown."""
    items = items_of_keys(SHOP, KEYS)
    mask = np.tile(items >= 0, (len(played.propensity), 1))
    chances = POLICIES[name](SHOP, KEYS)(played.observation, mask)
    assert chances.std(axis=0).max() > 0.005


def test_anti_repeat_avoids_the_categories_just_shown(played: PlayedSessions) -> None:
    """A category shown in the last step gets less than under the behavior policy."""
    keys = list(SHOP.catalogue.item_ids)
    later = played.responses.step > 0
    observation = {name: values[later] for name, values in played.observation.items()}
    mask = np.ones((int(later.sum()), len(keys)), dtype=bool)
    is_repeat = SHOP.catalogue.item_category_hash == observation["recent_shown_categories"][:, :1]
    avoided = (anti_repeat_policy(SHOP, keys)(observation, mask) * is_repeat).sum(axis=1)
    assert (avoided < (logging_policy(SHOP, keys)(observation, mask) * is_repeat).sum(axis=1)).all()


def test_believed_boredom_is_the_true_one(played: PlayedSessions) -> None:
    """Replaying the shown items of a session gives its minds; here checked against the plain rule, step by step."""
    minds, dynamics = believed_minds(SHOP, played.observation), SHOP.settings.dynamics
    category, session = SHOP.catalogue.category[played.responses.item], played.responses.session
    levels = np.zeros(SHOP.n_categories, dtype=np.int64)
    for row in range(2_000):
        if row == 0 or session[row] != session[row - 1]:
            levels[:] = 0
        assert minds.boredom[row].tolist() == levels.tolist()
        raised = min(levels[category[row]] + dynamics.boredom_step, dynamics.boredom_cap)
        levels = np.maximum(levels - dynamics.boredom_recovery, 0)
        levels[category[row]] = raised


def test_behavior_draws_by_its_propensities(played: PlayedSessions) -> None:
    """In decisions of one half-day, items come up as often as their propensities say, to four standard errors."""
    rows = played.responses.half_day == np.bincount(played.responses.half_day).argmax()
    mask = SHOP.availability[played.responses.half_day[rows]]
    chances = logging_policy(SHOP)({}, mask)[0]
    count = np.bincount(played.responses.item[rows], minlength=SHOP.n_items)
    expected = rows.sum() * chances
    assert (np.abs(count - expected) <= 4 * np.sqrt(expected * (1 - chances)) + 1e-9).all()
    assert played.propensity[rows] == pytest.approx(chances[played.responses.item[rows]])


def test_draw_actions_follows_the_distribution() -> None:
    """Drawn shares are the probabilities, and an action of probability 0 never comes, first or last."""
    chances = np.tile([0.0, 0.2, 0.0, 0.8, 0.0], (20_000, 1))
    drawn = draw_actions(chances, np.ones_like(chances, dtype=bool), np.random.default_rng(0))
    share = np.bincount(drawn, minlength=5) / len(drawn)
    assert share[[0, 2, 4]].tolist() == [0, 0, 0]
    # Four standard errors of a share of .2 among 20,000.
    assert abs(share[1] - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 20_000)


def test_repeated_action_keys_are_refused() -> None:
    """Two actions can't be the same item."""
    with pytest.raises(ShopError, match="item-001"):
        items_of_keys(SHOP, ["item-001", "item-002", "item-001"])
