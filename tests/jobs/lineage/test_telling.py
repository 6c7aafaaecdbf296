"""What was published is told as OpenLineage events, once, whatever happens in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openlineage.client")

from conf.errors import SettingError
from conf.paths import Lake
from conf.publication import FileSum, Manifest, Pointer, swap_pointer
from conf.settings import Settings
from jobs.commands.lineage import lineage, tell_quietly
from jobs.errors import LineageError

SOURCE = "simulated_shop"


def settings_in(home: Path, to: object) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_LINEAGE": str(to)})


def publish(lake: Lake, folder: Path, partition: str, inputs: dict[str, str], content: str = "3-abc") -> None:
    manifest = Manifest(
        table=folder.name,
        partition=partition,
        schema_version=1,
        n_rows=3,
        content_hash=content,
        spec_hash="s1",
        code_hash="c1",
        key_id="k",
        horizon=date(2026, 1, 5),
        inputs=inputs,
        counters={"duplicates": 2},
    )
    sums = {f"v-{content}/part.parquet": FileSum(n_bytes=120, sha256="0")}
    swap_pointer(Lake.pointer(folder, partition), Pointer(files=tuple(sums), manifest=manifest, sums=sums))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A delivery, its events and a scenario's transitions of one day."""
    found = Lake(tmp_path / "home" / "lake", SOURCE)
    publish(found, found.folder / "raw", "delivery_date=2026-01-05", {"clicks/2026-01-05/a.csv": "1"})
    publish(found, found.table("events"), "delivery_date=2026-01-05", {"clicks/2026-01-05/a.csv": "1"})
    made_from = {"events/delivery_date=2026-01-05": "3-abc", "kernel/2": "2", "passed/2026-01-05": "1"}
    publish(found, found.transitions("recommendation", "f00"), "date=2026-01-05", made_from)
    return found


def told(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_version_is_a_run_that_started_and_is_complete(tmp_path: Path, lake: Lake) -> None:
    """With inputs, output, columns, rows, bytes and what it was made under; deliveries come first."""
    file = tmp_path / "events.jsonl"
    assert lineage(settings_in(tmp_path / "home", file)) == {"told": {SOURCE: 3}}
    events = told(file)
    assert [(one["eventType"], one["job"]["name"]) for one in events] == [
        (kind, name)
        for name in ("raw", "events", "transitions/recommendation/spec=f00")
        for kind in ("START", "COMPLETE")
    ]
    assert len({one["run"]["runId"] for one in events}) == 3
    landed, _, made = (event for event in events if event["eventType"] == "COMPLETE")
    assert [(one["namespace"], one["name"]) for one in landed["inputs"]] == [(f"nightcart://{SOURCE}", "clicks")]
    assert [one["name"] for one in made["inputs"]] == [str(lake.table("events"))]
    assert made["inputs"][0]["facets"]["nightcart_partitions"]["partitions"] == ["delivery_date=2026-01-05"]
    (output,) = made["outputs"]
    assert (output["namespace"], output["name"]) == ("file", str(lake.transitions("recommendation", "f00")))
    statistics = output["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"], statistics["fileCount"]) == (3, 120, 1)
    assert output["facets"]["version"]["datasetVersion"] == "3-abc"
    assert made["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2026-01-05T00:00:00Z"
    under = made["run"]["facets"]["nightcart_version"]
    assert (under["spec_hash"], under["code_hash"], under["counters"]) == ("s1", "c1", {"duplicates": 2})


def test_columns_come_with_their_types_and_meaning(tmp_path: Path, lake: Lake) -> None:
    """Of tables that today's specs know; this spec's hash is none of them."""
    lineage(settings_in(tmp_path / "home", tmp_path / "events.jsonl"))
    _, events, made = (one for one in told(tmp_path / "events.jsonl") if one["eventType"] == "COMPLETE")
    fields = {one["name"]: one for one in events["outputs"][0]["facets"]["schema"]["fields"]}
    assert fields["event_time"]["type"] == "timestamp"
    assert fields["event_time"]["description"]
    assert "schema" not in made["outputs"][0]["facets"]


def test_versions_are_told_once(tmp_path: Path, lake: Lake) -> None:
    """A new version is told, the others aren't again; to another place everything is."""
    settings = settings_in(tmp_path / "home", tmp_path / "events.jsonl")
    lineage(settings)
    assert lineage(settings)["told"] == {SOURCE: 0}
    publish(lake, lake.table("events"), "delivery_date=2026-01-05", {"clicks/2026-01-05/a.csv": "2"}, "3-other")
    assert lineage(settings)["told"] == {SOURCE: 1}
    assert len(told(tmp_path / "events.jsonl")) == 8
    assert lineage(settings_in(tmp_path / "home", tmp_path / "others.jsonl"))["told"] == {SOURCE: 3}


def test_a_version_keeps_its_run_id(tmp_path: Path, lake: Lake) -> None:
    """Whoever collects knows one that is told twice, as after a kill."""
    for name in ("one", "two"):
        lineage(settings_in(tmp_path / "home", tmp_path / name))
    first, second = (sorted({one["run"]["runId"] for one in told(tmp_path / name)}) for name in ("one", "two"))
    assert first == second


@contextmanager
def server(status: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that answers every event with the status, and what was sent there."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}", got
        finally:
            listening.shutdown()
            thread.join()


def test_a_server_gets_the_same_events(tmp_path: Path, lake: Lake) -> None:
    lineage(settings_in(tmp_path / "home", tmp_path / "events.jsonl"))
    with server(201) as (address, got):
        lineage(settings_in(tmp_path / "home", address))
    assert got == told(tmp_path / "events.jsonl")


def test_what_could_not_be_told_is_told_the_next_time(tmp_path: Path, lake: Lake) -> None:
    """The command that published goes on with a warning; `make lineage` fails, naming no password."""
    with server(400) as (address, _):
        refusing = settings_in(tmp_path / "home", address.replace("//", "//me:secret-word@"))
        tell_quietly(refusing, SOURCE)
        with pytest.raises(LineageError, match="takes no OpenLineage events") as caught:
            lineage(refusing)
    assert "secret-word" not in str(caught.value)
    assert not lake.lineage_record.exists()
    with server(201) as (address, got):
        lineage(settings_in(tmp_path / "home", address))
    assert len(got) == 6


def test_a_damaged_record_is_told(tmp_path: Path, lake: Lake) -> None:
    lake.lineage_record.write_text("{")
    with pytest.raises(LineageError, match=r"_lineage\.json: can't be read .*; remove it"):
        lineage(settings_in(tmp_path / "home", tmp_path / "events.jsonl"))


def test_nothing_is_told_where_nobody_asks(tmp_path: Path, lake: Lake) -> None:
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path / "home")})
    tell_quietly(settings, SOURCE)
    with pytest.raises(SettingError, match="NIGHTCART_LINEAGE names no file or server"):
        lineage(settings)
    assert not lake.lineage_record.exists()
