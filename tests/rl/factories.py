"""Small lakes of published transitions, pipelines and episodes: each overrides only what a test is about.

The made-up shop: `n_items` items in categories of `ITEMS_PER_CATEGORY`; a shopper has one favorite category, which
their recent engagement shows; an item of it is clicked with probability .6, any other with .1. The logging policy
chooses uniformly among the items of the day's availability set. So a policy that reads the observation can earn more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf.observation_features import feature_named, id_hash
from conf.paths import Lake
from conf.publication import Manifest, Pointer, swap_pointer
from conf.specs.scenario import MILLIONTHS, Pipeline, Scenario, load_pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.specs.strict_yaml import merge, parse_model
from conf.tables import AVAILABILITY, ITEM_ATTRIBUTES, ITEMS, OFFERS, SCHEMA_VERSION, transitions_table
from rl.data.arrow_schema import arrow_schema
from rl.data.logged_episodes import LoggedEpisodes

FIRST_DAY = date(2026, 1, 5)
ITEMS_PER_CATEGORY = 4
Row = dict[str, Any]


def make_pipeline(source: str = "simulated_shop", **scenario: Any) -> Pipeline:
    """The recommendation pipeline with parts of its scenario replaced: `splits={"min_episodes": 5}`."""
    pipeline = load_pipeline("recommendation", source)
    small = merge(pipeline.scenario.model_dump(), {"splits": {"min_episodes": 5}})
    content = merge(small, scenario)
    return Pipeline(source=pipeline.source, scenario=parse_model(Scenario, content, "test"))


def item(index: int) -> str:
    return f"item-{index:03d}"


def category(item_index: int) -> str:
    return f"category-{item_index // ITEMS_PER_CATEGORY:02d}"


def make_observation(pipeline: Pipeline, **values: Any) -> Row:
    """An observation of zeros and empty lists; ids are given as natural keys."""
    observation: Row = {}
    for feature in pipeline.scenario.observation.features:
        value = values.get(feature.name, 0 if feature.length is None else [])
        is_ids = value and _holds_ids(feature.name)
        observation[feature.name] = [_id_of(key) for key in value[: feature.length]] if is_ids else value
    return observation


# Asked of every value of every row, and the same for each.
_id_of = cache(id_hash)


@cache
def _holds_ids(feature: str) -> bool:
    definition = feature_named(feature)
    return definition is not None and bool(definition.id_space)


def make_row(pipeline: Pipeline, **values: Any) -> Row:
    """A transition at step 0 of an episode of one step that ended in a terminal."""
    key = values.pop("action_key", item(0))
    row: Row = {
        "episode_id": "episode",
        "step": 0,
        "session_id": values.get("episode_id", "episode"),
        "user_id": "user",
        "decision_id": f"{values.get('episode_id', 'episode')}-{values.get('step', 0)}",
        "position": None,
        "decision_time": datetime(2026, 1, 5, 12, tzinfo=UTC),
        "action_id": _id_of(key),
        "action_key": key,
        "reward": 0,
        "metrics": dict.fromkeys(list(pipeline.scenario.metrics) or ["none"], 0),
        "terminal": True,
        "timeout": False,
        "reward_settled": True,
        "propensity": Decimal("0.5"),
        "propensity_source": "logged",
        "policy_version": "logging",
        "availability_id": None,
        "next_availability_id": None,
        "elapsed_seconds": 60,
    }
    for name in ("observation", "next_observation"):
        row[name] = values[name] if name in values else make_observation(pipeline)
    return row | values


def make_episode(pipeline: Pipeline, episode_id: str, start: datetime, rows: Sequence[Row]) -> list[Row]:
    """Steps a minute apart, of which only the last is an end (a terminal unless it says otherwise)."""
    made = []
    for step, row in enumerate(rows):
        is_last = step == len(rows) - 1
        ends = {} if is_last else {"terminal": False, "timeout": False}
        times = {"decision_time": start + timedelta(minutes=step)}
        made.append(make_row(pipeline, **{"episode_id": episode_id, "step": step, **times, **row, **ends}))
    return made


def shop_rows(
    pipeline: Pipeline, day: date, *, n_episodes: int, n_items: int = 12, n_users: int = 40, seed: int = 0
) -> list[Row]:
    """A day's episodes of the made-up shop."""
    generator = np.random.default_rng([seed, day.toordinal()])
    rows: list[Row] = []
    for number in range(n_episodes):
        user = int(generator.integers(n_users))
        start = datetime.combine(day, datetime.min.time(), tzinfo=UTC) + timedelta(
            seconds=int(generator.integers(6 * 3600, 18 * 3600))
        )
        rows += make_episode(
            pipeline, f"{day}-{number:04d}", start, _shop_episode(pipeline, generator, user, n_items, day)
        )
    return rows


