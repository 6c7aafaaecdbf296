"""The ledger of launches: what is written, and what the record of approvals adds to it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from conf.paths import Run, launches_record
from conf.settings import Settings
from rl.errors import RegistryChanged, RegistryError
from rl.registry.approvals import Kind, write_down
from rl.registry.launches import (
    ROLLOUT,
    Launch,
    Look,
    Promise,
    PromisedGain,
    ScheduledBound,
    Stage,
    begin_launch,
    begin_stage,
    launches,
    running_launch,
    settle_launches,
    write_look,
)
from rl.registry.memory import registry_address

MODEL = "recommendation-policy"
GAIN = PromisedGain(baseline="behavior", value=0.4, corrected=0.3, lower=0.1, upper=0.7, level=0.99)
PROMISE = Promise(estimator="dr", reward_unit="points", steps=40, gain=GAIN, against_control=GAIN)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(tmp_path / "home")})


def approved(settings: Settings, kind: Kind, version: int, replaced: int | None = None, who: str = "ann") -> None:
    write_down(settings, MODEL, kind, version, replaced=replaced, who=who, why=f"{kind} {version}")


def launched(settings: Settings, version: int, replaced: int | None = None, share: float = 0.05) -> Launch:
    """The version is launched and approved, as the command does it."""
    stage = Stage(share=share, started_at=datetime(2026, 3, 1, tzinfo=UTC))
    address = registry_address(settings)
    begin_launch(
        settings,
        Launch(registry=address, model=MODEL, version=version, replaced=replaced, promise=PROMISE, stages=(stage,)),
    )
    approved(settings, "promote", version, replaced)
    found = running_launch(settings, MODEL, version)
    assert found is not None
    return found


def told(settings: Settings) -> list[tuple[int, float, str | None]]:
    """Version, present share, and how it ended, of each launch."""
    return [
        (one.version, one.share, None if one.end is None else one.end.kind) for one in launches(settings.home, MODEL)
    ]


def test_a_home_without_a_ledger_has_no_launches(settings: Settings) -> None:
    assert launches(settings.home, MODEL) == []
    settle_launches(settings, MODEL)
    assert not launches_record(settings.home).exists()


def test_a_launch_is_not_there_before_it_is_approved(settings: Settings) -> None:
    """It is written first, so that a service that sees the approval finds the share."""
    stage = Stage(share=0.05, started_at=None)
    begin_launch(settings, Launch(registry=registry_address(settings), model=MODEL, version=1, stages=(stage,)))
    assert launches(settings.home, MODEL) == []
    approved(settings, "promote", 1)
    (one,) = launches(settings.home, MODEL)
    assert (one.version, one.who, one.is_rolling) == (1, "ann", True)


def test_a_launch_that_was_never_approved_stays_out_and_a_later_one_is_not_its(settings: Settings) -> None:
    stage = Stage(share=0.05, started_at=None)
    begin_launch(settings, Launch(registry=registry_address(settings), model=MODEL, version=1, stages=(stage,)))
    launched(settings, 2)
    assert told(settings) == [(2, 0.05, None)]


def test_a_repeated_promotion_leaves_the_launch_as_it_is(settings: Settings) -> None:
    one = begin_stage(settings, launched(settings, 1), 0.25)
    again = begin_launch(settings, one.model_copy(update={"stages": (Stage(share=0.05, started_at=None),)}))
    assert again == one
    assert told(settings) == [(1, 0.25, None)]


def test_looks_are_kept_one_a_day(settings: Settings) -> None:
    """The same day's second look takes the first one's place."""
    one = launched(settings, 1)
    for day, why in ((2, "early"), (3, "later"), (2, "again")):
        one = write_look(settings, one, Look(day=date(2026, 3, day), decision="hold", why=why))
    (found,) = launches(settings.home, MODEL)
    assert found == one
    assert [(look.day.day, look.why) for look in found.looks] == [(2, "again"), (3, "later")]


def test_the_bound_that_decided_on_a_schedule_is_kept_and_older_lines_are_read(settings: Settings) -> None:
    bound = ScheduledBound(number=2, lower=-0.08, level=0.005, margin=0.1)
    one = launched(settings, 1)
    for day, scheduled in ((2, None), (3, bound)):
        look = Look(day=date(2026, 3, day), decision="hold", why="early", scheduled=scheduled)
        one = write_look(settings, one, look)
    path = launches_record(settings.home)
    content = json.loads(path.read_text())
    assert content["launches"][-1]["stages"][0]["looks"][1]["scheduled"] == bound.model_dump()
    del content["launches"][-1]["stages"][0]["looks"][0]["scheduled"]
    path.write_text(json.dumps(content))
    (found,) = launches(settings.home, MODEL)
    assert [look.scheduled for look in found.looks] == [None, bound]


def test_stages_grow_until_the_launch_is_complete(settings: Settings) -> None:
    one = launched(settings, 1)
    with pytest.raises(RegistryError, match=r"0\.05 is no growth from 0\.05"):
        begin_stage(settings, one, 0.05)
    one = begin_stage(settings, one, 0.25)
    assert one.completed_at is None
    one = begin_stage(settings, one, 1.0)
    (found,) = launches(settings.home, MODEL)
    assert (found.is_rolling, found.share, found.completed_at) == (False, 1.0, one.stages[-1].started_at)
    assert found.promise == PROMISE


def test_the_next_promotion_ends_a_launch_and_a_rollback_brings_it_back(settings: Settings) -> None:
    """Who ended it, and why, is what the record of approvals has."""
    launched(settings, 1, share=1.0)
    launched(settings, 2, 1)
    assert told(settings) == [(1, 0.0, "superseded"), (2, 0.05, None)]
    approved(settings, "rollback", 1, 2, who="bob")
    assert told(settings) == [(1, 1.0, None), (2, 0.0, "rolled_back")]
    end = launches(settings.home, MODEL)[1].end
    assert end is not None
    assert (end.who, end.why) == ("bob", "rollback 1")
    launched(settings, 3, 1)
    assert told(settings) == [(1, 0.0, "superseded"), (2, 0.0, "rolled_back"), (3, 0.05, None)]


def test_a_rollback_by_the_rollout_is_a_retreat(settings: Settings) -> None:
    launched(settings, 1, share=1.0)
    launched(settings, 2, 1)
    approved(settings, "rollback", 1, 2, who=ROLLOUT)
    assert told(settings)[1] == (2, 0.0, "retreated")


def test_ends_are_written_down(settings: Settings) -> None:
    """So that they outlive a lost record of approvals."""
    launched(settings, 1, share=1.0)
    launched(settings, 2, 1)
    approved(settings, "rollback", 1, 2)
    settle_launches(settings, MODEL)
    before = launches(settings.home, MODEL)
    (settings.home / "approvals.json").unlink()
    assert launches(settings.home, MODEL) == before


def test_promotions_before_the_ledger_are_launches_without_a_promise(settings: Settings) -> None:
    """Those of approvals, and older ones that a night's promotion.json tells of alone."""
    for day, version, previous in ((1, 1, None), (2, 2, 1)):
        path = Run(settings.home, "shop", "recommendation", date(2026, 1, day)).promotion
        path.parent.mkdir(parents=True)
        content = {"model": MODEL, "version": version, "champion": version, "previous": previous}
        path.write_text(json.dumps({**content, "source": "shop", "date": f"2026-01-0{day}"}))
    assert told(settings) == [(1, 0.0, "superseded"), (2, 1.0, None)]
    approved(settings, "promote", 3, 2)
    assert told(settings) == [(1, 0.0, "superseded"), (2, 0.0, "superseded"), (3, 1.0, None)]
    first, _, third = launches(settings.home, MODEL)
    assert (first.night, first.source, first.promise, first.promoted_at) == (date(2026, 1, 1), "shop", None, None)
    assert third.completed_at == third.promoted_at
    launched(settings, 4, 3)
    assert [version for version, _, _ in told(settings)] == [1, 2, 3, 4]
    assert len(json.loads(launches_record(settings.home).read_text())["launches"]) == 4


