"""`make check-source` takes categories and costs from the items, where a scenario does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conf.specs.scenario import Pipeline
from jobs.commands import item_outlook
from jobs.commands.item_outlook import told_events, told_line
from jobs.commands.source_outlook import OutlookEvent, attributable, empty_features, outlook_lines, outlook_result
from tests.jobs.shop_logs import DAYS, day_lines, deliver
from tests.jobs.transitions.shop_events import a_pipeline

FIRST = DAYS[0]
EURO, MINUTE = 1_000_000, 60_000_000
START = 1_767_571_200_000_000  # the first day's midnight, UTC
ITEMS: dict[str, Any] = {
    "files": ["**/items.jsonl"],
    "columns": {"item_id": {"column": "sku"}, "category_id": {"column": "group"}, "cost": {"column": "ek"}},
    "valid_from": {"column": "since", "unit": "iso"},
}
SOURCE: dict[str, Any] = {
    "items": ITEMS,
    "currency": "EUR",
    "events": {"amount": {"column": "amount"}, "quantity": {"column": "quantity"}},
}
BY_CATEGORY: dict[str, Any] = {
    "action": {"key": "category", "mask": "none", "item_categories": True},
    "observation": {"item_categories": True},
    "reward": {"attribution": {"link": "last_touch", "window_hours": 12}},
}
MARGIN: dict[str, Any] = {
    "reward": {
        "unit": "EUR",
        "weights": {},
        "terms": [{"event": "purchase", "value": "margin"}],
        "item_costs": True,
        "attribution": {"link": "decision_id", "window_hours": 12},
    },
    "metrics": {},
    "gate": {"guardrails": []},
}
TOLD = [
    '{"sku": "hat", "group": "head", "ek": 2, "since": "2026-01-01T00:00"}',
    '{"sku": "hat", "group": "hats", "ek": "2,5", "since": "2026-01-02T00:00"}',
    '{"sku": "cap", "group": "head", "ek": null, "since": "2026-01-01T00:00"}',
    '{"sku": "cap", "group": "late", "ek": 1, "since": "2026-01-09T00:00"}',
]


def pipeline(changes: dict[str, Any]) -> Pipeline:
    return Pipeline.model_validate(a_pipeline(source_changes=SOURCE, **changes).model_dump())


def event(kind: str, minutes: int, **fields: Any) -> OutlookEvent:
    return OutlookEvent(START + minutes * MINUTE, "ann", kind, fields)


def logs(folder: Path) -> Path:
    deliver(folder, FIRST, day_lines(FIRST))
    deliver(folder, FIRST, TOLD, "items.jsonl")
    return folder


def test_rewards_find_decisions_by_the_categories_that_items_tell(tmp_path: Path) -> None:
    """A hat was shown and a cap bought: both are for the head, and no event says so."""
    by_category = pipeline(BY_CATEGORY)
    events = [event("impression", 1, item_id="hat"), event("purchase", 2, item_id="cap")]
    events += [event("purchase", 3, item_id="cap", category_id="own"), event("purchase", 4, item_id="unknown")]
    told = told_events(events, by_category, logs(tmp_path))
    assert [one.fields.get("category_id") for one in told.rewarded] == ["head", "head", "own", None]
    assert (attributable(events, by_category).share, attributable(told.rewarded, by_category).share) == (0, 1 / 3)
    assert "taken from the 4 lines of items" in (told_line(told) or "")


def test_features_have_the_categories_that_items_tell(tmp_path: Path) -> None:
    """For features alone, where a scenario asks for them there: rewards are linked as they were."""
    observing = pipeline({"observation": {"item_categories": True}})
    events = [event("impression", 1, item_id="hat"), event("click", 2, item_id="hat")]
    told = told_events(events, observing, logs(tmp_path))
    without, having = (empty_features(one, observing.scenario, observing.source) for one in (events, told.observed))
    assert set(without) - set(having) == {
        "recent_shown_categories",
        "recent_engaged_categories",
        "favorite_categories",
    }
    assert told.rewarded == events


def test_purchases_of_items_without_a_cost_lack_their_margin(tmp_path: Path) -> None:
    """What the line says goes first; pieces that nobody counted cost nobody knows what."""
    by_margin = pipeline(MARGIN)
    paid = {"amount": 10 * EURO, "decision_id": "d"}
    events = [
        event("impression", 1, decision_id="d"),
        event("purchase", 2, **paid, item_id="hat", quantity=3),
        event("purchase", 3, **paid, item_id="cap", quantity=1),
        event("purchase", 4, **paid, item_id="cap", quantity=1, cost=EURO),
        event("purchase", 5, **paid, item_id="hat"),
    ]
    told = told_events(events, by_margin, logs(tmp_path))
    assert [one.fields.get("cost") for one in told.rewarded[1:]] == [6 * EURO, None, EURO, None]
    found = attributable(told.rewarded, by_margin)
    assert (found.n_events, found.n_without_money, found.share) == (2, 2, 1)
    assert outlook_result(told, by_margin.source, by_margin)["events_without_money"] == 2
    report = "\n".join(outlook_lines(told, by_margin.source, by_margin))
    assert "2 events lack the money that recommendation counts" in report
    assert "the table of items knows none" in report


def test_nothing_is_read_where_nothing_is_asked(tmp_path: Path) -> None:
    """The usual scenario takes what events say."""
    events = [event("impression", 1, item_id="hat")]
    for asked in (None, pipeline({})):
        told = told_events(events, asked, tmp_path / "nowhere")
        assert (told.rewarded, told.observed, told_line(told)) == (events, events, None)


def test_only_so_many_lines_of_items_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue of any size takes seconds, and the report says how much of it was read."""
    monkeypatch.setattr(item_outlook, "MOST_ITEM_LINES", 2)
    told = told_events([event("impression", 1, item_id="cap")], pipeline(BY_CATEGORY), logs(tmp_path))
    assert told.rewarded[0].fields == {"item_id": "cap"}
    assert "the first 2 lines of items" in (told_line(told) or "")
