"""Demand of products' days, with days that ran out drawn from their law given what sold, and that law's own doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.censored_demand import Tail, fit_demand
from rl.inventory.demand import DemandDistribution
from rl.inventory.unit_law import fit_unit_law
from rl.orders.stratum_laws import LEAST_FORECAST, CorrectedLaw, StratumLaw, TenthsLaw, parts_of

_BANDS = (1.5, 4.0, 10.0, np.inf)
"""Upper ends of the bands of forecasts, units: demand scatters the more around a forecast, the smaller that is."""
_LEAST_SHOWN = 60  # days of a stratum that show their demand; with fewer it is joined with the next one
_DAYS_PER_WEEK = 7


@dataclass(frozen=True)
class DemandLaws:
    """Laws of demand around its forecast, by stratum: a band of forecasts, with or without promotion.

    Attributes:
        stratum: of each band, without promotion and with, `(n_bands, 2)`.
        fitted: by stratum.
    """

    stratum: IntArray
    fitted: tuple[StratumLaw, ...]

    def strata(self, forecasts: FloatArray, is_promoted: BoolArray) -> IntArray:
        """Return the stratum of each day, of the shape of the forecasts."""
        return np.asarray(self.stratum[_band(forecasts), is_promoted.astype(np.int64)])

    def declared_chance(self, forecasts: FloatArray, is_promoted: BoolArray) -> float:
        """Return the chance that a day's demand lies where its law is declared, in the mean over days, `(n,)` each."""
        chances = np.array([fit.declared_chance for fit in self.fitted])
        return float(chances[self.strata(forecasts, is_promoted)].mean())

    def law(self, shares: FloatArray, expected: float) -> DemandDistribution:
        """Return the law of a day's demand in whole units, as `completed` draws it.

        Args:
            shares: of the day's stratum, sum to 1, `(n_fitted,)`.
            expected: forecast of the day, units.
        """
        forecast = max(expected, LEAST_FORECAST)
        mixed = [(share, fit) for share, fit in zip(shares.tolist(), self.fitted, strict=True) if share > 0]
        units = np.arange(max(fit.largest(forecast) for _, fit in mixed) + 1)
        at_most = np.sum([share * fit.at_most(units, forecast) for share, fit in mixed], axis=0)
        chances = np.maximum(np.diff(at_most, prepend=0.0), 0.0)
        return DemandDistribution(chances / chances.sum())

    def completed(
        self,
        sold: IntArray,
        ran_out: BoolArray,
        forecasts: FloatArray,
        is_promoted: BoolArray,
        generator: np.random.Generator,
    ) -> IntArray:
        """Return demand of the shape of `sold`: as logged, and drawn where the day ran out."""
        demand, strata = sold.copy(), self.strata(forecasts, is_promoted)
        for number, fit in enumerate(self.fitted):
            rows = ran_out & (strata == number)
            demand[rows] = fit.drawn(sold[rows], np.maximum(forecasts[rows], LEAST_FORECAST), generator)
        return demand


@dataclass(frozen=True)
class LawDays:
    """Days that laws are fitted to, flat: `(n,)` each; `week` is what a bootstrap draws as a whole."""

    sold: IntArray
    ran_out: BoolArray
    forecasts: FloatArray
    is_promoted: BoolArray
    week: IntArray

    @classmethod
    def of(
        cls, sold: IntArray, ran_out: BoolArray, forecasts: FloatArray, is_promoted: BoolArray, is_known: BoolArray
    ) -> LawDays:
        """Return the known days of arrays `(n_products, n_days)`."""
        week = np.broadcast_to(np.arange(sold.shape[1], dtype=np.int64) // _DAYS_PER_WEEK, sold.shape)
        return cls(sold[is_known], ran_out[is_known], forecasts[is_known], is_promoted[is_known], week[is_known])

    def drawn(self, generator: np.random.Generator) -> FloatArray:
        """Return how often each day is in a bootstrap draw of weeks, `(n,)`."""
        _, week = np.unique(self.week, return_inverse=True)
        n_weeks = int(week.max()) + 1
        counts: FloatArray = generator.multinomial(n_weeks, np.full(n_weeks, 1 / n_weeks))[week].astype(np.float64)
        return counts


def fit_laws(days: LawDays, weights: FloatArray | None = None, *, tail: Tail = "geometric") -> DemandLaws:
    """Return the laws of the days.

    Buyers stock up for what they expect, so stock and demand are independent only measured in what was expected: in
    tenths of the forecast, or by a law of units around it (`negative_binomial`), by bands of forecasts, apart with
    promotion. A stratum that shows too little is joined with its neighbor.

    Args:
        days: at least one of which shows its demand.
        weights: how often each day counts, `(n,)`; None once each.
        tail: what is declared of demand beyond all that days of a stratum show.

    Raises:
        InventoryError: all days ran out.
    """
    weight = np.ones(len(days.sold)) if weights is None else weights
    shown = ~days.ran_out & (weight > 0)
    if not shown.any():
        raise InventoryError(f"all {len(days.sold)} days ran out, so no day shows its demand; observe more stock")
    n_bands, band = len(_BANDS), _band(days.forecasts)
    found = np.zeros((n_bands, 2), dtype=np.int64)
    fitted: list[StratumLaw] = []
    for promoted in (0, 1):
        of_kind = days.is_promoted == bool(promoted)
        counts = np.bincount(band[shown & of_kind], weight[shown & of_kind], minlength=n_bands)
        groups = _joined(counts.astype(np.float64))
        if groups is None:
            # Promotions that hardly any day shows count like other days; where all are few, one law is for all.
            if promoted:
                found[:, 1] = found[:, 0]
                continue
            groups, of_kind = np.zeros(n_bands, dtype=np.int64), np.ones_like(of_kind)
        fit = _fit_of(days, weight, of_kind, tail)
        for group in np.unique(groups).tolist():
            found[groups == group, promoted] = len(fitted)
            fitted.append(fit(of_kind & (groups[band] == group)))
    return DemandLaws(found, tuple(fitted))


def _fit_of(days: LawDays, weights: FloatArray, of_kind: BoolArray, tail: Tail) -> Callable[[BoolArray], StratumLaw]:
    """Return what fits a law to some of the days of a kind, with or without promotion."""
    forecasts = np.maximum(days.forecasts, LEAST_FORECAST)
    if tail == "negative_binomial":
        law = fit_unit_law(days.sold[of_kind], days.ran_out[of_kind], forecasts[of_kind], weights[of_kind])
        return lambda rows: CorrectedLaw.of(law, days.sold[rows], days.ran_out[rows], forecasts[rows], weights[rows])
    parts = parts_of(days.sold, forecasts)
    return lambda rows: TenthsLaw(fit_demand(parts[rows], days.ran_out[rows], tail=tail, weights=weights[rows]))


def _band(forecasts: FloatArray) -> IntArray:
    return np.asarray(np.searchsorted(np.array(_BANDS), forecasts), dtype=np.int64)


def _joined(shown: FloatArray) -> IntArray | None:
    """Return the group of each band so that every one shows enough, the last joined backwards; None if all are few."""
    groups, total, group = np.zeros(len(shown), dtype=np.int64), 0.0, 0
    for band, count in enumerate(shown.tolist()):
        groups[band] = group
        total += count
        if total >= _LEAST_SHOWN:
            group, total = group + 1, 0.0
    if group == 0:
        return None
    return np.minimum(groups, group - 1)
