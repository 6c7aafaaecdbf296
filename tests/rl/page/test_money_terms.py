"""How a budget is spent, in the shop's money: what exploring takes, and what the price of money asks of an offer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rl.page.content import MoneyTerms
from rl.page.money_terms import money_sentences, money_terms
from rl.policy.offer_prices import OfferPrices

PRICES = OfferPrices((0, 40_000, 5_000_000), 0.1, 0.7, 100_000_000, 50.0, (0.0, 0.7, 9.0), (3.0, 2.0, 0.1), nothing=0)


def night(prices: OfferPrices | None, algorithm: str = "discrete_cql") -> Any:
    """Figures of which the selected candidate and its algorithm alone are read."""
    selected = SimpleNamespace(name="test-1", prices=None if prices is None else prices.to_json())
    return SimpleNamespace(selected=selected, candidates=(SimpleNamespace(name="test-1", algorithm=algorithm),))


def test_exploration_is_what_the_highest_price_still_commits() -> None:
    """0.1 a shopper by chance, of 50 shoppers a week."""
    terms = money_terms(night(PRICES))
    assert terms is not None
    assert (terms.weekly_budget, terms.price, terms.explored) == (100.0, 0.7, pytest.approx(5.0))


def test_a_night_without_a_budget_has_no_terms() -> None:
    assert money_terms(night(None)) is None
    assert money_sentences(None, unit="EUR") == ()


def test_an_imitator_has_no_price_in_money() -> None:
    terms = money_terms(night(PRICES, "bc"))
    assert terms is not None
    assert terms.price is None
    assert "means nothing beyond that" in money_sentences(terms, unit="EUR")[-1]


def test_what_must_be_sent_is_not_called_exploration() -> None:
    """Where even nothing commits something, chance can't be told from it."""
    terms = money_terms(night(OfferPrices(**{**vars(PRICES), "committed": (1, 40_000, 5_000_000)})))
    assert terms is not None
    assert terms.explored is None
    assert len(money_sentences(terms, unit="EUR")) == 1


def test_sentences_say_money_in_the_unit() -> None:
    explored, price = money_sentences(MoneyTerms(weekly_budget=1000, price=0.3, explored=45), unit="EUR")
    assert explored.startswith("Exploring takes about 45.0 EUR a week of the budget of 1,000 (4.5%)")
    assert "for each EUR that an offer commits, it has to bring about 0.300 EUR beyond its cost" in price


def test_money_that_is_not_short_and_no_exploration_are_said() -> None:
    explored, price = money_sentences(MoneyTerms(weekly_budget=1000, price=0, explored=0), unit="EUR")
    assert explored.startswith("Exploring costs nothing")
    assert price.startswith("Money isn't short")
