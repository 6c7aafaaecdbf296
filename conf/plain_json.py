"""JSON as every reader takes it: without NaN and infinities, which no standard knows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any


def to_json(content: Any, *, indent: int | None = None) -> str:
    """Return the content as JSON; numbers that aren't finite are null, dates ISO text and paths their text."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False, default=_plain)


def _finite(value: Any) -> Any:
    """Return the value with None in place of numbers that aren't finite, however deep they lie."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not plain JSON")
