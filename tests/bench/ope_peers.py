"""Estimates against other libraries on equal inputs.

Peers run in their own Python; see `peer_process`. Without it each part says that it wasn't measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.bench import ope_speed


def lines() -> Iterator[dict[str, Any]]:
    """Speed."""
    yield from ope_speed.lines()


if __name__ == "__main__":
    for line in lines():
        print(json.dumps(line), flush=True)
