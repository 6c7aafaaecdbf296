"""Days of the loop's shop, decided by the service in process and over HTTP, as the night reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.specs.scenario import load_pipeline
from jobs.main import command_parser, run_command
from rl.data.dataset import Dataset
from rl.data.logged_episodes import LoggedEpisodes
from rl.data.pinned_versions import current_versions
from rl.data.splits import TimeSpan
from rl.data.transitions_reading import read_availability, read_transitions
from rl.loop.realised import realised_values
from rl.loop.served_decisions import Served, ServedDecisions, service_in_process
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities
from rl.policy import StochasticPolicy
from rl.shops.recommendation.life_delivery import deliver_last_day
from rl.shops.recommendation.own_decisions import OwnDecisions
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_life import ShopLife
from rl.shops.recommendation.shop_settings import ShopSettings
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import promote, running, settings_at

pytestmark = pytest.mark.e2e

SOURCE, SCENARIO = "served_shop", "recommendation"
N_DAYS = 5
"""Two by the shop's own rule, one served in this process, one over HTTP, one that settles the others' rewards."""


@dataclass
class LivedLoop:
    """Days of a shop, and what the log tells of them."""

    shop: Shop
    policy: StochasticPolicy
    home: Path
    episodes: LoggedEpisodes


@pytest.fixture(scope="module")
def lived(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedLoop]:
    home = tmp_path_factory.mktemp("loop") / "home"
    home.mkdir()
    shop = build_shop(ShopSettings(n_days=N_DAYS + 1, n_shoppers=160, seed=3))
    policy = make_policy(*shop.catalogue.item_ids, seed=3)
    promote(home, 0, policy, source=SOURCE)
    settings, logs, life = settings_at(home), home / "logs", ShopLife.born(shop)
    pipeline = load_pipeline(SCENARIO, SOURCE)
    for number in range(N_DAYS):
        day = shop.calendar.date(number)
        folder = logs / str(day)
        if number == 2:
            with service_in_process(settings, pipeline, folder, seed=1) as served:
                assert served.version == 1
                life.live(ServedDecisions(shop, number, served))
        elif number == 3:
            arguments = ("--source", SOURCE, "--replay", "--decisions", str(folder))
            with running(home, *arguments, version=1) as service:

                def ask(body: dict[str, Any], service: Any = service) -> list[dict[str, Any]]:
                    status, content = service.ask("POST", f"/v1/{SCENARIO}/decide-batch", body)
                    assert status == 200, content
                    found: list[dict[str, Any]] = content["answers"]
                    return found

                life.live(ServedDecisions(shop, number, Served(ask, 1, policy.version)))
        else:
            life.live(OwnDecisions(shop, number))
        deliver_last_day(life, logs)
        _job(home, "ingest", f"--date={day}", f"--logs={logs}")
        _job(home, "observe", f"--scenario={SCENARIO}", f"--as-of={day + timedelta(days=1)}")
    last = shop.calendar.date(N_DAYS - 1)
    _job(home, "build", f"--scenario={SCENARIO}", f"--date={last}")
    assert spark.sparkContext.getOrCreate() is spark.sparkContext  # the jobs left the session running
    yield LivedLoop(shop, policy, home, _episodes(home, policy, last))


def _job(home: Path, command: str, *arguments: str) -> None:
    """One of the jobs' commands, in the session that runs already."""
    given = command_parser().parse_args([command, f"--source={SOURCE}", *arguments])
    run_command(given, settings_at(home), keeps_session=True)


def _episodes(home: Path, policy: StochasticPolicy, horizon: date) -> LoggedEpisodes:
    pipeline, lake = load_pipeline(SCENARIO, SOURCE), Lake(settings_at(home).lake, SOURCE)
    around = [datetime.combine(horizon + timedelta(days=n), datetime.min.time(), tzinfo=UTC) for n in (-30, 3)]
    everything = TimeSpan(*(round(moment.timestamp()) * 1_000_000 for moment in around))
    dataset = Dataset(
        pipeline,
        read_transitions(pipeline, lake, horizon),
        dict.fromkeys(("train", "validation", "test"), everything),
        policy.vocabulary,
        policy.encoder,
        current_versions(pipeline, lake, horizon),
        read_availability(lake, horizon),
    )
    return dataset.to_logged_episodes("test")


def test_every_served_decision_has_the_propensity_that_the_policy_gives_its_row(lived: LivedLoop) -> None:
    """Histories of earlier days, purchases of earlier visits and late lines included: no skew on either day."""
    episodes = lived.episodes
    versions = np.array(episodes.policy_versions)[episodes.policy_version]
    served = versions == lived.policy.version
    assert served.sum() > 400
    probability = logged_action_probabilities(lived.policy, episodes)
    np.testing.assert_allclose(probability[served] / episodes.propensity[served], 1, rtol=1e-5)
    assert not np.allclose(probability[~served] / episodes.propensity[~served], 1)


def test_a_tenth_of_the_shoppers_keeps_the_shops_own_rule(lived: LivedLoop) -> None:
    """The same shoppers on both served days; none of them is ever served."""
    found = realised_values(
        load_pipeline(SCENARIO, SOURCE),
        Lake(settings_at(lived.home).lake, SOURCE),
        lived.shop.calendar.date(N_DAYS - 1),
    )
    by_day = {(one.day, one.policy_version): one for one in found}
    days = [lived.shop.calendar.date(number) for number in (0, 1, 2)]
    own = lived.shop.settings.logging.policy_version
    assert {name for day, name in by_day if day in days[:2]} == {own}
    served, control = (by_day[days[2], name].n_episodes for name in (lived.policy.version, own))
    assert 0.02 < control / (served + control) < 0.25
