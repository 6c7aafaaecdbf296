"""Served episodes belong to what their shoppers were meant to get, whatever decided."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from conf.paths import Lake
from rl.data.transitions_reading import read_transitions
from rl.monitor.launch_outcomes import WatchedLaunch
from rl.monitor.realised import running_gains
from rl.monitor.served_rows import CONTROL, OTHERS, Lots, ServedRows, read_served_rows, served_episodes
from rl.serving.decide import FALLBACK_VERSION
from tests.rl.factories import make_episode, make_pipeline, write_transitions

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
