"""`make check-source`: what lines of a log become under a source, in seconds and without Spark.

The report is on stderr, one JSON object on stdout. Exit codes: 0 a delivery like these lines would be published, 65 it
would not be or can't be read, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from conf.closed_output import end_with_the_reader
from conf.errors import NightcartError, SpecError, exit_code
from conf.plain_json import to_json
from conf.specs.scenario import Pipeline, load_pipeline, scenarios_for
from conf.specs.source import Source, load_source
from jobs.commands.id_outlook import named_ids
from jobs.commands.item_outlook import told_events, told_line
from jobs.commands.next_steps import next_line, override_for, override_lines
from jobs.commands.outlook import result_of
from jobs.commands.side_check import check_side_tables, consent_line
from jobs.commands.source_check import N_LINES, check_source, report_lines
from jobs.errors import UnlikelyDelivery

_USUAL_SCENARIO = "recommendation"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code, after the report has been shown."""
    parser = argparse.ArgumentParser(prog="make check-source", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--source", required=True, help="name of a source in conf/sources")
    parser.add_argument("--logs", required=True, type=Path, help="file or folder of its logs")
    parser.add_argument("--lines", type=int, default=N_LINES, help="how many lines of each feed to look at")
    parser.add_argument(
        "--scenario", help="a scenario of conf/scenarios; default: recommendation, or what runs on the source"
    )
    given = parser.parse_args(arguments)
    try:
        source = load_source(given.source)
        usual = _usual_scenario(source)
        pipeline, misfit = _pipeline(given.scenario, usual, given.source)
        checks, unread = check_source(source, given.logs, given.lines)
        sides = check_side_tables(source, given.logs, given.lines)
        of_sides = [line for side in sides for line in side.lines()]
        shoppers = set[str]().union(*[check.users for check in checks])
        of_sides += [line] if (line := consent_line(sides, shoppers)) is not None else []
        events = [event for check in checks for event in check.events]
        told = told_events(events, pipeline, given.logs)
        of_items = [line] if (line := told_line(told)) else []
        ids = named_ids(checks, source, given.logs)
        found = [*[check.problem() for check in checks], *[side.problem() for side in sides]]
        problems = [problem for problem in found if problem]
        lines = [*report_lines(checks, unread, source, pipeline, [*of_sides, *of_items, *ids.lines()], told), *misfit]
        scenario = given.scenario or usual
        if misfit and (override := override_for(scenario, source)) is not None:
            lines += override_lines(scenario, source, override)
        days = [day for check in checks for day in check.days]
        last = date(1970, 1, 1) + timedelta(days=max(days)) if days else None
        is_right, is_fit = not problems, pipeline is not None
        following = next_line(source, given.logs, is_right=is_right, is_fit=is_fit, scenario=scenario, last=last)
        print("\n".join([*lines, *([following] if is_right else [])]), file=sys.stderr, flush=True)
        result = {"source": given.source, "feeds": {check.name: check.result() for check in checks}}
        # Of the usual scenario, which nobody asked for: the lines are right, and a night would be refused all the same.
        result |= {"misfits": misfit} if misfit else {}
        result |= {"side_tables": {side.name: side.result() for side in sides}} if sides else {}
        outlook = result_of(told, source, pipeline, is_all=all(check.is_all for check in checks))
        print(to_json(result | {"outlook": outlook, "ids": ids.result(), "unread_files": unread}), flush=True)
        if problems:
            told_problems = "a delivery like these lines would not be published:\n" + "\n".join(problems)
            raise UnlikelyDelivery(f"{told_problems}\n{following}")
    except NightcartError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return exit_code(error)
    return 0


def _usual_scenario(source: Source) -> str:
    """Return the scenario that is meant where nobody names one: of other clocks than sessions' the first there is."""
    names = [] if source.decisions.clock == "session_step" else scenarios_for(source.name)
    return names[0] if names else _USUAL_SCENARIO


def _pipeline(scenario: str | None, usual: str, source: str) -> tuple[Pipeline | None, list[str]]:
    """Return the scenario on the source; where nobody asked for it and it doesn't fit, a line that says why."""
    try:
        return load_pipeline(scenario or usual, source), []
    except SpecError as error:
        if scenario is not None:
            raise
        return None, [f"before a night: {error}"]


if __name__ == "__main__":
    end_with_the_reader()
    sys.exit(main())
