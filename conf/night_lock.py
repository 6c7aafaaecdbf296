"""Locks of a night: no two runs compute the same date of a scenario on a source at once.

A whole run (`make nightly` in process) holds the night for all its steps; a step by itself, such as a scheduler's task
or a command typed by hand, shares it with other steps by themselves. Beside that, steps hold each other off: one at a
time, but for trainings, which run side by side, each candidate once. Locks are always taken in that order (night, step,
candidate), so nobody waits in a circle. They belong to the process and fall with it, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from conf.errors import NightAtWork
from conf.paths import Run

Say = Callable[[str], None]
_LOCKS = Path("/proc/locks")


@contextmanager
def whole_night(run: Run, command: str, say: Say) -> Iterator[str]:
    """Hold the night for all its steps, once no other run and no step left over from one is at work on it.

    Yields:
        What the steps' processes are given in NIGHTCART_NIGHT, so that they needn't wait for this one.
    """
    night = secrets.token_hex(8)
    with ExitStack() as held:
        held.enter_context(_taken(run.lock("night"), fcntl.LOCK_EX, command, say, night=night))
        with _taken(run.lock("step"), fcntl.LOCK_EX, command, say):
            pass  # a step that outlived its run has ended
        yield night


@contextmanager
def own_turn(run: Run, command: str, say: Say, *, night: str | None, is_side_by_side: bool = False) -> Iterator[None]:
    """Hold the turn of one step of a night; wait for whoever has it, after saying so in one line.

    Args:
        run: the night.
        command: what a process that waits is told.
        say: gets the line.
        night: what NIGHTCART_NIGHT holds: the run that the step belongs to; None for a step by itself.
        is_side_by_side: a training, which only steps that are none wait for.
    """
    mode = fcntl.LOCK_SH if is_side_by_side else fcntl.LOCK_EX
    with ExitStack() as held:
        held.enter_context(_taken(run.lock("night"), fcntl.LOCK_SH, command, say, unless=night))
        held.enter_context(_taken(run.lock("step"), mode, command, say))
        yield


@contextmanager
def idle_night(run: Run, command: str) -> Iterator[None]:
    """Hold a night that nobody is at work on.

    Args:
        run: the night.
        command: what a process that waits meanwhile is told.

    Raises:
        NightAtWork: somebody is; nothing waits.
    """

    def refuse(line: str) -> None:
        raise NightAtWork(f"{line.partition(';')[0]}; wait until it has ended, then repeat")

    with ExitStack() as held:
        for name in ("night", "step"):
            held.enter_context(_taken(run.lock(name), fcntl.LOCK_EX, command, refuse))
        yield


def at_work(run: Run) -> str:
    """Return who is at work on the night, as far as the machine tells; empty for nobody. Nothing is locked for it."""
    held = _held_inodes()
    for path in (run.lock("night"), run.lock("step")):
        try:
            if path.stat().st_ino in held:
                return path.read_text(encoding="utf-8").partition("\n")[0] or "another process"
        except OSError:
            continue
    return ""


def _held_inodes() -> frozenset[int]:
    """Return the inodes of files that processes of this machine hold locks on; none where the system doesn't tell."""
    try:
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return frozenset()
    places = (line.split() for line in lines if "FLOCK" in line and "->" not in line)
    return frozenset(int(words[5].rpartition(":")[2]) for words in places)


@contextmanager
def own_candidate(run: Run, candidate: str, say: Say) -> Iterator[None]:
    """Hold a candidate while it is trained; wait for whoever trains it, after saying so in one line."""
    with _taken(run.lock(f"candidate-{candidate}"), fcntl.LOCK_EX, f"rl train {candidate}", say):
        yield


@contextmanager
def _taken(
    path: Path, mode: int, command: str, say: Say, *, night: str = "", unless: str | None = None
) -> Iterator[None]:
    """Hold the lock; go on without it where it is held for the run `unless`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            holder, held_for = _read(file)
            if unless and held_for == unless:
                yield
                return
            say(f"{holder or 'another process'} is at work on {path.parent.parent}; waiting until it has ended")
            fcntl.flock(file, mode)
        _write(file, f"{command} (process {os.getpid()})", night)
        yield


def _read(file: IO[str]) -> tuple[str, str]:
    """Return who wrote into the lock last, and for which whole run it holds it."""
    file.seek(0)
    holder, _, night = file.read().partition("\n")
    return holder, night


def _write(file: IO[str], holder: str, night: str) -> None:
    file.truncate(0)
    file.write(f"{holder}\n{night}")
    file.flush()
