"""Verdicts of candidates that were learned anew, and what the benches count of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rl.gate.rules import Decision
from tests.bench.gate.flip_shops import flips_line, shop_line
from tests.bench.gate.kept_lines import KeptLines
from tests.bench.gate.nights import FIRST_NIGHT_LEVEL, GATE
from tests.bench.gate.retrained_nights import Training, retrained, retrained_line

SIZES = (6.0, 6.0, 5.0)


def training(decision: Decision, *, is_close: bool = False, sureness: float = 2.0) -> Training:
    return Training(decision, is_close, 0.5 if is_close else 9.0, sureness, SIZES)


def verdict(decision: str, *, is_close: bool = False, shop: int = 1) -> dict[str, Any]:
    """As `FlipShop.verdict` gives it."""
    near = {"other": "reject", "hinges_on": ["better_than_baseline"], "moves": 0.5, "is_close": is_close}
    judged = {"name": "a", "decision": decision, "closeness": near}
    other = {"name": "b", "decision": "abstain", "closeness": None}
    return {"shop": shop, "threads": 1, "selected": "a", "candidates": [other, judged]}


def test_trainings_differ_and_a_seed_repeats_them() -> None:
    """On one log, so that nothing but the training moves."""
    night = retrained(1500, 5, gate=GATE, alpha=FIRST_NIGHT_LEVEL)
    assert night[0] != night[1]
    assert night == retrained(1500, 5, gate=GATE, alpha=FIRST_NIGHT_LEVEL)


def test_only_a_flip_of_an_unflagged_verdict_is_unflagged() -> None:
    """Whatever the second training said of its own verdict."""
    nights = [
        (training(Decision.PROMOTE), training(Decision.PROMOTE)),
        (training(Decision.PROMOTE, is_close=True), training(Decision.REJECT)),
        (training(Decision.REJECT), training(Decision.PROMOTE, is_close=True)),
        (training(Decision.REJECT, is_close=True), training(Decision.REJECT)),
    ]
    line = retrained_line(1500, nights)
    assert (line["flipped"], line["flagged"], line["unflagged_flips"]) == (0.5, 0.5, 0.25)


def test_the_move_is_the_spread_within_nights() -> None:
    """Not that between them."""
    nights = [
        (training(Decision.PROMOTE, sureness=one), training(Decision.PROMOTE, sureness=one + 0.2)) for one in (1, 9)
    ]
    assert retrained_line(1500, nights)["move_of_bound"] == 0.141


def test_shops_count_the_selected_candidate_alone() -> None:
    """Others are judged too, for how far seeds move what the gate reads."""
    shops = [
        [verdict("promote"), verdict("promote")],
        [verdict("promote", is_close=True), verdict("reject")],
        [verdict("reject"), verdict("promote")],
    ]
    line = flips_line(shops)
    assert (line["shops"], line["flipped"], line["unflagged_flips"], line["flagged"]) == (3, 2, 1, 1)
    assert line["first_verdicts"] == {"promote": 2, "reject": 1}
    assert shop_line(shops[1])["decisions"] == ["promote", "reject"]
    assert shop_line(shops[1])["close"] == [True, False]


def test_a_stopped_run_goes_on_behind_its_last_whole_line(tmp_path: Path) -> None:
    """A line that was cut off is run again."""
    path = tmp_path / "out" / "runs.jsonl"
    kept = KeptLines(path, key="run")
    kept.add({"run": 0, "promoted": 1})
    kept.add({"run": 1, "promoted": 2})
    path.write_text(path.read_text()[:-4])
    again = KeptLines(path, key="run")
    assert (0 in again, 1 in again) == (True, False)
    again.add({"run": 1, "promoted": 3})
    assert KeptLines(path, key="run")[1] == {"run": 1, "promoted": 3}
