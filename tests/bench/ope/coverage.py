"""How often 95% intervals hold exact values, over logs of several sizes and rewards of several tails."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray
from tests.bench.ope.shop import reward_kinds
from tests.bench.ope.trial import Outcome, Row, replicate

N_REPLICATIONS = 1000
N_WORKERS = 2

_FIELDS = ("value", "lower", "upper", "truth", "ess", "rewarded", "is_abstained")
Columns = Mapping[str, FloatArray]


def lines() -> Iterator[dict[str, object]]:
    """A line for each log, estimator and interval method."""
    yield from lines_of(replicate, int(os.environ.get("REPLICATIONS") or N_REPLICATIONS))


def lines_of(replicated: Callable[[int], list[Outcome]], n_replications: int) -> Iterator[dict[str, object]]:
    """Lines of so many replications, made in two processes."""
    # Not forked: torch, loaded by the parent, holds locks that a fork would copy.
    with ProcessPoolExecutor(N_WORKERS, mp_context=get_context("spawn")) as pool:
        found = _collect(pool.map(replicated, range(n_replications), chunksize=5), n_replications)
    for row, columns in found.items():
        yield _line(row, columns)


def _collect(replications: Iterable[list[Outcome]], n_replications: int) -> Mapping[Row, Columns]:
    """The replications' figures, one array a field and row; progress on stderr."""
    gathered: dict[Row, list[tuple[float, ...]]] = defaultdict(list)
    for number, outcomes in enumerate(replications, start=1):
        for one in outcomes:
            of = one.interval
            gathered[one.row].append((of.value, of.lower, of.upper, one.truth, one.ess, one.rewarded, one.is_abstained))
        if number % max(1, n_replications // 20) == 0:
            print(f"coverage: {number} of {n_replications} replications", file=sys.stderr, flush=True)
    return {
        row: dict(zip(_FIELDS, np.array(figures, dtype=np.float64).T, strict=True)) for row, figures in gathered.items()
    }


def _line(row: Row, columns: Columns) -> dict[str, object]:
    error = columns["value"] - columns["truth"]
    is_low, is_high = columns["upper"] < columns["truth"], columns["lower"] > columns["truth"]
    is_hit, is_abstained = ~is_low & ~is_high, columns["is_abstained"] > 0
    return {
        "bench": "ope",
        "section": "coverage",
        "estimator": row.estimator,
        "log": row.log,
        "tail": reward_kinds()[row.log].tail,
        "episodes": row.form,
        "n": row.n,
        "propensities": row.propensities,
        "interval": row.method,
        "fqe": "linear",
        "replications": len(error),
        "ess": _round(columns["ess"].mean(), 1),
        "rewarded": _round(columns["rewarded"].mean(), 1),
        "truth": _round(columns["truth"].mean()),
        "bias": _round(error.mean()),
        "bias_se": _round(error.std(ddof=1) / np.sqrt(len(error))) if len(error) > 1 else None,
        "rmse": _round(np.sqrt(np.square(error).mean())),
        **_coverage("", is_hit),
        "missed_low": _round(is_low.mean()),
        "missed_high": _round(is_high.mean()),
        "width": _round((columns["upper"] - columns["lower"]).mean()),
        "abstained": _round(is_abstained.mean()),
        **_coverage("_not_abstained", is_hit[~is_abstained]),
    }


def _coverage(suffix: str, is_hit: BoolArray) -> dict[str, object]:
    """Share of hits with its Monte Carlo standard error; None where no log is left."""
    if not len(is_hit):
        return {f"coverage{suffix}": None, f"coverage{suffix}_se": None}
    share = float(is_hit.mean())
    return {
        f"coverage{suffix}": _round(share),
        f"coverage{suffix}_se": _round(np.sqrt(share * (1 - share) / len(is_hit))),
    }


def _round(value: float, digits: int = 4) -> float:
    return round(float(value), digits)
