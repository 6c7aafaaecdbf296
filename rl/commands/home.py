"""`home`: the home page and a page for each table, written from what runs left; no service is needed to read them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conf.paths import site_folder
from conf.publication import publishing, write_atomically
from conf.settings import Settings
from rl.site.content import read_content
from rl.site.page import home_page_file, render_home, render_table, table_page_file


def run(*, settings: Settings) -> dict[str, Any]:
    """Write the pages, remove those of tables that are gone, and return where the home page lies.

    What can't be read of the home stands on the page, and in the result; nothing but the pages is written.
    """
    found = read_content(settings)
    pages = {table_page_file(settings.home, table): render_table(found, table) for table in found.tables}
    pages[home_page_file(settings.home)] = render_home(found)
    _write(site_folder(settings.home), pages)
    return {
        "page": str(home_page_file(settings.home)),
        "n_tables": len(found.tables),
        "waiting": sorted({f"{one.scenario}-policy" for one in found.scenarios if one.model.waiting is not None}),
        "problems": [*dict.fromkeys(one.model.moved for one in found.scenarios if one.model.moved), *found.problems],
    }


def _write(folder: Path, pages: Mapping[Path, str]) -> None:
    """Write all pages, the home page last, and remove others: one writer at a time, each page in one move."""
    with publishing(folder / "_lock"):
        for path, content in pages.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        for path in folder.rglob("*.html"):
            if path not in pages:
                path.unlink()
