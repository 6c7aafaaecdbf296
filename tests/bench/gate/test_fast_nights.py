"""Nights in arrays say what the code that judges real nights says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.gate.fast_nights import fast_night
from tests.bench.gate.nights import FIRST_NIGHT_LEVEL, GATE
from tests.bench.gate.one_step_lines import SOFT
from tests.bench.gate.one_step_nights import Kind, one_step_night
from tests.bench.gate.one_step_shop import OneStepShop

PLAIN = OneStepShop(n=800)
KINDS = (
    Kind("gain", PLAIN, 0.2),
    Kind("rare loss", replace(PLAIN, loss=SOFT), -0.1),
    Kind("copies and mistakes", replace(PLAIN, copied=0.1, mistaken=0.1), 0.0),
    Kind("whale", replace(PLAIN, whale=0.1), 0.0),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_both_ways_find_the_same(kind: Kind) -> None:
    """To rounding; a bound that fails needn't be drawn, so it is then only known to fail."""
    fast, slow = (judge(kind, 3, gate=GATE, alpha=FIRST_NIGHT_LEVEL) for judge in (fast_night, one_step_night))
    for field in ("true_gain", "value", "tail_index", "effective_sample_size", "effective_rewarded"):
        assert getattr(fast, field) == pytest.approx(getattr(slow, field), rel=1e-6), field
    assert fast.effective_differing == pytest.approx(slow.effective_differing, rel=1e-5)
    assert (fast.weights_pass, fast.decision) == (slow.weights_pass, slow.decision)
    if slow.own_lower > 0:
        assert (fast.own_lower, fast.lower) == pytest.approx((slow.own_lower, slow.lower), rel=1e-6)
    else:
        assert fast.own_lower <= 0 or fast.own_lower == pytest.approx(slow.own_lower)
        assert fast.lower <= 0
