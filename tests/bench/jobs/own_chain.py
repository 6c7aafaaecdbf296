"""The pipeline's own way from a log to transitions, in a process of its own; prints what each stage used, as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
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
from tests.bench.jobs.process_tree import PeakMemory, processor_seconds
from tests.bench.jobs.shop_log import FIRST, N_DAYS
from tests.bench.jobs.shop_specs import pipeline_of


def main() -> None:
    form, logs, home = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    last = date.fromisoformat(sys.argv[4]) if len(sys.argv) > 4 else FIRST + timedelta(days=N_DAYS - 1)
    environment = {"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": "a key for measurements"}
    with PeakMemory() as memory:
        stages = run_chain(Settings.from_environment(environment), form, logs, last)
    print(json.dumps({"stages": stages, "peak_bytes": memory.bytes_by_kind}))


def run_chain(settings: Settings, form: str, logs: Path, last: date) -> dict[str, dict[str, float]]:
    """Return seconds and processor seconds of each stage."""
    stages: dict[str, dict[str, float]] = {}
    pipeline = pipeline_of(form)
    spark = _timed(stages, "start", lambda: start_spark(settings, "bench"))
    provenance = Provenance(source_hash(pipeline.source), "code", settings.pseudonym_key_id(), last)
    lake, key = Lake(settings.lake, pipeline.source.name), settings.pseudonym_key()
    job = Ingestion(spark, lake, pipeline.source, key, provenance)
    _timed(stages, "land", lambda: land(spark, lake, pipeline.source, logs, key=key, provenance=provenance))
    _timed(stages, "ingest", lambda: ingest_deliveries(job))
    _timed(stages, "sessions", lambda: build_sessions(job))
    built = _timed(stages, "build", lambda: build(spark, settings, pipeline, last))
    stages["rows"] = {"n_transitions": built["n_transitions"], "reward": built["reward"]["transitions"]}
    spark.stop()
    return stages


def _timed(stages: dict[str, dict[str, float]], name: str, work: Callable[[], Any]) -> Any:
    started, used = time.monotonic(), processor_seconds()
    found = work()
    stages[name] = {
        "seconds": round(time.monotonic() - started, 2),
        "processor_seconds": round(processor_seconds() - used, 2),
    }
    return found


if __name__ == "__main__":
    main()
