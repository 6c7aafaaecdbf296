"""Tests of one group run in one process: lakes and sessions that they share are made once."""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="the tests run in one process")
@pytest.mark.xdist_group("groups are honoured")
def test_the_scheduler_is_told_a_tests_group(request: pytest.FixtureRequest) -> None:
    """pytest-xdist schedules by what stands behind the @ of a test's name."""
    assert request.node.nodeid.endswith("@groups are honoured")
