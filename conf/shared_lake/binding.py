"""Which store a source's folder follows, and up to which commit it has."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from conf.errors import PublicationError
from conf.paths import Lake
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.strict_yaml import StrictModel

_FILE = "_shared.json"


class Binding(StrictModel):
    """A source's folder and its store.

    url: address of the store.
    followed: last commit whose pointers are here.
    writer: whose commit that is; a store that has another one, or none, isn't the store that was followed.
    """

    url: str
    followed: int
    writer: str = ""


def read_binding(folder: Path) -> Binding | None:
    """Return what a source's folder follows; None where nothing.

    Raises:
        PublicationError: the file is there and can't be read.
    """
    try:
        content = (folder / _FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return Binding.model_validate(json.loads(content))
    except (ValidationError, ValueError) as error:
        raise PublicationError(f"{folder / _FILE}: not what follows a store: {error}") from error


def is_shared(settings: Settings, source: str) -> bool:
    """Return whether a source's tables follow a store, or are to."""
    return settings.lake_store is not None or read_binding(Lake(settings.lake, source).folder) is not None


def bind(folder: Path, binding: Binding) -> None:
    """Note what the folder follows, durably."""
    write_atomically(folder / _FILE, binding.model_dump_json())
