"""Second looks that are declared, in a real MLflow store: one at a time, written once, settled once."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import trials_record
from rl.errors import RegistryChanged
from rl.registry.moved_aliases import moved_aliases, restore_aliases
from rl.registry.store import aliases, open_store
from rl.registry.trials import Trial, begin_trial, read_trial, read_trials, settle_trial, void_reason
from tests.rl.registry.test_registry import FIRST, MODEL, SECOND, key, record, register, settings_at

PLANNED = FIRST + timedelta(days=14)


def trial(version: int = 1, **overrides: Any) -> Trial:
    content = {
        "registry": "mlflow.db",
        "model": MODEL,
        "source": "shop",
        "version": version,
        "night": FIRST,
        "planned": PLANNED,
        "level": 0.004,
        "policy_version": "p" * 16,
        "champion_in_force": "behavior",
        "compared_with": "behavior",
        "spec_hash": "s" * 16,
        "splits": {"test": {"start": "2026-01-20T00:00:00+00:00", "end": "2026-01-30T00:00:00+00:00"}},
    }
    return Trial(**{**content, **overrides})


def begin(home: Path, one: Trial) -> bool:
    with open_store(settings_at(home)) as client:
        return begin_trial(client, settings_at(home), one)


def settle(home: Path, one: Trial, outcome: Any = "void", on: date = PLANNED, why: str = "because") -> Trial:
    with open_store(settings_at(home)) as client:
        return settle_trial(client, settings_at(home), one, outcome=outcome, on=on, why=why)


def held(home: Path) -> dict[str, int]:
    with open_store(settings_at(home)) as client:
        return aliases(client, MODEL)


@pytest.fixture
def two(home: Path) -> Path:
    """A home with two versions that abstained."""
    register(home, key(), record(verdict="abstain"))
    register(home, key(date=SECOND), record(verdict="abstain", horizon=SECOND))
    return home


def test_a_home_without_trials_has_none(home: Path) -> None:
    assert read_trial(settings_at(home), "recommendation") is None


def test_a_trial_is_read_as_it_began_and_its_version_has_the_alias(two: Path) -> None:
    assert begin(two, trial())
    assert read_trial(settings_at(two), "recommendation") == trial()
    assert held(two) == {"on_trial": 1}


def test_a_trial_that_begins_again_is_the_same_one(two: Path) -> None:
    """A night killed after the record and before the alias ends where a whole one does; a later plan doesn't count."""
    begin(two, trial())
    with open_store(settings_at(two)) as client:
        client.delete_registered_model_alias(MODEL, "on_trial")
    assert begin(two, trial(planned=PLANNED + timedelta(days=30)))
    assert read_trials(settings_at(two), MODEL) == (trial(),)
    assert held(two) == {"on_trial": 1}


def test_one_trial_runs_at_a_time(two: Path) -> None:
    begin(two, trial())
    assert not begin(two, trial(2, night=SECOND))
    assert [one.version for one in read_trials(settings_at(two), MODEL)] == [1]
    settle(two, trial())
    assert begin(two, trial(2, night=SECOND))
    assert held(two) == {"on_trial": 2}


def test_a_settled_trial_is_over_for_good(two: Path) -> None:
    """It has no alias, the first word on it stands, and its night repeated doesn't begin it again."""
    begin(two, trial())
    settle(two, trial(), "reject", why="it isn't better")
    assert settle(two, trial(), "promote").outcome == "reject"
    assert not begin(two, trial())
    assert held(two) == {}
    assert read_trial(settings_at(two), "recommendation") is None
    (kept,) = read_trials(settings_at(two), MODEL)
    assert (kept.outcome, kept.settled_on, kept.why) == ("reject", PLANNED, "it isn't better")


def test_a_trial_of_another_registry_or_model_is_none_of_this_one(two: Path) -> None:
    begin(two, trial())
    other = settings_at(two)
    assert read_trial(other, "promotion") is None
    (path,) = [trials_record(two)]
    path.write_text(path.read_text(encoding="utf-8").replace('"mlflow.db"', '"http://elsewhere"'), encoding="utf-8")
    assert read_trial(other, "recommendation") is None


@pytest.mark.parametrize("content", ["", "[{}]", "{}", '[{"level": 2}]', "\ufeff["])
def test_a_record_that_cannot_be_read_is_named_with_the_cure(home: Path, content: str) -> None:
    trials_record(home).write_text(content, encoding="utf-8")
    with pytest.raises(RegistryChanged, match=r"registry_trials\.json: not what this home wrote.*put it back"):
        read_trial(settings_at(home), "recommendation")


def test_what_was_never_declared_can_not_be_settled(home: Path) -> None:
    with pytest.raises(RegistryChanged, match="has no second look at recommendation-policy version 1"):
        settle(home, trial())


def test_the_alias_moved_by_hand_is_told_and_put_back(two: Path) -> None:
    begin(two, trial())
    with open_store(settings_at(two)) as client:
        client.set_registered_model_alias(MODEL, "on_trial", "2")
        (moved,) = moved_aliases(client, settings_at(two), MODEL)
        assert (moved.alias, moved.found, moved.expected) == ("on_trial", 2, 1)
        restore_aliases(client, settings_at(two), MODEL)
    settle(two, trial())
    with open_store(settings_at(two)) as client:
        client.set_registered_model_alias(MODEL, "on_trial", "2")
        assert [(one.alias, one.expected) for one in moved_aliases(client, settings_at(two), MODEL)] == [
            ("on_trial", None)
        ]


def test_the_days_of_a_trial_are_those_after_its_first_look(home: Path) -> None:
    assert trial(planned=FIRST + timedelta(days=3)).days == (
        date(2026, 1, 31),
        date(2026, 2, 1),
        date(2026, 2, 2),
    )


def void(**overrides: Any) -> str:
    found = {"champion_in_force": "behavior", "spec_hash": "s" * 16, "days": trial().days}
    return void_reason(trial(), **{**found, **overrides})


def test_a_trial_holds_while_what_it_hangs_on_does() -> None:
    assert void() == void(days=None) == ""


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"champion_in_force": "4"}, "no champion was in force, and now champion version 4 is"),
        ({"spec_hash": "t" * 16}, f"specs have changed since {FIRST}: tttttttttttttttt instead of ssssssssssssssss"),
        ({"refusal": "rejected (ann: no)"}, r"version 1 was rejected \(ann: no\)"),
        ({"days": trial().days[1:]}, f"days are missing between the looks: {SECOND}"),
        ({"days": ()}, f"{SECOND}.*, {PLANNED}"),
    ],
)
def test_whatever_changed_voids_a_trial_and_is_named(changed: dict[str, Any], told: str) -> None:
    assert re.search(f"^The second look at {MODEL} is void: .*{told}", void(**changed))


def test_everything_that_voids_a_trial_is_told_at_once() -> None:
    assert void(champion_in_force="4", spec_hash="t", refusal="rolled back", days=()).count("; ") == 3
