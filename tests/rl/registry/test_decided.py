"""What people decide about versions, in a real MLflow store: approved by one or two, or rejected for good."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import approvals_record
from rl.errors import RegistryChanged, RegistryError
from rl.registry.approvals import Approval, read_approvals, standing
from rl.registry.decided import promote_on_word, reject_version
from rl.registry.person import Person
from rl.registry.promotion import Promotion
from rl.registry.store import aliases, open_store
from rl.registry.switching import roll_back
from tests.rl.registry.test_registry import FIRST, MODEL, SECOND, key, record, register, settings_at

ANN, BOB = Person("ann", "better offers"), Person("bob", "I looked too")


def approve_version(
    home: Path, version: int, *people: Person, n_needed: int = 1, run_date: Any = FIRST, source: str = "shop"
) -> Promotion:
    with open_store(settings_at(home)) as client:
        return promote_on_word(
            client,
            settings_at(home),
            MODEL,
            version,
            source=source,
            run_date=run_date,
            people=people or (ANN,),
            n_needed=n_needed,
        )


def reject(home: Path, version: int, person: Person = ANN) -> Approval:
    with open_store(settings_at(home)) as client:
        return reject_version(client, settings_at(home), MODEL, version, person)


def held(home: Path) -> dict[str, int]:
    with open_store(settings_at(home)) as client:
        return aliases(client, MODEL)


def tags(home: Path, version: int) -> dict[str, str]:
    with open_store(settings_at(home)) as client:
        found = client.get_model_version(MODEL, str(version)).tags
    return {name.removeprefix("nightcart."): value for name, value in found.items()}


def words(home: Path) -> list[tuple[str, int, str, str]]:
    return [(one.kind, one.version, one.who, one.why) for one in read_approvals(settings_at(home), MODEL)]


def test_an_approval_stands_on_the_version_and_in_the_record(home: Path) -> None:
    """What, by whom, when and why, in both; the version is champion and nobody waits."""
    register(home, key())
    done = approve_version(home, 1)
    assert (done.champion, done.previous, done.is_new, done.skipped) == (1, None, True, None)
    assert held(home) == {"champion": 1}
    assert words(home) == [("promote", 1, "ann", "better offers")]
    found = tags(home, 1)
    assert (found["decision"], found["decided_by"], found["decided_because"]) == ("approved", "ann", "better offers")
    assert found["decided_at"].startswith(f"{read_approvals(settings_at(home), MODEL)[0].at:%Y-%m-%d %H:%M}")


def test_an_approval_given_again_changes_nothing(home: Path) -> None:
    register(home, key())
    approve_version(home, 1)
    again = approve_version(home, 1, BOB)
    assert (again.champion, again.is_new) == (1, False)
    assert words(home) == [("promote", 1, "ann", "better offers")]


def test_a_rejected_version_is_no_challenger_however_often_its_night_is_repeated(home: Path) -> None:
    """Nor does an approval take it, be its tags cleaned in MLflow or not; who rejected it, when and why is told."""
    register(home, key())
    reject(home, 1, Person("ann", "too many vouchers"))
    assert held(home) == {}
    assert tags(home, 1)["decision"] == "rejected"
    assert words(home) == [("reject", 1, "ann", "too many vouchers")]
    assert register(home, key()).version == 1
    assert held(home) == {}
    with pytest.raises(RegistryError, match=r"was rejected \(ann, .*: too many vouchers\) and stays so"):
        approve_version(home, 1)
    with open_store(settings_at(home)) as client:
        client.delete_model_version_tag(MODEL, "1", "nightcart.rejected")
        client.set_registered_model_alias(MODEL, "challenger", "1")
    with pytest.raises(RegistryError, match="was rejected"):
        approve_version(home, 1)
    assert "champion" not in held(home)


def test_a_rejection_given_again_keeps_the_first_word(home: Path) -> None:
    register(home, key())
    reject(home, 1, ANN)
    reject(home, 1, BOB)
    assert words(home) == [("reject", 1, "ann", "better offers")]


def test_what_nobody_was_asked_about_can_not_be_rejected(home: Path) -> None:
    """A version that the gate refused, the champion, and one that isn't there."""
    register(home, key(), record(verdict="reject"))
    register(home, key(date=SECOND), record(horizon=SECOND))
    approve_version(home, 2, run_date=SECOND)
    for version, why in ((1, "there is nothing to reject"), (2, "is the champion.*make rollback"), (3, "no version 3")):
        with pytest.raises(RegistryError, match=why):
            reject(home, version)
    assert [one[0] for one in words(home)] == ["promote"]


