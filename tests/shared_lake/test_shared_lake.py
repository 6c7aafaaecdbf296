"""Homes that share a lake through an object store see each other's tables whole, and never undo each other's work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import obstore
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from conf import intact_files
from conf.errors import DamagedFile, LakeChanged, PublicationError, SettingError, StoreUnreachable
from conf.intact_files import damage_in, sum_of
from conf.paths import Lake
from conf.publication import Pointer
from conf.settings import PROJECT_ROOT, Settings
from conf.shared_lake.binding import Binding, bind, read_binding
from conf.shared_lake.commit_log import SNAPSHOT_EVERY, CommitLog
from conf.shared_lake.following import fetch_again, follow_store, new_commit
from conf.shared_lake.object_store import ObjectStore
from conf.shared_lake.sharing import shared
from conf.specs.source import load_source
from conf.tables import ITEMS
from jobs.commands import plan
from jobs.commands.follow import update_logs
from jobs.commands.repair import find_damaged, repair
from jobs.errors import PublishError
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


def test_other_engines_see_what_was_followed(homes: tuple[Settings, Settings]) -> None:
    _, second = homes
    follow_store(second, SOURCE)
    update_logs(lake_of(second))
    table = DeltaTable(str(Lake.delta(lake_of(second).table(ITEMS.name))))
    assert table.to_pyarrow_table().num_rows == len(DAYS)
    publish_number(second, 2)
    follow_store(homes[0], SOURCE)
    update_logs(lake_of(homes[0]))
    table = DeltaTable(str(Lake.delta(lake_of(homes[0]).table(ITEMS.name))))
    assert set(table.to_pyarrow_table()["price"].to_pylist()) == {2}


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
    with pytest.raises(LakeChanged, match="has published items/_pointers/delivery_date=2026-01-01"):
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


def test_damaged_files_are_not_shared_for_whole_ones(tmp_path: Path) -> None:
    first = home(tmp_path / "first")
    publish_number(Settings.from_environment({"NIGHTCART_HOME": str(first.home)}), 1)
    file = _file_of(first)
    right = file.read_bytes()
    _damage(file)
    with pytest.raises(DamagedFile, match="make repair SOURCE=counting"):
        follow_store(first, SOURCE)
    assert _log().current()[0] == -1
    assert _log().store.keys_after(f"{SOURCE}/") == []
    file.write_bytes(right)
    follow_store(first, SOURCE)
    follow_store(home(tmp_path / "second"), SOURCE)
    assert values(home(tmp_path / "second")) == [1, 1]


@pytest.mark.parametrize("is_gone", [False, True])
def test_damaged_files_are_fetched_again(homes: tuple[Settings, Settings], is_gone: bool) -> None:
    """A home without logs could make none of them anew."""
    _, second = homes
    follow_store(second, SOURCE)
    lake, file = lake_of(second), _file_of(second)
    assert fetch_again(lake, find_damaged(lake)) == []
    if is_gone:
        file.unlink()
    else:
        _damage(file)
    assert list(find_damaged(lake)) == [file]
    assert fetch_again(lake, find_damaged(lake)) == [file]
    assert find_damaged(lake) == {}
    assert values(second) == [1, 1]


@pytest.mark.parametrize("store_has_it", [True, False])
def test_repair_fetches_before_it_makes_anew(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch, store_has_it: bool
) -> None:
    _, second = homes
    follow_store(second, SOURCE)
    file = _file_of(second)
    if not store_has_it:
        _log().store.replace(_log().file_key(sum_of(file)), b"other bytes")
    _damage(file)
    made = []
    monkeypatch.setattr("jobs.commands.repair.read_raw_deliveries", lambda _: {date(2026, 1, 1): None})
    monkeypatch.setattr("jobs.commands.repair.ingest", lambda *_, **given: made.append(given["horizon"]))
    monkeypatch.setattr("jobs.commands.repair.scenarios_for", lambda _: [])
    source = load_source("simulated_shop").model_copy(update={"name": SOURCE})
    if store_has_it:
        done = repair(cast(SparkSession, None), second, source, logs=None, code_hash="code")
        assert (done["damaged"], done["n_fetched"], made) == ([str(file)], 1, [])
    else:
        with pytest.raises(DamagedFile, match=file.name):  # since the ingest is none
            repair(cast(SparkSession, None), second, source, logs=None, code_hash="code")
        assert made == [date(2026, 1, 1)]


def test_damaged_files_of_a_home_without_store_stay_for_repair(tmp_path: Path) -> None:
    alone = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    publish_number(alone, 1)
    _file_of(alone).unlink()
    assert fetch_again(lake_of(alone), find_damaged(lake_of(alone))) == []


def test_events_of_another_key_are_refused(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    _commit_events(first, key_id=first.pseudonym_key_id())
    with pytest.raises(SettingError, match="give every home of the lake the same one"):
        follow_store(second, SOURCE)
    binding = read_binding(lake_of(second).folder)
    assert binding is not None
    assert binding.followed == 0
    new = home(second.home.with_name("third"))
    with pytest.raises(SettingError, match=first.pseudonym_key_id()):
        follow_store(new, SOURCE)
    assert pointers_of(new) == {}
    (second.home / "pseudonym.key").write_bytes((first.home / "pseudonym.key").read_bytes())
    told = follow_store(second, SOURCE)
    assert told is not None
    assert told["commit"] == 1


def test_a_commit_that_could_not_be_taken_over_is_told_as_published(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = homes[0]

    def full(changes: object) -> None:
        raise PublishError("no space left; nothing was published")

    with monkeypatch.context() as patched:
        patched.setattr("jobs.publishing.publishing.swap_pointers", full)
        with pytest.raises(PublicationError, match="published for all homes as commit 1"):
            publish_number(first, 2)
    assert values(first) == [1, 1]
    for one in homes:
        follow_store(one, SOURCE)
        assert values(one) == [2, 2]


@pytest.mark.parametrize("address", ["s3://", "ftp://host/lake", "memory:///lake"])
def test_an_address_of_no_store_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingError, match="NIGHTCART_LAKE_STORE"):
        follow_store(home(tmp_path, address), SOURCE)


def _emptied(store: str = "s3://lake/shops") -> None:
    for key in ObjectStore(store).keys_after(""):
        obstore.delete(ObjectStore(store)._store, key)


def test_a_home_without_tables_that_came_first_keeps_nobody_from_sharing(tmp_path: Path) -> None:
    first, second = home(tmp_path / "first"), home(tmp_path / "second")
    publish_number(first, 1)
    follow_store(second, SOURCE)
    told = follow_store(first, SOURCE)
    assert told is not None
    assert told["shared"] == len(DAYS)
    follow_store(second, SOURCE)
    assert values(second) == [1, 1]


@pytest.mark.parametrize("begun_anew", [False, True])
def test_a_store_that_is_not_the_one_that_was_followed_is_told(
    homes: tuple[Settings, Settings], tmp_path: Path, *, begun_anew: bool
) -> None:
    first, _ = homes
    publish_number(first, 2)
    _emptied()
    if begun_anew:
        other = home(tmp_path / "other")
        publish_number(other, 7)
        follow_store(other, SOURCE)
        publish_number(other, 8)
    with pytest.raises(LakeChanged, match="isn't the one that was followed here up to commit 1"):
        follow_store(first, SOURCE)
    with pytest.raises(LakeChanged, match="isn't the one"):
        publish_number(first, 3)
    assert values(first) == [2, 2]
    assert _log().current()[0] == (1 if begun_anew else -1)


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_damaged_file_is_not_shared(tmp_path: Path, *, is_gone: bool) -> None:
    first, second = home(tmp_path / "first"), home(tmp_path / "second")
    publish_number(first, 1)
    (name,) = pointers_of(first)[f"delivery_date={DAYS[0]}"].files
    file = lake_of(first).table(ITEMS.name) / name
    whole = file.read_bytes()
    if is_gone:
        file.unlink()
    else:
        file.write_bytes(whole[:-1] + b"?")
    with pytest.raises(DamagedFile, match="damaged since it was published"):
        follow_store(first, SOURCE)
    assert _log().current()[0] == -1
    file.write_bytes(whole)
    follow_store(first, SOURCE)
    follow_store(second, SOURCE)
    assert values(second) == [1, 1]


def test_what_became_current_in_the_store_alone_is_told_as_that(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = homes

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("jobs.publishing.publishing.all_at_once", full)
        with pytest.raises(PublicationError, match="published for all homes as commit 1, and couldn't be set here"):
            publish_number(first, 2)
    assert values(first) == [1, 1]
    follow_store(second, SOURCE)
    follow_store(first, SOURCE)
    assert values(first) == values(second) == [2, 2]


def test_a_snapshot_that_fails_keeps_no_commit_from_being_made(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = homes
    monkeypatch.setattr("conf.shared_lake.commit_log.SNAPSHOT_EVERY", 1)

    def away(*_: object) -> None:
        raise StoreUnreachable("it is away")

    monkeypatch.setattr(ObjectStore, "replace", away)
    publish_number(first, 2)
    assert values(first) == [2, 2]


@contextmanager
def _without_answers(lost: Callable[[str, str], bool]) -> Iterator[str]:
    """Yield an address before the store's, where requests that `lost` names are done and never answered."""
    behind = os.environ["AWS_ENDPOINT_URL"]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            sent: Mapping[str, str] = {"content-type": "application/octet-stream", **dict(self.headers.items())}
            asked = Request(f"{behind}{self.path}", data=body or None, method=self.command, headers=dict(sent))
            try:
                answer = urlopen(asked)
            except HTTPError as error:
                answer = error
            content = answer.read()
            self.close_connection = True
            if lost(self.command, self.path):
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            n_bytes = answer.headers.get("content-length") if self.command == "HEAD" else str(len(content))
            self.send_header("content-length", n_bytes or "0")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = handle_any  # noqa: N815

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_commit_whose_answers_were_all_lost_is_found_made(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = homes
    with (
        _without_answers(lambda method, path: method == "PUT" and "_commits" in path) as address,
        monkeypatch.context() as patched,
    ):
        patched.setenv("AWS_ENDPOINT_URL", address)
        publish_number(first, 2)
    assert values(first) == [2, 2]
    follow_store(second, SOURCE)
    assert values(second) == [2, 2]


def test_a_commit_that_may_be_made_is_told_as_that(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = homes
    begun: list[str] = []

    def lost(method: str, path: str) -> bool:
        if method == "PUT" and "_commits" in path:
            begun.append(path)
        return bool(begun)

    with _without_answers(lost) as address, monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(StoreUnreachable, match="may be there or not"):
            publish_number(first, 2)
    assert values(first) == [1, 1]
    follow_store(first, SOURCE)
    assert values(first) == [2, 2]


def test_a_spreadsheet_of_a_version_that_another_home_replaced_is_removed(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    files = [lake_of(first).table(ITEMS.name) / "csv" / f"{day}.csv" for day in DAYS]
    files[0].parent.mkdir()
    for file in files:
        file.write_text("somebody might send this")
    publish_number(second, 2, days=DAYS[:1])
    follow_store(first, SOURCE)
    assert [file.exists() for file in files] == [False, True]


def test_what_another_command_of_the_home_followed_meanwhile_is_not_gone_over(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    publish_number(second, 2)
    following = f"""if True:
        import pathlib, sys
        from tests.shared_lake.counting import follow_store, home
        follow_store(home(pathlib.Path(sys.argv[1])), {SOURCE!r})
    """
    subprocess.run([sys.executable, "-c", following, str(first.home)], cwd=PROJECT_ROOT, check=True)
    assert values(first) == [2, 2]
    with pytest.raises(LakeChanged, match="or another command here, has published"):
        publish_number(first, 2 + 5)  # of what this process read when it followed
    assert values(first) == [2, 2]
    follow_store(first, SOURCE)
    publish_number(first, 3)
    publish_number(first, 4)
    follow_store(second, SOURCE)
    assert values(second) == [4, 4]


def test_a_list_is_refused_where_another_of_its_table_was_published_meanwhile(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    publish_number(second, 2, days=DAYS[:1])
    lake = lake_of(first)
    pointers = pointers_of(first)
    path = Lake.pointer(lake.table(ITEMS.name), f"delivery_date={DAYS[1]}")
    with (
        pytest.raises(LakeChanged, match=f"published items/_pointers/delivery_date={DAYS[0]}"),
        shared(lake.lock, {path: pointers[path.stem]}, whole_tables=True),
    ):
        pytest.fail("it was made current")
    assert _log().current()[0] == 1


@pytest.mark.parametrize("path", ["../../away/_pointers/x.json", "/away/_pointers/x.json", "items/x.json"])
def test_a_commit_that_leaves_the_sources_folder_is_refused(homes: tuple[Settings, Settings], path: str) -> None:
    first, second = homes
    pointer = next(iter(pointers_of(first).values()))
    content = {"writer": "0" * 32, "pointers": {path: pointer.model_dump(mode="json")}}
    _log().store.replace(f"{SOURCE}/_commits/{1:020d}.json", json.dumps(content).encode())
    with pytest.raises(PublicationError, match="not a commit"):
        follow_store(second, SOURCE)
    assert not (second.home.parent / "away").exists()


def test_tables_of_a_later_release_are_not_taken_over(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    follow_store(second, SOURCE)
    name, pointer = next(iter(pointers_of(first).items()))
    later = pointer.model_copy(update={"manifest": pointer.manifest.model_copy(update={"schema_version": 99})})
    assert _log().commit(1, new_commit({f"items/_pointers/{name}.json": later}))
    with pytest.raises(PublicationError, match="later release of nightcart"):
        follow_store(second, SOURCE)
    assert values(second) == [1, 1]


def test_a_full_disk_is_not_told_as_a_store_that_is_away(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("conf.shared_lake.object_store.os.fsync", full)
    with pytest.raises(StoreUnreachable, match=r"here: No space left on device; nothing was changed$"):
        follow_store(homes[1], SOURCE)


def test_a_plan_that_follows_fetches_for_its_owner_alone(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = os.umask(0o022)
    try:
        monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path / "third"))
        monkeypatch.setenv("NIGHTCART_LAKE_STORE", "s3://lake/shops")
        days = ["--from", DAYS[0], "--to", DAYS[1]]
        assert plan.main(["--source", "simulated_shop", "--scenario", "recommendation", *days])
    finally:
        os.umask(before)
    assert (tmp_path / "third").stat().st_mode & 0o077 == 0


def _file_of(settings: Settings) -> Path:
    """The file of the first day's current version."""
    (name,) = pointers_of(settings)[f"delivery_date={DAYS[0]}"].files
    return lake_of(settings).table(ITEMS.name) / name


def _damage(file: Path) -> None:
    """Change a byte; the size stays. What this process has verified is forgotten: another would read it."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    intact_files._verified.clear()


def _commit_events(settings: Settings, *, key_id: str) -> None:
    """Commit a day's events without files, as another home would."""
    pointer = pointers_of(settings)[f"delivery_date={DAYS[0]}"]
    events = Pointer(files=(), manifest=pointer.manifest.model_copy(update={"table": "events", "key_id": key_id}))
    assert _log().commit(1, new_commit({f"events/_pointers/delivery_date={DAYS[0]}.json": events}))
