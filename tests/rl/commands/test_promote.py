"""Promotion as a command."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rl.commands import promote, register
from rl.errors import RegistryError
from rl.figures.night import read_figures
from rl.registry.launches import launches
from rl.registry.store import open_store
from tests.rl.commands.conftest import NightHome

MODEL = "recommendation-policy"

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


def test_a_promotion_is_a_launch_with_what_its_evaluation_promised(logged_night: NightHome, tmp_path: Path) -> None:
    """Whatever became of the night's own file since; repeated, it is the same launch."""
    night = logged_night.copied_to(tmp_path / "home")
    version = night.command(register)["version"]
    with open_store(night.settings) as client:
        client.set_model_version_tag(MODEL, str(version), "nightcart.verdict", "promote")
        client.set_registered_model_alias(MODEL, "challenger", str(version))
    figures = read_figures(night.run.evaluation)
    night.run.evaluation.unlink()
    night.command(promote, version=version)
    night.command(promote, version=version)
    (launch,) = launches(night.home, MODEL)
    assert (launch.version, launch.share, launch.replaced, launch.night) == (version, 1.0, None, night.run_date)
    assert launch.policy_version == figures.selected.policy_version
    assert figures.gain is not None
    assert launch.promise is not None
    assert (launch.promise.gain.value, launch.promise.gain.lower) == (figures.gain.value, figures.gain.lower)
    assert launch.promise.against_control == launch.promise.gain
