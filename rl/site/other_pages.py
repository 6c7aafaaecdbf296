"""Pages of a home that belong to no night of a scenario: fits of models of shoppers, and comparisons of versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from conf.paths import ShopperModelRun, comparisons


@dataclass(frozen=True)
class OtherPage:
    """A page, what it shows, and the day that it is of."""

    words: str
    day: date
    path: Path


def other_pages(home: Path) -> list[OtherPage]:
    """Return the last fit of each model of shoppers by source and name, then the comparisons, the latest first."""
    fits: dict[tuple[str, str], OtherPage] = {}
    for path in sorted((home / "runs").glob("*/*/*/shopper_model.html")):
        source, model = path.parents[2].name, path.parents[1].name
        day = _date(path.parent.name)
        if day is not None and not source.startswith("_") and path == ShopperModelRun(home, source, model, day).page:
            fits[source, model] = OtherPage(f"model of shoppers {model}, on {source}", day, path)
    return [*fits.values(), *sorted(_comparisons(home), key=lambda one: one.day, reverse=True)]


def _comparisons(home: Path) -> list[OtherPage]:
    found = []
    for path in sorted(comparisons(home).glob("*.html")):
        model, a, b = path.stem.rsplit("-", 2) if path.stem.count("-") > 1 else ("", "", "")
        if a.isdecimal() and b.isdecimal():
            made = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).date()
            found.append(OtherPage(f"{model}: version {b} against version {a}", made, path))
    return found


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
