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

import rl.registry.exploration as exploring_room
from conf.paths import Lake, Run
from conf.specs.scenario import Pipeline, load_pipeline
from jobs.main import command_parser, run_command
from rl.commands import monitor
from rl.data.dataset import Dataset
from rl.data.episode_selection import take_episodes
from rl.data.logged_episodes import LoggedEpisodes
from rl.data.pinned_versions import current_versions
from rl.data.splits import TimeSpan
from rl.data.transitions_reading import read_availability, read_transitions
from rl.exploration.strata import EVERYBODY
from rl.figures.exploration import PLAN_FILE, ExplorationPlan
from rl.figures.monitor import read_monitor
from rl.loop.realised import realised_values
from rl.loop.served_decisions import Served, ServedDecisions, service_in_process
from rl.monitor.propensity_frequencies import frequencies
from rl.ope.report import EvaluationSettings, evaluate_policies
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities
from rl.policy import StochasticPolicy
from rl.registry.exploration import set_exploring
from rl.registry.person import Person
from rl.registry.store import open_store
from rl.registry.versions import load_version
from rl.serving.explored import Explored
from rl.shops.recommendation.life_delivery import deliver_last_day
from rl.shops.recommendation.own_decisions import OwnDecisions
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_life import ShopLife
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.true_value import observing, true_policy_value
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import MODEL, promote, register, running, settings_at

pytestmark = pytest.mark.e2e

SOURCE, SCENARIO = "served_shop", "recommendation"
N_DAYS = 6
"""Two by the shop's own rule, one served in this process, one over HTTP, one that follows an exploration plan, and one
that settles the others' rewards."""
EXPLORED_DAY, SHARE = 4, 0.3


@dataclass
class LivedLoop:
    """Days of a shop, and what the log tells of them."""

    shop: Shop
    policy: StochasticPolicy
    home: Path
    episodes: LoggedEpisodes
    explored: Explored


@pytest.fixture(scope="module")
def lived(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedLoop]:
    home = tmp_path_factory.mktemp("loop") / "home"
    home.mkdir()
    shop = build_shop(ShopSettings(n_days=N_DAYS + 1, n_shoppers=160, seed=3))
    policy = make_policy(*shop.catalogue.item_ids, seed=3)
    promote(home, 0, policy, source=SOURCE)
    settings, logs, life = settings_at(home), home / "logs", ShopLife.born(shop)
    pipeline = load_pipeline(SCENARIO, SOURCE)
    explored: Explored | None = None
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
        elif number == EXPLORED_DAY:
            explored = _explore(home, make_policy(*shop.catalogue.item_ids, seed=4), day)
            with service_in_process(settings, _exploring(pipeline), folder, seed=2) as served:
                life.live(ServedDecisions(shop, number, served))
        else:
            life.live(OwnDecisions(shop, number))
        deliver_last_day(life, logs)
        _job(home, "ingest", f"--date={day}", f"--logs={logs}")
        _job(home, "observe", f"--scenario={SCENARIO}", f"--as-of={day + timedelta(days=1)}")
    last = shop.calendar.date(N_DAYS - 1)
    _job(home, "build", f"--scenario={SCENARIO}", f"--date={last}")
    assert spark.sparkContext.getOrCreate() is spark.sparkContext  # the jobs left the session running
    assert explored is not None
    yield LivedLoop(shop, policy, home, _episodes(home, policy, last), explored)


def _exploring(pipeline: Pipeline) -> Pipeline:
    """The pipeline, whose scenario lets a service follow plans."""
    exploration = pipeline.scenario.exploration.model_copy(update={"max_share": SHARE})
    return pipeline.model_copy(update={"scenario": pipeline.scenario.model_copy(update={"exploration": exploration})})


