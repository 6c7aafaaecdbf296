"""Second looks over runs of nights: as rare as their level says on unseen sessions, and not where old ones count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from tests.bench.gate.nights import GATE
from tests.bench.gate.one_step_nights import Kind
from tests.bench.gate.one_step_shop import OneStepShop
from tests.bench.gate.second_look_odds import Candidates, Outcome, Plan, Run
from tests.bench.gate.second_look_runs import WINDOW, SecondLookPlan, ShopRun

N_RUNS, N_NIGHTS = 80, 60
READS: tuple[Literal["unseen", "pooled"], ...] = ("unseen", "pooled")


def outcomes(plan: Plan | None, candidates: Candidates, per_year: float = 4) -> Sequence[Outcome]:
    return [Run(candidates, seed, n_nights=N_NIGHTS).outcome(plan, per_year=per_year) for seed in range(N_RUNS)]


@pytest.mark.parametrize("alike", [1.0, 0.7])
def test_wrong_promotions_stay_within_what_was_spent_and_that_within_the_allowance(alike: float) -> None:
    """Sixty nights of candidates that are no better, fixed or others every night; four standard errors are allowed."""
    found = outcomes(Plan(14), Candidates(alike=alike))
    wrong = np.array([one.n_wrong for one in found], dtype=np.float64)
    assert max(one.spent for one in found) <= 4 * N_NIGHTS / 365 + 1e-9
    assert sum(one.n_declared for one in found) > N_RUNS
    assert wrong.mean() <= np.mean([one.spent for one in found]) + 4 * wrong.std(ddof=1) / np.sqrt(N_RUNS)


def test_a_second_look_errs_about_as_often_as_its_level_says_and_a_pooled_one_far_more_often() -> None:
    """Of second looks at levels of about .45%: three of their standard errors are allowed, which pooling is beyond."""
    found = {reads: outcomes(Plan(14, reads=reads), Candidates(alike=0.7)) for reads in READS}
    n_declared = {reads: sum(one.n_declared for one in of_plan) for reads, of_plan in found.items()}
    share = {reads: sum(one.n_second for one in of_plan) / n_declared[reads] for reads, of_plan in found.items()}
    allowed = 0.0045 + 3 * np.sqrt(0.0045 / n_declared["unseen"])
    assert share["unseen"] <= allowed < share["pooled"]


def test_a_run_is_the_same_whatever_the_plan_that_is_tried_on_it() -> None:
    run = Run(Candidates(1.0, 0.5, 0.7), 3)
    first = run.outcome(None)
    run.outcome(Plan(14))
    assert run.outcome(None) == first == Run(Candidates(1.0, 0.5, 0.7), 3).outcome(None)
    assert first.n_declared == first.n_second == 0


def test_a_shop_s_second_look_reads_the_days_after_the_first_one_s_alone() -> None:
    """And both looks together spend no more than the allowance."""
    kind = Kind("gain", replace(OneStepShop(), n=2100), 0.05)
    run = ShopRun(kind, 5, GATE, 10)
    plan = SecondLookPlan(7)
    with_it, without = run.run(plan), run.run(None)
    assert without.n_declared == 0
    assert with_it.n_declared >= 1
    assert with_it.spent <= GATE.wrong_promotions_per_year * 10 / 365 + 1e-9
    train, validation, test = run.splits(2)
    units = [set(split.unit.tolist()) for split in (train, validation, test)]
    per_day = kind.shop.n // 7
    assert min(units[0]) == 2 * per_day
    assert max(units[2]) == (2 + WINDOW) * per_day - 1
    assert sum(map(len, units)) == WINDOW * per_day
