"""Estimates against other libraries on equal inputs: their speed, and their errors on a public log.

Peers run in their own Python; see `peer_process`. Without it each part says that it wasn't measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.bench.ope import open_bandit, speed


def lines() -> Iterator[dict[str, Any]]:
    """Speed first, then the public log."""
    yield from speed.lines()
    yield from open_bandit.lines()


if __name__ == "__main__":
    for line in lines():
        print(json.dumps(line), flush=True)
