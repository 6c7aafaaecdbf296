"""A lake of transitions straight from a simulated shop, as a perfect pipeline would have built them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from conf.paths import Lake, simulated_shop
from conf.specs.scenario import MILLIONTHS, Pipeline
from rl.shops.recommendation.measures import MICROSECONDS
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_settings import SHOP_FILE, ShopSettings
from rl.shops.recommendation.simulate import simulate
from rl.shops.recommendation.simulated_episodes import SimulatedEpisodes, episodes_from_simulation
from tests.rl.factories import Row, make_row, write_availability, write_transitions

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_simulated_lake(home: Path, lake: Lake, pipeline: Pipeline, settings: ShopSettings) -> None:
    """Every day's transitions and availability sets are published, and shop.json lies in the home."""
    SHOP_FILE.save(settings, simulated_shop(home, pipeline.source.name))
    shop = build_shop(settings)
    simulation = simulate(shop)
    keys = list(shop.catalogue.item_ids)
    for number in range(settings.n_days):
        day = settings.first_date + timedelta(days=number)
        episodes = episodes_from_simulation(simulation, day, day)
        rows = [
            _row(pipeline, episodes, row, episode)
            for episode in range(len(episodes.offsets) - 1)
            for row in range(episodes.offsets[episode], episodes.offsets[episode + 1])
        ]
        write_transitions(lake, pipeline, day, rows)
        half_days = (2 * number, 2 * number + 1)
        sets = {
            shop.availability_ids[half]: [keys[i] for i in shop.availability[half].nonzero()[0]] for half in half_days
        }
        write_availability(lake, pipeline, day, sets)


def _row(pipeline: Pipeline, episodes: SimulatedEpisodes, row: int, episode: int) -> Row:
    first = int(episodes.offsets[episode])
    time = EPOCH + timedelta(microseconds=int(episodes.decision_time[row]))
    day = time.astimezone(ZoneInfo(pipeline.source.zone)).date()
    availability_id = str(episodes.availability_id[row])
    return make_row(
        pipeline,
        action_key=str(episodes.action_key[row]),
        episode_id=f"{day}-{episodes.decision_id[first]}",
        session_id=str(episodes.decision_id[first]),
        user_id=f"shopper-{episodes.shopper[episode]}",
        step=row - first,
        decision_time=time,
        observation=_observation(pipeline, episodes, row, is_next=False),
        next_observation=_observation(pipeline, episodes, row, is_next=True),
        reward=round(float(episodes.reward[row]) * MILLIONTHS),
        metrics={name: int(episodes.metrics[name][row]) for name in pipeline.scenario.metrics},
        terminal=bool(episodes.terminal[row]),
        timeout=False,
        propensity=Decimal(repr(float(episodes.propensity[row]))).quantize(Decimal("1e-15")),
        availability_id=availability_id,
        next_availability_id=availability_id,
        elapsed_seconds=_elapsed_seconds(episodes, row),
    )


def _elapsed_seconds(episodes: SimulatedEpisodes, row: int) -> int:
    """Whole seconds to the next decision, or to the closing."""
    gap = episodes.shop.measures.gap
    if not episodes.terminal[row]:
        gap = episodes.decision_time[row + 1] - episodes.decision_time[row]
    return int(gap // MICROSECONDS)


def _observation(pipeline: Pipeline, episodes: SimulatedEpisodes, row: int, *, is_next: bool) -> Row:
    columns = episodes.next_observation if is_next else episodes.observation
    observation: Row = {}
    for feature in pipeline.scenario.observation.features:
        value = columns[feature.name][row]
        observation[feature.name] = int(value) if feature.length is None else [int(v) for v in value if v]
    return observation
