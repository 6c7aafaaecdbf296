"""Seconds and peak memory of one estimation in a process of its own; `ope_memory` runs it and reads its one line.

The kernel's own peak is reset once the log is in memory, so that neither imports nor making the log count.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.ope.estimators.registry import nightly_estimators
from rl.ope.intervals.intervals import Resampling, student_interval
from rl.ope.intervals.partial_sums import EstimationPlan, sums_in_batches
from rl.ope.q_functions.fqe import FittedQ, FqeSettings
from rl.ope.report import EvaluationSettings, evaluate_policies
from tests.bench.ope.memory_log import LONGEST, N_ACTIONS, N_FEATURES, data_bytes, memory_log, policies
from tests.rl.ope.single_fit import fit_fqe

DISCOUNT = DiscountFunction(0.95)
N_TRAIN_ROWS = 100_000
_FQE = FqeSettings(method="linear")
_STATUS = Path("/proc/self/status")

Task = Callable[[LoggedEpisodes], dict[str, float]]
"""Estimates on the log, and returns values by estimator."""


def main(name: str, n_rows: int) -> None:
    """Prints what the task took."""
    log, task = memory_log(n_rows, seed=1), TASKS[name]()
    data = data_bytes(log)
    baseline = _reset_peak()
    started = time.perf_counter()
    values = task(log)
    seconds = time.perf_counter() - started
    peak = _resident("VmHWM")
    print(
        json.dumps(
            {
                "task": name,
                "rows": n_rows,
                "episodes": log.n_episodes,
                "longest": LONGEST,
                "actions": N_ACTIONS,
                "features": N_FEATURES,
                "data_bytes": data,
                "baseline_bytes": baseline,
                "peak_bytes": peak,
                "ratio": round((data + peak - baseline) / data, 3),
                "seconds": round(seconds, 1),
                "values": {estimator: round(value, 4) for estimator, value in values.items()},
            }
        )
    )


def _batched(estimators: tuple[str, ...]) -> Callable[[], Task]:
    """Sums in batches, values and standard errors by shopper."""

    def prepare() -> Task:
        plan = EstimationPlan(estimators, DISCOUNT, q_function=_fitted_q() if "dr" in estimators else None)

        def task(log: LoggedEpisodes) -> dict[str, float]:
            found = sums_in_batches(policies()[1], log, plan)
            return {name: student_interval(found.require(name), level=0.95).value for name in estimators}

        return task

    return prepare


def _night() -> Task:
    """All a night estimates on its test split, for the behavior policy and one other, with bootstrap intervals."""
    train = memory_log(N_TRAIN_ROWS, seed=2)
    settings = EvaluationSettings(DISCOUNT, resampling=Resampling(n_draws=100), fqe=_FQE)

    def task(log: LoggedEpisodes) -> dict[str, float]:
        found = evaluate_policies({"evaluation": policies()[1]}, train=train, test=log, settings=settings)
        reports = [found.report("evaluation", name) for name in nightly_estimators() if name != "on_policy"]
        return {report.estimator: report.value for report in reports if report.value is not None}

    return task


def _fitted_q() -> FittedQ:
    """Linear, fitted on another log before the clock starts."""
    return fit_fqe(policies()[1], memory_log(N_TRAIN_ROWS, seed=2), discount=DISCOUNT, settings=_FQE)


TASKS: dict[str, Callable[[], Task]] = {
    "weighted": _batched(("tis", "pdis", "wis", "wpdis")),
    "doubly robust, linear Q": _batched(("dm", "dr", "wdr")),
    "all of a night's": _night,
}
"""Each prepares what isn't measured and returns what is."""


def _reset_peak() -> int:
    """Bytes in memory now; the peak is counted from here."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, see proc(5)
    return _resident("VmRSS")


def _resident(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    arguments: list[Any] = sys.argv[1:]
    main(arguments[0], int(arguments[1]))
