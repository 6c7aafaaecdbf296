"""The lineage command: what was published, told as OpenLineage events where that wasn't done yet."""

from __future__ import annotations

import sys
from typing import Any

import structlog

from conf.closed_output import end_with_the_reader
from conf.errors import NightcartError, SettingError
from conf.paths import Lake
from conf.settings import Settings
from conf.shared_lake.binding import shared_sources
from conf.tables import RAW_LINES
from jobs.commands.answering import answered
from jobs.commands.follow import follow_first
from jobs.commands.migrate import known_tables
from jobs.lineage.telling import tell_lineage


def lineage(settings: Settings) -> dict[str, Any]:
    """Tell of every source's tables; return how many versions were told, by source.

    Sources of a shared lake are first brought to what its store says is current, so that no version is told as current
    that another home has replaced.

    Raises:
        SettingError: nothing says where to.
        StoreUnreachable: a shared lake's store doesn't answer; nothing was told.
        LineageError: events can't be told there; repeat when that is mended.
    """
    if settings.lineage is None:
        raise SettingError("NIGHTCART_LINEAGE names no file or server that OpenLineage events go to")
    for source in shared_sources(settings.lake):
        follow_first(settings, source)
    names = sorted(path.name for path in settings.lake.glob("*") if path.is_dir() and not path.name.startswith("_"))
    return {"told": {name: _told(settings, name) for name in names}}


def tell_quietly(settings: Settings, source: str) -> None:
    """Tell of what a command just published, where a setting asks for it; a failure is a warning and no more.

    What couldn't be told is told after the next command.
    """
    if settings.lineage is None:
        return
    try:
        structlog.get_logger().info("lineage_told", source=source, versions=_told(settings, source))
    except (NightcartError, OSError) as error:
        structlog.get_logger().warning("lineage isn't told; the next command tries again", why=str(error))


def _told(settings: Settings, source: str) -> int:
    lake = Lake(settings.lake, source)
    tables = {folder: table for table, folder in known_tables(lake)} | {lake.table("raw"): RAW_LINES}
    return tell_lineage(lake, str(settings.lineage), lambda version: tables.get(version.folder))


def main() -> int:
    """Return the exit code, after the result stands on stdout."""
    return answered(lineage)


if __name__ == "__main__":
    end_with_the_reader()
    sys.exit(main())
