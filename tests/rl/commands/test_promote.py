"""Promotion as a command."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rl.commands import promote, register
from rl.errors import RegistryError
from tests.rl.commands.conftest import NightHome

pytestmark = pytest.mark.xdist_group("nights")


def test_a_verdict_other_than_promote_is_skipped_with_its_reason(implied_night: NightHome, tmp_path: Path) -> None:
    """`skipped` in the result makes the command exit 99; nothing has moved, and promotion.json says why."""
    night = implied_night.copied_to(tmp_path / "home")
    result = night.command(promote, version=night.command(register)["version"])
    assert "verdict on recommendation-policy version 1 is abstain" in result["skipped"]
    assert result["champion"] is None
    assert json.loads(night.run.promotion.read_text(encoding="utf-8")) == result


def test_a_version_of_another_night_is_an_error(logged_night: NightHome, tmp_path: Path) -> None:
    """The date must be the version's own; nothing is written."""
    night = logged_night.copied_to(tmp_path / "home")
    version = night.command(register)["version"]
    later = replace(night, run_date=night.run_date + timedelta(days=1))
    with pytest.raises(RegistryError, match="of another night"):
        later.command(promote, version=version)
    assert not later.run.promotion.exists()
