"""The main job, `make nightly`: all DAGs for one date, through Airflow.

Where `make up` runs in this home, the night goes through its services; else Airflow runs the DAGs in this process.
Either way it shows its progress on stderr, and prints one JSON object on stdout.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO

from conf.errors import NightcartError
from conf.night_lock import whole_night
from conf.paths import Run
from conf.plain_json import to_json
from conf.priority import lowered_priority
from conf.private_home import keep_private, refuse_unwritable
from conf.set_aside import set_aside_sentence
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from conf.specs.source import load_source
from dags.command_output import clear_message
from dags.deployment.airflow_api import AirflowApi
from dags.deployment.airflow_database import make_database
from dags.deployment.airflow_environment import in_process_environment
from dags.nights.delivery_notices import delivery_notices, notice_lines
from dags.nights.nightly_progress import NightlyProgress
from dags.nights.nightly_request import SIMULATED_SHOPS, NightlyRequest, RequestError, last_logged_day, read_request
from dags.nights.nightly_services import ServicesNight, services_that_run
from dags.pipeline_command import LearningCommand


def main(arguments: list[str]) -> int:
    """Return the exit code: 0, or 1 after one clear message at the end of stderr."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopping has one meaning, whoever asks
    is_debugging = False
    try:
        settings = Settings.from_environment()
        is_debugging = settings.log_level == "debug"
        request = read_request(arguments, settings)
        keep_private(settings)
        refuse_unwritable(settings)
        with _only_one(settings.home):
            result = _run(request, settings)
    except (NightcartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: stopped; what is published stays, and `make nightly` goes on from there", file=sys.stderr)
        return 130
    except Exception as error:
        if is_debugging:
            traceback.print_exc()
        told = str(error).strip().splitlines()
        reason = f"unexpected {type(error).__name__}: {told[-1] if told else 'no message'}"
        print(f"error: {reason}; NIGHTCART_LOG_LEVEL=debug tells where", file=sys.stderr)
        return 1
    print(to_json(result), flush=True)
    return 0


def _run(request: NightlyRequest, settings: Settings) -> dict[str, Any]:
    """Return the night's result, with seconds by stage."""
    where = f"{request.scenario} on {request.source}, {request.date or 'last simulated day'}"
    services = services_that_run(settings, request.source, _tell)
    if services is None:
        return _in_process(request, settings, where)
    _tell(f"nightly: {where}; through the services at {services.address}")
    return _through_services(request, settings, services.address)


def _through_services(request: NightlyRequest, settings: Settings, address: str) -> dict[str, Any]:
    progress = NightlyProgress(lambda line: _show(line, sys.stderr))
    try:
        with _long_log(settings).open("a", encoding="utf-8") as log_file:
            settled = _with_logs(request, settings, progress, log_file)
        api = AirflowApi(address, settings.home / "airflow" / "passwords.json")
        night = ServicesNight(settings.home, api, settled.scenario, progress)
        night.run(str(settled.date), str(settled.logs) if settled.logs else None)
        if night.is_asked:
            where = f"{address}/required_actions"
            progress.say(f"approve: a person is asked; answer at {where}, or: {_to_promote(settled, settings)}")
        return _told_result(settled, settings, progress)
    except KeyboardInterrupt:
        progress.say(f"no longer followed; what the services have begun, they finish: {address}")
        raise
    finally:
        progress.end()


def _in_process(request: NightlyRequest, settings: Settings, where: str) -> dict[str, Any]:
    log = _long_log(settings)
    _tell(f"nightly: {where}; long log: {log}")
    if slow := lowered_priority():
        _tell(f"nightly: {slow}")
    approval = approval_of(request, settings)
    environment = in_process_environment(settings)
    os.environ |= environment | {"NIGHTCART_SOURCE": request.source, "NIGHTCART_APPROVAL": approval}
    with _output_in(log) as (shown, log_file):
        make_database(environment, log)
        # Airflow reads its configuration when it is imported, and takes seconds: not before the request is checked.
        from dags.nights.nightly_dags import run_night  # noqa: PLC0415

        progress = NightlyProgress(lambda line: _show(line, shown))
        try:
            settled = _with_logs(request, settings, progress, log_file)
            run = _run_of(settled, settings)
            with whole_night(run, "make nightly", progress.say) as night:
                os.environ |= {"NIGHTCART_TONIGHT": str(settled.date), "NIGHTCART_NIGHT": night}
                run_conf = {"date": str(settled.date), "logs": str(settled.logs) if settled.logs else None}
                run_night(settled.scenario, run_conf, progress)
                result = _told_result(settled, settings, progress)
            if approval == "human" and result["verdict"] == "promote":
                progress.say(f"approve: a person decides; read {run.page}, then: {_to_promote(settled, settings)}")
            return result
        finally:
            progress.end()


def approval_of(request: NightlyRequest, settings: Settings) -> str:
    """Return who approves: as the deployment says, else the spec; about a simulated shop nobody need be asked."""
    if settings.approval is not None:
        return settings.approval
    if load_source(request.source).is_simulated:
        return "auto"
    return load_pipeline(request.scenario, request.source).scenario.approval


def _to_promote(request: NightlyRequest, settings: Settings) -> str:
    """Return the command that a person types to approve the version that the night registered."""
    version = _read(_run_of(request, settings).registration)["version"]
    where = f"SOURCE={request.source} SCENARIO={request.scenario} DATE={request.date}"
    return f"make promote {where} VERSION={version}"


def _long_log(settings: Settings) -> Path:
    log = settings.home / "logs" / f"nightly-{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    return log


def _run_of(request: NightlyRequest, settings: Settings) -> Run:
    return Run(settings.home, request.source, request.scenario, request.date or date.min)


def _with_logs(request: NightlyRequest, settings: Settings, progress: Any, log_file: TextIO) -> NightlyRequest:
    """Return the request with its logs written, where it asks for a simulated shop's, and its date known."""
    if request.shop_to_write is None:
        return request
    last = f"--last-date={request.date or ''}"
    command = LearningCommand(
        [*SIMULATED_SHOPS[request.source].command, f"--out={request.shop_to_write}", last, *_buyers_days(request)],
        settings,
        lambda line: print(line, file=log_file, flush=True),
    )
    with progress.stage("simulate_shop"):
        outcome = command.run()
        if outcome.return_code:
            raise RequestError(f"simulate_shop: {clear_message(outcome.stderr)}")
    return replace(request, date=request.date or last_logged_day(request.shop_to_write))


def _buyers_days(request: NightlyRequest) -> list[str]:
    """Return on which weekdays a simulated shop's buyer orders: those of the scenario, where it names some."""
    orders = load_pipeline(request.scenario, request.source).scenario.orders
    return [] if orders is None else [f"--weekday={day}" for day in orders.weekdays]


def _told_result(request: NightlyRequest, settings: Settings, progress: NightlyProgress) -> dict[str, Any]:
    """Return the night's result, after saying what its deliveries ask of a person."""
    run = _run_of(request, settings)
    if aside := set_aside_sentence(_read(run.build_result)):
        progress.say(f"most decisions are missing: {aside}")
    for line in notice_lines(_read(run.ingest_result)):
        progress.say(line)
    if run.nothing_to_learn.exists() and run.page.exists():
        progress.say(f"nothing was learned; why, and what it would take: {run.page}")
    return _result(request, settings, progress.seconds, progress.elapsed)


def _result(request: NightlyRequest, settings: Settings, seconds: dict[str, float], total: float) -> dict[str, Any]:
    run = _run_of(request, settings)
    ingest, build = _read(run.ingest_result), _read(run.build_result)
    aside = set_aside_sentence(build)
    stages = {name: round(took, 1) for name, took in seconds.items()}
    return {
        "scenario": request.scenario,
        "source": request.source,
        "date": str(request.date),
        **_verdict(run),
        **{key: ingest[key] for key in ("n_events", "n_rejected", "n_not_yet")},
        "n_transitions": build["n_transitions"],
        **({"set_aside": aside} if aside else {}),
        **_list(run),
        **delivery_notices(ingest),
        "seconds": {**stages, "airflow": round(max(0.0, total - sum(seconds.values())), 1), "total": round(total, 1)},
    }


def _verdict(run: Run) -> dict[str, Any]:
    """Return the verdict; a night that rightly trained nothing is an abstention without a version."""
    if run.nothing_to_learn.exists():
        found = {"verdict": "abstain", "reasons": [_read(run.nothing_to_learn)["skipped"]]}
        return found | ({"page": str(run.page)} if run.page.exists() else {})
    registration = _read(run.registration)
    names = ("verdict", "model", "version", "dataset_digest")
    # What to explore next is said where there is such a plan.
    told = {name: registration[name] for name in ("exploration",) if name in registration}
    return {**{name: registration[name] for name in names}, **told, "page": str(run.page)}


def _list(run: Run) -> dict[str, Any]:
    """Return what the list of the week, of tomorrow's orders or recommendations is; nothing where there is none."""
    if not run.decide_result.exists():
        return {}
    decided = _read(run.decide_result)
    if "no_orders" in decided:
        return {"order_list": {"no_orders": decided["no_orders"]}}
    if "units_ordered" in decided:
        orders = ("as_of", "version", "is_draft", "n_products", "n_ordered", "units_ordered", "n_unlisted", "csv")
        stock = {name: decided[name] for name in ("simulated_stock",) if name in decided}
        return {"order_list": {name: decided[name] for name in orders} | stock}
    if "n_decisions" in decided:
        recommended = ("as_of", "version", "n_shoppers", "n_decisions", "n_control", "groups", "csv")
        return {"recommendations": {name: decided[name] for name in recommended}}
    money = ("committed", "weekly_budget", "price", "registered_price")
    names = ("as_of", "version", "verdict", "is_draft", "n_shoppers", "offers", *money, "csv")
    # Earlier releases didn't say the verdict of the version that decided, or the prices of money.
    return {"weekly_list": {name: decided[name] for name in names if name in decided}}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the lock that lets one nightly run work in this home; raise if another holds it.

    A night in process has Airflow's embedded database to itself.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "nightly.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise RequestError(
                f"another `make nightly` is running in {home} ({lock.read().strip() or 'which process is not known'}): "
                "one night at a time works in a home. Wait for it, stop it (kill and its number), or start this one "
                "beside it in a home of its own: NIGHTCART_HOME=another/folder make nightly ..."
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, since {datetime.now().astimezone():%Y-%m-%d %H:%M}\n")
        lock.flush()
        yield


@contextmanager
def _output_in(log: Path) -> Iterator[tuple[TextIO, TextIO]]:
    """Send what this process and its children write to the log; yield the real stderr and the log.

    By file descriptor, since Airflow, Spark and their loggers hold on to the streams they find.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept_stdout, kept_stderr = os.dup(1), os.dup(2)
    with log.open("a", buffering=1, encoding="utf-8") as log_file, os.fdopen(os.dup(2), "w", buffering=1) as shown:
        try:
            os.dup2(log_file.fileno(), 1)
            os.dup2(log_file.fileno(), 2)
            yield shown, log_file
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept_stdout, 1)
            os.dup2(kept_stderr, 2)
            os.close(kept_stdout)
            os.close(kept_stderr)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(line: str, shown: TextIO) -> None:
    shown.write(line)
    shown.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
