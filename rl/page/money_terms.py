"""What a budget's price of money and its exploration mean for a shop: figures of a night, and sentences of them."""

from __future__ import annotations

from rl.figures.night import NightFigures
from rl.learning.algorithms import ALGORITHMS
from rl.page.content import MoneyTerms
from rl.page.wording import count, number, share
from rl.policy.offer_prices import MILLIONTHS, OfferPrices


def money_terms(figures: NightFigures) -> MoneyTerms | None:
    """Return the price of money and what exploring commits a week; None where the night had no budget.

    Exploration's share is read off the path of prices: at its highest nothing pays for more than the cheapest action,
    so that all that is still committed is committed by chance.
    """
    content = figures.selected.prices
    if content is None:
        return None
    prices = OfferPrices.from_json(content)
    return MoneyTerms(
        weekly_budget=prices.weekly_budget / MILLIONTHS,
        price=None if _is_imitator(figures) else prices.price,
        explored=prices.path_spend[-1] * prices.n_shoppers if _is_nothing_free(prices) else None,
    )


def money_sentences(terms: MoneyTerms | None, *, unit: str) -> tuple[str, ...]:
    """Return what a reviewer must know of how the budget is spent, a whole sentence or more each.

    Args:
        terms: of the night; None gives no sentences.
        unit: of money.
    """
    if terms is None:
        return ()
    return (*_exploration(terms, unit), _price(terms, unit))


def _exploration(terms: MoneyTerms, unit: str) -> tuple[str, ...]:
    if terms.explored is None:
        return ()
    if terms.explored <= 0:
        return ("Exploring costs nothing: no offer is sent by chance, and later nights learn nothing of others.",)
    return (
        f"Exploring takes about {number(terms.explored)} {unit} a week of the budget of {count(terms.weekly_budget)} "
        f"({share(terms.explored / terms.weekly_budget)}): offers that chance sends and no value asks for, so that "
        "later nights can tell what offers do. It is what they commit; what is redeemed of it is never more.",
    )


def _price(terms: MoneyTerms, unit: str) -> str:
    if terms.price is None:
        return (
            "The candidate imitates what the shop did and knows nothing of what offers bring: its price of money keeps "
            "the budget, and means nothing beyond that."
        )
    if terms.price == 0:
        return "Money isn't short: an offer goes out wherever it is held to bring anything (price of money 0)."
    return (
        f"Money is short: for each {unit} that an offer commits, it has to bring about {number(terms.price)} {unit} "
        "beyond its cost, or it seldom goes out (the price of money). Each week's list takes the price at which its "
        "own shoppers keep the budget."
    )


def _is_imitator(figures: NightFigures) -> bool:
    """Return True where the candidate learned how often the log chose an action; its outputs are no money."""
    named = {one.name: one.algorithm for one in figures.candidates}
    algorithm = ALGORITHMS.get(named.get(figures.selected.name, ""))
    return algorithm is not None and algorithm.outputs == "logits"


def _is_nothing_free(prices: OfferPrices) -> bool:
    return prices.nothing is not None and prices.committed[prices.nothing] == 0
