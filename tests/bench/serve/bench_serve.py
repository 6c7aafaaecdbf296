"""Decisions a second beside `mlflow models serve` on the same policy, kills under load, and served days judged.

Prints one JSON object a line. Service and callers share the machine, so a busy one makes both slow: compare ratios.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conf.observation_features import id_hash
from conf.settings import PROJECT_ROOT
from rl.policy import load_policy
from rl.registry.pyfunc_model import save_pyfunc
from tests.bench.serve.kills import killed
from tests.frozen_home.unpacked_home import unpack_home
from tests.rl.policy.policies import make_policy
from tests.rl.serving.served_home import ACTIONS, promote, running

CONNECTIONS = (1, 8, 64)
N_ACTIONS = (30, 10_000)
SECONDS = float(os.environ.get("SECONDS_EACH", "10"))
RATE = 200
BATCH = 64
HEADERS = {"Content-Type": "application/json"}
EVENTS = [
    {"event_type": kind, "event_time": f"2026-03-30T09:{minute:02d}:00Z", "item_id": ACTIONS[minute], "price": 9.5}
    for minute in range(10)
    for kind in ("impression", "click")
]

Times = list[float]


def say(**content: Any) -> None:
    print(json.dumps(content), flush=True)


def summary(times: Times, seconds: float) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "requests": len(ordered),
        "requests_a_second": round(len(ordered) / seconds, 1),
        "p50_ms": round(ordered[len(ordered) // 2] * 1_000, 3),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1_000, 3),
    }


def timed(port: int, path: str, body: bytes, *, seconds: float, pause: Callable[[int], float] | None = None) -> Times:
    """How long each request of one connection took; `pause` says when the n-th is due, in seconds since the start."""
    connection, times = http.client.HTTPConnection("127.0.0.1", port, timeout=60), Times()
    started = time.perf_counter()
    while (now := time.perf_counter()) - started < seconds:
        due = now
        if pause is not None:
            due = started + pause(len(times))  # waiting for an earlier answer counts too
            time.sleep(max(0.0, due - now))
        connection.request("POST", path, body, HEADERS)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        times.append(time.perf_counter() - due)
    return times


def side_by_side(port: int, path: str, body: bytes, *, connections: int, rate: float | None = None) -> dict[str, float]:
    """Requests of so many connections at once: as many as go, or so many a second of all together."""
    found: list[Times] = []

    def call(place: int) -> None:
        # Callers take turns: shoppers don't come eight at a time.
        pause = None if rate is None else (lambda n: (n * connections + place) / rate)
        found.append(timed(port, path, body, seconds=SECONDS, pause=pause))

    callers = [threading.Thread(target=call, args=(place,)) for place in range(connections)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return summary([one for times in found for one in times], SECONDS)


@contextmanager
def mlflow_serving(folder: Path, n_actions: int) -> Iterator[int]:
    """MLflow's own server of the same policy; its port."""
    policy = make_policy(*actions(n_actions), seed=0)
    policy.save(folder / "policy")
    save_pyfunc(folder / "policy", folder / "model")
    with mlflow_serving_model(folder / "model", folder) as (port, _):
        yield port


@contextmanager
def mlflow_serving_model(model: Path, folder: Path, *, cwd: Path = PROJECT_ROOT) -> Iterator[tuple[int, int]]:
    """MLflow's own server of a saved model; its port and the id of its process group."""
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "-p", str(port)]
    said = folder / "mlflow.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            [*command, "--env-manager", "local"],
            cwd=cwd,
            # MLflow starts uvicorn by its name.
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(port, process, said)
        yield port, process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
        process.wait()


@contextmanager
def constant_answers(folder: Path, *, is_logged: bool) -> Iterator[int]:
    """A server that does nothing but answer, or that has a line on disk before; its port."""
    port, said = _free_port(), folder / "constant.log"
    command = [sys.executable, "-m", "tests.bench.serve.constant_answer", str(port)]
    if is_logged:
        command.append(str(folder / "lines"))
    with said.open("w") as log:
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(port, process, said)
        yield port
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    """Wait until the server answers.

    Raises:
        RuntimeError: it ended, or doesn't answer for three minutes; says what it said last.
    """
    ends = time.monotonic() + 180
    while process.poll() is None and time.monotonic() < ends:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.5)
    last = "".join(said.read_text(errors="replace").splitlines(keepends=True)[-5:])
    raise RuntimeError(f"a server that this compares with doesn't answer (it said: {last.strip() or 'nothing'})")


