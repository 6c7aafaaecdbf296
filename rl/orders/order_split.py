"""Days of a log of orders as training, validation and test, named by a digest: the dataset of a night of orders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from hashlib import sha256

import numpy as np

from conf.paths import Lake, Run
from conf.specs.orders import USUAL_TAIL, DemandTail, order_prices
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from rl.data.description import DatasetDescription, SplitDescription, read_description
from rl.data.logged_episodes import FloatArray, IntArray
from rl.data.pinned_versions import PinnedVersions, current_versions, read_versions, with_current_files
from rl.data.splits import SPLIT_NAMES, SplitName, TimeSpan, end_of_day, refuse_small_splits
from rl.data.transitions_reading import PublishedTransitions, read_transitions
from rl.errors import DatasetError, NothingToLearn
from rl.orders.history_reading import read_history
from rl.orders.order_history import OrderHistory
from rl.orders.order_replay import MILLIONTHS, Money

LEAST_WEEKS = 5
"""Weeks that every split has at least: an interval over fewer blocks says nothing (`ope.intervals.two_way`)."""
_DAYS_PER_WEEK = 7
_TAILS = {"negative_binomial": "negative_binomial, of units"}
"""Tails by the name that a dataset knows them by: one that has come to mean something else makes another dataset."""


@dataclass(frozen=True)
class OrderDataset:
    """The dataset of a night of orders.

    Attributes:
        pipeline: scenario with orders, and source.
        history: products by days.
        splits: columns of the history that each split has; they follow each other without a gap.
        published: the transitions that it was read from.
        versions: of all tables that it was read from.
    """

    pipeline: Pipeline
    history: OrderHistory
    splits: Mapping[SplitName, slice]
    published: PublishedTransitions
    versions: PinnedVersions

    @cached_property
    def digest(self) -> str:
        """Hash of schema version, spec, partitions, packs, categories, splits, and of what the spec says of orders."""
        manifest = next(iter(self.published.manifests.values()))
        content = {
            "schema_version": manifest.schema_version,
            "spec_hash": data_spec_hash(self.pipeline),
            "partitions": sorted(self.published.content_hashes.items()),
            "items": [self.history.products, self.history.pack_size.tolist(), self.history.category],
            "splits": {name: [days.start, days.stop] for name, days in self.splits.items()},
            "key_id": manifest.key_id,
        }
        if (room := self.history.room) is not None:
            content["room"] = [room.per_unit.tolist(), room.limit]
        if (shelf := self.history.shelf) is not None:
            cost = None if shelf.cost is None else shelf.cost.tolist()
            content["shelf"] = [shelf.days.tolist(), cost, shelf.is_charged]
        if not self.history.order_days.is_daily:
            content["weekdays"] = self.history.order_days.weekdays
        if (declared := self.history.declared) is not None:
            content["declared_stock"] = [declared.safety, declared.recent_days]
        if self.corrects_forecasts:
            content["corrects_forecasts"] = True
        if self.demand_tail != USUAL_TAIL:
            content["demand_tail"] = _TAILS.get(self.demand_tail, self.demand_tail)
        return sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()[:32]

    @property
    def corrects_forecasts(self) -> bool:
        """Whether the scenario asks for forecasts that follow their errors."""
        orders = self.pipeline.scenario.orders
        return orders is not None and orders.corrects_forecasts

    @property
    def demand_tail(self) -> DemandTail:
        """What the scenario declares of demand beyond the largest stock."""
        orders = self.pipeline.scenario.orders
        return USUAL_TAIL if orders is None else orders.demand_tail

    @cached_property
    def money(self) -> Money:
        """What is earned and paid; margins are those of the training days."""
        days = self.splits["train"]
        margin = unit_margins(
            self.history.units["sold"][:, days], self.history.margin[:, days], self.history.promoted[:, days, 0]
        )
        return Money(margin=margin, **order_prices(self.pipeline.scenario))

    def describe(self) -> DatasetDescription:
        """Return the content of dataset.json."""
        manifest = next(iter(self.published.manifests.values()))
        orders, history = self.pipeline.scenario.orders, self.history
        return DatasetDescription(
            source=self.pipeline.source.name,
            scenario=self.pipeline.scenario.name,
            date=str(max(self.published.manifests)),
            dataset_digest=self.digest,
            schema_version=manifest.schema_version,
            spec_hash=data_spec_hash(self.pipeline),
            key_id=manifest.key_id,
            is_logged=self.pipeline.is_logged,
            embargo="none: demand doesn't depend on orders, and forecasts look back alone",
            partitions=dict(self.published.content_hashes),
            vocabulary=self.pipeline.scenario.action.quantity_keys,
            splits={name: self._described(days) for name, days in self.splits.items()},
            counts={
                "n_transitions": int(history.is_known.sum()),
                "n_episodes": sum(self._n_products(days) for days in self.splits.values()),
                "n_users": len(history.products),
                "n_features": len(self.pipeline.scenario.observation.features),
                "n_actions": len(self.pipeline.scenario.action.quantity_keys),
                "n_ran_out": int((history.ran_out & history.is_known).sum()),
            },
            counters=dict(self.published.counters),
            candidates=() if orders is None else orders.candidate_names,
        )

    def write(self, run: Run) -> DatasetDescription:
        """Write versions.json and, last, dataset.json to the run's folder; return dataset.json's content."""
        content = self.describe()
        self.versions.write(run.dataset)
        content.write(run.dataset)
        return content

    def _described(self, days: slice) -> SplitDescription:
        zone, first = self.pipeline.source.zone, self.history.first_day
        ends = [end_of_day(first + timedelta(days=int(day) - 1), zone) for day in (days.start, days.stop)]
        return SplitDescription(
            **TimeSpan(ends[0], ends[1]).to_json(),
            n_episodes=self._n_products(days),
            n_transitions=int(self.history.is_known[:, days].sum()),
        )

    def _n_products(self, days: slice) -> int:
        return int(self.history.is_known[:, days].any(axis=1).sum())


def prepare_orders(pipeline: Pipeline, lake: Lake, horizon: date) -> OrderDataset:
    """Return the dataset of a horizon.

    Raises:
        DatasetError: partitions that don't belong together.
        NothingToLearn: too few days or products, or nothing earned.
    """
    found = _dataset(pipeline, lake, horizon, None)
    n_episodes = {name: found._n_products(days) for name, days in found.splits.items()}
    refuse_small_splits(n_episodes, pipeline.scenario.splits.min_episodes)
    train = found.splits["train"]
    if not found.history.margin[:, train].any():
        raise NothingToLearn("nothing was earned on the training days: every margin is 0; check prices and costs")
    if found.money.is_losing.all():
        raise NothingToLearn(
            f"no unit earns on the training days: {_most_that_a_unit_brings(found.money)}, so that ordering nothing is "
            "best; check prices and costs, and reward.terms with value: units of order"
        )
    shown = found.history.is_known[:, train] & ~found.history.ran_out[:, train]
    if not shown.any():
        raise NothingToLearn("every training day ran out, so that no day shows its demand; wait for days with stock")
    return found


def _most_that_a_unit_brings(money: Money) -> str:
    most, cost = int(money.margin[:, 0].max()) / MILLIONTHS, money.order_unit / MILLIONTHS
    return f"the most that one brings is {most:.2f}, and ordering it costs {cost:.2f}"


def load_orders(pipeline: Pipeline, lake: Lake, run: Run) -> OrderDataset:
    """Return the dataset that was prepared for the run: the versions pinned then, whatever was published since.

    Raises:
        DatasetError: not prepared, or prepared under another spec.
    """
    content = read_description(run)
    pinned = read_versions(run.dataset)
    if pinned is None:
        raise DatasetError(f"{run.dataset}: names no versions; run prepare again")
    found = _dataset(pipeline, lake, run.date, with_current_files(pinned, pipeline, lake, run.date))
    if found.digest != content.dataset_digest:
        raise DatasetError(
            f"{run.dataset}: prepared as {content.dataset_digest}, the pinned partitions now give {found.digest}; "
            "prepare the dataset again"
        )
    return found


def unit_margins(sold: IntArray, margin: IntArray, is_promoted: IntArray | np.ndarray) -> IntArray:
    """Return what a unit brings, without promotion and with, whole millionths, `(n_products, 2)`.

    Below 0 it is sold at a loss. A product that sold nothing of a kind brings what it brings otherwise, one that sold
    nothing at all what units of all products bring.

    Args:
        sold: units, `(n_products, n_days)`.
        margin: of them, millionths.
        is_promoted: days.
    """
    whole = margin.sum() / max(int(sold.sum()), 1)
    found = np.empty((len(sold), 2))
    own_sold, own_margin = sold.sum(axis=1), margin.sum(axis=1)
    own: FloatArray = np.where(own_sold > 0, own_margin / np.maximum(own_sold, 1), whole)
    for promoted in (0, 1):
        of_kind = is_promoted == bool(promoted)
        units, money = np.where(of_kind, sold, 0).sum(axis=1), np.where(of_kind, margin, 0).sum(axis=1)
        found[:, promoted] = np.where(units > 0, money / np.maximum(units, 1), own)
    return np.round(found).astype(np.int64)


def split_days(pipeline: Pipeline, n_days: int) -> dict[SplitName, slice]:
    """Return the columns of each split; the last days, some of whose lines are still to come, belong to none.

    Raises:
        NothingToLearn: a split would have fewer than five weeks.
    """
    shares = pipeline.scenario.splits
    usable = n_days - pipeline.source.lateness_days
    train_end = int(shares.train * usable)
    test_start = train_end + int(shares.validation * usable)
    found: dict[SplitName, slice] = {
        "train": slice(0, train_end),
        "validation": slice(train_end, test_start),
        "test": slice(test_start, max(usable, test_start)),
    }
    least = LEAST_WEEKS * _DAYS_PER_WEEK
    lengths = {name: days.stop - days.start for name, days in found.items()}
    if short := [f"{name} has {length}" for name, length in lengths.items() if length < least]:
        raise NothingToLearn(
            f"too few days of orders ({n_days}): {', '.join(short)}; expected {least} in each split; build "
            "earlier dates"
        )
    return found


def _dataset(pipeline: Pipeline, lake: Lake, horizon: date, pinned: PinnedVersions | None) -> OrderDataset:
    versions = current_versions(pipeline, lake, horizon) if pinned is None else pinned
    published = read_transitions(pipeline, lake, horizon, versions=None if pinned is None else pinned.transitions)
    if not any(manifest.n_rows for manifest in published.manifests.values()):
        raise NothingToLearn(f"no transitions up to {horizon}; run the build for dates with counts")
    history = read_history(pipeline, lake, published, horizon, items=versions.items)
    splits = split_days(pipeline, history.n_days)
    return OrderDataset(pipeline, history, {name: splits[name] for name in SPLIT_NAMES}, published, versions)
