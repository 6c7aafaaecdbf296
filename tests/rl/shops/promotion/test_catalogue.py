"""Baskets hold whole money, and discounts are spread over lines to the cent."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rl.shops.promotion.catalogue import (
    CENT,
    DRAWS_A_LINE,
    N_LINES,
    Baskets,
    build_catalogue,
    discount_cents,
    discounted,
    draw_baskets,
)
from rl.shops.promotion.promotion_settings import USUAL_OFFERS, PromotionSettings

SETTINGS = PromotionSettings()
CATALOGUE = build_catalogue(SETTINGS)


def baskets_of(n: int, more_lines: float = 0.5) -> tuple[Baskets, np.ndarray]:
    rng = np.random.default_rng(5)
    favorite = rng.integers(0, SETTINGS.n_categories, n)
    drawn = draw_baskets(
        CATALOGUE,
        rng.random((n, N_LINES * DRAWS_A_LINE)),
        favorite=favorite,
        favorite_share=0.6,
        more_lines=np.full(n, more_lines),
    )
    return drawn, favorite


def test_lines_are_pieces_at_the_catalogue_price() -> None:
    """Every line's money is the item's price and cost times its pieces; lines that aren't there are worth nothing."""
    drawn, _ = baskets_of(400)
    assert set(np.unique(drawn.quantity)) == {0, 1, 2}
    np.testing.assert_array_equal(drawn.list_cents, CATALOGUE.price_cents[drawn.item] * drawn.quantity)
    np.testing.assert_array_equal(drawn.cost, CATALOGUE.cost_millionths[drawn.item] * drawn.quantity)
    assert (CATALOGUE.cost_millionths < CATALOGUE.price_cents * CENT * 0.66).all()


def test_lines_follow_their_probabilities() -> None:
    """The first line is always there, a third only behind a second, and favorites are what the share says."""
    drawn, favorite = baskets_of(20_000)
    there = drawn.quantity > 0
    assert there[:, 0].all()
    assert not (there[:, 2] & ~there[:, 1]).any()
    # Four standard errors of a share of 20,000 are at most .0142.
    assert abs(there[:, 1].mean() - 0.5) < 0.0142
    assert abs(there[:, 2].mean() - 0.25) < 0.0142
    liked = (CATALOGUE.category[drawn.item[:, 0]] == favorite).mean()
    assert abs(liked - (0.6 + 0.4 / SETTINGS.n_categories)) < 0.0142


@given(
    lines=st.lists(st.integers(0, 30_000), min_size=N_LINES, max_size=N_LINES).filter(any),
    action=st.integers(0, len(USUAL_OFFERS)),
    is_redeemed=st.booleans(),
)
def test_discounts_add_up_to_the_cent(lines: list[int], action: int, is_redeemed: bool) -> None:
    """No line is paid less than nothing, and the lines' discounts are exactly what the offer takes off the basket."""
    zeros = np.zeros((1, N_LINES), dtype=np.int64)
    basket = Baskets(zeros, zeros, np.array([lines]), zeros, zeros)
    found = discounted(basket, USUAL_OFFERS, np.array([action]), np.array([is_redeemed]))
    offer = USUAL_OFFERS[action - 1]
    exact = (sum(lines) * offer.discount_percent + 50) // 100
    expected = min(exact, offer.largest_discount_cents, sum(lines)) if action and is_redeemed else 0
    assert found.discount_cents.sum() == expected
    assert (found.discount_cents >= 0).all()
    assert (found.discount_cents <= found.list_cents).all()
    assert found.amount.sum() == (sum(lines) - expected) * CENT


def test_discount_of_a_voucher_and_of_a_share() -> None:
    """A voucher is worth its face or the basket; a share is rounded to the cent and bounded."""
    found = discount_cents(
        np.array([2000, 300, 1003, 9000]), np.array([100, 100, 15, 15]), np.array([500, 500, 900, 900])
    )
    assert found.tolist() == [500, 300, 150, 900]
