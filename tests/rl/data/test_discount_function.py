"""A discount is what the scenario states, wherever it is read."""

from __future__ import annotations

import re

import numpy as np
import pytest

from conf.settings import PROJECT_ROOT
from conf.specs.problem import DiscountRate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import MICROSECONDS_PER_DAY
from rl.errors import EvaluationError
from tests.rl.factories import make_logged_episodes


@pytest.mark.parametrize("rate", [DiscountRate(gamma=0.9), DiscountRate(per="day", gamma=0.5)])
def test_function_keeps_factor_and_clock(rate: DiscountRate) -> None:
    """Neither is lost between the spec and what learns or judges."""
    assert DiscountFunction.of(rate) == DiscountFunction(rate.gamma, rate.per)


def test_nobody_makes_a_discount_but_of_a_rate() -> None:
    """The command line, nights, truths and worth read the spec's rate whole: none takes gamma and forgets the clock."""
    made = {
        str(path.relative_to(PROJECT_ROOT))
        for path in (PROJECT_ROOT / "rl").rglob("*.py")
        if re.search(r"DiscountFunction\(", path.read_text(encoding="utf-8"))
    }
    assert made == set()


def test_days_since_the_start_discount_as_products_of_gaps_do() -> None:
    """Half a day, then two days: the third reward counts gamma to the power of 2.5, by either way to rounding."""
    found = DiscountFunction(0.81, "day")
    gaps = np.array([1, 4, 7]) * (MICROSECONDS_PER_DAY // 2)
    factors = found.step_factors(make_logged_episodes((3,), elapsed_microseconds=gaps))
    since = found.since_start(np.arange(3), np.array([0, gaps[0], gaps[0] + gaps[1]]))
    np.testing.assert_allclose(since, [1, factors[0], factors[0] * factors[1]], rtol=1e-14)
    assert since.tolist() == pytest.approx([1, 0.9, 0.81**2.5])
    assert DiscountFunction(0.81).since_start(np.arange(3), gaps).tolist() == [1, 0.81, 0.81**2]


@pytest.mark.parametrize(("gamma", "parts"), [(1.0, 1), (0.9, 1), (1e-30, 1), (1e-64, 4), (5e-324, 16)])
def test_learners_cut_the_day_only_for_tiny_factors(gamma: float, parts: int) -> None:
    """Into a power of two, whose factor single precision holds; a usual factor is taken as it stands."""
    found = DiscountFunction(gamma, "day")
    assert (found.parts_of_day, found.part_factor**parts) == (parts, pytest.approx(gamma, rel=1e-9, abs=0))
    assert np.float32(found.part_factor) > 1e-35
    assert (DiscountFunction(gamma).parts_of_day, DiscountFunction(gamma).part_factor) == (None, gamma)


def test_what_is_no_discount_is_refused() -> None:
    """A factor outside (0, 1], or a clock that isn't known."""
    for gamma in (0.0, 1.5):
        with pytest.raises(EvaluationError, match="outside"):
            DiscountFunction(gamma)
    with pytest.raises(EvaluationError, match="per step or per day, got 'hour'"):
        DiscountFunction(0.9, "hour")  # type: ignore[arg-type]  # what a caller without types may give
