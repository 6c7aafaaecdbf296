"""What a source makes of some lines of the tables that are delivered beside its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from conf.specs.side_table import ConsentTable, SideTable
from conf.specs.source import Source
from conf.tables import CONSENT, SIDE_TABLES
from jobs.commands.file_pieces import read_pieces
from jobs.commands.line_samples import looked_at, n_lines_about, sample_pieces, spread
from jobs.commands.unended_files import lacks_last_line_end, unended_lines
from jobs.landing.delivered_files import DeliveredFile, explaining_damage, find_files, read_side_columns
from jobs.landing.id_spellings import ALIKE_CURE, alike_ids, masked
from jobs.landing.raw_lines import side_reading
from jobs.parsing.passed_over import PassedOver, passed_over_line
from jobs.parsing.side_parsing import SideLine, SideParser

# A row that is valid from its delivery on has some day where its file names none; the day is never shown.
_ANY_DAY = date(1970, 1, 1)

_Key = tuple[Any, ...]


@dataclass
class SideCheck:
    """What became of some lines of one side table.

    has_ends: whether some lines are from middles and ends of files.
    first: where each reason was met first; rows: by their keys; contradicted: keys of which lines say different things,
    with where the second was met.
    """

    name: str
    table: SideTable
    max_rejected_share: float
    files: list[str] = field(default_factory=list)
    n_files: int = 0
    n_about: int | None = None
    is_all: bool = True
    has_ends: bool = False
    unended: list[str] = field(default_factory=list)
    undated: list[str] = field(default_factory=list)
    n_lines: int = 0
    n_rejected: Counter[str] = field(default_factory=Counter)
    n_filled: Counter[str] = field(default_factory=Counter)
    n_passed_over: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    rows: dict[_Key, dict[str, Any]] = field(default_factory=dict)
    contradicted: dict[_Key, str] = field(default_factory=dict)

    @property
    def empty_fields(self) -> list[str]:
        """Fields that are read and that no row has."""
        return [name for name in self.table.columns if not self.n_filled[name]]

    def problem(self) -> str | None:
        """Return why a delivery with these lines would not be published; None where it would be."""
        n_wrong = self.n_rejected.total()
        if n_wrong <= self.max_rejected_share * self.n_lines:
            return None
        told = ", ".join(f"{n} {reason}" for reason, n in self.n_rejected.most_common())
        return f"  {self.name}: {n_wrong} of {self.n_lines} lines are rejected: {told}"

    def lines(self) -> Iterator[str]:
        """Yield the report, for people."""
        if not self.files:
            yield f"{self.name}: no file matches {', '.join(self.table.files)}"
            return
        n_wrong = self.n_rejected.total()
        told = looked_at(
            self.n_lines, self.files, self.n_files, self.n_about, is_all=self.is_all, has_ends=self.has_ends
        )
        yield f"{self.name}: {told}"
        yield f"  accepted {self.n_lines - n_wrong}, rejected {n_wrong}"
        for reason, n in self.n_rejected.most_common():
            yield f"  {n} {reason}: first in {self.first[reason]}"
        for path, n in sorted(self.n_passed_over.items()):
            yield f"  {passed_over_line(path, n)} row of each"
        yield from unended_lines(self.unended)
        if self.undated:
            yield (
                f"  no day in the path of {', '.join(self.undated[:3])}: delivered with the log's first day, and known "
                f"from the day after; an earlier day is given by `{self.name}: {{delivered: DAY}}`"
            )
        if n_wrong < self.n_lines and (empty := self.empty_fields):
            yield f"  empty in every row: {', '.join(empty)}"
        if self.contradicted:
            first = next(iter(self.contradicted.values()))
            yield (
                f"  {len(self.contradicted)} keys have lines that say different things; first in {first}: of a key and "
                "moment one row counts, whichever (of lists, the elements of all lines)"
            )

    def result(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "n_lines": self.n_lines,
            "n_accepted": self.n_lines - self.n_rejected.total(),
            "rejected": dict(sorted(self.n_rejected.items())),
            "empty_fields": self.empty_fields,
            "passed_over": dict(sorted(self.n_passed_over.items())),
            "n_contradicted": len(self.contradicted),
            "n_files": self.n_files,
            "n_files_looked_at": len(self.files),
            "n_lines_about": self.n_lines if self.is_all else self.n_about,
            "unended_files": self.unended,
            "problem": self.problem(),
        }


def consent_line(sides: Sequence[SideCheck], shoppers: Collection[str]) -> str | None:
    """Return how many shoppers of the events consented; None where nobody is asked, or not all consents were looked at.

    Args:
        sides: what became of the side tables.
        shoppers: that events name, as the log calls them.
    """
    check = next((one for one in sides if one.name == CONSENT.name), None)
    if check is None or not check.is_all or not shoppers:
        return None
    rows, asked = check.rows.values(), set(shoppers)
    strangers = _strangers({str(row["user_id"]) for row in rows}, asked)
    if isinstance(check.table, ConsentTable) and check.table.takes_unlisted:
        refused = asked & {row["user_id"] for row in rows if not row["is_given"]}
        n_kept, why = len(asked - refused), f"; {len(refused)} refused at some time, and whoever isn't listed consents"
    else:
        n_kept = len(asked & {row["user_id"] for row in rows if row["is_given"]})
        why = " at some time; nobody else is learned from"
        if 2 * n_kept < len(asked):
            why += "; if the table lists those alone who opted out, give consent.unlisted: given"
    return f"consent: {n_kept} of {len(asked)} shoppers in these lines consent{why}{strangers}"


def _strangers(listed: set[str], asked: set[str]) -> str:
    """Return what is said of listed ids that only their spelling keeps apart from shoppers'; empty where none is.

    A part of the log names few shoppers, so that zeros that lead listed ids alone tell as much as a pair.
    """
    alike = alike_ids(listed, asked)
    padded = {one for one in listed - asked if _is_padded(one)}
    if alike:
        one = next(iter(alike))
        n, example = len(alike), f"such as {masked(one)} against {masked(alike[one])}"
    elif padded and not any(map(_is_padded, asked)):
        n, example = len(padded), f"such as {masked(min(padded))}, where no shopper's id begins with zero"
    else:
        return ""
    return (
        f". Of {len(listed)} listed ids {n} are spelled otherwise than shoppers' ({example}): what they say reaches "
        f"nobody; {ALIKE_CURE}"
    )


def _is_padded(spelled: str) -> bool:
    return len(spelled) > 1 and spelled.startswith("0") and spelled.isdigit()


def check_side_tables(source: Source, logs: Path, n_lines: int) -> list[SideCheck]:
    """Return what lines from the beginnings, middles and ends of each side table's files become.

    Raises:
        DeliveryError: a file that doesn't fit the source.
    """
    tables = source.side_tables
    checks = {name: SideCheck(name, table, source.max_rejected_share) for name, table in tables.items()}
    files = find_files(source, logs)
    for name, check in checks.items():
        _check_files(check, [file for file in files if file.kind == name], source, n_lines)
    return list(checks.values())


def _check_files(check: SideCheck, files: Sequence[DeliveredFile], source: Source, n_lines: int) -> None:
    check.n_files = len(files)
    check.undated = [file.name for file in files if file.delivery_date is None]
    check.unended = [file.name for file in files if check.table.csv is not None and lacks_last_line_end(file.path)]
    headers = {file.name: read_side_columns(file, check.table, source) for file in files}
    reading, pieces = side_reading(check.table, b"one check"), []
    for file in spread(files, n_lines):
        with explaining_damage(file):
            pieces.append((file, read_pieces(file, reading, n_lines)))
    check.has_ends = any(found.end for _, found in pieces)
    samples = sample_pieces(pieces, n_lines)
    check.is_all = len(samples) == len(files) and all(is_whole for _, _, is_whole in samples)
    sizes = [(file, len(lines), sum(len(line.encode()) + 1 for _, line, _ in lines)) for file, lines, _ in samples]
    check.n_about = n_lines_about(files, sizes)
    passed_over = PassedOver(check.table.raw_columns if check.table.csv is None else ())
    for file, lines, _ in samples:
        parser = SideParser(check.name, check.table, headers[file.name] or (), zone=source.zone, pseudonym=str)
        check.files.append(file.name)
        for number, line, _ in lines:
            check.n_passed_over.update(passed_over.lists_of(line))
            _count(check, parser.parse(line, file.delivery_date or _ANY_DAY), f"{file.name} line {number}")


def _count(check: SideCheck, parsed: SideLine, place: str) -> None:
    check.n_lines += 1
    if parsed.refusal is None:
        check.n_filled.update(name for row in parsed.rows for name in _filled(row))
        if check.table.says_whole_rows(check.name):
            _compare(check, parsed.rows, place)
        return
    reason = " ".join(word for word in (parsed.refusal.reason, parsed.refusal.field) if word)
    check.n_rejected[reason] += 1
    check.first.setdefault(reason, place)


def _compare(check: SideCheck, rows: Sequence[dict[str, Any]], place: str) -> None:
    """Note the keys of which an earlier line said something else."""
    for row in rows:
        key = tuple(row.get(name) for name in SIDE_TABLES[check.name].key)
        if check.rows.setdefault(key, row) != row:
            check.contradicted.setdefault(key, place)


def _filled(row: dict[str, Any]) -> Iterator[str]:
    """Yield the fields that a row has; of one that tells an attribute, the attribute under the source's own name."""
    for name, value in row.items():
        if value is not None:
            yield row["attribute"] if name == "value" else name
