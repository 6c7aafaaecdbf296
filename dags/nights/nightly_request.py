"""What `make nightly` was asked for, checked before Airflow starts."""

from __future__ import annotations

import subprocess
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from conf.errors import NightcartError
from conf.file_dates import date_in
from conf.paths import Lake, simulated_shop
from conf.settings import PROJECT_ROOT, Settings
from conf.shared_lake.binding import is_shared
from conf.specs.scenario import load_pipeline, scenario_names, scenarios_for
from conf.specs.source import Source, load_source, source_names
from conf.specs.strict_yaml import suggest
from dags.run_date import parse_date

DEFAULT_SCENARIO = "recommendation"


@dataclass(frozen=True)
class SimulatedShop:
    """The command that writes a simulated shop's logs, and the file that says that they were written."""

    command: tuple[str, ...]
    settings_file: str


SIMULATED_SHOPS = {
    "simulated_shop": SimulatedShop(("simulate-shop",), "shop.json"),
    "simulated_promotion": SimulatedShop(
        ("simulate-promotion", "--n-weeks=52", "--n-shoppers=1000"), "promotion_shop.json"
    ),
    "simulated_inventory": SimulatedShop(("simulate-inventory",), "inventory_shop.json"),
    # The same shop, of which sales alone are read.
    "simulated_sales": SimulatedShop(("simulate-inventory",), "inventory_shop.json"),
}


class RequestError(NightcartError):
    """A parameter of `make nightly` that can't be served."""


class NightFailed(NightcartError):
    """A task failed; the message is the task's own."""


@dataclass(frozen=True)
class NightlyRequest:
    """One date of one scenario on one source.

    logs: file or folder to land deliveries from; None where deliveries are landed already.
    shop_to_write: folder of a simulated shop whose logs are to be written first, else None.
    """

    scenario: str
    source: str
    date: date | None
    logs: Path | None
    shop_to_write: Path | None = None


def read_request(arguments: Sequence[str], settings: Settings) -> NightlyRequest:
    """Return the request; an empty parameter counts as not given.

    The date is None only where a simulated shop is to be written first: then it is the last day of its logs.

    Raises:
        RequestError, SpecError, RunDateError: says which parameter doesn't fit, and what would.
    """
    parser = ArgumentParser(prog="make nightly", description="All DAGs for one date, through Airflow.")
    for name in ("--source", "--logs", "--date", "--scenario"):
        parser.add_argument(name, default="")
    given = parser.parse_args(arguments)
    scenario = _known("SCENARIO", given.scenario or DEFAULT_SCENARIO, scenario_names())
    # Logs whose source isn't named are taken for canonical ones: the format a shop is asked to deliver.
    name = _known("SOURCE", given.source or ("canonical" if given.logs else _simulated(scenario)), source_names())
    load_pipeline(scenario, name)
    day = parse_date(given.date) if given.date else None
    if given.logs:
        return _of_given_logs(scenario, name, day, Path(given.logs).resolve())
    if load_source(name).is_simulated:
        return _of_simulated_shop(scenario, name, day, simulated_shop(settings.home, name))
    if is_shared(settings, name):
        _follow(settings, name)
    return _of_landed_deliveries(scenario, name, day, Lake(settings.lake, name))


def _follow(settings: Settings, source: str) -> None:
    """Bring the home to what its shared lake says is current: the night is that of the last delivery of all homes.

    Raises:
        RequestError: the store doesn't answer, or this home can't follow it.
    """
    command = [str(settings.pipeline_venv / "bin" / "python"), "-m", "jobs.commands.follow", f"--source={source}"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        raise RequestError(told[-1].removeprefix("error: ") if told else f"`make follow` failed: {done.stderr[-500:]}")


def _simulated(scenario: str) -> str:
    """Return the simulated shop whose decisions the scenario's clock makes."""
    return next((name for name in SIMULATED_SHOPS if scenario in scenarios_for(name)), next(iter(SIMULATED_SHOPS)))


def last_logged_day(shop: Path) -> date:
    """Return the last day a simulated shop delivered logs for.

    Raises:
        RequestError: it delivered none.
    """
    days = [day for path in (shop / "logs").iterdir() if (day := date_in(path.name, r"(\d{4}-\d{2}-\d{2})"))]
    if not days:
        raise RequestError(f"{shop / 'logs'}: no day's logs; remove {shop} and run `make nightly` again")
    return max(days)


def _of_given_logs(scenario: str, source: str, day: date | None, logs: Path) -> NightlyRequest:
    if not logs.exists():
        raise RequestError(f"LOGS={logs}: no such file or folder")
    if logs.is_dir() and not any(path.is_file() for path in logs.rglob("*")):
        raise RequestError(f"LOGS={logs}: the folder holds no files")
    chosen = day or _last_delivery(logs, load_source(source))
    if chosen is None:
        raise RequestError(
            f"DATE is missing: the paths in {logs} name no days (SOURCE={source}), so say which is the last one to "
            "use, such as DATE=2017-12-02, or let the source's window end with it; days after it count as not yet"
        )
    return NightlyRequest(scenario, source, chosen, logs)


def _of_simulated_shop(scenario: str, source: str, day: date | None, shop: Path) -> NightlyRequest:
    """Return the night of a simulated shop; it is written once, since another would change days already ingested."""
    if source not in SIMULATED_SHOPS:
        raise RequestError(
            f"SOURCE={source} says is_simulated, but no command writes its logs; say where they are, such as "
            "LOGS=path/to/logs"
        )
    if not (shop / SIMULATED_SHOPS[source].settings_file).exists():
        return NightlyRequest(scenario, source, day, shop / "logs", shop_to_write=shop)
    last = last_logged_day(shop)
    if day is not None and day > last:
        raise RequestError(
            f"DATE={day}: the simulated shop's logs end on {last}; choose an earlier date, or another NIGHTCART_HOME"
        )
    return NightlyRequest(scenario, source, day or last, shop / "logs")


def _of_landed_deliveries(scenario: str, source: str, day: date | None, lake: Lake) -> NightlyRequest:
    pointers = Lake.pointer(lake.table("raw"), "").parent.glob("*.json")
    landed = [found for path in pointers if (found := date_in(path.name, r"delivery_date=(\d{4}-\d{2}-\d{2})"))]
    if not landed:
        raise RequestError(
            f"nothing of SOURCE={source} is landed in {lake.folder}; say where its logs are, such as LOGS=path/to/logs"
        )
    return NightlyRequest(scenario, source, day or max(landed), None)


def _last_delivery(logs: Path, source: Source) -> date | None:
    """Return the last date in the paths of daily files, or that the source's window ends with; None where neither is.

    The days of a log that isn't daily stand in its lines alone.
    """
    feeds = [feed.delivery for feed in source.feeds_alone().values() if feed.delivery.layout == "dated_files"]
    root = logs.parent if logs.is_file() else logs
    files = [logs] if logs.is_file() else [path for path in logs.rglob("*") if path.is_file()]
    days = [date_in(path.relative_to(root).as_posix(), feed.date_pattern) for path in files for feed in feeds]
    return max((day for day in days if day), default=source.window.last if source.window is not None else None)


def _known(parameter: str, name: str, known: list[str]) -> str:
    if name not in known:
        raise RequestError(f"{parameter}={name}: no such {parameter.lower()}{suggest(name, known)}")
    return name
