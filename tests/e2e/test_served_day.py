"""What a service decided on a simulated day is tomorrow's evidence: ingested, and judged by its own propensities."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from pyspark.sql import SparkSession
from scipy.stats import chi2

from conf.paths import Run
from rl.commands import monitor
from rl.data.logged_episodes import LoggedEpisodes
from rl.figures.monitor import read_monitor
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities
from rl.policy import StochasticPolicy
from rl.shops.recommendation.shop import build_shop
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import SCENARIO, SOURCE, promote, running, settings_at
from tests.rl.serving.served_shop_day import DAY, ServedShop, chosen_as_often_as_told, pipeline_of, shop_of

pytestmark = pytest.mark.e2e

SMALLEST_CHANCE = 1e-4
"""Of a good service's counts: what they are is fixed by no seed, so that once in ten thousand runs this fails."""


@pytest.fixture(scope="module")
def lived(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[ServedShop, StochasticPolicy]:
    """A shop whose day a home's service decided, ingested and built, and the home's champion."""
    home = tmp_path_factory.mktemp("served") / "home"
    shop = ServedShop(home, pipeline_of(home.parent / "sources"), shop_of(seed=1, n_shoppers=300), spark)
    policy = make_policy(*build_shop(shop.settings).catalogue.item_ids, seed=3)
    home.mkdir()
    promote(home, 0, policy)
    shop.open()
    with running(home, "--replay", "--decisions", str(shop.today), version=1) as service:
        shop.live(service)
        assert service.ready()["status"] == "ready"
    shop.take_in()
    return shop, policy


@pytest.fixture(scope="module")
def served(lived: tuple[ServedShop, StochasticPolicy]) -> tuple[StochasticPolicy, LoggedEpisodes]:
    """The champion, and the episodes of the day."""
    shop, policy = lived
    return policy, shop.episodes(policy)


def test_every_propensity_is_what_the_champion_gives_the_row(
    served: tuple[StochasticPolicy, LoggedEpisodes],
) -> None:
    """So its weights are 1: what the service saw over HTTP is what Spark built from the logs.

    To single precision, in which the network sums, in another order for a batch than for one observation.
    """
    policy, episodes = served
    assert episodes.n_transitions > 500
    assert set(episodes.policy_versions) == {policy.version}
    ratio = logged_action_probabilities(policy, episodes) / episodes.propensity
    np.testing.assert_allclose(ratio, 1, rtol=1e-5)


def test_actions_are_as_frequent_as_their_propensities_say(
    served: tuple[StochasticPolicy, LoggedEpisodes],
) -> None:
    statistic, degrees = chosen_as_often_as_told(*served)
    assert degrees > 20
    assert chi2.sf(statistic, degrees) > SMALLEST_CHANCE


def test_other_frequencies_would_be_seen(served: tuple[StochasticPolicy, LoggedEpisodes]) -> None:
    """The same rows with uniform choices are told apart, so that the test above can fail."""
    policy, episodes = served
    mask, generator = episodes.mask(), np.random.default_rng(0)
    uniform = np.array([generator.choice(np.flatnonzero(row)) for row in mask])
    statistic, degrees = chosen_as_often_as_told(policy, replace(episodes, action=uniform))
    assert chi2.sf(statistic, degrees) < SMALLEST_CHANCE


def test_a_monitor_finds_the_day_whole(
    lived: tuple[ServedShop, StochasticPolicy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every decision of the log is among the events and the reverse, and the champion answers as it was logged."""
    shop, policy = lived
    monkeypatch.setattr(monitor, "load_pipeline", lambda *_: shop.pipeline)
    last = DAY + timedelta(days=shop.pipeline.source.lateness_days)
    result = monitor.run(
        settings=settings_at(shop.home), source=SOURCE, scenario=SCENARIO, run_date=last, decisions=shop.today
    )
    found = read_monitor(Run(shop.home, SOURCE, SCENARIO, last).monitor)
    (arrived,), (asked,) = found.arrivals, found.frequencies
    assert (arrived.day, arrived.n_missing, arrived.n_strange, arrived.is_due) == (DAY, 0, 0, True)
    assert arrived.n_logged > 500
    assert asked.n_explained == asked.n_decisions
    assert asked.p_value is not None and asked.p_value > SMALLEST_CHANCE
    assert (found.policy_version, result["alerts"]) == (policy.version, [])
    assert "no shopper is held out as control" in str(found.launch.refusal)
