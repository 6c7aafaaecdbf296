"""`review`: what waits for a person's answer, one line each, and whether somebody moved an alias by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from conf.paths import Run
from conf.settings import Settings
from conf.specs.scenario import scenario_names
from rl.commands.switch import require_scenario
from rl.errors import RegistryChanged
from rl.page.wording import signed, signed_range
from rl.registry.entry import CLOSE_CALL, SECOND_LOOK
from rl.registry.history import EarlierVersion
from rl.registry.moved_aliases import moved_aliases, told
from rl.registry.readiness import settle_model
from rl.registry.store import open_store
from rl.registry.waiting import WaitingVersion, waiting_version


def run(*, settings: Settings, scenario: str | None) -> dict[str, Any]:
    """Print a line for each version that waits, and return them; nothing is changed.

    Args:
        settings: name the home and its registry.
        scenario: whose versions; None for all.

    Raises:
        RegistryChanged: an alias was moved by hand in MLflow; what waits has been printed.
    """
    if scenario is not None:
        require_scenario(scenario)
    waiting: list[WaitingVersion] = []
    moved: list[str] = []
    with open_store(settings) as client:
        for name in [scenario] if scenario is not None else scenario_names():
            model = f"{name}-policy"
            settle_model(client, settings, model)
            found = waiting_version(client, settings, model)
            waiting += [] if found is None else [found]
            if elsewhere := moved_aliases(client, settings, model):
                moved.append(told(model, elsewhere))
    now = datetime.now(UTC)
    rows = [_row(settings, one, now) for one in waiting]
    print("\n".join(map(_line, rows)) or "nothing waits for an answer", flush=True)
    if moved:
        raise RegistryChanged("\n".join(moved))
    return {"waiting": rows}


def _row(settings: Settings, waiting: WaitingVersion, now: datetime) -> dict[str, Any]:
    version, tags = waiting.version, waiting.version.tags
    page = Run(settings.home, tags["source"], tags["scenario"], version.date).page
    return {
        "model": version.model,
        "version": version.version,
        "scenario": tags["scenario"],
        "source": tags["source"],
        "date": tags["date"],
        "age": waiting.age(now),
        "verdict": tags["verdict"],
        "gain": tags.get("gain") or _gain(waiting.judged),
        "second_look": tags.get(SECOND_LOOK, ""),
        "close_call": tags.get(CLOSE_CALL, ""),
        "approved_by": list(waiting.approved_by),
        "stale": waiting.stale,
        "page": str(page) if page.exists() else None,
    }


def _gain(judged: EarlierVersion) -> str | None:
    """Return the gain in the unit, for versions whose release didn't write it out; None where none is known."""
    if judged.gain is None:
        return None
    return f"{signed(judged.gain)} ({signed_range(judged.lower, judged.upper)}), in the reward's unit"


def _line(row: dict[str, Any]) -> str:
    which = f"SCENARIO={row['scenario']} VERSION={row['version']}"
    where = f"SOURCE={row['source']} DATE={row['date']} {which}"
    approved = f"approved by {', '.join(row['approved_by'])}, a second person is asked" if row["approved_by"] else ""
    answer = row["stale"] or f"make promote {where}, or: make reject {which} WHY=..."
    parts = (
        f"{row['model']} version {row['version']}, night of {row['date']}: waits {row['age']}",
        f"verdict {row['verdict']}",
        f"passed by {row['second_look']}" if row["second_look"] else "",
        row["close_call"].rstrip("."),
        f"gain {row['gain'] or 'not known'}",
        approved,
        f"page {row['page'] or 'in MLflow (review.html of its run)'}",
        answer,
    )
    return "; ".join(part for part in parts if part)
