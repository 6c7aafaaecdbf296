"""What a home publishes becomes current for all homes of a shared lake, by one conditional write, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from conf.errors import LakeChanged, NightcartError, PublicationError
from conf.publication import Pointer
from conf.shared_lake.binding import Binding, bind, read_binding
from conf.shared_lake.commit_log import Commit, CommitLog, folded
from conf.shared_lake.following import apply_commits, new_commit, read_from, share_files
from conf.shared_lake.object_store import ObjectStore

_ours = set[tuple[str, str]]()
"""Folder and writer of each commit that this process made."""


@contextmanager
def shared(lock: Path, changes: Mapping[Path, Pointer], *, whole_tables: bool = False) -> Iterator[None]:
    """Make pointers current in the store that the source's folder follows, then let the caller set them here.

    Files go first; they are nothing to anybody before the commit. A kill behind it leaves the home one commit behind,
    which the next command makes up for. Where the folder follows no store, nothing is done.

    Args:
        lock: of the source's publishers, held; it lies in the source's folder.
        changes: pointers that become current, by their files.
        whole_tables: refuse although other partitions of a table were published: this one was made from them, as a
            week's list is from what the period's other lists spend.

    Raises:
        LakeChanged: one of the partitions was published since this process followed, by another home or another process
            of this one; nothing was published.
        StoreUnreachable: the store doesn't answer; nothing was published here.
        DamagedFile: a file isn't what its pointer says; nothing was published.
        PublicationError: it was published for all homes and couldn't be set here; the next command makes up for it.
    """
    folder = lock.parent
    binding = read_binding(folder) if changes else None
    if binding is None:
        yield
        return
    log = CommitLog(ObjectStore(binding.url), folder.name)
    pointers = {str(path.relative_to(folder)): pointer for path, pointer in changes.items()}
    share_files(folder, log, pointers)
    seen = log.after(start) if (start := read_from(folder, binding)) < binding.followed else {}
    bound, others = _committed(log, binding, pointers, seen, home=str(folder), whole_tables=whole_tables)
    try:
        yield
        apply_commits(folder, log, folded(others))
        bind(folder, bound)
    except (NightcartError, OSError) as error:
        told = str(error).removesuffix("; nothing was published")
        raise PublicationError(
            f"{binding.url}: published for all homes as commit {bound.followed}, and couldn't be set here: {told}; "
            "the next command that names the source follows it"
        ) from error


def _committed(
    log: CommitLog,
    binding: Binding,
    pointers: Mapping[str, Pointer],
    seen: Mapping[int, Commit],
    *,
    home: str,
    whole_tables: bool,
) -> tuple[Binding, dict[int, Commit]]:
    """Return what the folder has followed once the commit made is set, and others' before it that aren't here yet.

    Args:
        log: of the source.
        binding: of its folder.
        pointers: that become current.
        seen: commits that are here, and weren't when this process followed.
        home: folder of the source here.
        whole_tables: as of `shared`.
    """
    made, others = new_commit(pointers), log.since(binding)
    while True:
        number = max(others, default=binding.followed) + 1
        unread = folded({at: one for at, one in (*seen.items(), *others.items()) if (home, one.writer) not in _ours})
        if both := sorted(_touched(unread, pointers, whole_tables=whole_tables)):
            raise LakeChanged(
                f"{log.store.url}: another home, or another command here, has published {both[0]} meanwhile"
                + (f", and {len(both) - 1} more" if len(both) > 1 else "")
                + "; nothing was published here. Run again: it follows first"
            )
        if log.commit(number, made):
            _ours.add((home, made.writer))
            return Binding(url=binding.url, followed=number, writer=made.writer), others
        others |= log.after(number - 1)


def _touched(unread: Iterable[str], pointers: Iterable[str], *, whole_tables: bool) -> set[str]:
    """Return the pointers among the unread ones that what is published may not go over."""
    if not whole_tables:
        return set(unread) & set(pointers)
    tables = {PurePosixPath(path).parent for path in pointers}
    return {path for path in unread if PurePosixPath(path).parent in tables}
