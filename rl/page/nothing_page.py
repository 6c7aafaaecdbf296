"""The page of a night that rightly learned nothing: what was read, why it is too little, and what would be needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from markupsafe import Markup

from rl.figures.data import IngestCounts
from rl.page import wording
from rl.page.environment import page_environment

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class NothingLearned:
    """What the page says.

    Attributes:
        scenario: its name; `scenario_title` for people.
        source: its name.
        date: of the night.
        reason: why nothing was learned.
        needed: what would have to be there, a sentence each.
        reward_unit: of what decisions earn.
        ingest: where the delivered lines went; None where the run folder doesn't tell.
        n_transitions: decisions that were built up to the date; None likewise.
        n_dates: dates that the last build made.
        residuals: reward of events that no decision earned, in millionths, by reason.
        quarantined: decisions and episodes that were set aside, by reason.
    """

    scenario: str
    scenario_title: str
    source: str
    date: date
    reason: str
    needed: tuple[str, ...]
    reward_unit: str
    ingest: IngestCounts | None = None
    n_transitions: int | None = None
    n_dates: int = 0
    residuals: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)


def render_nothing_page(page: NothingLearned) -> str:
    """Return the page as HTML; every text is escaped."""
    filters = {name: getattr(wording, name) for name in ("count", "day", "reason", "millionths")}
    rejected = {} if page.ingest is None else page.ingest.rejected
    context = {
        "page": page,
        "css": Markup((_FOLDER / "review.css").read_text(encoding="utf-8")),
        "rejected": sorted(rejected.items(), key=lambda pair: (-pair[1], pair[0])),
    }
    return page_environment(_FOLDER, filters).get_template("nothing.html.jinja").render(context).strip() + "\n"
