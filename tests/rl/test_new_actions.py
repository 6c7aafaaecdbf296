"""Actions that came after the training split: the log's propensities are of them, the dense index lumps them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.paths import Lake
from rl.data.dataset import Dataset, prepare_dataset
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes
from rl.night.evaluation import unknown_actions
from rl.ope.propensities.logged_propensities import check_logged_propensities
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities
from tests.rl.factories import (
    FIRST_DAY,
    availability_id,
    available_items,
    make_logged_episodes,
    make_pipeline,
    shop_rows,
    write_availability,
    write_transitions,
)
from tests.rl.night_factory import made_night

N_OLD, N_NEW = 8, 12


def dataset_with_new_items(folder: Path, **scenario: Any) -> Dataset:
    """Fourteen days of a shop that has four more items from the tenth day on, behind the training split."""
    pipeline, lake = make_pipeline(**scenario), Lake(folder, "simulated_shop")
    for n in range(14):
        day, n_items = FIRST_DAY + timedelta(days=n), N_OLD if n < 9 else N_NEW
        write_transitions(lake, pipeline, day, shop_rows(pipeline, day, n_episodes=120, n_items=n_items, n_users=80))
        write_availability(lake, pipeline, day, {availability_id(day): available_items(day, n_items)})
    return prepare_dataset(pipeline, lake, FIRST_DAY + timedelta(days=13))


@pytest.mark.parametrize("max_actions", [500, 5])
def test_propensities_of_a_shop_with_new_items_are_plausible(tmp_path: Path, max_actions: int) -> None:
    """A uniform choice's weight averages 1 exactly, with items new since training and with more than have an entry."""
    action = {"max_actions": max_actions}
    test = dataset_with_new_items(tmp_path, action=action).to_logged_episodes("test")
    assert (test.action == test.n_actions - 1).mean() > 0.2
    assert unknown_actions(test) == (test.action == test.n_actions - 1).mean()
    check = check_logged_propensities(test)
    assert check.problem is None
    assert check.mean_uniform_weight == pytest.approx(1.0, abs=1e-9)


def test_wrong_propensities_of_a_shop_with_new_items_are_still_caught(tmp_path: Path) -> None:
    """A third of the true ones make the weight average 3."""
    test = dataset_with_new_items(tmp_path).to_logged_episodes("test")
    test.propensity[:] = test.propensity / 3
    assert check_logged_propensities(test).problem is not None


class _Even:
    version = "even"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:  # noqa: ARG002
        return np.asarray(mask / mask.sum(axis=1, keepdims=True), dtype=np.float64)


def test_a_policy_shares_the_probability_of_lumped_actions_among_them() -> None:
    """Of three entries the last stands for four items: each of them has a quarter of its third."""
    log = make_logged_episodes((3,), lumped=np.array([4]))
    assert logged_action_probabilities(_Even(), log) == pytest.approx([1 / 3, 1 / 3, 1 / 12])
    assert log.n_available.tolist() == [6]


class _Preferring:
    version = "preferring"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:  # noqa: ARG002
        weight = mask * np.where(np.arange(mask.shape[1]) == 0, 4.0, 1.0)
        return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float64)


def _paid_for_the_first(episodes: LoggedEpisodes) -> LoggedEpisodes:
    chance = np.where(episodes.action == 0, 0.8, 0.2)
    rng = np.random.default_rng(1)
    return replace(episodes, reward=(rng.random(episodes.n_transitions) < chance).astype(np.float64))


def test_a_better_candidate_passes_with_two_of_twelve_items_new(tmp_path: Path) -> None:
    """New items cost it no check of the gate: what pays is shown more often, and the gain is seen."""
    pipeline, lake = make_pipeline(), Lake(tmp_path, "simulated_shop")
    for n in range(14):
        day, n_items = FIRST_DAY + timedelta(days=n), 10 if n < 9 else 12
        rows = shop_rows(pipeline, day, n_episodes=500, n_items=n_items, n_users=900, seed=n)
        write_transitions(lake, pipeline, day, rows)
        write_availability(lake, pipeline, day, {availability_id(day): available_items(day, n_items)})
    made = prepare_dataset(pipeline, lake, FIRST_DAY + timedelta(days=13))
    train, test = (_paid_for_the_first(made.to_logged_episodes(split)) for split in ("train", "test"))
    assert 0.1 < (test.action == test.n_actions - 1).mean() < 0.3
    night = made_night(train, test, _Preferring())
    stopping = [check.name for check in night.verdict.checks if not check.is_passed]
    # The made-up night evaluates no side metric, so its guardrail alone stays unknown.
    assert [name for name in stopping if not name.startswith("guardrail")] == []
    assert night.evidence.difference is not None
    assert night.evidence.difference.lower > 0
