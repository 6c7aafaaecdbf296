"""Timing of contenders in turn, so that whatever else the machine does falls on all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import torch

DEVICE = os.environ.get("DEVICE") or "cpu"
REPEATS = int(os.environ.get("REPEATS") or 5)
# Thread counts of a full step: one, as a candidate is trained, and all that this process may run on.
THREADS = [int(n) for n in (os.environ.get("THREADS") or f"1,{len(os.sched_getaffinity(0))}").split(",")]

# A block of calls lasts about so long, many times a clock's tick and a turn of the machine's scheduler.
BLOCK_SECONDS = 0.3


@dataclass(frozen=True)
class Timing:
    """Medians over blocks, in seconds a call.

    Attributes:
        wall: by the clock.
        cpu: of this process; on a machine that others use it says more than the clock.
    """

    wall: float
    cpu: float


def time_in_turn(
    contenders: Mapping[str, Callable[[], object]], *, block_seconds: float = BLOCK_SECONDS, repeats: int = REPEATS
) -> dict[str, Timing]:
    """Seconds a call: each contender runs a block of calls in each round, after a block that warms it up.

    Args:
        contenders: by name; every call does the work to be timed.
        block_seconds: about how long a block is; one call where it takes longer.
        repeats: rounds.
    """
    n_calls = {name: _calls(call, block_seconds) for name, call in contenders.items()}
    found: dict[str, list[Timing]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, call in contenders.items():
            found[name].append(_block(call, n_calls[name]))
    return {
        name: Timing(median(one.wall for one in blocks), median(one.cpu for one in blocks))
        for name, blocks in found.items()
    }


def ratios(found: Mapping[str, Timing], ours: str) -> dict[str, dict[str, float]]:
    """How many times ours each contender takes, by the clock and in processor time."""
    return {
        name: {"wall": round(one.wall / found[ours].wall, 2)}
        | ({"cpu": round(one.cpu / found[ours].cpu, 2)} if DEVICE == "cpu" and found[ours].cpu > 0 else {})
        for name, one in found.items()
        if name != ours
    }


def milliseconds(found: Mapping[str, Timing]) -> dict[str, float]:
    """Wall time a call."""
    return {name: round(1e3 * one.wall, 4) for name, one in found.items()}


def each_thread_count() -> Iterator[int]:
    """Each of `THREADS` once, while torch computes with so many; then it computes with as many as before."""
    before = torch.get_num_threads()
    for n_threads in dict.fromkeys(THREADS):
        torch.set_num_threads(n_threads)
        yield n_threads
    torch.set_num_threads(before)


def setting() -> dict[str, object]:
    """What every line says of the machine and the run."""
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else f"{os.cpu_count()} cores, CPU"
    return {"device": name, "threads": torch.get_num_threads(), "repeats": REPEATS}


def _calls(call: Callable[[], object], block_seconds: float) -> int:
    _block(call, 1)
    return max(1, round(block_seconds / max(_block(call, 2).wall, 1e-6)))


def _block(call: Callable[[], object], n_calls: int) -> Timing:
    _synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(n_calls):
        call()
    _synchronize()
    return Timing((time.perf_counter() - wall) / n_calls, (time.process_time() - cpu) / n_calls)


def _synchronize() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