def available_items(day: date, n_items: int) -> list[str]:
    """All items but one, which is out of stock that day."""
    return [item(i) for i in range(n_items) if i != day.toordinal() % n_items]


def availability_id(day: date) -> str:
    return f"available-{day}"


def write_transitions(lake: Lake, pipeline: Pipeline, day: date, rows: Sequence[Row], **manifest: Any) -> Pointer:
    """The rows are the published transitions of the day."""
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    schema = arrow_schema(transitions_table(pipeline.scenario))
    return _publish(folder, f"date={day}", pa.Table.from_pylist(list(rows), schema=schema), pipeline, day, manifest)


def write_availability(lake: Lake, pipeline: Pipeline, day: date, sets: Mapping[str, Sequence[str]]) -> Pointer:
    """The sets are the published availability of a delivery."""
    rows = [
        {
            "availability_id": id_,
            "valid_from": datetime.combine(day, datetime.min.time(), tzinfo=UTC),
            "actions": list(actions),
        }
        for id_, actions in sets.items()
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(AVAILABILITY))
    return _publish(lake.table("availability"), f"delivery_date={day}", table, pipeline, day, {})


def write_items(
    lake: Lake,
    pipeline: Pipeline,
    day: date,
    categories: Mapping[str, str | None],
    packs: Mapping[str, int] | None = None,
) -> Pointer:
    """The items, by category, are the published items of a delivery, valid from its day on."""
    valid_from = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
    blank = dict.fromkeys(("price", "cost", "volume"))
    rows = [
        {
            "item_id": key,
            "valid_from": valid_from,
            "category_id": category,
            "pack_size": (packs or {}).get(key),
            **blank,
        }
        for key, category in categories.items()
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(ITEMS))
    return _publish(lake.table("items"), f"delivery_date={day}", table, pipeline, day, {})


def write_item_attributes(
    lake: Lake, pipeline: Pipeline, day: date, told: Mapping[str, Mapping[str, str | None]]
) -> Pointer:
    """What is told of items, by item and attribute, is published of a delivery, valid from its day on."""
    valid_from = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
    rows = [
        {"item_id": item_id, "valid_from": valid_from, "attribute": attribute, "value": value}
        for item_id, by_name in told.items()
        for attribute, value in by_name.items()
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(ITEM_ATTRIBUTES))
    return _publish(lake.table("item_attributes"), f"delivery_date={day}", table, pipeline, day, {})


def write_offers(
    lake: Lake, pipeline: Pipeline, day: date, costs: Mapping[str, int | None], *, valid_from: date | None = None
) -> Pointer:
    """The offers, by what they commit in millionths, are the published offers of a delivery, valid from its day on."""
    start = datetime.combine(valid_from or day, datetime.min.time(), tzinfo=UTC)
    rows = [{"offer_id": key, "valid_from": start, "cost": cost} for key, cost in costs.items()]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(OFFERS))
    return _publish(lake.table("offers"), f"delivery_date={day}", table, pipeline, day, {})


def write_shop(
    lake: Lake,
    pipeline: Pipeline,
    *,
    n_days: int = 14,
    n_episodes: int = 40,
    n_items: int = 12,
    seed: int = 0,
) -> date:
    """Days of the made-up shop are published; gives the last."""
    for n in range(n_days):
        day = FIRST_DAY + timedelta(days=n)
        rows = shop_rows(pipeline, day, n_episodes=n_episodes, n_items=n_items, seed=seed)
        write_transitions(lake, pipeline, day, rows)
        write_availability(lake, pipeline, day, {availability_id(day): available_items(day, n_items)})
    return FIRST_DAY + timedelta(days=n_days - 1)


