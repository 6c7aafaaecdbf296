"""Ingest and build killed as whole process groups at random moments: the same tables in the end, whole ones meanwhile.

Steps between which an in-process run is killed are in tests/jobs/test_killed_ingest.py; here nothing is chosen.
`make test-faults` kills 30 times, `make test` once: NIGHTCART_TEST_FAULT_KILLS says how often,
NIGHTCART_TEST_FAULT_SEED when.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.specs.spec_hash import data_spec_hash
from conf.tables import AVAILABILITY, EVENTS, EVENTS_REJECTED, ITEMS, SESSIONS
from tests.e2e.simulated_lake import PIPELINE
from tests.faults.conftest import Undisturbed, digests_in_process
from tests.faults.whole_commands import Shop, kill_at_random
from tests.killing import PollingReader

N_KILLS = int(os.environ.get("NIGHTCART_TEST_FAULT_KILLS", "1"))
SEED = int(os.environ.get("NIGHTCART_TEST_FAULT_SEED", "1"))
KILLS_A_ROUND = 6  # half of them in the ingest, half in the build, of one home


def test_killed_at_random_and_run_again_gives_the_same_digests(
    spark: SparkSession, undisturbed: Undisturbed, logs: Path, tmp_path: Path
) -> None:
    rng, n_done, number = random.Random(SEED), 0, 0
    while n_done < N_KILLS:
        shop = Shop(tmp_path / f"home{number}", logs)
        number += 1
        wanted = min(KILLS_A_ROUND, N_KILLS - n_done)
        reader = PollingReader(_tables(shop))
        reader.start()
        n_ingest = _kill("ingest", shop, (wanted + 1) // 2, undisturbed.seconds, rng)
        if wanted > 1:
            shop.run("ingest")
        n_build = _kill("build", shop, wanted // 2, undisturbed.seconds, rng)
        found = digests_in_process(spark, shop.home, logs)
        reader.end()
        assert found == undisturbed.digests
        assert reader.problems == []
        assert reader.n_read > 0
        assert list(shop.home.rglob("_staging/*")) == []
        n_done += n_ingest + n_build
    assert n_done >= N_KILLS


def _kill(command: str, shop: Shop, n: int, seconds: float, rng: random.Random) -> int:
    """Start the command n times and kill it each time; return how often it was still running."""
    return sum(kill_at_random(shop.start(command), seconds, rng) for _ in range(n))


def _tables(shop: Shop) -> list[Path]:
    lake = Lake(shop.home / "lake", PIPELINE.source.name)
    names = [table.name for table in (EVENTS, EVENTS_REJECTED, ITEMS, AVAILABILITY, SESSIONS)]
    transitions = lake.transitions(PIPELINE.scenario.name, data_spec_hash(PIPELINE))
    return [*map(lake.table, names), transitions]
