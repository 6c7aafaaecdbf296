"""The date a run works on."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.settings import Settings
from dags.run_date import RunDateError, parse_date, run_date
from dags.tonight import tonights_date
from tests.dags.runs import FakeRun


def test_run_date_is_the_partition_key() -> None:
    """A partition key wins over the configuration."""
    assert run_date(FakeRun(partition_key="2026-01-31", conf={"date": "2026-01-01"})) == "2026-01-31"


def test_run_date_falls_back_to_the_configuration() -> None:
    """A run without partition key, as `make nightly` makes it, says its date itself."""
    assert run_date(FakeRun(conf={"date": "2026-01-30"})) == "2026-01-30"


@pytest.mark.parametrize("conf", [{}, {"date": None}, None])
def test_run_date_without_any_is_an_error(conf: Any) -> None:
    """Neither a key nor a date: the message says how to give one, and no clock is asked."""
    with pytest.raises(RunDateError, match="trigger it with a partition key such as 2026-01-31"):
        run_date(FakeRun(conf=conf))


@pytest.mark.parametrize("text", ["20260131", "2026-1-31", "2026-02-30", "2026-01-31T00:00", "tonight", "$(id)"])
def test_parse_date_takes_one_form_only(text: str) -> None:
    """Anything but year-month-day with all digits is refused, so that no two partitions mean one day."""
    with pytest.raises(RunDateError, match="expected a date like 2026-01-31"):
        parse_date(text)


def test_tonights_date_is_as_set() -> None:
    """A deployment may say which partition counts as tonight's."""
    assert tonights_date(Settings.from_environment({"NIGHTCART_TONIGHT": "2026-01-31"})) == "2026-01-31"


def test_tonights_date_is_yesterday_otherwise(tmp_path: Path) -> None:
    """Without a setting it is the last whole day of the source's zone."""
    found = date.fromisoformat(tonights_date(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})))
    # The zone of the source may be a day ahead of or behind this machine's.
    assert 0 <= (date.today() - found).days <= 2
