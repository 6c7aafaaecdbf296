"""As-of examples: a row for each active shopper at each as-of day, with features from before it and what followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray
from conf.specs.shopper_model import ShopperModel
from rl.errors import NothingToLearn
from rl.shopper_models.bg_nbd import Repeats
from rl.shopper_models.daily_activity import MILLIONTHS, DailyActivity, FloatArray
from rl.shopper_models.features import days_since_visit, feature_columns, n_purchases, spend
from rl.shopper_models.past import Past, past_of


@dataclass(frozen=True)
class Examples:
    """Rows of shoppers at as-of days.

    Attributes:
        shopper: index into the activity's shoppers, `(n,)`.
        as_of_day: days since the epoch, `(n,)`.
        features: `(n, n_features)`, NaN where there is none.
        feature_names: of the columns.
        rfm: days since the last visit, purchases and spend within the history, `(n, 3)`.
        repeats: repeat purchases, or visits for churn, as BG/NBD counts them.
        purchases: spend of each purchase so far, in currency, for expected spend, `(n,)`; 0 without any.
    """

    shopper: IntArray
    as_of_day: IntArray
    features: FloatArray
    feature_names: tuple[str, ...]
    rfm: FloatArray
    repeats: Repeats
    purchases: FloatArray

    def __len__(self) -> int:
        return len(self.shopper)

    def rows(self, kept: BoolArray) -> Examples:
        """Return the rows that are kept."""
        return Examples(
            self.shopper[kept],
            self.as_of_day[kept],
            self.features[kept],
            self.feature_names,
            self.rfm[kept],
            self.repeats.rows(kept),
            self.purchases[kept],
        )


def as_of_days(activity: DailyActivity, model: ShopperModel) -> IntArray:
    """Return the as-of days whose horizon is over and that have a past, ascending.

    Raises:
        NothingToLearn: fewer than three, so that nothing can be fitted, calibrated and tested in time.
    """
    if not len(activity):
        raise NothingToLearn("the log has no visits of shoppers")
    last = activity.complete_through + 1 - model.horizon_days
    first = int(activity.visible_from.min())
    days = np.arange(last, first - 1, -model.step_days, dtype=np.int64)[: model.n_as_of_days][::-1]
    if len(days) < 3:
        raise NothingToLearn(
            f"{len(days)} as-of day(s) have a past and a horizon of {model.horizon_days} days that is over; fitting, "
            "calibrating and testing need 3; shorten horizon_days or step_days, or wait for more days"
        )
    return days


def examples_at(activity: DailyActivity, model: ShopperModel, days: IntArray) -> Examples:
    """Return a row for every shopper who visited within the active days before each of the days, as known there."""
    shopper, as_of_day = _active(activity, days, model.active_days)
    past = past_of(activity, shopper, as_of_day, history_days=model.history_days)
    columns = feature_columns(past, model)
    return Examples(
        shopper=shopper,
        as_of_day=as_of_day,
        features=np.stack(list(columns.values()), axis=1) if len(shopper) else np.zeros((0, len(columns))),
        feature_names=tuple(columns),
        rfm=np.stack(
            [days_since_visit(past), n_purchases(past, model.history_days), spend(past, model.history_days)], axis=1
        ),
        repeats=_repeats(past, is_of_visits=model.target == "churn"),
        purchases=_spend_a_purchase_day(past),
    )


def outcomes(activity: DailyActivity, examples: Examples, model: ShopperModel) -> FloatArray:
    """Return what followed within the horizon, `(n,)`: 0 or 1, or spend in currency.

    Raises:
        NothingToLearn: a row's horizon isn't over, so that what followed isn't known.
    """
    is_open = examples.as_of_day + model.horizon_days - 1 > activity.complete_through
    if is_open.any():
        raise NothingToLearn(f"{int(is_open.sum())} rows have a horizon that isn't over; leave them out")
    if model.target == "purchase":
        return (_following(activity, examples, model, activity.n_purchases) > 0).astype(np.float64)
    if model.target == "churn":
        visits = np.ones(len(activity), dtype=np.int64)
        has_left: BoolArray = _following(activity, examples, model, visits) == 0
        return has_left.astype(np.float64)
    return _following(activity, examples, model, activity.spend) / MILLIONTHS


def n_censored(activity: DailyActivity, model: ShopperModel) -> int:
    """Return how many shoppers are active at the log's end: what they do within the horizon isn't known yet."""
    days = np.array([activity.complete_through + 1], dtype=np.int64)
    return len(_active(activity, days, model.active_days)[0])


def _active(activity: DailyActivity, days: IntArray, active_days: int) -> tuple[IntArray, IntArray]:
    shoppers, as_of = [], []
    for day in days:
        is_known = (activity.visible_from <= day) & (activity.day >= day - active_days)
        found = np.unique(activity.shopper[is_known])
        shoppers.append(found)
        as_of.append(np.full(len(found), day, dtype=np.int64))
    return np.concatenate(shoppers), np.concatenate(as_of)


def _following(activity: DailyActivity, examples: Examples, model: ShopperModel, values: IntArray) -> IntArray:
    """Return the sum of the values over the horizon's days, whenever they were delivered, `(n,)`."""
    found = np.zeros(len(examples), dtype=np.int64)
    for day in np.unique(examples.as_of_day):
        is_within = (activity.day >= day) & (activity.day < day + model.horizon_days)
        total = np.zeros(len(activity.shoppers), dtype=np.int64)
        np.add.at(total, activity.shopper[is_within], values[is_within])
        asked = examples.as_of_day == day
        found[asked] = total[examples.shopper[asked]]
    return found


def _repeats(past: Past, *, is_of_visits: bool) -> Repeats:
    counted = np.ones(len(past.activity), dtype=np.bool_) if is_of_visits else past.activity.n_purchases > 0
    first, last = past.earliest(counted), past.latest(counted)
    n_days = past.n_days(counted, past.history_days)
    has_any = first >= 0
    return Repeats(
        frequency=np.where(has_any, n_days - 1, -1).astype(np.float64),
        recency=np.where(has_any, last - first, 0).astype(np.float64),
        age=np.where(has_any, past.as_of_day - first, 0).astype(np.float64),
    )


def _spend_a_purchase_day(past: Past) -> FloatArray:
    n_days = past.n_days(past.activity.n_purchases > 0, past.history_days)
    return spend(past, past.history_days) / np.maximum(n_days, 1)
