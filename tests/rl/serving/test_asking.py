"""A caller's request becomes what is decided on, or is refused with its field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from conf.pseudonyms import is_opted_out, pseudonym
from conf.specs.scenario import load_pipeline
from conf.specs.source import Source
from rl.serving.asking import Asking, UnfitRequest
from rl.serving.bodies import DecideRequest, Event
from rl.serving.decisions import DecisionRequest
from rl.serving.shop_tables import ShopTables


def folding(source: Source, *names: str) -> Source:
    """Return the source whose events fold the capitals of these ids."""
    folded = {name: getattr(source.events, name).model_copy(update={"fold_case": True}) for name in names}
    return source.model_copy(update={"events": source.events.model_copy(update=folded)})


NOW = datetime(2026, 3, 30, 10, tzinfo=UTC)
KEY = b"a key for tests only"
TABLES = ShopTables(sets={"set-1": ("a", "b")})


def read(*, source: str = "simulated_shop", is_replaying: bool = False, **body: Any) -> DecisionRequest:
    given = {"user_id": "ann", "available_actions": ["a"]} | body
    asking = Asking(load_pipeline("recommendation", source), KEY, is_replaying)
    kept = {name: value for name, value in given.items() if value is not None}
    return asking.read(DecideRequest.model_validate(kept), NOW, TABLES, ("x", "y"))


def test_the_shoppers_id_becomes_the_pseudonym_that_ingest_gives_it() -> None:
    """Blanks around it are none of it, there as here."""
    assert read(user_id=" ann ").shopper == pseudonym("ann", KEY)


def asked_of(source: Source, **body: Any) -> DecisionRequest:
    """What a request comes to in a service of the source, which has no table of what is available."""
    pipeline = load_pipeline("recommendation", "simulated_shop").model_copy(update={"source": source})
    event = {"event_type": "view", "event_time": "2026-03-30T09:00:00Z", "item_id": "Item-7", "category_id": "Cat"}
    given = {"user_id": "Ann", "available_actions": ["Item-7", "item-7"], "events": [event]} | body
    return Asking(pipeline, KEY).read(DecideRequest.model_validate(given), NOW, TABLES, ())


def test_ids_are_read_as_the_logs_read_their_capitals() -> None:
    """Whose id differs in case alone has the history of the same shopper; what isn't folded stays as it was sent."""
    plain = load_pipeline("recommendation", "simulated_shop").source.model_copy(update={"availability": None})
    as_sent = asked_of(plain)
    assert as_sent.shopper == pseudonym("Ann", KEY)
    assert as_sent.actions == ("Item-7", "item-7")
    source = folding(plain, "user_id", "action")
    found = asked_of(source)
    assert found.shopper == asked_of(source, user_id="ann").shopper == pseudonym("ann", KEY)
    assert found.actions == ("item-7",)
    assert (found.events[0].item, found.events[0].category) == ("Item-7", "Cat")
    shown = asked_of(folding(plain.model_copy(update={"items": None}), "item_id", "category_id")).events[0]
    assert (shown.item, shown.category) == ("item-7", "cat")


def test_an_id_that_is_written_in_two_ways_is_refused_with_its_field() -> None:
    """The list of what is available keeps capitals, the events fold them: a match is a matter of luck."""
    source = folding(load_pipeline("recommendation", "simulated_shop").source, "action")
    with pytest.raises(UnfitRequest, match="table availability as they are") as refused:
        asked_of(source)
    assert refused.value.field == "available_actions"
    assert asked_of(source, available_actions=["item-7"]).actions == ("item-7",)


def test_who_opted_out_has_no_name_and_no_events() -> None:
    """Two of their requests can't be told to be one shopper's."""
    event = {"event_type": "view", "event_time": "2026-03-30T09:00:00Z"}
    found = [read(opted_out=True, events=[event]) for _ in range(2)]
    assert len({one.shopper for one in found} | {pseudonym("ann", KEY)}) == 3
    assert all(is_opted_out(one.shopper, KEY) for one in found)
    assert [one.events for one in found] == [(), ()]


def test_what_is_available_is_a_list_a_delivered_set_or_everything() -> None:
    assert read().actions == ("a",)
    by_set = read(available_actions=None, availability_id="set-1")
    assert (by_set.actions, by_set.availability_id) == (("a", "b"), "set-1")
    assert read(source="taobao", available_actions=None).actions == ("x", "y")


@pytest.mark.parametrize(
    ("price", "millionths"), [("19.95", 19_950_000), (0, 0), ("0.0000005", 1), ("1.0000004", 1_000_000), (None, None)]
)
def test_prices_are_kept_as_ingest_keeps_them(price: Any, millionths: int | None) -> None:
    """Exact, half a millionth up."""
    event = Event(event_type="view", event_time=NOW, price=None if price is None else Decimal(price))
    assert event.price_millionths == millionths


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ({"available_actions": None}, "available_actions", "say what may be shown"),
        ({"available_actions": None, "availability_id": "set-2"}, "availability_id", "no set 'set-2' was delivered"),
        ({"decision_time": "2026-03-30T09:00:00Z"}, "decision_time", "replays a log"),
        (
            {"events": [{"event_type": "view", "event_time": "2026-03-30T10:05:01Z"}]},
            "events.0.event_time",
            "more than 5 minutes after",
        ),
    ],
)
def test_what_can_not_be_is_refused_with_its_field(body: dict[str, Any], field: str, problem: str) -> None:
    with pytest.raises(UnfitRequest, match=problem) as refused:
        read(**body)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"hour_of_day": 99}, ("hour_of_day",)),
        ({"n": 0}, ("n",)),
        ({"n": 21}, ("n",)),
        ({"user_id": " "}, ("user_id",)),
        ({"user_id": "NULL"}, ()),
        ({"availability_id": "set-1"}, ()),
        ({"available_actions": []}, ("available_actions",)),
        ({"events": [{"event_type": "look", "event_time": NOW}]}, ("events", 0, "event_type")),
        ({"events": [{"event_type": "view", "event_time": "2026-03-30T10:00:00"}]}, ("events", 0, "event_time")),
        ({"events": [{"event_type": "view", "event_time": NOW, "price": -1}]}, ("events", 0, "price")),
        ({"events": [{"event_type": "view", "event_time": NOW, "price": "NaN"}]}, ("events", 0, "price")),
        ({"decision_time": NOW.replace(tzinfo=None)}, ("decision_time",)),
    ],
)
def test_bodies_that_do_not_fit_name_the_field(body: dict[str, Any], place: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        read(**body)
    assert refused.value.errors()[0]["loc"] == place


def test_a_replay_takes_its_time_from_the_request() -> None:
    """Within what a calendar can hold."""
    found = read(is_replaying=True, decision_time="2017-11-26T09:00:00+08:00")
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=found.time_us) == datetime(
        2017, 11, 26, 1, tzinfo=UTC
    )
    with pytest.raises(UnfitRequest, match="expected a time from 1980"):
        read(is_replaying=True, decision_time="0001-01-01T00:00:00Z")
