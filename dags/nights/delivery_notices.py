"""What a night says of its deliveries at the end, beside its result: what would else stand in the long log alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SHOWN, _KEPT = 5, 20


def delivery_notices(ingest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the ingest's result a night's result holds too, where there is any of it.

    Of what differs from earlier deliveries it holds the latest alone, and their number as `n_drift`; ingest.json has
    all.

    Args:
        ingest: its result; of an earlier release, with fewer keys.
    """
    names = ("unended_files", "unread_files", "unknown_event_types", "accepted", "left_out", "missing_days", "drift")
    found = {name: ingest[name] for name in names if ingest.get(name)}
    if len(drift := found.get("drift", ())) > _KEPT:
        found |= {"drift": drift[:_KEPT], "n_drift": len(drift)}
    return found


def notice_lines(ingest: Mapping[str, Any]) -> Iterator[str]:
    """Yield the same for people, a line each."""
    if files := ingest.get("unended_files"):
        yield f"cut off? the last line has no end in {_some(files)}: its last value may be half of one"
    if files := ingest.get("unread_files"):
        yield f"not read, since no pattern of the source matches: {_some(files)}"
    if words := ingest.get("unknown_event_types"):
        told = _some([f"{word} {n}" for word, n in words.items()])
        yield f"event types that the source does not know, with their lines: {told}"
    for one in ingest.get("left_out", ())[:_SHOWN]:
        yield f"left out, since a person said so: {one['delivery']} ({one['reason']})"
    for one in ingest.get("accepted", ())[:_SHOWN]:
        yield f"published as it is, since a person said so: {one['delivery']} ({one['reason']})"
    if days := ingest.get("missing_days"):
        yield f"no delivery came for {_some(days)}, which count as days without visitors until one does"
    if drift := ingest.get("drift"):
        yield f"{len(drift)} thing(s) differ from earlier deliveries; the first: {drift[0]}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
