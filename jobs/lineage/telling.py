"""Published versions are told once each, to a file or a server; what couldn't be told is told the next time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from openlineage.client.event_v2 import RunEvent
from openlineage.client.transport import Transport
from openlineage.client.transport.file import FileConfig, FileTransport
from openlineage.client.transport.http import HttpConfig, HttpTransport

from conf.database_address import without_password
from conf.errors import NightcartError
from conf.paths import Lake
from conf.publication import publishing, write_atomically
from conf.tables import Table
from jobs.errors import LineageError
from jobs.lineage.lineage_events import events_of
from jobs.lineage.published_versions import PublishedVersion, fits, published_versions

_AT_ONCE = 100


def tell_lineage(lake: Lake, to: str, table_of: Callable[[PublishedVersion], Table | None]) -> int:
    """Tell every current version of the source's tables that wasn't told there yet; return how many these were.

    One process at a time tells of a source. Which versions were told, and where, stands in the lake
    (`_lineage.json`), by partition; killed in between, up to a hundred are told again, under the same run ids.

    Args:
        lake: of the source.
        to: a file, to which lines are added, or a server's address.
        table_of: the columns of a version's table; None where nobody knows them.

    Raises:
        LineageError: the file can't be written to, or the server doesn't take events; what was told before stays so.
    """
    with publishing(lake.lineage_lock):
        told = _read(lake.lineage_record, to)
        new = [version for version in published_versions(lake) if not fits(told, version)]
        if new:
            transport = _transport(to)
            for first in range(0, len(new), _AT_ONCE):
                part = new[first : first + _AT_ONCE]
                _emit(transport, to, [event for version in part for event in events_of(version, table_of(version))])
                told |= {f"{one.table}/{one.pointer.manifest.partition}": one.run_id for one in part}
                write_atomically(lake.lineage_record, json.dumps({"to": without_password(to), "told": told}, indent=1))
    return len(new)


def _read(path: Path, to: str) -> dict[str, str]:
    """Return the run id told of each partition; none where events went elsewhere before."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content["told"]) if content["to"] == without_password(to) else {}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise LineageError(f"{path}: can't be read ({error}); remove it, and everything is told again") from error


def _transport(to: str) -> Transport:
    if to.startswith("http"):
        return HttpTransport(HttpConfig.from_dict({"url": to, "timeout": 10.0, "retry": {"total": 2}}))
    return FileTransport(FileConfig(log_file_path=to, append=True))


def _emit(transport: Transport, to: str, events: Iterable[RunEvent]) -> None:
    try:
        for event in events:
            transport.emit(event)
    except NightcartError:
        raise
    except Exception as error:  # each transport raises what its library raises
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(to, without_password(to))
        raise LineageError(f"{without_password(to)}: takes no OpenLineage events ({reason})") from error
