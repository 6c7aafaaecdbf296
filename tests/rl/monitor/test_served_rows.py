"""Served episodes belong to what their shoppers were meant to get, whatever decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from conf.paths import Lake
from rl.data.transitions_reading import read_transitions
from rl.monitor.cut_days import CHANGED, PARTLY, Begun, days_of, partly_served_days
from rl.monitor.launch_outcomes import WatchedLaunch, launch_figures, outcome
from rl.monitor.promise import PromisedGain
from rl.monitor.realised import ServedEpisodes, running_gains
from rl.monitor.served_rows import CONTROL, OTHERS, Lots, ServedRows, read_served_rows, served_episodes
from rl.monitor.watched_launches import days_of_changes
from rl.registry.approvals import approve
from rl.registry.launches import Launch, Stage, begin_launch
from rl.registry.memory import registry_address
from rl.serving.decide import FALLBACK_VERSION
from tests.rl.factories import make_episode, make_pipeline, write_transitions
from tests.rl.serving.served_home import MODEL, settings_at

DAY = date(2026, 3, 5)
PIPELINE = make_pipeline()
LOTS = Lots(
    is_control=lambda shopper: shopper.startswith("c"),
    is_opted_out=lambda shopper: shopper.endswith("-opted-out"),
    gets=lambda shopper, arm, _: arm == "version 1" or shopper.startswith("new"),
)


def read(tmp_path: Path, told: list[tuple[str, str, int, float]]) -> ServedRows:
    """Episodes of one decision each: shopper, who decided, minute of the day and reward."""
    made = []
    for number, (shopper, by, minute, reward) in enumerate(told):
        row = {"policy_version": by, "reward": round(reward * 1e6), "user_id": shopper}
        moment = datetime(2026, 3, 5, tzinfo=UTC) + timedelta(minutes=minute)
        made += make_episode(PIPELINE, f"{number:05d}", moment, [row])
    write_transitions(Lake(tmp_path, PIPELINE.source.name), PIPELINE, DAY, made)
    found = read_served_rows(read_transitions(PIPELINE, Lake(tmp_path, PIPELINE.source.name), DAY), DAY)
    assert found is not None
    return found


def arms(rows: ServedRows, **versions: str) -> dict[str, str]:
    """Arm of each shopper's one episode."""
    found = served_episodes(rows, PIPELINE, horizon=DAY, arms=versions, fallback=FALLBACK_VERSION, lots=LOTS)
    return {rows.shoppers[one]: found.arms[arm] for one, arm in zip(found.shopper, found.arm, strict=True)}


def test_the_fallback_s_sessions_are_their_shoppers_versions(tmp_path: Path) -> None:
    """Of two versions that decided on the day the newest takes whom its share takes, and the other one the rest."""
    told = [("new-a", "second", 0, 1), ("old-a", "first", 1, 1), ("c-a", "shop", 2, 1)]
    told += [(f"{name}-{n}", FALLBACK_VERSION, 3 + n, 1) for name in ("new", "old", "c") for n in range(2)]
    told += [("new-opted-out", FALLBACK_VERSION, 9, 1), ("c-opted-out", FALLBACK_VERSION, 9, 1)]
    found = arms(read(tmp_path, told), first="version 1", second="version 2")
    assert {found["new-a"], found["new-0"], found["new-1"]} == {"version 2"}
    assert {found["old-a"], found["old-0"], found["old-1"]} == {"version 1"}
    assert {found["c-a"], found["c-0"], found["c-1"]} == {CONTROL}
    assert {found["new-opted-out"], found["c-opted-out"]} == {OTHERS}


def test_the_fallback_s_sessions_are_nobodys_where_no_version_decided(tmp_path: Path) -> None:
    told = [("new-a", FALLBACK_VERSION, 0, 1), ("c-a", FALLBACK_VERSION, 1, 1), ("old-a", "shop", 2, 1)]
    assert arms(read(tmp_path, told), second="version 2") == {"new-a": OTHERS, "c-a": CONTROL, "old-a": OTHERS}


def test_poor_sessions_that_the_fallback_decides_make_no_gain(tmp_path: Path) -> None:
    """Nobody decides better; a tenth of sessions, worth a third of others, are left to the fallback."""
    rng = np.random.default_rng(1)
    is_poor, is_held_out = rng.random(4_000) < 0.1, rng.random(4_000) < 0.2
    worth = rng.gamma(2.0, 0.5, 4_000) * np.where(is_poor, 0.3, 1.0)
    told = [
        (
            f"{'c' if held_out else 'new'}-{number}",
            "shop" if held_out else FALLBACK_VERSION if poor else "second",
            number % 1_200,
            float(value),
        )
        for number, (poor, held_out, value) in enumerate(zip(is_poor, is_held_out, worth, strict=True))
    ]
    episodes = served_episodes(
        read(tmp_path, told),
        PIPELINE,
        horizon=DAY,
        arms={"second": "version 2"},
        fallback=FALLBACK_VERSION,
        lots=LOTS,
    )
    (gain,) = running_gains(episodes, "version 2", CONTROL)
    assert abs(gain.value) < 2 * gain.standard_error
    assert gain.standard_error < 0.04  # of sessions without the poor ones the gain would be .07


