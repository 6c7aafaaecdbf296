"""Decisions that share an id: parts of a slate, each earning its own, and lines that tell of a decision again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, event, impression, made_of, transitions

PIPELINE = a_pipeline(reward={"attribution": {"link": "decision_id", "window_hours": 12}})
CLICK = PIPELINE.scenario.reward.weight_millionths["click"]


def slate() -> list[Row]:
    """Three items of one decision, as one line lists them."""
    return [
        impression("10:00", action=item, decision_id="d1", position=place)
        for place, item in enumerate(["shoe", "hat", "boot"], start=1)
    ]


@pytest.mark.parametrize(
    ("item", "earning"), [("shoe", "shoe"), ("hat", "hat"), ("boot", "boot"), (None, "boot"), ("scarf", "boot")]
)
def test_click_goes_to_the_item_it_names(item: str | None, earning: str) -> None:
    """One that names no item of the slate goes to the last one, as before."""
    found = transitions([*slate(), event("click", "10:01", decision_id="d1", item_id=item)], PIPELINE)
    assert [row["action_key"] for row in found if row["reward"]] == [earning]
    assert sum(row["reward"] for row in found) == CLICK


def test_click_goes_to_the_latest_part_that_showed_its_item() -> None:
    """Shown twice in a slate, at two places; what comes after the click doesn't count."""
    again = [impression("10:00", action="shoe", decision_id="d1", position=4, event_id="z")]
    later = [impression("10:05", action="shoe", decision_id="d1", position=5)]
    click = event("click", "10:01", decision_id="d1", item_id="shoe")
    found = transitions([*slate(), *again, click, *later], PIPELINE)
    assert [row["position"] for row in found if row["reward"]] == [4]


def test_part_that_lies_beyond_what_is_read_earns_nothing() -> None:
    """Eight days ago it counts as not there, whether a build has read that day or not."""
    old = impression("10:00", day=DAY - timedelta(days=8), action="hat", decision_id="d1")
    new = impression("10:00", action="shoe", decision_id="d1")
    click = event("click", "10:01", decision_id="d1", item_id="hat")
    for rows in ([old, new, click], [new, click]):
        assert [row["action_key"] for row in transitions(rows, PIPELINE) if row["reward"]] == ["shoe"]


def test_decision_told_again_is_one_decision() -> None:
    """By the same delivery or a later one: the earliest stands, features don't see the others, rewards go to it."""
    again = impression("10:02", action="hat", decision_id="d1", position=2)
    late = impression("10:03", action="hat", decision_id="d1", position=2, delivery_date=DAY + timedelta(days=1))
    other = impression("10:04", action="shoe", decision_id="d2")
    click = event("click", "10:05", decision_id="d1", item_id="hat")
    rows = [*slate(), again, late, other, click]
    found = transitions(rows, PIPELINE)
    assert [(row["action_key"], row["observation"]["session_step"]) for row in found] == [
        ("shoe", 0),
        ("hat", 1),
        ("boot", 2),
        ("shoe", 3),
    ]
    assert [row["reward"] for row in found] == [0, CLICK, 0, 0]
    tallies = made_of(rows, PIPELINE)[1].to_pylist()
    assert [one["n"] for one in tallies if one["kind"] == "repeated_decision"] == [2]


@pytest.mark.parametrize(
    "other", [{"position": 3}, {"action": "boot"}, {"day": DAY + timedelta(days=1)}, {"user_id": "bob"}]
)
def test_same_id_with_another_item_or_place_is_a_decision_of_its_own(other: Row) -> None:
    """So it is on another day, and another shopper's."""
    first: Row = {"action": "hat", "decision_id": "d1", "position": 2}
    rows = [impression("10:00", **first), impression("10:01", **(first | other))]
    assert len(transitions(rows, PIPELINE, dates=[DAY, DAY + timedelta(days=1)], horizon=DAY + timedelta(days=1))) == 2


def test_decisions_without_an_id_are_never_the_same() -> None:
    """Two equal impressions are two."""
    assert len(transitions([impression("10:00"), impression("10:00")], PIPELINE)) == 2
