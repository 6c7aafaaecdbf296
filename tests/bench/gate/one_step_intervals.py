"""How often the reports' 95% intervals hold the truth on one-step logs, and how wide they are beside Student's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from rl.ope.intervals.intervals import Interval, reaching_intervals, student_interval
from rl.ope.intervals.sums import difference
from rl.ope.propensities.known import know_propensities
from rl.ope.report import BEHAVIOR, evaluate_policies
from tests.bench.gate.one_step_nights import CANDIDATE, TRAIN, one_step_settings
from tests.bench.gate.one_step_shop import OneStepShop

LEVEL = 0.95
SHOPPERS = {"one visit each": 0.0, "uneven visits": 1.0, "very uneven visits": 1.5}
RATES = {"ordinary rewards": 1.0, "dense rewards": 3.0}
SIZES = (800, 2000)


@dataclass(frozen=True)
class Covered:
    """Of one log: whether the interval holds the truth, and its half-width over that of Student's."""

    value_is_held: bool
    value_width: float
    gain_is_held: bool
    gain_width: float


def shops() -> Iterator[tuple[str, OneStepShop]]:
    """Return every shop with its name."""
    for n in SIZES:
        for rewards, rate in RATES.items():
            for visits, uneven in SHOPPERS.items():
                yield f"{n} visits, {rewards}, {visits}", OneStepShop(n=n, rate=rate, uneven=uneven)


def covered(shop: OneStepShop, seed: int) -> Covered:
    """Return what reports say of a candidate 20% better on the log of that seed."""
    policy, truth = shop.candidate(0.2), shop.value(shop.candidate(0.2))
    train, test = (
        know_propensities(
            shop.log(int(part * shop.n), 10 * seed + number, is_test=number == 3), is_logged=True
        ).episodes
        for part, number in ((TRAIN, 1), (1.0, 3))
    )
    settings = one_step_settings(seed)
    found = evaluate_policies({CANDIDATE: policy}, train=train, test=test, settings=settings)
    sums = found.sums[CANDIDATE, "dr"]
    both = [sums, difference(sums, found.sums[BEHAVIOR, "dr"])]
    value, gain = reaching_intervals(both, level=LEVEL, resampling=settings.resampling)
    plain_value, plain_gain = (student_interval(one, level=LEVEL) for one in both)
    return Covered(
        value_is_held=value.lower <= truth <= value.upper,
        value_width=_width(value) / _width(plain_value),
        gain_is_held=gain.lower <= truth - shop.logged_value <= gain.upper,
        gain_width=_width(gain) / _width(plain_gain),
    )


def _width(interval: Interval) -> float:
    return interval.upper - interval.lower


def interval_line(name: str, found: Sequence[Covered]) -> dict[str, object]:
    """Return the line of a shop: coverage with its two-sided 95% bounds (Clopper and Pearson 1934), mean widths."""
    return {
        "bench": "gate",
        "log": "one step, intervals",
        "shop": name,
        "logs": len(found),
        **_coverage("value", [one.value_is_held for one in found]),
        **_coverage("gain", [one.gain_is_held for one in found]),
        "value_half_width_over_student": round(float(np.mean([one.value_width for one in found])), 3),
        "gain_half_width_over_student": round(float(np.mean([one.gain_width for one in found])), 3),
    }


def _coverage(name: str, is_held: Sequence[bool]) -> dict[str, object]:
    n, held = len(is_held), sum(is_held)
    lower = 0.0 if held == 0 else float(beta.ppf(0.025, held, n - held + 1))
    upper = 1.0 if held == n else float(beta.ppf(0.975, held + 1, n - held))
    return {f"{name}_covered": round(held / n, 4), f"{name}_covered95": [round(lower, 4), round(upper, 4)]}
