"""The inventory benchmark runs on small logs, and says so of what can't be judged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rl.inventory.stock import StockStates
from rl.shops.inventory.many_products import ManyProducts
from rl.shops.inventory.test_bed import Cell
from tests.bench import bench_inventory
from tests.bench.inventory import many_trial
from tests.bench.inventory.trial import Effort, Trial, formulas, hindsight, plain_values, relabelled_values

TRIAL = Trial(Cell(4, 1), 0, Effort(n_periods=3000, n_hindsight_updates=4, n_value_updates=20))


class _Endless:
    def order(self, states: StockStates) -> np.ndarray:
        return np.full(len(states.pipeline), 15)


def test_formulas_and_learners_are_judged_against_the_optimum() -> None:
    found = {row["method"]: row for row in [*formulas(TRIAL), hindsight(TRIAL, 1), relabelled_values(TRIAL, 1)]}
    assert 0 <= found["plan"]["percent_above"] < 1
    assert found["projected level"]["percent_above"] < 1.3
    assert found["newsvendor"]["percent_above"] > found["base-stock"]["percent_above"] > 2.9
    # Four updates leave the network what it began as: the best base-stock level.
    assert found["hindsight"]["percent_above"] == pytest.approx(found["base-stock"]["percent_above"], abs=0.5)
    assert found["rl, relabelled"]["percent_above"] > 0


def test_a_policy_that_orders_without_end_has_a_reason_instead_of_a_cost() -> None:
    row = TRIAL.row("endless", lambda: (_Endless(), {}))
    assert row["percent_above"] is None
    assert "orders without end" in row["why"]


@pytest.mark.parametrize("algorithm", ["discrete_cql", "discrete_iql"])
def test_plain_learners_of_values_are_trained_on_the_log_as_it_is(algorithm: str) -> None:
    row = plain_values(TRIAL, 1, algorithm)
    assert row["method"] == f"rl, plain {algorithm}"
    assert "why" in row or row["update"] in (4, 8, 12, 16, 20)


def test_the_environment_narrows_what_is_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    for name, value in {"CELLS": "p4-L1", "SHIFTS": "-3", "METHODS": "best,formulas", "SMALL": "1"}.items():
        monkeypatch.setenv(name, value)
    bench_inventory.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row.get("cell") for row in rows[:-1]} == {"p4-L1"}
    summary = {row["method"]: row for row in rows[-1]["summary"]}
    assert summary["plan"]["runs"] == 1
    assert summary["plan"]["worst"] == summary["plan"]["mean"] < 1


def test_a_shop_of_many_products_is_judged_on_true_demand_with_an_interval() -> None:
    row = many_trial.row(1, shop=ManyProducts(n_products=6, n_days=280), n_updates=3)
    assert row["lower"] <= row["percent_against_best"] <= row["upper"]
    assert row[row["best_heuristic"]] * (1 + row["percent_against_best"] / 100) == pytest.approx(
        row["hindsight"], abs=0.01
    )


def test_means_over_cells_have_an_interval_over_seeds() -> None:
    rows = [
        {"shift": 0, "method": "hindsight", "seed": seed, "percent_above": value}
        for seed, values in {1: (1.0, 3.0), 2: (2.0, 4.0), 3: (3.0, 5.0)}.items()
        for value in values
    ]
    found = bench_inventory.summary(rows)[0]
    assert (found["mean"], found["worst"], found["runs"]) == (3.0, 5.0, 6)
    # Means of 2, 3 and 4: 3 plus and minus 4.303 (Student's quantile for 2 degrees) over the root of 3.
    assert (found["lower"], found["upper"]) == (0.516, 5.484)
    rows[0]["percent_above"] = None
    assert "lower" not in bench_inventory.summary(rows)[0]


def test_cells_that_are_none_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLS", "p4-L1,p5-L9")
    with pytest.raises(SystemExit, match="no cells p5-L9"):
        bench_inventory.main()
