"""Which files are one log: those whose names differ in a date or number alone, and strays with a name of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs.proposal.event_words import event_type_of
from jobs.proposal.file_looks import FileLook

NamedFile = tuple[Path, str]
"""A file, and its relative name."""

_ENDS = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]*)?(?:\.gz|\.zst|\.zip)?$")
# Beside fewer files, one of another name is as likely a log of its own.
_LEAST_ALIKE = 3


@dataclass
class FileGroup:
    """Files of one log.

    Attributes:
        patterns: of their names; the first one is that of most files.
        files: in their order, those of the first pattern before the others.
        strays: names of the files that only a further pattern matches.
    """

    patterns: list[str]
    files: list[NamedFile]
    strays: list[str] = field(default_factory=list)

    def doubts(self) -> list[str]:
        """Return what is in doubt about files that are named unlike the others."""
        if not self.strays:
            return []
        n_alike = len(self.files) - len(self.strays)
        verb = "is" if len(self.strays) == 1 else "are"
        some = f"{', '.join(self.strays[:3])}{', ...' if len(self.strays) > 3 else ''}"
        return [
            f"{some} {verb} named unlike the other {n_alike}, with the same columns, and read as the same log: by "
            f"mistake? then rename, or take {', '.join(self.patterns[1:])} out of delivery.files"
        ]


def group_files(files: Sequence[NamedFile]) -> dict[str, FileGroup]:
    """Return the files by the pattern of their names: files that differ in a date or number alone are one log."""
    groups: dict[str, FileGroup] = {}
    for path, name in files:
        ends = "".join(_ENDS.findall(path.name)[:1])
        stem = path.name.removesuffix(ends)
        pattern = "**/" + re.sub(r"\d[\d_.-]*", "*", stem) + ends
        groups.setdefault(pattern, FileGroup([pattern], [])).files.append((path, name))
    return groups


def with_strays(groups: Mapping[str, FileGroup], looks: Mapping[str, FileLook]) -> dict[str, FileGroup]:
    """Return the groups, those of strays within the group whose columns they have.

    A stray is called as the log is, but for its signs (`Bons-20260508.csv` beside `Bons_2026-05-07.csv`), or is one
    file beside several with the same columns.

    Args:
        groups: by their pattern.
        looks: at each group's files.
    """
    order = sorted(groups, key=lambda pattern: -len(groups[pattern].files))
    found: dict[str, FileGroup] = {}
    for pattern in order:
        group = groups[pattern]
        main = next((one for one in found if _are_one(found[one], group, looks[one], looks[pattern])), None)
        if main is None:
            found[pattern] = FileGroup(list(group.patterns), list(group.files))
        else:
            found[main].patterns.append(pattern)
            found[main].files += group.files
            found[main].strays += [name for _, name in group.files]
    return {pattern: found[pattern] for pattern in groups if pattern in found}


def plain_name(pattern: str) -> str:
    """Return what files of a pattern are called, in letters and digits that a feed's name may have."""
    plain = re.sub(r"[^a-z0-9]+", "_", pattern.removeprefix("**/").partition(".")[0].lower()).strip("_")
    return plain if plain[:1].isalpha() else f"log_{plain}".rstrip("_")


def _are_one(main: FileGroup, other: FileGroup, look: FileLook, other_look: FileLook) -> bool:
    if not _are_alike(look, other_look):
        return False
    if plain_name(main.patterns[0]) == plain_name(other.patterns[0]):
        return True
    is_named = look.form is None or bool(look.form.get("has_header"))
    # Returns in a file of their own often have the columns of the sales.
    said = _said_kind(other.patterns[0])
    is_other_kind = said is not None and said != _said_kind(main.patterns[0])
    return is_named and not is_other_kind and len(other.files) == 1 and len(main.files) >= _LEAST_ALIKE


def _said_kind(pattern: str) -> str | None:
    """Return which events a file's name says it holds; None where it says nothing."""
    kind = event_type_of(" ".join(re.findall(r"[^\W\d_]+", pattern.removeprefix("**/").partition(".")[0])))
    return None if kind == "ignore" else kind


def _are_alike(look: FileLook, other: FileLook) -> bool:
    """Return whether two files have the same columns; which paths JSON has depends on the records."""
    if look.format != other.format:
        return False
    if look.form is None or other.form is None:
        fewer, more = sorted((set(look.columns), set(other.columns)), key=len)
        return len(fewer & more) >= 0.9 * len(more)
    keys = ("delimiter", "has_header")
    is_cut_alike = all(look.form.get(key) == other.form.get(key) for key in keys)
    return is_cut_alike and list(look.columns) == list(other.columns)
