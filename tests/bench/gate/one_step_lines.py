"""How often each rule passes candidates on one-step logs, kind by kind: the gate's, its bounds alone, an oracle's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import beta, norm

from rl.gate.rules import Decision
from tests.bench.gate.one_step_nights import Kind, OneStepNight
from tests.bench.gate.one_step_shop import OneStepShop, RareLoss

FLOORS = ((0, 0), (50, 25), (100, 50), (150, 75), (200, 100))
"""Floors on effective units and on rewarded ones that the curve goes through."""

RATES = {"rare rewards": 0.2, "dense rewards": 2.0, "many rewards a visit": 16.0}
STRENGTHS = (1.0, 1.05, 1.1, 1.2, 1.3, 1.5)
"""Of hidden reasons that a gain must survive, which their curve goes through."""

SOFT, DENSE = RareLoss(300.0, 2.7), RareLoss(1000.0, 0.8)


def kinds() -> tuple[Kind, ...]:
    """Return all of them: candidates that should not pass first, then those that should."""
    plain = OneStepShop()
    return (
        Kind("worse by 10%", plain, -0.1),
        Kind("equal", plain, 0.0),
        Kind("equal, 800 shoppers", replace(plain, n=800), 0.0),
        Kind("rare loss, expected .8 times", replace(plain, loss=DENSE), -0.1),
        Kind("rare loss, expected 2.7 times", replace(plain, loss=SOFT), -0.1),
        Kind("rare loss, expected .8 times, learned", replace(plain, loss=DENSE), n_learned=8),
        Kind("rare loss, expected 2.7 times, learned", replace(plain, loss=SOFT), n_learned=8),
        Kind("equal, loss tail .75", replace(plain, tail_index=0.75, tail_signs=-1), 0.0),
        Kind("equal, both tails .75", replace(plain, tail_index=0.75), 0.0),
        Kind("equal, a tenth of shoppers copied", replace(plain, copied=0.1), 0.0),
        *(
            Kind(f"equal, propensities of {share:.0%} of rows wrong", replace(plain, mistaken=share), 0.0)
            for share in (0.02, 0.05, 0.1)
        ),
        Kind("worse by 10%, better before", replace(plain, drifts=True), -0.1),
        Kind("equal, one whale", replace(plain, whale=0.1), 0.0),
        *(Kind(f"equal, hidden reason of {odds:g}", replace(plain, hidden=odds), 0.0) for odds in (1.1, 1.2, 1.5)),
        *(
            Kind(f"worse by .6%, hidden reason of {odds:g}, {name}", replace(plain, hidden=odds, rate=rate), -0.006)
            for odds in (1.5, 2.0, 3.0)
            for name, rate in RATES.items()
        ),
        *(
            Kind(f"+{gain:.0%}, propensities estimated, {name}", replace(plain, hidden=1.0001, rate=rate), gain)
            for gain in (0.2, 0.4)
            for name, rate in RATES.items()
        ),
        Kind("+10%, 800 shoppers", replace(plain, n=800), 0.1),
        Kind("+20%, 800 shoppers", replace(plain, n=800), 0.2),
        *(
            Kind(
                f"{f'{gain:+.0%}' if gain else 'equal'}, 800 shoppers, dense rewards",
                replace(plain, n=800, rate=3.0),
                gain,
            )
            for gain in (0.0, 0.1, 0.2)
        ),
        Kind("+10%", plain, 0.1),
        Kind("+20%", plain, 0.2),
        Kind("+10%, both tails .55", replace(plain, tail_index=0.55), 0.1),
        Kind("+10%, both tails .75", replace(plain, tail_index=0.75), 0.1),
        Kind("learned", plain, n_learned=8),
    )


def lines(kind: Kind, nights: Sequence[OneStepNight], *, alpha: float) -> Iterator[dict[str, object]]:
    """Return the line of a kind, and the floors' curve on it."""
    wrong = [night for night in nights if night.true_gain <= 0]
    about = {"bench": "gate", "log": "one step", "candidate": kind.name, "shoppers": kind.shop.n, "nights": len(nights)}
    line: dict[str, object] = {
        **about,
        "true_gain": round(float(np.mean([night.true_gain for night in nights])), 4),
        "no_gain": len(wrong),
        **_share("promoted", [night.decision is Decision.PROMOTE for night in nights]),
        **_share("wrongly_promoted", [n.true_gain <= 0 and n.decision is Decision.PROMOTE for n in nights]),
        "abstained": _mean([night.decision is Decision.ABSTAIN for night in nights]),
        "rule_before": _mean([night.passed_before(units=200, rewarded=100) for night in nights]),
        "bound_alone": _mean([night.passes("bound") for night in nights]),
        "losses_alone": _mean([night.passes("losses") for night in nights]),
        "shipped": round(float(np.mean([n.true_gain * (n.decision is Decision.PROMOTE) for n in nights])), 5),
    }
    if kind.gain is not None:
        line["oracle"] = _oracle(nights, alpha)
    yield line
    if kind.shop.hidden > 1:
        yield from (
            {
                **about,
                "log": "one step, hidden reasons",
                "must_survive": strength,
                **_share("promoted", [n.passes("losses") and n.survived >= strength for n in nights]),
            }
            for strength in STRENGTHS
        )
    for units, rewarded in FLOORS:
        yield {
            **about,
            "log": "one step, floors",
            "floor_units": units,
            "floor_rewarded": rewarded,
            **_share("promoted", [night.passes("losses", units=units, rewarded=rewarded) for night in nights]),
            "wrongly": _mean([n.true_gain <= 0 and n.passes("losses", units=units, rewarded=rewarded) for n in nights]),
        }


def _oracle(nights: Sequence[OneStepNight], alpha: float) -> float:
    """Return how often a z-test with the true standard error would pass: that of the nights' own estimates."""
    values = np.array([night.value for night in nights])
    return round(float((values > float(norm.ppf(1 - alpha)) * values.std(ddof=1)).mean()), 4)


def _share(name: str, passed: Sequence[bool]) -> dict[str, object]:
    """Return the share with its one-sided 95% upper bound (Clopper and Pearson 1934)."""
    n, hits = len(passed), sum(passed)
    upper = 1.0 if hits == n else float(beta.ppf(0.95, hits + 1, n - hits))
    return {name: round(hits / n, 4), f"{name}_upper95": round(upper, 4)}


def _mean(passed: Sequence[bool]) -> float:
    return round(float(np.mean(passed)), 4)
