"""Another library in the Python of its own that it needs, asked and answering in JSON lines.

NIGHTCART_PEERS_PYTHON names that Python; `tests/golden/make_golden_values.py` says how its environment is made.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VARIABLE = "NIGHTCART_PEERS_PYTHON"
_ROOT = Path(__file__).resolve().parents[2]


class PeerIsMissing(Exception):
    """The peer can't be measured; the message says why."""


class PeerProcess:
    """A module of `tests.bench` running in the peers' Python until the block ends."""

    def __init__(self, module: str, versions: Mapping[str, str]) -> None:
        """Starts the peer.

        Args:
            module: named `tests.bench.peers....`, whose `main` calls `peer_answers.serve`.
            versions: that the peer must have, by distribution.

        Raises:
            PeerIsMissing: no such Python is named, the peer doesn't start, or it has other versions.
        """
        python = os.environ.get(VARIABLE, "")
        if not python:
            raise PeerIsMissing(f"{VARIABLE} names no Python with {_listed(versions)}")
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed when the peer ends
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        try:
            self._process = subprocess.Popen(
                [python, "-m", module],
                cwd=_ROOT,
                env=environment,
                text=True,
                bufsize=1,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
            )
        except OSError as error:
            raise PeerIsMissing(f"{VARIABLE} names {python}, which can't be started: {error.strerror}") from error
        found = {name: version.split("+")[0] for name, version in self._answer()["versions"].items()}
        if found != dict(versions):
            self.__exit__()
            raise PeerIsMissing(f"it is compared at {_listed(versions)}, and {python} has {_listed(found)}")

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)
        self._stderr.close()

    def ask(self, **request: Any) -> Any:
        """What the peer answers.

        Raises:
            PeerIsMissing: it ended instead.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        self._stderr.seek(0)
        last = (self._stderr.read().strip().splitlines() or ["nothing on stderr"])[-1]
        raise PeerIsMissing(f"the peer ended with status {self._process.returncode}: {last}")


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
