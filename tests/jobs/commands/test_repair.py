"""Repair and migrate look at every published table, those that models write among them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conf.errors import DamagedFile
from conf.intact_files import sums_of
from conf.paths import Lake
from conf.publication import Manifest, Pointer, read_pointers
from conf.settings import Settings
from conf.specs.source import load_source
from conf.tables import SCHEMA_VERSION, SHOPPER_SCORES
from jobs.commands.migrate import migrate
from jobs.commands.repair import _refuse_left, find_damaged

AS_OF = "as_of=2026-01-06"


def _scores(lake: Lake, *, with_sums: bool) -> Path:
    """A day's scores of shoppers, published; return their file."""
    folder = lake.shopper_scores("purchase-propensity-7")
    file = folder / AS_OF / "v-1" / "scores.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"rows")
    name = file.relative_to(folder).as_posix()
    manifest = Manifest(
        table=SHOPPER_SCORES.name,
        partition=AS_OF,
        schema_version=SCHEMA_VERSION,
        n_rows=1,
        content_hash="1-a",
        spec_hash="s",
        code_hash="c",
        key_id="k",
        horizon=date(2026, 1, 5),
        inputs={},
        counters={},
    )
    pointer = Pointer(files=(name,), manifest=manifest, sums=sums_of(folder, [name]) if with_sums else {})
    path = Lake.pointer(folder, AS_OF)
    path.parent.mkdir(parents=True)
    path.write_text(pointer.model_dump_json(), encoding="utf-8")
    return file


@pytest.mark.parametrize(("change", "problem"), [(b"other rows", "bytes"), (None, "gone")])
def test_damaged_scores_are_found_and_their_cure_is_named(tmp_path: Path, change: bytes | None, problem: str) -> None:
    """The jobs can't make them: what can is said."""
    lake = Lake(tmp_path, "simulated_shop")
    file = _scores(lake, with_sums=True)
    assert find_damaged(lake) == {}
    if change is None:
        file.unlink()
    else:
        file.write_bytes(change)
    assert list(find_damaged(lake)) == [file]
    with pytest.raises(DamagedFile, match="make shopper-models SOURCE=simulated_shop") as raised:
        _refuse_left(lake, load_source("simulated_shop"))
    assert str(file) in str(raised.value)
    assert problem in str(raised.value) or change is not None


def test_migrate_gives_scores_their_sums(tmp_path: Path) -> None:
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    lake = Lake(settings.lake, "simulated_shop")
    file = _scores(lake, with_sums=False)
    assert migrate(settings)["pointers"] == 1
    pointer = read_pointers(lake.shopper_scores("purchase-propensity-7"))[AS_OF]
    assert list(pointer.sums) == [f"{AS_OF}/v-1/{file.name}"]
