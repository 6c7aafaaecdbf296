"""What is shipped where one of 24 learned candidates is selected before the test visits: by the rule, and by others.

Shipped is the true gain of the selected candidate where the gate lets it through, else 0. The rule is a night's: what
the gate may ship most of on validation visits, its temperature chosen by all of its temperatures together; beside it
each temperature by itself, and the surest gain. All choose among the same candidates of the same nights, so their
differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np

from conf.specs.judging import Gate
from rl.data.logged_episodes import FloatArray
from rl.gate.rules import Decision
from rl.night.gate_ahead import GateAhead
from rl.night.temperature_gains import temperature_gains
from rl.ope.intervals.intervals import covariance, standard_error
from tests.bench.gate.fast_nights import (
    Sizes,
    Visits,
    fitted_q,
    gain_sums,
    judged_splits,
    sizes_of,
)
from tests.bench.gate.one_step_nights import TRAIN, VALIDATION
from tests.bench.gate.one_step_shop import N_ACTIONS, N_VISITS, OneStepShop
from tests.rl.ope.tabular_mdp import TablePolicy

N_RESAMPLES, TEMPERATURES = 6, (0.1, 0.3, 1.0, 2.0)
SHOPS = {"light": OneStepShop(), "tails .45": OneStepShop(tail_index=0.45)}
SIZES = (1500, 2500, 6000)


@dataclass(frozen=True)
class Shipped:
    """What each rule ships on one night, as a share of the behavior policy's value.

    Attributes:
        rule: a night's.
        apart: the same, but that each temperature stands by itself.
        surest: gain in standard errors.
    """

    rule: float
    apart: float
    surest: float


def shipped(name: str, n: int, seed: int, *, gate: Gate, alpha: float) -> Shipped:
    """Return what each rule ships of one shop's candidates; every seed is another shop."""
    shop = replace(SHOPS[name], n=n, seed=seed)
    splits = [
        shop.log(int(share * n), 10 * seed + number, is_test=number == 3)
        for number, share in ((1, TRAIN), (2, VALIDATION), (3, 1.0))
    ]
    train_split, validation_split, test_split = splits
    train, validation = Visits.of(train_split), Visits.of(validation_split)
    q, rng = fitted_q(train), np.random.default_rng(seed)
    policies = [policy for _ in range(N_RESAMPLES) for policy in learned(train, rng, TEMPERATURES)]
    ahead = ahead_of(gate, alpha)
    seen = [seen_on(policy, validation, q) for policy in policies]
    chosen = max(range(len(policies)), key=lambda one: rank(seen[one], ahead))
    picked = {
        "rule": at_shared_temperature(chosen, policies, seen, validation, q, ahead),
        "apart": chosen,
        "surest": max(range(len(policies)), key=lambda one: _by_certainty(seen[one], ahead)),
    }

    @cache
    def value(one: int) -> float:
        before = (train_split, validation_split)
        verdict = judged_splits(policies[one], before, test_split, gate=gate, alpha=alpha, seed=seed)[1]
        return shop.gain(policies[one]) if verdict.decision is Decision.PROMOTE else 0.0

    return Shipped(**{rule: value(one) for rule, one in picked.items()})


def at_shared_temperature(
    chosen: int, policies: Sequence[TablePolicy], seen: Sequence[Seen], rows: Visits, q: FloatArray, ahead: GateAhead
) -> int:
    """Return which of the chosen candidate's temperatures may ship most, by what all of them say, as a night does."""
    own = [one for one in siblings(chosen) if rank(seen[one], ahead)[0]]
    if len(own) < 2 or chosen not in own:
        return chosen
    told = temperature_gains(
        np.array([seen[one].gain for one in own]),
        covariance([gain_sums(policies[one], rows, q) for one in own]),
        np.array([predicted_gain(policies[one], rows, q) for one in own]),
    )
    shipped_of = [
        chance_of(seen[one], ahead) * ahead.gain_to_ship(float(gain), float(error), estimate_error=seen[one].error)
        for one, gain, error in zip(own, told.gain, told.error, strict=True)
    ]
    return own[int(np.argmax(shipped_of))]


def siblings(one: int) -> range:
    """Return the candidates of the same resample: all its temperatures."""
    first = one - one % len(TEMPERATURES)
    return range(first, first + len(TEMPERATURES))


def predicted_gain(policy: TablePolicy, rows: Visits, q: FloatArray) -> float:
    """Return the gain that a Q-function alone tells, `(N_VISITS, N_ACTIONS)`."""
    value = (policy.table * q).sum(axis=1)[rows.visit]
    return float((value - q[rows.visit, rows.action]).mean())


def chance_of(seen: Seen, ahead: GateAhead) -> float:
    """Return the chance that test visits meet the floors."""
    return ahead.chance_of_floors(seen.sizes.effective, seen.sizes.rewarded, seen.sizes.differing)


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
    chance = chance_of(seen, ahead)
    if not ahead.is_within_reach(chance):
        return (False, seen.gain - seen.error)
    return (True, chance * ahead.gain_to_ship(seen.gain, seen.error))


def _by_certainty(seen: Seen, ahead: GateAhead) -> tuple[bool, float]:
    """Rank as releases before did: the surest gain among those that meet the floors on weights and rewards."""
    is_supported = (
        seen.sizes.effective >= ahead.effective_sample_size and seen.sizes.rewarded >= ahead.effective_rewarded
    )
    return (True, seen.gain / seen.error) if is_supported else (False, seen.gain - seen.error)


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
    """Return what each rule ships on average, and paired differences in points with their standard errors."""
    found = {field.name: np.array([getattr(night, field.name) for night in nights]) for field in fields(Shipped)}
    line: dict[str, object] = {"bench": "gate", "log": "selection", "shop": name, "shoppers": n, "nights": len(nights)}
    for rule, gains in found.items():
        line |= {
            f"shipped_{rule}": round(float(gains.mean()), 4),
            f"promoted_{rule}": round(float((gains != 0).mean()), 4),
        }
    for other in ("apart", "surest"):
        more = 100 * (found["rule"] - found[other])
        line[f"more_than_{other}"] = round(float(more.mean()), 2)
        line[f"more_than_{other}_se"] = round(float(more.std(ddof=1)) / float(np.sqrt(len(nights))), 2)
    return line
