"""True values of policies in the shop that a simulated log came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conf.paths import simulated_shop
from rl.data.dataset import Dataset
from rl.errors import ShopError
from rl.policy import StochasticPolicy
from rl.shops.known_shops import KNOWN_SHOPS
from rl.shops.true_value import EpisodeValue


@dataclass(frozen=True)
class TrueValues:
    """True values, or the reason there are none.

    Attributes:
        behavior: true value of the policy that made the log.
        policies: of the others, by name.
        note: why they are unknown; empty where they are known.
    """

    behavior: EpisodeValue | None = None
    policies: Mapping[str, EpisodeValue] = field(default_factory=dict)
    note: str = ""


def true_values(
    home: Path,
    dataset: Dataset,
    policies: Mapping[str, StochasticPolicy],
    *,
    n_episodes: int | None = None,
    seed: int = 0,
) -> TrueValues:
    """Return the values of the behavior policy and of the given policies on episodes that start as the test's do.

    All are played on the same starts. Nothing is known, with a note, where the log's shop isn't at hand.

    Args:
        home: that holds the shop's folder.
        dataset: whose test episodes are judged.
        policies: by name.
        n_episodes: to play for each policy, about; None for as many as the shop is played for by itself.
        seed: of the truth's own chance.
    """
    source, clock = dataset.pipeline.source, dataset.pipeline.scenario.clock
    folder = simulated_shop(home, source.name)
    if not source.is_simulated:
        return TrueValues(note="the log is of a real shop")
    known = KNOWN_SHOPS.get(clock)
    if known is None:
        return TrueValues(note=f"a night plays no simulated shop that decides by {clock}")
    if not (folder / known.settings_file).exists():
        return TrueValues(note=f"no {known.settings_file} in {folder}: the shop that made this log isn't known")
    try:
        shop = known.open_shop(folder, dataset, known.n_episodes if n_episodes is None else n_episodes, seed)
        return TrueValues(*shop.values(policies))
    except ShopError as error:
        return TrueValues(note=f"the shop of {folder} can't be played for this log: {error}")
