"""Many files wait for the disk at once; where one fails, nothing half is left."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from threading import Barrier

import pytest

from conf.publication import Manifest, Pointer, draft_of, draft_pointer, read_pointer
from jobs.errors import PublishError
from jobs.publishing.durability import all_at_once, make_durable
from jobs.publishing.publishing import swap_pointers


def pointer(n_rows: int) -> Pointer:
    manifest = Manifest(
        table="events",
        partition="delivery_date=2026-01-01",
        schema_version=1,
        n_rows=n_rows,
        content_hash=f"{n_rows}-0",
        spec_hash="spec",
        code_hash="code",
        key_id="key",
        horizon=date(2026, 1, 1),
        inputs={},
        counters={},
        checks={},
    )
    return Pointer(files=(), manifest=manifest, sums={})


def test_several_wait_at_the_same_time() -> None:
    together = Barrier(4, timeout=30)
    assert sorted(all_at_once(lambda one: together.wait() * 0 + one, range(4))) == [0, 1, 2, 3]


def test_none_runs_on_once_an_error_is_said() -> None:
    begun, ended, together = set[int](), set[int](), Barrier(2, timeout=30)

    def run(one: int) -> None:
        begun.add(one)
        if one < 2:
            together.wait()
        if one == 0:
            raise OSError("full")
        ended.add(one)

    with pytest.raises(OSError, match="full"):
        all_at_once(run, range(50))
    assert 1 in ended
    assert begun - ended == {0}


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    make_durable([tmp_path])
    with pytest.raises(FileNotFoundError, match="gone"):
        make_durable([tmp_path, tmp_path / "gone"])


@pytest.mark.parametrize("n_failing", [0, 3, 7])
def test_a_pointer_that_cannot_be_written_leaves_all_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_failing: int
) -> None:
    """Whichever of them it is, no draft and no backup stays beside the pointers."""
    folder = tmp_path / "_pointers"
    paths = [folder / f"delivery_date=2026-01-0{number}.json" for number in range(1, 9)]
    swap_pointers({path: pointer(1) for path in paths[:5]})

    def failing(path: Path, new: Pointer) -> Path:
        if path == paths[n_failing]:
            draft_of(path).write_text("half")
            raise OSError(28, "No space left on device")
        return draft_pointer(path, new)

    monkeypatch.setattr("jobs.publishing.publishing.draft_pointer", failing)
    with pytest.raises(PublishError, match="nothing was published"):
        swap_pointers({path: pointer(2) for path in paths})
    assert sorted(folder.iterdir()) == paths[:5]
    assert [found.manifest.n_rows for path in paths if (found := read_pointer(path))] == [1] * 5
