"""The home page and a page for each table: self-contained HTML, light and dark, wide and narrow."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

import rl.page
from conf.paths import Run, site_folder
from rl.page import wording
from rl.page.environment import page_environment
from rl.site.charts import BarChart, DayFigure, bar_chart, sparkline
from rl.site.content import ScenarioState, SiteContent
from rl.site.deliveries import Delivery, Reasons, SourceState, reasons_of
from rl.site.lake_tables import TableState, check_records
from rl.site.nights import Night, reward_unit
from rl.site.registry_state import Waiting
from rl.site.stage_trend import TOTAL

SHOWN_NIGHTS = 14
SHOWN_DAYS = 28
_SHOWN_PARTITIONS = 60
_SOME = 5
_FOLDER = Path(__file__).parent
_PAGES = Path(rl.page.__file__).parent
_OUTCOMES = {"promote": "✓ promote", "reject": "✕ reject", "abstain": "? abstain"}


@dataclass(frozen=True)
class WaitingRow:
    """A version that waits, and the address of its review page; None where it isn't in the home."""

    scenario: ScenarioState
    version: Waiting
    page: str | None


def home_page_file(home: Path) -> Path:
    """Return where the home page lies; links on it lead from its folder to other pages of the home."""
    return site_folder(home) / "index.html"


def table_page_file(home: Path, table: TableState) -> Path:
    """Return where the page of a table lies."""
    return site_folder(home) / "tables" / table.source / f"{table.slug}.html"


def render_home(found: SiteContent) -> str:
    """Return the home page as HTML; every text from the content is escaped."""
    context: dict[str, Any] = {
        "found": found,
        "css": _css(),
        "moved": tuple(dict.fromkeys(one.model.moved for one in found.scenarios if one.model.moved)),
        "waiting": _waiting(found),
        "several_sources": len({one.source for one in found.scenarios}) > 1,
        "shown_nights": SHOWN_NIGHTS,
        "shown_days": SHOWN_DAYS,
        "total": TOTAL,
    }
    filters: dict[str, Callable[..., Any]] = {
        "link": partial(_link, found.home),
        "table_link": lambda table: _link(found.home, table_page_file(found.home, table)),
        "outcome": _outcome,
        "anchor": lambda one: f"{one.source}-{one.scenario}",
        "unit": _unit,
        "per": _per,
        "sparkline": sparkline,
        "last_reasons": _last_reasons,
        "lines_chart": _lines_chart,
        "rejected_chart": _rejected_chart,
        "alert_moment": lambda one: wording.moment(str(one.get("at") or one.get("time") or "")),
        "alert_about": _alert_about,
        "alert_words": lambda one: one.get("sentence") or one.get("told") or one.get("text") or "",
    }
    return _environment(filters).get_template("home.html.jinja").render(context).strip() + "\n"


def render_table(found: SiteContent, table: TableState) -> str:
    """Return the page of one of the content's tables as HTML."""
    others = [one for one in found.tables if one.source == table.source and one.is_current]
    context: dict[str, Any] = {
        "table": table,
        "css": _css(),
        "made_at": found.made_at,
        "pages": {one.name: f"{one.slug}.html" for one in others if one is not table},
        "feeds": [one for one in others if one is not table and table.name in one.made_from],
        "checks": check_records(table.partitions),
        "rows_chart": _rows_chart(table),
        "n_bytes": sum(one.n_bytes or 0 for one in table.partitions),
        "shown": _SHOWN_PARTITIONS,
    }
    filters: dict[str, Callable[..., Any]] = {"short_type": _short_type}
    return _environment(filters).get_template("table.html.jinja").render(context).strip() + "\n"


def _environment(own: Mapping[str, Callable[..., Any]]) -> jinja2.Environment:
    names = ("count", "day", "duration", "moment", "reason", "share", "signed", "signed_range", "size")
    common: dict[str, Callable[..., Any]] = {name: getattr(wording, name) for name in names}
    common |= {"utc": _utc, "before": _before, "some": _some, "coded": _coded}
    return page_environment(_FOLDER, common | dict(own))


def _css() -> Markup:
    return Markup((_PAGES / "review.css").read_text(encoding="utf-8") + (_FOLDER / "site.css").read_text("utf-8"))


def _link(home: Path, path: Path) -> str:
    """Return the address of a page of the home, relative to the folder of the home page."""
    return quote(str(PurePosixPath(os.path.relpath(path, site_folder(home)))))


def _waiting(found: SiteContent) -> list[WaitingRow]:
    """Return each policy's version that waits, once: a scenario may have had nights on several sources."""
    rows: dict[tuple[str, int], WaitingRow] = {}
    for one in found.scenarios:
        waits = one.model.waiting
        if waits is None or (waits.source != one.source and (one.scenario, waits.version) in rows):
            continue
        page = Run(found.home, waits.source, one.scenario, waits.night).page
        rows[one.scenario, waits.version] = WaitingRow(one, waits, _link(found.home, page) if page.exists() else None)
    return list(rows.values())


def _outcome(night: Night) -> str:
    """Return the verdict, or how far a night came that has none."""
    if night.verdict:
        return _OUTCOMES.get(night.verdict, night.verdict)
    if night.at_work:
        return f"at work: {night.reached} is through" if night.reached else "at work"
    return f"not through: {night.reached} is its last stage" if night.reached else "not through: no stage left a result"


def _unit(state: ScenarioState) -> str:
    """Return the unit of the gains, to follow their name; empty where no night has one."""
    unit = reward_unit(state.nights)
    return f", {unit} per {_per(state)}" if unit else ""


def _per(state: ScenarioState) -> str:
    """Return what gains are of: an episode, or of orders a product and week."""
    return state.nights[-1].per if state.nights else "episode"


def _last_reasons(deliveries: Sequence[Delivery]) -> Reasons:
    return reasons_of(deliveries[-SHOWN_DAYS:])


def _lines_chart(source: SourceState) -> BarChart | None:
    return bar_chart(
        [
            DayFigure(one.day, one.n_lines, wording.counted(one.n_lines, "line"))
            for one in source.deliveries[-SHOWN_DAYS:]
        ]
    )


def _rejected_chart(source: SourceState) -> BarChart | None:
    limit = source.may_reject
    shares = [(one.day, one.wrong_share) for one in source.deliveries[-SHOWN_DAYS:]]
    figures = [
        DayFigure(day, 100 * part, f"{wording.share(part)} of lines", is_marked=limit is not None and part > limit)
        for day, part in shares
        if part is not None
    ]
    return bar_chart(figures, limit=None if limit is None else 100 * limit)


def _rows_chart(table: TableState) -> BarChart | None:
    named = [(one.day, one.manifest.n_rows) for one in table.partitions[-_SHOWN_PARTITIONS:]]
    return bar_chart([DayFigure(day, n, wording.counted(n, "row")) for day, n in named if day is not None])


def _alert_about(alert: Mapping[str, Any]) -> str:
    """Return which scenario and night an alert is about, as far as it says."""
    return " ".join(str(alert[name]) for name in ("scenario", "source", "date") if alert.get(name))


def _short_type(type_: str) -> str:
    """Return the type, of a struct no more than that it is one: its fields are the scenario's."""
    return "struct" if type_.startswith("struct") else type_


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _before(moment: datetime, later: datetime) -> str:
    return wording.age(later - moment)


def _coded(text: str) -> Markup:
    """Return the text, escaped, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _some(names: Sequence[str | date]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - _SOME} more" if len(names) > _SOME else ""
    return ", ".join(map(str, names[:_SOME])) + more
