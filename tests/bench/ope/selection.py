"""How well validation sessions rank policies of known value, by the code that selects a night's candidate."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from typing import cast

import numpy as np
import structlog
from scipy.stats import spearmanr

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes
from rl.night.gate_ahead import GateAhead
from rl.night.selection import Selection, select_candidate
from rl.ope.intervals.intervals import Resampling
from rl.ope.report import EvaluationSettings
from rl.policy import StochasticPolicy
from tests.bench.gate.nights import GATE
from tests.bench.gate.shop import GAMMA, STEPS, behavior, gate_shop
from tests.bench.ope.samples import LINEAR
from tests.bench.ope.shop import session_log, shop_of, true_value
from tests.rl.ope.tabular_mdp import TablePolicy

N_REPLICATIONS, N_WORKERS = 100, 2
KIND, N_TRAIN = "clicks", 1000
SIZES = (500, 2000)
ESTIMATORS = ("dm", "wpdis", "dr", "wdr")
TEMPERATURES = (0.25, 0.5, 1.0)
QUALITIES = (-0.6, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""How far the candidates' scores follow the true advantage; the rest is noise."""

_DEPARTURE = 0.5  # share of the candidates' choices that are their own; the rest are the behavior policy's
# The recommendation scenario validates on two days and tests on three.
_AHEAD = GateAhead(2 / 3 * GATE.min_effective_sample_size, 2 / 3 * GATE.min_effective_rewarded, test_share=1.5)


@dataclass(frozen=True)
class ScoredPolicy:
    """What selection asks of a candidate: a softmax of scores at a temperature, mixed with the behavior policy.

    Attributes:
        name: of the candidate.
        scores: by state, `(n_states, n_actions)`.
        temperature: of the softmax.
    """

    name: str
    scores: FloatArray
    temperature: float = 1.0

    @property
    def version(self) -> str:
        return f"{self.name} at {self.temperature:g}"

    @property
    def table(self) -> FloatArray:
        """Probabilities by state, `(n_states, n_actions)`."""
        mask = gate_shop().mask
        weights = np.where(mask, np.exp(self.scores / self.temperature), 0.0)
        softmax = weights / weights.sum(axis=1, keepdims=True)
        return np.asarray((1 - _DEPARTURE) * behavior().table + _DEPARTURE * softmax)

    def with_temperature(self, temperature: float) -> ScoredPolicy:
        return replace(self, temperature=temperature)

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        return TablePolicy(self.table).probabilities(features, mask)


@dataclass(frozen=True)
class Ranked:
    """One estimator on one log.

    Attributes:
        regret: true value that the choice forgoes, as a share of the behavior policy's value.
        regret_of_highest: the same for the policy of the highest estimate.
        correlation: Spearman's, of the estimates with the true values.
        is_worse: the choice is worth less than the behavior policy.
        is_supported: the log can judge the choice: the floors are met.
    """

    n: int
    estimator: str
    regret: float
    regret_of_highest: float
    correlation: float
    is_worse: bool
    is_supported: bool


def lines() -> Iterator[dict[str, object]]:
    """A line for each size and estimator, and one for choosing at random."""
    n_replications = max(2, min(N_REPLICATIONS, int(os.environ.get("REPLICATIONS") or N_REPLICATIONS)))
    with ProcessPoolExecutor(N_WORKERS, mp_context=get_context("spawn"), initializer=_silence) as pool:
        found = [one for rows in pool.map(_replicate, range(n_replications), chunksize=5) for one in rows]
    print(f"selection: {n_replications} replications", file=sys.stderr, flush=True)
    gains = np.array(list(_true_values().values())) / _behavior_value() - 1
    yield {
        "bench": "ope",
        "section": "selection",
        "estimator": "none: at random",
        "candidates": len(gains),
        "gains": [round(float(gain), 3) for gain in np.sort(gains)],
        "regret": round(float(gains.max() - gains.mean()), 4),
        "worse": round(float((gains < 0).mean()), 4),
    }
    for n in SIZES:
        for name in ESTIMATORS:
            yield _line(n, name, [one for one in found if (one.n, one.estimator) == (n, name)])


