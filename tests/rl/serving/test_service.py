"""What a service does when it starts, asked in process."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from conf.paths import Lake
from conf.specs.scenario import load_pipeline
from rl.policy.action_rules import ActionRules
from rl.serving.service import Service, ServingOptions
from rl.serving.store_filling import StorePlace
from tests.rl.serving.published_histories import day_of, publish_histories
from tests.rl.serving.served_home import SCENARIO, SOURCE, settings_at

TODAY = date(2026, 3, 30)
ROWS = [(day_of(TODAY) - 2, day_of(TODAY) - 1, 7, 1, 0, 1)]


def test_a_start_waits_for_histories_only_where_there_are_none(tmp_path: Path) -> None:
    """So that a service that was killed decides again at once, however many shoppers were published since."""
    settings, pipeline = settings_at(tmp_path), load_pipeline(SCENARIO, SOURCE)
    lake, place = Lake(settings.lake, SOURCE), StorePlace(settings, pipeline)
    options = ServingOptions(decisions=tmp_path / "decisions", rules=ActionRules(), is_replaying=True)
    service = Service(settings, pipeline, options)
    try:
        for number in range(2):
            publish_histories(lake, pipeline, TODAY + timedelta(days=number), {"ann": ROWS})
            service.fill_store()
            assert place.open().read(["ann"]).as_of_day == day_of(TODAY)
        assert place.is_due(day_of(TODAY) + 1)
    finally:
        service.close()
