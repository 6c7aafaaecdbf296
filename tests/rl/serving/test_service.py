"""What a service does when it starts, asked in process."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from conf.paths import Lake
from conf.pseudonyms import pseudonym
from conf.specs.scenario import load_pipeline
from rl.policy.action_rules import ActionRules
from rl.registry.person import Person
from rl.registry.store import open_store
from rl.registry.switching import roll_back, turn_off
from rl.serving import service as service_module
from rl.serving.asking import UnfitRequest
from rl.serving.bodies import DecideRequest
from rl.serving.decision_log import logged_lines
from rl.serving.decisions import Decided, DecisionRequest
from rl.serving.following import Follower
from rl.serving.service import Service, ServingOptions
from rl.serving.store_filling import StorePlace
from tests.rl.serving.published_histories import day_of, publish_histories
from tests.rl.serving.served_home import ACTIONS, KEY, MODEL, SCENARIO, SOURCE, promote, settings_at

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


@contextmanager
def a_service(home: Path, **given: Any) -> Iterator[Service]:
    options = ServingOptions(decisions=home / "decisions", rules=ActionRules(), **given)
    service = Service(settings_at(home), load_pipeline(SCENARIO, SOURCE), options)
    try:
        yield service
    finally:
        service.close()


def test_another_day_counts_as_today_at_the_same_time_of_day(home: Path) -> None:
    """Histories of that day are fresh, and its decisions are logged as made on it."""
    settings, pipeline = settings_at(home), load_pipeline(SCENARIO, SOURCE)
    publish_histories(Lake(settings.lake, SOURCE), pipeline, TODAY, {pseudonym("ann", KEY.encode()): ROWS})
    with a_service(home, today=TODAY) as service:
        service.fill_store()
        assert service.histories_in_words() == f"of {TODAY}, today"
        body = DecideRequest(user_id="ann", available_actions=("item-001", "item-002"))
        (decided,) = asyncio.run(service.decide([body]))
        assert (decided.history.state, decided.day) == ("known", TODAY)
        zone = ZoneInfo(pipeline.source.zone)
        expected = datetime.now(zone).time()
        at = datetime.fromtimestamp(decided.asked.time_us / 1e6, zone).replace(tzinfo=UTC)
        apart = abs(datetime.combine(TODAY, expected) - datetime.combine(TODAY, at.time()))
        assert min(apart, timedelta(days=1) - apart) < timedelta(minutes=5)
    assert (home / "decisions" / f"decisions-{TODAY}.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("hour", [0, 12, 23])
@pytest.mark.parametrize(("now", "then"), [(date(2026, 11, 28), TODAY), (date(2026, 7, 1), date(2026, 1, 5))])
def test_the_day_is_that_one_at_any_hour(monkeypatch: pytest.MonkeyPatch, now: date, then: date, hour: int) -> None:
    """Though summer's clock is an hour before winter's: late at night another day would begin."""
    zone = ZoneInfo("Europe/Berlin")

    class Fixed(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Fixed:
            found = datetime.combine(now, time(hour, 40), tzinfo=zone).astimezone(tz)
            return cls.combine(found.date(), found.timetz(), tzinfo=found.tzinfo)

    monkeypatch.setattr(service_module, "datetime", Fixed)
    moment = Fixed.now(UTC) - service_module._behind(then, zone)
    assert moment.astimezone(zone).date() == then
    assert moment.astimezone(zone).time() == time(hour, 40)


def test_stale_histories_of_a_simulated_shop_come_with_the_cure(home: Path) -> None:
    settings, pipeline = settings_at(home), load_pipeline(SCENARIO, SOURCE)
    with a_service(home) as service:
        assert service.histories_in_words() == "none yet: every shopper counts as new"
        publish_histories(Lake(settings.lake, SOURCE), pipeline, TODAY, {"ann": ROWS})
        service.fill_store()
        said = service.histories_in_words()
        assert f"of {TODAY}, " in said
        assert "days before today and so stale: every shopper counts as new; a simulated shop's days are past" in said
        assert said.endswith(f"--today {TODAY} (make serve TODAY={TODAY}) decides as on that day")


def test_it_says_that_it_is_ready_once_it_decides(home: Path) -> None:
    """Not before the registry was looked at; with what decides, since when, and of which day the histories are."""
    with a_service(home, today=TODAY, address="http://here") as service:
        with capture_logs() as told:
            service.look()
            service.tell_readiness()
            assert told == []
            Follower(settings_at(home), load_pipeline(SCENARIO, SOURCE)).look()
            for _ in range(2):
                service.look()
                service.tell_readiness()
        (ready,) = [one for one in told if one["event"] == "ready, decisions are made"]
        assert ready["address"] == "http://here"
        assert re.fullmatch(r"version 1, since \d{4}-\d\d-\d\d \d\d:\d\d UTC \(ann: better\)", ready["champion"])
        assert ready["histories"].startswith("none yet")


def test_turning_a_first_launch_off_leaves_the_others_with_the_shop(tmp_path: Path) -> None:
    """As while it lasted, also for a service that starts when it is off; those who had it get the fallback."""
    home, pipeline = tmp_path / "home", load_pipeline(SCENARIO, SOURCE)
    home.mkdir()
    promote(home, 0, share=0.5)
    settings = settings_at(home)
    follower, bodies = (
        Follower(settings, pipeline),
        [DecideRequest(user_id=f"shopper-{n}", available_actions=("item-001", "item-002")) for n in range(40)],
    )
    arms: list[list[tuple[str, bool]]] = []
    for is_off in (False, True, True):
        if is_off and len(arms) == 1:
            with open_store(settings) as client:
                turn_off(client, settings, MODEL, Person("ann", "abort"))
        follower.look()
        with a_service(home) as service:
            service.look()
            assert service.readiness().is_off == is_off
            decided = asyncio.run(service.decide(bodies))
            arms.append([(one.arm, one.uses_own) for one in decided])
            groups = {choice.group for one in decided for choice in one.choices}
            assert groups <= ({"fallback"} if is_off else {"champion", "exploration"})
    assert arms[0] == arms[1] == arms[2]
    assert {("champion", False), ("incumbent", True)} == set(arms[0])


def test_rolling_a_first_version_back_leaves_every_shopper_to_the_shop(home: Path) -> None:
    """From the next look on, also in a service that starts afterwards; it is ready and says so."""
    settings, follower = settings_at(home), Follower(settings_at(home), load_pipeline(SCENARIO, SOURCE))
    bodies = [DecideRequest(user_id=f"shopper-{n}", available_actions=("item-001", "item-002")) for n in range(20)]

    def decided(service: Service) -> set[tuple[bool, int]]:
        follower.look()
        service.look()
        return {(one.uses_own, len(one.choices)) for one in asyncio.run(service.decide(bodies)) if not one.is_control}

    with a_service(home) as service:
        assert decided(service) == {(False, 1)}
        with open_store(settings) as client:
            roll_back(client, settings, MODEL, Person("ann", "umbrellas alone"))
        assert decided(service) == {(True, 0)}
    with a_service(home) as service:
        assert decided(service) == {(True, 0)}
        found = service.readiness()
        assert (found.is_ready, found.version, found.share, found.problems) == (True, None, 0.0, ())
        assert service.approval_in_words().endswith("(ann: umbrellas alone)")
        with capture_logs() as told:
            service.tell_readiness()
        assert told[0]["champion"].startswith("none: the shop decides by its own rule, since ")
        promote(home, 1)
        assert decided(service) == {(False, 1)}


def test_callers_of_one_moment_are_decided_for_together(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one choice; a request that can't be, and one whose decision fails, leave the others theirs, on disk once."""
    with a_service(home, is_replaying=True) as service:
        Follower(settings_at(home), load_pipeline(SCENARIO, SOURCE)).look()
        service.look()
        decide, sizes = service.maker.decide, list[int]()

        def counted(requests: Sequence[DecisionRequest]) -> list[Decided]:
            sizes.append(len(requests))
            if any(len(one.actions) == 1 for one in requests):
                raise RuntimeError("can't be decided")
            return decide(requests)

        monkeypatch.setattr(service.maker, "decide", counted)
        time = "2026-03-30T10:00:00Z"
        good = [{"user_id": name, "available_actions": ACTIONS, "decision_time": time} for name in ("ann", "bob")]
        unfit, failing = ({"user_id": "eve", **one, "decision_time": time} for one in UNANSWERED)
        asked = [good[0], unfit, failing, good[1]]

        async def ask() -> list[Any]:
            bodies = [DecideRequest.model_validate(one) for one in asked]
            return await asyncio.gather(*(service.decide([body]) for body in bodies), return_exceptions=True)

        first, no_set, no_decision, last = asyncio.run(ask())
        assert sizes == [3, 1, 1, 1]  # together, then each apart
        assert isinstance(no_set, UnfitRequest)
        assert isinstance(no_decision, RuntimeError)
        lines = [json.loads(line) for line in logged_lines(home / "decisions", TODAY)]
        assert [one["decision_id"] for one in lines] == [one.decision_id(0) for (one,) in (first, last)]


UNANSWERED = ({"availability_id": "no such set"}, {"available_actions": ACTIONS[:1]})
