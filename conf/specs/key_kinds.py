"""What each key of a spec decides, by marks on its field, so that every hash takes just the keys it depends on.

A mark holds for all that stands below the key, where nothing else is marked:

- `landing`: where a delivered line lands; after a change the logs must be landed again, and all that follows is new.
- `data`: what the tables hold; after a change they are made anew.
- `learning`: what is learned and judged; after a change a night registers another version.
- `operation`: whether and how things run, not what comes out; nothing is made anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from conf.specs.spec_sections import models_in

Kind = Literal["landing", "data", "learning", "operation"]

LANDING: JsonDict = {"kind": "landing"}
DATA: JsonDict = {"kind": "data"}
LEARNING: JsonDict = {"kind": "learning"}
OPERATION: JsonDict = {"kind": "operation"}

TABLE_KINDS: frozenset[Kind] = frozenset({"landing", "data"})
VERSION_KINDS: frozenset[Kind] = frozenset({"landing", "data", "learning"})

_NOTHING = object()


def mark_of(field: FieldInfo) -> Kind | None:
    """Return the field's own mark; None where that of the key above holds."""
    extra = field.json_schema_extra
    mark: Any = extra.get("kind") if isinstance(extra, dict) else None
    return mark  # type: ignore[no-any-return]  # only the four constants above are ever given


def content_of(model: BaseModel, kinds: Collection[Kind]) -> dict[str, Any]:
    """Return what the model writes, the keys of these kinds alone; a key with no mark at or above it counts as data."""
    found = _kept(model, model.model_dump(mode="json"), kinds, "data")
    return found if isinstance(found, dict) else {}


def kinds_at(model: type[BaseModel], place: str, name: str) -> list[Kind]:
    """Return the kind that a key has at a place such as `gate.guardrails[]` of the spec; several where marks differ."""
    reached: set[tuple[type[BaseModel], Kind]] = {(model, "data")}
    for part in [*filter(None, place.replace("[]", "").split(".")), name]:
        fields = [(one.model_fields[part], kind) for one, kind in reached if part in one.model_fields]
        marked = [(field, mark_of(field) or kind) for field, kind in fields]
        reached = {(below, kind) for field, kind in marked for below in models_in(field.annotation)}
    return sorted({kind for _, kind in marked})


def _kept(value: Any, written: Any, kinds: Collection[Kind], kind: Kind) -> Any:
    """Return what was written for the value, without keys of other kinds; `_NOTHING` where none is left."""
    if isinstance(value, BaseModel) and isinstance(written, Mapping):
        fields = type(value).model_fields
        below = {
            name: _kept(getattr(value, name), one, kinds, mark_of(fields[name]) or kind)
            for name, one in written.items()
        }
        found = {name: one for name, one in below.items() if one is not _NOTHING}
        return found if found or kind in kinds else _NOTHING
    if isinstance(value, tuple) and any(isinstance(one, BaseModel) for one in value):
        found_all = [_kept(one, text, kinds, kind) for one, text in zip(value, written, strict=True)]
        return found_all if _NOTHING not in found_all else _NOTHING
    return written if kind in kinds else _NOTHING
