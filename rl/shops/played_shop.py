"""A simulated shop as a night plays it: the same for every shop, whatever it decides and by whatever clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rl.data.dataset import Dataset
from rl.policy import StochasticPolicy
from rl.shops.true_value import EpisodeValue


class PlayedShop(Protocol):
    """A shop, and which episodes of it are judged: those that start as the test episodes of a dataset do."""

    def values(self, policies: Mapping[str, StochasticPolicy]) -> tuple[EpisodeValue, dict[str, EpisodeValue]]:
        """Return the value of the policy that made the log, and of each given policy by name.

        All are played on the same starts, over the steps and by the discount of the dataset's scenario.

        Raises:
            ShopError: the shop can't have made the dataset's log, or can't be played so.
        """
        ...


@dataclass(frozen=True)
class KnownShop:
    """How the shop of a clock is opened.

    Attributes:
        settings_file: that says, in the shop's folder, what made the log.
        open_shop: makes the shop of a folder, for the test episodes of a dataset; about so many episodes are played
            for each policy, by chance of that seed. ShopError where they don't fit.
        n_episodes: that are played unless asked otherwise.
    """

    settings_file: str
    open_shop: Callable[[Path, Dataset, int, int], PlayedShop]
    n_episodes: int
