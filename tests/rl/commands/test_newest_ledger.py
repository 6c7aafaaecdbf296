"""Which look at what is served a night's review page takes its ledger of launches from."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from conf.paths import Run
from rl.commands.register import newest_ledger
from tests.rl.monitor.monitor_factory import figures

NIGHT = date(2026, 3, 20)


def night(home: Path, day: date = NIGHT) -> Run:
    return Run(home, "simulated_shop", "recommendation", day)


def looked(home: Path, day: date, sentence: str) -> None:
    """A night of that date looked, and found so."""
    found = figures()
    run = night(home, day)
    run.folder.mkdir(parents=True)
    found.model_copy(update={"ledger": found.ledger.model_copy(update={"sentence": sentence})}).write(run.monitor)


def test_the_newest_look_up_to_the_night_counts(tmp_path: Path) -> None:
    for back, sentence in ((9, "old"), (1, "newest"), (-1, "later")):
        looked(tmp_path, NIGHT - timedelta(days=back), sentence)
    found = newest_ledger(tmp_path, night(tmp_path))
    assert found is not None and found.sentence == "newest"


def test_a_home_without_looks_has_no_ledger(tmp_path: Path) -> None:
    assert newest_ledger(tmp_path, night(tmp_path)) is None


def test_a_look_of_another_form_doesn_t_stop_the_night(tmp_path: Path) -> None:
    looked(tmp_path, NIGHT, "x")
    night(tmp_path).monitor.write_text('{"form": "of tomorrow"}')
    assert newest_ledger(tmp_path, night(tmp_path)) is None
