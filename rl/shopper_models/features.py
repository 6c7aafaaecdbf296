"""What is known of a shopper at an as-of day, as columns of numbers; NaN where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from conf.kernel.arrays import IntArray
from conf.specs.shopper_model import WINDOWED, ShopperModel
from rl.shopper_models.daily_activity import MILLIONTHS, FloatArray
from rl.shopper_models.past import Past

_RHYTHM_DAYS = 56


def feature_columns(past: Past, model: ShopperModel) -> dict[str, FloatArray]:
    """Return the model's features of every asked shopper and day, each `(n_asked,)`, by name.

    A windowed feature has one column for each window, such as `spend_28`; `weekday_visits` has seven. Where the spec
    asks for it, both are scaled to whole windows on days on which the log is younger than these.
    """
    log_days = past.days_of_log() if model.scales_short_histories else None
    columns: dict[str, FloatArray] = {}
    for name in model.features:
        if name in WINDOWED:
            columns |= {
                f"{name}_{days}": _scaled(_WINDOWED[name](past, days), days, log_days) for days in model.windows
            }
        elif name == "weekday_visits":
            rhythm = min(_RHYTHM_DAYS, model.history_days)
            columns |= {key: _scaled(one, rhythm, log_days) for key, one in weekday_visits(past, rhythm).items()}
        else:
            columns[name] = _PLAIN[name](past)
    return columns


def days_since_visit(past: Past) -> FloatArray:
    """Return the days back to the last visit."""
    return _days_since(past, past.latest(np.ones(len(past.activity), dtype=np.bool_)))


def days_since_purchase(past: Past) -> FloatArray:
    """Return the days back to the last purchase."""
    return _days_since(past, past.latest(past.activity.n_purchases > 0))


def tenure_days(past: Past) -> FloatArray:
    """Return the days back to the first visit within the history."""
    return _days_since(past, past.earliest(np.ones(len(past.activity), dtype=np.bool_)))


def mean_gap_days(past: Past) -> FloatArray:
    """Return the mean days between visits from the first to the last one; NaN where there is one alone."""
    n_gaps = past.n_days(np.ones(len(past.activity), dtype=np.bool_), past.history_days) - 1
    spanned = tenure_days(past) - days_since_visit(past)
    return np.where(n_gaps > 0, spanned / np.maximum(n_gaps, 1), np.nan)


def n_visit_days(past: Past, days: int) -> FloatArray:
    """Return the days with a visit."""
    return past.n_days(np.ones(len(past.activity), dtype=np.bool_), days).astype(np.float64)


def n_purchases(past: Past, days: int) -> FloatArray:
    """Return the purchase events."""
    return past.summed(past.activity.n_purchases, days).astype(np.float64)


def spend(past: Past, days: int) -> FloatArray:
    """Return what was paid, in currency."""
    return past.summed(past.activity.spend, days) / MILLIONTHS


def discount(past: Past, days: int) -> FloatArray:
    """Return what was taken off before paying, in currency."""
    return past.summed(past.activity.discount, days) / MILLIONTHS


def weekday_visits(past: Past, days: int) -> dict[str, FloatArray]:
    """Return the days with a visit on each weekday, by how many days after the as-of day that weekday comes next."""
    by_weekday = np.stack([past.n_days(past.activity.day % 7 == weekday, days) for weekday in range(7)], axis=1)
    rows = np.arange(len(past.as_of_day))
    return {
        f"weekday_visits_{ahead}": by_weekday[rows, (past.as_of_day + ahead) % 7].astype(np.float64)
        for ahead in range(7)
    }


def _scaled(counts: FloatArray, days: int, log_days: IntArray | None) -> FloatArray:
    """Return what whole windows of days would count at the rate seen; None leaves counts as they are."""
    return counts if log_days is None else counts * (days / np.clip(log_days, 1, days))


def _days_since(past: Past, day: IntArray) -> FloatArray:
    return np.where(day >= 0, (past.as_of_day - day).astype(np.float64), np.nan)


_PLAIN: Mapping[str, Callable[[Past], FloatArray]] = {
    "days_since_visit": days_since_visit,
    "days_since_purchase": days_since_purchase,
    "tenure_days": tenure_days,
    "mean_gap_days": mean_gap_days,
}

_WINDOWED: Mapping[str, Callable[[Past, int], FloatArray]] = {
    "n_visit_days": n_visit_days,
    "n_purchases": n_purchases,
    "spend": spend,
    "discount": discount,
}
