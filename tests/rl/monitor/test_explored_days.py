"""Explored decisions weigh along their episode, and count for the champion that they were explored beside."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from conf.paths import Lake
from conf.specs.scenario import MILLIONTHS
from rl.data.transitions_reading import read_transitions
from rl.monitor.holdouts import Holdout
from rl.monitor.served_rows import OTHERS, ExploredRows, Lots, ServedRows, read_served_rows, served_episodes
from rl.serving.decide import FALLBACK_VERSION
from tests.rl.factories import make_episode, make_pipeline, write_transitions

DAY = date(2026, 3, 5)
PIPELINE = make_pipeline(discount={"gamma": 0.5, "per": "step"})
MIXTURE = "explored-abc"
EVERYBODY_GETS_IT = Lots(lambda _: 0, lambda _: Holdout(0.0, 0.0), lambda _: False, lambda *_: True)


@pytest.fixture
def rows(tmp_path: Path) -> ServedRows:
    """Episodes of the champion, of the mixture, and of both, each with rewards 1, 2 and 4."""
    versions = {"a": ["champion"] * 3, "b": [MIXTURE] * 3, "c": ["champion", MIXTURE, "champion"]}
    made = []
    for number, (name, by) in enumerate(versions.items()):
        told = [{"policy_version": one, "reward": 2**step * MILLIONTHS, "user_id": name} for step, one in enumerate(by)]
        made += make_episode(PIPELINE, name, datetime(2026, 3, 5, 10 + number, tzinfo=UTC), told)
    write_transitions(Lake(tmp_path, PIPELINE.source.name), PIPELINE, DAY, made)
    found = read_served_rows(read_transitions(PIPELINE, Lake(tmp_path, PIPELINE.source.name), DAY), DAY)
    assert found is not None
    return found


def explored(rows: ServedRows, *, is_counted: bool) -> ExploredRows:
    """Every explored decision was half as likely again by the champion as by the mixture."""
    own = rows.is_by({MIXTURE})
    return ExploredRows(own, own & is_counted, np.where(own & is_counted, 1.5, 1.0), {MIXTURE: "version 1"}, ())


def values(rows: ServedRows, found: ExploredRows | None) -> list[tuple[str, float, bool]]:
    """Arm, value and whether it was weighed, of each episode."""
    episodes = served_episodes(
        rows,
        PIPELINE,
        horizon=DAY,
        arms={"champion": "version 1"},
        fallback=FALLBACK_VERSION,
        lots=EVERYBODY_GETS_IT,
        explored=found,
    )
    arms = [episodes.arms[one] for one in episodes.arm]
    return list(zip(arms, episodes.value.tolist(), episodes.is_weighed.tolist(), strict=True))


def test_each_reward_is_weighed_by_the_decisions_up_to_it(rows: ServedRows) -> None:
    """Discounted rewards are 1 each; an episode's weights begin anew with it, and last from a decision on."""
    assert values(rows, explored(rows, is_counted=True)) == [
        ("version 1", 3.0, False),
        ("version 1", pytest.approx(1.5 + 1.5**2 + 1.5**3), True),
        ("version 1", pytest.approx(1 + 1.5 + 1.5), True),
    ]


def test_an_episode_with_a_decision_that_does_not_count_is_nobodys(rows: ServedRows) -> None:
    """Also where the champion began it, before the plan was followed."""
    found = values(rows, explored(rows, is_counted=False))
    assert [arm for arm, _, _ in found] == ["version 1", OTHERS, OTHERS]