def _silence() -> None:
    """No line on stdout for every selection: that is where the results go."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def _line(n: int, name: str, rows: Sequence[Ranked]) -> dict[str, object]:
    regret = np.array([row.regret for row in rows])
    return {
        "bench": "ope",
        "section": "selection",
        "estimator": name,
        "log": KIND,
        "n": n,
        "replications": len(rows),
        "candidates": len(_true_values()),
        "regret": round(float(regret.mean()), 4),
        "regret_se": round(float(regret.std(ddof=1) / np.sqrt(len(regret))), 4),
        "regret_of_highest": round(float(np.mean([row.regret_of_highest for row in rows])), 4),
        "rank_correlation": round(float(np.mean([row.correlation for row in rows])), 4),
        "worse": round(float(np.mean([row.is_worse for row in rows])), 4),
        "supported": round(float(np.mean([row.is_supported for row in rows])), 4),
    }


def _replicate(number: int) -> list[Ranked]:
    train = _with_reward(N_TRAIN, 1000 * number)
    found = []
    for place, n in enumerate(SIZES, start=1):
        validation = _with_reward(n, 1000 * number + place)
        for name in ESTIMATORS:
            settings = EvaluationSettings(
                DiscountFunction(GAMMA),
                steps=STEPS,
                fqe=LINEAR,
                resampling=Resampling(n_draws=2),  # intervals choose nothing
            )
            selection = select_candidate(
                cast("dict[str, StochasticPolicy]", _candidates()),
                train=train,
                validation=validation,
                settings=settings,
                estimator=name,
                temperatures=TEMPERATURES,
                ahead=_AHEAD,
                is_logged=True,
            )
            found.append(_ranked(n, name, selection))
    return found


def _with_reward(n: int, seed: int) -> LoggedEpisodes:
    log = session_log(n, seed)
    return replace(log, reward=log.metrics[KIND], metrics={})


def _ranked(n: int, name: str, selection: Selection) -> Ranked:
    true, best = _true_values(), max(_true_values().values())
    estimates = {one.policy: one.value for one in selection.reports if one.estimator == name and one.value is not None}
    chosen = true[selection.best.policy.version]
    highest = true[max(estimates, key=lambda policy: estimates[policy])]
    correlation = float(spearmanr(list(estimates.values()), [true[policy] for policy in estimates]).statistic)
    before = _behavior_value()
    return Ranked(
        n,
        name,
        regret=(best - chosen) / before,
        regret_of_highest=(best - highest) / before,
        correlation=correlation,
        is_worse=chosen < before,
        is_supported=selection.best.is_supported,
    )


@cache
def _candidates() -> dict[str, ScoredPolicy]:
    """One for each quality: scores that follow the behavior policy's true advantage so far, and noise."""
    shop, mask = shop_of(KIND), gate_shop().mask
    q = shop.exact_q(behavior(), gamma=GAMMA, steps=STEPS)
    advantage = q - (behavior().table * q).sum(axis=1, keepdims=True)
    spread = float(advantage[mask].std())
    rng = np.random.default_rng(3)
    return {
        f"quality {quality:g}": ScoredPolicy(
            f"quality {quality:g}",
            quality * advantage / spread + np.sqrt(1 - quality**2) * rng.normal(size=mask.shape),
        )
        for quality in QUALITIES
    }


@cache
def _true_values() -> dict[str, float]:
    """Exact value of every candidate at every temperature."""
    shop = shop_of(KIND)
    warmed = [each.with_temperature(t) for each in _candidates().values() for t in TEMPERATURES]
    return {one.version: shop.exact_value(TablePolicy(one.table), gamma=GAMMA, steps=STEPS) for one in warmed}


def _behavior_value() -> float:
    return true_value(KIND, of_behavior=True)
