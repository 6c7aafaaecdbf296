"""What all ways to order are fitted on and judged by: forecasts, their scatter, and demand behind days that ran out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.inventory.demand_forecast import DemandForecaster, fit_forecaster
from rl.inventory.forecast_correction import ForecastCorrection, fit_correction, may_fit
from rl.inventory.policies.forecast_levels import fitted_variance
from rl.orders.demand_laws import DemandLaws, LawDays, fit_laws
from rl.orders.order_history import OrderHistory
from rl.orders.order_replay import OrderSpan
from rl.orders.order_split import OrderDataset

WARM_UP_DAYS = 14
"""Training days before the first that policies are tuned on: forecasts of the very first know nothing."""
CORRECTED_SHARE = 0.75
"""Of the training days, that a correction is fitted to; the later ones say whether it errs less than none."""
N_CORRECTION_DRAWS = 3
CORRECTION_PENALTIES = (0.1, 3.0, 30.0, 300.0)
_LAWS_STREAM, _BASIS_STREAM, _CORRECTION_STREAM = 71, 72, 73


@dataclass(frozen=True)
class OrderBasis:
    """Fitted on the training days alone.

    Attributes:
        dataset: of the night.
        forecaster: of demand.
        forecasts: of each day and those until the next order arrives, units, `(n_products, n_days, n_ahead)`; each
            knows the days before it, whatever split they are of.
        variance: of a day's demand around its forecast, as of `ForecastBaseStock`.
        laws: of demand.
    """

    dataset: OrderDataset
    forecaster: DemandForecaster
    forecasts: FloatArray
    variance: tuple[float, float]
    laws: DemandLaws
    _others: dict[int, tuple[DemandForecaster, FloatArray]] = field(default_factory=dict, compare=False, repr=False)
    """Forecasts of other forecasters, each made once: by the object's id, which stays its own while it is kept here."""

    @classmethod
    def of(cls, dataset: OrderDataset) -> OrderBasis:
        """Return the basis of a night; the same for all of its candidates."""
        history, n_train = dataset.history, dataset.splits["train"].stop
        forecaster = fit_forecaster(history.products, history.demand_days(n_train))
        forecasts = forecasts_of(forecaster, history)
        learned = slice(WARM_UP_DAYS, n_train)
        laws = fit_laws(_law_days(history, forecasts, learned), tail=dataset.demand_tail)
        known = history.is_known[:, learned]
        if dataset.corrects_forecasts:
            forecaster = replace(forecaster, correction=_correction(history, forecasts, laws, learned))
            forecasts = forecasts_of(forecaster, history)
            laws = fit_laws(_law_days(history, forecasts, learned), tail=dataset.demand_tail)
        demand = _completed(history, forecasts, laws, learned, np.random.default_rng(_BASIS_STREAM))
        variance = fitted_variance(demand[known], forecasts[:, learned, 0][known])
        return cls(dataset, forecaster, forecasts, variance, laws)

    def span(self, days: slice) -> OrderSpan:
        """Return a span of days to lead policies through, each with the forecasts of its own forecaster."""
        return OrderSpan(self.dataset.history, self.forecasts, self.dataset.money, days, forecasts_by=self.forecasts_by)

    def forecasts_by(self, forecaster: DemandForecaster) -> FloatArray:
        """Return a forecaster's forecasts of all days, of the shape of `forecasts`: a policy orders by its own.

        Raises:
            InventoryError: a forecast that isn't a finite number.
        """
        if forecaster is self.forecaster:
            return self.forecasts
        if id(forecaster) not in self._others:
            self._others[id(forecaster)] = (forecaster, forecasts_of(forecaster, self.dataset.history))
        return self._others[id(forecaster)][1]

    @property
    def tuned_on(self) -> OrderSpan:
        """The training days, without the first."""
        return self.span(slice(WARM_UP_DAYS, self.dataset.splits["train"].stop))

    def demand(self, span: OrderSpan, seed: int) -> IntArray:
        """Return the span's demand with days that ran out drawn by the training days' laws."""
        generator = np.random.default_rng([_BASIS_STREAM, seed])
        return self.laws.completed(span.sold, span.ran_out, span.forecasts[:, :, 0], span.is_promoted, generator)

    def doubted_demand(self, span: OrderSpan, n_draws: int) -> Iterator[IntArray]:
        """Yield demand of a span that is judged on, so many draws, each by laws fitted to weeks drawn anew.

        What the draws differ by is how little days that ran out tell of their demand. All days up to the span's end
        are looked at: nothing is learned here.
        """
        days = self._law_days_until(span)
        generator = np.random.default_rng(_LAWS_STREAM)
        for _ in range(n_draws):
            laws = fit_laws(days, days.drawn(generator), tail=self.dataset.demand_tail)
            yield laws.completed(span.sold, span.ran_out, span.forecasts[:, :, 0], span.is_promoted, generator)

    def declared_chance(self, span: OrderSpan) -> float:
        """Return the chance of demand beyond the largest stock of like days, in the mean over a span that is judged."""
        laws, known = fit_laws(self._law_days_until(span), tail=self.dataset.demand_tail), span.is_known
        return laws.declared_chance(span.forecasts[:, :, 0][known], span.is_promoted[known])

    def _law_days_until(self, span: OrderSpan) -> LawDays:
        return _law_days(self.dataset.history, self.forecasts, slice(WARM_UP_DAYS, span.days.stop))


def forecasts_of(forecaster: DemandForecaster, history: OrderHistory) -> FloatArray:
    """Return the forecasts of all days, `(n_products, n_days, n_ahead)`."""
    return forecaster.forecasts(history.products, history.demand_days(), history.promoted)


def _completed(
    history: OrderHistory, forecasts: FloatArray, laws: DemandLaws, days: slice, generator: np.random.Generator
) -> IntArray:
    """Return demand of some days, drawn where they ran out."""
    return laws.completed(
        history.units["sold"][:, days],
        history.ran_out[:, days],
        forecasts[:, days, 0],
        history.promoted[:, days, 0],
        generator,
    )


def _correction(
    history: OrderHistory, forecasts: FloatArray, laws: DemandLaws, days: slice
) -> ForecastCorrection | None:
    """Return how forecasts follow their errors of the last days: lines by earlier training days, chosen on later ones.

    None where the days are too few to tell, or no line errs less than none.
    """
    n_days = days.stop - days.start
    n_fitted = round(CORRECTED_SHARE * n_days)
    if not may_fit(n_fitted, n_days, history.n_ahead):
        return None
    generator = np.random.default_rng(_CORRECTION_STREAM)
    draws = [_completed(history, forecasts, laws, days, generator) for _ in range(N_CORRECTION_DRAWS)]
    found = fit_correction(
        forecasts[:, days],
        history.units["sold"][:, days],
        history.ran_out[:, days],
        np.mean(draws, axis=0),
        n_training=n_fitted,
        weekday=history.weekday[days],
        is_known=history.is_known[:, days],
        penalties=CORRECTION_PENALTIES,
    )
    return None if found.changes_nothing else found


def _law_days(history: OrderHistory, forecasts: FloatArray, days: slice) -> LawDays:
    return LawDays.of(
        history.units["sold"][:, days],
        history.ran_out[:, days],
        forecasts[:, days, 0],
        history.promoted[:, days, 0],
        history.is_known[:, days],
    )