def actions(n: int) -> list[str]:
    return [f"item-{number:03d}" for number in range(n)]


def main() -> None:
    asked = os.environ.get("SECTIONS") or ",".join(SECTIONS)
    if unknown := set(asked.split(",")) - set(SECTIONS):
        raise SystemExit(f"SECTIONS: no {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    with TemporaryDirectory(prefix="bench-serve-") as folder:
        for name in asked.split(","):
            SECTIONS[name](Path(folder) / name)


def _throughput(folder: Path) -> None:
    for n_actions in N_ACTIONS:
        home = folder / f"home-{n_actions}"
        home.mkdir(parents=True)
        promote(home, 0, make_policy(*actions(n_actions), seed=0))
        body = {"user_id": "ann", "available_actions": actions(n_actions), "events": EVENTS}
        content = json.dumps(body).encode()
        with running(home, version=1) as service:
            path = "/v1/recommendation/decide"
            timed(service.port, path, content, seconds=1)
            found = {n: side_by_side(service.port, path, content, connections=n) for n in CONNECTIONS}
            for connections, figures in found.items():
                say(server="nightcart", n_actions=n_actions, connections=connections, **figures)
            paced = side_by_side(service.port, path, content, connections=8, rate=RATE)
            say(server="nightcart", n_actions=n_actions, connections=8, rate=RATE, **paced)
            together = json.dumps({"requests": [body] * BATCH}).encode()
            batch = _of_batches(timed(service.port, f"{path}-batch", together, seconds=SECONDS))
            say(server="nightcart", n_actions=n_actions, connections=1, **batch)
        ours = {
            "one connection": found[1]["requests_a_second"],
            f"{CONNECTIONS[-1]} connections": found[CONNECTIONS[-1]]["requests_a_second"],
            f"batches of {BATCH}": batch["decisions_a_second"],
        }
        _compare_with_mlflow(folder / f"mlflow-{n_actions}", n_actions, ours, content)


def _of_batches(times: Times) -> dict[str, float]:
    return {"batch": BATCH, "decisions_a_second": round(BATCH * len(times) / sum(times), 1)}


def _kills(folder: Path) -> None:
    folder.mkdir()
    promote(folder, 0)
    say(section="kills", **killed(folder, int(os.environ.get("KILLS") or "20")))


def _on_policy(folder: Path) -> None:
    from tests.bench.serve.on_policy import days  # noqa: PLC0415  (imports Spark, which the other sections don't need)

    folder.mkdir()
    for found in days(folder, int(os.environ.get("SEEDS") or "5")):
        say(section="on_policy", **found)


def _compare_with_mlflow(folder: Path, n_actions: int, ours: Mapping[str, float], asked: bytes) -> None:
    """Compare with MLflow's server of one connection, and it with one that only answers (`asked`: one of ours)."""
    folder.mkdir()
    bounds = {}
    for name, is_logged in (("a constant answer", False), ("a constant answer, a line synced before", True)):
        with constant_answers(folder, is_logged=is_logged) as port:
            timed(port, "/", asked, seconds=1)
            bounds[name] = summary(timed(port, "/", asked, seconds=SECONDS), SECONDS)
    record = {"session_step": 10, "recent_shown_items": [1, 2], "available_actions": actions(n_actions)}
    content = json.dumps({"dataframe_records": [record]}).encode()
    with mlflow_serving(folder, n_actions) as port:
        timed(port, "/invocations", content, seconds=1)
        theirs = summary(timed(port, "/invocations", content, seconds=SECONDS), SECONDS)
        batch = json.dumps({"dataframe_records": [record] * BATCH}).encode()
        their_batch = _of_batches(timed(port, "/invocations", batch, seconds=SECONDS))
    for name, found in bounds.items():
        say(server=name, n_actions=n_actions, connections=1, **found)
    say(server="mlflow models serve", n_actions=n_actions, connections=1, **theirs)
    say(server="mlflow models serve", n_actions=n_actions, connections=1, **their_batch)
    per_second = theirs["requests_a_second"]
    most = {name: round(found["requests_a_second"] / per_second, 1) for name, found in bounds.items()}
    say(
        n_actions=n_actions,
        times_mlflow={name: round(one / per_second, 1) for name, one in ours.items()},
        at_most_times_mlflow=most,
    )


def _earlier_model(folder: Path) -> None:
    """Compare with MLflow's server of a model as an earlier release registered it, asked in turns with the service.

    The frozen home's champion carries its own release's code, and wants all its features from the caller, ids as
    hashes. The service decides by the same network, over the same actions.
    """
    home, own = unpack_home(folder), folder / "own"
    own.mkdir()
    (model,) = [path.parent for path in home.rglob("MLmodel") if _is_champion(path, home)]
    policy = load_policy(model / "data" / "policy")
    promote(own, 0, policy)
    names = list(policy.vocabulary.names)
    events = [
        {"event_type": kind, "event_time": f"2026-03-30T09:{minute:02d}:00Z", "item_id": names[minute]}
        for minute in range(10)
        for kind in ("impression", "click")
    ]
    asked = json.dumps({"user_id": "ann", "available_actions": names, "events": events}).encode()
    hashes = [id_hash(one) for one in names[:10]]
    record = {one.name: hashes[: one.length] if one.length else 3 for one in policy.encoder.columns}
    sent = json.dumps({"dataframe_records": [record | {"available_actions": names}]}).encode()
    found: dict[str, Times] = {name: [] for name in ("mlflow models serve, a model of an earlier release", "nightcart")}
    with mlflow_serving_model(model, folder, cwd=folder) as (port, group), running(own, version=1) as service:
        servers = ((port, "/invocations", sent), (service.port, "/v1/recommendation/decide", asked))
        # The process that follows the registry looks at it every second, whatever is asked.
        used = (lambda: _processor_seconds(4, group), lambda: _processor_seconds(0, service.process.pid))
        for server in servers:
            timed(*server, seconds=1)
        before = [one() for one in used]
        ends = time.perf_counter() + 2 * SECONDS
        while time.perf_counter() < ends:
            for name, server in zip(found, servers, strict=True):
                found[name] += timed(*server, seconds=0.2)
        seconds = [one() - start for one, start in zip(used, before, strict=True)]
    figures = []
    for (name, times), processor in zip(found.items(), seconds, strict=True):
        one = summary(times, sum(times)) | {"processor_ms": round(processor / len(times) * 1_000, 3)}
        say(section="earlier_model", server=name, n_actions=len(names), connections=1, **one)
        figures.append(one)
    ratios = {
        f"times_mlflow_by_{name}": round(figures[0][name] / figures[1][name], 1) for name in ("p50_ms", "processor_ms")
    }
    say(section="earlier_model", n_actions=len(names), **ratios)


def _processor_seconds(field: int, value: int) -> float:
    """Processor seconds of the processes whose status has the value in the field: 0 their own id, 4 their group's."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, tail = path.read_text().rpartition(")")
            told = [head.split()[0], "", *tail.split()]
            total += int(told[13]) + int(told[14]) if int(told[field]) == value else 0
    return total / os.sysconf("SC_CLK_TCK")


def _is_champion(model: Path, home: Path) -> bool:
    """Whether a model is the one that the frozen home's alias champion is on: its first version."""
    with sqlite3.connect(home / "mlflow.db") as connection:
        (place,) = connection.execute("SELECT storage_location FROM model_versions WHERE version = 1").fetchone()
    return bool(place.removeprefix("file://") == str(model.parent))


SECTIONS: dict[str, Callable[[Path], None]] = {
    "throughput": _throughput,
    "earlier_model": _earlier_model,
    "kills": _kills,
    "on_policy": _on_policy,
}


if __name__ == "__main__":
    main()
