"""Rollback, off and on, and the record of who approved what, in a real MLflow store."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest

from conf.errors import exit_code
from conf.settings import Settings
from rl.errors import RefusedRequest, RegistryChanged, RegistryError
from rl.registry.approvals import approve, read_approvals, standing
from rl.registry.person import Person
from rl.registry.promotion import promote_version
from rl.registry.store import aliases, open_store
from rl.registry.switching import roll_back, set_control, turn_off, turn_on
from rl.registry.versions import all_versions, offer_as_challenger
from tests.rl.registry.test_registry import FIRST, MODEL, key, record, register, settings_at

ANN = Person("ann", "it shows umbrellas alone")
Switch = Callable[..., object]


def promoted(home: Path, n: int) -> None:
    """So many nights registered and promoted a version, one after the other."""
    for number in range(n):
        night = FIRST + timedelta(days=number)
        in_force = "behavior" if number == 0 else str(number)
        version = register(home, key(date=night), record(champion_in_force=in_force, horizon=night))
        with open_store(settings_at(home)) as client:
            done = promote_version(client, MODEL, version.version, source="shop", run_date=night)
            approve(settings_at(home), MODEL, version.version, replaced=done.previous, who="ann", why="better")


def switch(home: Path, what: Switch) -> object:
    with open_store(settings_at(home)) as client:
        return what(client, settings_at(home), MODEL, ANN)


def held(home: Path) -> dict[str, int]:
    with open_store(settings_at(home)) as client:
        return aliases(client, MODEL)


def standing_of(home: Path) -> tuple[int | None, bool]:
    found = standing(settings_at(home), MODEL)
    return found.champion, found.is_off


def test_a_rollback_goes_back_one_champion_at_a_time(home: Path) -> None:
    """Each is recorded with who and why; before the first one there is nothing to go back to."""
    promoted(home, 3)
    assert held(home) == {"champion": 3, "previous": 2}
    switch(home, roll_back)
    assert (held(home), standing_of(home)) == ({"champion": 2, "previous": 1}, (2, False))
    switch(home, roll_back)
    assert (held(home), standing_of(home)) == ({"champion": 1}, (1, False))
    with pytest.raises(RegistryError, match="no champion before version 1 to go back to; `make off`"):
        switch(home, roll_back)
    last = read_approvals(settings_at(home), MODEL)[-1]
    assert (last.kind, last.version, last.replaced, last.who, last.why) == ("rollback", 1, 2, ANN.who, ANN.why)


def test_what_was_rolled_back_is_not_offered_again(home: Path) -> None:
    """Neither by a repeated night, nor does a promotion take it."""
    promoted(home, 2)
    switch(home, roll_back)
    assert register(home, key(date=FIRST + timedelta(days=1))).version == 2
    assert "challenger" not in held(home)
    with open_store(settings_at(home)) as client:
        (version,) = [one for one in all_versions(client, MODEL) if one.version == 2]
        assert not offer_as_challenger(client, version)
        with pytest.raises(RegistryError, match="it was rolled back \\(ann: it shows umbrellas alone\\)"):
            promote_version(client, MODEL, 2, source="shop", run_date=FIRST + timedelta(days=1))


def test_a_killed_rollback_is_finished_and_not_done_twice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of its steps it was killed before, one more rollback ends where one whole one does."""
    for n_steps in range(4):
        own = home.parent / f"killed-{n_steps}"
        own.mkdir()
        (own / "mlflow.db").write_bytes((home / "mlflow.db").read_bytes())
        promoted(own, 3)
        with open_store(settings_at(own)) as client, monkeypatch.context() as patch:
            calls = 0

            def counting(name: str, real: Callable[..., object], limit: int = n_steps) -> Callable[..., object]:
                def step(*arguments: object) -> object:
                    nonlocal calls
                    calls += 1
                    if calls > limit:
                        raise KeyboardInterrupt(name)
                    return real(*arguments)

                return step

            for name in ("set_model_version_tag", "set_registered_model_alias"):
                patch.setattr(client, name, counting(name, getattr(client, name)))
            with suppress(KeyboardInterrupt):
                roll_back(client, settings_at(own), MODEL, ANN)
        if n_steps < 2:  # the champion has not moved yet
            switch(own, roll_back)
        assert held(own)["champion"] == 2
        assert standing_of(own) == (2, False)
        assert [one.kind for one in read_approvals(settings_at(own), MODEL)].count("rollback") == 1


