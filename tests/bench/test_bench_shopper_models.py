"""The benchmark of shopper models runs on small draws, and holds the truth of the very rows that are judged."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.bench_shopper_models import TRIALS, Trial


@pytest.fixture(scope="module", params=sorted(TRIALS))
def trial(request: pytest.FixtureRequest) -> Trial:
    return TRIALS[request.param](1, is_small=True)


def test_the_truth_is_of_the_rows_that_are_judged(trial: Trial) -> None:
    """In tenths of the law's own chance, as many outcomes happen as it says, within four standard errors."""
    truth, outcome = trial.truth, trial.fit.test_outcome
    assert len(truth) == len(outcome)
    for rows in np.array_split(np.argsort(truth, kind="stable"), 10):
        shoppers = len(np.unique(trial.fit.test.shopper[rows]))
        error = np.sqrt(max(truth[rows].mean() * (1 - truth[rows].mean()), 1e-4) / shoppers)
        assert abs(outcome[rows].mean() - truth[rows].mean()) < 4 * error


def test_a_row_holds_the_trees_between_the_line_and_the_law(trial: Trial) -> None:
    row = trial.row()
    assert set(row["auc"]) == {"logistic", "trees", "truth"}
    gap = row["auc"]["truth"] - row["auc"]["logistic"]
    assert row["closed"] == pytest.approx((row["auc"]["trees"] - row["auc"]["logistic"]) / gap, abs=0.01)
