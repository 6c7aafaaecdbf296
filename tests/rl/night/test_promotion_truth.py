"""True values of the shop of weekly offers beside estimates: on their footing, over the weeks they run over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from conf.paths import Lake, simulated_shop
from rl.data.dataset import Dataset, prepare_dataset
from rl.night.truth import true_values
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from rl.policy import StochasticPolicy
from rl.policy.network import DenseNetwork
from rl.shops.promotion.promotion_settings import SHOP_FILE
from rl.shops.settings_file import changed_settings
from tests.bench.promotion.simulated_night import promotion_pipeline, shop_of_a_year
from tests.rl.promotion_lake import write_promotion_lake

SHOP = shop_of_a_year(1, 150, n_weeks=40)
N_EPISODES = 4000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("promotion-truth")


@pytest.fixture(scope="module")
def dataset(home: Path) -> Dataset:
    pipeline = promotion_pipeline(splits={"min_episodes": 50})
    lake = Lake(home / "lake", pipeline.source.name)
    last = write_promotion_lake(home, lake, pipeline, SHOP)
    return prepare_dataset(pipeline, lake, last)


def sending(dataset: Dataset, key: str) -> StochasticPolicy:
    """A policy that nearly always sends one offer where it may."""
    n_actions, n_features = dataset.vocabulary.n_actions, dataset.encoder.n_features
    bias = np.zeros(n_actions, dtype=np.float32)
    bias[dataset.vocabulary.keys.index(key)] = 9.0
    return StochasticPolicy(
        name=key,
        network=DenseNetwork((np.zeros((n_actions, n_features), dtype=np.float32),), (bias,)),
        encoder=dataset.encoder,
        vocabulary=dataset.vocabulary,
        output_scale=1.0,
        temperature=1.0,
        exploration_floor=0.01,
        is_other_chosen=False,
        dataset_digest=dataset.digest,
    )


def test_true_values_tell_a_ruinous_offer_from_none(home: Path, dataset: Dataset) -> None:
    """Letters with ten off to everybody lose money against sending nothing, by three unpaired errors and more."""
    truth = true_values(
        home, dataset, {key: sending(dataset, key) for key in ("letter_10", "none")}, n_episodes=N_EPISODES
    )
    assert truth.note == ""
    assert truth.behavior is not None
    letters, nothing = truth.policies["letter_10"], truth.policies["none"]
    assert nothing.value - letters.value > 3 * np.hypot(nothing.standard_error, letters.standard_error)
    assert truth.behavior.n_episodes == nothing.n_episodes


def test_the_log_s_own_mean_agrees_with_the_truth(home: Path, dataset: Dataset) -> None:
    """Estimate and truth of the behavior policy are of the same episodes, weeks and discount: within their errors."""
    settings = replace(EvaluationSettings.from_scenario(dataset.pipeline.scenario), estimators=("on_policy",))
    episodes = dataset.to_logged_episodes("test")
    found = evaluate_policies({}, train=episodes, test=episodes, settings=settings).report(BEHAVIOR, "on_policy")
    truth = true_values(home, dataset, {}, n_episodes=N_EPISODES).behavior
    assert truth is not None
    assert found.value is not None
    assert found.standard_error is not None
    assert abs(found.value - truth.value) < 4 * np.hypot(found.standard_error, truth.standard_error)


def test_true_values_are_repeatable(home: Path, dataset: Dataset) -> None:
    """The same shop and seed give the same value."""
    first, again = (true_values(home, dataset, {}, n_episodes=N_EPISODES) for _ in range(2))
    assert first == again


def test_values_that_run_on_are_played_beyond_their_block(home: Path, dataset: Dataset) -> None:
    """Where a fitted value stands for what follows, the truth follows it too, until weeks count for next to nothing."""
    block = true_values(home, dataset, {}, n_episodes=1000).behavior
    other = replace(dataset, pipeline=promotion_pipeline(evaluation={"after_cut": "fitted"}))
    endless = true_values(home, other, {}, n_episodes=1000).behavior
    assert block is not None
    assert endless is not None
    assert 1.8 < endless.value / block.value < (1 - 0.9**48) / (1 - 0.9**4)


def test_a_shop_that_is_not_at_hand_is_said(dataset: Dataset, tmp_path: Path) -> None:
    """Without promotion_shop.json there are no true values, and the note says what is missing."""
    assert "no promotion_shop.json" in true_values(tmp_path, dataset, {}).note


def test_a_shop_of_other_weeks_is_said(dataset: Dataset, tmp_path: Path) -> None:
    """A shop whose weeks aren't the log's can't have made it."""
    other = changed_settings(SHOP, first_monday=SHOP.first_monday - timedelta(weeks=300))
    SHOP_FILE.save(other, simulated_shop(tmp_path, "simulated_promotion"))
    note = true_values(tmp_path, dataset, {}).note
    assert "none of the shop's 40 weeks" in note


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"reward": {"terms": [{"event": "purchase", "value": "revenue"}]}}, "isn't the week's margin"),
        ({"episode": {"max_steps": 2}}, "episode.max_steps"),
    ],
)
def test_what_the_shop_can_t_be_played_for_is_said(
    home: Path, dataset: Dataset, changes: dict[str, object], why: str
) -> None:
    """Rewards or episodes of which the shop knows no truth get a note, not a wrong value."""
    other = replace(dataset, pipeline=promotion_pipeline(**changes))
    assert why in true_values(home, other, {}).note
