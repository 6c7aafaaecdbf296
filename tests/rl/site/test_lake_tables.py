"""Tables are shown with their columns, their checks over time, and what each was made from."""

from __future__ import annotations

from datetime import timedelta

from conf.specs.scenario import load_pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import SESSIONS
from rl.site.lake_tables import check_records, input_table, read_tables
from rl.site.left_files import LeftFiles
from tests.rl.site.conftest import DAY, SCENARIO, SOURCE, Home


def test_inputs_are_told_by_their_table() -> None:
    """Headers, keyed ids and days that had passed are facts, and no tables."""
    names = {
        "events/delivery_date=2026-03-02": "events",
        "events/2026-03-02/log.jsonl": "raw",
        "consent/2026-03-02/consents.csv": "raw",
        "passed/2026-03-02": "",
        "header_of_items/2026-03-02/items.csv": "",
        "ids/keyed": "",
    }
    assert {name: input_table(name) for name in names} == names


def test_a_table_leads_back_to_what_it_was_made_from(home: Home) -> None:
    home.deliver(0)
    inputs = {f"events/delivery_date={DAY + timedelta(days=n)}": "1" for n in range(3)}
    home.publish(home.lake.table("sessions"), f"date={DAY}", inputs=inputs, checks={"unique_key": True})
    events, sessions = read_tables(home.lake, LeftFiles())
    assert (events.made_from, sessions.made_from) == ({"raw": 1}, {"events": 3})
    assert sessions.table == SESSIONS
    assert sessions.meaning.startswith("Events of a shopper")


def test_checks_of_earlier_partitions_are_not_taken_for_passed(home: Home) -> None:
    """An earlier release made versions before a check was there."""
    folder = home.lake.table("sessions")
    home.publish(folder, f"date={DAY}", checks={"unique_key": True})
    home.publish(folder, f"date={DAY + timedelta(days=1)}", checks={"unique_key": True, "columns_fit": True})
    (table,) = read_tables(home.lake, LeftFiles())
    unique, fit = check_records(table.partitions)
    assert (unique.name, unique.n_passed, unique.missing) == ("unique_key", 2, ())
    assert (fit.name, fit.n_passed, fit.missing) == ("columns_fit", 1, (f"date={DAY}",))


def test_transitions_of_an_earlier_spec_are_told_apart(home: Home) -> None:
    """Only those of the present spec have features with a meaning, and the plain name."""
    pipeline = load_pipeline(SCENARIO, SOURCE)
    now = data_spec_hash(pipeline)
    for spec_hash in (now, "0123456789abcdef"):
        home.publish(home.lake.transitions(SCENARIO, spec_hash), f"date={DAY}")
    found = {one.is_current: one for one in read_tables(home.lake, LeftFiles())}
    assert found[True].slug == f"transitions.{SCENARIO}"
    assert found[False].slug == f"transitions.{SCENARIO}.0123456789abcdef"
    named = [name for name, _ in found[True].features]
    assert named == [one.name for one in pipeline.scenario.observation.features]
    assert all(meaning for _, meaning in found[True].features)
    assert found[False].features == ()


def test_a_table_that_no_release_knows_is_shown_without_columns(home: Home) -> None:
    home.publish(home.lake.table("of_the_future"), "whole")
    (table,) = read_tables(home.lake, LeftFiles())
    assert (table.table, table.meaning, table.last.day) == (None, "", None)
