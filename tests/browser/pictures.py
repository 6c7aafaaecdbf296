"""Pictures of a home's pages for the docs: `make pictures`, after nights, of NIGHTCART_HOME.

Each page is taken wide in light and narrow in dark, as small PNGs; one that the home doesn't have is named and left
out. Pages are made anew before, and folded as they open. With `--airflow`, Airflow's own are taken instead.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conf.errors import NightcartError
from conf.paths import site_folder
from conf.settings import PROJECT_ROOT, Settings
from rl.commands import home as home_command
from tests.browser.airflow_pictures import take_airflow_pictures
from tests.browser.chromium import Chromium, browser, find_chromium

FOLDER = PROJECT_ROOT / "docs" / "pictures"
WIDE, NARROW = (1400, 1100, 0.65), (390, 844, 1.0)
"""Width and height in CSS pixels, and how much smaller the picture is."""


@dataclass(frozen=True)
class Pictured:
    """A page: what its pictures are called, and which file shows it; None where the home has none."""

    name: str
    page: Path | None


def pictured_pages(home: Path) -> Iterator[Pictured]:
    """Yield each kind of page with the latest one of the home."""
    site = site_folder(home)
    yield Pictured("home", site / "index.html")
    yield Pictured("table", _last(site, "tables/*/transitions.*.html") or _last(site, "tables/*/events.html"))
    yield Pictured("review", _last(home, "runs/*/*/*/review.html"))
    yield Pictured("compare", _last(home, "comparisons/*.html"))
    yield Pictured("monitor", _last(home, "runs/*/*/*/monitor.html"))


def _last(folder: Path, pattern: str) -> Path | None:
    """Return the last of the files by name, which dates order; None where there is none."""
    return max(folder.glob(pattern), key=lambda path: path.parts[-2:], default=None)


def take(chromium: Chromium, one: Pictured, folder: Path) -> list[str]:
    """Take both pictures of a page, and return what is wrong with it."""
    if one.page is None:
        return [f"{one.name}: the home has no such page"]
    problems = []
    for size, is_dark, what in ((WIDE, False, "wide"), (NARROW, True, "phone")):
        seen = chromium.open(one.page.as_uri(), width=size[0], height=size[1], is_dark=is_dark)
        problems += [f"{one.name}, {what}: {problem}" for problem in (*seen.beyond, *seen.errors)]
        chromium.fold()
        chromium.picture(folder / f"{one.name}-{what}.png", width=size[0], height=size[1], scale=size[2])
    return problems


def main(arguments: list[str]) -> int:
    """Return 1 after naming what is missing or reaches out of its page; pictures of the others are taken."""
    executable = find_chromium()
    if executable is None:
        print("error: no Chromium is installed (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    try:
        settings = Settings.from_environment()
        home_command.run(settings=settings)
    except (NightcartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        browser(executable, Path(profile)) as chromium,
    ):
        if arguments == ["--airflow"]:
            problems = take_airflow_pictures(chromium, settings.home, FOLDER)
        else:
            problems = [told for one in pictured_pages(settings.home) for told in take(chromium, one, FOLDER)]
    print("\n".join([f"pictures: {FOLDER}", *problems]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
