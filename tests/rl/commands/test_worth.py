"""`worth` as it is run: on what was built before, leaving one page and one JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake, Run
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.commands import worth
from rl.data.dataset import prepare_dataset
from rl.errors import DatasetError
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.worth.findings import WorthFindings
from rl.worth.log_reading import read_worth_log
from tests.rl.factories import FIRST_DAY, shop_rows, write_transitions
from tests.rl.simulated_lake import write_simulated_lake

SCENARIO = "recommendation"


@dataclass(frozen=True)
class BuiltHome:
    """A home in which transitions of one source are built and nothing else was done."""

    home: Path
    source: str
    last: date

    @property
    def settings(self) -> Settings:
        return Settings.from_environment({"NIGHTCART_HOME": str(self.home)})

    @property
    def run(self) -> Run:
        return Run(self.home, self.source, SCENARIO, self.last)

    def worth(self, **arguments: Any) -> dict[str, Any]:
        return worth.run(settings=self.settings, source=self.source, scenario=SCENARIO, **arguments)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> BuiltHome:
    home, shop = tmp_path_factory.mktemp("simulated"), ShopSettings(n_days=9, n_shoppers=300)
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    write_simulated_lake(home, Lake(settings.lake, "simulated_shop"), load_pipeline(SCENARIO, "simulated_shop"), shop)
    return BuiltHome(home, "simulated_shop", shop.last_date)


@pytest.fixture(scope="module")
def implied(tmp_path_factory: pytest.TempPathFactory) -> BuiltHome:
    home, pipeline, n_days = tmp_path_factory.mktemp("implied"), load_pipeline(SCENARIO, "taobao"), 12
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    for number in range(n_days):
        day = FIRST_DAY + timedelta(days=number)
        rows = shop_rows(pipeline, day, n_episodes=130, n_users=100)
        bare = [{**row, "propensity": None, "propensity_source": "none"} for row in rows]
        write_transitions(Lake(settings.lake, "taobao"), pipeline, day, bare)
    return BuiltHome(home, "taobao", FIRST_DAY + timedelta(days=n_days - 1))


def test_worth_leaves_one_page_and_one_json_that_agree(simulated: BuiltHome) -> None:
    """The result's sentence is the file's and the page's, for the last date built where none is given."""
    result = simulated.worth()
    found = WorthFindings.model_validate_json(simulated.run.worth.read_text())
    assert result["date"] == str(simulated.last)
    assert result["sentence"] == found.sentence
    assert found.sentence in simulated.run.worth_page.read_text()
    json.dumps(result)


def test_worth_reads_no_test_episode(simulated: BuiltHome) -> None:
    """Every episode read starts before the last validation episode's end; those in the embargo are in."""
    pipeline = load_pipeline(SCENARIO, simulated.source)
    dataset = prepare_dataset(pipeline, Lake(simulated.settings.lake, simulated.source), simulated.last)
    starts = dataset.published.transitions.start_time
    read = read_worth_log(dataset)
    last_validation = dataset.intervals["validation"].end
    assert read.episodes.start_time.max() < last_validation <= dataset.intervals["test"].start
    assert read.episodes.n_episodes == int((starts < last_validation).sum())


def test_worth_tries_features_that_count_and_leaves_out_what_records_the_action(simulated: BuiltHome) -> None:
    """Clicks in the session are tried; lists of shown items and the step aren't."""
    simulated.worth()
    names = {one.name for one in WorthFindings.model_validate_json(simulated.run.worth.read_text()).responses}
    assert {"continuation", "n_session_clicks"} <= names
    assert not any(name.startswith("recent_") for name in names) and "session_step" not in names


def test_worth_of_an_implied_log_cannot_tell(implied: BuiltHome) -> None:
    """A log of implied decisions says so first, and what it shows are predictions."""
    result = implied.worth(run_date=implied.last)
    assert result["answer"] == "cannot_tell"
    assert "implied" in result["sentence"]
    assert result["is_prediction"]


def test_worth_of_nothing_built_says_what_to_run(tmp_path: Path) -> None:
    """The error names the source and `make nightly`."""
    with pytest.raises(DatasetError, match="make nightly SOURCE=open_bandit"):
        BuiltHome(tmp_path, "open_bandit", FIRST_DAY).worth()


def test_worth_of_a_date_not_built_says_what_to_run(simulated: BuiltHome) -> None:
    """So does the error for a date after the last one."""
    later = simulated.last + timedelta(days=3)
    with pytest.raises(DatasetError, match=f"make nightly SOURCE=simulated_shop DATE={later}"):
        simulated.worth(run_date=later)
