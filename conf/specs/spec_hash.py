"""Hashes that name what data was made under: the data-affecting spec, and the code."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from conf.specs.scenario import Pipeline
from conf.specs.source import Source
from conf.tables import SCHEMA_VERSION

# Parts of a scenario that shape its transitions; the rest may change without a rebuild.
DATA_FIELDS = ("name", "clock", "episode", "observation", "reward", "metrics")

# Keys of a source that may change overnight without making other data.
OPERATION_KEYS = frozenset({"max_rejected_share", "max_drop"})


def source_hash(source: Source) -> str:
    """Return the hash of everything in the source's spec that shapes its tables."""
    return _digest(_source_content(source))


def data_spec_hash(pipeline: Pipeline) -> str:
    """Return the hash of everything in both specs that shapes the transitions."""
    scenario = pipeline.scenario.model_dump(mode="json")
    content = {name: scenario[name] for name in DATA_FIELDS}
    content["action"] = {"key": pipeline.scenario.action.key, "mask": pipeline.scenario.action.mask}
    return _digest({"scenario": content, "source": _source_content(pipeline.source)})


def full_spec_hash(pipeline: Pipeline) -> str:
    """Return the hash of both specs whole, approval aside: what a registered version was made under."""
    content = pipeline.model_dump(mode="json")
    del content["scenario"]["approval"]
    content["source"] = _without_operation(content["source"])
    return _digest(content)


def code_hash(*folders: Path) -> str:
    """Return the hash of the Python files of the folders and of the pinned requirements beside them."""
    state = sha256()
    for folder in folders:
        pins = sorted(folder.parent.glob("requirements.txt"))
        for path in [*sorted(folder.rglob("*.py")), *pins]:
            state.update(str(path.relative_to(folder.parent)).encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:16]


def _source_content(source: Source) -> dict[str, Any]:
    content = source.model_dump(mode="json")
    del content["title"]
    return _without_operation(content)


def _without_operation(source: dict[str, Any]) -> dict[str, Any]:
    """Return the content without the keys that decide whether data are published, not what they are."""
    kept = {name: value for name, value in source.items() if name not in OPERATION_KEYS}
    if "feeds" in kept:
        kept["feeds"] = [_without_operation(feed) for feed in kept["feeds"]]
    return kept


def _digest(content: Any) -> str:
    canonical = json.dumps({"schema": SCHEMA_VERSION, "content": content}, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode("utf-8")).hexdigest()[:16]
