"""How often all segments' gains lie in their simultaneous intervals, by the code that values a night's segments."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.data.shopper_segments import Segment
from rl.ope.estimators.weight_refits import WeightRefits
from rl.ope.intervals.intervals import Resampling
from rl.ope.propensities.behavior_policy import PropensityRepeats, estimate_behavior
from rl.ope.segments import SegmentFloors, SegmentReport, segment_values
from tests.bench.gate.nights import GATE
from tests.bench.gate.shop import GAMMA, N_STATES, STEPS, behavior
from tests.bench.ope.samples import FittedValues, fit_values, kind_samples
from tests.bench.ope.shop import policy, session_log, shop_of
from tests.bench.ope.trial import BEHAVIOR, COMPARED, LEVEL, N_TRAIN

N_REPLICATIONS, N_WORKERS = 200, 2
KIND, N_SEGMENTS = "clicks", 4
# As a night's: a quarter of the gate's.
FLOORS = SegmentFloors(GATE.min_effective_sample_size / 4, GATE.min_effective_rewarded / 4)


@dataclass(frozen=True)
class SegmentTrial:
    """What one log's report said of its segments' gains.

    Attributes:
        source: of the propensities.
        hits: whether each gain shown lies in its interval.
        errors: of each gain shown.
        widths: of each interval.
        n_refused: segments below the floors.
    """

    source: str
    hits: tuple[bool, ...]
    errors: tuple[float, ...]
    widths: tuple[float, ...]
    n_refused: int


def lines() -> Iterator[dict[str, object]]:
    """A line for each source of propensities, the estimated ones widened or not."""
    n_replications = min(N_REPLICATIONS, int(os.environ.get("REPLICATIONS") or N_REPLICATIONS))
    with ProcessPoolExecutor(N_WORKERS, mp_context=get_context("spawn")) as pool:
        trials = [trial for found in pool.map(_replicate, range(n_replications), chunksize=5) for trial in found]
    print(f"segments: {n_replications} replications", file=sys.stderr, flush=True)
    for source in dict.fromkeys(trial.source for trial in trials):
        yield _line(source, [trial for trial in trials if trial.source == source])


def _line(source: str, trials: list[SegmentTrial]) -> dict[str, object]:
    each = np.array([hit for trial in trials for hit in trial.hits])
    errors = np.array([error for trial in trials for error in trial.errors])
    at_once = np.array([all(trial.hits) for trial in trials])
    return {
        "bench": "ope",
        "section": "segments",
        "log": KIND,
        "n": COMPARED,
        "estimator": "dr gain",
        "propensities": source,
        "replications": len(trials),
        "segments": N_SEGMENTS,
        "refused": round(float(np.mean([trial.n_refused for trial in trials])) / N_SEGMENTS, 4),
        "coverage": round(float(each.mean()), 4),
        "coverage_at_once": round(float(at_once.mean()), 4),
        "coverage_at_once_se": round(float(at_once.std() / np.sqrt(len(at_once))), 4),
        "bias": round(float(errors.mean()), 4),
        "rmse": round(float(np.sqrt(np.square(errors).mean())), 4),
        "width": round(float(np.mean([width for trial in trials for width in trial.widths])), 4),
    }


def _replicate(number: int) -> list[SegmentTrial]:
    seed = 1000 * number
    train, test = session_log(N_TRAIN, seed), session_log(COMPARED, seed + 1)
    blind = replace(test, propensity=np.full(test.n_transitions, np.nan))
    repeats = estimate_behavior(blind, replace(BEHAVIOR, seed=seed)).repeats
    estimated = replace(test, propensity=repeats.pooled())
    values = fit_values(train, "sessions", kinds=(KIND,))
    return [
        _trial("logged", _report(values, test, None)),
        _trial("estimated", _report(values, estimated, repeats)),
        _trial("estimated, not widened", _report(values, estimated, None)),
    ]


def _report(values: FittedValues, test: LoggedEpisodes, repeats: PropensityRepeats | None) -> SegmentReport:
    samples = kind_samples(test, "sessions", values)
    everyone = np.ones(test.n_transitions, dtype=bool)
    return segment_values(
        samples.candidate[KIND],
        samples.behavior[KIND],
        _segments(test),
        estimator_name="dr",
        floors=FLOORS,
        confidence=LEVEL,
        resampling=Resampling(),
        refits=(None if repeats is None else WeightRefits.of(repeats, everyone), None),
    )


def _trial(source: str, report: SegmentReport) -> SegmentTrial:
    truth = _true_gains()
    shown = [(int(value.label), value.gain) for value in report.values if value.gain is not None]
    return SegmentTrial(
        source,
        hits=tuple(gain.lower <= truth[label] <= gain.upper for label, gain in shown),
        errors=tuple(gain.value - truth[label] for label, gain in shown),
        widths=tuple(gain.upper - gain.lower for _, gain in shown),
        n_refused=len(report.values) - len(shown),
    )


def _segments(log: LoggedEpisodes) -> tuple[Segment, ...]:
    """Sessions by the state they begin in, two states a segment."""
    first: IntArray = log.features[log.offsets[:-1]].argmax(axis=1) * N_SEGMENTS // N_STATES
    return tuple(Segment("first state", str(label), first == label) for label in range(N_SEGMENTS))


@cache
def _true_gains() -> FloatArray:
    """Exact gain per session of each segment, whose states are equally likely to begin in, `(n_segments,)`."""
    shop = shop_of(KIND)
    candidate, before = (
        (one.table * shop.exact_q(one, gamma=GAMMA, steps=STEPS)).sum(axis=1) for one in (policy(), behavior())
    )
    return np.asarray((candidate - before).reshape(N_SEGMENTS, -1).mean(axis=1), dtype=np.float64)
