"""How often 95% intervals hold exact values, over logs of several sizes and rewards of several tails."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from rl.data.logged_episodes import BoolArray, FloatArray
from tests.bench.gate.kept_lines import KeptLines
from tests.bench.ope.shop import reward_kinds
from tests.bench.ope.trial import Outcome, Row, replicate

N_REPLICATIONS = 1000
N_WORKERS = 2

_FIELDS = ("value", "lower", "upper", "truth", "ess", "rewarded", "is_abstained")
Columns = Mapping[str, FloatArray]
Figures = tuple[tuple[Any, ...], Sequence[float]]


def lines() -> Iterator[dict[str, object]]:
    """A line for each log, estimator and interval method; `OUT` keeps replications, so that a stopped run goes on."""
    out = os.environ.get("OUT")
    kept = KeptLines(Path(out) / "coverage.jsonl", key="replication") if out else None
    yield from lines_of(replicate, int(os.environ.get("REPLICATIONS") or N_REPLICATIONS), kept=kept)


def lines_of(
    replicated: Callable[[int], list[Outcome]], n_replications: int, *, kept: KeptLines | None = None
) -> Iterator[dict[str, object]]:
    """Lines of so many replications; those that `kept` doesn't hold already are made in two processes."""
    missing = [number for number in range(n_replications) if kept is None or number not in kept]
    made: dict[int, list[Figures]] = {}
    # Not forked: torch, loaded by the parent, holds locks that a fork would copy.
    with ProcessPoolExecutor(N_WORKERS, mp_context=get_context("spawn")) as pool:
        for number, outcomes in zip(missing, pool.map(replicated, missing, chunksize=2), strict=True):
            made[number] = figures_of(outcomes)
            if kept is not None:
                kept.add({"replication": number, "figures": made[number]})
            if len(made) % max(1, len(missing) // 20) == 0:
                print(f"coverage: {len(made)} of {len(missing)} replications", file=sys.stderr, flush=True)
    found = [made[number] if kept is None else kept[number]["figures"] for number in range(n_replications)]
    for row, columns in _collect(found).items():
        yield _line(row, columns)


def figures_of(outcomes: Iterable[Outcome]) -> list[Figures]:
    """Each outcome's row, and its figures in the order of `_FIELDS`."""
    return [
        (
            astuple(one.row),
            (
                one.interval.value,
                one.interval.lower,
                one.interval.upper,
                one.truth,
                one.ess,
                one.rewarded,
                float(one.is_abstained),
            ),
        )
        for one in outcomes
    ]


def _collect(replications: Iterable[Sequence[Figures]]) -> Mapping[Row, Columns]:
    """The replications' figures, one array a field and row."""
    gathered: dict[Row, list[Sequence[float]]] = defaultdict(list)
    for replication in replications:
        for row, figures in replication:
            gathered[Row(*row)].append(figures)
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
    """Share of hits with its Monte Carlo standard error and exact 95% bounds; None where no log is left."""
    names = (f"coverage{suffix}", f"coverage{suffix}_se", f"coverage{suffix}95")
    if not len(is_hit):
        return dict.fromkeys(names)
    share, bounds = float(is_hit.mean()), binomtest(int(is_hit.sum()), len(is_hit)).proportion_ci(0.95)
    error = np.sqrt(share * (1 - share) / len(is_hit))
    return dict(zip(names, (_round(share), _round(error), [_round(bounds.low), _round(bounds.high)]), strict=True))


def _round(value: float, digits: int = 4) -> float:
    return round(float(value), digits)
