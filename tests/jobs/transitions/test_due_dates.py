"""Which dates a build makes, told from pointers alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest

from conf.kernel import version
from conf.paths import Lake
from conf.publication import Manifest, Pointer, is_strict_subset, read_pointers, swap_pointer, write_atomically
from conf.specs.scenario import Pipeline, load_pipeline
from jobs.errors import DeliveryError
from jobs.transitions.due_dates import DueDates, find_due_dates
from tests.jobs.transitions.shop_events import DAY, a_pipeline

PIPELINE = a_pipeline()  # settles after two days, looks back seven


def day(n: int) -> date:
    return DAY + timedelta(days=n)


class Shelf:
    """A lake of pointers without any rows."""

    def __init__(self, root: Path, pipeline: Pipeline = PIPELINE) -> None:
        self.lake, self.pipeline = Lake(root, "canonical"), pipeline
        self.folder = self.lake.transitions("recommendation", "spec")

    def deliver(self, n: int, *, content: str = "1-a", event_dates: tuple[int, ...] | None = None) -> None:
        """A delivery with events of the given days (its own unless said otherwise)."""
        dates = (n,) if event_dates is None else event_dates
        files = tuple(f"delivery_date={day(n)}/v=x/event_date={day(one)}/user_bucket=0/part.parquet" for one in dates)
        self._point("events", self.lake.table("events"), f"delivery_date={day(n)}", files, content, day(n), {})

    def due(self, n: int) -> DueDates:
        return find_due_dates(self.lake, self.folder, self.pipeline, day(n))

    def build(self, n: int) -> list[int]:
        """Due dates are published; as days after DAY."""
        due = self.due(n)
        for one in due.dates:
            self._point("transitions", self.folder, f"date={one}", (), "1-b", due.horizon, due.inputs[one])
        return [(one - DAY).days for one in due.dates]

    def _point(
        self,
        table: str,
        folder: Path,
        partition: str,
        files: tuple[str, ...],
        content: str,
        horizon: date,
        inputs: Mapping[str, str],
    ) -> None:
        manifest = Manifest(
            table=table,
            partition=partition,
            schema_version=1,
            n_rows=1,
            content_hash=content,
            spec_hash="s",
            code_hash="c",
            key_id="k",
            horizon=horizon,
            inputs=dict(inputs),
        )
        swap_pointer(Lake.pointer(folder, partition), Pointer(files=files, manifest=manifest))


def test_first_build_makes_every_date_with_events(tmp_path: Path) -> None:
    """A range at once; days without events have no transitions."""
    shelf = Shelf(tmp_path)
    for n in (0, 1, 4, 5):
        shelf.deliver(n)
    assert shelf.build(5) == [0, 1, 4, 5]


def test_nightly_build_makes_the_days_that_are_still_open(tmp_path: Path) -> None:
    """Two days back; what lies before is sealed."""
    shelf = Shelf(tmp_path)
    built = []
    for n in range(5):
        shelf.deliver(n)
        built.append(shelf.build(n))
    assert built == [[0], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_open_days_are_closed_after_a_pause(tmp_path: Path) -> None:
    """The shop was shut for a week: its last days are made once more, though no delivery touches them."""
    shelf = Shelf(tmp_path)
    shelf.deliver(0)
    shelf.build(0)
    shelf.deliver(7)
    assert shelf.build(7) == [0, 7]
    assert shelf.build(7) == [7]


def test_changed_or_late_delivery_makes_stale_dates_due(tmp_path: Path) -> None:
    """A sealed date is current only while it was made from the deliveries that are there."""
    shelf = Shelf(tmp_path)
    for n in (0, 10, 20):
        shelf.deliver(n)
    shelf.build(20)
    shelf.deliver(10, content="2-z")
    assert shelf.build(20) == [10, 20]
    shelf.deliver(9)
    assert shelf.build(20) == [9, 10, 20]


def test_sealed_dates_keep_their_inputs(tmp_path: Path) -> None:
    """However many deliveries come after."""
    shelf = Shelf(tmp_path)
    for n in range(4):
        shelf.deliver(n)
    shelf.build(3)
    before = read_pointers(shelf.folder)[f"date={day(0)}"].manifest.inputs
    for n in range(4, 9):
        shelf.deliver(n)
        shelf.build(n)
    assert read_pointers(shelf.folder)[f"date={day(0)}"].manifest.inputs == before


def test_late_horizon_stays(tmp_path: Path) -> None:
    """Building day 3 after day 4 was built takes in what day 4 brought; day 5 wasn't built, and isn't used."""
    shelf = Shelf(tmp_path)
    for n in range(6):
        shelf.deliver(n)
    shelf.build(4)
    due = shelf.due(3)
    assert due.horizon == day(4)
    assert f"events/delivery_date={day(4)}" in due.inputs[day(3)]
    assert f"events/delivery_date={day(5)}" not in due.inputs[day(3)]


def test_build_reads_as_far_back_as_features_and_rewards_look(tmp_path: Path) -> None:
    """Seven days before the earliest due date."""
    shelf = Shelf(tmp_path)
    for n in range(12):
        shelf.deliver(n)
    shelf.build(11)
    assert shelf.due(11).first_event_date == day(11 - 2 - 7)


def test_late_events_alone_make_a_date(tmp_path: Path) -> None:
    """Day 0 has events only in the delivery of day 1."""
    shelf = Shelf(tmp_path)
    shelf.deliver(1, event_dates=(0, 1))
    assert shelf.build(1) == [0, 1]


def test_date_without_events_names_those_that_have_some(tmp_path: Path) -> None:
    """As runs of days."""
    shelf = Shelf(tmp_path)
    for n in (0, 1, 2, 4):
        shelf.deliver(n)
    with pytest.raises(DeliveryError, match=r"no events on 2026-01-17; dates .*: 2026-01-14 to 2026-01-16; ingest the"):
        shelf.due(3)
    with pytest.raises(DeliveryError, match="no events on 2026-01-13; no day up to then has any"):
        shelf.due(-1)


def test_broken_pointer_is_an_error(tmp_path: Path) -> None:
    """Rather than a date that seems never built."""
    shelf = Shelf(tmp_path)
    shelf.deliver(0)
    write_atomically(Lake.pointer(shelf.folder, f"date={day(0)}"), "not a pointer")
    with pytest.raises(Exception, match="not a pointer"):
        shelf.due(0)


def test_another_kernel_makes_every_date_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed dates too; the first version is none among the inputs, so that homes of before stay current."""
    monkeypatch.setattr(version, "VERSION", 1)
    shelf = Shelf(tmp_path)
    for n in range(6):
        shelf.deliver(n)
    assert shelf.build(5) == [0, 1, 2, 3, 4, 5]
    assert shelf.build(5) == [3, 4, 5]
    before = shelf.due(5).inputs[day(5)]
    assert not any(name.startswith("kernel/") for name in before)
    monkeypatch.setattr(version, "VERSION", 3)
    assert shelf.build(5) == [0, 1, 2, 3, 4, 5]
    after = shelf.due(5).inputs[day(5)]
    assert is_strict_subset(before, after)
    assert {name for name in after if name not in before} == {"kernel/2", "kernel/3"}
    assert shelf.build(5) == [3, 4, 5]


