"""Relative error of one-step estimates of Thompson sampling from a public log of a uniformly random recommender.

The truth is the mean of the other recommender's own log: 42 clicks, a relative standard error of 15%. So no row here is
a target, which the naive mean of the random log shows: it ignores the policy and lands nearer than most estimators.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.bench.ope.row_tables import RowTable, log_of_rows
from tests.bench.peers.process import PeerIsMissing, PeerProcess
from tests.golden.open_bandit import open_bandit_input

NAMES = {
    "dm": "dm",
    "ips": "ipw",
    "snips": "snipw",
    "dr": "dr",
    "sndr": "sndr",
    "switch_dr": "switch-dr",
    "dr_os": "dr-os",
}
"""Ours, and what the peer calls them."""
VERSIONS = {"sb-obp": "0.5.10"}
N_RUNS = 30


@dataclass(frozen=True)
class Draws:
    """What came of all draws.

    Attributes:
        truth: value of the evaluation policy, from its own log.
        own: by estimator, and `naive` for the mean of the log, `(n_runs,)` each.
        peer: by our estimators' names, `(n_runs,)` each; empty where there was no peer.
    """

    truth: float
    own: Mapping[str, FloatArray]
    peer: Mapping[str, FloatArray]

    def errors(self, values: FloatArray) -> FloatArray:
        """Relative to the truth."""
        return np.abs(values / self.truth - 1)


def lines() -> Iterator[dict[str, Any]]:
    """A line for each estimator on the peer's draws and inputs; without the peer, on inputs made from the log alone."""
    try:
        with PeerProcess("tests.bench.peers.obp", VERSIONS) as peer:
            yield from _rows(
                "the peer's: its draws, simulated Thompson sampling, cross-fitted regression", _of_peer(peer)
            )
    except PeerIsMissing as reason:
        yield {"bench": "ope_open_bandit", "inputs": "the peer's", "measured": False, "why": str(reason)}
        yield from _without_peer()


def _without_peer() -> Iterator[dict[str, Any]]:
    """Not comparable with a peer's row: probabilities are read off the log that the truth comes from."""
    inputs = "own draws; shares of items in the other log, smoothed click rates of items in the whole random log"
    if folder := os.environ.get("NIGHTCART_REAL_DATA"):
        yield from _rows(inputs, _own(Path(folder)))
    else:
        why = "NIGHTCART_REAL_DATA names no folder with obd/"
        yield {"bench": "ope_open_bandit", "inputs": inputs, "measured": False, "why": why}


def _of_peer(peer: PeerProcess) -> Draws:
    """Ours on the rows that the peer drew, with its probabilities and predictions."""
    own: list[dict[str, float]] = []
    theirs: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npz"
        for draw in range(N_RUNS):
            theirs.append(peer.ask(draw=draw, path=str(path)))
            with np.load(path) as given:
                own.append(_estimates(dict(given)))
    by_name = {name: np.array([found["values"][other] for found in theirs]) for name, other in NAMES.items()}
    return Draws(theirs[0]["truth"], _columns(own), by_name)


def _own(folder: Path) -> Draws:
    own = []
    for draw in range(N_RUNS):
        given = open_bandit_input(folder, draw)
        rows = len(given.action)
        own.append(
            _estimates(
                {
                    "action": given.action,
                    "reward": given.reward,
                    "propensity": given.propensity,
                    "evaluation": given.evaluation[given.position],
                    "q": np.tile(given.q, (rows, 1)),
                }
            )
        )
    return Draws(_mean_clicks(folder / "obd" / "bts" / "all.csv.gz"), _columns(own), {})


def _estimates(given: dict[str, Any]) -> dict[str, float]:
    sample = _sample(given)
    values = {name: ESTIMATORS[name].per_unit_sums(sample).value() for name in NAMES}
    return values | {"naive": float(given["reward"].mean())}


def _sample(given: dict[str, Any]) -> EvaluationSample:
    evaluation, q = RowTable(given["evaluation"]), RowTable(given["q"])
    log = log_of_rows(given["action"], given["reward"], given["propensity"], n_actions=given["q"].shape[1], length=1)
    return evaluation_sample(evaluation, log, discount=DiscountFunction(1.0), values=action_values(q, evaluation, log))


def _rows(inputs: str, found: Draws) -> Iterator[dict[str, Any]]:
    naive = found.errors(found.own["naive"])
    for name in NAMES:
        errors = found.errors(found.own[name])
        yield {
            "bench": "ope_open_bandit",
            "estimator": name,
            "inputs": inputs,
            "measured": True,
            "n_runs": len(errors),
            **_spread("relative_error", errors),
            **_against_peer(name, found),
            **_spread("naive_mean_relative_error", naive),
            "truth": found.truth,
            "truth_rests_on": "42 clicks: 15% relative standard error",
        }


def _against_peer(name: str, found: Draws) -> dict[str, Any]:
    if name not in found.peer:
        return {"peer": None}
    apart = np.abs(found.own[name] / found.peer[name] - 1)
    return {
        "peer": f"sb-obp {VERSIONS['sb-obp']}",
        **_spread("peer_relative_error", found.errors(found.peer[name])),
        "largest_relative_difference": float(f"{apart.max():.2g}"),
        "runs_of_equal_value": int((apart < 1e-6).sum()),
    }


def _spread(name: str, values: FloatArray) -> dict[str, float]:
    return {name: round(float(values.mean()), 4), f"{name}_std": round(float(values.std(ddof=1)), 4)}


def _columns(rows: list[dict[str, float]]) -> dict[str, FloatArray]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _mean_clicks(path: Path) -> float:
    with gzip.open(path, "rt") as text:
        return math.fsum(clicks := [float(row["click"]) for row in csv.DictReader(text)]) / len(clicks)


if __name__ == "__main__":
    for line in lines():
        print(json.dumps(line), flush=True)
