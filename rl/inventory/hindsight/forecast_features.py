"""What a network sees of a forecast, and the line over it that is base-stock with a safety."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray


def forecast_features(
    forecasts: FloatArray, variance: tuple[float, float], *, wait_variance: float = 0.0
) -> FloatArray:
    """Return forecasts, and what tells small products from large ones, `(..., n_days_ahead + 2)`.

    A network measures stock in a product's own forecast; what a safety is worth depends on how far demand strays from
    it, which is much for a product of one unit a day and little for one of fifty. The two further features are the
    standard deviation of demand until and on the day of arrival, in days of the mean forecast, and the logarithm of
    that mean.

    Args:
        forecasts: of the day itself and of days after it, units, `(..., n_days_ahead)`.
        variance: `a` and `b` of demand's variance around forecasts, `a * forecast + b * forecast**2`.
        wait_variance: of the days from order to arrival.
    """
    mean = np.maximum(forecasts.mean(axis=-1), 1e-3)
    spread = variance[0] * forecasts.sum(axis=-1) + variance[1] * (forecasts**2).sum(axis=-1)
    spread = np.sqrt(spread + wait_variance * mean**2) / mean
    return np.concatenate([forecasts, spread[..., None], np.log(mean)[..., None]], axis=-1)


def with_weekdays(features: FloatArray, *, first: int = 0) -> FloatArray:
    """Return features with seven more of which a day's own is 1, `(n_products, n_days, n_features + 7)`.

    Args:
        features: of each day, `(n_products, n_days, n_features)`.
        first: weekday of the first day, 0 to 6.
    """
    n_products, n_days = features.shape[:2]
    own = np.eye(7)[(first + np.arange(n_days)) % 7]
    return np.concatenate([features, np.broadcast_to(own, (n_products, n_days, 7))], axis=2)


def forecast_line(n_inputs: int, lead_time: int, safety: float) -> FloatArray:
    """Return the weights of a network's inputs by which it is `ForecastBaseStock` with that safety, `(n_inputs,)`.

    Args:
        n_inputs: lead time and all features together, the first of which `forecast_features` made.
        lead_time: days.
        safety: in standard deviations.
    """
    line = np.zeros(n_inputs)
    line[lead_time : 2 * lead_time + 1] = 1.0
    line[2 * lead_time + 1] = safety
    return line
