"""Commands that name no source, on a home that other homes' commits have left behind."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from deltalake import DeltaTable

from conf.errors import LostBinding, StoreUnreachable
from conf.paths import Lake, site_folder
from conf.settings import Settings
from conf.shared_lake.binding import read_binding, shared_sources
from conf.shared_lake.following import follow_store
from conf.shared_lake.object_store import ObjectStore
from conf.tables import ITEMS
from jobs.commands.follow import follow_first
from jobs.commands.lineage import lineage
from rl.commands import home as home_command
from rl.commands import vacuum
from rl.upkeep import table_versions
from tests.shared_lake.counting import SOURCE, home, lake_of, publish_number, values

Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def behind(tmp_path: Path) -> Settings:
    """A home that has what was current before another home's last commit, and doesn't name the store itself."""
    (tmp_path / "store").mkdir()
    url = f"file://{tmp_path / 'store'}"
    first, second = home(tmp_path / "first", url), home(tmp_path / "second", url)
    publish_number(first, 1)
    follow_store(first, SOURCE)
    follow_store(second, SOURCE)
    publish_number(first, 2)
    return Settings.from_environment(
        {"NIGHTCART_HOME": str(second.home), "NIGHTCART_LINEAGE": str(tmp_path / "lineage.jsonl")}
    )


def _first(settings: Settings) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(settings.home.with_name("first"))})


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Away:
    """Let the store answer nothing for a while."""

    def unanswered(store: ObjectStore, ask: object, what: str) -> None:
        raise StoreUnreachable(f"{store.url}: can't {what}: no route")

    @contextmanager
    def away_meanwhile() -> Iterator[None]:
        with monkeypatch.context() as patched:
            patched.setattr(ObjectStore, "_asked", unanswered)
            yield

    return away_meanwhile


def test_lineage_tells_what_is_current_for_all_homes(behind: Settings, tmp_path: Path, away: Away) -> None:
    """And nothing while the store is away; a source that was never shared isn't shared by it."""
    folder = behind.lake / "alone" / "items"
    folder.mkdir(parents=True)
    lineage(behind)
    assert values(behind) == [2, 2]
    told = (tmp_path / "lineage.jsonl").read_text(encoding="utf-8")
    assert len(told.splitlines()) > 0
    assert shared_sources(behind.lake) == [SOURCE]
    assert read_binding(folder.parent) is None
    publish_number(_first(behind), 3)
    with away(), pytest.raises(StoreUnreachable):
        lineage(behind)
    assert (tmp_path / "lineage.jsonl").read_text(encoding="utf-8") == told


def test_the_home_page_says_as_of_which_commit_it_is(behind: Settings, away: Away) -> None:
    """Without asking the store, and without taking anything over."""
    with away():
        home_command.run(settings=behind)
    page = html.unescape((site_folder(behind.home) / "index.html").read_text(encoding="utf-8"))
    assert f"Shared through file://{behind.home.with_name('store')}: its tables are those of commit 0" in page
    assert f"make follow SOURCE={SOURCE}" in page
    assert values(behind) == [1, 1]


def test_a_lost_binding_stands_on_the_home_page_and_stops_lineage(behind: Settings) -> None:
    (lake_of(behind).folder / "_shared.json").unlink()
    home_command.run(settings=behind)
    page = html.unescape((site_folder(behind.home) / "index.html").read_text(encoding="utf-8"))
    assert "_shared.json is gone, and the source is shared through" in page
    with pytest.raises(LostBinding):
        lineage(behind)


def test_a_vacuum_needs_no_store_and_takes_nothing_that_following_would_miss(
    behind: Settings, monkeypatch: pytest.MonkeyPatch, away: Away
) -> None:
    """What is current here stays, however far behind; a version that becomes current again is fetched again."""
    monkeypatch.setattr(table_versions, "SECONDS_FOR_READERS", 0)
    with away():
        vacuum.run(settings=behind, is_confirmed=True, keep_days=30)
    assert values(behind) == [1, 1]
    follow_store(behind, SOURCE)
    versions = [path for path in lake_of(behind).table(ITEMS.name).glob("v-*") if path.is_dir()]
    vacuum.run(settings=behind, is_confirmed=True, keep_days=30)
    left = [path for path in versions if path.is_dir()]
    assert len(left) < len(versions)
    publish_number(_first(behind), 1)
    follow_store(behind, SOURCE)
    assert values(behind) == [1, 1]


def test_a_job_brings_other_engines_to_what_another_command_followed(behind: Settings) -> None:
    """Commands of `python -m rl` take over pointers alone, and nothing is left to follow for the job."""
    follow_store(behind, SOURCE)
    told = follow_first(behind, SOURCE)
    assert told is not None
    assert told["pointers"] == 0
    table = DeltaTable(str(Lake.delta(lake_of(behind).table(ITEMS.name))))
    assert set(table.to_pyarrow_table()["price"].to_pylist()) == {2}
