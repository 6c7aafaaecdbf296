"""The pipeline's own way from a log to transitions, in a process of its own; prints what each stage used, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.spec_hash import source_hash
from jobs.events.ingest import Ingestion, ingest_deliveries
from jobs.landing.landing import land
from jobs.publishing.publishing import Provenance
from jobs.sessions.building import build_sessions
from jobs.spark.session import start_spark
from jobs.transitions.build import build
from tests.bench.jobs.process_tree import TreeWatch
from tests.bench.jobs.shop_log import FIRST
from tests.bench.jobs.shop_specs import pipeline_of


def main() -> None:
    order = json.loads(sys.stdin.read())
    environment = {"NIGHTCART_HOME": order["home"], "NIGHTCART_PSEUDONYM_KEY": order["key"]}
    with TreeWatch() as watch:
        stages = run_chain(Settings.from_environment(environment), order, watch)
    print(json.dumps({"stages": stages, "peak_bytes": watch.peak_bytes}))


def run_chain(settings: Settings, order: Mapping[str, Any], watch: TreeWatch) -> dict[str, dict[str, float]]:
    """Return seconds and processor seconds of each stage.

    Args:
        settings: name the home and the key.
        order: `form` (csv, jsonl), `logs`, `n_days` of the log, and `is_night`: whether all days but the last are built
            before, so that `build` is that of a night.
        watch: of this process.
    """
    stages: dict[str, dict[str, float]] = {}
    pipeline, last = pipeline_of(order["form"]), FIRST + timedelta(days=order["n_days"] - 1)
    watch.timed(stages, "start", lambda: start_spark(settings, "bench"))
    spark = start_spark(settings, "bench")
    provenance = Provenance(source_hash(pipeline.source), "code", settings.pseudonym_key_id(), last)
    lake, key, logs = Lake(settings.lake, pipeline.source.name), settings.pseudonym_key(), Path(order["logs"])
    job = Ingestion(spark, lake, pipeline.source, key, provenance)
    watch.timed(stages, "land", lambda: land(spark, lake, pipeline.source, logs, key=key, provenance=provenance))
    watch.timed(stages, "ingest", lambda: ingest_deliveries(job))
    watch.timed(stages, "sessions", lambda: build_sessions(job))
    if order["is_night"]:
        watch.timed(stages, "build_before", lambda: build(spark, settings, pipeline, last - timedelta(days=1)))
    watch.timed(stages, "build", lambda: build(spark, settings, pipeline, last))
    spark.stop()
    return stages


if __name__ == "__main__":
    main()
