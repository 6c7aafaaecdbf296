"""Forecasts of daily demand from past demand alone: a level that follows the days, times the weekday's share.

Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice (2021), chapter 8, for exponential smoothing;
the level is a ratio of smoothed sales and smoothed weekday shares, so that closed days neither raise nor lower it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError


def weekday_shares(demand: IntArray, weekday: IntArray, is_open: BoolArray) -> FloatArray:
    """Return what each weekday sells over the mean of open days, pooled over products, `(7,)`; 0 where it is closed.

    Args:
        demand: units, `(n_products, n_days)`.
        weekday: of each day, from 0, `(n_days,)`.
        is_open: days on which anything could be sold, `(n_days,)`.

    Raises:
        InventoryError: nothing was sold on any open day.
    """
    if not demand[:, is_open].any():
        raise InventoryError("no demand on any open day; expected some to find weekdays' shares from")
    # Products count alike, so that one large order doesn't make a weekday.
    sold = demand[:, is_open] / np.maximum(demand[:, is_open].mean(axis=1, keepdims=True), 1e-9)
    per_day = sold.mean(axis=0)
    days = np.bincount(weekday[is_open], minlength=7)
    sums = np.bincount(weekday[is_open], per_day, minlength=7)
    # A weekday that is hardly ever open is closed: one odd Saturday says nothing of Saturdays.
    is_usual = days > 0.1 * days.max()
    return np.where(is_usual, sums / np.maximum(days, 1), 0.0)


def smoothed_levels(
    demand: IntArray, shares: FloatArray, weekday: IntArray, is_open: BoolArray, *, rate: float, n_first: int = 28
) -> FloatArray:
    """Return each morning's level of demand on a usual open day, from the days before it, `(n_products, n_days)`.

    Args:
        demand: units, `(n_products, n_days)`.
        shares: of weekdays, `(7,)`.
        weekday: of each day, `(n_days,)`.
        is_open: whether the shop was, `(n_days,)`; a day before is known to have been closed.
        rate: share of a new day in the level, in (0, 1).
        n_first: days whose mean begins the level, which therefore knows them beforehand: leave them out of judging.
    """
    if not 0 < rate < 1 or n_first < 1:
        raise InventoryError(f"smoothing rate {rate:g} over {n_first} first days; expected a rate in (0, 1), and days")
    usual = shares[weekday] * is_open
    first = max(float(usual[:n_first].mean()), 1e-9)
    sold, expected = demand[:, :n_first].mean(axis=1), first
    found = np.empty(demand.shape)
    for day in range(demand.shape[1]):
        found[:, day] = sold / expected
        sold = (1 - rate) * sold + rate * demand[:, day]
        expected = max((1 - rate) * expected + rate * float(usual[day]), 1e-9)
    return found


def forecasts_ahead(levels: FloatArray, shares: FloatArray, weekday: IntArray, n_ahead: int) -> FloatArray:
    """Return each morning's forecast of the day and of those after it, units, `(n_products, n_days, n_ahead)`."""
    ahead = shares[(weekday[:, None] + np.arange(n_ahead)) % 7]
    return np.asarray(levels[:, :, None] * ahead)


def best_rate(
    demand: IntArray,
    shares: FloatArray,
    weekday: IntArray,
    is_open: BoolArray,
    *,
    rates: Sequence[float],
    n_ahead: int,
    n_first: int = 28,
) -> float:
    """Return the rate whose forecasts of the next `n_ahead` days' sum miss least, products counting alike.

    Args:
        demand: units of the days to choose on, `(n_products, n_days)`.
        shares: of weekdays, `(7,)`.
        weekday: of each day, `(n_days,)`.
        is_open: whether the shop was, `(n_days,)`.
        rates: to try.
        n_ahead: days.
        n_first: days that begin the level, which aren't judged.
    """
    if demand.shape[1] <= n_first + n_ahead or not len(rates):
        raise InventoryError(f"{demand.shape[1]} days are too few to choose among {len(rates)} rates; give more")
    sums = np.stack([demand[:, k : demand.shape[1] - n_ahead + 1 + k] for k in range(n_ahead)]).sum(axis=0)
    scale = np.maximum(sums.mean(axis=1, keepdims=True), 1e-9)
    errors = []
    for rate in rates:
        levels = smoothed_levels(demand, shares, weekday, is_open, rate=rate, n_first=n_first)
        told = forecasts_ahead(levels, shares, weekday, n_ahead).sum(axis=2)[:, : sums.shape[1]]
        errors.append(float(np.abs((told - sums) / scale)[:, n_first:].mean()))
    return float(rates[int(np.argmin(errors))])
