"""Who gets a version that is rolled out."""

from __future__ import annotations

import numpy as np
import pytest

from rl.rollout.assignment import drawn as drawn_of_lots
from rl.rollout.assignment import gets_new_version, is_control, rollout_lot

KEY = b"a key for tests only"
SHOPPERS = [f"{n:032x}" for n in range(4000)]


def drawn(share: float, version: str = "v1", scenario: str = "recommendation", key: bytes = KEY) -> set[str]:
    names = {"scenario": scenario, "policy_version": version}
    return {one for one in SHOPPERS if gets_new_version(one, key, share=share, **names)}


def test_a_growing_share_only_adds_shoppers() -> None:
    """And is as large as it says, within four standard deviations."""
    before: set[str] = set()
    for share in (0.0, 0.05, 0.25, 0.5, 1.0):
        found = drawn(share)
        assert before <= found
        assert abs(len(found) - 4000 * share) <= 4 * (4000 * share * (1 - share)) ** 0.5
        before = found


def test_each_version_scenario_and_key_draws_anew() -> None:
    """So that not the same shoppers get what is new first, each time; nor those held out more or less often."""
    first = drawn(0.25)
    held_out = {one for one in SHOPPERS if is_control(one, KEY, scenario="recommendation", share=0.25)}
    for other in (drawn(0.25, "v2"), drawn(0.25, scenario="promotion"), drawn(0.25, key=b"another key"), held_out):
        assert abs(len(first & other) - 250) < 70  # independent draws: four and a half standard deviations


@pytest.mark.parametrize("share", [0.0, 0.05, 0.25, 1.0])
def test_lots_say_the_same_as_the_service(share: float) -> None:
    lots = [rollout_lot(one, KEY, scenario="recommendation", policy_version="v1") for one in SHOPPERS]
    found = drawn_of_lots(np.array(lots, dtype=np.uint64), share)
    assert {one for one, is_drawn in zip(SHOPPERS, found, strict=True) if is_drawn} == drawn(share)


def test_who_is_just_below_a_share_is_among_it() -> None:
    """A quarter of all lots is drawn exactly, as in integers."""
    lots = np.array([0, 2**62 - 1, 2**62, 2**64 - 1], dtype=np.uint64)
    assert drawn_of_lots(lots, 0.25).tolist() == [True, True, False, False]
