"""`serve`: the service that decides in the shop, until it is told to end."""

from __future__ import annotations

import ipaddress
import socket
from datetime import date
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from conf.paths import serving_folder
from conf.settings import Settings
from conf.specs.business_rules import load_rules
from conf.specs.scenario import Pipeline, load_pipeline
from rl.commands.rule_names import refuse_unknown_actions
from rl.data.shop_rules import action_rules, rules_of_scenario
from rl.errors import ServingError
from rl.policy.action_rules import ActionRules
from rl.serving.app import create_app
from rl.serving.service import Service, ServingOptions


def run(  # noqa: PLR0913  (each is an option of the command)
    *,
    settings: Settings,
    source: str,
    scenario: str,
    host: str,
    port: int,
    rules: Path | None,
    decisions: Path | None,
    max_history_age: int,
    is_replaying: bool,
    today: date | None = None,
) -> dict[str, Any]:
    """Serve until SIGINT or SIGTERM, and return what was served.

    Raises:
        ServingError: it would be reachable from elsewhere without a key, the address is taken, the decision log can't
            be written, or another day than today is asked for of a shop that isn't simulated.
        SpecError: unknown names, or rules that don't fit.
    """
    if settings.serving_key is None and not _is_loopback(host):
        raise ServingError(
            f"--host {host} is reachable from other machines: give a key of at least 16 characters that callers must "
            "send (NIGHTCART_SERVING_KEY), or serve on 127.0.0.1"
        )
    pipeline = load_pipeline(scenario, source)
    if problem := pipeline.scenario.request_problem:
        raise ServingError(problem)
    if problem := _today_problem(pipeline, today, is_replaying=is_replaying):
        raise ServingError(problem)
    address = f"http://{host}:{port}"
    options = ServingOptions(
        decisions=decisions or serving_folder(settings.home, source, scenario) / "decisions",
        rules=rules_in_force(settings, pipeline, rules),
        max_age_days=max_history_age,
        is_replaying=is_replaying,
        today=today,
        address=address,
    )
    listening = listening_socket(host, port)
    service = Service(settings, pipeline, options)
    service.fill_store()
    service.look()
    service.start_following()
    structlog.get_logger().info(
        "starting; decisions are made once the registry was looked at",
        page=f"{address}/docs",
        log=str(options.decisions),
    )
    app = create_app(service, settings.serving_key)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listening])
    return {"scenario": scenario, "source": source, "decisions": str(options.decisions)}


def _today_problem(pipeline: Pipeline, today: date | None, *, is_replaying: bool) -> str:
    """Return why no other day may be taken for today; empty where none is asked for, or it may."""
    if today is None:
        return ""
    if is_replaying:
        return "--today and --replay: requests of a replay say when they are decided; leave --today out"
    if not pipeline.source.is_simulated:
        return (
            f"--today is for simulated shops, and {pipeline.source.name} is none: its decisions are of today, and "
            "histories too old for that count as none (--max-history-age)"
        )
    return ""


def rules_in_force(settings: Settings, pipeline: Pipeline, path: Path | None) -> ActionRules:
    """Return the rules of a file, where one is named, and the scenario's; of two pins at one position the file's.

    Raises:
        SpecError: the file's don't fit, or an action of a rule is known to nothing.
    """
    own = None if path is None else load_rules(path, pipeline.scenario)
    refuse_unknown_actions(settings, pipeline, file=None if own is None else (own, str(path)))
    return action_rules(own).joined(rules_of_scenario(pipeline.scenario))


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address; its connections send what they have at once.

    An answer is written in two pieces, and would otherwise wait some 40 ms for the caller's receipt of the first.

    Raises:
        ServingError: another process does, or it is none of this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServingError(
            f"{host}:{port} can't be listened on ({error.strerror}); stop who does, or name another port (--port)"
        ) from error
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
