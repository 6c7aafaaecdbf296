"""A standalone Spark cluster of this machine: one master, workers of one core each, all on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark

_PACKAGE = Path(pyspark.__file__).parent
_SECONDS_TO_START = 120
_SMALL = "spark.driver.memory 1g\nspark.executor.memory 600m\nspark.executor.cores 1\nspark.cores.max 2\n"


@contextmanager
def standalone_cluster(folder: Path, *, n_workers: int = 2) -> Iterator[str]:
    """Start the processes, and yield the master's address; end them afterwards."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        master = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        running.append(_start(folder / "master", "org.apache.spark.deploy.master.Master", master))
        address = _said(running[0], folder / "master", r"Starting Spark master at (spark://127\.0\.0\.1:\d+)")
        for number in range(n_workers):
            own = folder / f"worker {number}"
            given = ["--host", "127.0.0.1", "--webui-port", "0", "--cores", "1", "--memory", "1g", address]
            running.append(_start(own, "org.apache.spark.deploy.worker.Worker", given))
            _said(running[-1], own, r"(Successfully registered with master)")
        yield address
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(60)


def small_driver(folder: Path, master: str) -> dict[str, str]:
    """Return the variables of a driver with little memory and executors of one core."""
    options = folder / "small.conf"
    options.write_text(_SMALL)
    return {"NIGHTCART_SPARK_MASTER": master, "NIGHTCART_SPARK_OPTIONS": str(options), "SPARK_LOCAL_IP": "127.0.0.1"}


def _start(folder: Path, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start one of Spark's processes, with nothing of this one's surroundings but Java."""
    folder.mkdir(parents=True)
    given: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        **({"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}),
        "SPARK_HOME": str(_PACKAGE),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_WORKER_DIR": str(folder / "work"),
        "SPARK_LOCAL_DIRS": str(folder / "local"),
    }
    command = [str(_PACKAGE / "bin" / "spark-class"), name, *arguments]
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(command, cwd=folder, env=given, stdout=said, stderr=subprocess.STDOUT)


def _said(process: subprocess.Popen[bytes], folder: Path, pattern: str) -> str:
    """Wait until the process says something; return the pattern's group."""
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(pattern, (folder / "said").read_text(errors="replace")):
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"Spark's process didn't start:\n{(folder / 'said').read_text(errors='replace')[-3000:]}")
