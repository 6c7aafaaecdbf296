"""Coverage is counted over replications, also over those that an earlier run kept, and light ones are the same logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rl.ope.intervals.intervals import Interval
from tests.bench.gate.kept_lines import KeptLines
from tests.bench.ope.coverage import figures_of, lines_of
from tests.bench.ope.light import KINDS, replicate
from tests.bench.ope.samples import fit_values
from tests.bench.ope.shop import session_log
from tests.bench.ope.trial import COMPARED, N_TRAIN, NIGHTLY, LogTrial, Outcome, Row, outcomes

ROW = Row("clicks", "sessions", 2500, "logged", "dr", NIGHTLY)


def outcome(lower: float, upper: float, *, is_abstained: bool = False) -> Outcome:
    return Outcome(ROW, Interval(0.5, lower, upper, 0.95, "fixed", 0.1), 0.5, 300.0, 200.0, is_abstained)


def never(number: int) -> list[Outcome]:
    raise AssertionError(f"replication {number} is kept already")


def test_replications_that_are_kept_are_not_made_again(tmp_path: Path) -> None:
    """And count as those that are made do: two of four hold the truth, one of the two that are not abstained."""
    kept = KeptLines(tmp_path / "coverage.jsonl", key="replication")
    bounds = [(0.4, 0.6, False), (0.6, 0.7, False), (0.3, 0.4, True), (0.2, 0.8, True)]
    made = [outcome(lower, upper, is_abstained=is_abstained) for lower, upper, is_abstained in bounds]
    for number, one in enumerate(made):
        kept.add({"replication": number, "figures": figures_of([one])})
    read = KeptLines(tmp_path / "coverage.jsonl", key="replication")
    (line,) = lines_of(never, len(made), kept=read)
    assert (line["log"], line["n"], line["replications"]) == ("clicks", 2500, 4)
    assert (line["coverage"], line["coverage_not_abstained"]) == (0.5, 0.5)
    assert line["coverage95"] == pytest.approx([0.0676, 0.9324], abs=1e-4)  # Clopper and Pearson's for two of four
    assert (line["missed_low"], line["missed_high"], line["abstained"]) == (0.25, 0.25, 0.5)


def test_light_replications_are_of_the_logs_of_the_whole_bench() -> None:
    """Intervals of a number are those that the coverage section makes of its log, whose draws they share."""
    found = {one.row: one.interval for one in replicate(1)}
    assert {row.log for row in found} == set(KINDS)
    values = fit_values(session_log(N_TRAIN, 1000), "sessions")
    whole = outcomes([LogTrial(session_log(COMPARED, 1002), "sessions", values, n=COMPARED, seed=1)])
    shared = [one for one in whole if one.row in found]
    assert len(shared) >= 18
    for one in shared:
        assert (found[one.row].lower, found[one.row].upper) == pytest.approx((one.interval.lower, one.interval.upper))
