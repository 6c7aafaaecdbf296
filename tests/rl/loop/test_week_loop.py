"""The loop of weekly offers, with nights that publish a list at once: it is sent, and the plan sends the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.paths import Lake
from conf.pseudonyms import pseudonym
from conf.publication import Manifest
from conf.specs.scenario import load_pipeline
from conf.tables import DECISIONS, SCHEMA_VERSION
from rl.data.arrow_schema import arrow_schema
from rl.data.table_publishing import publish_rows, rows_hash
from rl.errors import LoopError
from rl.loop.day_loop import STATE_FILE, begun
from rl.loop.state import RunNight
from rl.loop.week_loop import N_SHOPPERS, WeekLoop
from rl.page.loop_page import render_loop_page
from rl.shops.promotion.feeds.feed_lines import shopper_ids
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.simulate import simulate
from tests.rl.serving.served_home import settings_at

PIPELINE = load_pipeline("promotion", "served_promotion")
N_PAST, N_WEEKS = 8, 2
SHOP = PromotionSettings(n_weeks=N_PAST + N_WEEKS, n_shoppers=60)
LISTED = 20
"""The first so many shoppers are on the list, each to be sent a voucher."""


@dataclass
class FakeNights:
    """Nights of which the first promotes version 1; each then publishes the next week's list."""

    home: Path
    publishes: bool = True
    ran: list[date] = field(default_factory=list)

    @property
    def logs(self) -> Path:
        return self.home / "shops" / "served_promotion" / "logs"

    def run(self, day: date) -> RunNight:
        self.ran.append(day)
        if self.publishes:
            self._publish(day + timedelta(days=1))
        is_first = day == SHOP.first_monday + timedelta(days=N_PAST * 7 - 1)
        return RunNight(date=day, verdict="promote" if is_first else "reject", version=1, is_promoted=is_first)

    def _publish(self, monday: date) -> None:
        settings = settings_at(self.home)
        ids = shopper_ids(simulate(SHOP).population.number)[:LISTED]
        columns = {
            "decision_id": [f"d{monday}-{one}" for one in ids],
            "decision_time": [datetime(monday.year, monday.month, monday.day, 5, tzinfo=UTC)] * LISTED,
            "user_id": [pseudonym(str(one), settings.pseudonym_key()) for one in ids],
            "action": ["voucher_5"] * LISTED,
            "propensity": [Decimal("0.75")] * LISTED,
            "policy_version": ["cql-1"] * LISTED,
            "availability_id": [None] * LISTED,
            "committed": [0] * LISTED,
        }
        schema = arrow_schema(DECISIONS)
        rows, lake = pa.table(columns, schema=schema), Lake(settings.lake, "served_promotion")
        manifest = Manifest(
            table=DECISIONS.name,
            partition=f"as_of={monday}",
            schema_version=SCHEMA_VERSION,
            n_rows=LISTED,
            content_hash=rows_hash(rows),
            spec_hash="s",
            code_hash="c",
            key_id="k",
            horizon=monday - timedelta(days=1),
            inputs={},
            counters={},
            checks={},
        )
        csv = lake.decisions_csv("promotion", monday)
        publish_rows(lake, lake.decisions("promotion"), rows, manifest, csv=csv, plain=rows)


@pytest.fixture(autouse=True)
def small_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WeekLoop, "shop_settings", property(lambda _: SHOP))


def _loop(home: Path, *, publishes: bool = True) -> WeekLoop:
    home.mkdir(exist_ok=True)
    settings = settings_at(home)
    state = begun(settings, PIPELINE, seed=1, n_past=N_PAST, n_days=N_WEEKS)
    nights = FakeNights(home, publishes)
    return WeekLoop(settings, PIPELINE, state, nights, tell=lambda _: None)  # type: ignore[arg-type]


def test_listed_shoppers_get_what_is_listed_and_the_plan_decides_on_the_rest(tmp_path: Path) -> None:
    loop = _loop(tmp_path)
    state = loop.run()
    assert [day.version for day in state.days] == [None] * N_PAST + [1] * N_WEEKS
    assert len(list(loop.nights.logs.iterdir())) == (N_PAST + N_WEEKS) * 7
    monday = SHOP.first_monday + timedelta(days=N_PAST * 7)
    (file,) = (loop.nights.logs / str(monday)).glob("*.parquet")
    sent = pq.read_table(file).to_pylist()
    ids = set(shopper_ids(simulate(SHOP).population.number)[:LISTED])
    week = simulate(SHOP, loop._given()).weeks[N_PAST]
    rows = np.flatnonzero(np.isin(week.row, np.arange(LISTED)) & (week.mask.sum(axis=1) > 1))
    assert len(rows) > 3
    assert set(week.action[rows].tolist()) == {SHOP.action_keys.index("voucher_5")}
    told = {int(one["customer"]): one for one in sent if one["customer"] is not None and one["plan"] == "cql-1"}
    listed = [one for number, one in told.items() if number in ids and one["audience"] == "alle"]
    assert len(listed) > 3
    assert {one["offer"] for one in listed} <= {"GS-5"} | {
        one["offer"] for one in listed if one["offer"].startswith("X")
    }
    assert {round(float(one["propensity"]), 6) for one in listed} == {0.75}


def test_a_week_that_was_delivered_but_not_noted_is_not_lived_again(tmp_path: Path) -> None:
    whole = _loop(tmp_path)
    state = whole.run()
    state.model_copy(update={"days": state.days[:-1], "nights": state.nights[:-1]}).save(whole.folder / STATE_FILE)
    delivered = {path: path.read_bytes() for path in whole.nights.logs.rglob("*.*") if path.is_file()}
    again = _loop(tmp_path)
    assert again.run() == state
    assert all(path.read_bytes() == content for path, content in delivered.items())


def test_a_champion_without_a_list_stops_the_loop(tmp_path: Path) -> None:
    with pytest.raises(LoopError, match="no list for the week of"):
        _loop(tmp_path, publishes=False).run()


def test_weeks_are_held_against_what_the_plan_would_have_earned(tmp_path: Path) -> None:
    loop = _loop(tmp_path)
    loop.run()
    figures = loop.figures()
    gains = [day.champion.value - day.behavior.value for day in figures.days if day.champion and day.behavior]
    assert len(gains) == N_WEEKS
    assert figures.final_gain is not None
    assert figures.final_gain.value == pytest.approx(sum(gains) / len(gains))
    assert "weeks that version 1 decided brought" in render_loop_page(figures)


def test_the_loops_shop_reads_and_spends_as_the_nights_shop_does() -> None:
    """The same lines, and the same budget for each shopper; a night of `make nightly` has a thousand."""
    own = load_pipeline("promotion", "simulated_promotion")
    names = {"name", "title"}
    assert PIPELINE.source.model_dump(exclude=names) == own.source.model_dump(exclude=names)
    assert PIPELINE.scenario.budget is not None and own.scenario.budget is not None
    assert PIPELINE.scenario.budget.weekly / N_SHOPPERS == own.scenario.budget.weekly / 1_000
    assert PIPELINE.scenario.model_copy(update={"budget": own.scenario.budget}) == own.scenario


def test_a_loop_of_another_source_in_the_home_is_named(tmp_path: Path) -> None:
    """Loops of an earlier release read another source: their champion isn't this loop's."""
    other = tmp_path / "shops" / "simulated_promotion" / STATE_FILE
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    with pytest.raises(LoopError, match="a loop of source simulated_promotion stands in this home"):
        _loop(tmp_path)