def test_off_and_on_are_recorded_and_shown_by_an_alias(home: Path) -> None:
    """A promotion meanwhile leaves it off."""
    promoted(home, 1)
    switch(home, turn_off)
    assert (held(home)["off"], standing_of(home)) == (1, (1, True))
    promoted(home, 2)
    assert standing_of(home) == (2, True)
    switch(home, turn_on)
    assert ("off" in held(home), standing_of(home)) == (False, (2, False))


@pytest.mark.parametrize("what", [roll_back, turn_off, turn_on])
def test_without_a_champion_there_is_nothing_to_switch(home: Path, what: Switch) -> None:
    register(home, key())
    with pytest.raises(RegistryError, match="has no champion"):
        switch(home, what)


def test_a_previous_that_nobody_approved_is_not_gone_back_to(home: Path) -> None:
    """Somebody moved the alias in MLflow."""
    promoted(home, 2)
    other = register(home, key(date=FIRST + timedelta(days=9)))
    with open_store(settings_at(home)) as client:
        client.set_registered_model_alias(MODEL, "previous", str(other.version))
    with pytest.raises(RegistryError, match="version 3 has the alias previous, but it was deleted or nobody approved"):
        switch(home, roll_back)


def test_an_approval_written_twice_is_one(home: Path) -> None:
    promoted(home, 1)
    approve(settings_at(home), MODEL, 1, replaced=None, who="bob", why="again")
    assert [one.who for one in read_approvals(settings_at(home), MODEL)] == ["ann"]


def test_promotions_of_homes_without_a_record_count(tmp_path: Path) -> None:
    """Their nights left promotion.json; a champion among them is allowed until the record knows one."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    for version, champion in ((3, 3), (4, None)):
        path = tmp_path / "runs" / "shop" / "recommendation" / str(date(2026, 1, version)) / "promotion.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"model": MODEL, "version": version, "champion": champion}))
    found = standing(settings, MODEL)
    assert [found.allows(version) for version in (3, 4, 5)] == [True, False, False]
    approve(settings, MODEL, 5, replaced=3, who="ann", why="better")
    found = standing(settings, MODEL)
    assert [found.allows(version) for version in (3, 4, 5)] == [False, False, True]


def test_a_record_that_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "approvals.json").write_text("[{}]")
    with pytest.raises(RegistryChanged, match=r"approvals\.json: not what this home wrote"):
        standing(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), MODEL)


def test_a_version_that_decided_before_may_be_control(home: Path) -> None:
    """Until it is taken back; the champion goes on as it was."""
    promoted(home, 2)

    def control(version: int | None) -> None:
        switch(home, partial(set_control, version=version))

    control(1)
    assert (standing(settings_at(home), MODEL).control, standing_of(home)) == (1, (2, False))
    control(None)
    assert standing(settings_at(home), MODEL).control is None
    assert [one.kind for one in read_approvals(settings_at(home), MODEL)][-2:] == ["control", "no_control"]
    with pytest.raises(RegistryError, match="the shop's own already"):
        control(None)


def test_what_never_decided_is_no_control(home: Path) -> None:
    """A clone of the log above all; nor is the champion, which would be held against itself."""
    promoted(home, 1)
    register(home, key(date=FIRST + timedelta(days=9)), record(champion_in_force="1", horizon=FIRST))
    for version, why in ((2, "never decided in the shop.*approved ones are 1"), (1, "held against itself")):
        with pytest.raises(RegistryError, match=why):
            switch(home, partial(set_control, version=version))
    assert standing(settings_at(home), MODEL).control is None


def test_what_nobody_can_do_as_asked_is_refused_for_good(tmp_path: Path) -> None:
    """Exit code 65, as any input that is wrong however often it is given: an orchestrator doesn't try again."""
    settings = settings_at(tmp_path)
    with open_store(settings) as client, pytest.raises(RefusedRequest) as refused:
        turn_off(client, settings, MODEL, ANN)
    assert exit_code(refused.value) == 65
