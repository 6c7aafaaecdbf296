"""What a policy is worth in a simulated shop, whatever the shop decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SpentMoney:
    """What offers cost in an episode, and on whom it was spent; means in currency, discounted as values are.

    Attributes:
        committed: contacts and the largest discounts of all that was sent.
        redeemed: contacts and the discounts that were taken off in fact.
        on_sure_things: the part of it in weeks in which the shopper would have bought without an offer.
        on_driven_away: the part of it for offers that made a purchase of the week less likely.
    """

    committed: float
    redeemed: float
    on_sure_things: float
    on_driven_away: float


@dataclass(frozen=True)
class EpisodeValue:
    """Expected discounted reward per episode, by playing.

    Attributes:
        value: the Monte Carlo mean.
        standard_error: of the value, over shoppers, whose episodes aren't independent.
        n_episodes: played.
        spent: on offers; None of a shop that makes none.
    """

    value: float
    standard_error: float
    n_episodes: int
    spent: SpentMoney | None = None
