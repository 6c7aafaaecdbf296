"""True values beside estimates."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from conf.paths import Lake, simulated_shop
from rl.data.dataset import Dataset, prepare_dataset
from rl.night.truth import true_values
from rl.policy import StochasticPolicy
from rl.policy.network import DenseNetwork
from rl.shops.recommendation.played_shop import test_days as days_of_test_split
from rl.shops.recommendation.shop_settings import SHOP_FILE, ShopSettings
from tests.rl.factories import make_pipeline, write_shop
from tests.rl.simulated_lake import write_simulated_lake

SHOP = ShopSettings(n_days=8, n_shoppers=60)
N_SESSIONS = 24_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("truth")


@pytest.fixture(scope="module")
def dataset(home: Path) -> Dataset:
    pipeline = make_pipeline("simulated_shop")
    lake = Lake(home / "lake", "simulated_shop")
    write_simulated_lake(home, lake, pipeline, SHOP)
    return prepare_dataset(pipeline, lake, SHOP.last_date)


def preferring(dataset: Dataset, favorites: list[int], weight: float) -> StochasticPolicy:
    """A policy that prefers some actions by so many logits."""
    n_actions, n_features = dataset.vocabulary.n_actions, dataset.encoder.n_features
    bias = np.zeros(n_actions, dtype=np.float32)
    bias[favorites] = weight
    return StochasticPolicy(
        name="fixed",
        network=DenseNetwork((np.zeros((n_actions, n_features), dtype=np.float32),), (bias,)),
        encoder=dataset.encoder,
        vocabulary=dataset.vocabulary,
        output_scale=1.0,
        temperature=1.0,
        exploration_floor=0.1,
        is_other_chosen=False,
        dataset_digest=dataset.digest,
    )


def test_true_values_tell_a_boring_policy_from_a_varied_one(home: Path, dataset: Dataset) -> None:
    """Showing one item again and again bores shoppers: its value is far below that of choosing evenly."""
    policies = {"one": preferring(dataset, [0], 9.0), "even": preferring(dataset, [], 0.0)}
    truth = true_values(home, dataset, policies, n_episodes=N_SESSIONS)
    assert truth.note == ""
    assert truth.behavior is not None
    one, even = truth.policies["one"], truth.policies["even"]
    assert even.value - one.value > 4 * np.hypot(even.standard_error, one.standard_error)
    assert truth.behavior.n_episodes == even.n_episodes


def test_true_values_are_repeatable(home: Path, dataset: Dataset) -> None:
    """The same shop, policy and seed give the same value."""
    policies = {"even": preferring(dataset, [], 0.0)}
    first, again = (true_values(home, dataset, policies, n_episodes=N_SESSIONS) for _ in range(2))
    assert first == again


def test_test_days_lie_in_the_shop_and_in_the_split(dataset: Dataset) -> None:
    """Days whose noon lies in the test split; none before its start, none after its end."""
    first, last = days_of_test_split(dataset)
    interval = dataset.intervals["test"]
    assert SHOP.first_date <= first <= last <= SHOP.last_date
    hours = (interval.end - interval.start) / 3_600_000_000
    assert (last - first).days + 1 <= hours / 24 + 1


def test_a_shop_that_is_not_at_hand_is_said(dataset: Dataset, tmp_path: Path) -> None:
    """Without shop.json there are no true values, and the note says what is missing."""
    truth = true_values(tmp_path, dataset, {}, n_episodes=N_SESSIONS)
    assert truth.behavior is None
    assert "no shop.json" in truth.note


def test_a_shop_of_other_days_is_said(dataset: Dataset, tmp_path: Path) -> None:
    """A shop.json whose days aren't the log's can't have made it."""
    other = SHOP.model_copy(update={"first_date": SHOP.first_date - timedelta(days=100)})
    SHOP_FILE.save(other, simulated_shop(tmp_path, "simulated_shop"))
    assert "can't be played for this log" in true_values(tmp_path, dataset, {}, n_episodes=N_SESSIONS).note


def test_real_shops_have_no_true_values(tmp_path: Path) -> None:
    """A source that isn't simulated is never looked up in a simulated shop."""
    pipeline = make_pipeline("canonical")
    lake = Lake(tmp_path / "lake", "canonical")
    last = write_shop(lake, pipeline, n_episodes=15)
    assert true_values(tmp_path, prepare_dataset(pipeline, lake, last), {}).note == "the log is of a real shop"
