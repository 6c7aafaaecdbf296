"""How the log of a task that runs a command opens and closes: what it reads, and the counts of what it made."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

_log = logging.getLogger(__name__)

READS = {
    "ingest": "delivered files and raw deliveries",
    "build": "events and sessions",
    "observe": "events and sessions",
    "prepare": "transitions",
    "train": "the prepared dataset",
    "evaluate": "the trained candidates and the prepared dataset",
    "register": "the evaluation",
    "promote": "the registered version",
    "reject": "the registered version",
    "decide": "the champion, and what is known of tomorrow",
    "monitor": "the champion, transitions and decision logs",
    "rollout": "the champion, transitions and decision logs",
    "fit-shopper-models": "events and sessions",
    "score-shoppers": "the registered models, events and sessions",
}
"""What each command reads; a command that isn't named here is told by its options alone."""

_TOLD = ("verdict", "version", "skipped")


def tell_opening(arguments: Sequence[str]) -> None:
    """Log what the command reads, and the options that say of what."""
    command, *options = arguments
    told = ", ".join(option.removeprefix("--") for option in options)
    _log.info("%s reads %s: %s", command, READS.get(command, "what its options name"), told or "no options")


def tell_closing(arguments: Sequence[str], result: Mapping[str, Any]) -> None:
    """Log the counts in the command's result, which its names begin with `n_`, with its verdict and version."""
    counts = [f"{name} {value}" for name, value in result.items() if name in _TOLD or _is_count(name, value)]
    _log.info("%s is done: %s", arguments[0], ", ".join(counts) or "it counts nothing")


def _is_count(name: str, value: object) -> bool:
    return name.startswith("n_") and isinstance(value, int) and not isinstance(value, bool)
