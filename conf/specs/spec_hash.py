"""Hashes that name what data was made under: the data-affecting spec, and the code."""

from __future__ import annotations

import json
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Any

from conf.specs.key_kinds import TABLE_KINDS, VERSION_KINDS, Kind, content_of
from conf.specs.scenario import Pipeline
from conf.specs.shopper_model import ShopperModel
from conf.specs.source import Source
from conf.tables import SCHEMA_VERSION


def source_hash(source: Source) -> str:
    """Return the hash of everything in the source's spec that shapes its tables."""
    return _digest(content_of(source, TABLE_KINDS))


def data_spec_hash(pipeline: Pipeline) -> str:
    """Return the hash of everything in both specs that shapes the transitions."""
    return _digest(_content(pipeline, TABLE_KINDS))


def full_spec_hash(pipeline: Pipeline) -> str:
    """Return the hash of all in both specs but what only runs them: what a registered version was made under."""
    return _digest(_content(pipeline, VERSION_KINDS))


def shopper_model_hash(model: ShopperModel) -> str:
    """Return the hash of all in the spec that decides what a model of shoppers learns and whether it is promoted."""
    return _digest(content_of(model, VERSION_KINDS))


def code_hash(*folders: Path) -> str:
    """Return the hash of the Python files of the folders and of the pinned requirements beside them."""
    state = sha256()
    for folder in folders:
        pins = sorted(folder.parent.glob("requirements.txt"))
        for path in [*sorted(folder.rglob("*.py")), *pins]:
            state.update(str(path.relative_to(folder.parent)).encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:16]


def _content(pipeline: Pipeline, kinds: Collection[Kind]) -> dict[str, Any]:
    return {"scenario": content_of(pipeline.scenario, kinds), "source": content_of(pipeline.source, kinds)}


def _digest(content: Any) -> str:
    canonical = json.dumps({"schema": SCHEMA_VERSION, "content": content}, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode("utf-8")).hexdigest()[:16]
