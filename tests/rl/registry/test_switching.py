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
from rl.registry.decided import promote_on_word, reject_version
from rl.registry.launches import launches
from rl.registry.moved_aliases import refuse_moved_aliases, restore_aliases
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
    """Each is recorded with who and why; before the first one the shop decided by its own rule."""
    promoted(home, 3)
    assert held(home) == {"champion": 3, "previous": 2}
    switch(home, roll_back)
    assert (held(home), standing_of(home)) == ({"champion": 2, "previous": 1}, (2, False))
    switch(home, roll_back)
    assert (held(home), standing_of(home)) == ({"champion": 1}, (1, False))
    switch(home, roll_back)
    assert (held(home), standing_of(home)) == ({}, (None, False))
    told = [(one.version, one.replaced, one.who, one.why) for one in read_approvals(settings_at(home), MODEL)[-3:]]
    assert told == [(2, 3, ANN.who, ANN.why), (1, 2, ANN.who, ANN.why), (None, 1, ANN.who, ANN.why)]


def test_a_first_version_that_was_rolled_back_leaves_the_shops_own_rule(home: Path) -> None:
    """Its launch has ended, it is not offered again, and a repeated rollback changes nothing."""
    promoted(home, 1)
    done = switch(home, roll_back)
    found = standing(settings_at(home), MODEL)
    assert found.withdrawn == done == switch(home, roll_back)
    assert not found.allows(1)
    (launch,) = launches(home, MODEL)
    assert launch.end is not None
    assert (launch.end.kind, launch.end.who, launch.end.why, launch.share) == ("rolled_back", ANN.who, ANN.why, 0)
    assert register(home, key()).version == 1
    assert held(home) == {}
    with open_store(settings_at(home)) as client:
        with pytest.raises(RegistryError, match="it was rolled back \\(ann: it shows umbrellas alone\\)"):
            promote_version(client, MODEL, 1, source="shop", run_date=FIRST)
        with pytest.raises(RefusedRequest, match="has no champion"):
            turn_off(client, settings_at(home), MODEL, ANN)


def test_after_a_first_version_the_next_one_is_first_again(home: Path) -> None:
    """It was gated against the behavior policy, as long as there is no champion, and can be rolled back likewise."""
    promoted(home, 1)
    switch(home, roll_back)
    night = FIRST + timedelta(days=1)
    register(home, key(date=night), record(champion_in_force="behavior", horizon=night))
    with open_store(settings_at(home)) as client:
        done = promote_on_word(
            client, settings_at(home), MODEL, 2, source="shop", run_date=night, people=[Person("bob", "better")]
        )
    assert (done.champion, done.previous, standing(settings_at(home), MODEL).withdrawn) == (2, None, None)
    switch(home, roll_back)
    assert held(home) == {}
    assert [one.end is None for one in launches(home, MODEL)] == [False, False]


def test_nothing_is_promoted_over_a_version_that_was_put_back_by_hand(home: Path) -> None:
    """Nor is it taken for the champion; the alias comes off again."""
    promoted(home, 1)
    switch(home, roll_back)
    night = FIRST + timedelta(days=1)
    register(home, key(date=night), record(champion_in_force="behavior", horizon=night))
    with open_store(settings_at(home)) as client:
        client.set_registered_model_alias(MODEL, "champion", "1")
        client.delete_registered_model_alias(MODEL, "challenger")
        for version, day in ((1, FIRST), (2, night)):
            with pytest.raises(RegistryChanged, match="version 1 was rolled back to the shop's own rule"):
                promote_on_word(client, settings_at(home), MODEL, version, source="shop", run_date=day, people=[ANN])
        moved = restore_aliases(client, settings_at(home), MODEL)
    assert [(one.alias, one.found, one.expected) for one in moved] == [("champion", 1, None), ("challenger", None, 2)]
    assert held(home) == {"challenger": 2}


