"""What is current in a shared lake: commits, numbered from 0, each of which sets pointers all at once.

    SOURCE/_commits/00000000000000000012.json   pointers that commit 12 set, by their path below the source's folder
    SOURCE/_snapshots/00000000000000000050.json all that were current after commit 50
    SOURCE/_files/SHA-256                       bytes of published files

A commit is written only where there is none of its number, so that of two homes one alone makes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from pydantic import ValidationError, model_validator

from conf.errors import LakeChanged, PublicationError
from conf.publication import FileSum, Pointer
from conf.shared_lake.binding import Binding
from conf.shared_lake.object_store import ObjectStore
from conf.specs.strict_yaml import StrictModel

SNAPSHOT_EVERY = 50
_WRITER, _WRITER_DIGITS = '{"writer":"', 32


class Commit(StrictModel):
    """Pointers that became current at once, by their path below the source's folder.

    writer: whose commit it is: a name that no other commit has.
    """

    writer: str
    pointers: dict[str, Pointer]

    @model_validator(mode="after")
    def _stays_within_the_source(self) -> Self:
        named = [*self.pointers, *(name for one in self.pointers.values() for name in (*one.files, *one.sums))]
        if outside := [name for name in named if name.startswith("/") or ".." in PurePosixPath(name).parts]:
            raise ValueError(f"{outside[0]} lies outside the source's folder")
        if others := [name for name in self.pointers if PurePosixPath(name).parent.name != "_pointers"]:
            raise ValueError(f"{others[0]} is no pointer's place")
        return self


@dataclass(frozen=True)
class CommitLog:
    """The commits of one source in a store."""

    store: ObjectStore
    source: str

    def file_key(self, one: FileSum) -> str:
        """Return where a file's bytes lie, whatever it is called."""
        return f"{self.source}/_files/{one.sha256}"

    def commit(self, number: int, made: Commit) -> bool:
        """Make the commit of this number; return False where somebody else has made it."""
        key = self._key("_commits", number)
        if not self.store.create(key, made.model_dump_json().encode()):
            return False
        if number and number % SNAPSHOT_EVERY == 0:
            with suppress(PublicationError):  # the commit is made, and snapshots only spare new homes some reading
                _, state = self.current(number)
                content = Commit(writer="", pointers=state).model_dump_json().encode()
                self.store.replace(self._key("_snapshots", number), content)
        return True

    def writer(self, number: int) -> str | None:
        """Return whose commit this is, as its first bytes say; None where there is none of its number."""
        start = self.store.read_start(self._key("_commits", number), len(_WRITER) + _WRITER_DIGITS)
        return None if start is None else start.decode(errors="replace").removeprefix(_WRITER)

    def since(self, binding: Binding) -> dict[int, Commit]:
        """Return the commits behind the last one that a folder has followed.

        Raises:
            LakeChanged: the store doesn't have that one any more: somebody emptied it, or it is another store.
            PublicationError: a commit can't be read, or is missing between others.
        """
        if binding.followed < 0:
            return self.after(-1)
        writer = self.writer(binding.followed)
        if writer is None or binding.writer not in ("", writer):
            raise LakeChanged(
                f"{self.store.url}: its log of {self.source} isn't the one that was followed here up to commit "
                f"{binding.followed}: it was emptied, begun anew, or lies behind another endpoint; nothing was "
                "changed. Restore it from the store's own versions, or forget the source in every home"
            )
        return self.after(binding.followed)

    def after(self, number: int) -> dict[int, Commit]:
        """Return the commits behind the given number, -1 for all, in their order.

        Raises:
            PublicationError: one can't be read, or is missing between others.
        """
        keys = self.store.keys_after(f"{self.source}/_commits/", self._key("_commits", number) if number >= 0 else "")
        found = {_number(key): self._read(key) for key in keys}
        if list(found) != list(range(number + 1, number + 1 + len(found))):
            raise PublicationError(
                f"{self.store.url}/{self.source}/_commits: commits are missing between {number + 1} and {max(found)}; "
                "somebody removed them: restore them from the store's own versions"
            )
        return found

    def current(self, upto: int | None = None) -> tuple[int, dict[str, Pointer]]:
        """Return the number of the last commit and all pointers that are current after it; -1 for an empty log.

        Args:
            upto: last commit to look at; None for the newest.
        """
        snapshots = [_number(key) for key in self.store.keys_after(f"{self.source}/_snapshots/")]
        start = max((one for one in snapshots if upto is None or one <= upto), default=-1)
        state = dict(self._read(self._key("_snapshots", start)).pointers) if start >= 0 else {}
        last = start
        for number, made in self.after(start).items():
            if upto is None or number <= upto:
                state, last = state | made.pointers, number
        return last, state

    def _read(self, key: str) -> Commit:
        content = self.store.read(key)
        try:
            return Commit.model_validate(json.loads(content or b""))
        except (ValidationError, ValueError) as error:
            raise PublicationError(
                f"{self.store.url}/{key}: not a commit that this release reads ({type(error).__name__}); "
                "was it written by a later one?"
            ) from error

    def _key(self, folder: str, number: int) -> str:
        return f"{self.source}/{folder}/{number:020d}.json"


def folded(commits: Mapping[int, Commit]) -> dict[str, Pointer]:
    """Return the last pointer that the commits set at each path."""
    return {path: pointer for _, made in sorted(commits.items()) for path, pointer in made.pointers.items()}


def _number(key: str) -> int:
    return int(key.rsplit("/", 1)[-1].removesuffix(".json"))
