"""Nights whose Q-functions are networks say in arrays what the code that judges real nights says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.bench.gate.neural_nights import FIRST_SEED, GAINS, name_of, neural_line, neural_night
from tests.bench.gate.nights import FIRST_NIGHT_LEVEL, judged, split
from tests.bench.gate.shop import candidate
from tests.bench.ope.neural import NEURAL

N = 500


@pytest.fixture(scope="module")
def night() -> Mapping[str, Mapping[str, Any]]:
    return neural_night(1, n_sessions=N)


@pytest.mark.parametrize("gain", GAINS)
def test_a_night_in_arrays_is_the_night(night: Mapping[str, Mapping[str, Any]], gain: float) -> None:
    """Fitted together or one by one, to what single precision leaves."""
    seed, found = FIRST_SEED + 10, night[name_of(gain)]["neural"]
    evidence, verdict = judged(
        candidate(gain),
        train=split(2 * N, seed),
        test=split(N, seed + 1),
        alpha=FIRST_NIGHT_LEVEL,
        seed=seed,
        fqe=replace(NEURAL, seed=seed),
    )
    assert evidence.difference is not None
    assert evidence.losses is not None
    assert found["decision"] == verdict.decision.value
    assert (found["value"], found["standard_error"]) == pytest.approx(
        (evidence.difference.value, evidence.difference.standard_error), rel=1e-5
    )
    assert found["loss_error"] == pytest.approx(evidence.losses.standard_error, rel=1e-5)


def test_a_line_counts_verdicts_and_where_the_fits_disagree() -> None:
    promoted = {"decision": "promote", "value": 0.3, "standard_error": 0.1, "loss_error": 0.1}
    kept = {**promoted, "decision": "reject", "standard_error": 0.2}
    nights = [
        {"seconds": 2.0, "neural": promoted, "linear": promoted},
        {"seconds": 1.0, "neural": kept, "linear": promoted},
    ]
    line = neural_line(0.0, nights)
    assert (line["neural_promoted"], line["linear_promoted"], line["decided_alike"]) == (0.5, 1.0, 1)
    assert (line["error_over_linear"], line["seconds_a_night"], line["neural_bias"]) == (1.5, 1.5, 0.3)
