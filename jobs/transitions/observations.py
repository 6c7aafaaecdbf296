"""Observations at every decision and every closing, as the scenario's spec names their features."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.observation_features import OBSERVATION_FEATURES
from conf.scenario import Feature, Pipeline, Scenario
from jobs.transitions.decision_points import is_point
from jobs.transitions.history_features import history_features
from jobs.transitions.session_features import SESSION_LISTS, SESSION_SCALARS

_PREFIX = "feature_"


def points_with_observations(stream: DataFrame, history: DataFrame, pipeline: Pipeline) -> DataFrame:
    """The stream's decisions and closings, each with its `observation`.

    Args:
        stream: rows of `with_closings`, whole sessions.
        history: events that may have been delivered before; with the columns of `with_decisions`.
        pipeline: features in the order of the observation's fields.
    """
    scenario = pipeline.scenario
    by_delay = {name: [f for f in scenario.observation.features if OBSERVATION_FEATURES[f.name].delay == name]
                for name in ("none", "delivery")}  # fmt: skip
    in_session = {_PREFIX + feature.name: _session_feature(feature) for feature in by_delay["none"]}
    points = stream.withColumns(in_session).where(is_point())
    if by_delay["delivery"]:
        points = _with_history(points, history, by_delay["delivery"], scenario.observation.history_days)
    return points.withColumn("observation", _observation(scenario)).drop(*_feature_columns(scenario))


def _with_history(points: DataFrame, history: DataFrame, features: list[Feature], history_days: int) -> DataFrame:
    as_of = points.select("user_id", "as_of_date").distinct()
    seen = history_features(history, as_of, features, history_days=history_days)
    renamed = seen.withColumnsRenamed({feature.name: _PREFIX + feature.name for feature in features})
    return points.join(renamed, ["user_id", "as_of_date"], how="inner")


def _session_feature(feature: Feature) -> Column:
    return SESSION_SCALARS[feature.name]() if feature.length is None else SESSION_LISTS[feature.name](feature.length)


def _observation(scenario: Scenario) -> Column:
    return F.struct(*[F.col(_PREFIX + feature.name).alias(feature.name) for feature in scenario.observation.features])


def _feature_columns(scenario: Scenario) -> list[str]:
    return [_PREFIX + feature.name for feature in scenario.observation.features]
