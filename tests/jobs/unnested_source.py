"""A shop whose records are sessions, with clicks that have times of their own in a list."""

from __future__ import annotations

from typing import Any

from conf.specs.source import Source, load_source
from conf.specs.strict_yaml import parse_model


def source_of_sessions(**changes: Any) -> Source:
    """JSON lines such as `{"user": "ann", "hits": [{"at": 1767607200, "type": "view", "sku": "shoe"}]}`."""
    events: dict[str, Any] = {
        "event_time": {"column": "hits.at", "unit": "seconds"},
        "event_type": {"column": "hits.type", "map": {"view": "view", "buy": "purchase"}},
        "user_id": {"column": "user", "required": True},
        "item_id": {"column": "hits.sku"},
        "price": {"column": "hits.price", "at_least": 0},
    }
    given = {name: changes.pop(name) for name in list(changes) if name in events}
    content = load_source("canonical").model_dump(mode="json", exclude_none=True) | {
        "format": "jsonl",
        "unnest": "hits",
        "events": events | given,
    }
    return parse_model(Source, content | changes, "shop.yaml")
