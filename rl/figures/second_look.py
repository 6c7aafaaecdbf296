"""What a night declared of a second look, and what came of the one that it took."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from conf.specs.strict_yaml import StrictModel


class DeclaredLook(StrictModel):
    """A second look at the night's candidate: on which business date, at which one-sided level, after which splits."""

    planned: date
    level: float
    splits: dict[str, dict[str, Any]]


class TakenLook(StrictModel):
    """How the second look at an earlier night's version ended, why, in a sentence, and what it could spend.

    night: business date of the first look.
    """

    version: int
    night: date
    level: float
    outcome: Literal["promote", "reject", "abstain", "void"]
    why: str
