"""`make check-source`: what the first lines of a log become under a source, in seconds and without Spark.

The report is on stderr, one JSON object on stdout. Exit codes: 0 a delivery like these lines would be published, 65 it
would not be or can't be read, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from conf.errors import NightcartError, SpecError, exit_code
from conf.plain_json import to_json
from conf.specs.scenario import load_pipeline, scenario_names
from conf.specs.source import load_source
from jobs.commands.source_check import N_LINES, check_source, report_lines
from jobs.errors import UnlikelyDelivery


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code, after the report has been shown."""
    parser = argparse.ArgumentParser(prog="make check-source", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--source", required=True, help="name of a source in conf/sources")
    parser.add_argument("--logs", required=True, type=Path, help="file or folder of its logs")
    parser.add_argument("--lines", type=int, default=N_LINES, help="how many lines of each feed to look at")
    given = parser.parse_args(arguments)
    try:
        checks, unread = check_source(load_source(given.source), given.logs, given.lines)
        fits = scenario_fits(given.source)
        said = [*report_lines(checks, unread), *(problem or f"scenario {name}: fits" for name, problem in fits.items())]
        print("\n".join(said), file=sys.stderr, flush=True)
        feeds = {check.name: check.result() for check in checks}
        result = {"source": given.source, "feeds": feeds, "unread_files": unread, "scenarios": fits}
        print(to_json(result), flush=True)
        if problems := [problem for check in checks if (problem := check.problem())]:
            raise UnlikelyDelivery("a delivery like these lines would not be published:\n" + "\n".join(problems))
    except NightcartError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return exit_code(error)
    return 0


def scenario_fits(source: str) -> dict[str, str | None]:
    """Return for each scenario what it asks for and the source doesn't have; None where it fits."""
    found: dict[str, str | None] = {}
    for name in scenario_names():
        try:
            load_pipeline(name, source)
            found[name] = None
        except SpecError as error:
            found[name] = str(error)
    return found


if __name__ == "__main__":
    sys.exit(main())
