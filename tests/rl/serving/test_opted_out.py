"""Shoppers who opted out, asked over HTTP: they get the fallback, and nothing of them is read, logged or counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake
from conf.pseudonyms import pseudonym
from conf.specs.scenario import load_pipeline
from rl.serving.decide import FALLBACK_VERSION
from tests.rl.serving.published_histories import day_of, publish_histories
from tests.rl.serving.served_home import ACTIONS, KEY, SCENARIO, SOURCE, Running, running, settings_at

SHOPPER = "ann@shop.example"
PSEUDONYM = pseudonym(SHOPPER, KEY.encode())
SEEN = "item-007"


@pytest.fixture
def service(home: Path) -> Any:
    """A service whose store knows the shopper since yesterday."""
    pipeline, today = load_pipeline(SCENARIO, SOURCE), datetime.now(UTC).date()
    rows = [(day_of(today) - 2, day_of(today) - 1, 7, 1, 0, 1)]
    publish_histories(Lake(settings_at(home).lake, SOURCE), pipeline, today, {PSEUDONYM: rows})
    with running(home, version=1) as found:
        yield found


def asked(service: Running, **body: Any) -> Any:
    """The answer about the shopper, who has just clicked an item."""
    at = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    events = [{"event_type": "click", "event_time": at, "item_id": SEEN}]
    status, answer = service.decide(user_id=SHOPPER, events=events, **body)
    assert status == 200, answer
    return answer


def test_opted_out_shoppers_leave_no_trace_of_history(service: Running) -> None:
    """The same shopper is known until they opt out; from then on nobody can tell that they ever came."""
    known = asked(service)
    assert (known["history"]["state"], known["group"]) == ("known", "champion")
    counted_before = service.ask("GET", "/metrics")[1]

    answers = [asked(service, opted_out=True) for _ in range(60)]

    for answer in answers:
        (decision,) = answer["decisions"]
        assert (answer["group"], answer["history"]) == ("fallback", {"state": "opted_out", "age_days": None})
        assert (decision["policy_version"], decision["propensity"]) == (FALLBACK_VERSION, round(1 / len(ACTIONS), 15))
        assert SHOPPER not in str(answer)
        assert PSEUDONYM not in str(answer)

    first, *lines = service.logged()
    assert first["user_id"] == PSEUDONYM
    assert [line["decision_id"] for line in lines] == [one["decisions"][0]["decision_id"] for one in answers]
    # Another name at each request, so that not even two of their visits can be told to be one shopper's.
    assert len({line["user_id"] for line in lines}) == len(lines)
    assert not {PSEUDONYM, SHOPPER} & {line["user_id"] for line in lines}
    assert {line["event_type"] for line in lines} == {first["event_type"]}
    text = "".join(map(str, lines))
    assert SHOPPER not in text
    assert PSEUDONYM not in text
    # What they clicked is no more likely than the rest: sixty uniform draws of thirty bring it ten times or more
    # with a chance below one in ten thousand.
    assert Counter(line["action"] for line in lines)[SEEN] < 10

    counted = service.ask("GET", "/metrics")[1]
    assert 'nightcart_histories_total{state="opted_out"} 60.0' in counted
    assert 'nightcart_histories_total{state="known"} 1.0' in counted_before
    assert 'nightcart_histories_total{state="known"} 1.0' in counted
    assert SHOPPER not in counted
    assert PSEUDONYM not in counted


def test_ready_says_who_approved_and_an_empty_answer_says_why(service: Running) -> None:
    ready = service.ready()
    assert ready["approved"].startswith("since ")
    assert ready["approved"].endswith("(ann: better)")
    assert (ready["exploring_version"], ready["exploring_until"]) == (None, None)

    status, answer = service.decide(available_actions=["item-001"], n=2)

    assert status == 200
    assert len(answer["decisions"]) == 1
    assert answer["reason"] == (
        "1 of 2 positions were filled: the shop's rules and this slate leave nothing more to choose of 1 available "
        "actions"
    )
