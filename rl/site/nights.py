"""The nights of a home: how far each came, its verdict, and what can be read about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from conf.errors import NightcartError
from conf.night_lock import at_work
from conf.paths import Run
from rl.figures.night import NightFigures, read_figures
from rl.figures.values import Gain
from rl.site.left_files import LeftFiles

SHOWN_NIGHTS = 30
"""So many of a scenario's last nights are read."""

STAGES = ("ingest", "build", "prepare", "train", "evaluate", "register")
WHOLE = "night"
"""From the start of the run that trains to its end, with what it waited for; the alert of slow nights is about it."""
"""Of a night, in their order."""

_PAGES = (
    ("review", "page"),
    ("promised and earned", "monitor_page"),
    ("worth", "worth_page"),
    ("experiment", "experiment_page"),
)


@dataclass(frozen=True)
class Night:
    """A night as its run folder tells it.

    Attributes:
        run: its paths.
        reached: last stage that left its result; empty where none did.
        verdict: of the gate; empty where there is none.
        version: that it registered; None where it registered none.
        gain: what the candidate would earn more; None where that isn't known.
        reward_unit: of the gain.
        per: what the gain is of, such as `episode`.
        simulated_stock: what is declared of stock that no log counts, in words; empty where it counts, or has none.
        why: the gate's first reason, why nothing was learned, or why the night failed.
        at_work: who computes it just now; empty where nobody does.
        is_promoted: its version became champion.
        seconds: by stage and of the whole run that trains, of those that are known; trainings are added up.
        pages: what to call each page of the night, and where it lies.
    """

    run: Run
    reached: str
    verdict: str
    version: int | None
    gain: Gain | None
    reward_unit: str
    per: str
    simulated_stock: str
    why: str
    at_work: str
    is_promoted: bool
    seconds: Mapping[str, float]
    pages: tuple[tuple[str, Path], ...]


def read_nights(home: Path, left: LeftFiles, failures: Sequence[Mapping[str, Any]]) -> list[Night]:
    """Return the last nights of every scenario and source, by source, scenario and date, the latest last.

    Args:
        home: of the deployment.
        left: what reads the files.
        failures: of tasks, the oldest first, as the home keeps them.
    """
    by_scenario: dict[tuple[str, str], list[Run]] = {}
    for run in known_runs(home):
        by_scenario.setdefault((run.source, run.scenario), []).append(run)
    return [_night(run, left, failures) for runs in by_scenario.values() for run in runs[-SHOWN_NIGHTS:]]


def reward_unit(nights: Sequence[Night]) -> str:
    """Return the unit of the gains; empty where no night has one."""
    return next((night.reward_unit for night in reversed(nights) if night.reward_unit), "")


def known_runs(home: Path) -> list[Run]:
    """Return every night that left anything, by source, scenario and date; fits of models of shoppers are none."""
    found = []
    for folder in sorted((home / "runs").glob("*/*/*")):
        if folder.parents[1].name.startswith("_"):
            continue  # a source that is being forgotten
        try:
            run = Run(home, folder.parents[1].name, folder.parent.name, date.fromisoformat(folder.name))
        except ValueError:
            continue
        if any(path.exists() for path in _marks(run)):
            found.append(run)
    return found


def _marks(run: Run) -> Iterable[Path]:
    """Return what a night leaves first."""
    return (run.folder / "_locks", run.ingest_result, run.build_result, run.dataset, run.nothing_to_learn, run.page)


def _night(run: Run, left: LeftFiles, failures: Sequence[Mapping[str, Any]]) -> Night:
    registration, nothing = left.mapping(run.registration), left.mapping(run.nothing_to_learn)
    figures = _evaluated(run, left)
    reached = _reached(run)
    decision = "" if figures is None else figures.verdict.decision
    verdict = str(registration.get("verdict") or decision or ("abstain" if nothing else ""))
    told = registration.get("reasons")
    found = () if figures is None else figures.verdict.reasons
    reasons = [str(one) for one in (told if isinstance(told, list) and told else found)]
    why = str(nothing.get("skipped", "")) or (reasons[0] if reasons else "")
    version = registration.get("version")
    return Night(
        run=run,
        reached=reached,
        verdict=verdict,
        version=version if isinstance(version, int) else None,
        gain=None if figures is None else figures.gain,
        reward_unit="" if figures is None else figures.facts.reward_unit,
        per="episode" if figures is None or figures.orders is None else "product and week",
        simulated_stock="" if figures is None or figures.orders is None else figures.orders.simulated_stock,
        why=why or _failure(run, failures),
        at_work=at_work(run),
        is_promoted=run.promotion.exists() and bool(left.mapping(run.promotion).get("champion")),
        seconds=_seconds(run, left),
        pages=tuple((words, path) for words, name in _PAGES if (path := getattr(run, name)).exists()),
    )


def _evaluated(run: Run, left: LeftFiles) -> NightFigures | None:
    """Return the night's evaluation; None where there is none that can be read."""
    if not run.evaluation.exists():
        return None
    try:
        return read_figures(run.evaluation)
    except (NightcartError, OSError, ValueError) as error:
        left.note(f"{run.evaluation}: can't be read ({str(error).splitlines()[0][:200]})")
        return None


def _reached(run: Run) -> str:
    results = {
        "ingest": run.ingest_result,
        "build": run.build_result,
        "prepare": run.dataset / "dataset.json",
        "train": next((run.folder / "candidates").glob("*/result.json"), run.folder / "candidates" / "none"),
        "evaluate": run.evaluation,
        "register": run.registration,
    }
    return next((stage for stage in reversed(STAGES) if results[stage].exists()), "")


def _failure(run: Run, failures: Sequence[Mapping[str, Any]]) -> str:
    """Return the last task's reason to fail on a night that isn't through; empty where none is known or it is."""
    if run.registration.exists():
        return ""
    told = [
        f"{one.get('task')} failed: {one.get('reason')}"
        for one in failures
        if one.get("date") == str(run.date) and _is_about(str(one.get("dag", "")), run)
    ]
    return told[-1] if told else ""


def _is_about(dag: str, run: Run) -> bool:
    return dag == "ingest_events" or dag.endswith(f"_{run.scenario}")


def _seconds(run: Run, left: LeftFiles) -> dict[str, float]:
    """Return the seconds of the stages that are known; an earlier release kept those of jobs and trainings alone."""
    found: dict[str, float] = {}
    for stage, result in (("ingest", run.ingest_result), ("build", run.build_result)):
        told = left.mapping(result).get("seconds")
        if isinstance(told, dict) and told:
            found[stage] = sum(float(one) for one in told.values() if isinstance(one, int | float))
    for path in sorted(run.seconds("any").parent.glob("[!.]*.json")):
        stage, took = path.stem.partition("-")[0], left.mapping(path).get("seconds")
        if isinstance(took, int | float) and stage in (*STAGES, WHOLE):
            found[stage] = found.get(stage, 0.0) + float(took)
    if "train" not in found and (took := _trainings(run, left)):
        found["train"] = took
    return {stage: found[stage] for stage in (*STAGES, WHOLE) if stage in found}


def _trainings(run: Run, left: LeftFiles) -> float:
    results = (left.mapping(path) for path in sorted((run.folder / "candidates").glob("*/result.json")))
    told = (seconds.get("all") for result in results if isinstance(seconds := result.get("seconds"), dict))
    return sum(float(one) for one in told if isinstance(one, int | float))