def test_the_share_of_a_day_is_that_of_the_last_stage_in_force() -> None:
    launch = WatchedLaunch(2, "second", None, None, shares=((DAY, 0.05), (DAY + timedelta(days=3), 0.25)))
    shares = [launch.share_on(DAY + timedelta(days=number)) for number in (-1, 0, 2, 3, 9)]
    assert shares == [1.0, 0.05, 0.05, 0.25, 0.25]
    assert WatchedLaunch(1, "first", None, None).share_on(DAY) == 1.0


@pytest.mark.parametrize(("first", "last", "outage"), [(900, 1_200, None), (0, 600, None), (0, 1_200, (400, 800))])
def test_a_day_that_a_version_decided_in_part_counts_for_no_promise(
    tmp_path: Path, first: int, last: int, outage: tuple[int, int] | None
) -> None:
    """Sessions of the evening are worth less, whoever decides; the version gains .5, as it promised."""
    found = launched_by_day(tmp_path, first, last, outage)
    promise = PromisedGain(0.5, 0.5, 0.35, 0.65, 0.99)
    one = outcome(found, WatchedLaunch(2, "second", None, promise), level=0.95)
    assert (one.standing, one.gains) == ("open", ())
    assert found.cut["version 2"] == {DAY: PARTLY}
    counted = outcome(replace(found, cut={}), WatchedLaunch(2, "second", None, promise), level=0.95)
    assert len(counted.gains) == 1
    figures = launch_figures(found, WatchedLaunch(2, "second", None, promise), one)
    assert "every day on which it decided counts for nobody" in (figures.refusal or "")


def test_a_day_that_a_version_decided_all_along_counts(tmp_path: Path) -> None:
    found = launched_by_day(tmp_path, 0, 1_200, None)
    assert found.cut == {"version 2": {}}
    (gain,) = outcome(found, WatchedLaunch(2, "second", None, None), level=0.95).gains
    assert abs(gain.value - 0.5) < 4 * gain.standard_error


def launched_by_day(tmp_path: Path, first: int, last: int, outage: tuple[int, int] | None) -> ServedEpisodes:
    """A settled day whose evening is poor; the version decides from a minute to another, but for an outage."""
    rng, told = np.random.default_rng(2), []
    for number in range(1_200):
        is_held_out, minute = rng.random() < 0.2, int(rng.integers(0, 1_200))
        is_out = outage is not None and outage[0] <= minute < outage[1]
        is_served = not is_held_out and first <= minute < last and not is_out
        by = "second" if is_served else FALLBACK_VERSION if is_out and not is_held_out else "shop"
        worth = (2.0 if minute < 700 else 0.5) * rng.gamma(8.0, 1 / 8) + 0.5 * is_served
        told.append((f"{'c' if is_held_out else 'new'}-{number}", by, minute, float(worth)))
    return served_episodes(
        read(tmp_path, told),
        PIPELINE,
        horizon=DAY + timedelta(days=30),
        arms={"second": "version 2"},
        fallback=FALLBACK_VERSION,
        lots=LOTS,
    )


def test_days_are_hardly_ever_cut_by_chance() -> None:
    """Of 1,000 days decided all along, by few control shoppers or many, at most a few are taken for parts."""
    rng, n_days, n = np.random.default_rng(3), 1_000, 60
    day = np.repeat(np.arange(n_days) + DAY.toordinal(), n)
    share = np.repeat(rng.uniform(0.05, 0.6, n_days), n)
    begun = Begun(
        day, rng.integers(0, 10**9, len(day)), np.arange(len(day)), (rng.random(len(day)) >= share) + 0, share < 0
    )
    assert len(partly_served_days(begun, 1)) <= 5


def test_days_on_which_persons_or_stages_changed_what_is_served_count_for_nobody(tmp_path: Path) -> None:
    """In the source's zone; what another source's version goes through changes nothing here."""
    settings, source = settings_at(tmp_path), PIPELINE.source
    assert source.zone == "Europe/Berlin"
    for version, name, first in ((1, source.name, DAY), (2, "another", DAY + timedelta(days=90))):
        moments = [datetime.combine(first + timedelta(days=back), time(23, 30), UTC) for back in (0, 4)]
        stages = tuple(Stage(share=share, started_at=at) for share, at in zip((0.05, 0.25), moments, strict=True))
        launch = Launch(registry=registry_address(settings), model=MODEL, source=name, version=version, stages=stages)
        begin_launch(settings, launch)
        before = datetime.now(UTC)
        approve(settings, MODEL, version, replaced=None, who="ann", why="better")
    found = days_of_changes(settings, MODEL, source)
    approved = days_of([before, datetime.now(UTC)], source.zone)
    assert found - approved == {DAY + timedelta(days=1), DAY + timedelta(days=5)}
    assert found & approved


def test_a_day_of_a_change_counts_for_no_version(tmp_path: Path) -> None:
    rows = read(tmp_path, [("new-a", "second", 0, 1), ("c-a", "shop", 1, 1), ("old-a", "first", 2, 1)])
    arms = {"first": "version 1", "second": "version 2"}
    found = served_episodes(rows, PIPELINE, horizon=DAY, arms=arms, fallback=FALLBACK_VERSION, lots=LOTS, changed={DAY})
    assert found.cut == {"version 1": {DAY: CHANGED}, "version 2": {DAY: CHANGED}}
    assert (len(found.counted_for("version 1")), len(found.counted_for(CONTROL))) == (0, 3)
