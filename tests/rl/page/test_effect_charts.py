"""What money brings by whose order it is spent: rows that read alike are one, and lines have meanings."""

from __future__ import annotations

from typing import Literal

from rl.figures.effects import Bounded, CurveLine, SpendLines
from rl.page.effect_charts import AS_ABOVE, line_meanings, spend_rows
from tests.rl.page.spend_factory import bounded, one_decision


def lines(*gains: tuple[float, ...]) -> SpendLines:
    """One learner's line, then one of an action, by what they bring at spends of 1, 2 and so on."""
    spends = tuple(float(one + 1) for one in range(len(gains[0])))
    named: tuple[tuple[Literal["learner", "arm"], str], ...] = (("learner", "dr_learner"), ("arm", "letter_10"))
    found = tuple(
        CurveLine(kind=kind, name=name, spend=(0, 11.14), gain=(0, 1), at=tuple(bounded(one) for one in at))
        for (kind, name), at in zip(named, gains, strict=True)
    )
    ahead = tuple(Bounded(value=0.0, lower=-1.0, upper=1.0) for _ in spends)
    return SpendLines(spends=spends, lines=found, ahead=ahead, ahead_of="letter_10", nothing="none")


def test_spends_that_read_alike_are_one_row() -> None:
    rows = spend_rows(lines((0.5, 0.6, 0.6, 0.6), (0.1, 0.2, 0.2, 0.2)))
    assert [row.spend for row in rows] == ["1.00", "2.00 to 4.00"]


def test_a_line_that_has_ended_reads_as_above() -> None:
    """The other one goes on, so that the row stays."""
    rows = spend_rows(lines((0.5, 0.5), (0.1, 0.2)))
    assert rows[0].cells[0] == "+0.500 (+0.400 to +0.600)"
    assert rows[1].cells == (AS_ABOVE, "+0.200 (+0.100 to +0.300)", AS_ABOVE)


def test_every_line_has_a_meaning() -> None:
    found = one_decision().lines
    assert found is not None
    arm = "letter to a random share"
    meanings = dict(line_meanings(found, unit="EUR"))
    assert meanings["cql-1's order"].startswith("shoppers in the order of the candidate's values")
    assert "doubly robust scores" in meanings["DR-learner's order"]
    assert "letter, as the shop calls this action, goes to shoppers drawn by lot" in meanings[arm]
    assert meanings[arm].endswith("all who may get it would take 9.00 EUR a shopper")
