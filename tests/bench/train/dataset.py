"""Building the data set of a million events, from the same arrays in memory: ours and d3rlpy's MDPDataset.

Ours compares every next observation with the row below, bit for bit. Its bytes count what the replay holds, the arrays
it shares included; d3rlpy's count the arrays it was given and what it allocates, followed on a tenth of the events.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

from rl.learning.replay.replay import Replay
from rl.learning.replay.replay_columns import columns_of
from tests.bench.train.log import Log, random_log
from tests.bench.train.timing import DEVICE, ratios, setting, time_in_turn

_PART = 10


def lines() -> Iterator[dict[str, Any]]:
    """One line."""
    log = random_log()
    episodes = log.episodes()
    found = time_in_turn(
        {
            "ours": lambda: Replay(columns_of(episodes), device=DEVICE),
            "d3rlpy": log.mdp_dataset,
        },
        block_seconds=0,
    )
    n = len(log.action)
    columns = columns_of(episodes)
    stock = log.mdp_dataset()
    yield {
        "bench": "train_dataset",
        "events": n,
        "seconds": {name: round(one.wall, 3) for name, one in found.items()},
        "times_ours": ratios(found, "ours"),
        "raw_bytes_per_event": round(log.raw_bytes / n, 1),
        "bytes_per_event": {"ours": round(columns.n_bytes / n, 1), "d3rlpy": round(_stock_bytes(), 1)},
        "ours_times_raw_bytes": round(columns.n_bytes / log.raw_bytes, 3),
        "transitions": {"ours": columns.n_transitions, "d3rlpy": int(stock.transition_count)},
        "share_of_reward_retained": {
            "ours": round(float(columns.reward.sum() / log.reward.sum()), 6),
            "d3rlpy": round(_stock_reward(stock, log), 6),
        },
    } | setting()


def _stock_bytes() -> float:
    """Per event: what MDPDataset allocates beside the features it shares, and these."""
    log = random_log(len(random_log().action) // _PART, 1)
    gc.collect()
    tracemalloc.start()
    kept = log.mdp_dataset()
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return (allocated + log.features.nbytes + log.action.nbytes) / len(log.action)


def _stock_reward(stock: Any, log: Log) -> float:
    """Share of the log's rewards in the transitions that can be drawn: `n - 1` of a cut episode of n events."""
    drawn = sum(float(episode.rewards[: episode.transition_count].sum()) for episode in stock.episodes)
    return drawn / float(log.reward.sum())
