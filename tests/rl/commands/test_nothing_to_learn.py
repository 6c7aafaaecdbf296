"""Logs from which rightly nothing is learned: a skip with a plain reason, or an abstention, and never a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.observation_features import id_hash
from conf.paths import Lake
from conf.settings import Settings
from rl.commands import evaluate, prepare, register, worth
from tests.rl.commands.conftest import SMALL, NightHome
from tests.rl.factories import (
    FIRST_DAY,
    Row,
    availability_id,
    available_items,
    category,
    item,
    make_pipeline,
    shop_rows,
    write_availability,
    write_items,
    write_transitions,
)

pytestmark = pytest.mark.xdist_group("nights")


def unchanged(row: Row) -> Row:
    return row


def built(home: Path, *, n_days: int, n_episodes: int = 30, change: Callable[[Row], Row] = unchanged) -> NightHome:
    """A home in which days of a made-up shop's transitions are built, each row changed."""
    pipeline = make_pipeline("canonical", **SMALL)
    lake = Lake(Settings.from_environment({"NIGHTCART_HOME": str(home)}).lake, "canonical")
    write_items(lake, pipeline, FIRST_DAY, {item(index): category(index) for index in range(12)})
    for number in range(n_days):
        day = FIRST_DAY + timedelta(days=number)
        write_availability(lake, pipeline, day, {availability_id(day): available_items(day, 12)})
        rows = shop_rows(pipeline, day, n_episodes=n_episodes)
        write_transitions(lake, pipeline, day, [change(row) for row in rows])
    return NightHome(home, pipeline, FIRST_DAY + timedelta(days=n_days - 1))


def one_action(row: Row) -> Row:
    return {**row, "action_id": id_hash(item(0)), "action_key": item(0)}


def unrewarded(row: Row) -> Row:
    return {**row, "reward": 0}


LOGS: dict[str, tuple[dict[str, Any], str]] = {
    "two days": ({"n_days": 2}, "too short to split"),
    "few episodes": ({"n_days": 12, "n_episodes": 1}, "too few episodes"),
    "one action": ({"n_days": 12, "change": one_action}, "1 distinct action"),
    "nothing earned": ({"n_days": 12, "change": unrewarded}, "nothing was earned"),
    "no decisions": ({"n_days": 12, "n_episodes": 0}, "no transitions up to"),
}


@pytest.mark.parametrize("name", LOGS)
def test_prepare_skips_with_the_reason(tmp_path: Path, name: str) -> None:
    """The reason stands in the result and in the run folder; no dataset is left to train on."""
    arguments, reason = LOGS[name]
    night = built(tmp_path, **arguments)
    result = night.command(prepare)
    assert reason in result["skipped"]
    assert json.loads(night.run.nothing_to_learn.read_text(encoding="utf-8")) == result
    assert not (night.run.dataset / "dataset.json").exists()


@pytest.mark.parametrize(
    ("quarantined", "first"),
    [
        (
            {"decisions": 19_900, "episodes": 9_000, "no_consent": 19_813, "outside_set": 60},
            "19,813 of 20,029 decisions are of shoppers without consent, and 19,900 are set aside in all (27 of them "
            "as others of the same episodes): ",
        ),
        ({"decisions": 120, "outside_set": 100}, "nothing"),
        ({"decisions": 400, "outside_set": 100}, "100 of 529 decisions chose what their availability set doesn"),
    ],
)
def test_what_set_most_decisions_aside_is_said_first(tmp_path: Path, quarantined: dict[str, int], first: str) -> None:
    """Else a list of opt-outs that was taken for one of consents looks like a shop without visitors."""
    night = built(tmp_path, n_days=12, change=unrewarded)
    night.run.folder.mkdir(parents=True, exist_ok=True)
    night.run.build_result.write_text(json.dumps({"n_transitions": 129, "quarantined": quarantined}), encoding="utf-8")
    reason = night.command(prepare)["skipped"]
    assert reason.startswith(first)
    assert "nothing was earned" in reason
    assert ("consent.unlisted: given" in reason) == ("no_consent" in quarantined)
    assert first.rstrip() in night.run.page.read_text(encoding="utf-8")


def test_a_night_that_learns_nothing_leaves_a_page(tmp_path: Path) -> None:
    """What was read, why it is too little, and what would be needed; nothing that was never counted."""
    night = built(tmp_path, n_days=2)
    night.run.folder.mkdir(parents=True, exist_ok=True)
    counts = {"n_lines": 1100, "n_events": 1040, "n_derived": 0, "n_rejected": 60, "n_not_yet": 0}
    accepted = [{"delivery": "2026-01-05", "reason": "a <test> day", "who": "ann", "at": "2026-01-06T03:00:00+00:00"}]
    words = {"Rückgabe": 41}
    told = counts | {"rejected": {"unknown_event_type": 60}, "accepted": accepted, "unknown_event_types": words}
    night.run.ingest_result.write_text(json.dumps(told), encoding="utf-8")
    result = night.command(prepare)
    page = night.run.page.read_text(encoding="utf-8")
    for expected in (
        "No policy was trained",
        "too short to split",
        "1,100",
        "unknown event type",
        "a &lt;test&gt; day (ann, 2026-01-06)",
        "Rückgabe (41)",
        "episodes in each of training, validation and test",
        "What would be needed",
    ):
        assert expected in page
    assert "skipped" in result
    night.run.ingest_result.unlink()
    night.command(prepare)
    assert "counts of lines were not found" in night.run.page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LOGS)
def test_worth_says_in_words_that_nothing_can_be_learned(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An abstention whose JSON any reader takes."""
    arguments, reason = LOGS[name]
    night = built(tmp_path, **arguments)
    monkeypatch.setattr(worth, "load_pipeline", lambda *_: night.pipeline)
    result = worth.run(settings=night.settings, source="canonical", scenario="recommendation", run_date=night.run_date)
    assert result["answer"] == "cannot_tell"
    assert reason in result["sentence"]
    json.dumps(result, allow_nan=False)


def test_a_later_day_that_suffices_is_prepared(tmp_path: Path) -> None:
    """The reason of an earlier try is gone then."""
    night = built(tmp_path, n_days=12)
    night.run.nothing_to_learn.parent.mkdir(parents=True)
    night.run.nothing_to_learn.write_text("{}", encoding="utf-8")
    assert "skipped" not in night.command(prepare)
    assert not night.run.nothing_to_learn.exists()


@pytest.mark.parametrize("part", ["after training", "but once"])
def test_a_night_that_hardly_earned_is_registered_as_an_abstention(tmp_path: Path, part: str) -> None:
    """Rewards in the training days alone, or one reward: evaluated and registered, whatever cannot be told."""
    kept = {"n": 0}

    def changed(row: Row) -> Row:
        if part == "but once":
            kept["n"] += 1
            return {**row, "reward": 1_000_000 if kept["n"] == 1 else 0}
        return row if row["decision_time"].date() < FIRST_DAY + timedelta(days=4) else {**row, "reward": 0}

    night = built(tmp_path, n_days=12, change=changed)
    night.train_all()
    assert night.command(evaluate)["verdict"] == "abstain"
    assert night.command(register)["verdict"] == "abstain"
    assert "NaN" not in night.run.evaluation.read_text(encoding="utf-8")
