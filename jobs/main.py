"""The one entry for spark-submit: `ingest`, `accept`, `build`, `backfill`, `observe` and `repair`.

Each runs in one Spark session.

Stdout ends with one JSON object; log lines and errors go to stderr. Exit codes: 0 done, 1 an error (one clear message),
2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file: the project, not this folder, is where modules are found
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import structlog
from pyspark.sql import SparkSession

from conf.errors import MAY_PASS, NightcartError, exit_code
from conf.night_lock import own_turn
from conf.paths import Lake, Run
from conf.plain_json import to_json
from conf.private_home import keep_private, refuse_unwritable
from conf.publication import write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.shared_lake.binding import is_shared
from conf.specs.scenario import load_pipeline, scenario_names
from conf.specs.source import Source, load_source
from conf.specs.spec_hash import code_hash
from conf.specs.strict_yaml import suggest
from jobs.commands.backfill import BackfillRange, backfill, services_line, summary_lines
from jobs.commands.ingest import ingest, land_logs
from jobs.errors import DeliveryError, UnlikelyDelivery
from jobs.failure_reason import SPARK_FAILURES, failure_reason
from jobs.landing.acceptance import accept, is_published
from jobs.landing.delivered_files import find_files, unread_files, unread_lines
from jobs.landing.landing import refuse_date_at_once
from jobs.landing.raw_deliveries import read_raw_deliveries
from jobs.log_lines import configure_logs
from jobs.spark.session import start_spark

log = structlog.get_logger()


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code, after the command has run and its result stands on stdout."""
    given = command_parser().parse_args(arguments)
    is_debugging = False
    try:
        settings = Settings.from_environment()
        is_debugging = settings.log_level == "debug"
        configure_logs(settings)
        result = run_command(given, settings)
    except NightcartError as error:
        return _fail(str(error), is_debugging=is_debugging, code=exit_code(error))
    except SPARK_FAILURES as error:
        message = f"Spark failed: {failure_reason(error)}; NIGHTCART_LOG_LEVEL=debug tells where"
        return _fail(message, is_debugging=is_debugging)
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {failure_reason(error)}; NIGHTCART_LOG_LEVEL=debug tells where"
        return _fail(message, is_debugging=is_debugging)
    if given.command == "backfill":
        print("\n".join([*summary_lines(result), *services_line(settings, result)]), flush=True)
    print(to_json(result), flush=True)
    return 0


