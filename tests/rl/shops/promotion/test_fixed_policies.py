"""What teams do without learning, as functions of what the log shows."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import ShopError
from rl.shops.promotion.fixed_policies import fixed_policies, over_keys, random_policy, rfm_policy
from rl.shops.promotion.promotion_settings import PromotionSettings

SETTINGS = PromotionSettings()


def observation(**columns: list[int]) -> dict[str, np.ndarray]:
    n = len(next(iter(columns.values())))
    usual = {"week": 5, "weeks_since_order": 4, "weeks_since_offer": -1, "spend_91": 10}
    return {name: np.array(columns.get(name, [value] * n)) for name, value in usual.items()}


def test_every_policy_keeps_to_the_mask() -> None:
    """Each named policy gives distributions, and surely nothing where nothing is allowed."""
    mask = np.array([[True] * 5, [True, False, False, False, False]])
    for name, policy in fixed_policies(SETTINGS).items():
        chances = policy(observation(week=[5, 5]), mask)
        np.testing.assert_allclose(chances.sum(axis=1), 1, err_msg=name)
        assert chances[1, 0] == 1, name
    assert len(fixed_policies(SETTINGS)) == 4 + len(SETTINGS.offers)


def test_rule_writes_to_those_who_are_due_and_rested() -> None:
    """It sends its offer three to eight weeks after a purchase, to spenders without a recent offer, and no one else."""
    seen = observation(
        weeks_since_order=[2, 3, 8, 9, -1, 4, 4, 4],
        weeks_since_offer=[-1, -1, -1, -1, -1, 2, 3, -1],
        spend_91=[1, 1, 1, 1, 1, 1, 1, 0],
    )
    chances = rfm_policy(SETTINGS, offer="voucher_5")(seen, np.ones((8, 5), dtype=bool))
    assert (chances.argmax(axis=1) == 3).tolist() == [False, True, True, False, False, False, True, False]
    assert (chances[[0, 3, 4, 5, 7], 0] == 1).all()


def test_unknown_offer_is_refused() -> None:
    """A rule of an offer that the shop doesn't send is named."""
    with pytest.raises(ShopError, match=r"no offer 'voucher_50'.*voucher_5"):
        rfm_policy(SETTINGS, offer="voucher_50")


def test_policies_of_natural_keys_play_in_the_shops_order() -> None:
    """A policy over keys in another order, with one that the shop doesn't send, gets the mask and gives chances so."""
    keys = ["voucher_5", "cruise", "none"]
    seen: list[np.ndarray] = []

    def by_keys(_: object, mask: np.ndarray) -> np.ndarray:
        seen.append(mask)
        return np.where(mask, [0.7, 0.0, 0.3], 0) / np.where(mask, [0.7, 0.0, 0.3], 0).sum(axis=1, keepdims=True)

    mask = np.array([[True] * 5, [True, False, False, False, False]])
    chances = over_keys(SETTINGS, by_keys, keys)(observation(week=[5, 5]), mask)
    np.testing.assert_array_equal(seen[0], [[True, False, True], [False, False, True]])
    np.testing.assert_allclose(chances, [[0.3, 0, 0, 0.7, 0], [1, 0, 0, 0, 0]])


def test_policies_of_unknown_keys_are_refused() -> None:
    """Probability for what the shop doesn't send, and having nothing to send, end in an error."""
    mask = np.array([[True, False, False, False, False]])
    with pytest.raises(ShopError, match="none of the policy's actions"):
        over_keys(SETTINGS, random_policy(), ["voucher_5"])(observation(week=[5]), mask)
    with pytest.raises(ShopError, match="doesn't send"):
        over_keys(SETTINGS, lambda _, found: np.full(found.shape, 0.5), ["none", "cruise"])(observation(week=[5]), mask)
