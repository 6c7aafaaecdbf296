"""The plan command: what a backfill would ingest and build for a range of dates, and why; nothing is changed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from conf.closed_output import end_with_the_reader
from conf.errors import NightcartError, exit_code
from conf.paths import Lake, path_date
from conf.plain_json import to_json
from conf.private_home import keep_private
from conf.publication import read_pointers
from conf.settings import Settings
from conf.shared_lake.following import follow_store
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import data_spec_hash, source_hash
from jobs.errors import DeliveryError
from jobs.events.ingest import why_ingested
from jobs.landing.raw_deliveries import read_raw_deliveries
from jobs.publishing.publishing import Provenance
from jobs.sessions.building import stale_sessions
from jobs.transitions.due_dates import STILL_OPEN, why_due


def plan(settings: Settings, pipeline: Pipeline, first: date, last: date) -> dict[str, Any]:
    """Return the deliveries that an ingest up to the last date takes in, and the dates that a build then makes.

    A build makes every earlier date that isn't current, too: those before the first date are listed apart. What a
    delivery that is to be ingested anew says isn't known before, so that the dates that were made from it may turn out
    to be current. Dates that a night makes again only because they are still open are named apart: a backfill leaves
    them as they are.

    Args:
        settings: name lake and pseudonym key.
        pipeline: scenario and source.
        first: of the range.
        last: of the range.

    Raises:
        DeliveryError: nothing was landed up to the last date, or there are no events on it.
    """
    if first > last:
        raise DeliveryError(f"the range is from {first} to {last}: its first date is after its last; swap them")
    lake = Lake(settings.lake, pipeline.source.name)
    spec_hash, key_id = source_hash(pipeline.source), settings.pseudonym_key_id()
    known = [one for day, one in read_raw_deliveries(lake).items() if day <= last]
    if not known:
        raise DeliveryError(f"{lake.folder}: nothing was landed up to {last}; `make nightly` with LOGS lands logs")
    ingested = why_ingested(
        lake,
        pipeline.source,
        known,
        spec_hash=spec_hash,
        key_id=key_id,
    )
    # What deliveries that are still to be ingested make of sessions is told by ingesting them.
    now = Provenance(spec_hash, "", key_id, last)
    sessions = [] if ingested else stale_sessions(lake, pipeline.source, now)
    folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    whys = _after_ingest(folder, ingested, last) if ingested else why_due(lake, folder, pipeline, last)
    dates = {day: why for day, why in whys.items() if why != STILL_OPEN}
    return {
        "source": pipeline.source.name,
        "scenario": pipeline.scenario.name,
        "from": str(first),
        "to": str(last),
        "deliveries": {str(day): why for day, why in sorted(ingested.items())},
        "sessions": [str(day) for day in sessions],
        "dates": {str(day): why for day, why in sorted(dates.items()) if day >= first},
        "earlier_dates": {str(day): why for day, why in sorted(dates.items()) if day < first},
        "still_open": [str(day) for day in sorted(whys.keys() - dates.keys())],
    }


def lines_of(found: dict[str, Any]) -> list[str]:
    """Return the plan in lines, one for each delivery and date."""
    told = [f"ingest delivery {day}: {why}" for day, why in found["deliveries"].items()]
    told += [f"sessions of {day}: deliveries around it changed, or days have passed since" for day in found["sessions"]]
    told += [f"build {day}: {why}" for day, why in found["dates"].items()]
    told += [f"build {day}, before the range: {why}" for day, why in found["earlier_dates"].items()]
    told = told or [f"nothing is to be done from {found['from']} to {found['to']}"]
    if found["still_open"]:
        told.append(
            f"still open, and current: {', '.join(found['still_open'])}; a night makes them again, a backfill not"
        )
    return told


def _after_ingest(folder: Path, ingested: dict[date, str], last: date) -> dict[date, str]:
    """Return the dates that deliveries still to be ingested reach: their own, and those that were made from them."""
    found = {day: f"delivery {day} is ingested first" for day in ingested}
    for name, pointer in read_pointers(folder).items():
        day = path_date(name, "date")
        reached = [
            str(delivery)
            for delivery in sorted(ingested)
            if any(one.endswith(f"/delivery_date={delivery}") for one in pointer.manifest.inputs)
        ]
        if reached and day <= last:
            which = ", ".join(reached)
            found[day] = f"made from delivery {which}, which is ingested anew: built if that says other things"
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code, after the plan stands on stdout."""
    parser = argparse.ArgumentParser(prog="make plan", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--source", required=True, help="name of a source in conf/sources")
    parser.add_argument("--scenario", required=True, help="name of a scenario in conf/scenarios")
    parser.add_argument("--from", dest="first", required=True, type=date.fromisoformat, help="first date of the range")
    parser.add_argument("--to", dest="last", required=True, type=date.fromisoformat, help="last date of the range")
    given = parser.parse_args(arguments)
    try:
        pipeline = load_pipeline(given.scenario, given.source)
        settings = Settings.from_environment()
        keep_private(settings)
        follow_store(settings, pipeline.source.name)
        found = plan(settings, pipeline, given.first, given.last)
        print("\n".join(lines_of(found)), file=sys.stderr, flush=True)
        print(to_json(found), flush=True)
    except NightcartError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return exit_code(error)
    return 0


if __name__ == "__main__":
    end_with_the_reader()
    sys.exit(main())
