"""The comparison with the reference sees faults that are easy to make."""

from __future__ import annotations

from functools import cache

import pytest

from tests.conf.kernel.comparison import differences
from tests.conf.kernel.made_logs import MadeLog, many_logs, random_pipelines
from tests.conf.kernel.planted_faults import FAULTS, Fault

PIPELINES = random_pipelines(120, seed=2)
N_LOGS = 1_500
"""Some times as many as the rarest fault needs: a change of what is drawn may make it rarer."""


@cache
def searched(seed: int) -> MadeLog:
    return many_logs(PIPELINES, seed)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_caught(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one of the logs at least, kernel and reference differ, and without the fault they don't."""
    monkeypatch.setattr(fault.function, "__code__", fault.code)
    found = next((seed for seed in range(N_LOGS) if differences(searched(seed))), None)
    assert found is not None
    monkeypatch.undo()
    assert differences(searched(found)) == []
