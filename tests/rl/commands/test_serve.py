"""What `rl serve` listens on."""

from __future__ import annotations

import socket
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.errors import SpecError
from conf.paths import Lake
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.commands.serve import listening_socket, run
from rl.errors import ServingError
from tests.rl.factories import write_items


def test_answers_leave_at_once() -> None:
    """Each connection of a caller, not the listening socket alone: else every answer takes 40 ms."""
    with listening_socket("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_told() -> None:
    """With what to do, instead of a traceback."""
    with listening_socket("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(ServingError, match=f"127.0.0.1:{port} can't be listened on .*--port"):
            listening_socket("127.0.0.1", port)


def serve(home: Path, source: str = "simulated_shop", scenario: str = "recommendation", **given: Any) -> None:
    asked = {"rules": None, "is_replaying": False, "today": None} | given
    run(
        settings=Settings.from_environment({"NIGHTCART_HOME": str(home)}),
        source=source,
        scenario=scenario,
        host="127.0.0.1",
        port=0,
        decisions=None,
        max_history_age=1,
        **asked,
    )


def test_what_no_request_can_ask_for_is_refused(tmp_path: Path) -> None:
    """Before anything is listened on."""
    with pytest.raises(ServingError, match="promotion decides by shopper_week"):
        serve(tmp_path, "simulated_promotion", "promotion")


def test_a_rule_about_an_action_that_nothing_knows_is_refused(tmp_path: Path) -> None:
    """Also where nothing is known yet: what it names may be anything."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("{scenario: recommendation, block: [{actions: [item-7]}]}")
    with pytest.raises(SpecError, match=r"rules.yaml: 1 problem.*\n.*nothing knows 'item-7'; no action is known yet"):
        serve(tmp_path, rules=rules)
    lake, day = Lake(tmp_path / "lake", "simulated_shop"), date(2026, 1, 1)
    write_items(lake, load_pipeline("recommendation", "simulated_shop"), day, {"item-007": "toys"})
    with pytest.raises(SpecError, match="nothing knows 'item-7'; did you mean 'item-007'"):
        serve(tmp_path, rules=rules)


def test_another_day_counts_as_today_in_a_simulated_shop_alone(tmp_path: Path) -> None:
    """A shop's stale histories stay stale."""
    with pytest.raises(ServingError, match="--today is for simulated shops, and taobao is none"):
        serve(tmp_path, "taobao", today=date(2017, 12, 3))
    with pytest.raises(ServingError, match="leave --today out"):
        serve(tmp_path, today=date(2026, 3, 16), is_replaying=True)