def test_two_people_have_to_approve_and_one_twice_is_one(home: Path) -> None:
    """The first word moves nothing and is kept; the same person again is told that another is asked."""
    register(home, key())
    for _ in range(2):
        waiting = approve_version(home, 1, ANN, n_needed=2)
        assert "a second person has to approve it; so far ann did" in str(waiting.skipped)
    assert held(home) == {"challenger": 1}
    assert approve_version(home, 1, BOB, n_needed=2).champion == 1
    assert words(home) == [("approve", 1, "ann", "better offers"), ("promote", 1, "bob", "I looked too")]
    assert tags(home, 1)["decided_by"] == "ann, bob"


def test_two_words_at_once_are_two_people(home: Path) -> None:
    """As the approvals of a run hand them over."""
    register(home, key())
    assert approve_version(home, 1, ANN, ANN, n_needed=2).skipped is not None
    assert approve_version(home, 1, ANN, BOB, n_needed=2).champion == 1
    assert [one[0] for one in words(home)] == ["approve", "promote"]


def test_a_champion_moved_by_hand_is_found_out_by_an_approval(home: Path) -> None:
    """Nothing is promoted over it before it is put back; nor does approving it make it right."""
    register(home, key())
    approve_version(home, 1)
    register(home, key(date=SECOND), record(champion_in_force="1", horizon=SECOND))
    with open_store(settings_at(home)) as client:
        client.set_registered_model_alias(MODEL, "champion", "2")
    with pytest.raises(RegistryChanged, match="alias champion is on version 2 and version 1 was approved last"):
        approve_version(home, 2, run_date=SECOND)
    assert standing(settings_at(home), MODEL).champion == 1


def test_an_approval_that_was_rolled_back_is_not_given_again(home: Path) -> None:
    register(home, key())
    approve_version(home, 1)
    register(home, key(date=SECOND), record(champion_in_force="1", horizon=SECOND))
    approve_version(home, 2, run_date=SECOND)
    with open_store(settings_at(home)) as client:
        roll_back(client, settings_at(home), MODEL, ANN)
    with pytest.raises(RegistryError, match="it was rolled back"):
        approve_version(home, 2, run_date=SECOND)
    assert held(home)["champion"] == 1


@pytest.mark.parametrize(
    ("decide", "steps"),
    [
        (lambda home: approve_version(home, 2, run_date=SECOND), range(8)),
        (lambda home: reject(home, 2), range(7)),
    ],
    ids=["approve", "reject"],
)
def test_a_decision_that_was_killed_is_finished_by_the_next(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decide: Callable[[Path], object], steps: Sequence[int]
) -> None:
    """Whichever of its steps in MLflow it was killed before, the next ends where one whole one does."""
    register(home, key())
    approve_version(home, 1)
    register(home, key(date=SECOND), record(champion_in_force="1", horizon=SECOND))
    before = {path: path.read_bytes() for path in (home / "mlflow.db", approvals_record(home))}
    decide(home)
    whole = held(home), tags(home, 2)["decision"], [one[:3] for one in words(home)]
    for n_steps in steps:
        for path, content in before.items():
            path.write_bytes(content)
        with open_store(settings_at(home)) as client, monkeypatch.context() as patch:
            patch.setattr("tests.rl.registry.test_decided.open_store", lambda _, c=client: _Opened(c))
            _kill_after(client, n_steps, patch)
            with suppress(KeyboardInterrupt):
                decide(home)
        decide(home)
        assert (held(home), tags(home, 2)["decision"], [one[:3] for one in words(home)]) == whole


class _Opened:
    """The client, already open."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *_: object) -> None:
        return


def _kill_after(client: Any, n_steps: int, patch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counting(real: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls > n_steps:
                raise KeyboardInterrupt
            return real(*arguments)

        return step

    for name in ("set_model_version_tag", "set_registered_model_alias", "delete_registered_model_alias"):
        patch.setattr(client, name, counting(getattr(client, name)))


def test_the_record_only_grows(home: Path) -> None:
    """An entry that is changed, or taken out, is found out; entries of an earlier release have no hash and stay."""
    settings, path = settings_at(home), approvals_record(home)
    for number in range(3):
        night = FIRST + timedelta(days=number)
        in_force = "behavior" if number == 0 else str(number)
        register(home, key(date=night), record(champion_in_force=in_force, horizon=night))
        approve_version(home, number + 1, run_date=night)
    whole = json.loads(path.read_text(encoding="utf-8"))
    changed = [{**whole[0], "who": "eve"}, *whole[1:]]
    for edited in (changed, whole[1:], [whole[0], whole[2]]):
        path.write_text(json.dumps(edited), encoding="utf-8")
        with pytest.raises(RegistryChanged, match="edited by hand, and it only grows"):
            standing(settings, MODEL)
    old = [{name: value for name, value in one.items() if name != "follows"} for one in whole[:2]]
    path.write_text(json.dumps(old), encoding="utf-8")
    with open_store(settings) as client:
        roll_back(client, settings, MODEL, ANN)
    assert json.loads(path.read_text(encoding="utf-8"))[:2] == old
    assert [one.kind for one in read_approvals(settings, MODEL)] == ["promote", "promote", "rollback"]
