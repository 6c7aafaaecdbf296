"""What a pipeline command said: its result, and its one clear message where it failed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

# Lines that Java and Spark write around a command's message: `26/01/31 03:00:00 INFO …` by Spark's own defaults,
# `03:00:00 spark ERROR …` as conf/spark/log4j2.properties has it.
_JAVA_LOG = re.compile(r"^(\d\d/\d\d/\d\d \d\d:\d\d:\d\d |\d\d:\d\d:\d\d spark )")
# How commands start their message: `rl train: …`, `jobs ingest: …`, `error: …`; argument parsers say `Usage: …`.
_MESSAGE_START = re.compile(r"^(?:(?:rl|jobs)(?: [a-z-]+)?: |error: |(?=usage: ))", re.IGNORECASE)


def result_of(stdout_lines: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object on the last line of a command's stdout; empty where there is none."""
    for line in reversed(stdout_lines):
        if line.strip():
            try:
                result = json.loads(line)
            except json.JSONDecodeError:
                return {}
            return result if isinstance(result, dict) else {}
    return {}


def clear_message(lines: Sequence[str]) -> str:
    """Return the message a failed command ended with: from its last `rl …: ` or `jobs …: ` on, else its last line."""
    said = [line.rstrip() for line in lines if line.strip() and not _JAVA_LOG.match(line)]
    for start in range(len(said) - 1, -1, -1):
        if _MESSAGE_START.match(said[start]):
            return "\n".join([_MESSAGE_START.sub("", said[start]), *said[start + 1 :]])
    return said[-1] if said else "the command said nothing; its log may tell more"