def _explore(home: Path, other: StochasticPolicy, day: date) -> Explored:
    """A night registers another policy with a plan beside the champion, which a person approves."""
    version, settings = register(home, 1, other, source=SOURCE), settings_at(home)
    shares = {EVERYBODY: SHARE}
    plan = ExplorationPlan(model=MODEL, version=version, champion=1, dimension=EVERYBODY, shares=shares, last_day=day)
    with open_store(settings) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exploring_room, "load_pipeline", lambda *names: _exploring(load_pipeline(*names)))
        registered = load_version(client, MODEL, version)
        assert registered is not None
        client.log_text(registered.run_id, plan.model_dump_json(), PLAN_FILE)
        set_exploring(client, settings, MODEL, Person("ann", "to learn"), version)
    return Explored.of(plan, other, SHARE)


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


def _of_explored_day(lived: LivedLoop) -> LoggedEpisodes:
    """The episodes that the mixture began on the explored day."""
    episodes = lived.episodes
    mixture = episodes.policy_versions.index(lived.explored.version_beside(lived.policy))
    starts = np.cumsum(episodes.lengths) - episodes.lengths
    return take_episodes(episodes, episodes.policy_version[starts] == mixture)


def test_explored_decisions_have_the_mixtures_propensity_and_its_frequencies(lived: LivedLoop) -> None:
    """Exactly, decision by decision, from the tables; actions are chosen as often as that says."""
    episodes = _of_explored_day(lived)
    assert episodes.n_transitions > 200
    other, mask = lived.explored.policy, episodes.mask()
    mixed = (1 - SHARE) * lived.policy.probabilities(episodes.features, mask) + SHARE * other.probabilities(
        episodes.features, mask
    )
    logged = mixed[np.arange(episodes.n_transitions), episodes.action]
    np.testing.assert_allclose(logged / episodes.propensity, 1, rtol=1e-5)
    found = frequencies(mixed, episodes.action)
    assert found is not None and found.p_value > 0.001  # seeds are fixed; of honest days one in a thousand fails


def test_the_champion_is_valued_on_an_explored_day_within_its_interval_of_the_truth(lived: LivedLoop) -> None:
    """By the night's estimators, from decisions of the mixture and their own propensities."""
    episodes, shop = _of_explored_day(lived), lived.shop
    settings = EvaluationSettings.from_scenario(load_pipeline(SCENARIO, SOURCE).scenario, seed=1)
    halves = [take_episodes(episodes, episodes.unit % 2 == half) for half in (0, 1)]
    found = evaluate_policies({"champion": lived.policy}, train=halves[0], test=halves[1], settings=settings)
    day = shop.calendar.date(EXPLORED_DAY)
    true = true_policy_value(
        shop.settings,
        observing(lived.policy, lived.policy.encode),
        action_keys=list(lived.policy.vocabulary.names),
        first_date=day,
        last_date=day,
        discount=settings.discount,
        n_sessions=20_000,
        seed=1,
    )
    for name in ("pdis", "wpdis", "dr", "wdr"):
        (report,) = [one for one in found.reports if (one.policy, one.estimator) == ("champion", name)]
        assert report.lower is not None and report.upper is not None, report.refusal
        assert report.lower <= true.value <= report.upper, name


def test_the_monitor_counts_the_explored_day_for_the_champion(
    lived: LivedLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every explored decision is explained, and weighs as per-decision importance sampling has it."""
    monkeypatch.setattr(monitor, "load_pipeline", lambda *names: _exploring(load_pipeline(*names)))
    last, day = (lived.shop.calendar.date(number) for number in (N_DAYS - 1, EXPLORED_DAY))
    monitor.run(settings=settings_at(lived.home), source=SOURCE, scenario=SCENARIO, run_date=last)
    found = read_monitor(Run(lived.home, SOURCE, SCENARIO, last).monitor)
    (explored,) = found.explored_days
    assert (explored.day, explored.version, explored.is_counted) == (day, 2, True)
    assert explored.n_explained == explored.n_decisions == _of_explored_day(lived).n_transitions
    own = {one.day: one.champion for one in found.days}[day]
    assert own is not None and own.n_episodes == _of_explored_day(lived).n_episodes
