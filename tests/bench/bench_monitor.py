"""What the monitor's alarms and the ledger of launches are worth, where the truth is known.

Prints JSON lines. Run by `make bench-monitor`; `RUNS` sets how many quiet runs of two years there are and how many
series of looks, `LAUNCHES` how many launches, `SEED` where seeds begin, `SECTIONS` which parts are run:

- `quiet`: false alarms of all series together in 730 days with a weekly rhythm in which nothing changes.
- `launches`: the same where each quarter another version decides, whose own series begin as the former one's end.
- `delays`: days from a change of one series to its alarm, by the size of the change.
- `looks`: how often bounds that are looked at every day ever miss the true gain, shoppers coming back.
- `ledger`: calibration and scores of launches behind the gate, each with shoppers of its own.
- `shared`: the same in shops of eight and of three launches, whose shoppers and control group stay the same.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.stats import binomtest
from scipy.stats import t as student_t

from rl.monitor.alarms import AlarmBank, daily_allowance
from rl.monitor.ledger import Calibration, calibration
from rl.monitor.realised import GainInfluences
from rl.monitor.weekday_scores import WeekdayScores
from tests.bench.monitor.launches import Launched, covariance, launch, ledger, looks_that_miss
from tests.bench.monitor.quiet_years import LAUNCHED_DAYS, N_SERIES, alarms_of, quiet_years, years_of_launches

N_DAYS = 730
RATE = 0.5
"""False alarms a year, the default of `monitor.false_alarms_a_year`."""

AT_ONCE = 25
NONE = GainInfluences(np.empty(0, dtype=np.int64), np.empty(0))
"""Influences are large and not asked for once they were compared."""

SIZES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
BEFORE, AFTER = 90, 120
A_SHOP = (8, 3)
"""Launches of shops whose control group stays the same."""

SECTIONS = ("quiet", "launches", "delays", "looks", "ledger", "shared")


def main(n_runs: int, n_launches: int, seed: int, sections: list[str]) -> None:
    """Run and print the parts."""
    with ProcessPoolExecutor(int(os.environ.get("WORKERS") or 1)) as pool:
        if "quiet" in sections:
            batches = [(seed + batch, min(AT_ONCE, n_runs - batch)) for batch in range(0, n_runs, AT_ONCE)]
            _print(quiet_line(np.concatenate(list(pool.map(_quiet, batches)))))
        if "launches" in sections:
            batches = [(seed + batch, min(AT_ONCE, n_runs - batch)) for batch in range(0, n_runs, AT_ONCE)]
            _print(launches_line(np.concatenate(list(pool.map(_launched, batches)))))
        if "delays" in sections:
            for line in delay_lines(max(200, n_runs), seed):
                _print(line)
        if "looks" in sections:
            missed = list(pool.map(partial(_looks, seed), range(n_runs), chunksize=10))
            _print(looks_line(missed))
        if "ledger" in sections:
            found = list(pool.map(partial(_launch, seed), range(n_launches), chunksize=25))
            _print(ledger_line(found))
        if "shared" in sections:
            for n in A_SHOP:
                _print(shared_line(list(pool.map(partial(_ledger, seed, n), range(n_launches // n), chunksize=5))))


def quiet_line(counts: np.ndarray) -> dict[str, object]:
    """Return the mean number of false alarms in a run of all days, with its one-sided upper bound at 95%.

    Args:
        counts: alarms of each run and series, `(n_runs, N_SERIES)`.
    """
    return {
        "section": "quiet",
        "series": N_SERIES,
        **_false_alarms(counts),
        "by_kind": {
            name: int(counts[:, part].sum())
            for name, part in {
                "volume": slice(0, 1),
                "means": slice(1, 15),
                "distributions": slice(15, 19),
                "choices": slice(19, 21),
                "share": slice(21, 22),
                "propensities": slice(22, 23),
            }.items()
        },
    }


def launches_line(counts: np.ndarray) -> dict[str, object]:
    """Return the same where versions follow one another, with the alarms of series that are a version's own.

    Args:
        counts: alarms of each run and series, those that go on first, `(n_runs, n_series)`.
    """
    return {
        "section": "launches",
        "series": counts.shape[1],
        "days_each": LAUNCHED_DAYS,
        **_false_alarms(counts),
        "by_kind": {
            "lasting": int(counts[:, : N_SERIES - 3].sum()),
            "of_versions": int(counts[:, N_SERIES - 3 :].sum()),
        },
    }


def _false_alarms(counts: np.ndarray) -> dict[str, object]:
    total = counts.sum(axis=1)
    error = total.std(ddof=1) / math.sqrt(len(total))
    upper = total.mean() + float(student_t.ppf(0.95, len(total) - 1)) * error
    return {
        "runs": len(total),
        "days": N_DAYS,
        "declared": RATE * N_DAYS / 365,
        "mean_alarms": round(float(total.mean()), 4),
        "upper": round(float(upper), 4),
        "runs_without": int((total == 0).sum()),
        "most": int(total.max()),
    }


def delay_lines(n_runs: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield, by the size of a change in standard deviations of a day's figure, how many days pass until its alarm."""
    for size in SIZES:
        rng = np.random.default_rng([seed, round(size * 10), 2])
        days = np.arange(BEFORE + AFTER)
        rhythm = np.array([0.0, 0.5, -1.0, 1.0, 3.0, 5.0, 2.0])[days % 7]
        figures = rhythm[:, None] + rng.normal(size=(len(days), n_runs)) + size * (days >= BEFORE)[:, None]
        bank = AlarmBank(np.ones(n_runs, dtype=bool))
        scores, first, early = WeekdayScores(n_runs), np.full(n_runs, math.inf), 0
        for day in days:
            judged = scores.update(figures[day], np.zeros(n_runs), int(day) % 7)
            alarms = bank.update(judged, daily_allowance(N_SERIES, RATE))
            bank.forget(alarms)
            scores.forget(alarms)
            if day < BEFORE:
                early += int(alarms.sum())
            else:
                first = np.where(alarms & np.isinf(first), day - BEFORE + 1, first)
        found = np.isfinite(first)
        yield {
            "section": "delays",
            "size_in_deviations": size,
            "runs": n_runs,
            "median_days": float(np.median(first)) if found.mean() > 0.5 else None,
            "ninth_decile_days": float(np.quantile(first, 0.9, method="higher")) if found.mean() > 0.9 else None,
            "found_within": {str(limit): round(float((first <= limit).mean()), 3) for limit in (1, 7, 14, 28, 56)},
            "alarms_before": early,
        }


