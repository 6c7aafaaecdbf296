"""Rows for the tests of the DAGs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class FakeRun:
    """What the DAGs ask a run for: its partition key and its configuration."""

    partition_key: str | None = None
    conf: dict[str, Any] = field(default_factory=dict)
