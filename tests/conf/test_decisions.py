"""The decisions: an index that names each once, short entries on a page a room, and links that lead somewhere."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from conf.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "decisions"
MOST_WORDS = 60
PLACES_OF_PAGES = ("conf", "dags", "docs", "jobs", "rl", "tests")

ROW = re.compile(r"\| (D-\d+) \| \[(.+)\]\((\S+)\) \| (\S+) \| (\S+) \| (.+) \|")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|^ {4}.*?$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Row:
    """A row of the index."""

    id: str
    title: str
    link: str
    room: str
    date: str
    status: str


@dataclass(frozen=True)
class Entry:
    """A decision on the page of its room."""

    id: str
    title: str
    room: str
    body: str


def rows_in(folder: Path) -> list[Row]:
    """Rows of the index; a row that isn't read as one is missing among them."""
    return [Row(*found) for found in ROW.findall((folder / "README.md").read_text(encoding="utf-8"))]


def entries_in(folder: Path) -> list[Entry]:
    """Every decision of every page."""
    found = []
    for page in sorted(folder.glob("*.md")):
        if page.name != "README.md":
            for part in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
                heading, _, body = part.partition("\n")
                id_, _, title = heading.partition(" ")
                found.append(Entry(id_, title.strip(), page.stem, body))
    return found


def without_equal(folder: Path) -> list[str]:
    """Decisions that stand in the index alone or on a page alone, or under another title or room."""
    indexed = Counter((row.id, row.title, row.room) for row in rows_in(folder))
    written = Counter((entry.id, entry.title, entry.room) for entry in entries_in(folder))
    return [
        *(f"{' '.join(one)}: in the index alone" for one in indexed - written),
        *(f"{' '.join(one)}: on its page alone" for one in written - indexed),
    ]


def out_of_order(folder: Path) -> list[str]:
    """Ids of the index that aren't D-001, D-002 and so on."""
    ids = [row.id for row in rows_in(folder)]
    return [f"{id_}: expected D-{place:03d}" for place, id_ in enumerate(ids, 1) if id_ != f"D-{place:03d}"]


def without_date(folder: Path) -> list[str]:
    """Rows whose date isn't one such as 2026-01-31."""
    return [f"{row.id}: {row.date}" for row in rows_in(folder) if not _is_date(row.date)]


def with_odd_status(folder: Path) -> list[str]:
    """Rows that are neither in force nor superseded by another decision."""
    rows = rows_in(folder)
    allowed = {"in force", *(f"superseded by {row.id}" for row in rows)}
    return [f"{row.id}: {row.status}" for row in rows if row.status not in allowed or row.status.endswith(row.id)]


def too_long(folder: Path) -> list[str]:
    """Decisions of no words or too many; where a link leads isn't counted."""
    counts = {entry.id: len(re.sub(r"\]\([^)]*\)", "]", entry.body).split()) for entry in entries_in(folder)}
    return [f"{id_}: {n} words" for id_, n in counts.items() if not 0 < n <= MOST_WORDS]


def without_rejected_option(folder: Path) -> list[str]:
    """Decisions in force that don't say what was rejected."""
    old = {row.id for row in rows_in(folder) if row.status.startswith("superseded")}
    return [entry.id for entry in entries_in(folder) if "Rejected:" not in entry.body and entry.id not in old]


def with_wrong_link(folder: Path) -> list[str]:
    """Rows whose link isn't to their own heading."""
    return [
        f"{row.id}: {row.link}"
        for row in rows_in(folder)
        if row.link != f"{row.room}.md#{anchor_of(f'{row.id} {row.title}')}"
    ]


CHECKS = (
    without_equal,
    out_of_order,
    without_date,
    with_odd_status,
    too_long,
    without_rejected_option,
    with_wrong_link,
)


def anchor_of(heading: str) -> str:
    """The anchor that a heading gets: links in it are read as their words."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors_of(page: Path) -> set[str]:
    """Anchors of a page; of equal headings the second ends in -1."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    seen: Counter[str] = Counter()
    anchors = set()
    for anchor in map(anchor_of, HEADING.findall(text)):
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return anchors


def pages_in(root: Path) -> list[Path]:
    """The project's Markdown pages."""
    return [*root.glob("*.md"), *(page for place in PLACES_OF_PAGES for page in (root / place).rglob("*.md"))]


def broken_links(root: Path) -> Iterator[str]:
    """Links to a file or heading inside the project that isn't there, or that lead out of it."""
    for page in pages_in(root):
        for link in LINK.findall(CODE.sub("`", page.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or not target.is_relative_to(root.resolve()):
                yield f"{page.relative_to(root)}: no file {link}"
            elif anchor and target.suffix == ".md" and anchor not in anchors_of(target):
                yield f"{page.relative_to(root)}: no heading {link}"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_decisions_keep_their_form(check: Callable[[Path], list[str]]) -> None:
    assert not check(FOLDER)


def test_every_line_of_the_index_is_a_row() -> None:
    """A line that isn't read as a row would be looked at by no check."""
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("|") and not ROW.fullmatch(line)][2:] == []
    assert len(rows_in(FOLDER)) > 100


def test_links_of_every_page_lead_somewhere() -> None:
    assert list(broken_links(PROJECT_ROOT)) == []


@pytest.mark.parametrize(
    ("check", "page", "old", "new"),
    [
        (without_equal, "jobs.md", "## D-005 Hashes", "## D-005 Digests"),
        (without_equal, "jobs.md", "## D-005 Hashes", "## D-006 Hashes"),
        (without_equal, "README.md", "| D-005 |", "| D-5x |"),
        (out_of_order, "README.md", "| D-005 |", "| D-004 |"),
        (without_date, "README.md", "| 2026-11-22 |", "| 2026-11-32 |"),
        (without_date, "README.md", "| 2026-11-22 |", "| 20261122 |"),
        (with_odd_status, "README.md", "| in force |", "| in doubt |"),
        (with_odd_status, "README.md", "| in force |", "| superseded by D-999 |"),
        (with_odd_status, "README.md", "| in force |", "| superseded by D-001 |"),
        (too_long, "jobs.md", "Rejected:", "word " * MOST_WORDS + "Rejected:"),
        (without_rejected_option, "jobs.md", "Rejected:", "Not taken:"),
        (with_wrong_link, "README.md", "(conf.md#d-001", "(jobs.md#d-001"),
    ],
)
def test_check_sees_what_was_broken(
    tmp_path: Path, check: Callable[[Path], list[str]], page: str, old: str, new: str
) -> None:
    """The first such place of a copy is changed."""
    copy = tmp_path / "decisions"
    shutil.copytree(FOLDER, copy)
    text = (copy / page).read_text(encoding="utf-8")
    assert old in text
    (copy / page).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert check(copy)


@pytest.mark.parametrize("link", ["gone.md", "there.md#gone", "#gone", "../outside.md", "there.md#twice-2"])
def test_broken_link_is_found(tmp_path: Path, link: str) -> None:
    (tmp_path / "outside.md").write_text("# Out\n")
    root = tmp_path / "project"
    root.mkdir()
    (root / "there.md").write_text("# There\n## Twice\n## Twice\n")
    sound = "[a](there.md) [b](there.md#there) [c](there.md#twice-1) [d](#home) [e](https://example.org) `[f](gone.md)`"
    (root / "page.md").write_text(f"# Home\n{sound} [g]({link})\n")
    (found,) = broken_links(root)
    assert link in found
