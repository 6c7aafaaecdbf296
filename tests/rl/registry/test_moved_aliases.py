"""Aliases that somebody moved in MLflow: found, told, put back, and followed by nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient

from conf.specs.scenario import load_pipeline
from rl.commands import restore_aliases as restore_command
from rl.commands import review
from rl.errors import RegistryChanged
from rl.registry.deciding_version import NobodyDecides, deciding_version
from rl.registry.moved_aliases import moved_aliases, restore_aliases
from rl.registry.store import aliases, open_store
from rl.registry.switching import turn_off, turn_on
from tests.rl.registry.test_decided import ANN, approve_version, reject
from tests.rl.registry.test_registry import FIRST, MODEL, key, record, register, settings_at

Hand = Callable[[MlflowClient], object]


def night(home: Path, number: int, in_force: str, verdict: str = "promote", source: str = "shop") -> int:
    day = FIRST + timedelta(days=number)
    found = register(
        home, key(date=day, source=source), record(champion_in_force=in_force, horizon=day, verdict=verdict)
    )
    return found.version


@pytest.fixture
def reviewed(home: Path) -> Path:
    """Version 2 is champion and took over from 1; 3 was rejected, 4 waits, 5 didn't pass the gate."""
    night(home, 0, "behavior")
    approve_version(home, 1)
    night(home, 1, "1")
    approve_version(home, 2, run_date=FIRST + timedelta(days=1))
    night(home, 2, "2")
    reject(home, 3)
    night(home, 3, "2")
    night(home, 4, "2", verdict="reject")
    return home


def found(home: Path) -> list[tuple[str, int | None, int | None]]:
    with open_store(settings_at(home)) as client:
        return [(one.alias, one.found, one.expected) for one in moved_aliases(client, settings_at(home), MODEL)]


def held(home: Path) -> dict[str, int]:
    with open_store(settings_at(home)) as client:
        return aliases(client, MODEL)


def put(alias: str, version: int) -> Hand:
    return lambda client: client.set_registered_model_alias(MODEL, alias, str(version))


def drop(alias: str) -> Hand:
    return lambda client: client.delete_registered_model_alias(MODEL, alias)


def test_what_the_commands_left_is_nobody_s_hand(reviewed: Path) -> None:
    """Promotions, a rejection, a version that waits and one that the gate refused; switched off and on."""
    assert held(reviewed) == {"champion": 2, "previous": 1, "challenger": 4}
    assert found(reviewed) == []
    for switch in (turn_off, turn_on):
        with open_store(settings_at(reviewed)) as client:
            switch(client, settings_at(reviewed), MODEL, ANN)
        assert found(reviewed) == []


@pytest.mark.parametrize(
    ("hand", "expected"),
    [
        (put("champion", 4), ("champion", 4, 2)),
        (put("champion", 1), ("champion", 1, 2)),
        (drop("champion"), ("champion", None, 2)),
        (put("previous", 3), ("previous", 3, 1)),
        (drop("previous"), ("previous", None, 1)),
        (put("challenger", 3), ("challenger", 3, 4)),
        (put("challenger", 5), ("challenger", 5, 4)),
        (drop("challenger"), ("challenger", None, 4)),
        (put("off", 2), ("off", 2, None)),
    ],
)
def test_every_alias_is_held_against_the_record(
    reviewed: Path, hand: Hand, expected: tuple[str, int | None, int | None]
) -> None:
    """What was moved is told with where it belongs; it goes back there, and then nothing is to be told."""
    before = held(reviewed)
    with open_store(settings_at(reviewed)) as client:
        hand(client)
    assert found(reviewed) == [expected]
    with pytest.raises(RegistryChanged, match=f"alias {expected[0]} is on .* and belongs on .*make restore-aliases"):
        review.run(settings=settings_at(reviewed), scenario="recommendation")
    assert restore_command.run(settings=settings_at(reviewed), scenario="recommendation")["restored"] == [
        {"alias": expected[0], "found": expected[1], "restored_to": expected[2]}
    ]
    assert (found(reviewed), held(reviewed)) == ([], before)
    assert "skipped" in restore_command.run(settings=settings_at(reviewed), scenario="recommendation")


def test_before_any_approval_a_champion_is_somebody_s_hand(home: Path) -> None:
    """It is told, and taken away; the version that waits, waits on."""
    night(home, 0, "behavior")
    with open_store(settings_at(home)) as client:
        put("champion", 1)(client)
    assert found(home)[0] == ("champion", 1, None)
    with open_store(settings_at(home)) as client:
        restore_aliases(client, settings_at(home), MODEL)
    assert (found(home), held(home)) == ([], {"challenger": 1})


def test_a_deleted_champion_is_no_moved_alias(reviewed: Path) -> None:
    """There is nothing to put it back on; what is known of deleted versions is told elsewhere."""
    with open_store(settings_at(reviewed)) as client:
        client.delete_model_version(MODEL, "2")
    assert [one for one in found(reviewed) if one[0] == "champion"] == []


def test_a_list_is_decided_by_what_was_approved(home: Path) -> None:
    """Whatever the alias champion says, or where it is gone; before any approval nobody decides."""
    pipeline, settings = load_pipeline("recommendation", "simulated_shop"), settings_at(home)

    def decides() -> int | NobodyDecides:
        found = deciding_version(settings, pipeline, None, lambda _, version: version.version)
        return found if isinstance(found, NobodyDecides) else found[1]

    register(home, key(source="simulated_shop"))
    with open_store(settings) as client:
        put("champion", 1)(client)
    answer = decides()
    assert isinstance(answer, NobodyDecides) and answer.is_unapproved
    with open_store(settings) as client:
        restore_aliases(client, settings, MODEL)
    approve_version(home, 1, source="simulated_shop")
    second = FIRST + timedelta(days=1)
    register(home, key(source="simulated_shop", date=second), record(champion_in_force="1", horizon=second))
    for hand in (put("champion", 2), drop("champion")):
        with open_store(settings) as client:
            hand(client)
        assert decides() == 1
