"""Coverage of bounded and light rewards alone, with logged propensities, on logs above the floors: a tenth of the work.

Its logs and intervals are those of the coverage section's replications of the same numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.bench.gate.kept_lines import KeptLines
from tests.bench.ope.coverage import N_REPLICATIONS, lines_of
from tests.bench.ope.samples import FORMS, fit_values
from tests.bench.ope.shop import session_log
from tests.bench.ope.trial import N_TRAIN, SIZES, LogTrial, Outcome, outcomes

KINDS = ("clicks", "baskets", "purchases")


def lines() -> Iterator[dict[str, object]]:
    """A line for each log and estimator; `OUT` keeps replications, so that a stopped run goes on."""
    out = os.environ.get("OUT")
    kept = KeptLines(Path(out) / "light.jsonl", key="replication") if out else None
    yield from lines_of(replicate, int(os.environ.get("REPLICATIONS") or N_REPLICATIONS), kept=kept)


def replicate(number: int) -> list[Outcome]:
    """The outcomes of one replication; equal numbers give equal logs."""
    seed = 1000 * number
    train = session_log(N_TRAIN, seed)
    values = {form: fit_values(train, form, kinds=KINDS) for form in FORMS}
    found: list[Outcome] = []
    for place, n in enumerate(SIZES, start=1):
        if n != min(SIZES):
            test = session_log(n, seed + place)
            found += outcomes([LogTrial(test, form, values[form], n=n, seed=number) for form in FORMS])
    return found
