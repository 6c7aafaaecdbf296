"""What the kernel is told of a pipeline is what the jobs go by."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from conf.kernel_rules import as_of, rules_of
from conf.specs.scenario import load_pipeline
from jobs.sessions.business_days import start_of_day
from jobs.sessions.session_rows import watermark
from jobs.transitions.attribution import look_back_days
from tests.conf.kernel.columns_of_rows import micros
from tests.conf.specs.session_sources import session_sources

HORIZON = date(2026, 3, 29)  # clocks go forward in Europe


@pytest.mark.parametrize("source", session_sources())
def test_rules_are_those_of_the_jobs(source: str) -> None:
    """How far back decisions are looked for, until when deliveries are complete, and when the horizon ends."""
    pipeline = load_pipeline("recommendation", source)
    known = as_of(pipeline.source, dates=[HORIZON], horizon=HORIZON)
    assert rules_of(pipeline).attribution.look_back_days == look_back_days(pipeline.scenario)
    assert known.watermark_us == micros(watermark(pipeline.source, HORIZON))
    assert known.horizon_end_us == micros(start_of_day(HORIZON + timedelta(days=1), pipeline.source.zone))


def test_features_keep_the_order_of_the_spec() -> None:
    """The observation's fields stand in it."""
    pipeline = load_pipeline("recommendation", "simulated_shop")
    assert list(rules_of(pipeline).lengths) == [one.name for one in pipeline.scenario.observation.features]
