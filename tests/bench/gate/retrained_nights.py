"""One-step nights whose candidates are learned anew: does the verdict stand, and was it flagged where it doesn't.

Stands in for trainings with other seeds, which cost minutes each: candidates are learned from resamples of the training
split, two of them at three temperatures, chosen on validation visits and judged by the gate's own code. Log and shop
stay; only the resamples differ. A resample moves a policy at least as much as a seed does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binomtest

from conf.specs.judging import Gate
from rl.data.logged_episodes import LoggedEpisodes
from rl.gate.close_call import SeedSpread, closeness
from rl.gate.evidence import gate_rules
from rl.gate.rules import Decision
from tests.bench.gate.fast_nights import Visits, fitted_q, judged_splits
from tests.bench.gate.one_step_nights import TRAIN, VALIDATION
from tests.bench.gate.one_step_shop import OneStepShop
from tests.bench.gate.selection_nights import ahead_of, learned, rank, seen_on
from tests.rl.ope.tabular_mdp import TablePolicy

SIZES = (800, 1500, 2500, 6000)
N_RESAMPLES, TEMPERATURES = 2, (0.3, 1.0, 2.0)


@dataclass(frozen=True)
class Training:
    """What the gate said after one training.

    Attributes:
        decision: the gate's.
        is_close: whether it called its verdict a close call.
        moves: from the nearest other verdict; infinite where no training could turn it.
        sureness: the gain's lower bound in standard errors of the gain.
        sizes: logarithms of effective, differing and rewarded units.
    """

    decision: Decision
    is_close: bool
    moves: float
    sureness: float
    sizes: tuple[float, float, float]


def retrained(n: int, seed: int, *, gate: Gate, alpha: float, n_trainings: int = 2) -> tuple[Training, ...]:
    """Return what came of each training on the same log; every seed is another shop.

    Args:
        n: shoppers of the test split.
        seed: of shop, log and resamples.
        gate: that judges.
        alpha: one-sided level of the bound.
        n_trainings: on the same log.
    """
    shop = replace(OneStepShop(), n=n, seed=seed)
    train, validation, test = (
        shop.log(int(share * n), 10 * seed + number, is_test=number == 3)
        for number, share in ((1, TRAIN), (2, VALIDATION), (3, 1.0))
    )
    chosen = [
        _chosen(train, validation, np.random.default_rng([seed, number]), gate=gate, alpha=alpha)
        for number in range(n_trainings)
    ]
    before = (train, validation)
    return tuple(_judged(*one, before, test, gate=gate, alpha=alpha, seed=seed) for one in chosen)


def _chosen(
    train: LoggedEpisodes, validation: LoggedEpisodes, rng: np.random.Generator, *, gate: Gate, alpha: float
) -> tuple[TablePolicy, SeedSpread]:
    """Return the chosen policy, and how far resamples are apart on validation visits."""
    rows, held_out = Visits.of(train), Visits.of(validation)
    q, ahead = fitted_q(rows), ahead_of(gate, alpha)
    by_resample = []
    for _ in range(N_RESAMPLES):
        tried = [(seen_on(one, held_out, q), one) for one in learned(rows, rng, TEMPERATURES)]
        by_resample.append(max(tried, key=lambda one: rank(one[0], ahead)))
    _, best = max(by_resample, key=lambda one: rank(one[0], ahead))
    found = np.array([[seen.gain, seen.sizes.effective, seen.sizes.rewarded] for seen, _ in by_resample])
    found[:, 1:] = np.log(found[:, 1:])
    return best, SeedSpread(*np.std(found, axis=0, ddof=1).tolist())


def _judged(
    policy: TablePolicy,
    seeds: SeedSpread,
    before: Sequence[LoggedEpisodes],
    test: LoggedEpisodes,
    *,
    gate: Gate,
    alpha: float,
    seed: int,
) -> Training:
    evidence, verdict = judged_splits(policy, before, test, gate=gate, alpha=alpha, seed=seed)
    near = closeness(evidence, gate_rules(gate, alpha=alpha), verdict, seeds=seeds)
    gain = evidence.difference
    units = (evidence.effective_sample_size, evidence.effective_differing, evidence.effective_rewarded)
    error = 0.0 if gain is None else gain.standard_error
    effective, differing, rewarded = (float(np.log(max(one or 0.0, 1e-9))) for one in units)
    return Training(
        decision=verdict.decision,
        is_close=near is not None and near.is_close,
        moves=float("inf") if near is None else near.moves,
        sureness=gain.lower / error if gain is not None and error > 0 else 0.0,
        sizes=(effective, differing, rewarded),
    )


def retrained_line(n: int, nights: Sequence[Sequence[Training]]) -> dict[str, object]:
    """Return how often another training turned the verdict, how often it had been flagged, and how far findings moved.

    A flip is unflagged where the first training's verdict was no close call: a night knows but its own.
    """
    flips = [any(one.decision is not own.decision for one in others) for own, *others in nights]
    flagged = [own.is_close for own, *_ in nights]
    unflagged = sum(flip and not flag for flip, flag in zip(flips, flagged, strict=True))
    return {
        "bench": "gate",
        "log": "retrained, one step",
        "shoppers": n,
        "nights": len(nights),
        "promoted": round(float(np.mean([own.decision is Decision.PROMOTE for own, *_ in nights])), 4),
        "flipped": round(float(np.mean(flips)), 4),
        "flagged": round(float(np.mean(flagged)), 4),
        "unflagged_flips": round(unflagged / len(nights), 4),
        "unflagged_upper95": round(binomtest(unflagged, len(nights)).proportion_ci(0.95).high, 4),
        "move_of_bound": round(_move([[one.sureness for one in night] for night in nights]), 3),
        "moves_of_units": [
            round(_move([[one.sizes[place] for one in night] for night in nights]), 3) for place in range(3)
        ],
    }


def _move(found: Sequence[Sequence[float]]) -> float:
    """Return the standard deviation over trainings, pooled over nights."""
    return float(np.sqrt(np.mean(np.var(np.array(found), axis=1, ddof=1))))
