"""Random windows of logged days, which a network is led through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rl.data.logged_episodes import FloatArray
from rl.inventory.hindsight.demand_paths import DemandPaths
from rl.inventory.on_the_way import drawn_waits


@dataclass(frozen=True)
class Window:
    """Some days of some products, one a row, each with its stock at the beginning.

    Attributes:
        pipeline: units on hand and due on the next days, `(n, lead_time)`.
        demand: units, `(n_days, n)`.
        features: known when the day's order is placed, `(n_days, n, n_features)`; None for none.
        waits: days from order to arrival, `(n_days, n)`; None for the lead time.
        weight: of a row's cost, `(n,)`; None where all count alike.
    """

    pipeline: torch.Tensor
    demand: torch.Tensor
    features: torch.Tensor | None = None
    waits: torch.Tensor | None = None
    weight: torch.Tensor | None = None


class Windows:
    """Windows without end; days that ran out are drawn anew now and then."""

    def __init__(
        self,
        paths: DemandPaths,
        lead_time: int,
        *,
        n_rows: int,
        n_days: int,
        windows_per_draw: int,
        generator: np.random.Generator,
    ) -> None:
        """Begin.

        Args:
            paths: logged days; at least `n_days` of them.
            lead_time: days from order to arrival, as promised.
            n_rows: of a window.
            n_days: of a window.
            windows_per_draw: windows between two draws of the days that ran out.
            generator: of everything.
        """
        self._paths, self._lead_time = paths, lead_time
        self._n_rows, self._n_days, self._windows_per_draw = n_rows, n_days, windows_per_draw
        self._generator = generator
        self._n_drawn = 0
        self._demand = np.zeros((0, 0))

    def next(self) -> Window:
        """Return the next window."""
        if self._n_drawn % self._windows_per_draw == 0:
            self._demand = self._paths.drawn(self._generator).astype(np.float32)
        self._n_drawn += 1
        n, paths = self._n_rows, self._paths
        products = self._generator.integers(len(self._demand), size=n)
        starts = self._generator.integers(paths.n_days - self._n_days + 1, size=n)
        days = starts[None, :] + np.arange(self._n_days)[:, None]
        features = None if paths.features is None else paths.features[products[None, :], days]
        pipeline = self._pipeline(features)
        return Window(
            torch.from_numpy(np.round(pipeline).astype(np.float32)),
            torch.from_numpy(self._demand[products[None, :], days]),
            None if features is None else torch.from_numpy(features.astype(np.float32)),
            self._waits(),
            None if paths.weight is None else torch.from_numpy(paths.weight[products].astype(np.float32)),
        )

    def _pipeline(self, features: FloatArray | None) -> FloatArray:
        """Return some days' demand each, at random: windows begin with all kinds of stock; the warm-up settles it."""
        usual: FloatArray | float = self._paths.scale
        if features is not None and self._paths.n_forecasts:
            usual = features[0, :, : self._paths.n_forecasts].mean(axis=1, keepdims=True)
        drawn = self._generator.integers(0, 3, size=(self._n_rows, self._lead_time))
        return np.asarray(drawn * usual, dtype=np.float64)

    def _waits(self) -> torch.Tensor | None:
        shares, lead_time = self._paths.wait_shares, self._lead_time
        if shares is None:
            return None
        return torch.from_numpy(drawn_waits(shares, lead_time, (self._n_days, self._n_rows), self._generator))
