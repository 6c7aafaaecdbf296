"""What a played shop's policy sees is what the pipeline's rows show, in every feature of every decision."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.id_form import keyed_id
from conf.kernel_rules import rules_of
from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.scenario import Pipeline, Scenario, load_pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.specs.strict_yaml import merge, parse_model
from conf.tables import transitions_table
from jobs.commands.ingest import ingest
from jobs.events.events_reading import read_files
from jobs.transitions.build import build
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.feeds.campaign_feed import decision_id
from rl.shops.promotion.feeds.feed_lines import shopper_ids
from rl.shops.promotion.lockstep_weeks import LockstepWeeks
from rl.shops.promotion.log_observations import LogMemory
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import FeedDirt, PromotionSettings
from rl.shops.promotion.shop import build_shop
from rl.shops.promotion.simulate import LOG_STREAM
from rl.shops.promotion.writer import write_promotion_logs

KEY = "a key for tests only"
# Fifteen weeks reach beyond the longest window, over the end of summer time. Every kind of dirt but late lines: which
# of them are late is drawn anew where the shop is played.
SHOP = PromotionSettings(
    first_monday=date(2025, 9, 1),
    n_weeks=15,
    n_shoppers=280,
    dirt=FeedDirt(duplicate_rate=0.05, late_rate=0, other_id_form_rate=0.3),
)
MORE_FEATURES = [
    {"name": "shopper_region", "values": ["Nord", "Süd"]},
    {"name": "shopper_newsletter", "values": ["ja", "nein"]},
    {"name": "n_past_sessions_days"},
    {"name": "n_past_clicks"},
    {"name": "session_step"},
    {"name": "recent_shown_items", "length": 3},
]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """The scenario with features of every kind; so few lines have too many broken ones on some day."""
    made = load_pipeline("promotion", "simulated_promotion")
    content = made.scenario.model_dump()
    content["observation"]["features"] = [*content["observation"]["features"], *MORE_FEATURES]
    scenario = parse_model(Scenario, merge(content, {}), "test")
    return Pipeline(source=made.source.model_copy(update={"max_rejected_share": 1.0}), scenario=scenario)


@pytest.fixture(scope="module")
def rows(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline) -> dict[str, Any]:
    """Observations that Spark built from the shop's deliveries, by decision."""
    home = tmp_path_factory.mktemp("observations")
    write_promotion_logs(home / "shop", SHOP)
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": KEY})
    last = SHOP.first_monday + timedelta(days=7 * SHOP.n_weeks - 1)
    ingest(spark, settings, pipeline.source, logs=home / "shop" / "logs", horizon=last, code_hash="code")
    build(spark, settings, pipeline, last)
    folder = Lake(settings.lake, pipeline.source.name).transitions("promotion", data_spec_hash(pipeline))
    files = [file for pointer in read_pointers(folder).values() for file in pointer.files]
    frame = read_files(spark, transitions_table(pipeline.scenario), folder, files, ("date",))
    found = frame.select("decision_id", "observation").collect()
    return {row["decision_id"]: row["observation"].asDict(recursive=True) for row in found}


@pytest.fixture(scope="module")
def played(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """What a policy would have seen, had it been asked at the log's own decisions."""
    weeks = LockstepWeeks(build_shop(SHOP), Chance((SHOP.seed, SHOP.catalogue_seed, LOG_STREAM)), 0, SHOP.n_shoppers)
    memory, behavior = LogMemory(rules_of(pipeline), pipeline.source.zone), logging_policy(SHOP)
    found: dict[str, dict[str, Any]] = {}
    for week in range(SHOP.n_weeks):
        observation = memory.observe(weeks)
        for place, shopper in enumerate(shopper_ids(weeks.population.number[weeks.present()])):
            key = keyed_id(decision_id(week, shopper), KEY.encode())
            found[key] = {name: values[place].tolist() for name, values in observation.items()}
        memory.take_in(weeks, weeks.play(behavior))
    return found


def test_a_played_policy_sees_what_the_rows_show(
    rows: dict[str, Any], played: dict[str, dict[str, Any]], pipeline: Pipeline
) -> None:
    """Thousands of decisions, no feature of any of them differs; lists are padded with 0 alone."""
    lengths = {feature.name: feature.length for feature in pipeline.scenario.observation.features}
    assert len(rows) > 3000
    assert rows.keys() <= played.keys()
    for key, row in rows.items():
        padded = {
            name: value if (length := lengths[name]) is None else [*value, *[0] * (length - len(value))]
            for name, value in row.items()
        }
        assert played[key] == padded


def test_the_features_tell_something(played: dict[str, dict[str, Any]], pipeline: Pipeline) -> None:
    """Each feature takes several values over the log: equal constants would prove nothing."""
    for feature in pipeline.scenario.observation.features:
        assert len({str(row[feature.name]) for row in played.values()}) > 1, feature.name
