"""An ingest killed with SIGKILL between any two steps leaves whole versions only, and can simply be run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake
from conf.tables import AVAILABILITY, EVENTS, EVENTS_REJECTED, ITEMS, SESSIONS
from tests.jobs.conftest import Ingest
from tests.jobs.shop_logs import DAYS, deliver_days
from tests.killing import PollingReader, kill_until_through

HORIZON = DAYS[1]
TABLES = [EVENTS, EVENTS_REJECTED, ITEMS, AVAILABILITY, SESSIONS]


@pytest.fixture(scope="module")
def undisturbed(ingest_into: Ingest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return ingest_into(folder / "home", HORIZON, deliver_days(folder / "logs", DAYS[:2]))


def test_killed_and_run_again_gives_the_same_digests(
    ingest_into: Ingest, undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it was killed, the run that gets through publishes what an undisturbed one does."""
    home, lake = tmp_path / "home", Lake(tmp_path / "home" / "lake", "canonical")
    logs = deliver_days(tmp_path / "logs", DAYS[:2])
    reader = PollingReader(lake.table(table.name) for table in TABLES)
    reader.start()
    n_kills = kill_until_through(
        lambda: ingest_into(home, HORIZON, logs), steps_before_kills=(2, 3, 4, 5), monkeypatch=monkeypatch
    )
    reader.end()
    result = ingest_into(home, HORIZON, logs)
    assert result["digests"] == undisturbed["digests"]
    assert reader.problems == []
    assert reader.n_read > n_kills > 5
    assert list(lake.folder.rglob("_staging/*")) == []
