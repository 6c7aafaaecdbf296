"""Homes with a simulated shop's deliveries, ingested and built by the jobs' own functions."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from conf.paths import simulated_shop
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from jobs.commands.ingest import ingest
from jobs.spark.session import start_spark
from jobs.transitions.build import build
from rl.shops.inventory.inventory_settings import InventorySettings
from rl.shops.inventory.writer import LOGS_FOLDER, write_inventory_logs

_KEY = "a key for benchmarks only"


@dataclass
class NightHomes:
    """Homes below one folder: one for each shop and spec of transitions, made when it is first asked for.

    Attributes:
        folder: of all homes.
    """

    folder: Path
    _made: dict[str, Settings] = field(default_factory=dict)

    def of(self, shop: InventorySettings, pipeline: Pipeline) -> Settings:
        """Return the settings of the home that holds the shop's whole log as transitions of the pipeline.

        Raises:
            DeliveryError: the shop's deliveries can't be taken in.
            CheckError: too many of them are broken or set aside, as on any night.
        """
        key = f"{shop.model_dump_json()} {data_spec_hash(pipeline)}"
        if key not in self._made:
            self._made[key] = _built(self.folder / f"home-{len(self._made)}", shop, pipeline)
        return self._made[key]


def last_date(shop: InventorySettings) -> date:
    """Return the last business date of the shop's log."""
    return shop.first_day + timedelta(days=shop.n_days - 1)


def _built(home: Path, shop: InventorySettings, pipeline: Pipeline) -> Settings:
    """Write the shop's deliveries to a new home, ingest and build them, and return the home's settings."""
    settings = Settings.from_environment({**os.environ, "NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": _KEY})
    folder = simulated_shop(home, pipeline.source.name)
    write_inventory_logs(folder, shop)
    spark: SparkSession = start_spark(settings, "bench-inventory")
    horizon = last_date(shop)
    ingest(spark, settings, pipeline.source, logs=folder / LOGS_FOLDER, horizon=horizon, code_hash="bench")
    build(spark, settings, pipeline, horizon)
    return settings
