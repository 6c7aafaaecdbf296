"""Pointers and manifests: atomic swaps, refusals, one publisher at a time."""

import multiprocessing
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.errors import PublicationError, StaleInputs
from conf.publication import (
    Manifest,
    Pointer,
    publishing,
    read_pointer,
    read_pointers,
    remove_drafts,
    swap_pointer,
)


def make_pointer(**override: Any) -> Pointer:
    facts: dict[str, Any] = {
        "table": "events",
        "partition": "delivery_date=2026-01-01",
        "schema_version": 1,
        "n_rows": 0,
        "content_hash": "0-0",
        "spec_hash": "s",
        "code_hash": "c",
        "key_id": "k",
        "horizon": date(2026, 1, 1),
        "inputs": {"a": "1"},
    }
    return Pointer(files=(), manifest=Manifest(**{**facts, **override}))


def test_read_pointer_gives_what_was_swapped_in(tmp_path: Path) -> None:
    """A pointer survives its way through the file; nothing else is left beside it."""
    path = tmp_path / "_pointers" / "date=2026-01-01.json"
    swap_pointer(path, make_pointer())
    assert read_pointer(path) == make_pointer()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_read_pointer_is_none_for_a_partition_never_published(tmp_path: Path) -> None:
    """Absence is an answer, not an error."""
    assert read_pointer(tmp_path / "none.json") is None


def test_read_pointer_refuses_a_damaged_file(tmp_path: Path) -> None:
    """Half a file is not read as an empty partition."""
    path = tmp_path / "bad.json"
    path.write_text('{"files": [', encoding="utf-8")
    with pytest.raises(PublicationError, match="publish the partition again"):
        read_pointer(path)


def test_swap_pointer_refuses_strictly_fewer_inputs(tmp_path: Path) -> None:
    """A slow publisher that saw less can't undo a later one; the message names what it lacks."""
    path = tmp_path / "p.json"
    swap_pointer(path, make_pointer(inputs={"a": "1", "b": "2"}))
    with pytest.raises(StaleInputs, match=r"1 more input\(s\) \(b\)"):
        swap_pointer(path, make_pointer(inputs={"a": "1"}))
    assert read_pointer(path) == make_pointer(inputs={"a": "1", "b": "2"})


def test_swap_pointer_accepts_a_changed_input(tmp_path: Path) -> None:
    """A redelivered file is another input, not a missing one."""
    path = tmp_path / "p.json"
    swap_pointer(path, make_pointer(inputs={"a": "1", "b": "2"}))
    swap_pointer(path, make_pointer(inputs={"a": "changed"}))
    published = read_pointer(path)
    assert published is not None and published.manifest.inputs == {"a": "changed"}


def test_read_pointers_are_named_by_partition(tmp_path: Path) -> None:
    """The drafts of a swap in progress are no partitions."""
    for day in ("date=2026-01-02", "date=2026-01-01"):
        swap_pointer(tmp_path / "_pointers" / f"{day}.json", make_pointer(partition=day))
    (tmp_path / "_pointers" / ".date=2026-01-03.json.77").write_text("{", encoding="utf-8")
    assert list(read_pointers(tmp_path)) == ["date=2026-01-01", "date=2026-01-02"]


def _count_up(lock: Path, counter: Path, times: int) -> None:
    for _ in range(times):
        with publishing(lock):
            counter.write_text(str(int(counter.read_text()) + 1))


def test_drafts_of_killed_publishers_are_removed(tmp_path: Path) -> None:
    """Pointers, drafts of this process and other files stay."""
    kept = ["date=2026-01-05.json", f".date=2026-01-05.json.{os.getpid()}", ".lock", ".nfs0001"]
    gone = [".date=2026-01-05.json.99999999", ".date=2026-01-06.json.99999999.before"]
    for name in (*kept, *gone):
        (tmp_path / name).write_text("{}")
    remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    remove_drafts(tmp_path / "nowhere")


def test_publishing_lets_one_process_in_at_a_time(tmp_path: Path) -> None:
    """Two processes that read and write the same file under the lock lose no update."""
    counter, lock = tmp_path / "counter", tmp_path / "lock"
    counter.write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count_up, args=(lock, counter, 200)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert counter.read_text() == "400"
