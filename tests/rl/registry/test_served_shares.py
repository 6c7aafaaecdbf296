"""For which share of the shoppers each version decides, told by the home's records and written to the registry."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from rl.registry.approvals import approve
from rl.registry.launches import Launch, Stage, begin_launch, begin_stage, running_launch
from rl.registry.memory import registry_address
from rl.registry.person import Person
from rl.registry.served_shares import ServedShare, served_shares, tag_shares
from rl.registry.store import open_store
from rl.registry.switching import roll_back, turn_off, turn_on
from rl.registry.versions import all_versions
from tests.rl.registry.test_registry import FIRST, MODEL, key, record, register, settings_at

ANN = Person("ann", "a test")


@pytest.fixture
def rolled(home: Path) -> Path:
    """Version 1 replaced the shop's own rule; version 2 replaces it by stages, and decides for a quarter."""
    settings = settings_at(home)
    for number in range(2):
        register(home, key(date=date(2026, 3, 1 + number)), record(horizon=FIRST))
    with open_store(settings) as client:
        for version, replaced, share in ((1, None, 1.0), (2, 1, 0.25)):
            stage = Stage(share=share, started_at=datetime.now(UTC))
            address = registry_address(settings)
            launch = Launch(registry=address, model=MODEL, version=version, replaced=replaced, stages=(stage,))
            begin_launch(settings, launch)
            approve(settings, MODEL, version, replaced=replaced, who="ann", why="better")
        client.set_registered_model_alias(MODEL, "champion", "2")
        client.set_registered_model_alias(MODEL, "previous", "1")
    return home


def told(home: Path) -> dict[int, tuple[float, str]]:
    """Share and reason of each version, as its tags say."""
    settings = settings_at(home)
    with open_store(settings) as client:
        tag_shares(client, settings, MODEL)
        tags = {one.version: one.tags for one in all_versions(client, MODEL)}
    found = served_shares(settings, MODEL)
    assert {version: (one["share"], one["serves"]) for version, one in tags.items()} == {
        version: (f"{one.share:g}", one.words) for version, one in found.items()
    }
    return {version: (one.share, one.why) for version, one in found.items()}


def test_a_rollout_is_shared_with_what_it_replaces(rolled: Path) -> None:
    """Both since its present stage began."""
    assert told(rolled) == {1: (0.75, ""), 2: (0.25, "")}
    settings = settings_at(rolled)
    first = served_shares(settings, MODEL)[2].since
    launch = running_launch(settings, MODEL, 2)
    assert launch is not None and first is not None
    begin_stage(settings, launch, 0.5)
    found = served_shares(settings, MODEL)
    assert (found[1].share, found[2].share, found[1].since) == (0.5, 0.5, found[2].since)
    assert found[2].since is not None and found[2].since > first
    begin_stage(settings, launch, 1.0)
    assert told(rolled) == {1: (0.0, "replaced"), 2: (1.0, "")}


def test_what_a_rollback_goes_back_to_serves_since_then(rolled: Path) -> None:
    """And not since its own promotion; after a first version nothing serves."""
    settings = settings_at(rolled)
    with open_store(settings) as client:
        back = roll_back(client, settings, MODEL, ANN)
    assert told(rolled) == {1: (1.0, ""), 2: (0.0, "rolled back")}
    assert served_shares(settings, MODEL)[1].since == served_shares(settings, MODEL)[2].since == back.at
    with open_store(settings) as client:
        roll_back(client, settings, MODEL, ANN)
    assert told(rolled) == {1: (0.0, "rolled back"), 2: (0.0, "rolled back")}


def test_what_is_turned_off_serves_nobody(rolled: Path) -> None:
    settings = settings_at(rolled)
    with open_store(settings) as client:
        off = turn_off(client, settings, MODEL, ANN)
    assert told(rolled) == {1: (0.0, "turned off"), 2: (0.0, "turned off")}
    assert served_shares(settings, MODEL)[2].since == off.at


def test_what_is_turned_on_again_serves_since_then(rolled: Path) -> None:
    """Both versions of a rollout; in between they served nobody. On without off before it changes nothing."""
    settings = settings_at(rolled)
    before = {version: one.since for version, one in served_shares(settings, MODEL).items()}
    with open_store(settings) as client:
        turn_on(client, settings, MODEL, ANN)
        assert {version: one.since for version, one in served_shares(settings, MODEL).items()} == before
        turn_off(client, settings, MODEL, ANN)
        on = turn_on(client, settings, MODEL, ANN)
        turn_on(client, settings, MODEL, ANN)
    assert told(rolled) == {1: (0.75, ""), 2: (0.25, "")}
    assert {one.since for one in served_shares(settings, MODEL).values()} == {on.at}


def test_what_a_shadow_stands_beside_serves_all_as_before(home: Path) -> None:
    """Since its own promotion, and not since another began to decide in its shadow."""
    settings, before = settings_at(home), list[ServedShare]()
    for version, replaced in ((1, None), (2, 1)):
        register(home, key(date=date(2026, 3, version)), record(horizon=FIRST))
        stage = Stage(share=float(version == 1), started_at=datetime.now(UTC), is_shadow=version == 2)
        address = registry_address(settings)
        launch = Launch(registry=address, model=MODEL, version=version, replaced=replaced, stages=(stage,))
        begin_launch(settings, launch)
        approve(settings, MODEL, version, replaced=replaced, who="ann", why="better")
        before.append(served_shares(settings, MODEL)[1])
    assert before[1] == before[0]


def test_shares_read_as_words() -> None:
    since = datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
    assert ServedShare(0.05, since).words == "5.0% of the shoppers since 2026-03-01 02:10 UTC"
    assert ServedShare(1.0, None).words == "all"
    assert ServedShare(0.0, since, "in the shadow").words == "none (in the shadow) since 2026-03-01 02:10 UTC"
