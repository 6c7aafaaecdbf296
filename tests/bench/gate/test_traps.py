"""The gate abstains where a log only looks as if it could tell."""

from __future__ import annotations

import pytest

from rl.gate.rules import Decision
from tests.bench.gate.nights import FIRST_NIGHT_LEVEL, GATE
from tests.bench.gate.traps import WEIGHT_CHECKS, Trap, traps, verdicts


@pytest.mark.parametrize("trap", traps(), ids=lambda trap: trap.name)
def test_gate_abstains_in_every_trap(trap: Trap) -> None:
    """By whatever estimator: never a promotion, and the reason names what the log lacks."""
    for name, verdict in verdicts(trap, gate=GATE, alpha=FIRST_NIGHT_LEVEL, n=2500, seed=1).items():
        assert verdict.decision is Decision.ABSTAIN, (name, verdict.reasons)
        failed = {check.name for check in verdict.checks if check.is_passed is False}
        assert failed.intersection(WEIGHT_CHECKS), name
