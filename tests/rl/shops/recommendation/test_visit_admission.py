"""Visits take place only where they can't be read as part of the last one; what earlier visits left is theirs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rl.shops.recommendation.session_memory import NEVER, PURCHASE, RANKS, event_key
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.visit_admission import LONGEST_CHAIN, DelayedEvents, admit

MINUTE = 60 * 1_000_000
SHOP: Shop = build_shop(ShopSettings(n_days=1, n_shoppers=1))


def admitted(start: int, last_end: int, delayed: list[int]) -> tuple[bool, int]:
    """Admission of one visit; minutes."""
    key = event_key(np.array([sorted(delayed)], dtype=np.int64).reshape(1, -1) * MINUTE, PURCHASE)
    time, last_visit_end = np.array([start * MINUTE]), np.array([last_end * MINUTE])
    is_admitted, chain_start = admit(SHOP, time=time, last_visit_end=last_visit_end, delayed_key=key)
    return bool(is_admitted[0]), int(chain_start[0]) // MINUTE


def test_visit_soon_after_the_last_does_not_take_place() -> None:
    """Up to the gap, a reader would see one session."""
    assert not admitted(1000, 970, [])[0]
    assert admitted(1000, 969, []) == (True, 1000)


def test_visit_joined_to_the_last_by_purchases_does_not_take_place() -> None:
    """A chain of purchases without a longer gap joins what the shopper didn't."""
    assert not admitted(1000, 920, [945, 972])[0]
    assert admitted(1000, 920, [972]) == (True, 972)


def test_earlier_purchase_opens_the_session_of_the_visit() -> None:
    """Purchases that chain to the visit belong to its session, later and unchained ones don't move its start."""
    assert admitted(1000, 0, [900, 960, 985, 1005]) == (True, 960)


def test_visit_after_a_long_chain_does_not_take_place() -> None:
    """A session that could be cut while the shopper looks isn't begun."""
    assert not admitted(1000, 0, list(range(800, 1000, 20)))[0]


@given(
    last_end=st.integers(0, 900),
    start=st.integers(901, 1400),
    delayed=st.lists(st.integers(0, 1500), max_size=12, unique=True),
)
def test_admission_is_what_cutting_at_gaps_says(last_end: int, start: int, delayed: list[int]) -> None:
    """A visit takes place exactly where cutting all the shopper's events at gaps parts it from the last one."""
    events = sorted({last_end, start, *delayed})
    before = [time for time in events if last_end <= time <= start]
    chain = [start]
    for time in reversed(before[:-1]):
        if chain[-1] - time > 30:
            break
        chain.append(time)
    is_parted = chain[-1] > last_end
    is_short = start - chain[-1] <= LONGEST_CHAIN // MINUTE
    is_admitted, chain_start = admitted(start, last_end, delayed)
    assert is_admitted == (is_parted and is_short)
    assert not is_admitted or chain_start == chain[-1]


def test_delayed_events_are_grouped_by_shopper_in_order() -> None:
    """Each shopper's row holds their events in the total order, padded."""
    delayed = DelayedEvents()
    delayed.add(np.array([2, 0, 2]), np.array([50, 10, 20]) * RANKS, np.array([5, 1, 2]))
    key, item = delayed.of(np.array([2, 1]), n_shoppers=3)
    assert key.tolist() == [[20 * RANKS, 50 * RANKS], [NEVER, NEVER]]
    assert item.tolist() == [[2, 5], [-1, -1]]


def test_delayed_events_of_nobody_are_an_empty_table() -> None:
    """Where nothing is delayed there are no columns."""
    key, item = DelayedEvents().of(np.array([0, 1]), n_shoppers=2)
    assert key.shape == item.shape == (2, 0)
