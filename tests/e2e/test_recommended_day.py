"""Tomorrow's recommendations, shown to those who came, are a log as a service's decisions are."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from pyspark.sql import SparkSession

from conf.specs.scenario import load_pipeline
from rl.commands import decide
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities
from rl.shops.recommendation.shop import build_shop
from tests.rl.policy.policies import make_policy
from tests.rl.serving.published_histories import day_of, publish_histories
from tests.rl.serving.served_home import SCENARIO, SOURCE, promote, settings_at
from tests.rl.serving.served_shop_day import DAY, ServedShop, pipeline_of, shop_of

N_SHOPPERS, N_POSITIONS = 120, 3


def of_csv(folder: Path) -> None:
    """Let the feed of decisions be the CSV files of lists, its columns mapped as those of a service's log."""
    path = folder / f"{SOURCE}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["feeds"][1] |= {
        "format": "csv",
        "csv": {"has_header": True},
        "delivery": {"layout": "dated_files", "files": ["**/decisions-*.csv"]},
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.mark.e2e
def test_lines_of_a_list_are_ingested_with_the_propensities_they_were_drawn_with(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Each is a transition; at first positions the champion's weights are 1: what was decided on is what Spark built.

    Later positions were drawn from what the earlier ones left, which no row of a log tells.
    """
    home, sources = tmp_path / "home", tmp_path / "sources"
    pipeline_of(sources)
    of_csv(sources)
    pipeline = load_pipeline(SCENARIO, SOURCE, sources_folder=sources)
    shop = ServedShop(home, pipeline, shop_of(seed=1, n_shoppers=10), spark)
    policy = make_policy(*build_shop(shop.settings).catalogue.item_ids, seed=3)
    home.mkdir()
    promote(home, 0, policy)
    shop.open()
    shoppers = [f"{number:032x}" for number in range(N_SHOPPERS)]
    rows = [(day_of(DAY) - 1, day_of(DAY), 7, 1, 0, 1)]
    publish_histories(shop.lake, load_pipeline(SCENARIO, SOURCE), DAY, dict.fromkeys(shoppers, rows))
    listed = decide.run(
        settings=settings_at(home),
        source=SOURCE,
        scenario=SCENARIO,
        run_date=DAY - timedelta(days=1),
        version=None,
        budget=None,
        asked={"positions": N_POSITIONS},
    )
    shop.today.mkdir()
    (shop.today / f"decisions-{DAY}.csv").write_text(Path(listed["csv"]).read_text())
    look = {"event_id": f"look-{DAY}", "event_time": f"{DAY}T10:00:00Z", "event_type": "view", "user_id": "visitor"}
    (shop.today / "events.jsonl").write_text(json.dumps(look) + "\n")
    shop.take_in()
    episodes = shop.episodes(policy)
    assert episodes.n_transitions == listed["n_decisions"] == N_SHOPPERS * N_POSITIONS
    assert set(episodes.policy_versions) == {policy.version}
    first = episodes.offsets[:-1]
    ratio = logged_action_probabilities(policy, episodes)[first] / episodes.propensity[first]
    np.testing.assert_allclose(ratio, 1, rtol=1e-5)
