"""The comparison with the reference sees faults that are easy to make."""

from __future__ import annotations

import pytest
from hypothesis import Phase, find, settings

from tests.conf.kernel.comparison import differences
from tests.conf.kernel.made_logs import made_logs, random_pipelines
from tests.conf.kernel.planted_faults import FAULTS, Fault

# Logs of the kind that `test_against_reference` compares. Hypothesis takes numbers from whatever modules are loaded, so
# the logs differ between a test alone and the suite: the search goes on for longer than the rarest fault needs.
LOGS = made_logs(random_pipelines(120, seed=2))
SEARCH = settings(max_examples=12_000, deadline=None, derandomize=True, database=None, phases=[Phase.generate])


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_caught(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one of the logs at least, kernel and reference differ."""
    monkeypatch.setattr(fault.function, "__code__", fault.code)
    found = find(LOGS, lambda log: differences(log) != [], settings=SEARCH)
    assert differences(found) != []
    monkeypatch.undo()
    assert differences(found) == []
