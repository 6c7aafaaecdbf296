"""What `rl serve` listens on."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from conf.settings import Settings
from rl.commands.serve import listening_socket, run
from rl.errors import ServingError


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


def test_what_no_request_can_ask_for_is_refused(tmp_path: Path) -> None:
    """Before anything is listened on."""
    with pytest.raises(ServingError, match="promotion decides by shopper_week"):
        run(
            settings=Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}),
            source="simulated_promotion",
            scenario="promotion",
            host="127.0.0.1",
            port=0,
            rules=None,
            decisions=None,
            max_history_age=1,
            is_replaying=False,
        )
