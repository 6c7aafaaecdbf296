"""Two versions that are worse than promised, in a shop that lives: each is taken back, and the shop serves the former.

Everything is what runs in a night: days decided by the service in process, delivered, ingested and built by Spark, and
looked at by the commands `rollout` and `monitor`. Only the nights that would have learned the versions are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conf.paths import Run
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from jobs.main import command_parser, run_command
from rl.commands import monitor, rollout
from rl.figures.monitor import MonitorFigures, read_monitor
from rl.loop.served_decisions import ServedDecisions, service_in_process
from rl.policy import StochasticPolicy
from rl.policy.network import DenseNetwork
from rl.registry.approvals import read_approvals
from rl.registry.launches import Launch, launches
from rl.registry.store import aliases, open_store
from rl.registry.versions import load_version
from rl.shops.recommendation.life_delivery import deliver_last_day
from rl.shops.recommendation.own_decisions import OwnDecisions
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_life import ShopLife
from rl.shops.recommendation.shop_settings import ShopSettings
from tests.rl.factories import make_pipeline
from tests.rl.monitor.served_days import promote as promote_to_all
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import MODEL, promote, settings_at

pytestmark = pytest.mark.e2e

SOURCE, SCENARIO = "served_shop", "recommendation"
MOST_DAYS = 6
"""Within which each of the two must be found out."""


@dataclass
class LivedShop:
    """A shop whose days are served, delivered and read.

    Attributes:
        home: of the pipeline.
        shop: whose items differ widely in appeal.
        day: number of the next one.
        decided_by: versions that served each day, in the registry; None for the shop's own rule.
    """

    home: Path
    shop: Shop
    day: int = 0
    decided_by: list[int | None] = field(default_factory=list)

    @cached_property
    def life(self) -> ShopLife:
        return ShopLife.born(self.shop)

    @cached_property
    def pipeline(self) -> Pipeline:
        rolling = {"stages": [0.5, 1.0], "min_days": 3, "covariate_days": 2}
        return make_pipeline(SOURCE, rollout=rolling, monitor={"on_broken_promise": "rollback"})

    @property
    def settings(self) -> Settings:
        return settings_at(self.home)

    @property
    def today(self) -> date:
        """The last day lived."""
        return self.shop.calendar.date(self.day - 1)

    @property
    def champion(self) -> int:
        with open_store(self.settings) as client:
            return aliases(client, MODEL)["champion"]

    def policy(self, sign: int, seed: int) -> StochasticPolicy:
        """One that shows what appeals, or with -1 what repels, whoever comes."""
        catalogue = self.shop.catalogue
        model = make_policy(*catalogue.item_ids, seed=seed)
        width = model.encoder.n_features
        scores = (sign * 3 * (catalogue.appeal + catalogue.cart_appeal)).astype(np.float32)
        flat = DenseNetwork((np.zeros((len(scores), width), dtype=np.float32),), (scores,))
        return make_policy(*catalogue.item_ids, seed=seed, network=flat, name=f"flat-{seed}")

    def live(self) -> None:
        """A day by whatever decides now, delivered, ingested and built."""
        served_by: int | None = None
        folder = self.home / "logs" / str(self.shop.calendar.date(self.day))
        if self.day < 2:
            self.life.live(OwnDecisions(self.shop, self.day))
        else:
            with service_in_process(self.settings, self.pipeline, folder, seed=self.day) as served:
                served_by = served.version
                self.life.live(ServedDecisions(self.shop, self.day, served))
        deliver_last_day(self.life, self.home / "logs")
        self.day += 1
        self.decided_by.append(served_by)
        self._job("ingest", f"--date={self.today}", f"--logs={self.home / 'logs'}")
        self._job("build", f"--scenario={SCENARIO}", f"--date={self.today}")
        self._job("observe", f"--scenario={SCENARIO}", f"--as-of={self.today + timedelta(days=1)}")

    def look(self, command: Any) -> dict[str, Any]:
        """What `rollout` or `monitor` says of the last day."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(command, "load_pipeline", lambda *_: self.pipeline)
            found: dict[str, Any] = command.run(
                settings=self.settings, source=SOURCE, scenario=SCENARIO, run_date=self.today
            )
        return found

    def launched(self, version: int) -> Launch:
        return next(one for one in reversed(launches(self.home, MODEL)) if one.version == version)

    def _job(self, command: str, *arguments: str) -> None:
        given = command_parser().parse_args([command, f"--source={SOURCE}", *arguments])
        run_command(given, self.settings, keeps_session=True)


