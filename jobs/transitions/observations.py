"""Observations at every decision and every closing, as the scenario's spec names their features."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.observation_features import OBSERVATION_FEATURES
from conf.scenario import Feature, Pipeline, Scenario
from jobs.transitions.decision_points import as_of_days, in_sessions_of, is_point, with_closings
from jobs.transitions.history_features import history_features
from jobs.transitions.session_features import SESSION_LISTS, SESSION_SCALARS

_PREFIX = "feature_"


def points_with_observations(sessions: DataFrame, pipeline: Pipeline, dates: Sequence[date]) -> DataFrame:
    """Return the decisions and closings of sessions that start on the dates, each with its `observation`.

    Args:
        sessions: of `Prepared`: these sessions whole, the ones after them, and the history before.
        pipeline: features in the order of the observation's fields.
        dates: business dates.
    """
    scenario = pipeline.scenario
    by_delay: dict[str, list[Feature]] = {"none": [], "delivery": []}
    for feature in scenario.observation.features:
        by_delay[OBSERVATION_FEATURES[feature.name].delay].append(feature)
    # Closings come first: when a session was cut shows in the next one, which may start on another date.
    stream = with_closings(sessions, pipeline.source).where(in_sessions_of(dates))
    in_session = {_PREFIX + feature.name: _session_feature(feature) for feature in by_delay["none"]}
    points = stream.withColumns(in_session).where(is_point())
    if by_delay["delivery"]:
        as_of = as_of_days(sessions.where(in_sessions_of(dates)), pipeline.source)
        points = _with_history(points, sessions, as_of, by_delay["delivery"], scenario.observation.history_days)
    return points.withColumn("observation", _observation(scenario)).drop(*_feature_columns(scenario))


def _with_history(
    points: DataFrame, history: DataFrame, as_of: DataFrame, features: list[Feature], history_days: int
) -> DataFrame:
    """The points with their features of delay `delivery`; each point's shopper and day is among those asked for."""
    seen = history_features(history, as_of, features, history_days=history_days)
    renamed = seen.withColumnsRenamed({feature.name: _PREFIX + feature.name for feature in features})
    return points.join(renamed, ["user_id", "as_of_date"], how="inner")


def _session_feature(feature: Feature) -> Column:
    return SESSION_SCALARS[feature.name]() if feature.length is None else SESSION_LISTS[feature.name](feature.length)


def _observation(scenario: Scenario) -> Column:
    return F.struct(*[F.col(_PREFIX + feature.name).alias(feature.name) for feature in scenario.observation.features])


def _feature_columns(scenario: Scenario) -> list[str]:
    return [_PREFIX + feature.name for feature in scenario.observation.features]
