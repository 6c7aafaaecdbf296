"""The episodes that the worth-it question is asked of: everything before the test episodes, as training will see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from conf.observation_features import OBSERVATION_FEATURES
from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from rl.data.dataset import Dataset
from rl.data.logged_episodes import LoggedEpisodes
from rl.data.splits import MICROSECONDS_PER_HOUR
from rl.errors import DatasetError
from rl.ope.propensities.known import know_propensities
from rl.worth.assessment import sampled_shoppers

_PARTITION = "date="


@dataclass(frozen=True)
class WorthLog:
    """What is read of a log before anything is trained.

    Attributes:
        episodes: training and validation episodes and those of the embargo between, propensities filled in.
        propensities: where they come from; `note` says it in words.
        note: a whole sentence or more.
        nights: days that the episodes start in.
        next_features: columns of within-session features that count things, by name.
        is_sampled: not all shoppers are in, since they wouldn't fit in memory.
    """

    episodes: LoggedEpisodes
    propensities: Literal["logged", "estimated", "none"]
    note: str
    nights: float
    next_features: Mapping[str, int]
    is_sampled: bool


def read_worth_log(dataset: Dataset, *, seed: int = 0) -> WorthLog:
    """Return every episode up to the last validation episode, or a sample of shoppers where they are too many.

    Test episodes are left alone: the gate's one look at them stays the only one. Between training and validation no
    embargo is needed, as rows are dealt by shopper and not by time.
    """
    training, validation = dataset.intervals["train"], dataset.intervals["validation"]
    span = training.up_to(validation)
    whole = replace(dataset, intervals={**dataset.intervals, "train": span})
    logged = whole.to_logged_episodes("train")
    episodes, share = sampled_shoppers(logged, seed)
    known = know_propensities(episodes, is_logged=dataset.pipeline.is_logged)
    return WorthLog(
        episodes=known.episodes,
        propensities=known.source,
        note=known.note,
        nights=(span.end - span.start) / MICROSECONDS_PER_HOUR / 24 * share,
        next_features=counting_features(dataset, episodes),
        is_sampled=share < 1.0,
    )


def counting_features(dataset: Dataset, episodes: LoggedEpisodes) -> dict[str, int]:
    """Return the columns of the features that count events of a session, by name: there actions could leave a trace.

    Lists of what was shown or engaged with are left out: they hold the action itself. So is what a step adds whatever
    the action: a feature that grows by the same amount everywhere.
    """
    names, columns = dataset.encoder.feature_names, dataset.encoder.columns
    counts = [
        column.name
        for column in columns
        if column.kind == "count"
        and column.name in OBSERVATION_FEATURES
        and OBSERVATION_FEATURES[column.name].delay == "none"
        and column.name != "session_step"
    ]
    found = {name: names.index(name) for name in counts}
    change = {name: episodes.next_features[:, at] - episodes.features[:, at] for name, at in found.items()}
    return {name: at for name, at in found.items() if float(np.std(change[name])) > 1e-6}


def last_built_date(pipeline: Pipeline, lake: Lake) -> date:
    """Return the last date with published transitions of this scenario and source.

    Raises:
        DatasetError: there is none.
    """
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    dates = [name.removeprefix(_PARTITION) for name in read_pointers(folder) if name.startswith(_PARTITION)]
    if not dates:
        raise DatasetError(
            f"transitions/{pipeline.scenario.name} of source {pipeline.source.name}: nothing is built under this spec; "
            f"run `make nightly SOURCE={pipeline.source.name} LOGS=...` first, or ingest and build"
        )
    return date.fromisoformat(max(dates))
