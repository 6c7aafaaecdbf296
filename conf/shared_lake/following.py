"""A home follows a shared lake: files that it lacks are fetched and verified, then pointers set, one after another."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict
from uuid import uuid4

from conf.errors import LakeChanged, PublicationError, SettingError
from conf.intact_files import damage_in, note_whole, refuse_damaged, repair_command
from conf.paths import Lake
from conf.publication import FileSum, Pointer, publishing, read_pointer, read_pointers, sync, write_atomically
from conf.settings import Settings
from conf.shared_lake.binding import Binding, bind, leave_trace, lost_binding, read_binding
from conf.shared_lake.commit_log import Commit, CommitLog, folded
from conf.shared_lake.object_store import ObjectStore
from conf.tables import SCHEMA_VERSION

_AT_ONCE = 8
_EVENTS = "events/_pointers/"
_reads_from: dict[Path, int] = {}
"""Up to which commit this process followed a source's folder; another process may follow further meanwhile."""


class Followed(TypedDict):
    """What a home took over, for log lines."""

    store: str
    commit: int
    pointers: int
    files: int
    shared: int


def follow_store(settings: Settings, source: str) -> Followed | None:
    """Bring a source's folder to what the store says is current; None where it follows none.

    A folder that is bound to a store follows it whether the setting is there or not. The first time, a store without
    commits of the source gets what the home has, and a home without tables what the store has. A folder whose binding
    was lost is bound anew where the setting names its store.

    Raises:
        LakeChanged: both have tables of the source, and the home's were never the store's; or the store isn't the one
            that was followed.
        LostBinding: the folder doesn't say any more which store it follows, nor does the setting.
        PublicationError: the folder follows another store, or a pointer of an earlier release names no sums.
        DamagedFile: a file that would be shared isn't what was published.
        StoreUnreachable: the store doesn't answer.
        SettingError: the address is none of a store, or others' events have ids of another pseudonym key.
    """
    lake = Lake(settings.lake, source)
    given = (settings.lake_store or "").rstrip("/")
    lost = lost_binding(lake.folder) if given else None
    binding = lost or read_binding(lake.folder)
    url = given or (binding.url if binding else "")
    if not url:
        return None
    if binding is not None and binding.url != url:
        raise PublicationError(
            f"{lake.folder} follows {binding.url}, NIGHTCART_LAKE_STORE names {url}; unset it, or name a new home for "
            "the other store"
        )
    log = CommitLog(ObjectStore(url), source)
    with publishing(lake.lock):
        lost = lost_binding(lake.folder)
        binding = None if lost else read_binding(lake.folder)  # another process may have followed meanwhile
        if binding is None:
            told = _bind(settings, lake, log, lost)
            _reads_from[lake.folder] = told["commit"]
            return told
        leave_trace(lake.folder, binding)
        commits = log.since(binding)
        _refuse_other_key(settings, url, folded(commits))
        _refuse_later_release(url, folded(commits))
        n_files = apply_commits(lake.folder, log, folded(commits))
        last = max(commits, default=binding.followed)
        if commits:
            bind(lake.folder, Binding(url=url, followed=last, writer=commits[last].writer))
    _reads_from[lake.folder] = last
    return _told(url, last, len(folded(commits)), n_files)


def read_from(folder: Path, binding: Binding) -> int:
    """Return the commit since which what this process read of a source's tables may have changed."""
    return min(binding.followed, _reads_from.get(folder, binding.followed))


def apply_commits(folder: Path, log: CommitLog, pointers: Mapping[str, Pointer]) -> int:
    """Fetch what the pointers name and isn't here whole, and set them; return the number of files fetched.

    The lock of the source's publishers is held. A reader sees each partition's old version or its new one.
    """
    settled = {path: _placed(_table_folder(folder, path), pointer) for path, pointer in pointers.items()}
    due: dict[Path, FileSum] = {}
    for name, pointer in settled.items():
        table = _table_folder(folder, name)
        due |= {table / one: pointer.sums[one] for one in damage_in(table, pointer.sums)}
    _fetch_all(log, due)
    for path, pointer in settled.items():
        note_whole(_table_folder(folder, path), pointer.sums)
        _remove_outdated_csv(folder / path, pointer)
        write_atomically(folder / path, pointer.model_dump_json(indent=1))
    return len(due)


