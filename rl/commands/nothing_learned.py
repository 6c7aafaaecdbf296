"""What a night that rightly learned nothing leaves for people: its page, from what ingest and build left."""

from __future__ import annotations

import json
from typing import Any

from conf.earnings import earnings_sentence
from conf.paths import Run
from conf.publication import write_atomically
from conf.set_aside import main_cause
from conf.specs.scenario import HOURS_PER_DAY, Pipeline
from rl.night.figures.data_summary import read_ingest
from rl.page.nothing_page import NothingLearned, render_nothing_page


def write_nothing_page(pipeline: Pipeline, run: Run, reason: str) -> None:
    """Write the page to the run folder.

    Args:
        pipeline: of the night.
        run: its folder.
        reason: why nothing was learned.

    Raises:
        EvaluationError: a result file of ingest that can't be read.
    """
    build = _build(run)
    page = NothingLearned(
        scenario=run.scenario,
        scenario_title=pipeline.scenario.title,
        source=run.source,
        date=run.date,
        reason=reason,
        needed=tuple(needed(pipeline)),
        reward_unit=pipeline.scenario.reward.unit,
        ingest=read_ingest(run),
        n_transitions=build.get("n_transitions"),
        n_dates=len(build.get("built", ())),
        residuals={name: one for name, one in build.get("reward", {}).get("residuals", {}).items() if one},
        quarantined={name: n for name, n in build.get("quarantined", {}).items() if n},
    )
    run.folder.mkdir(parents=True, exist_ok=True)
    write_atomically(run.page, render_nothing_page(page))


def told_reason(run: Run, reason: str) -> str:
    """Return why nothing was learned; where most decisions are set aside, with that and its main cause said first.

    Args:
        run: its folder.
        reason: why too little is left.
    """
    cause, cure = main_cause(_build(run))
    return "; ".join(part for part in (f"{cause}: {reason}" if cause else reason, cure) if part)


def needed(pipeline: Pipeline) -> list[str]:
    """Return what a night needs to learn anything, a sentence each."""
    scenario = pipeline.scenario
    if scenario.orders is not None:
        return [
            "Counts of stock for enough days, so that training, validation and test each have some; the reason above "
            "says how many are there.",
            "Days on which products did not run out, and sales that earn a margin: prices and costs.",
        ]
    hours = scenario.reward.attribution.window_hours + pipeline.source.session.max_hours + 2 * pipeline.embargo_hours
    decided = pipeline.source.decisions.event_type
    return [
        f"Deliveries of more than {hours / HOURS_PER_DAY:.1f} days, from the first decision ({decided}) to the night's "
        f"date (embargo: {pipeline.embargo_in_words}).",
        f"At least {scenario.splits.min_episodes} episodes in each of training, validation and test "
        "(splits.min_episodes).",
        f"Decisions of at least two actions, and something earned. {earnings_sentence(scenario.reward)}",
        "A look before the next night: make check-source says what lines become, and which share of the reward finds a "
        "decision.",
    ]


def _build(run: Run) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(run.build_result.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content