def looks_line(missed: list[tuple[bool, bool]]) -> dict[str, object]:
    """Return how often bounds for all days ever missed, beside bounds for one look."""
    together, alone = (int(sum(one[place] for one in missed)) for place in (0, 1))
    found = binomtest(together, len(missed)).proportion_ci(0.95, "wilson")
    return {
        "section": "looks",
        "runs": len(missed),
        "days": 120,
        "declared": 0.05,
        "ever_missed": round(together / len(missed), 4),
        "interval": [round(found.low, 4), round(found.high, 4)],
        "ever_missed_by_bounds_of_one_look": round(alone / len(missed), 4),
    }


def ledger_line(found: list[Launched]) -> dict[str, object]:
    """Return what the ledger says of honest launches."""
    corrected = np.array([one.promise.counted for one in found])
    raw = np.array([one.promise.value for one in found])
    earned, truth = np.array([one.earned.value for one in found]), np.array([one.truth for one in found])
    scores = np.array([one.score for one in found])
    calibrated, plain = calibration(corrected, earned), calibration(raw, earned)
    inside = int((np.abs(scores) < 1.96).sum())
    share = binomtest(inside, len(found)).proportion_ci(0.95, "wilson")
    return {
        "section": "ledger",
        "launches": len(found),
        "calibration": _rounded(calibrated.value),
        "interval": [_rounded(calibrated.lower), _rounded(calibrated.upper)],
        "calibration_of_raw_promises": _rounded(plain.value),
        "scores_within_1.96": round(inside / len(found), 4),
        "scores_interval": [round(share.low, 4), round(share.high, 4)],
        "mean_score": round(float(scores.mean()), 3),
        "called_broken_on_any_day": sum(one.is_ever_broken for one in found),
        "true_gain": _rounded(float(truth.mean())),
        "launched_without_gain": round(float((truth <= 0).mean()), 4),
        "slope_of_earned_on_promised": _rounded(float(np.polyfit(raw, earned, 1)[0])),
        "promise_error": _rounded(float(np.mean([one.promise.standard_error for one in found]))),
        "earned_error": _rounded(float(np.mean([one.earned.standard_error for one in found]))),
    }


