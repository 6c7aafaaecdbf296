"""Which store of histories there is, and filling it from what is published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conf.paths import Lake, serving_folder
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from rl.serving.embedded_store import EmbeddedStore, fill_file, filled_digest
from rl.serving.histories import HistoryStore
from rl.serving.published_histories import PublishedHistories, newest_histories


@dataclass(frozen=True)
class StorePlace:
    """Where histories of a scenario are published, and where they are kept for serving.

    Attributes:
        settings: name the home, the lake and the store.
        pipeline: whose histories.
    """

    settings: Settings
    pipeline: Pipeline

    @property
    def name(self) -> str:
        """Tells histories of scenarios and specs apart in a store that several share."""
        scenario = self.pipeline.scenario.name
        return f"{self.pipeline.source.name}:{scenario}:{data_spec_hash(self.pipeline)}"

    def open(self) -> HistoryStore:
        """Return the store to read from.

        Raises:
            StoreError: its address can't be read.
        """
        if (address := self.settings.history_store) is None:
            return EmbeddedStore(self._path)
        from rl.serving.redis_store import RedisStore  # noqa: PLC0415  (only who chose it needs the client)

        return RedisStore(address, self.name)

    def published(self, last_day: int) -> PublishedHistories | None:
        """Return the newest histories that are not for a day after the last one, days since the epoch."""
        lake = Lake(self.settings.lake, self.pipeline.source.name)
        names = self.pipeline.scenario.name, data_spec_hash(self.pipeline)
        attributes = lake.attributes(*names) if self.pipeline.scenario.observation.attributes else None
        return newest_histories(lake.histories(*names), last_day=last_day, attributes=attributes)

    @property
    def is_filled(self) -> bool:
        """Whether the store holds any histories, however old.

        Raises:
            StoreError: it doesn't answer.
        """
        return self._filled_digest() is not None

    def is_due(self, last_day: int) -> bool:
        """Return whether the store lacks the newest histories.

        Raises:
            StoreError: it doesn't answer.
        """
        published = self.published(last_day)
        return published is not None and published.digest != self._filled_digest()

    def fill(self, last_day: int) -> int | None:
        """Fill the store with the newest histories; return how many shoppers, None where it has them already.

        Raises:
            StoreError: it can't be filled.
        """
        published = self.published(last_day)
        if published is None or published.digest == self._filled_digest():
            return None
        if (address := self.settings.history_store) is None:
            return fill_file(self._path, published)
        from rl.serving.redis_store import fill_redis  # noqa: PLC0415

        return fill_redis(address, self.name, published)

    @property
    def _path(self) -> Path:
        folder = serving_folder(self.settings.home, self.pipeline.source.name, self.pipeline.scenario.name)
        return folder / f"histories-{data_spec_hash(self.pipeline)}.sqlite"

    def _filled_digest(self) -> str | None:
        if (address := self.settings.history_store) is None:
            return filled_digest(self._path)
        from rl.serving.redis_store import redis_digest  # noqa: PLC0415

        return redis_digest(address, self.name)
