"""What a home publishes becomes current for all homes of a shared lake, by one conditional write, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from conf.errors import LakeChanged, PublicationError
from conf.publication import Pointer
from conf.shared_lake.binding import Binding, bind, read_binding
from conf.shared_lake.commit_log import Commit, CommitLog, folded
from conf.shared_lake.following import apply_commits, new_commit, share_files
from conf.shared_lake.object_store import ObjectStore


@contextmanager
def shared(lock: Path, changes: Mapping[Path, Pointer]) -> Iterator[None]:
    """Make pointers current in the store that the source's folder follows, then let the caller set them here.

    Files go first; they are nothing to anybody before the commit. A kill behind it leaves the home one commit behind,
    which the next command makes up for. Where the folder follows no store, nothing is done.

    Args:
        lock: of the source's publishers, held; it lies in the source's folder.
        changes: pointers that become current, by their files.

    Raises:
        LakeChanged: another home has published one of the partitions since this one followed; nothing was published.
        StoreUnreachable: the store doesn't answer; nothing was published here.
        DamagedFile: a file isn't what its pointer says; nothing was published.
        PublicationError: the commit was made, and this home couldn't take it over: its next command does.
    """
    folder = lock.parent
    binding = read_binding(folder) if changes else None
    if binding is None:
        yield
        return
    log = CommitLog(ObjectStore(binding.url), folder.name)
    pointers = {str(path.relative_to(folder)): pointer for path, pointer in changes.items()}
    share_files(folder, log, pointers)
    number, others = _committed(log, binding, pointers)
    try:
        yield
        apply_commits(folder, log, folded(others))
        bind(folder, Binding(url=binding.url, followed=number))
    except Exception as error:
        raise PublicationError(
            f"{binding.url}: commit {number} is published for all homes, but this home couldn't take it over: {error}. "
            "Its next command does; nothing needs to be published again"
        ) from error


def _committed(log: CommitLog, binding: Binding, pointers: Mapping[str, Pointer]) -> tuple[int, dict[int, Commit]]:
    """Return the number of the commit that was made, and those of other homes before it that aren't here yet."""
    made, others = new_commit(pointers), dict[int, Commit]()
    while True:
        others |= log.after(max(others, default=binding.followed))
        number = max(others, default=binding.followed) + 1
        if both := sorted(set(folded(others)) & set(pointers)):
            raise LakeChanged(
                f"{log.store.url}: another home has published {both[0]} meanwhile"
                + (f", and {len(both) - 1} more" if len(both) > 1 else "")
                + "; nothing was published here. Run again: it follows first"
            )
        if log.commit(number, made):
            return number, others