def test_the_first_launch_of_a_home_ends_what_an_earlier_release_promoted(settings: Settings) -> None:
    """Written down once, in the registry that the launch is of."""
    path = Run(settings.home, "shop", "recommendation", date(2026, 1, 1)).promotion
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"model": MODEL, "version": 1, "champion": 1, "previous": None, "date": "2026-01-01"}))
    one = launched(settings, 2, 1)
    write_look(settings, one, Look(day=date(2026, 3, 2), decision="hold", why="early"))
    assert told(settings) == [(1, 0.0, "superseded"), (2, 0.05, None)]
    assert len(json.loads(launches_record(settings.home).read_text())["launches"]) == 2


def test_a_version_that_is_promoted_again_has_two_launches(settings: Settings) -> None:
    launched(settings, 1, share=1.0)
    launched(settings, 2, 1)
    launched(settings, 1, 2)
    assert told(settings) == [(1, 0.0, "superseded"), (2, 0.0, "superseded"), (1, 0.05, None)]
    settle_launches(settings, MODEL)
    assert told(settings) == [(1, 0.0, "superseded"), (2, 0.0, "superseded"), (1, 0.05, None)]


def test_other_models_and_registries_are_left_alone(settings: Settings, tmp_path: Path) -> None:
    launched(settings, 1)
    elsewhere = Settings.from_environment(
        {"NIGHTCART_HOME": str(settings.home), "NIGHTCART_MLFLOW_URI": "http://127.0.0.1:1"}
    )
    launched(elsewhere, 1, share=0.25)
    assert launches(settings.home, "another-policy") == []
    assert [one.share for one in launches(settings.home, MODEL, registry=registry_address(elsewhere))] == [0.25]
    assert len(launches(settings.home, MODEL)) == 2


@pytest.mark.parametrize("content", ["damaged", '{"version": 2, "launches": []}', "[]"])
def test_a_ledger_that_can_not_be_read_is_an_error(settings: Settings, content: str) -> None:
    settings.home.mkdir()
    launches_record(settings.home).write_text(content)
    with pytest.raises(RegistryChanged, match=r"launches\.json: not what this home wrote of its launches"):
        launches(settings.home, MODEL)
