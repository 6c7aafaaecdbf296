"""A night's dataset: published transitions with vocabulary, splits and encoder, named by a digest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np

from conf.observation_features import id_hash
from conf.paths import Lake, Run
from conf.publication import write_atomically
from conf.specs.scenario import MILLIONTHS, Pipeline
from conf.specs.spec_hash import data_spec_hash
from rl.data.availability_sets import AvailabilityRows, masked_rows, unmasked_rows
from rl.data.description import DatasetDescription, SplitDescription, read_description
from rl.data.encoder_fitting import fit_encoder, with_items, with_tokens
from rl.data.item_attributes import RawItems, fit_item_attributes, read_item_attributes
from rl.data.logged_episodes import IntArray, LoggedEpisodes
from rl.data.pinned_versions import PinnedVersions, Versions, current_versions, read_versions, with_current_files
from rl.data.splits import (
    SPLIT_NAMES,
    Intervals,
    SplitName,
    TimeSpan,
    drop_unsettled_tails,
    refuse_small_splits,
    session_days,
    split_intervals,
)
from rl.data.transition_columns import Transitions
from rl.data.transitions_by_date import transitions_by_date
from rl.data.transitions_reading import PublishedTransitions, read_availability, read_transitions
from rl.data.vocabulary_building import build_vocabulary, vocabulary_of_names
from rl.errors import DatasetError, NothingToLearn
from rl.policy.observation_encoder import ObservationEncoder
from rl.policy.vocabulary import Vocabulary

ENCODER_FILE = "encoder.json"


@dataclass(frozen=True)
class Dataset:
    """Transitions of all dates up to the horizon and what turns them into logged episodes.

    Attributes:
        pipeline: scenario and source.
        published: the transitions and their manifests.
        intervals: when the episodes of each split start.
        vocabulary: the dense action index.
        encoder: fitted on the training split.
        versions: the published versions that it is made of.
        known_sets: natural keys by availability id; empty where the scenario has no mask.
    """

    pipeline: Pipeline
    published: PublishedTransitions
    intervals: Intervals
    vocabulary: Vocabulary
    encoder: ObservationEncoder
    versions: PinnedVersions
    known_sets: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Hash of schema version, spec, partitions, vocabulary, split boundaries and key id."""
        manifest = next(iter(self.published.manifests.values()))
        content = {
            "schema_version": manifest.schema_version,
            "spec_hash": data_spec_hash(self.pipeline),
            "partitions": sorted(self.published.content_hashes.items()),
            "vocabulary": self.vocabulary.names,
            "splits": {name: interval.digested for name, interval in self.intervals.items()},
            "key_id": manifest.key_id,
            # Datasets without attributes of items keep the digest that they had before there were any.
            **({} if self.encoder.items is None else {"items": self.encoder.items.to_json()}),
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return sha256(canonical.encode("utf-8")).hexdigest()[:32]

    def transitions(self, split: SplitName) -> Transitions:
        """Return the split's transitions; training leaves out unsettled rows unless the spec takes them."""
        interval = self.intervals[split]
        first, last = session_days(self.pipeline, interval)
        return _split_transitions(self.pipeline, self.published.at_least(first, last), interval, split)[0]

    def to_logged_episodes(self, split: SplitName, encoder: ObservationEncoder | None = None) -> LoggedEpisodes:
        """Return the split's episodes.

        Args:
            split: train, validation or test.
            encoder: another encoder than the dataset's (an older policy's own).
        """
        return self._encoded(self.transitions(split), encoder)

    def episodes_by_date(self, split: SplitName) -> Iterator[LoggedEpisodes]:
        """Return the split's episodes one date after the other, in the same order; one date is in memory at a time.

        Shoppers and policy versions are numbered anew in each part.
        """
        interval = self.intervals[split]
        for part in transitions_by_date(self.published):
            found = _split_transitions(self.pipeline, part, interval, split)[0]
            if found.n_transitions:
                yield self._encoded(found)

    def _encoded(self, transitions: Transitions, encoder: ObservationEncoder | None = None) -> LoggedEpisodes:
        action = self.vocabulary.index_of_ids(transitions.action_id)
        available = self.availability_rows(transitions, action)
        encode = (encoder or self.encoder).encode
        return LoggedEpisodes(
            features=encode(transitions.observation),
            next_features=encode(transitions.next_observation),
            action=action,
            reward=transitions.reward / MILLIONTHS,
            terminal=transitions.terminal,
            timeout=transitions.timeout,
            propensity=transitions.propensity,
            availability=available.sets,
            mask_index=available.index,
            next_mask_index=available.next_index,
            offsets=transitions.offsets,
            unit=transitions.user,
            start_time=transitions.start_time,
            elapsed_microseconds=transitions.elapsed_microseconds,
            policy_version=transitions.policy_version,
            policy_versions=transitions.policy_versions,
            metrics={name: values / self._metric_unit(name) for name, values in transitions.metrics.items()},
            lumped=available.lumped,
        )

    def _metric_unit(self, name: str) -> float:
        """Return what one of a side metric's unit is in the table: events are whole, money is in millionths."""
        return MILLIONTHS if name in self.pipeline.scenario.money_metrics else 1

    def availability_rows(self, transitions: Transitions, action: IntArray) -> AvailabilityRows:
        """Return the availability at each row, as the scenario's mask says."""
        if self.pipeline.scenario.action.mask == "none":
            n_others = len(frozenset(transitions.action_keys.values()).difference(self.vocabulary.keys))
            return unmasked_rows(transitions.n_transitions, self.vocabulary, n_others=n_others)
        return masked_rows(transitions, action, self.vocabulary, self.known_sets)

    def describe(self, candidates: Sequence[str] = ()) -> DatasetDescription:
        """Return the content of dataset.json.

        Args:
            candidates: names of those to train on it, in order.
        """
        manifest = next(iter(self.published.manifests.values()))
        splits = {name: self.transitions(name) for name in SPLIT_NAMES}
        return DatasetDescription(
            source=self.pipeline.source.name,
            scenario=self.pipeline.scenario.name,
            date=str(max(self.published.manifests)),
            dataset_digest=self.digest,
            schema_version=manifest.schema_version,
            spec_hash=data_spec_hash(self.pipeline),
            key_id=manifest.key_id,
            is_logged=self.pipeline.is_logged,
            embargo=self.pipeline.embargo_in_words,
            partitions=dict(self.published.content_hashes),
            vocabulary=self.vocabulary.names,
            splits={
                name: SplitDescription(
                    **self.intervals[name].to_json(), n_episodes=found.n_episodes, n_transitions=found.n_transitions
                )
                for name, found in splits.items()
            },
            counts=self._counts(splits),
            counters=dict(self.published.counters),
            candidates=tuple(candidates),
        )

    def write(self, folder: Path, candidates: Sequence[str]) -> DatasetDescription:
        """Write encoder.json, versions.json and, last, dataset.json to the folder; return dataset.json's content."""
        content = self.describe(candidates)
        write_atomically(folder / ENCODER_FILE, json.dumps(self.encoder.to_json(), indent=1))
        self.versions.write(folder)
        content.write(folder)
        return content

    def _counts(self, splits: Mapping[SplitName, Transitions]) -> dict[str, int]:
        whole = self.published.transitions
        starts = whole.start_time
        in_split = sum(len(interval.holds(whole)) for interval in self.intervals.values())
        n_late = int((starts >= self.intervals["test"].end).sum())
        unsettled = _split_transitions(self.pipeline, whole, self.intervals["train"], "train")[1]
        counts = {
            "n_transitions": whole.n_transitions,
            "n_episodes": whole.n_episodes,
            "n_users": len(np.unique(whole.user)),
            "n_episodes_in_embargo": whole.n_episodes - in_split - n_late,
            "n_episodes_too_late": n_late,
            "n_unsettled_dropped": unsettled,
            "n_unsettled_evaluated": sum(int((~splits[name].is_settled).sum()) for name in ("validation", "test")),
            "n_features": self.encoder.n_features,
            "n_actions": self.vocabulary.n_actions,
            "n_other_actions": 0,
        }
        for transitions in splits.values():
            action = self.vocabulary.index_of_ids(transitions.action_id)
            counts["n_other_actions"] += int((action == self.vocabulary.other_index).sum())
            for name, count in self.availability_rows(transitions, action).counts.items():
                counts[f"n_{name}"] = counts.get(f"n_{name}", 0) + count
        return counts


def prepare_dataset(pipeline: Pipeline, lake: Lake, horizon: date) -> Dataset:
    """Return the dataset of a horizon, with vocabulary, splits and encoder made from it alone.

    Raises:
        DatasetError: partitions that don't belong together.
        NothingToLearn: a window too short, too few episodes, one action, nothing settled or earned.
    """
    published = read_transitions(pipeline, lake, horizon).with_all_rows()
    versions = replace(current_versions(pipeline, lake, horizon), transitions=published.pointers)
    whole = published.transitions
    if not whole.n_transitions:
        raise NothingToLearn(f"no transitions up to {horizon}; run the build for dates with decisions")
    intervals = split_intervals(pipeline, first=int(whole.decision_time.min()), horizon=horizon)
    found = {name: len(interval.holds(whole)) for name, interval in intervals.items()}
    refuse_small_splits(found, pipeline.scenario.splits.min_episodes)
    training, _ = _split_transitions(pipeline, whole, intervals["train"], "train")
    if not training.n_transitions:
        raise NothingToLearn("every training row is unsettled; build with a later horizon, or set train_on_unsettled")
    if not training.reward.any():
        raise NothingToLearn(
            f"nothing was earned in the {training.n_episodes} training episodes: every reward is 0; check which events "
            f"{pipeline.scenario.name} counts as reward, or wait for days with rewarded shoppers"
        )
    known_sets = _known_sets(pipeline, lake, horizon, versions.availability)
    raw = _told_items(pipeline, lake, versions, intervals["train"].end)
    vocabulary = build_vocabulary(
        training.action_id,
        whole.action_id,
        whole.action_keys,
        max_actions=pipeline.scenario.action.max_actions,
        further=_scorable(known_sets, raw),
    )
    action_space = pipeline.scenario.action.key
    encoder = fit_encoder(training.observation, action_space=action_space)
    if pipeline.scenario.action.attributes:
        met = _items_met(encoder, training) | frozenset(vocabulary.ids)
        encoder = with_items(encoder, fit_item_attributes(pipeline.scenario.action.attributes, raw, met))
    if any(candidate.encoder.is_sequence for candidate in pipeline.scenario.candidates):
        encoder = with_tokens(
            encoder, training.observation, action_space=action_space, action_ids=tuple(vocabulary.ids)
        )
    return Dataset(pipeline, published, intervals, vocabulary, encoder, versions, known_sets)


def load_dataset(pipeline: Pipeline, lake: Lake, run: Run, *, is_in_memory: bool = True) -> Dataset:
    """Return the dataset that was prepared for the run: the versions pinned then, whatever was published since.

    Args:
        pipeline: scenario and source.
        lake: with its partitions.
        run: the night's working folder.
        is_in_memory: False reads rows when they are asked for, each split's by themselves: for one who asks once.

    Raises:
        DatasetError: not prepared, or prepared under another spec; an earlier release pinned nothing, so there also
            partitions that have changed since.
    """
    content = read_description(run)
    try:
        encoder = ObservationEncoder.from_json(json.loads((run.dataset / ENCODER_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{run.dataset / ENCODER_FILE}: can't be read ({error}); run prepare again") from error
    pinned = read_versions(run.dataset)
    if pinned is not None:
        pinned = with_current_files(pinned, pipeline, lake, run.date)
    versions = pinned or current_versions(pipeline, lake, run.date)
    published = read_transitions(pipeline, lake, run.date, versions=None if pinned is None else pinned.transitions)
    dataset = Dataset(
        pipeline=pipeline,
        published=published,
        intervals={name: content.splits[name].interval for name in SPLIT_NAMES},
        vocabulary=vocabulary_of_names(list(content.vocabulary)),
        encoder=encoder,
        versions=versions,
        known_sets=_known_sets(pipeline, lake, run.date, versions.availability),
    )
    if dataset.digest != content.dataset_digest:
        raise DatasetError(
            f"{run.dataset}: prepared as {content.dataset_digest}, "
            f"the {'published' if pinned is None else 'pinned'} partitions now give {dataset.digest}; "
            "prepare the dataset again"
        )
    return replace(dataset, published=published.with_all_rows()) if is_in_memory else dataset


def _told_items(pipeline: Pipeline, lake: Lake, versions: PinnedVersions, known_by: int) -> RawItems:
    """Return what was told of items, by id hash; nothing where the scenario asks for nothing."""
    if not pipeline.scenario.action.attributes:
        return {}
    return read_item_attributes(pipeline, lake, versions, known_by=known_by)


def _scorable(known_sets: Mapping[str, frozenset[str]], raw: RawItems) -> list[str]:
    """Return the natural keys of offered items of which something is known, ascending."""
    if not raw:
        return []
    return [key for key in sorted(frozenset[str]().union(*known_sets.values())) if id_hash(key) in raw]


def _items_met(encoder: ObservationEncoder, training: Transitions) -> frozenset[int]:
    """Return the id hashes of all items in lists of training rows."""
    lists = [training.observation[one.name] for one in encoder.columns if one.kind == "list" and one.space == "item"]
    found = np.unique(np.concatenate([values.ravel() for values in lists])) if lists else np.empty(0, dtype=np.int64)
    return frozenset(found.tolist()) - {0}


def _known_sets(pipeline: Pipeline, lake: Lake, horizon: date, versions: Versions) -> dict[str, frozenset[str]]:
    if pipeline.scenario.action.mask == "none":
        return {}
    return read_availability(lake, horizon, versions=versions)


def _split_transitions(
    pipeline: Pipeline, whole: Transitions, interval: TimeSpan, split: SplitName
) -> tuple[Transitions, int]:
    found = whole.take_episodes(interval.holds(whole))
    if split != "train" or pipeline.scenario.train_on_unsettled or not found.n_transitions:
        return found, 0
    return drop_unsettled_tails(found)
