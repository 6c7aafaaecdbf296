"""How often the gate promotes candidates of known true value, beside an oracle; over sixty nights in a row; in traps.

Prints JSON lines. Run by `make bench-gate`; `NIGHTS` sets how many nights each kind of candidate is judged on,
`SECTIONS` which parts are run: `sessions`, `consecutive`, `traps`, `one_step`, `intervals`, `selection`, `second_look`,
`retrained`, `neural`, `flip_odds`, and `flips`, which is run only where it is named; `KINDS` which kinds of `one_step`,
by a part of their names; `SEED` where seeds begin of `one_step` and the parts after it; `SHOPS` which default shops
`flips` trains again. `OUT` keeps runs of `consecutive`, nights of `neural` and shops of `flips`, so that what was
stopped goes on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from rl.gate.rules import Decision
from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.sums import difference
from rl.ope.report import BEHAVIOR
from tests.bench.bench_promotion import seeds_of
from tests.bench.gate.consecutive_nights import PLANS, SESSIONS_A_DAY, consecutive_line, counted_run
from tests.bench.gate.fast_nights import fast_night
from tests.bench.gate.flip_odds import odds_line
from tests.bench.gate.kept_lines import KeptLines
from tests.bench.gate.neural_nights import GAINS as NEURAL_GAINS
from tests.bench.gate.neural_nights import name_of, neural_line, neural_night
from tests.bench.gate.nights import (
    CANDIDATE,
    FIRST_NIGHT_LEVEL,
    GATE,
    JudgedNight,
    evaluate,
    judged_night,
    split,
)
from tests.bench.gate.one_step_intervals import covered, interval_line, shops
from tests.bench.gate.one_step_lines import kinds, lines
from tests.bench.gate.one_step_nights import one_step_night
from tests.bench.gate.retrained_nights import SIZES as RETRAINED_SIZES
from tests.bench.gate.retrained_nights import retrained, retrained_line
from tests.bench.gate.second_look_lines import second_look_lines
from tests.bench.gate.selection_nights import SHOPS, selection_line, shipped
from tests.bench.gate.selection_nights import SIZES as SELECTION_SIZES
from tests.bench.gate.shop import behavior_value, candidate, distance_from_behavior
from tests.bench.gate.traps import Trap, is_kept_back_by_weights_alone, traps, verdicts

N_NIGHTS = 2000
GAINS = (-0.10, 0.0, 0.05, 0.10, 0.20)
SIZES = {"thin": 300, "at the floors": 1200, "ordinary": 2000}  # test sessions; training holds twice as many
N_WORKERS = 2
TRAP_SHOPPERS = 2500
N_SHOPS, N_TRAININGS = "9001-9100", 2
SECTIONS = (
    "sessions",
    "consecutive",
    "traps",
    "one_step",
    "intervals",
    "selection",
    "second_look",
    "retrained",
    "neural",
    "flip_odds",
)
"""All but `flips`, whose hundred shops take a day: it is run where it is asked for."""
FIRST_SEED = int(os.environ.get("SEED") or 40_000_000)
"""Of the one-step nights; rules were chosen on nights from seed 1 on."""
OUT = Path(os.environ.get("OUT") or "build/gate")
"""Where what takes long is kept, so that a run that was stopped goes on behind it."""


@dataclass(frozen=True)
class _Case:
    """Nights of one kind; `gain` None: the surest of one candidate of each gain, as validation sessions tell."""

    log: str
    gain: float | None

    @property
    def name(self) -> str:
        return "selected" if self.gain is None else f"{self.gain:+.0%}" if self.gain else "equal"


POWERS = (0.02, 0.05, 0.2, 0.5, 0.8, 0.95, 0.98, 0.995)
MOVES = (0.1, 0.17, 0.3, 0.5, 0.8, 1.14)
"""Over trainings, in standard errors of the gain: of default shops the last, of one-step shops some .4."""

MISSED_FLIPS = 0.02


def main(n_nights: int, sections: Sequence[str], kinds_named: str) -> None:
    """All kinds of the sections are tried and reported."""
    parts: dict[str, Callable[[Executor], None]] = {
        "one_step": lambda pool: _one_step(pool, n_nights, kinds_named),
        "intervals": lambda pool: _intervals(pool, n_nights),
        "selection": lambda pool: _selection(pool, n_nights),
        "second_look": lambda pool: _second_look(pool, n_nights),
        "retrained": lambda pool: _retrained(pool, n_nights),
        "sessions": lambda pool: _sessions(pool, n_nights),
        "consecutive": lambda pool: _consecutive(pool, max(2, n_nights // 40)),
        "neural": lambda _: _neural(max(2, n_nights // 6)),
        "traps": lambda pool: _traps(pool, n_nights),
    }
    with ProcessPoolExecutor(N_WORKERS) as pool:
        for name, run in parts.items():
            if name in sections:
                run(pool)
    if "flip_odds" in sections:
        for power in POWERS:
            _print(odds_line(power, MOVES, MISSED_FLIPS))
    if "flips" in sections:
        _flips(seeds_of(os.environ.get("SHOPS") or N_SHOPS))


def _intervals(pool: Executor, n_nights: int) -> None:
    for name, shop in shops():
        seeds = range(FIRST_SEED, FIRST_SEED + n_nights)
        _print(interval_line(name, list(pool.map(partial(covered, shop), seeds, chunksize=10))))


def _second_look(pool: Executor, n_nights: int) -> None:
    seeds = range(FIRST_SEED, FIRST_SEED + max(20, n_nights // 4))
    for line in second_look_lines(lambda run, own: list(pool.map(run, own)), gate=GATE, seeds=seeds):
        _print(line)


def _retrained(pool: Executor, n_nights: int) -> None:
    for n in RETRAINED_SIZES:
        of_one = partial(retrained, n, gate=GATE, alpha=FIRST_NIGHT_LEVEL)
        seeds = range(FIRST_SEED, FIRST_SEED + n_nights)
        _print(retrained_line(n, list(pool.map(of_one, seeds, chunksize=max(1, n_nights // 40)))))


def _traps(pool: Executor, n_nights: int) -> None:
    for trap in traps():
        nights_of_trap = list(pool.map(partial(_trapped_by_name, trap.name), range(max(2, n_nights // 4))))
        for line in _trap_lines(trap, nights_of_trap):
            _print(line)


def _flips(seeds: Sequence[int]) -> None:
    """Print what each default shop's trainings came to; shops that `OUT` holds already are taken from there."""
    # It imports torch and MLflow, which take seconds and memory: not in every process of the other parts.
    from tests.bench.gate.flip_shops import FlipShop, flips_line, shop_line  # noqa: PLC0415

    found = []
    for seed in seeds:
        folder = OUT / f"shop-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        found.append([FlipShop(seed, folder.resolve()).verdict(repeat) for repeat in range(N_TRAININGS)])
        _print(shop_line(found[-1]))
    _print(flips_line(found))


