"""Served episodes belong to what their shoppers were meant to get, whatever decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from conf.paths import Lake
from rl.data.transitions_reading import read_transitions
from rl.figures.monitor import HoldoutFigures
from rl.monitor.cut_days import CHANGED, CONTROLLED, DOUBTFUL, PARTLY, Begun, days_of, partly_served_days
from rl.monitor.holdouts import Holdout, holdout_on, holdouts_seen
from rl.monitor.launch_outcomes import WatchedLaunch, launch_figures, outcome
from rl.monitor.promise import PromisedGain
from rl.monitor.realised import ServedEpisodes, running_gains
from rl.monitor.served_rows import CONTROL, OTHERS, Lots, ServedRows, read_served_rows, served_episodes
from rl.monitor.watched_launches import days_of_changes, days_of_version_control
from rl.registry.approvals import Kind, approve, write_down
from rl.registry.launches import Launch, Stage, begin_launch
from rl.registry.memory import registry_address
from rl.serving.decide import FALLBACK_VERSION
from tests.rl.factories import make_episode, make_pipeline, write_transitions
from tests.rl.serving.served_home import MODEL, settings_at

DAY = date(2026, 3, 5)
PIPELINE = make_pipeline()
LOTS = Lots(
    control_lot=lambda shopper: 0 if shopper.startswith("c") else 2**63,
    holdout=lambda _: Holdout(0.2, 0.2),
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


LOT_OF_ALL = 2**64


def drawn_gain(rows: ServedRows, *, share: float, seen: tuple[HoldoutFigures, ...] = ()) -> tuple[float, float]:
    """The gain of a day, and its error, once the share is as said: shoppers' names end in their lots, in 1/4000."""
    lots = Lots(
        control_lot=lambda shopper: int(shopper[-4:]) * (LOT_OF_ALL // 4_000),
        holdout=partial(holdout_on, seen=holdouts_seen(seen, DAY + timedelta(days=9), share)),
        is_opted_out=lambda _: False,
        gets=lambda *_: True,
    )
    arms = {"second": "version 2"}
    episodes = served_episodes(rows, PIPELINE, horizon=DAY, arms=arms, fallback=FALLBACK_VERSION, lots=lots)
    (gain,) = running_gains(episodes, "version 2", CONTROL)
    return gain.value, gain.standard_error


@pytest.fixture
def drawn_day(tmp_path: Path) -> Callable[..., ServedRows]:
    """A day on which 5% were held out, worth 1, and all others served, worth 2; a tenth of sessions are poor."""

    def of(*, fallback: float = 0.0, strays: int = 0) -> ServedRows:
        rng, told = np.random.default_rng(4), []
        for lot in range(4_000):
            is_poor, is_control = rng.random() < fallback, strays <= lot < 200
            by = "shop" if is_control else FALLBACK_VERSION if is_poor else "second"
            worth = (0.2 if is_poor else 1.0) * (1.0 if lot < 200 else 2.0) + rng.normal(0, 0.1)
            told.append((f"s-{lot:04d}", by, int(rng.integers(0, 1_200)), worth))
        return read(tmp_path, told)

    return of


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("fallback", [0.0, 0.1])
def test_a_greater_share_held_out_since_leaves_a_past_gain_as_it_was(
    drawn_day: Callable[..., ServedRows], share: float, fallback: float
) -> None:
    """No night has written down which share was in force: decisions of versions tell who can't have been held out."""
    value, error = drawn_gain(drawn_day(fallback=fallback), share=share)
    assert abs(value - (1 - 0.8 * fallback)) < 4 * error
    assert error < 0.05


def test_few_decisions_in_a_version_s_name_take_no_control_group_away(drawn_day: Callable[..., ServedRows]) -> None:
    """Whoever made them, at most one in a hundred; their own shoppers are left out."""
    value, error = drawn_gain(drawn_day(strays=2), share=0.05)
    assert abs(value - 1) < 4 * error < 0.2


def test_a_smaller_share_since_keeps_the_control_group_that_nights_saw(drawn_day: Callable[..., ServedRows]) -> None:
    rows = drawn_day()
    before = drawn_gain(rows, share=0.05)
    seen = (HoldoutFigures(first=DAY - timedelta(days=2), last=DAY + timedelta(days=1), share=0.05),)
    assert drawn_gain(rows, share=0.01, seen=seen) == before
    assert drawn_gain(rows, share=0.01)[1] > before[1]


def test_a_day_on_which_versions_decided_for_everybody_says_why_it_counts_for_nobody(tmp_path: Path) -> None:
    rows = read(tmp_path, [("c-a", "second", 0, 1), ("c-b", "second", 1, 1), ("new-a", "second", 2, 1)])
    found = served_episodes(
        rows, PIPELINE, horizon=DAY, arms={"second": "version 2"}, fallback=FALLBACK_VERSION, lots=LOTS
    )
    assert found.cut == {"version 2": {DAY: DOUBTFUL}}


def test_days_between_nights_that_saw_different_shares_may_be_of_either() -> None:
    nights = [(0, 0.05), (1, 0.05), (4, 0.05), (6, 0.1), (7, 0.1), (9, 0.02)]
    seen: tuple[HoldoutFigures, ...] = ()
    for number, share in nights:
        seen = holdouts_seen(seen, DAY + timedelta(days=number), share)
    assert [(one.last - one.first).days for one in seen] == [4, 1, 0]
    found = [holdout_on(DAY + timedelta(days=number), seen) for number in range(-3, 12)]
    of_first, doubtful, of_second = Holdout(0.05, 0.05), Holdout(0.05, 0.1), Holdout(0.1, 0.1)
    assert found[:8] == [of_first] * 8
    assert found[8:11] == [doubtful, doubtful, of_second]
    assert found[11:] == [Holdout(0.02, 0.1)] * 2 + [Holdout(0.02, 0.02)] * 2
    assert holdouts_seen(seen[:1], seen[0].last, 0.3, retaken=seen) == seen


def test_days_on_which_a_version_decided_for_the_control_group_count_for_no_promise(tmp_path: Path) -> None:
    """Its decisions for the group say nothing of who was held out, and the group stays one."""
    rows = read(tmp_path, [("new-a", "second", 0, 1), ("c-a", "first", 1, 1), ("c-b", "first", 2, 1)])
    arms = {"first": "version 1", "second": "version 2"}
    found = served_episodes(
        rows, PIPELINE, horizon=DAY, arms=arms, fallback=FALLBACK_VERSION, lots=replace(LOTS, controlled={DAY})
    )
    assert found.cut == {"version 1": {DAY: CONTROLLED}, "version 2": {DAY: CONTROLLED}}
    assert len(found.of(CONTROL)) == 2


def test_the_record_of_approvals_tells_when_a_version_decided_for_the_control_group(tmp_path: Path) -> None:
    settings, source = settings_at(tmp_path), PIPELINE.source
    told: list[tuple[Kind, int]] = [("control", 1), ("no_control", 1), ("control", 2), ("control", 1)]
    first = write_down(settings, MODEL, *told[0], replaced=None, who="ann", why="as before").at
    today = first.astimezone(ZoneInfo(source.zone)).date()
    later = today + timedelta(days=5)
    assert days_of_version_control(settings, MODEL, source, later) == {today + timedelta(days=n) for n in range(6)}
    assert days_of_version_control(settings, MODEL, source, today - timedelta(days=1)) == frozenset()
    write_down(settings, MODEL, *told[1], replaced=None, who="ann", why="enough")
    assert later not in days_of_version_control(settings, MODEL, source, later)
    for one in told[2:]:
        write_down(settings, MODEL, *one, replaced=None, who="ann", why="as before")
    assert later in days_of_version_control(settings, MODEL, source, later)
