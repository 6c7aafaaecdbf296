"""Money, refunds and costs of the kernel against loops over rows, and what they are on logs told by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from conf.kernel import attribution, earnings, refunds
from conf.kernel.earnings import scaled
from conf.kernel_rules import rules_of
from tests.conf.kernel.comparison import differences, kernel_transitions, told_outcomes, told_transitions
from tests.conf.kernel.made_logs import MadeLog, made_logs, many_logs, money_pipelines
from tests.conf.kernel.planted_faults import Fault

PIPELINES = money_pipelines(120, seed=3)
LOGS = made_logs(PIPELINES)
SEARCH = settings(max_examples=12_000, deadline=None, derandomize=True, database=None, phases=[Phase.generate])

FAULTS = {
    "a share is rounded down": Fault(earnings.scaled, "2 * rest * size + MILLIONTHS", "2 * rest * size"),
    "the sign of a factor is lost": Fault(earnings.scaled, "1 if factor >= 0 else -1", "1"),
    "refunds add": Fault(earnings.worth, "total -= np", "total += np"),
    "a refund's sign counts": Fault(earnings._unsigned, "is_refund & ", "False & "),
    "a cost that isn't known is 0": Fault(earnings._margin, "(cost == NO_NUMBER) & is_refund", "cost == NO_NUMBER"),
    "a decision costs what all others do": Fault(earnings.action_costs, "found[action == chosen] = cost", "pass"),
    "a refund without an order takes any purchase": Fault(refunds._links, "!= NO_ID), pairs, NO_ID", "!= 7), pairs, 1"),
    "a refund of another order takes the item's purchase": Fault(
        refunds._links, "np.where(names_order, NO_ID, item)", "item"
    ),
    "an order's refund ignores the item": Fault(refunds._links, "pairs, NO_ID", "NO_ID, NO_ID"),
    "a refund counts however late": Fault(refunds.follow_purchases, "after_us > rule.window_us", "after_us < 0"),
    "a purchase counts however long ago": Fault(refunds.follow_purchases, "- rule.look_back_days", "- 1000"),
    "refunds go by their own link": Fault(
        refunds.follow_purchases, "outcome, decision = found", "return found\n    outcome, decision = found"
    ),
    "a decision does not earn itself": Fault(
        attribution.touches_of, 'rows if rule.link == "itself" else rows + 1', "rows + 1"
    ),
}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(LOGS)
def test_money_is_that_of_loops_over_the_rows(log: MadeLog) -> None:
    """Every reward, metric and outcome of every row."""
    assert differences(log) == []


def test_money_of_many_shoppers_is_that_of_loops_over_the_rows() -> None:
    """The same of a thousand logs, twelve at once."""
    assert [found for seed in range(80) if (found := differences(many_logs(PIPELINES, seed)))] == []


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_caught(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one of the logs at least, kernel and reference differ."""
    monkeypatch.setattr(fault.function, "__code__", fault.code)
    found = find(LOGS, lambda log: differences(log) != [], settings=SEARCH)
    monkeypatch.undo()
    assert differences(found) == []


@settings(max_examples=150, deadline=None, derandomize=True)
@given(LOGS, st.integers(0, 13))
def test_rows_and_outcomes_of_a_date_need_only_the_days_around_it(log: MadeLog, place: int) -> None:
    """As many before as a refund, its purchase and that one's decision can lie apart."""
    day = log.horizon - timedelta(days=place)
    first = day - timedelta(days=rules_of(log.pipeline).attribution.reach_days)
    last = day + timedelta(days=log.pipeline.settle_days)
    near = replace(log, rows=[row for row in log.rows if first <= row["event_date"] <= last], dates=[day])
    assert _told(near, day) == _told(replace(log, dates=[day, *log.dates]), day)


def _told(log: MadeLog, day: object) -> tuple[list[object], dict[str, object]]:
    columns, made = kernel_transitions(log)
    days = {row["event_id"]: row["event_date"] for row in log.rows}
    rows: list[object] = [row for row in told_transitions(columns, made, log.pipeline) if row["date"] == day]
    return rows, {name: one for name, one in told_outcomes(columns, made).items() if days[name] == day}


@given(st.lists(st.integers(-(10**16) + 1, 10**16 - 1), min_size=1), st.integers(-(10**8), 10**8))
def test_scaled_is_the_nearest_whole_of_the_exact_product(values: list[int], factor: int) -> None:
    """Halves away from zero, for the largest money times the largest weight too."""
    exact = [Fraction(value * factor, 1_000_000) for value in values]
    nearest = [int(abs(one) + Fraction(1, 2)) * (1 if one >= 0 else -1) for one in exact]
    assert scaled(np.array(values, dtype=np.int64), factor).tolist() == nearest