def _one_step(pool: Executor, n_nights: int, named: str) -> None:
    for number, kind in enumerate(kinds()):
        if named in kind.name:
            seeds = range(FIRST_SEED + 100_000 * number, FIRST_SEED + 100_000 * number + n_nights)
            judge_one = partial(
                one_step_night if kind.shop.hidden > 1 else fast_night, kind, gate=GATE, alpha=FIRST_NIGHT_LEVEL
            )
            nights = list(pool.map(judge_one, seeds, chunksize=max(1, n_nights // 40)))
            for line in lines(kind, nights, alpha=FIRST_NIGHT_LEVEL):
                _print(line)


def _selection(pool: Executor, n_nights: int) -> None:
    for name in SHOPS:
        for n in SELECTION_SIZES:
            of_one = partial(shipped, name, n, gate=GATE, alpha=FIRST_NIGHT_LEVEL)
            nights = list(pool.map(of_one, range(FIRST_SEED, FIRST_SEED + n_nights), chunksize=max(1, n_nights // 40)))
            _print(selection_line(name, n, nights))


def _sessions(pool: Executor, n_nights: int) -> None:
    everything: list[tuple[float, JudgedNight]] = []
    for case, n in _cases(n_nights):
        started = time.perf_counter()
        nights = list(pool.map(partial(_night, case), range(n), chunksize=max(1, n // 40)))
        everything += nights
        _print(_line(case, nights) | {"seconds": round(time.perf_counter() - started, 1)})
    _print(_gains_line("all promoted, every log and kind", everything))


def _cases(n_nights: int) -> Iterator[tuple[_Case, int]]:
    for gain in GAINS:
        yield _Case("ordinary", gain), n_nights
    yield _Case("ordinary", None), n_nights // 2
    for log in ("at the floors", "thin"):
        for gain in GAINS:
            yield _Case(log, gain), max(2, n_nights // 4)


def _night(case: _Case, number: int) -> tuple[float, JudgedNight]:
    """True gain in points and the verdict of one night."""
    n, seed = SIZES[case.log], 10 * number + 100_000 * list(SIZES).index(case.log)
    train, test = split(2 * n, seed), split(n, seed + 1)
    gain = case.gain if case.gain is not None else _selected(n // 2, train_seed=seed, seed=seed + 2)
    night = judged_night(candidate(gain), train=train, test=test, alpha=FIRST_NIGHT_LEVEL, seed=seed)
    return gain * behavior_value(), night


def _selected(n_validation: int, *, train_seed: int, seed: int) -> float:
    """Gain of the candidate whose advantage is surest on validation sessions, as `rl/night/selection.py` ranks."""
    train, validation = split(4 * n_validation, train_seed), split(n_validation, seed)
    certainty = {}
    for gain in GAINS[:-1]:  # with a candidate 20% better among them, selecting would be no feat
        found = evaluate(candidate(gain), train=train, test=validation, seed=seed)
        lead = difference(found.sums[CANDIDATE, "dr"], found.sums[BEHAVIOR, "dr"])
        certainty[gain] = lead.value() / standard_error(lead)
    return max(certainty, key=lambda gain: certainty[gain])


def _line(case: _Case, nights: Sequence[tuple[float, JudgedNight]]) -> dict[str, object]:
    verdicts = [night.decision for _, night in nights]
    promoted, oracle = verdicts.count(Decision.PROMOTE), sum(night.oracle_promotes for _, night in nights)
    free_oracle = sum(night.free_oracle_promotes for _, night in nights)
    bounds = binomtest(promoted, len(nights)).proportion_ci(0.95)
    line: dict[str, object] = {
        "bench": "gate",
        "log": case.log,
        "sessions": SIZES[case.log],
        "candidate": case.name,
        "distance": None if case.gain is None else round(distance_from_behavior(candidate(case.gain)), 3),
        "nights": len(nights),
        "level": round(FIRST_NIGHT_LEVEL, 5),
        "promoted": round(promoted / len(nights), 4),
        "lower95": round(bounds.low, 4),
        "upper95": round(bounds.high, 4),
        "abstained": round(verdicts.count(Decision.ABSTAIN) / len(nights), 4),
        "oracle_promoted": round(oracle / len(nights), 4),
        "power_ratio": round(promoted / oracle, 3) if oracle else None,
        "free_oracle_promoted": round(free_oracle / len(nights), 4),
        "power_ratio_free": round(promoted / free_oracle, 3) if free_oracle else None,
    }
    return line | _gains(nights)


def _gains(nights: Sequence[tuple[float, JudgedNight]]) -> dict[str, object]:
    """Raw and corrected gains of the promoted against the truth, in points, with standard errors of the means."""
    promoted = [(true, night) for true, night in nights if night.corrected is not None]
    if len(promoted) < 2:
        return {"n_promoted": len(promoted)}
    raw = np.array([night.value - true for true, night in promoted])
    corrected = np.array([float(night.corrected or 0.0) - true for true, night in promoted])
    root = float(np.sqrt(len(promoted)))
    return {
        "n_promoted": len(promoted),
        "mean_true_gain": round(float(np.mean([true for true, _ in promoted])), 4),
        "raw_bias": round(float(raw.mean()), 4),
        "raw_bias_se": round(float(raw.std(ddof=1)) / root, 4),
        "corrected_bias": round(float(corrected.mean()), 4),
        "corrected_bias_se": round(float(corrected.std(ddof=1)) / root, 4),
    }


def _gains_line(name: str, nights: Sequence[tuple[float, JudgedNight]]) -> dict[str, object]:
    return {"bench": "gate", "log": name} | _gains(nights)


def _consecutive(pool: Executor, n_runs: int) -> None:
    """Print each run as it ends, and what all came to; runs that `OUT` holds already are taken from there."""
    kept = KeptLines(OUT / "consecutive_runs.jsonl", key="name")
    for per_day in SESSIONS_A_DAY:
        missing = [run for run in range(n_runs) if f"{per_day} {run}" not in kept]
        for run, found in zip(missing, pool.map(partial(counted_run, per_day, gate=GATE), missing), strict=True):
            kept.add({"name": f"{per_day} {run}", **found})
            _print({"bench": "gate", "log": "consecutive nights", **kept[f"{per_day} {run}"]})
        for plan in PLANS:
            runs = [kept[f"{per_day} {run}"][plan] for run in range(n_runs)]
            _print(consecutive_line(per_day, plan, runs, GATE))


def _neural(n_nights: int) -> None:
    """Print what nights with networks came to; nights that `OUT` holds already are taken from there."""
    kept = KeptLines(OUT / "neural.jsonl", key="night")
    missing = [number for number in range(n_nights) if number not in kept]
    # Not forked: torch, loaded by the parent, holds locks that a fork would copy.
    with ProcessPoolExecutor(N_WORKERS, mp_context=get_context("spawn")) as pool:
        for number, found in zip(missing, pool.map(neural_night, missing), strict=True):
            kept.add({"night": number, **found})
    for gain in NEURAL_GAINS:
        _print(neural_line(gain, [kept[number][name_of(gain)] for number in range(n_nights)]))


def _trapped_by_name(name: str, number: int) -> dict[str, tuple[bool, bool, bool]]:
    """`_trapped`, for another process, which can't be given functions."""
    return _trapped(next(trap for trap in traps() if trap.name == name), number)


def _trapped(trap: Trap, number: int) -> dict[str, tuple[bool, bool, bool]]:
    """By estimator: promoted, abstained, and promoted but for what weights alone told."""
    seed = 90_000_000 + 10 * number
    found = verdicts(trap, gate=GATE, alpha=FIRST_NIGHT_LEVEL, n=TRAP_SHOPPERS, seed=seed)
    return {
        name: (
            verdict.decision is Decision.PROMOTE,
            verdict.decision is Decision.ABSTAIN,
            is_kept_back_by_weights_alone(verdict),
        )
        for name, verdict in found.items()
    }


def _trap_lines(trap: Trap, nights: Sequence[Mapping[str, tuple[bool, bool, bool]]]) -> Iterator[dict[str, object]]:
    for name in trap.estimators:
        promoted, abstained, unguarded = np.array([night[name] for night in nights]).sum(axis=0).tolist()
        yield {
            "bench": "gate",
            "log": "trap",
            "sessions": TRAP_SHOPPERS,
            "candidate": trap.name,
            "estimator": name,
            "nights": len(nights),
            "promoted": round(promoted / len(nights), 4),
            "upper95": round(binomtest(promoted, len(nights)).proportion_ci(0.95).high, 4),
            "abstained": round(abstained / len(nights), 4),
            "promoted_without_checks_of_weights": round(unguarded / len(nights), 4),
        }


def _print(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(
        int(os.environ.get("NIGHTS") or N_NIGHTS),
        (os.environ.get("SECTIONS") or ",".join(SECTIONS)).split(","),
        os.environ.get("KINDS") or "",
    )