def make_logged_episodes(lengths: Sequence[int] = (2, 3), n_actions: int = 3, **values: Any) -> LoggedEpisodes:
    """Episodes of the given lengths that end in terminals; features are the row number."""
    n = int(sum(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    terminal = np.zeros(n, dtype=bool)
    terminal[offsets[1:] - 1] = True
    number = np.arange(n)
    content: dict[str, Any] = {
        "features": number[:, None].astype(np.float32),
        "next_features": (number[:, None] + 1).astype(np.float32),
        "action": (number % n_actions).astype(np.int64),
        "reward": np.ones(n),
        "terminal": terminal,
        "timeout": np.zeros(n, dtype=bool),
        "propensity": np.full(n, 1 / n_actions),
        "availability": np.ones((1, n_actions), dtype=bool),
        "mask_index": np.zeros(n, dtype=np.int64),
        "next_mask_index": np.zeros(n, dtype=np.int64),
        "offsets": offsets,
        "unit": np.arange(len(lengths), dtype=np.int64),
        "start_time": np.arange(len(lengths), dtype=np.int64),
        "elapsed_microseconds": np.full(n, 60_000_000, dtype=np.int64),
        "policy_version": np.zeros(n, dtype=np.int64),
    }
    return LoggedEpisodes(**(content | values))


def _shop_episode(pipeline: Pipeline, generator: np.random.Generator, user: int, n_items: int, day: date) -> list[Row]:
    favorite = user % (n_items // ITEMS_PER_CATEGORY)
    available = available_items(day, n_items)
    shown: list[int] = []
    engaged: list[int] = [favorite * ITEMS_PER_CATEGORY]
    steps: list[Row] = []
    n_clicks = 0
    for step in range(int(generator.integers(1, 7))):
        before = _shop_observation(pipeline, shown, engaged, step, n_clicks)
        key = available[int(generator.integers(len(available)))]
        number = int(key.removeprefix("item-"))
        is_clicked = generator.random() < (0.6 if number // ITEMS_PER_CATEGORY == favorite else 0.1)
        shown, n_clicks = [number, *shown], n_clicks + is_clicked
        engaged = [number, *engaged] if is_clicked else engaged
        metrics = {name: int(is_clicked) if name == "clicks" else 0 for name in pipeline.scenario.metrics}
        steps.append(
            {
                "user_id": f"user-{user:03d}",
                "observation": before,
                "action_key": key,
                "reward": int(is_clicked) * MILLIONTHS,
                "metrics": metrics,
                "next_observation": _shop_observation(pipeline, shown, engaged, step + 1, n_clicks),
                "propensity": Decimal(1) / Decimal(len(available)) // Decimal("1e-15") * Decimal("1e-15"),
                "availability_id": availability_id(day),
                "next_availability_id": availability_id(day),
            }
        )
    if generator.random() < 0.1:
        steps[-1] |= {"terminal": False, "timeout": True}
    return steps


def _shop_observation(pipeline: Pipeline, shown: list[int], engaged: list[int], step: int, n_clicks: int) -> Row:
    return make_observation(
        pipeline,
        recent_shown_items=[item(i) for i in shown],
        recent_shown_categories=[category(i) for i in shown],
        recent_engaged_items=[item(i) for i in engaged],
        recent_engaged_categories=[category(i) for i in engaged],
        session_step=step,
        n_session_clicks=n_clicks,
        seconds_since_session_start=60 * step,
        seconds_since_previous_event=60 if step else -1,
        last_price_band=-1,
        hour_of_day=12,
        day_of_week=1,
        days_since_last_visit=-1,
    )


def _publish(
    folder: Path, partition: str, table: pa.Table, pipeline: Pipeline, day: date, manifest: Mapping[str, Any]
) -> Pointer:
    digest = sha256(repr(table.to_pylist()).encode()).hexdigest()[:32]
    name = f"{partition}/v={digest}/part-0.parquet"  # a version is immutable: other rows lie in another folder
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / name)
    content: dict[str, Any] = {
        "table": folder.name,
        "partition": partition,
        "schema_version": SCHEMA_VERSION,
        "n_rows": table.num_rows,
        "content_hash": f"{table.num_rows}-{digest}",
        "spec_hash": data_spec_hash(pipeline),
        "code_hash": "test",
        "key_id": "test-key",
        "horizon": day,
        "inputs": {"day": str(day)},
        "counters": {"n_decisions": table.num_rows},
    }
    pointer = Pointer(files=(name,), manifest=Manifest(**(content | dict(manifest))))
    swap_pointer(Lake.pointer(folder, partition), pointer)
    return pointer
