"""An experiment's one file, from the shipped source and scenario to its page: money, propensities, shoppers, report."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conf.paths import Lake, Run, spent_looks
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from jobs.commands.ingest import ingest
from jobs.transitions.build import build
from rl.commands import experiment
from rl.data.dataset import prepare_dataset
from rl.experiment.figures import ExperimentFigures

DAY = date(2008, 3, 3)
ARMS = {"No E-Mail": "none", "Mens E-Mail": "mens", "Womens E-Mail": "womens"}
N = 6_000
PIPELINE = load_pipeline("email_experiment", "hillstrom")

Line = dict[str, str]


@dataclass(frozen=True)
class Report:
    """The made file's lines, what ingest and build said, and the home they were done in."""

    lines: list[Line]
    ingested: dict[str, Any]
    built: dict[str, Any]
    settings: Settings


def made_lines(n: int) -> Iterator[Line]:
    """Customers whom the e-mail of what they bought before moves; many lines are alike, as in the real file."""
    rng = np.random.default_rng(3)
    for _ in range(n):
        mens, arm = rng.random() < 0.5, str(rng.choice(list(ARMS)))
        moved = (arm == "Mens E-Mail" and mens) or (arm == "Womens E-Mail" and not mens)
        buys = rng.random() < (0.4 if moved else 0.1)
        yield {
            "recency": str(rng.integers(1, 4)),
            "history_segment": "6) $750 - $1,000" if rng.random() < 0.2 else "1) $0 - $100",
            "history": "50.0",
            "mens": str(int(mens)),
            "womens": str(int(not mens)),
            "zip_code": str(rng.choice(["Urban", "Surburban", "Rural"])),
            "newbie": "0",
            "channel": "Web",
            "treatment": arm,
            "conversion": str(int(buys)),
            "visit": str(int(buys or rng.random() < 0.2)),
            "spend": f"{rng.integers(20, 60)}.{rng.integers(10)}" if buys else "0.0",
        }


@pytest.fixture(scope="module")
def report(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Report:
    home, lines = tmp_path_factory.mktemp("experiment"), list(made_lines(N))
    log = home / "logs" / "hillstrom.csv"
    log.parent.mkdir()
    with log.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    settings = Settings.from_environment(
        {"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": "a key for tests only"}
    )
    ingested = ingest(spark, settings, PIPELINE.source, logs=log.parent, horizon=DAY, code_hash="code")
    return Report(lines, ingested, build(spark, settings, PIPELINE, DAY), settings)


def test_every_line_is_a_customer_and_tells_of_one(report: Report) -> None:
    """Equal lines are other customers; each tells of its customer in the table of shoppers, the day before."""
    assert len({tuple(line.values()) for line in report.lines}) < N
    assert report.ingested["n_events"] == report.ingested["side_tables"]["shoppers"]["n_accepted"] == N
    assert report.ingested["deliveries"] == ["2008-03-02", "2008-03-03"]
    assert report.built["n_episodes"] == report.built["n_transitions"] == N


def test_money_is_that_of_the_raw_file(report: Report) -> None:
    """30% of spend less .10 an e-mail, in whole millionths, each line rounded once."""
    earned = [int(Decimal(line["spend"]) * 300_000) for line in report.lines]
    cost = 100_000 * sum(line["treatment"] != "No E-Mail" for line in report.lines)
    assert report.built["reward"]["transitions"] == sum(earned) - cost
    assert report.built["reward"]["action_cost"] == cost
    assert not any(report.built["reward"]["residuals"].values())


def test_splits_divide_customers_and_decisions_see_them(report: Report) -> None:
    """Each in one split, near its share; what was known before the experiment stands in every observation."""
    dataset = prepare_dataset(PIPELINE, Lake(report.settings.lake, "hillstrom"), DAY)
    sizes = {name: dataset.transitions(name).n_episodes for name in ("train", "validation", "test")}
    assert sum(sizes.values()) == N
    assert sizes["train"] == pytest.approx(0.5 * N, rel=0.05)
    rows = dataset.transitions("train")
    assert set(rows.observation["shopper_bought_mens"].tolist()) == {1, 2}
    assert set(rows.observation["shopper_year_spend"].tolist()) == {1, 6}
    assert np.abs(rows.propensity - 1 / 3).max() < 1e-14  # fifteen decimals are kept


def test_report_tells_what_was_planted(report: Report) -> None:
    """SNIPS of each arm is its mean to 1e-9; learners that send each half its own e-mail are seen to be better."""
    run = Run(report.settings.home, "hillstrom", "email_experiment", DAY)
    result = experiment.run(settings=report.settings, source="hillstrom", scenario="email_experiment")
    assert not spent_looks(report.settings.home).exists(), "it spends nothing of the allowance of wrong promotions"
    figures = ExperimentFigures.model_validate_json(run.experiment.read_text(encoding="utf-8"))
    reward = figures.outcomes[0]
    for arm in reward.arms:
        got = [line for line in report.lines if ARMS[line["treatment"]] == arm.name]
        mean = np.mean([0.3 * float(line["spend"]) - 0.1 * (arm.name != "none") for line in got])
        assert arm.mean.value == pytest.approx(mean, rel=0, abs=1e-9)
        assert arm.n == len(got)
    learners = [one for one in reward.policies if one.kind == "learner" and one.share_asked is None]
    assert [one.answer for one in learners] == ["better", "better"]
    assert [one.name for one in figures.outcomes] == ["reward", "visits", "orders"]
    assert figures.spend is not None
    assert figures.spend.ahead[-1].lower > 0
    assert figures.recipe is None
    assert "run one" in (figures.recipe_refusal or "")
    assert result["page"] == str(run.experiment_page)
    assert "is the one to beat" in run.experiment_page.read_text(encoding="utf-8")
