"""The public log of a uniformly random recommender, and an evaluation policy read off another recommender's log."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.golden.random_logs import Floats, Ints, draw

OPEN_BANDIT_DRAWS = (0, 1, 2)
N_ITEMS = 80
N_POSITIONS = 3


@dataclass(frozen=True)
class OpenBanditInput:
    """Rows drawn from the random log.

    Attributes:
        action: item, `(n,)`.
        reward: clicks, `(n,)`.
        propensity: as logged, `(n,)`.
        position: from 0, `(n,)`.
        evaluation: probability of each item at each position, `(n_positions, n_items)`.
        q: predicted clicks of each item, `(n_items,)`.
    """

    action: Ints
    reward: Floats
    propensity: Floats
    position: Ints
    evaluation: Floats
    q: Floats


def open_bandit_input(folder: Path, seed: int) -> OpenBanditInput:
    """Rows drawn with replacement by the seed.

    The evaluation policy shows items as often as Thompson sampling did at the position (add-one smoothed); predicted
    clicks are each item's smoothed rate in the random log.
    """
    log, other = _columns(folder / "obd" / "random" / "all.csv.gz"), _columns(folder / "obd" / "bts" / "all.csv.gz")
    shown = np.ones((N_POSITIONS, N_ITEMS))
    np.add.at(shown, (other["position"].astype(np.int64) - 1, other["item_id"].astype(np.int64)), 1.0)
    item = log["item_id"].astype(np.int64)
    clicks = np.bincount(item, weights=log["click"], minlength=N_ITEMS)
    rows = draw(len(item), seed)
    return OpenBanditInput(
        action=item[rows],
        reward=log["click"][rows],
        propensity=log["propensity_score"][rows],
        position=log["position"].astype(np.int64)[rows] - 1,
        evaluation=shown / shown.sum(axis=1, keepdims=True),
        q=(clicks + 0.4) / (np.bincount(item, minlength=N_ITEMS) + 100.0),
    )


def _columns(path: Path) -> dict[str, Floats]:
    names = ("item_id", "position", "click", "propensity_score")
    with gzip.open(path, "rt") as lines:
        rows = [[row[name] for name in names] for row in csv.DictReader(lines)]
    return dict(zip(names, np.array(rows, dtype=np.float64).T, strict=True))
