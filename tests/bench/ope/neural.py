"""Coverage with Q-functions fitted by a network, as a night of many features fits them; slow, so few replications."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rl.ope.q_functions.fqe import FqeSettings
from tests.bench.ope.coverage import lines_of
from tests.bench.ope.samples import fit_values
from tests.bench.ope.shop import session_log
from tests.bench.ope.trial import COMPARED, N_TRAIN, LogTrial, Outcome, outcomes

N_REPLICATIONS = 30
KINDS = ("clicks", "large orders")
# What the recommendation scenario's spec leaves a night: 200 gradient steps in 10 rounds.
NEURAL = FqeSettings(n_updates=200, n_rounds=10)


def lines() -> Iterator[dict[str, object]]:
    """A line for each kind of reward and estimator on the logs of ordinary size."""
    n_replications = min(N_REPLICATIONS, int(os.environ.get("REPLICATIONS") or N_REPLICATIONS))
    for line in lines_of(_replicate, n_replications):
        yield line | {"section": "neural", "fqe": "neural"}


def _replicate(number: int) -> list[Outcome]:
    seed = 1000 * number
    values = fit_values(session_log(N_TRAIN, seed), "sessions", NEURAL, kinds=KINDS)
    test = session_log(COMPARED, seed + 1)
    return outcomes([LogTrial(test, "sessions", values, n=COMPARED, seed=number)])
