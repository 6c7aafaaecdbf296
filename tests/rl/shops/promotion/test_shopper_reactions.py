"""What the shop is made to show is in its probabilities: fatigue, pull-forward, sleeping dogs, sure things, churn."""

from __future__ import annotations

import numpy as np
import pytest

from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shopper_reactions import Reactions, ShopperStates

SETTINGS = PromotionSettings()
REACTIONS = Reactions(SETTINGS)
VOUCHER = SETTINGS.action_keys.index("voucher_5")
KINDS = {kind.name: place for place, kind in enumerate(SETTINGS.kinds)}


def states(kind: str, *, distance: int = 0, fatigue: float = 0.0, pantry: int = 0) -> ShopperStates:
    return ShopperStates(
        np.array([KINDS[kind]]), np.zeros(1), np.array([distance]), np.array([fatigue]), np.array([pantry])
    )


def buys(kind: str, action: int, **state: float) -> float:
    return float(REACTIONS.purchase_probability(states(kind, **state), np.array([action]))[0])


def test_purchase_probability_is_the_hazard_of_kind_and_state() -> None:
    """The probability is one less exp(-exp(log hazard)), with every part of the hazard as the settings say."""
    kind, dynamics = SETTINGS.kinds[KINDS["persuadable"]], SETTINGS.dynamics
    log_hazard = kind.purchase - 2 * dynamics.distance_cost - 1 * kind.pantry
    log_hazard += (kind.contact_response + np.sqrt(0.5) * kind.discount_response) * np.exp(-dynamics.weariness * 1.7)
    expected = 1 - np.exp(-np.exp(log_hazard))
    assert buys("persuadable", VOUCHER, distance=2, fatigue=1.7, pantry=1) == pytest.approx(expected, rel=1e-12)


def test_response_falls_with_fatigue_and_comes_back() -> None:
    """What a voucher adds shrinks with recent offers and is whole again without them."""
    fresh, tired = (
        buys("persuadable", VOUCHER, fatigue=fatigue) - buys("persuadable", 0, fatigue=fatigue)
        for fatigue in (0.0, 2.0)
    )
    assert fresh > 3 * tired > 0


def test_offers_drive_sleeping_dogs_away() -> None:
    """They buy less when written to, drift away faster, and opt out more; fatigue is no comfort."""
    assert buys("sleeping_dog", VOUCHER) < buys("sleeping_dog", 0)
    assert buys("sleeping_dog", VOUCHER, fatigue=2.0) == buys("sleeping_dog", VOUCHER)
    drift = [
        float(REACTIONS.drift_probability(states("sleeping_dog"), np.array([action]))[0]) for action in (0, VOUCHER)
    ]
    assert drift[1] > 1.5 * drift[0]
    rates = [
        float(REACTIONS.opt_out_probability(states(kind), np.array([VOUCHER]))[0])
        for kind in ("sleeping_dog", "sure_thing")
    ]
    assert rates[0] > 5 * rates[1]


def test_discount_is_wasted_on_sure_things() -> None:
    """A voucher moves hardly any of them, and nine in ten of those who buy redeem it."""
    with_offer, without = buys("sure_thing", VOUCHER), buys("sure_thing", 0)
    redeems = float(REACTIONS.redemption_probability(states("sure_thing"), np.array([VOUCHER]))[0])
    assert with_offer < 1.05 * without
    assert redeems == pytest.approx(0.9 * without + (with_offer - without), rel=1e-12)


def test_supplies_in_the_house_hold_bargain_hunters_back() -> None:
    """Each week of supplies takes a kind's own factor off the hazard: what was bought early is missing later."""
    hazards = [-np.log1p(-buys("bargain_hunter", 0, pantry=pantry)) for pantry in (0, 1, 3)]
    factor = np.exp(-SETTINGS.kinds[KINDS["bargain_hunter"]].pantry)
    assert hazards[1] == pytest.approx(factor * hazards[0], rel=1e-12)
    assert hazards[2] == pytest.approx(factor**3 * hazards[0], rel=1e-12)


def test_good_treatment_delays_churn_of_the_drifting() -> None:
    """An offer to a rested shopper keeps him near; one too many doesn't; and who is gone hardly buys."""
    drift = {
        (action, fatigue): float(
            REACTIONS.drift_probability(states("drifting", fatigue=fatigue), np.array([action]))[0]
        )
        for action in (0, VOUCHER)
        for fatigue in (0.0, 2.5)
    }
    assert drift[VOUCHER, 0.0] < 0.2 * drift[0, 0.0]
    assert drift[VOUCHER, 2.5] > 3 * drift[VOUCHER, 0.0]
    dynamics = SETTINGS.dynamics
    near, gone = (
        -np.log1p(-buys("drifting", 0, distance=distance)) for distance in (dynamics.farthest - 1, dynamics.farthest)
    )
    assert gone == pytest.approx(near * np.exp(-dynamics.distance_cost - dynamics.gone_cost), rel=1e-9)
