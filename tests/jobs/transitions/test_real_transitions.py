"""Transitions of a public click log, with every unit of its reward accounted for."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from jobs.commands.ingest import ingest
from jobs.transitions.build import build

LAST = date(2017, 12, 2)
WEIGHTS = {"cart": 3_000_000, "fav": 2_000_000, "buy": 10_000_000}  # as the scenario says for this source; no clicks

pytestmark = [pytest.mark.real_data, pytest.mark.usefixtures("compiled_plans")]


def days_and_worth(log: Path) -> tuple[Counter[date], int]:
    """Views by day in China, and what the log's rewards are worth up to LAST, told without Spark."""
    views: Counter[date] = Counter()
    worth = 0
    for _, _, _, behavior, seconds in dict.fromkeys(whole_lines(log)):
        day = datetime.fromtimestamp(int(seconds) + 8 * 3600, UTC).date()
        if date(2017, 11, 25) <= day <= LAST:
            views[day] += behavior == "pv"
            worth += WEIGHTS.get(behavior, 0)
    return views, worth


def whole_lines(log: Path) -> list[tuple[str, ...]]:
    """Whole lines; the last one is cut off."""
    with log.open(encoding="utf-8", newline="") as file:
        return [tuple(line) for line in csv.reader(file) if len(line) == 5 and line[4].isdigit()]


def test_taobao_reward_is_in_transitions_or_in_named_residuals(
    spark: SparkSession, real_data: Path, tmp_path: Path
) -> None:
    """In integers, against sums over the file itself; every accepted view is one transition."""
    log = real_data / "taobao" / "UserBehavior.csv"
    pipeline = load_pipeline("recommendation", "taobao")
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)})
    taken = ingest(spark, settings, pipeline.source, logs=log, horizon=LAST, code_hash="test")
    result = build(spark, settings, pipeline, LAST)
    views, worth = days_and_worth(log)
    assert taken["rejected"].get("bot_rate", 0) == 0
    reward = result["reward"]
    assert reward["events"] == worth
    assert reward["transitions"] + sum(reward["residuals"].values()) == worth
    assert reward["residuals"]["no_earlier_decision"] > 0
    assert result["n_transitions"] == sum(views.values())
    assert len(result["partitions"]) == len(result["built"]) == 8
