"""What is shipped where one of 24 learned candidates is selected on validation visits: by the rule, and by the surest.

Shipped is the true gain of the selected candidate where the gate's bound on the test visits and its floors let it
through, else 0. Both rules choose among the same candidates of the same nights, so their difference is paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from conf.specs.judging import Gate
from rl.data.logged_episodes import FloatArray
from rl.night.gate_ahead import GateAhead
from rl.ope.intervals.intervals import skew_corrected_interval, standard_error, student_interval
from tests.bench.gate.fast_nights import Sizes, Visits, fitted_q, gain_sums, sizes_of
from tests.bench.gate.one_step_nights import TRAIN, VALIDATION
from tests.bench.gate.one_step_shop import N_ACTIONS, N_VISITS, OneStepShop
from tests.rl.ope.tabular_mdp import TablePolicy

N_RESAMPLES, TEMPERATURES = 6, (0.1, 0.3, 1.0, 2.0)
SHOPS = {"light": OneStepShop(), "tails .45": OneStepShop(tail_index=0.45)}
SIZES = (1500, 2500, 6000)


@dataclass(frozen=True)
class Shipped:
    """What each rule ships on one night, as a share of the behavior policy's value."""

    rule: float
    surest: float


def shipped(name: str, n: int, seed: int, *, gate: Gate, alpha: float) -> Shipped:
    """Return what both rules ship of one shop's candidates; every seed is another shop."""
    shop = replace(SHOPS[name], n=n, seed=seed)
    splits = [
        Visits.of(shop.log(int(share * n), 10 * seed + number, is_test=number == 3))
        for number, share in ((1, TRAIN), (2, VALIDATION), (3, 1.0))
    ]
    train, validation, test = splits
    q, rng = fitted_q(train), np.random.default_rng(seed)
    policies = [policy for _ in range(N_RESAMPLES) for policy in learned(train, rng, TEMPERATURES)]
    ahead = ahead_of(gate, alpha)
    seen = [seen_on(policy, validation, q) for policy in policies]

    def value(policy: TablePolicy) -> float:
        return shop.gain(policy) if _passes(policy, test, q, gate=gate, alpha=alpha) else 0.0

    by_rule = max(range(len(policies)), key=lambda one: rank(seen[one], ahead))
    surest = max(range(len(policies)), key=lambda one: _by_certainty(seen[one], ahead))
    return Shipped(value(policies[by_rule]), value(policies[surest]))


def ahead_of(gate: Gate, alpha: float) -> GateAhead:
    """Return what the gate will ask on test visits, to the scale of validation visits."""
    return GateAhead(
        VALIDATION * gate.min_effective_sample_size,
        VALIDATION * gate.min_effective_rewarded,
        test_share=1 / VALIDATION,
        alpha=alpha,
    )


@dataclass(frozen=True)
class Seen:
    """What validation visits say of a policy: its gain with the standard error, and units.

    Attributes:
        gain: over the behavior policy.
        error: its standard error.
        sizes: effective units.
    """

    gain: float
    error: float
    sizes: Sizes


def seen_on(policy: TablePolicy, rows: Visits, q: FloatArray) -> Seen:
    """Return what visits say of a policy, with a Q-function, `(N_VISITS, N_ACTIONS)`."""
    sums = gain_sums(policy, rows, q)
    return Seen(sums.value(), standard_error(sums), sizes_of(policy, rows))


def rank(seen: Seen, ahead: GateAhead) -> tuple[bool, float]:
    """Return the key that sorts policies as a night does: by what the gate is to be expected to ship of them."""
    chance = ahead.chance_of_floors(seen.sizes.effective, seen.sizes.rewarded, seen.sizes.differing)
    if not ahead.is_within_reach(chance):
        return (False, seen.gain - seen.error)
    return (True, chance * ahead.gain_to_ship(seen.gain, seen.error))


def _by_certainty(seen: Seen, ahead: GateAhead) -> tuple[bool, float]:
    """Rank as releases before did: the surest gain among those that meet the floors on weights and rewards."""
    is_supported = (
        seen.sizes.effective >= ahead.effective_sample_size and seen.sizes.rewarded >= ahead.effective_rewarded
    )
    return (True, seen.gain / seen.error) if is_supported else (False, seen.gain - seen.error)


def _passes(policy: TablePolicy, rows: Visits, q: FloatArray, *, gate: Gate, alpha: float) -> bool:
    sums, sizes = gain_sums(policy, rows, q), sizes_of(policy, rows)
    lower = min(form(sums, level=1 - 2 * alpha).lower for form in (student_interval, skew_corrected_interval))
    floors_are_met = (
        min(sizes.effective, sizes.differing) >= gate.min_effective_sample_size
        and sizes.rewarded >= gate.min_effective_rewarded
    )
    return lower > 0 and floors_are_met


def learned(train: Visits, rng: np.random.Generator, temperatures: Sequence[float]) -> list[TablePolicy]:
    """Return softmaxes of the mean rewards of one resample, at every temperature, with a floor of .1."""
    weight = rng.poisson(1.0, len(train.action)).astype(np.float64)
    cell = train.visit * N_ACTIONS + train.action
    counts, sums = (
        np.bincount(cell, weights=each, minlength=N_VISITS * N_ACTIONS).reshape(N_VISITS, N_ACTIONS)
        for each in (weight, weight * train.reward)
    )
    means = sums / np.maximum(counts, 1.0)
    scores = (means - means.max(axis=1, keepdims=True)) / (means.std() + 1e-9)
    found = []
    for temperature in temperatures:
        chances = np.exp(scores / temperature)
        found.append(TablePolicy(0.9 * chances / chances.sum(axis=1, keepdims=True) + 0.1 / N_ACTIONS, "learned"))
    return found


def selection_line(name: str, n: int, nights: list[Shipped]) -> dict[str, object]:
    """Return what each rule ships on average, and the paired difference in points with its standard error."""
    rule, surest = (np.array([getattr(night, field) for night in nights]) for field in ("rule", "surest"))
    more = 100 * (rule - surest)
    return {
        "bench": "gate",
        "log": "selection",
        "shop": name,
        "shoppers": n,
        "nights": len(nights),
        "shipped": round(float(rule.mean()), 4),
        "shipped_by_surest": round(float(surest.mean()), 4),
        "promoted": round(float((rule != 0).mean()), 4),
        "promoted_by_surest": round(float((surest != 0).mean()), 4),
        "more_points": round(float(more.mean()), 2),
        "more_points_se": round(float(more.std(ddof=1)) / float(np.sqrt(len(nights))), 2),
    }
