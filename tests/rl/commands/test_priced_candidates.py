"""What is registered of a candidate that was judged within a budget: the policy at its price, loadable on its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rl.commands.register import _staged_model
from rl.errors import RegistryError
from rl.figures.candidates import SelectedCandidate
from rl.learning.trained_candidates import LoadedCandidate
from rl.policy import StochasticPolicy, load_policy
from rl.policy.offer_prices import OfferPrices
from tests.rl.policy.policies import make_policy

PRICES = OfferPrices((0, 40_000, 5_000_000), 0.1, 0.7, 10_000_000, 5.0, (0.0, 0.7), (2.0, 1.0), nothing=0)


def trained() -> StochasticPolicy:
    """As training leaves it: at another temperature, without prices."""
    return make_policy("none", "mail", "letter", temperature=1.0)


def staged(prices: OfferPrices | None, version: str) -> Any:
    """Figures of which `selected` alone is read."""
    content = None if prices is None else prices.to_json()
    selected = SelectedCandidate(name="test-1", update=5, temperature=0.3, policy_version=version, prices=content)
    return SimpleNamespace(selected=selected)


def test_the_policy_is_registered_at_its_price() -> None:
    """The one that was judged, to its version; figures keep the prices that make it again."""
    judged = trained().with_temperature(0.3).with_prices(PRICES)
    candidates = {"test-1": LoadedCandidate(trained(), {5: trained()}, {}, ())}
    with _staged_model(staged(PRICES, judged.version), candidates) as folder:
        (path,) = folder.rglob("policy.json")
        found = load_policy(path.parent)
    assert (found.version, found.prices) == (judged.version, PRICES)


def test_a_policy_without_its_price_is_another_one() -> None:
    judged = trained().with_temperature(0.3).with_prices(PRICES)
    candidates = {"test-1": LoadedCandidate(trained(), {5: trained()}, {}, ())}
    with (
        pytest.raises(RegistryError, match=r"is now test-1-.*; evaluate again"),
        _staged_model(staged(None, judged.version), candidates),
    ):
        pass