def test_a_killed_rollback_of_a_first_version_is_finished(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of its steps it was killed before; the first word on it stands."""
    for n_steps in range(2):
        own = home.parent / f"killed-{n_steps}"
        own.mkdir()
        (own / "mlflow.db").write_bytes((home / "mlflow.db").read_bytes())
        promoted(own, 1)
        step = ("set_model_version_tag", "delete_registered_model_alias")[n_steps]
        with open_store(settings_at(own)) as client, monkeypatch.context() as patch:
            patch.setattr(client, step, _killed)
            with pytest.raises(KeyboardInterrupt):
                roll_back(client, settings_at(own), MODEL, ANN)
        assert held(own) == {"champion": 1}
        with open_store(settings_at(own)) as client:
            roll_back(client, settings_at(own), MODEL, Person("bob", "again"))
            (version,) = all_versions(client, MODEL)
        assert (held(own), "rolled_back" in version.tags) == ({}, True)
        assert [one.who for one in read_approvals(settings_at(own), MODEL) if one.kind == "rollback"] == ["ann"]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def killed_rollback(home: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """It was written down, and ended before that step at the registry."""
    with open_store(settings_at(home)) as client, monkeypatch.context() as patch:
        patch.setattr(client, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            roll_back(client, settings_at(home), MODEL, ANN)


def reject_next(home: Path) -> None:
    """Somebody rejects the next night's version."""
    night = FIRST + timedelta(days=9)
    version = register(home, key(date=night), record(champion_in_force="1", horizon=night))
    with open_store(settings_at(home)) as client:
        reject_version(client, settings_at(home), MODEL, version.version, ANN)


def off(home: Path) -> None:
    switch(home, turn_off)


@pytest.mark.parametrize("meanwhile", [off, reject_next])
def test_a_killed_rollback_is_finished_whatever_was_decided_meanwhile(
    home: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Path], None]
) -> None:
    """What else people said about the model stands behind it in the record."""
    promoted(home, 1)
    killed_rollback(home, monkeypatch, "delete_registered_model_alias")
    meanwhile(home)
    switch(home, roll_back)
    assert "champion" not in held(home)
    assert [one.kind for one in read_approvals(settings_at(home), MODEL)].count("rollback") == 1


@pytest.mark.parametrize("n_champions", [1, 2])
def test_a_killed_rollback_whose_aliases_are_restored_is_not_offered_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, n_champions: int
) -> None:
    """The record says so, and a version is marked as rolled back with the aliases that are put where it says."""
    promoted(home, n_champions)
    killed_rollback(home, monkeypatch, "set_model_version_tag")
    with open_store(settings_at(home)) as client:
        restore_aliases(client, settings_at(home), MODEL)
    night = FIRST + timedelta(days=n_champions - 1)
    assert register(home, key(date=night)).version == n_champions
    assert "challenger" not in held(home)
    assert held(home).get("champion") == (1 if n_champions == 2 else None)


def test_what_was_turned_off_and_rolled_back_can_be_turned_on(home: Path) -> None:
    """Without a champion too: the next version that is promoted is served then."""
    promoted(home, 1)
    switch(home, turn_off)
    switch(home, roll_back)
    assert standing_of(home) == (None, True)
    switch(home, turn_on)
    assert (held(home), standing_of(home)) == ({}, (None, False))


def test_off_without_a_champion_needs_no_alias(home: Path) -> None:
    """A version that is deleted takes its alias off along; no night is refused for one that nothing could carry."""
    promoted(home, 1)
    switch(home, turn_off)
    switch(home, roll_back)
    with open_store(settings_at(home)) as client:
        client.delete_registered_model_alias(MODEL, "off")
        refuse_moved_aliases(client, settings_at(home), MODEL)


def test_a_champion_whose_predecessor_is_gone_is_not_taken_for_a_first_one(home: Path) -> None:
    """It replaced a version, and not the shop's own rule."""
    promoted(home, 2)
    with open_store(settings_at(home)) as client:
        client.delete_model_version(MODEL, "1")
    with pytest.raises(RefusedRequest, match="version 1, the champion before version 2 isn't there any more"):
        switch(home, roll_back)
    assert held(home) == {"champion": 2}


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
