"""Lines of the decision log that a service writes, read as a feed of the canonical source."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf.pseudonyms import pseudonym
from conf.specs.source import Source, load_source
from jobs.landing.parsed_lines import BatchParser
from jobs.landing.raw_lines import LineBatch, LineFile
from rl.serving.decisions import Decided
from tests.rl.serving.test_decisions import NOON_US, POLICY, TODAY, asked, maker

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY = b"a key for tests only"


def feed() -> Source:
    """The canonical mapping for shoppers that are pseudonyms already."""
    content = load_source("canonical").model_dump()
    content["events"]["user_id"]["is_pseudonym"] = True
    return Source.model_validate(content)


def decided() -> tuple[Decided, list[str]]:
    made = maker()
    (one,) = made.decide([asked(pseudonym("ann", KEY), n_positions=2)])
    return one, made.lines(one)


def parsed(lines: list[str]) -> list[dict[str, Any]]:
    """The lines as ingest's workers give them."""
    source = feed()
    texts, places = pa.array(lines, pa.string()), np.arange(len(lines))
    batch = LineBatch(LineFile(Path("x"), "x", TODAY), places, places, texts, texts)
    rows: list[dict[str, Any]] = BatchParser(source, []).columns(batch, str).to_pylist()
    return rows


def test_decisions_are_events_with_what_was_decided() -> None:
    """Times to the microsecond, propensities to the last digit, positions in the total order, and the same shopper."""
    one, lines = decided()
    rows = parsed(lines)
    assert [row["reason"] for row in rows] == [None, None]
    for position, (row, choice) in enumerate(zip(rows, one.choices, strict=True)):
        assert row["user_id"] == pseudonym("ann", KEY)
        assert (row["event_time"] - EPOCH) // timedelta(microseconds=1) == NOON_US
        assert row["event_date"] == TODAY
        assert row["propensity"] == Decimal(repr(choice.propensity))
        told = {name: row[name] for name in ("event_type", "action", "item_id", "policy_version", "position")}
        assert told == {
            "event_type": "impression",
            "action": choice.action,
            "item_id": choice.action,
            "policy_version": POLICY.version,
            "position": position,
        }
    assert sorted(row["event_id"] for row in rows) == [one.decision_id(0), one.decision_id(1)]


@pytest.mark.parametrize("user_id", ["ann", "A" * 32, 17850])
def test_what_is_no_pseudonym_is_rejected_there(user_id: object) -> None:
    """A raw id in such a log would never meet the shopper's other events, and must not be stored."""
    _, lines = decided()
    (row, _) = parsed([json.dumps(json.loads(lines[0]) | {"user_id": user_id}), lines[1]])
    assert (row["reason"], row["detail"], row["user_id"]) == ("bad_id", "user_id", None)
