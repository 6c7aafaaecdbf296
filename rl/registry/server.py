"""Whether the server that keeps the registry answers, before MLflow's own client is left waiting for it."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import structlog
from sqlalchemy.engine import make_url

from conf.settings import Settings
from rl.errors import RegistryError

SECONDS_TO_WAIT = 20.0
_SECONDS_TO_ANSWER = 5.0
_SECONDS_BETWEEN = 1.0
_PORTS = {"https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def await_server(settings: Settings) -> None:
    """Wait until the server answers; return at once where the registry is no server that can be asked.

    Raises:
        RegistryError: it doesn't, for so many seconds.
    """
    deadline, is_told = time.monotonic() + SECONDS_TO_WAIT, False
    while (problem := _problem(settings.mlflow_uri)) is not None:
        if time.monotonic() + _SECONDS_BETWEEN > deadline:
            raise RegistryError(
                f"MLflow at {settings.shown_mlflow_uri} doesn't answer after {SECONDS_TO_WAIT:.0f} s ({problem}); "
                "start it, or name another by NIGHTCART_MLFLOW_URI"
            )
        if not is_told:
            is_told = True
            structlog.get_logger().warning(
                "waiting for MLflow", address=settings.shown_mlflow_uri, seconds=SECONDS_TO_WAIT, problem=problem
            )
        time.sleep(_SECONDS_BETWEEN)


def _problem(uri: str) -> str | None:
    """Return why the server can't be talked to; None where it can, or where there is none to ask."""
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme == "http":
        return _problem_with_answer(uri)
    if scheme not in _PORTS or urllib.request.getproxies().get(scheme):
        return None
    return _problem_with_port(*_where(uri, scheme))


def _problem_with_answer(uri: str) -> str | None:
    """Return why the server is down; None for any answer, even a refusal: a proxy may know no health page."""
    parts = urlsplit(uri)
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/health"
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS_TO_ANSWER):
            return None
    except urllib.error.HTTPError as error:
        return f"it says {error.code}" if error.code in (502, 503, 504) else None
    except (urllib.error.URLError, OSError) as error:
        return str(getattr(error, "reason", error))


def _where(uri: str, scheme: str) -> tuple[str | None, int]:
    """Return the host and port of a server; no host where a database names it by a socket or several hosts."""
    if scheme == "https":
        parts = urlsplit(uri)
        return parts.hostname, parts.port or _PORTS[scheme]
    address = make_url(uri)  # a password in it may hold what ends the host's part elsewhere
    return None if "host" in address.query else address.host, address.port or _PORTS[scheme]


def _problem_with_port(host: str | None, port: int) -> str | None:
    if not host:
        return None
    try:
        socket.create_connection((host, port), timeout=_SECONDS_TO_ANSWER).close()
    except OSError as error:
        return str(error)
    return None
