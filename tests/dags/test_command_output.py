"""What commands say."""

from __future__ import annotations

import pytest

from dags.command_output import clear_message, result_of

SHUTDOWN = "03:00:00 spark ERROR ShutdownHookManager: Shutdown hook called"


def test_result_of_is_the_last_line() -> None:
    """The JSON object on the last line is the result, whatever stands before it."""
    assert result_of(["{}", "progress", '{"n_events": 3}', ""]) == {"n_events": 3}


@pytest.mark.parametrize("lines", [[], ["no json"], ["[1, 2]"]])
def test_result_of_nothing_is_empty(lines: list[str]) -> None:
    """No object, no result."""
    assert result_of(lines) == {}


def test_clear_message_keeps_all_lines_of_the_message() -> None:
    """A message that lists violations is kept whole, without the command's name and the lines around it."""
    said = ["reading", "jobs ingest: a.yaml: 2 problem(s)", "  x: unknown key", "  y: missing", SHUTDOWN]
    assert clear_message(said) == "a.yaml: 2 problem(s)\n  x: unknown key\n  y: missing"


def test_clear_message_is_the_last_one() -> None:
    """An error that a command got over isn't what it ended with."""
    assert clear_message(["rl train: first try failed", "rl train: disk full"]) == "disk full"


def test_clear_message_without_any_is_the_last_own_line() -> None:
    """A crash ends with its exception; Java's farewell isn't it."""
    assert clear_message(["Traceback", "ValueError: no", SHUTDOWN]) == "ValueError: no"