def test_another_kernel_of_products_makes_their_dates_due_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made of shoppers stays current, as it is the same."""
    shelves = [
        Shelf(tmp_path / "shoppers"),
        Shelf(tmp_path / "products", load_pipeline("inventory", "simulated_inventory")),
    ]
    for shelf in shelves:
        shelf.deliver(0)
    made = []
    for number in (1, 2):
        monkeypatch.setattr(version, "PRODUCT_VERSION", number)
        made.append([shelf.due(0).inputs for shelf in shelves])
    (of_shoppers, of_products), (same, others) = made
    assert of_shoppers == same
    assert all(others[day].keys() - of_products[day].keys() == {"kernel/products-2"} for day in others)


@pytest.mark.parametrize(("hour", "is_due"), [(0, False), (6, True)])
def test_weeks_from_an_hour_of_the_day_on_are_due_where_the_hour_was_reckoned_anew(
    tmp_path: Path, hour: int, is_due: bool
) -> None:
    """Weeks that start at midnight are what they were."""
    loaded = load_pipeline("promotion", "simulated_promotion")
    assert loaded.scenario.week is not None
    week = loaded.scenario.week.model_copy(update={"hour": hour})
    shelf = Shelf(tmp_path, Pipeline(source=loaded.source, scenario=loaded.scenario.model_copy(update={"week": week})))
    shelf.deliver(0)
    assert all(("kernel/hours-2" in inputs) is is_due for inputs in shelf.due(0).inputs.values())
