"""One-decision logs of five actions, with candidate and champion that disagree, for tests of exploration."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.exploration.prediction import Strata, Tonight
from rl.exploration.rows import GainRows
from tests.bench.exploration.shop import STRATA, Shop


def shop(gain: float = 0.1) -> Shop:
    return Shop.of(11, n_actions=5, floor=0.2, gain=gain)


def rows_of(one: Shop, n: int = 20_000, seed: int = 3) -> tuple[GainRows, Strata, FloatArray]:
    generator = np.random.default_rng(seed)
    log = one.log(one.champion, n, generator)
    q = one.fitted(one.log(one.champion, n, generator))
    return GainRows.of(*one.samples(log, q)), Strata("how often here", STRATA, log.stratum), q


def tonight(rows: GainRows, **over: object) -> Tonight:
    unit = rows.part + rows.start
    given: dict[str, object] = {
        "gain": float(unit.mean()),
        "standard_error": float(unit.std(ddof=1)) / len(unit) ** 0.5,
        "level": 0.0088,
        "floors": (200.0, 200.0, 100.0),
        "episodes_a_night": 400.0,
        "baseline_value": rows.baseline_value,
    }
    return Tonight(**(given | over))  # type: ignore[arg-type]  # the fields as they stand above
