"""Days of a simulated shop that a service decided, each valued on policy against the champion's true value."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession
from scipy.stats import chi2

from conf.settings import Settings
from jobs.spark.session import start_spark
from rl.data.episode_selection import take_episodes
from rl.ope.report import EvaluationSettings, evaluate_policies
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.true_value import observing, true_policy_value
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import promote, running
from tests.rl.serving.served_shop_day import DAY, ServedShop, chosen_as_often_as_told, pipeline_of, shop_of

N_SHOPPERS = 1_500
N_TRUTH = 60_000


def days(folder: Path, n_seeds: int) -> Iterator[dict[str, Any]]:
    """What the service's own log says of each day, and what is true."""
    spark = start_spark(Settings.from_environment({"NIGHTCART_HOME": str(folder / "spark")}), "nightcart-bench-serve")
    try:
        for seed in range(1, n_seeds + 1):
            yield _day(spark, folder / f"seed-{seed}", seed)
    finally:
        spark.stop()


def _day(spark: SparkSession, folder: Path, seed: int) -> dict[str, Any]:
    started, home = time.perf_counter(), folder / "home"
    home.mkdir(parents=True)
    shop = ServedShop(home, pipeline_of(folder / "sources"), shop_of(seed, N_SHOPPERS), spark)
    # Another champion in each home.
    policy = make_policy(*build_shop(shop.settings).catalogue.item_ids, seed=seed, temperature=0.5)
    promote(home, 0, policy)
    shop.open()
    with running(home, "--replay", "--decisions", str(shop.today), version=1) as service:
        shop.live(service)
    shop.take_in()
    episodes = shop.episodes(policy)
    ratio = logged_action_probabilities(policy, episodes) / episodes.propensity
    statistic, degrees = chosen_as_often_as_told(policy, episodes)
    settings = EvaluationSettings.from_scenario(shop.pipeline.scenario, seed=seed)
    halves = [take_episodes(episodes, episodes.unit % 2 == half) for half in (0, 1)]
    found = evaluate_policies({"champion": policy}, train=halves[0], test=halves[1], settings=settings)
    (report,) = [one for one in found.reports if (one.policy, one.estimator) == ("champion", "dr")]
    true = true_policy_value(
        shop.settings,
        observing(policy, policy.encode),
        action_keys=list(policy.vocabulary.names),
        first_date=DAY,
        last_date=DAY,
        discount=settings.discount,
        n_sessions=N_TRUTH,
        seed=seed,
    )
    assert report.value is not None and report.lower is not None and report.upper is not None, report.refusal
    return {
        "seed": seed,
        "n_decisions": episodes.n_transitions,
        "n_sessions": episodes.n_episodes,
        "largest_weight_off_one": float(np.abs(ratio - 1).max()),
        "chi_square_p": round(float(chi2.sf(statistic, degrees)), 4),
        "value": round(report.value, 4),
        "interval": [round(report.lower, 4), round(report.upper, 4)],
        "true_value": round(true.value, 4),
        "true_standard_error": round(true.standard_error, 4),
        "holds": report.lower <= true.value <= report.upper,
        "seconds": round(time.perf_counter() - started, 1),
    }
