"""Prices of offers within a policy: charged, capped, kept on disk, and read off a path for any budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rl.errors import PolicyError
from rl.policy import load_policy
from rl.policy.aligned_policy import AlignedPolicy
from rl.policy.offer_prices import Cap, OfferPrices, plannable
from rl.policy.stochastic_policy import StochasticPolicy
from tests.rl.policy.policies import make_observations, make_policy, make_vocabulary

PRICES = OfferPrices(
    committed=(0, 500_000, 2_000_000),
    outputs_per_money=2.0,
    price=0.25,
    weekly_budget=12_000_000,
    n_shoppers=10.0,
    path_prices=(0.0, 0.25, 2.0),
    path_spend=(1.6, 1.0, 0.2),
    nothing=0,
)
KEYS = ("none", "mail", "letter")


def a_policy(prices: OfferPrices | None = PRICES) -> StochasticPolicy:
    return make_policy(*KEYS, prices=prices)


def asked(policy: StochasticPolicy, n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    return policy.encode(make_observations(n)), np.ones((n, 3), dtype=bool)


def test_what_an_action_commits_times_the_price_is_taken_off_its_output() -> None:
    """In the network's units: a price of .25, 2 outputs a unit of money, .5 and 2 committed."""
    policy, free = a_policy(), a_policy(None)
    features, _ = asked(policy)
    np.testing.assert_allclose(free.outputs(features) - policy.outputs(features), [[0, 0.25, 1.0]] * 6)


def test_a_price_of_nothing_changes_no_probability() -> None:
    policy, free = a_policy(PRICES.at_price(0.0)), a_policy(None)
    features, mask = asked(policy)
    np.testing.assert_array_equal(policy.probabilities(features, mask), free.probabilities(features, mask))


def test_spend_falls_as_the_price_rises() -> None:
    features, mask = asked(a_policy())
    spent = [
        float((a_policy(PRICES.at_price(price)).probabilities(features, mask) @ PRICES.costs).mean())
        for price in (0.0, 0.1, 0.5, 2.0, 20.0)
    ]
    assert spent == sorted(spent, reverse=True)
    assert spent[-1] == pytest.approx(0.1 * PRICES.costs.mean())


def test_a_policy_with_prices_is_kept_whole(tmp_path: Path) -> None:
    policy = a_policy(replace(PRICES, caps=(Cap("session_step", 2),)))
    policy.save(tmp_path)
    found = load_policy(tmp_path)
    assert (found.prices, found.version) == (policy.prices, policy.version)
    assert len({policy.version, a_policy(PRICES).version, a_policy(PRICES.at_price(1.0)).version}) == 3


def test_policies_that_charge_nothing_keep_their_version() -> None:
    """What earlier releases registered is called what it was called then."""
    assert "prices" not in a_policy(None)._content()


@pytest.mark.parametrize(
    ("budget", "price"),
    [(100_000_000, 0.0), (18_000_000, 0.0), (12_000_000, 0.25), (8_000_000, 0.25 + 1.75 / 2), (0, 2.0)],
)
def test_any_budget_has_a_price(budget: int, price: float) -> None:
    """Ten shoppers; 2 of the budget are left to the drawing."""
    assert PRICES.at_budget(budget).price == pytest.approx(price)
    assert PRICES.at_budget(budget).weekly_budget == budget


def test_a_list_may_need_its_dearest_action_beyond_what_is_expected() -> None:
    assert plannable(12_000_000, PRICES.committed) == 10.0
    assert plannable(1_000_000, PRICES.committed) == 0.0


def test_who_had_as_many_offers_as_the_cap_gets_none() -> None:
    """`session_step` counts 0 to 5: from 3 on nothing else is possible, whatever explores."""
    policy = a_policy(replace(PRICES, caps=(Cap("session_step", 3),)))
    features, mask = asked(policy)
    found = policy.probabilities(features, mask)
    np.testing.assert_array_equal(found[3:], [[1, 0, 0]] * 3)
    np.testing.assert_array_equal(found[:3], a_policy().probabilities(features, mask)[:3])
    assert (found[:3] > 0).all()


def test_a_capped_row_in_which_all_is_an_offer_keeps_it() -> None:
    policy = a_policy(replace(PRICES, caps=(Cap("session_step", 1),)))
    features, mask = asked(policy)
    mask[:, 0] = False
    assert (policy.probabilities(features, mask)[:, 1:] > 0).all()


def test_a_cap_reads_its_own_count_and_no_other() -> None:
    policy = a_policy(replace(PRICES, caps=(Cap("recent_shown_items", 1),)))
    features, mask = asked(policy)
    with pytest.raises(PolicyError, match=r"recent_shown_items is no count .* its counts are session_step"):
        policy.probabilities(features, mask)


@pytest.mark.parametrize("least", [1, 2, 5, 40])
def test_counts_are_told_apart_by_their_encoding(least: int) -> None:
    """Between a number and the one below it, missing values (below 0) never reaching it."""
    encoder = a_policy().encoder
    column = replace(encoder.columns[0], has_missing=True, mean=2.0, spread=0.8)
    encoder = replace(encoder, columns=(column, *encoder.columns[1:]))
    counts = np.array([-1, 0, least - 1, least, least + 1, least + 7])
    features = encoder.encode({"session_step": counts, "recent_shown_items": np.zeros((6, 2), dtype=np.int64)})
    assert encoder.is_at_least(features, "session_step", least).tolist() == (counts >= least).tolist()


def test_a_number_beyond_what_is_encoded_is_refused() -> None:
    with pytest.raises(PolicyError, match="session_step: 899999 and 900000 are encoded alike"):
        a_policy().encoder.is_at_least(np.zeros((1, 9), dtype=np.float32), "session_step", 900_000)


def test_prices_of_other_actions_are_refused() -> None:
    with pytest.raises(PolicyError, match="costs of 2 actions for 3 actions"):
        a_policy(replace(PRICES, committed=(0, 1)))
    with pytest.raises(PolicyError, match="less than nothing"):
        replace(PRICES, committed=(0, -1, 2))
    with pytest.raises(PolicyError, match="no action offers nothing"):
        replace(PRICES, nothing=None, caps=(Cap("session_step", 1),))


def test_aligned_to_the_same_vocabulary_prices_and_caps_stay() -> None:
    """And to one in another order, they move with their actions."""
    policy = a_policy(replace(PRICES, caps=(Cap("session_step", 3),)))
    features, mask = asked(policy)
    own = policy.probabilities(features, mask)
    np.testing.assert_allclose(AlignedPolicy(policy, policy.vocabulary).probabilities(features, mask), own)
    moved = AlignedPolicy(policy, make_vocabulary("letter", "none", "mail")).probabilities(features, mask)
    np.testing.assert_allclose(moved, own[:, [2, 0, 1]])


def test_a_capped_shopper_gets_no_action_that_the_older_policy_never_knew() -> None:
    policy = a_policy(replace(PRICES, caps=(Cap("session_step", 3),)))
    features = policy.encode(make_observations(6))
    newer = AlignedPolicy(policy, make_vocabulary(*KEYS, "new"))
    found = newer.probabilities(features, np.ones((6, 4), dtype=bool))
    np.testing.assert_array_equal(found[3:], [[1, 0, 0, 0]] * 3)
    assert (found[:3, 3] > 0).all()