def shared_line(shops: list[Shop]) -> dict[str, object]:
    """Return what ledgers say of honest launches that share a control group: do the bounds of each shop hold 1?"""
    found = [one for shop in shops for one in shop.launches]
    scores = np.array([one.score for one in found])
    together, apart = [shop.together for shop in shops], [shop.apart for shop in shops]
    of_shops = calibration(np.array([one.promised for one in together]), np.array([one.earned for one in together]))
    return {
        "section": "shared",
        "shops": len(shops),
        "launches": len(found),
        "calibration": _rounded(of_shops.value),
        "calibration_interval_by_shop": [_rounded(of_shops.lower), _rounded(of_shops.upper)],
        "intervals_that_hold_1": _share([_holds_1(one) for one in together]),
        "held_if_launches_were_independent": _share([_holds_1(one) for one in apart]),
        "median_width": _rounded(float(np.median([_width(one) for one in together]))),
        "width_if_independent": _rounded(float(np.median([_width(one) for one in apart]))),
        "without_bounds": sum(one.lower is None for one in together),
        "scores_within_1.96": _share(list(np.abs(scores) < 1.96)),
    }


@dataclass(frozen=True)
class Shop:
    """Launches of a shop, and its calibration with what they have in common and without."""

    launches: list[Launched]
    together: Calibration
    apart: Calibration


def _holds_1(found: Calibration) -> bool:
    """Whether 1 is between the bounds; nothing is excluded where there are none."""
    return found.lower is None or found.upper is None or found.lower <= 1 <= found.upper


def _width(found: Calibration) -> float:
    return math.inf if found.lower is None or found.upper is None else found.upper - found.lower


def _ledger(seed: int, n_launches: int, number: int) -> Shop:
    found = ledger(np.random.default_rng([seed, number, 5]), n_launches)
    promised = np.array([one.promise.counted for one in found])
    earned = np.array([one.earned.value for one in found])
    kept = [replace(one, influences=NONE) for one in found]
    return Shop(kept, calibration(promised, earned, covariance(found)), calibration(promised, earned))


def _share(found: list[bool]) -> dict[str, object]:
    interval = binomtest(int(sum(found)), len(found)).proportion_ci(0.95, "wilson")
    return {
        "n": int(sum(found)),
        "rate": round(float(np.mean(found)), 4),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
    }


def _quiet(batch: tuple[int, int]) -> np.ndarray:
    seed, n_runs = batch
    years = quiet_years(n_runs, N_DAYS, np.random.default_rng([seed, 1]))
    return alarms_of(years, false_alarms_a_year=RATE).sum(axis=0)


def _launched(batch: tuple[int, int]) -> np.ndarray:
    seed, n_runs = batch
    years = years_of_launches(n_runs, N_DAYS, np.random.default_rng([seed, 6]))
    return alarms_of(years, false_alarms_a_year=RATE).sum(axis=0)


def _looks(seed: int, number: int) -> tuple[bool, bool]:
    return looks_that_miss(np.random.default_rng([seed, number, 3]), 120)


def _launch(seed: int, number: int) -> Launched:
    return launch(np.random.default_rng([seed, number, 4]))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _print(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(
        int(os.environ.get("RUNS") or 500),
        int(os.environ.get("LAUNCHES") or 1000),
        int(os.environ.get("SEED") or 1),
        [one for one in (os.environ.get("SECTIONS") or ",".join(SECTIONS)).split(",") if one],
    )
