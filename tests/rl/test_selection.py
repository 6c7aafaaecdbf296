"""The choice of candidate and temperature."""

from __future__ import annotations

import numpy as np
import pytest

from conf.observation_features import id_hash
from rl.errors import EvaluationError
from rl.logged_episodes import LoggedEpisodes
from rl.ope.discount import Discount
from rl.ope.fqe import FqeSettings
from rl.ope.intervals import Resampling
from rl.ope.report import EvaluationSettings
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding
from rl.selection import Selection, rough_fqe, select_candidate
from tests.rl.factories import make_logged_episodes

N_ACTIONS, GOOD = 3, 1


def policy(name: str, logits: list[float]) -> StochasticPolicy:
    """A policy that prefers actions by these logits, whatever it sees."""
    keys = tuple(f"item-{i}" for i in range(N_ACTIONS))
    network = DenseNetwork((np.zeros((N_ACTIONS, 1), dtype=np.float32),), (np.array(logits, dtype=np.float32),))
    return StochasticPolicy(
        name=name,
        network=network,
        encoder=ObservationEncoder((ColumnEncoding("session_step", "count"),)),
        vocabulary=Vocabulary(keys, tuple(id_hash(key) for key in keys), has_other=False),
        output_scale=1.0,
        temperature=1.0,
        exploration_floor=0.05,
        is_other_chosen=False,
        dataset_digest="digest",
    )


def bandit_log(n: int, *, seed: int = 0) -> LoggedEpisodes:
    """One-step episodes under a uniform choice; the good action earns 1 with probability .6, others with .2."""
    generator = np.random.default_rng(seed)
    action = generator.integers(0, N_ACTIONS, n)
    reward = (generator.random(n) < np.where(action == GOOD, 0.6, 0.2)).astype(float)
    return make_logged_episodes(
        [1] * n, N_ACTIONS, action=action.astype(np.int64), reward=reward, features=np.zeros((n, 1), dtype=np.float32),
        next_features=np.zeros((n, 1), dtype=np.float32),
    )  # fmt: skip


def select(*, is_logged: bool = True, estimator: str = "pdis", **overrides: object) -> Selection:
    settings = EvaluationSettings(
        discount=Discount(1.0), resampling=Resampling(n_draws=200), fqe=FqeSettings(method="linear")
    )
    candidates = {"bad-1": policy("bad-1", [2.0, 0.0, 0.0]), "good-1": policy("good-1", [0.0, 2.0, 0.0])}
    arguments = {
        "train": bandit_log(300, seed=1), "validation": bandit_log(600, seed=2), "settings": settings,
        "estimator": estimator, "temperatures": (0.5, 4.0), "is_logged": is_logged,
    }  # fmt: skip
    return select_candidate(candidates, **{**arguments, **overrides})  # type: ignore[arg-type]  # by keyword


def test_the_better_policy_is_selected_at_its_better_temperature() -> None:
    """The one that prefers the good action wins, and sharper is better for it."""
    selection = select()
    assert (selection.best.policy.name, selection.best.policy.temperature) == ("good-1", 0.5)
    assert (selection.estimator, selection.note) == ("pdis", "")


def test_each_candidate_keeps_its_own_best_temperature() -> None:
    """The worse policy is least bad when it is nearly uniform; both stand in the given order."""
    choices = select().by_candidate
    assert [(choice.policy.name, choice.policy.temperature) for choice in choices] == [("bad-1", 4.0), ("good-1", 0.5)]


def test_the_selected_policy_carries_its_temperature_in_its_version() -> None:
    """What is evaluated and registered later is the policy at the chosen temperature."""
    best = select().best.policy
    assert best.version == best.with_temperature(0.5).version != best.with_temperature(4.0).version


def test_a_refused_estimator_falls_back_to_the_direct_method() -> None:
    """Where propensities are unknown, the direct method decides, and the note says why."""
    validation = bandit_log(600, seed=2)
    unknown = make_logged_episodes(
        [1] * 600, N_ACTIONS, action=validation.action, reward=validation.reward, features=validation.features,
        next_features=validation.next_features, propensity=np.full(600, np.nan),
    )  # fmt: skip
    selection = select(validation=unknown)
    assert selection.estimator == "dm"
    assert "instead of pdis" in selection.note
    assert selection.best.policy.name == "good-1"


def test_nothing_to_choose_from_is_an_error() -> None:
    """Without temperatures (or candidates) there is no choice."""
    with pytest.raises(EvaluationError, match="train one first"):
        select(temperatures=())


def test_rough_fits_do_a_fifth_of_the_updates() -> None:
    """They keep everything else, and never fall to no update at all."""
    rough = rough_fqe(FqeSettings(n_updates=2000, hidden=(7,)))
    assert (rough.n_updates, rough.n_rounds, rough.hidden) == (400, 15, (7,))
    assert rough_fqe(FqeSettings(n_updates=1)).n_updates == 1
