"""Which store a source's folder follows, and up to which commit it has.

    SOURCE/_shared.json         what it follows, as of now
    _shared-SOURCE.json         beside the folder: what it followed first

A folder whose own file is gone, as after a copy without it, would be a home's alone from then on and nobody would be
told; the second file tells.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from conf.errors import LostBinding, PublicationError
from conf.paths import Lake, shared_trace
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.strict_yaml import StrictModel

BINDING_FILE = "_shared.json"


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
        LostBinding: it is gone although the folder has followed a store.
    """
    binding = _read(folder / BINDING_FILE)
    if binding is None and (lost := lost_binding(folder)) is not None:
        raise LostBinding(
            f"{folder / BINDING_FILE} is gone, and the source is shared through {lost.url}, as {shared_trace(folder)} "
            f"says; nothing was changed. Type `NIGHTCART_LAKE_STORE={lost.url} make follow SOURCE={folder.name}`: it "
            "compares the tables with the store's and follows again. A home that is to leave the shared lake for good "
            "removes the second file, too"
        )
    return binding


def lost_binding(folder: Path) -> Binding | None:
    """Return what a source's folder followed first, where what it follows now is gone; None where it isn't.

    Raises:
        PublicationError: one of the files is there and can't be read.
    """
    return None if _read(folder / BINDING_FILE) is not None else _read(shared_trace(folder))


def is_shared(settings: Settings, source: str) -> bool:
    """Return whether a source's tables follow a store, or are to."""
    return settings.lake_store is not None or read_binding(Lake(settings.lake, source).folder) is not None


def shared_sources(lake: Path) -> list[str]:
    """Return the sources whose tables below a lake's root follow a store, by name.

    Raises:
        LostBinding: one did, and doesn't say any more which.
    """
    traces = (file.name.removeprefix("_shared-").removesuffix(".json") for file in lake.glob("_shared-*.json"))
    folders = (path.parent.name for path in lake.glob(f"*/{BINDING_FILE}"))
    return [name for name in sorted({*traces, *folders}) if read_binding(lake / name) is not None]


def bind(folder: Path, binding: Binding) -> None:
    """Note what the folder follows, durably."""
    leave_trace(folder, binding)
    write_atomically(folder / BINDING_FILE, binding.model_dump_json())


def leave_trace(folder: Path, binding: Binding) -> None:
    """Note beside the folder what it follows, where nothing says so yet; homes of an earlier release have no note."""
    if not shared_trace(folder).exists():
        write_atomically(shared_trace(folder), binding.model_dump_json())


def _read(file: Path) -> Binding | None:
    try:
        content = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return Binding.model_validate(json.loads(content))
    except (ValidationError, ValueError) as error:
        raise PublicationError(f"{file}: not what follows a store: {error}") from error