def fetch_again(lake: Lake, damaged: Collection[Path]) -> list[Path]:
    """Fetch files of current versions anew that aren't what was published; return them, none without a store.

    Args:
        lake: whose publishers' lock is taken meanwhile.
        damaged: files that are gone or have other bytes; those that no current version names stay as they are.

    Raises:
        StoreUnreachable: the store doesn't answer, or hasn't them as they were published either.
    """
    binding = read_binding(lake.folder)
    if binding is None or not damaged:
        return []
    log, fetched = CommitLog(ObjectStore(binding.url), lake.source), []
    with publishing(lake.lock):
        for table in lake.published_folders():
            for pointer in read_pointers(table).values():
                due = {name: one for name, one in pointer.sums.items() if table / name in damaged}
                _fetch_all(log, {table / name: one for name, one in due.items()})
                note_whole(table, due)
                fetched += [table / name for name in due]
    return fetched


def own_pointers(lake: Lake) -> dict[str, Pointer]:
    """Return every current pointer of the source by its path below the source's folder.

    Raises:
        PublicationError: one is of an earlier release and names no sums.
    """
    found = {}
    for table in lake.published_folders():
        for file in sorted((table / "_pointers").glob("*.json")):
            pointer = read_pointer(file)
            if pointer is not None:
                found[str(file.relative_to(lake.folder))] = pointer
    for path, pointer in found.items():
        if set(pointer.sums) != set(pointer.files):
            raise PublicationError(
                f"{lake.folder / path}: an earlier release's, without its files' sums; run `make migrate` before the "
                "lake is shared"
            )
    return found


def share_files(folder: Path, log: CommitLog, pointers: Mapping[str, Pointer]) -> None:
    """Upload the files that pointers name, by their sums.

    Raises:
        DamagedFile: one isn't what was published: others would get its bytes for the right ones. Nothing is uploaded.
    """
    for path, pointer in pointers.items():
        refuse_damaged(_table_folder(folder, path), pointer.sums, repair_command(folder.name))
    log.store.upload_all(
        {
            log.file_key(one): _table_folder(folder, path) / name
            for path, pointer in pointers.items()
            for name, one in pointer.sums.items()
        }
    )


def new_commit(pointers: Mapping[str, Pointer]) -> Commit:
    """Return a commit that no other is equal to."""
    return Commit(writer=uuid4().hex, pointers=dict(pointers))


def _bind(settings: Settings, lake: Lake, log: CommitLog, lost: Binding | None) -> Followed:
    """Bind a folder to its store, whichever of both has tables.

    Args:
        settings: of the home.
        lake: whose folder it is.
        log: of the store.
        lost: what the folder followed before; None where it never followed a store.
    """
    ours, url = own_pointers(lake), log.store.url
    if lost is not None:
        log.since(lost)  # refuses a store that isn't the one that was followed
    last, theirs = log.current()
    if last < 0 or (ours and not theirs):  # commits of homes that had nothing to share are no tables
        share_files(lake.folder, log, ours)
        made = new_commit(ours)
        if not log.commit(last + 1, made):
            raise LakeChanged(f"{url}: another home has shared {lake.source} meanwhile; nothing was changed; run again")
        lake.folder.mkdir(parents=True, exist_ok=True)
        bind(lake.folder, Binding(url=url, followed=last + 1, writer=made.writer))
        return _told(url, last + 1, 0, 0) | {"shared": len(ours)}
    if other := _never_shared(log, ours, theirs):
        raise LakeChanged(
            f"{url}: the store has tables of {lake.source}, and this home has others ({len(other)} differ, "
            f"{other[0]} first); share from one home alone, and name a new one here (NIGHTCART_HOME)"
        )
    _refuse_other_key(settings, url, theirs)
    _refuse_later_release(url, theirs)
    n_files = apply_commits(lake.folder, log, theirs)
    bind(lake.folder, Binding(url=url, followed=last, writer=log.writer(last) or ""))
    return _told(url, last, len(theirs), n_files)


