"""Airflow's metrics go where Airflow's own settings say; nothing of ours stands between."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from conf.settings import PROJECT_ROOT, Settings
from dags.deployment.airflow_environment import airflow_environment

PARSED = "dag_processing"
"""Begins the names of what the process that reads the DAGs counts."""


def process_dags_once(home: Path, **given: str) -> str:
    """What Airflow's own process says that reads all DAGs once, started as services are, with these variables."""
    command = [sys.executable, "-m", "dags.deployment.airflow_environment", "airflow", "dag-processor", "--num-runs=1"]
    environment = {**os.environ, "NIGHTCART_HOME": str(home), **given}
    ended = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said


@contextmanager
def collector() -> Iterator[tuple[int, set[str]]]:
    """Take metrics by OTLP over HTTP; yield the port, and the names that came."""
    names: set[str] = set()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportMetricsServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
            scopes = [scope for resource in request.resource_metrics for scope in resource.scope_metrics]
            names.update(metric.name for scope in scopes for metric in scope.metrics)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, names
    finally:
        server.shutdown()
        server.server_close()


def test_opentelemetry_metrics_arrive(airflow_home: Path) -> None:
    """By the exporter that Airflow's pins hold; two settings are enough."""
    with collector() as (port, names):
        said = process_dags_once(
            airflow_home,
            AIRFLOW__METRICS__OTEL_ON="True",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        )
    assert any(PARSED in name for name in names), said


@pytest.mark.skipif(
    importlib.util.find_spec("statsd") is None,
    reason="this environment was made before statsd was pinned; `make setup` makes it anew",
)
def test_statsd_metrics_arrive(airflow_home: Path) -> None:
    """By the client that Airflow's pins hold; three settings are enough."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        said = process_dags_once(
            airflow_home,
            AIRFLOW__METRICS__STATSD_ON="True",
            AIRFLOW__METRICS__STATSD_HOST="127.0.0.1",
            AIRFLOW__METRICS__STATSD_PORT=str(listening.getsockname()[1]),
        )
        try:
            lines = listening.recv(1 << 16)
        except TimeoutError:
            pytest.fail(said)
        assert lines.startswith(b"airflow.")


@pytest.mark.parametrize("name", ["AIRFLOW__METRICS__OTEL_ON", "AIRFLOW__METRICS__STATSD_ON", "OTEL_SERVICE_NAME"])
def test_no_setting_of_metrics_is_ours(name: str, tmp_path: Path) -> None:
    """Services get the caller's environment less what the project sets: these stay the caller's."""
    made = airflow_environment(Settings.from_environment({"NIGHTCART_HOME": str(tmp_path)}), given={name: "x"})
    assert name not in made
