"""Bring a source's tables to what a shared lake's store says is current, and what other engines read to the tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from conf.closed_output import end_with_the_reader
from conf.errors import SettingError
from conf.paths import Lake
from conf.publication import publishing, read_pointers
from conf.settings import Settings
from conf.shared_lake.following import Followed, follow_store
from conf.specs.source import load_source
from jobs.commands.answering import answered
from jobs.commands.migrate import known_tables
from jobs.publishing.delta_tables import update_delta_table


def follow(settings: Settings, source: str) -> Followed:
    """Return what was taken over; other engines' logs of the tables follow, too.

    Raises:
        SettingError: the source follows no store.
        PublicationError: the store doesn't answer, or this home and the store have different tables.
    """
    found = follow_first(settings, load_source(source).name)
    if found is None:
        raise SettingError(f"{source} follows no store; name one (NIGHTCART_LAKE_STORE=s3://bucket/shop)")
    return found


def follow_first(settings: Settings, source: str) -> Followed | None:
    """Bring a source's tables to what the store says before a command works on them; None where it follows none.

    Other engines' logs follow too, also where nothing was taken over now: commands of `python -m rl`, which write no
    such logs, may have followed before.

    Raises:
        PublicationError: as of `follow_store`.
    """
    found = follow_store(settings, source)
    if found is not None:
        update_logs(Lake(settings.lake, source))
    return found


def update_logs(lake: Lake) -> None:
    """Bring the Delta tables of a lake that has followed its store to what its pointers say."""
    with publishing(lake.lock):
        for table, folder in known_tables(lake):
            if read_pointers(folder):
                update_delta_table(table, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code, after what was taken over stands on stdout."""
    parser = argparse.ArgumentParser(prog="make follow", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--source", required=True, help="name of a source in conf/sources")
    given = parser.parse_args(arguments)
    return answered(lambda settings: dict(follow(settings, given.source)))


if __name__ == "__main__":
    end_with_the_reader()
    sys.exit(main())