def _refuse_other_key(settings: Settings, url: str, pointers: Mapping[str, Pointer]) -> None:
    """Raise where the newest events that others published have ids of another pseudonym key than this home's.

    Each home would make the other's partitions anew, night after night, and a service know none of the shoppers.
    """
    events = sorted(path for path in pointers if path.startswith(_EVENTS))
    if events and (theirs := pointers[events[-1]].manifest.key_id) != (ours := settings.pseudonym_key_id()):
        raise SettingError(
            f"{url}: ids there are of the pseudonym key {theirs}, this home's key is {ours}; give every home of the "
            "lake the same one (NIGHTCART_PSEUDONYM_KEY; else it lies in pseudonym.key of the home that shared "
            "first). To change the key, let all homes follow with the old one first. Nothing was changed"
        )


def _refuse_later_release(url: str, pointers: Mapping[str, Pointer]) -> None:
    """Raise where tables are of a schema that this release doesn't know: it would make them anew in its own.

    Raises:
        PublicationError: says that this home is to be upgraded.
    """
    later = sorted(path for path, one in pointers.items() if one.manifest.schema_version > SCHEMA_VERSION)
    if later:
        raise PublicationError(
            f"{url}: {later[0]} was published by a later release of nightcart (schema "
            f"{pointers[later[0]].manifest.schema_version}, this one knows {SCHEMA_VERSION}); upgrade this home first. "
            "Nothing was changed"
        )


def _placed(table: Path, pointer: Pointer) -> Pointer:
    """Return the pointer with other places for files whose own hold other bytes, which somebody may be reading.

    Raises:
        PublicationError: such a file is no version's, as a raw delivery's, and has no other place.
    """
    moved = {}
    for name, one in pointer.sums.items():
        if (table / name).exists() and damage_in(table, {name: one}):
            version, slash, rest = name.partition("/")
            if not (slash and version.startswith("v-")):
                raise PublicationError(
                    f"{table / name}: the shared lake has other bytes at this place; find out which are right, and "
                    "move this home's aside"
                )
            moved[name] = f"{version}-{one.sha256[:8]}/{rest}"
    if not moved:
        return pointer
    return pointer.model_copy(
        update={
            "files": tuple(moved.get(name, name) for name in pointer.files),
            "sums": {moved.get(name, name): one for name, one in pointer.sums.items()},
        }
    )


def _remove_outdated_csv(file: Path, pointer: Pointer) -> None:
    """Remove the spreadsheet that this home wrote of a version that is current no more: somebody might send it."""
    before = read_pointer(file)
    if before is not None and before.manifest != pointer.manifest:
        value = file.stem.partition("=")[2]
        (file.parent.parent / "csv" / f"{value}.csv").unlink(missing_ok=True)


def _fetch_all(log: CommitLog, due: Mapping[Path, FileSum]) -> None:
    """Fetch files to their places, several at once, their names durable before a pointer names them."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda item: _fetch(log, *item), due.items()))
    for folder in {place.parent for place in due}:
        sync(folder)


def _fetch(log: CommitLog, place: Path, expected: FileSum) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        log.store.download(log.file_key(expected), draft, expected)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _never_shared(log: CommitLog, ours: Mapping[str, Pointer], theirs: Mapping[str, Pointer]) -> list[str]:
    """Return the home's pointers that the store's log has, or had, nowhere: following would lose what they name."""
    other = sorted(path for path, pointer in ours.items() if not _same(theirs.get(path), pointer))
    if not other:
        return []
    before = log.after(-1).values()
    return [path for path in other if not any(_same(one.pointers.get(path), ours[path]) for one in before)]


def _same(theirs: Pointer | None, ours: Pointer) -> bool:
    return theirs is not None and theirs.manifest == ours.manifest


def _table_folder(folder: Path, pointer: str) -> Path:
    return (folder / pointer).parent.parent


def _told(url: str, commit: int, pointers: int, files: int) -> Followed:
    return {"store": url, "commit": commit, "pointers": pointers, "files": files, "shared": 0}
