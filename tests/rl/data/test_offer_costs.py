"""What sending commits, as of the decision: nothing that is told or holds later."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from conf.errors import DamagedFile
from conf.paths import Lake
from conf.publication import read_pointers
from conf.specs.budget import Budget
from conf.specs.scenario import Pipeline, load_pipeline
from rl.data.offer_costs import committed_costs
from rl.errors import DatasetError
from tests.rl.factories import make_pipeline, write_offers

DAY = date(2026, 3, 1)
KEYS = ("none", "mail", "letter")


def weekly(**budget: object) -> Pipeline:
    pipeline = load_pipeline("promotion", "simulated_promotion")
    scenario = pipeline.scenario.model_copy(update={"budget": Budget.model_validate({"weekly": 5, **budget})})
    return pipeline.model_copy(update={"scenario": scenario})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path, "simulated_promotion")
    write_offers(made, weekly(), DAY, {"mail": 40_000, "letter": 11_000_000})
    write_offers(made, weekly(), DAY + timedelta(days=7), {"letter": 12_000_000})
    write_offers(made, weekly(), DAY + timedelta(days=8), {"letter": 13_000_000}, valid_from=DAY + timedelta(days=30))
    return made


@pytest.mark.parametrize(
    ("after_days", "letter"), [(0, 11_000_000), (6, 11_000_000), (7, 12_000_000), (20, 12_000_000), (30, 13_000_000)]
)
def test_costs_are_those_known_on_the_day_after(lake: Lake, after_days: int, letter: int) -> None:
    """Told later, or valid later, is not known; `none` commits nothing."""
    found = committed_costs(weekly(), lake, KEYS, DAY + timedelta(days=after_days))
    assert found == (0, 40_000, letter)


def test_a_row_told_again_of_an_earlier_moment_changes_nothing(lake: Lake) -> None:
    """Of rows valid from one moment the one told first counts; a null takes no cost back."""
    later = DAY + timedelta(days=9)
    write_offers(lake, weekly(), later, {"letter": 1}, valid_from=DAY + timedelta(days=7))
    write_offers(lake, weekly(), later + timedelta(days=1), {"mail": None})
    assert committed_costs(weekly(), lake, KEYS, later + timedelta(days=1)) == (0, 40_000, 12_000_000)


def test_an_action_whose_cost_nobody_told_is_an_error(lake: Lake) -> None:
    with pytest.raises(DatasetError, match=r"what sending flyer commits \(it knows letter, mail, none\)"):
        committed_costs(weekly(), lake, (*KEYS, "flyer"), DAY)


def test_costs_may_stand_in_the_spec(tmp_path: Path) -> None:
    """Then the source's table is not read."""
    stated = weekly(committed={"mail": 0.04, "letter": 11})
    assert committed_costs(stated, Lake(tmp_path, "s"), KEYS, DAY) == (0, 40_000, 11_000_000)
    with pytest.raises(DatasetError, match=r"budget.committed: nothing says what sending flyer commits"):
        committed_costs(stated, Lake(tmp_path, "s"), ("flyer",), DAY)


def test_without_a_budget_nothing_is_asked(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no budget"):
        committed_costs(make_pipeline(), Lake(tmp_path, "s"), KEYS, DAY)


def test_a_damaged_table_of_offers_is_refused(lake: Lake) -> None:
    folder = lake.table("offers")
    file = next(iter(read_pointers(folder).values())).files[0]
    (folder / file).write_bytes(b"PAR1 nothing")
    with pytest.raises((DatasetError, DamagedFile), match="part-0"):
        committed_costs(weekly(), lake, KEYS, DAY)
