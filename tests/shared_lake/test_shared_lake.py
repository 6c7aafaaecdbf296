"""Homes that share a lake through an object store see each other's tables whole, and never undo each other's work."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.errors import LakeChanged, PublicationError, SettingError, StoreUnreachable
from conf.intact_files import damage_in
from conf.settings import Settings
from conf.shared_lake.binding import Binding, bind, read_binding
from conf.shared_lake.commit_log import SNAPSHOT_EVERY, CommitLog
from conf.shared_lake.following import follow_store
from conf.shared_lake.object_store import ObjectStore
from conf.tables import ITEMS
from rl.commands import forget
from rl.errors import ForgettingError
from tests.shared_lake.counting import DAYS, SOURCE, home, lake_of, pointers_of, publish_number, values

pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Settings, Settings]:
    """Two homes, the first of which has shared what it had."""
    first, second = home(tmp_path / "first"), home(tmp_path / "second")
    publish_number(first, 1)
    told = follow_store(first, SOURCE)
    assert told is not None
    assert told["shared"] == len(DAYS)
    return first, second


def _log() -> CommitLog:
    return CommitLog(ObjectStore("s3://lake/shops"), SOURCE)


def test_a_new_home_gets_what_another_shared(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    told = follow_store(second, SOURCE)
    assert told is not None
    assert (told["pointers"], told["files"]) == (2, 2)
    assert values(second) == [1, 1]
    assert pointers_of(second) == pointers_of(first)
    again = follow_store(second, SOURCE)
    assert again is not None
    assert (again["pointers"], again["files"]) == (0, 0)


def test_homes_take_turns(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    for number, (ours, others) in enumerate([(second, first), (first, second)] * 2, start=2):
        follow_store(ours, SOURCE)
        publish_number(ours, number)
        follow_store(others, SOURCE)
        assert values(others) == values(ours) == [number, number]
        folder = lake_of(others).table(ITEMS.name)
        assert not any(damage_in(folder, one.sums) for one in pointers_of(others).values())


def test_who_did_not_follow_is_refused_and_changes_nothing(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    publish_number(second, 2)
    with pytest.raises(LakeChanged, match="another home has published items/_pointers/delivery_date=2026-01-01"):
        publish_number(first, 3)
    assert values(first) == [1, 1]
    assert _log().current()[0] == 1
    follow_store(first, SOURCE)
    assert values(first) == [2, 2]
    publish_number(first, 3)
    assert _log().current()[0] == 2


def test_partitions_that_nobody_else_published_go_in_behind_the_others(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    publish_number(second, 2, days=DAYS[:1])
    publish_number(first, 5, days=DAYS[1:])
    assert values(first) == [2, 5], "it took over what lay between its own commit and the last one"
    follow_store(second, SOURCE)
    assert values(second) == [2, 5]


def test_a_home_killed_behind_its_commit_catches_up(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = homes

    def killed(changes: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("jobs.publishing.publishing.swap_pointers", killed)
        with pytest.raises(KeyboardInterrupt):
            publish_number(first, 2)
    assert values(first) == [1, 1]
    follow_store(second, SOURCE)
    assert values(second) == [2, 2]
    follow_store(first, SOURCE)
    assert values(first) == [2, 2]


def test_other_bytes_at_a_files_place_stay_for_who_reads_them(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    (name,) = pointers_of(first)[f"delivery_date={DAYS[0]}"].files
    occupied = lake_of(second).table(ITEMS.name) / name
    occupied.parent.mkdir(parents=True)
    occupied.write_bytes(b"somebody reads this")
    follow_store(second, SOURCE)
    assert occupied.read_bytes() == b"somebody reads this"
    assert values(second) == [1, 1]


def test_a_file_that_was_lost_here_is_fetched_by_the_next_commit_that_names_it(
    homes: tuple[Settings, Settings],
) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    lake = lake_of(second)
    bind(lake.folder, Binding(url="s3://lake/shops", followed=-1))
    (name,) = pointers_of(first)[f"delivery_date={DAYS[0]}"].files
    (lake.table(ITEMS.name) / name).unlink()
    told = follow_store(second, SOURCE)
    assert told is not None
    assert told["files"] == 1
    assert values(second) == [1, 1]


def test_a_home_with_other_tables_is_refused(homes: tuple[Settings, Settings]) -> None:
    _, second = homes
    publish_number(Settings.from_environment({"NIGHTCART_HOME": str(second.home)}), 7)
    with pytest.raises(LakeChanged, match="2 differ"):
        follow_store(second, SOURCE)
    assert values(second) == [7, 7]
    assert read_binding(lake_of(second).folder) is None


def test_a_bound_folder_follows_no_other_store_and_follows_without_the_variable(
    homes: tuple[Settings, Settings],
) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    with pytest.raises(PublicationError, match="follows s3://lake/shops, NIGHTCART_LAKE_STORE names s3://lake/other"):
        follow_store(home(first.home, "s3://lake/other"), SOURCE)
    publish_number(second, 2)
    follow_store(Settings.from_environment({"NIGHTCART_HOME": str(first.home)}), SOURCE)
    assert values(first) == [2, 2]


def test_snapshots_spare_a_new_home_most_commits(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    for number in range(2, SNAPSHOT_EVERY + 4):
        publish_number(first, number, days=DAYS[number % 2 :][:1])
    log = _log()
    assert log.store.keys_after(f"{SOURCE}/_snapshots/") == [f"{SOURCE}/_snapshots/{SNAPSHOT_EVERY:020d}.json"]
    told = follow_store(second, SOURCE)
    assert told is not None
    assert told["commit"] == SNAPSHOT_EVERY + 2
    assert values(second) == values(first)


def test_removed_commits_are_told(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    for number in (2, 3):
        publish_number(first, number)
    log = _log()
    log.store.replace(f"{SOURCE}/_commits/{7:020d}.json", log.store.read(f"{SOURCE}/_commits/{2:020d}.json") or b"")
    with pytest.raises(PublicationError, match="commits are missing between 0 and 7"):
        follow_store(second, SOURCE)


def test_a_store_that_is_away_stops_publication_and_changes_nothing(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = homes
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreUnreachable, match="credentials right"):
        publish_number(first, 2)
    assert values(first) == [1, 1]


def test_a_shared_source_is_not_forgotten_here_alone(homes: tuple[Settings, Settings]) -> None:
    with pytest.raises(ForgettingError, match="would bring it back"):
        forget.run(settings=homes[0], source=SOURCE, is_confirmed=True, is_forced=True)
    assert values(homes[0]) == [1, 1]


@pytest.mark.parametrize("address", ["s3://", "ftp://host/lake"])
def test_an_address_of_no_store_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingError, match="NIGHTCART_LAKE_STORE"):
        follow_store(home(tmp_path, address), SOURCE)
