"""`make deliver`: a simulated shop's next days, and a run for each where the services of `make up` are at work."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from conf.errors import NightcartError
from conf.plain_json import to_json
from conf.private_home import keep_private, refuse_unwritable
from conf.settings import Settings
from dags.command_output import clear_message, result_of
from dags.deployment.airflow_api import AirflowApi
from dags.nights.nightly_request import RequestError
from dags.nights.nightly_services import services_that_run
from dags.pipeline_command import LearningCommand

DEFAULT_SOURCE = "simulated_shop"


def main(arguments: list[str]) -> int:
    """Return the exit code: 0, or 1 after one clear line; the result is one JSON object on stdout."""
    parser = ArgumentParser(prog="make deliver", description="The next days of a simulated shop.")
    parser.add_argument("--source", default="")
    parser.add_argument("--days", default="")
    given = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
        n_days = _number(given.days or "1")
        keep_private(settings)
        refuse_unwritable(settings)
        result = deliver(settings, given.source or DEFAULT_SOURCE, n_days)
    except (NightcartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(to_json(result), flush=True)
    return 0


def deliver(settings: Settings, source: str, n_days: int) -> dict[str, Any]:
    """Deliver the days, then start the ingest of each where the services run on the source; return what was done.

    Days that are delivered together are ingested and built each; the last one alone is trained on.

    Raises:
        RequestError: the days can't be delivered.
        AirflowUnreachable, AirflowRefused: the services don't take a run; the days are there, and `make nightly` works
            on them.
    """
    command = LearningCommand(["deliver", f"--source={source}", f"--days={n_days}"], settings, lambda _: None)
    outcome = command.run()
    if outcome.return_code:
        raise RequestError(clear_message(outcome.stderr or outcome.stdout))
    result = result_of(outcome.stdout)
    for day in result["days"]:
        _say(f"delivered {day}: {result['logs']}/{day}")
    return result | {"runs": _started(settings, source, result["days"])}


def _started(settings: Settings, source: str, days: list[str]) -> list[str]:
    """Start a run of `ingest_events` for each day and return their ids; none where no services run on the source."""
    services = services_that_run(settings, source, _say)
    if services is None:
        _say(f"no services run on {source} here; the night of the last day: make nightly SOURCE={source}")
        return []
    api = AirflowApi(services.address, settings.home / "airflow" / "passwords.json")
    runs = [api.trigger("ingest_events", day) for day in days]
    _say(f"ingest_events was started for {', '.join(days)}; its nights are at {services.address}")
    return runs


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 366:
        raise RequestError(f"DAYS={text}: expected a number of days from 1 to 366")
    return int(text)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