def command_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(prog="jobs/main.py", description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    ingesting = commands.add_parser("ingest", help="delivered logs -> events, rejected lines, sessions")
    building = commands.add_parser("build", help="events -> transitions of a scenario")
    filling = commands.add_parser("backfill", help="what `make plan` names for a range of dates, and nothing else")
    filling.add_argument("--from", required=True, type=date.fromisoformat, dest="first", help="first date of the range")
    filling.add_argument("--to", required=True, type=date.fromisoformat, dest="date", help="last date of the range")
    filling.add_argument("--force", action="store_true", help="make all of the range, although it is current")
    filling.add_argument("--for-training", action="store_true", help="run the last date as a night, for its training")
    accepting = commands.add_parser("accept", help="publish a delivery as it is, whatever share of it is rejected")
    accepting.add_argument("--delivery", required=True, type=date.fromisoformat, dest="date", help="its date")
    accepting.add_argument("--reason", required=True, help="why it is right as it is; its manifest keeps the words")
    accepting.add_argument("--who", default="", help="whose word it is; default: this user")
    accepting.add_argument("--logs", type=Path, help="file or folder to land first")
    observing = commands.add_parser("observe", help="events -> what is known of every shopper as of a day, for serving")
    observing.add_argument(
        "--as-of", required=True, type=date.fromisoformat, dest="date", help="day for whose decisions it is known"
    )
    repairing = commands.add_parser("repair", help="find damaged files and make them anew")
    repairing.add_argument("--logs", type=Path, help="the logs as delivered, where raw files are damaged")
    repairing.set_defaults(scenarios=[], date="")
    for command in (ingesting, building, filling, accepting, observing, repairing):
        command.add_argument("--source", required=True, help="name of a source in conf/sources")
    for command in (ingesting, building):
        command.add_argument("--date", required=True, type=date.fromisoformat, help="horizon: last delivery to use")
    ingesting.add_argument("--logs", type=Path, help="file or folder to land first")
    accepting.set_defaults(scenarios=[])
    many: dict[str, Any] = {"action": "append", "dest": "scenarios", "metavar": "SCENARIO"}
    ingesting.add_argument("--scenario", **many, default=[], help="its run folder gets the result; may be repeated")
    for command in (building, filling, observing):
        command.add_argument("--scenario", **many, required=True, help="name of a scenario in conf/scenarios")
    return parser


def run_command(given: argparse.Namespace, settings: Settings, *, keeps_session: bool = False) -> dict[str, Any]:
    """Return the result of a command as the parser read it.

    Args:
        given: the command and its arguments.
        settings: of the deployment.
        keeps_session: whether Spark's session is left running for the next command.
    """
    source = load_source(given.source)
    for name in given.scenarios:
        if name not in scenario_names():
            raise NightcartError(f"no scenario {name!r}{suggest(name, scenario_names())}")
    if given.command in ("build", "backfill"):
        load_pipeline(given.scenarios[-1], given.source)  # whether they fit shouldn't wait for Spark either
    logs = getattr(given, "logs", None)
    files = find_files(source, logs) if logs is not None else None  # what can be refused shouldn't wait for Spark
    if is_shared(settings, source.name):
        keep_private(settings)
        from jobs.commands.follow import follow_first  # noqa: PLC0415  (few homes share their lake)

        if (followed := follow_first(settings, source.name)) is not None:
            log.info("lake_followed", **followed)
    if given.command == "ingest":
        try:
            refuse_date_at_once(Lake(settings.lake, source.name), files, given.date)
        except DeliveryError as error:
            unread = unread_lines(unread_files(source, logs)) if logs is not None else []
            raise DeliveryError("\n".join([str(error), *unread])) from error
    keep_private(settings)
    refuse_unwritable(settings)
    if given.command == "accept" and logs is None and not _accepted(given, Lake(settings.lake, source.name)):
        return {"source": source.name, "left_out": str(given.date), "reason": given.reason}
    with _own_turn(given, settings):
        if given.command == "backfill":
            result = _backfill(given, settings, keeps_session=keeps_session)
        else:
            result = _work(given, settings, source, keeps_session=keeps_session)
    if settings.lineage is not None:
        from jobs.commands.lineage import tell_quietly  # noqa: PLC0415  (few deployments collect lineage)

        tell_quietly(settings, given.source)
    return result


def _accepted(given: argparse.Namespace, lake: Lake) -> bool:
    """Note that a person accepts the delivery; return False where it was never landed, and is left out."""
    accept(lake, given.date, given.reason, who=given.who or getuser())
    return given.date in read_raw_deliveries(lake)


def _own_turn(given: argparse.Namespace, settings: Settings) -> AbstractContextManager[None]:
    """Wait until no other run computes the night; taking in deliveries needs no turn."""
    if given.command not in ("build", "backfill"):
        return nullcontext()
    run = Run(settings.home, given.source, given.scenarios[-1], given.date)
    return own_turn(run, f"jobs {given.command}", lambda line: log.warning("waiting", why=line), night=settings.night)


def _backfill(given: argparse.Namespace, settings: Settings, *, keeps_session: bool) -> dict[str, Any]:
    """Return what a backfill made; Spark starts only where something is due."""
    pipeline = load_pipeline(given.scenarios[-1], given.source)
    asked = BackfillRange(given.first, given.date, is_forced=given.force, is_for_training=given.for_training)
    started: list[SparkSession] = []

    def start() -> SparkSession:
        if not started:
            started.append(start_spark(settings, f"nightcart backfill {given.source} {given.first} {given.date}"))
        return started[0]

    try:
        result = backfill(start, settings, pipeline, asked, code_hash=_code())
    finally:
        if started and not keeps_session:
            started[0].stop()
    run = Run(settings.home, given.source, given.scenarios[-1], given.date)
    write_atomically(run.backfill_result, to_json(result, indent=1))
    return result


def _work(given: argparse.Namespace, settings: Settings, source: Source, *, keeps_session: bool) -> dict[str, Any]:
    started = time.monotonic()
    spark = start_spark(settings, f"nightcart {given.command} {given.source} {given.date}")
    seconds = round(time.monotonic() - started, 3)
    log.info("spark_started", seconds=seconds, master=spark.sparkContext.master)
    try:
        if given.command == "repair":
            from jobs.commands.repair import repair  # noqa: PLC0415  (ingest alone needs no transitions)

            return repair(spark, settings, source, logs=given.logs, code_hash=_code())
        result = _result(spark, given, settings, source)
    except UnlikelyDelivery as error:
        if given.command == "accept" and is_published(Lake(settings.lake, source.name), given.date):
            raise UnlikelyDelivery(f"{given.date} is accepted and published; of the others {error}") from error
        raise
    finally:
        if not keeps_session:
            spark.stop()
    result["seconds"] = result.get("seconds", {}) | {"start": seconds}
    for name in given.scenarios:
        write_atomically(_result_file(given, settings, name), to_json(result, indent=1))
    return result


def _result(spark: SparkSession, given: argparse.Namespace, settings: Settings, source: Source) -> dict[str, Any]:
    """Return what the command did, without the seconds Spark took to start."""
    if given.command == "build":
        from jobs.transitions.build import build  # noqa: PLC0415  (ingest alone needs no transitions)

        return build(spark, settings, load_pipeline(given.scenarios[-1], given.source), given.date)
    if given.command == "observe":
        from jobs.commands.observe import observe  # noqa: PLC0415  (likewise)

        return observe(spark, settings, load_pipeline(given.scenarios[-1], given.source), given.date)
    if given.command == "accept" and given.logs is not None:
        # Before anybody can accept what isn't there.
        lake = Lake(settings.lake, source.name)
        land_logs(spark, settings, source, logs=given.logs, horizon=given.date, code_hash=_code())
        if not _accepted(given, lake):
            return {"source": source.name, "left_out": str(given.date), "reason": given.reason}
    logs = None if given.command == "accept" else given.logs
    return ingest(spark, settings, source, logs=logs, horizon=given.date, code_hash=_code())


def _code() -> str:
    return code_hash(PROJECT_ROOT / "jobs", PROJECT_ROOT / "conf")


def _result_file(given: argparse.Namespace, settings: Settings, scenario: str) -> Path:
    """Return where the result is kept: in the folder of the night whose deliveries were the last that counted."""
    if given.command == "observe":
        return Run(settings.home, given.source, scenario, given.date - timedelta(days=1)).observe_result
    run = Run(settings.home, given.source, scenario, given.date)
    return run.ingest_result if given.command == "ingest" else run.build_result


def _fail(message: str, *, is_debugging: bool, code: int = MAY_PASS) -> int:
    if is_debugging:
        log.exception("failed")
    print(f"error: {message}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
