"""A training after a backfill ends with an entry in the registry, and with no champion."""

from __future__ import annotations

from pathlib import Path

import pytest

from rl.commands import retrain
from rl.registry.store import CHALLENGER, CHAMPION, aliases, open_store
from tests.rl.commands.conftest import NightHome


@pytest.mark.xdist_group("nights")
def test_it_registers_once_and_promotes_nothing(logged_night: NightHome, tmp_path: Path) -> None:
    """Repeated, it finds the version that it registered."""
    night = logged_night.copied_to(tmp_path / "home")
    first = night.command(retrain)
    assert night.run.registration.exists()
    assert not night.run.promotion.exists()
    again = night.command(retrain)
    assert (first["is_new"], again["is_new"], again["version"]) == (True, False, first["version"])
    with open_store(night.settings) as client:
        held = aliases(client, first["model"])
    assert CHAMPION not in held
    assert held.get(CHALLENGER) == (first["version"] if first["verdict"] == "promote" else None)
