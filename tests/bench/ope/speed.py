"""Seconds of estimates and intervals against scope-rl on the same episodes, alternating in one run.

Inputs are in memory on both sides before the clock starts: actions, rewards, propensities, and the tables of the
evaluation policy's probabilities and of Q for all rows and actions. Both make as many bootstrap draws. scope-rl draws
from values of episodes that were normalised once; ours draws units and normalises again in each draw, which is more
work for the self-normalised forms. Ours takes one set of draws for all estimates; `alone` estimates one at a time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import Interval, Resampling, percentile_intervals
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import evaluation_sample
from tests.bench.ope.row_tables import RowTable, log_of_rows
from tests.bench.ope.speed_inputs import GAMMA, HORIZON, LEVEL, N_ACTIONS, N_DRAWS, N_EPISODES, speed_input
from tests.bench.peers.process import PeerIsMissing, PeerProcess

NAMES = ("dm", "tis", "pdis", "dr", "wis", "wpdis", "wdr")
VERSIONS = {"scope-rl": "0.2.1"}
N_REPEATS = 7


@dataclass(frozen=True)
class OwnRun:
    """One timed pass of ours.

    Attributes:
        intervals: by estimator.
        point_seconds: from the log to every estimate.
        interval_seconds: from there to every interval.
    """

    intervals: Mapping[str, Interval]
    point_seconds: float
    interval_seconds: float

    @property
    def seconds(self) -> float:
        return self.point_seconds + self.interval_seconds


@dataclass(frozen=True)
class OwnInputs:
    """What is in memory before the clock starts."""

    log: LoggedEpisodes
    policy: RowTable
    q_function: RowTable

    def run(self, names: Sequence[str], *, seed: int, scheme: Literal["poisson", "multinomial"]) -> OwnRun:
        """Estimates and intervals of the named estimators."""
        started = time.perf_counter()
        values = action_values(self.q_function, self.policy, self.log)
        sample = evaluation_sample(self.policy, self.log, discount=DiscountFunction(GAMMA), values=values)
        sums = [ESTIMATORS[name].per_unit_sums(sample) for name in names]
        _ = [found.value() for found in sums]
        between = time.perf_counter()
        intervals = percentile_intervals(sums, level=LEVEL, resampling=Resampling(N_DRAWS, seed, scheme))
        ended = time.perf_counter()
        return OwnRun(dict(zip(names, intervals, strict=True)), between - started, ended - between)


@dataclass
class Passes:
    """Timed passes of both sides, taken in turn."""

    peer: list[Any] = field(default_factory=list)
    own: list[OwnRun] = field(default_factory=list)
    own_multinomial: list[OwnRun] = field(default_factory=list)
    own_alone: list[dict[str, OwnRun]] = field(default_factory=list)

    def peer_seconds(self, part: str, name: str | None = None) -> float:
        """Median over passes, of one estimator or of all together."""
        return float(
            median(sum(found[part] for other, found in one.items() if name in (None, other)) for one in self.peer)
        )


def lines() -> Iterator[dict[str, Any]]:
    """One line for the points, one for points and intervals, and one for each estimator alone."""
    try:
        with PeerProcess("tests.bench.peers.scope_rl", VERSIONS) as peer:
            yield from _compared(peer)
    except PeerIsMissing as reason:
        yield _head("points and intervals") | {"measured": False, "why": str(reason)}


def _compared(peer: PeerProcess) -> Iterator[dict[str, Any]]:
    passes = _passes(peer)
    theirs = {part: passes.peer_seconds(part) for part in ("point_seconds", "interval_seconds")}
    both = theirs["point_seconds"] + theirs["interval_seconds"]
    yield _line("points", median(run.point_seconds for run in passes.own), theirs["point_seconds"])
    yield _line("points and intervals", median(run.seconds for run in passes.own), both) | {
        "draws": "ours Poisson(1) weights of units, one set for all estimates; theirs rows drawn for each estimate",
        "ratio_to_their_intervals_alone": _ratio(median(run.seconds for run in passes.own), theirs["interval_seconds"]),
    }
    yield _line("points and intervals", median(run.seconds for run in passes.own_multinomial), both) | {
        "draws": "ours exactly as many units as there are, one set for all estimates; theirs for each estimate"
    }
    for name in NAMES:
        own = median(run[name].seconds for run in passes.own_alone)
        peer_both = passes.peer_seconds("point_seconds", name) + passes.peer_seconds("interval_seconds", name)
        yield _line(f"{name} alone, point and interval", own, peer_both) | _agreement(name, passes)


def _passes(peer: PeerProcess) -> Passes:
    """Both sides in turn; the first pass of each warms up and isn't counted."""
    given, found = speed_input(), Passes()
    log = log_of_rows(given.action, given.reward, given.propensity, n_actions=N_ACTIONS, length=HORIZON)
    own = OwnInputs(log, RowTable(given.evaluation), RowTable(given.q))
    for seed in range(N_REPEATS + 1):
        found.own.append(own.run(NAMES, seed=seed, scheme="poisson"))
        found.peer.append(peer.ask(seed=seed))
        found.own_multinomial.append(own.run(NAMES, seed=seed, scheme="multinomial"))
        found.own_alone.append({name: own.run([name], seed=seed, scheme="poisson") for name in NAMES})
    return Passes(found.peer[1:], found.own[1:], found.own_multinomial[1:], found.own_alone[1:])


def _agreement(name: str, passes: Passes) -> dict[str, float]:
    """How far the two values are apart, and how wide the intervals are (medians over the passes' seeds)."""
    ours, theirs = [run.intervals[name] for run in passes.own], [run[name] for run in passes.peer]
    return {
        "value": round(ours[0].value, 6),
        "relative_difference": float(f"{abs(ours[0].value / theirs[0]['value'] - 1):.2g}"),
        "width": round(median(found.upper - found.lower for found in ours), 4),
        "peer_width": round(median(found["upper"] - found["lower"] for found in theirs), 4),
    }


def _line(task: str, own: float, peer: float) -> dict[str, Any]:
    seconds = {"seconds": round(own, 4), "peer_seconds": round(peer, 4), "ratio": _ratio(own, peer)}
    return _head(task) | {"measured": True, **seconds, "repeats": N_REPEATS}


def _head(task: str) -> dict[str, Any]:
    return {
        "bench": "ope_speed",
        "task": task,
        "peer": "scope-rl 0.2.1",
        "episodes": N_EPISODES,
        "steps": HORIZON,
        "actions": N_ACTIONS,
        "n_draws": N_DRAWS,
        "threads": os.environ.get("OMP_NUM_THREADS", "unset"),
    }


def _ratio(own: float, peer: float) -> float:
    return round(own / peer, 3)


if __name__ == "__main__":
    for line in lines():
        print(json.dumps(line), flush=True)
