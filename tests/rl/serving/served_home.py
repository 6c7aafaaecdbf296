"""A home whose registry holds approved policies, and a service that runs on it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from conf.settings import PROJECT_ROOT, Settings
from rl.policy import StochasticPolicy
from rl.registry.approvals import approve
from rl.registry.entry import NightKey, VersionRecord
from rl.registry.launches import Launch, Stage, begin_launch
from rl.registry.memory import registry_address
from rl.registry.promotion import promote_version
from rl.registry.runs import night_run
from rl.registry.store import aliases, experiment_id, open_store
from rl.registry.versions import create_version, offer_as_challenger
from tests.rl.policy.policies import make_policy

MODEL = "recommendation-policy"
SOURCE, SCENARIO = "simulated_shop", "recommendation"
FIRST = date(2026, 3, 1)
KEY = "a key of the tests' pseudonyms"
ACTIONS = [f"item-{number:03d}" for number in range(30)]


def settings_at(home: Path) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": KEY})


def policy_of(number: int) -> StochasticPolicy:
    """The policy of the night of that number, unless another is given."""
    return make_policy(*ACTIONS, seed=number)


def register(home: Path, number: int, policy: StochasticPolicy | None = None, *, source: str = SOURCE) -> int:
    """The night of that number registers its policy; its version."""
    night = NightKey(SCENARIO, source, FIRST + timedelta(days=number), "d", "s", "c")
    staged = home / f"staged-{number}"
    (policy or policy_of(number)).save(staged / "data" / "policy")
    settings = settings_at(home)
    with open_store(settings) as client:
        champion = aliases(client, MODEL).get("champion")
        in_force = "behavior" if champion is None else str(champion)
        run = night_run(client, experiment_id(client, settings, SCENARIO), night)
        told = {"policy_version": (policy or policy_of(number)).version}
        record = VersionRecord("promote", in_force, in_force, night.date, "promote", details=told)
        version = create_version(client, run, key=night, record=record, model_folder=staged)
        offer_as_challenger(client, version)
    return version.version


def promote(
    home: Path,
    number: int,
    policy: StochasticPolicy | None = None,
    share: float | None = None,
    *,
    source: str = SOURCE,
    is_shadow: bool = False,
    replaces: StochasticPolicy | None = None,
) -> int:
    """The night's policy is registered and approved, at first for a share of the shoppers; its version.

    What it replaces is the policy of the night before, unless another is given.
    """
    version, settings = register(home, number, policy, source=source), settings_at(home)
    with open_store(settings) as client:
        day = FIRST + timedelta(days=number)
        done = promote_version(client, MODEL, version, source=source, run_date=day)
        if share is not None:
            first_day = day + timedelta(days=1)
            stage = Stage(share=share, started_at=datetime.now(UTC), first_day=first_day, is_shadow=is_shadow)
            launch = Launch(
                registry=registry_address(settings),
                model=MODEL,
                version=version,
                policy_version=(policy or policy_of(number)).version,
                replaced=done.previous,
                replaced_policy_version=None if done.previous is None else (replaces or policy_of(number - 1)).version,
                stages=(stage,),
            )
            begin_launch(settings, launch)
        approve(settings, MODEL, version, replaced=done.previous, who="ann", why="better")
    return version


@dataclass
class Running:
    """A service that runs."""

    process: subprocess.Popen[bytes]
    port: int
    decisions: Path

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the content of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text

    def decide(self, **body: Any) -> tuple[int, Any]:
        """A decision about a shopper, among all actions unless said otherwise."""
        given = {"user_id": "ann", "available_actions": ACTIONS} | body
        return self.ask("POST", f"/v1/{SCENARIO}/decide", {name: one for name, one in given.items() if one is not None})

    def ready(self) -> Any:
        return self.ask("GET", "/ready")[1]

    def wait_until(self, is_so: Callable[[Any], bool], seconds: float = 240) -> Any:
        """What /ready says once it is so."""
        end = time.monotonic() + seconds
        found: Any = None
        while time.monotonic() < end:
            assert self.process.poll() is None, "the service has ended"
            try:
                found = self.ready()
                if is_so(found):
                    return found
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not so after {seconds} s: {found}")

    def logged(self) -> list[Any]:
        """Every decision in the log."""
        files = sorted(self.decisions.glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(
    home: Path, *arguments: str, environment: Mapping[str, str] | None = None, version: int | None = None
) -> Iterator[Running]:
    """A service on the home; it serves the version, where one is named, before this goes on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    decisions = home / "decided"
    command = [sys.executable, "-m", "rl", "serve", "--source", SOURCE, "--scenario", SCENARIO]
    given = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTCART_")}
    given |= {
        "NIGHTCART_HOME": str(home),
        "NIGHTCART_PSEUDONYM_KEY": KEY,
        "OMP_NUM_THREADS": "1",
        **(environment or {}),
    }
    process = subprocess.Popen(
        [*command, "--port", str(port), "--decisions", str(decisions), *arguments], cwd=PROJECT_ROOT, env=given
    )
    service = Running(process, port, decisions)
    try:
        service.wait_until(lambda found: found["status"] != "not ready" and found["version"] == version)
        yield service
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
