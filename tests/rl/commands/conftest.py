"""Nights that are trained once and copied: small specs, real training, real MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake, Run
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.commands import evaluate, prepare, promote, register, train
from rl.shops.recommendation.shop_settings import ShopSettings
from tests.rl.factories import (
    FIRST_DAY,
    availability_id,
    available_items,
    category,
    item,
    make_pipeline,
    shop_rows,
    write_availability,
    write_items,
    write_transitions,
)
from tests.rl.simulated_lake import write_simulated_lake

COMMANDS = (prepare, train, evaluate, register, promote)
SMALL: dict[str, Any] = {
    "splits": {"min_episodes": 5, "train": 0.4, "validation": 0.3, "test": 0.3},
    "candidates": [
        {"algorithm": "bc", "seeds": [1], "n_updates": 100, "hidden_units": [32]},
        {
            "algorithm": "discrete_cql",
            "seeds": [1],
            "n_updates": 400,
            "hidden_units": [32],
            "target_update_interval": 50,
            "conservative_weight": 0.1,
        },
    ],
    "policy": {"temperatures": [0.6, 1.0]},
    "evaluation": {"n_bootstrap": 200, "fqe_updates": 250},
    "gate": {
        "wrong_promotions_per_year": 50,
        "min_effective_sample_size": 5,
        "min_effective_rewarded": 5,
        "guardrails": [],
    },
}

# Clicks are what the made-up shop rewards, so a policy that earns more keeps them up.
GUARDED: dict[str, Any] = SMALL | {
    "gate": SMALL["gate"] | {"guardrails": [{"metric": "clicks", "max_relative_decrease": 0.1}]}
}


@dataclass(frozen=True)
class NightHome:
    """A home with one night in it, and how to run its commands."""

    home: Path
    pipeline: Pipeline
    run_date: date

    @property
    def settings(self) -> Settings:
        return Settings.from_environment({"NIGHTCART_HOME": str(self.home), "NIGHTCART_DEVICE": "cpu"})

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake, self.pipeline.source.name)

    @property
    def run(self) -> Run:
        return Run(self.home, self.pipeline.source.name, self.pipeline.scenario.name, self.run_date)

    def command(self, module: Any, **arguments: Any) -> dict[str, Any]:
        """The command's result, under this night's small spec."""
        with pytest.MonkeyPatch.context() as patch:
            for one in COMMANDS:
                if hasattr(one, "load_pipeline"):
                    patch.setattr(one, "load_pipeline", lambda *_: self.pipeline)
            # The code may be edited while tests run; a night stays one night for all that.
            patch.setattr(evaluate, "_code_hash", lambda: "c" * 16)
            result: dict[str, Any] = module.run(
                settings=self.settings,
                source=self.pipeline.source.name,
                scenario=self.pipeline.scenario.name,
                run_date=self.run_date,
                **arguments,
            )
        return result

    def train_all(self) -> None:
        """The dataset is prepared and every candidate trained."""
        for name in self.command(prepare)["candidates"]:
            self.command(train, candidate=name)

    def copied_to(self, home: Path) -> NightHome:
        """The same night in another home, to change at will."""
        shutil.copytree(self.home, home)
        return NightHome(home, self.pipeline, self.run_date)


def made_up_night(
    home: Path,
    pipeline: Pipeline,
    *,
    has_propensity: bool = True,
    is_one_step: bool = False,
    n_episodes: int = 200,
    n_users: int = 200,
) -> NightHome:
    """A trained night of the made-up shop; without propensities, or with each episode's first decision alone."""
    n_days = 12
    night = NightHome(home, pipeline, FIRST_DAY + timedelta(days=n_days - 1))
    write_items(night.lake, pipeline, FIRST_DAY, {item(index): category(index) for index in range(12)})
    for number in range(n_days):
        day = FIRST_DAY + timedelta(days=number)
        rows = shop_rows(pipeline, day, n_episodes=n_episodes, n_users=n_users)
        if not has_propensity:
            rows = [{**row, "propensity": None, "propensity_source": "none"} for row in rows]
        if is_one_step:
            rows = [{**row, "terminal": True, "timeout": False} for row in rows if row["step"] == 0]
        write_transitions(night.lake, pipeline, day, rows)
        write_availability(night.lake, pipeline, day, {availability_id(day): available_items(day, 12)})
    night.train_all()
    return night


def _evaluated(make: Callable[[Path], NightHome], folder: Path) -> NightHome:
    night = make(folder)
    night.command(evaluate)
    return night


@pytest.fixture(scope="session")
def logged_night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    """A night of logged decisions with propensities, evaluated, with a guardrail. Copy it before changing anything."""
    pipeline = make_pipeline("canonical", **GUARDED)
    return _evaluated(lambda home: made_up_night(home, pipeline), tmp_path_factory.mktemp("logged") / "home")


@pytest.fixture(scope="session")
def one_step_night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    """A night of single logged decisions, evaluated."""
    pipeline = make_pipeline("canonical", **SMALL)
    return _evaluated(
        lambda home: made_up_night(home, pipeline, is_one_step=True), tmp_path_factory.mktemp("one_step") / "home"
    )


@pytest.fixture(scope="session")
def implied_night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    """A night of implied decisions, evaluated."""
    pipeline = make_pipeline("taobao", **SMALL, action={"key": "item", "max_actions": 50})
    return _evaluated(
        lambda home: made_up_night(home, pipeline, has_propensity=False), tmp_path_factory.mktemp("implied") / "home"
    )


@pytest.fixture(scope="session")
def estimated_night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    """A night of logged decisions whose propensities weren't logged, evaluated, with a guardrail."""
    pipeline = make_pipeline("canonical", **GUARDED)
    return _evaluated(
        lambda home: made_up_night(home, pipeline, has_propensity=False), tmp_path_factory.mktemp("estimated") / "home"
    )


@pytest.fixture(scope="session")
def simulated_night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    """A night of a simulated shop whose true values are known, evaluated."""
    home = tmp_path_factory.mktemp("simulated") / "home"
    shop = ShopSettings(n_days=9, n_shoppers=250)
    pipeline = make_pipeline("simulated_shop", **SMALL)
    night = NightHome(home, pipeline, shop.last_date)
    write_simulated_lake(home, night.lake, pipeline, shop)
    night.train_all()
    night.command(evaluate)
    return night