@dataclass(frozen=True)
class Ends:
    """What became of the two versions.

    Attributes:
        shop: at the end.
        retreat: the rollout's look that took the first one back.
        rollback: the monitor's figures of the day on which it took the second one back.
        first_served: versions that served while the first was launched, and the day after its end.
        second_served: likewise for the second.
    """

    shop: LivedShop
    retreat: dict[str, Any]
    rollback: MonitorFigures
    first_served: tuple[int | None, ...]
    second_served: tuple[int | None, ...]


@pytest.fixture(scope="module")
def ends(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Ends:
    home = tmp_path_factory.mktemp("worse") / "home"
    home.mkdir()
    settings = ShopSettings(n_days=20, n_shoppers=500, appeal_spread=0.8, mean_visits_per_day=0.7, seed=3)
    one = LivedShop(home, build_shop(settings))
    for _ in range(2):
        one.live()
    good = one.policy(1, 1)
    assert promote(home, one.day, good, source=SOURCE) == 1
    one.live()

    assert promote(home, one.day, one.policy(-1, 2), share=0.5, source=SOURCE, replaces=good) == 2
    begun, found = one.day, dict[str, Any]()
    while found.get("decision") != "retreat":
        assert one.day - begun < MOST_DAYS, found
        one.live()
        found = one.look(rollout)
        one.look(monitor)
    one.live()
    first = tuple(one.decided_by[begun:])

    version = promote_to_all(home, one.day, one.policy(-1, 3), (5.0, 0.5), source=SOURCE)
    assert version == 3
    begun, seen = one.day, dict[str, Any]()
    while seen.get("rolled_back_to") is None:
        assert one.day - begun < MOST_DAYS, seen
        one.live()
        seen = one.look(monitor)
    figures = read_monitor(Run(home, SOURCE, SCENARIO, one.today).monitor)
    assert figures is not None
    one.live()
    assert spark.sparkContext.getOrCreate() is spark.sparkContext  # the jobs left the session running
    return Ends(one, found, figures, first, tuple(one.decided_by[begun:]))


def test_a_worse_version_retreats_in_service_registry_and_ledger(ends: Ends) -> None:
    shop, retreat = ends.shop, ends.retreat
    assert retreat["version"] == 2 and retreat["share"] == 0.0 and retreat["decision"] == "retreat"
    # It shows what repels: so few buy anything that values can't be compared, and that is what tells.
    assert retreat["upper"] is None and retreat["why"].startswith("too few of its shoppers bring anything")
    assert set(ends.first_served[:-1]) == {2} and ends.first_served[-1] == 1
    launch = shop.launched(2)
    assert launch.end is not None and (launch.end.kind, launch.end.who) == ("retreated", "rollout")
    assert launch.stages[-1].looks[-1].decision == "retreat"
    told = next(one for one in read_approvals(shop.settings, MODEL) if one.kind == "rollback")
    assert (told.version, told.replaced, told.who, told.why) == (1, 2, "rollout", retreat["why"])


def test_a_broken_promise_is_rolled_back_in_service_registry_and_ledger(ends: Ends) -> None:
    shop, found = ends.shop, ends.rollback
    assert (found.version, found.launch.standing, found.rolled_back_to) == (3, "broken", 1)
    assert found.launch.earned is not None and found.launch.earned.upper < 4.5
    assert set(ends.second_served[:-1]) == {3} and ends.second_served[-1] == 1
    launch = shop.launched(3)
    assert launch.end is not None and (launch.end.kind, launch.end.who) == ("rolled_back", "monitor")
    told = read_approvals(shop.settings, MODEL)[-1]
    assert (told.kind, told.version, told.replaced, told.who) == ("rollback", 1, 3, "monitor")
    assert "the promise is broken" in told.why


def test_neither_is_offered_again_and_the_former_is_champion(ends: Ends) -> None:
    shop = ends.shop
    assert shop.champion == 1
    with open_store(shop.settings) as client:
        for number in (2, 3):
            version = load_version(client, MODEL, number)
            assert version is not None and "rolled_back" in version.tags
        assert "challenger" not in aliases(client, MODEL)


def test_the_ledger_tells_both_launches_with_what_they_earned(ends: Ends) -> None:
    told = {one.version: one for one in ends.rollback.ledger.launches}
    assert told[2].end == "taken back by its rollout"
    assert told[3].promised is not None and told[3].earned is not None
    assert told[3].earned.value < told[3].promised.lower
