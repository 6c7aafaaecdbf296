"""All that the pages of a home show, read from what its runs left."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conf.paths import Lake, alerts_log, failures_log, services_record
from conf.settings import Settings
from conf.specs.scenario import load_pipeline, scenario_names
from rl.site.deliveries import SourceState, read_source
from rl.site.lake_tables import TableState, read_tables
from rl.site.left_files import LeftFiles
from rl.site.nights import Night, known_runs, read_nights, reward_unit
from rl.site.other_pages import OtherPage, other_pages
from rl.site.registry_state import ModelState, read_models
from rl.site.stage_trend import StageTrend, stage_trends
from rl.site.weekly_lists import last_list, list_sentences
from rl.upkeep.disk_use import bytes_a_night, bytes_by_folder, bytes_by_table, nights_left

_LAST_LINES = 8


@dataclass(frozen=True)
class ScenarioState:
    """A scenario on a source: its policy, its last nights, the oldest first, and what is said of its last list."""

    scenario: str
    source: str
    title: str
    model: ModelState
    nights: tuple[Night, ...]
    trends: tuple[StageTrend, ...]
    weekly_list: str

    @property
    def last(self) -> Night:
        return self.nights[-1]


@dataclass(frozen=True)
class DiskState:
    """What the home takes, in bytes; nights_left is None where a night adds nothing yet."""

    folders: Mapping[str, int]
    tables: Mapping[str, int]
    a_night: int
    free: int
    nights_left: int | None

    @property
    def total(self) -> int:
        return sum(self.folders.values())


@dataclass(frozen=True)
class SiteContent:
    """The home as it is.

    Attributes:
        home: its folder.
        made_at: when it was looked at.
        problems: what can't be read, or was changed by hand, in sentences.
        scenarios: that had a night, by source and name.
        without_night: scenarios that had none.
        sources: that delivered, by name.
        tables: by source and name.
        disk: None where there is no home yet.
        others: pages that belong to no night.
        failures: of tasks, the latest first.
        alerts: of monitors, the latest first.
        services: address of Airflow's page; empty where `make up` doesn't run, as far as the home knows.
    """

    home: Path
    made_at: datetime
    problems: tuple[str, ...]
    scenarios: tuple[ScenarioState, ...]
    without_night: tuple[str, ...]
    sources: tuple[SourceState, ...]
    tables: tuple[TableState, ...]
    disk: DiskState | None
    others: tuple[OtherPage, ...]
    failures: tuple[Mapping[str, str], ...]
    alerts: tuple[Mapping[str, Any], ...]
    services: str


def read_content(settings: Settings) -> SiteContent:
    """Return what the home holds; whatever of it can't be read is a problem on the page and no error."""
    left = LeftFiles()
    failures, alerts = left.lines(failures_log(settings.home)), left.lines(alerts_log(settings.home))
    lakes = [Lake(settings.lake, path.name) for path in _sources(settings.lake)]
    scenarios = _scenarios(settings, read_nights(settings.home, left, failures), left)
    sources = tuple(read_source(lake, left) for lake in lakes)
    tables = tuple(table for lake in lakes for table in read_tables(lake, left))
    disk = left.attempt(lambda: _disk(settings, lakes), None)
    return SiteContent(
        home=settings.home,
        made_at=datetime.now(UTC),
        problems=tuple(left.problems),
        scenarios=scenarios,
        without_night=tuple(_others(scenario_names(), {one.scenario for one in scenarios})),
        sources=sources,
        tables=tables,
        disk=disk,
        others=tuple(other_pages(settings.home)),
        failures=tuple(reversed([_told(one) for one in failures[-_LAST_LINES:]])),
        alerts=tuple(reversed(alerts[-_LAST_LINES:])),
        services=_services(settings.home),
    )


def _told(failure: Mapping[str, Any]) -> dict[str, str]:
    """Return what a failure says, each of its parts as text, empty where it lacks one."""
    return {name: str(failure.get(name) or "") for name in ("time", "dag", "date", "task", "reason")}


def _others(names: list[str], known: set[str]) -> list[str]:
    """Return the names that aren't known, in their order."""
    return [name for name in names if name not in known]


def _sources(lake: Path) -> list[Path]:
    return sorted(path for path in lake.glob("*") if path.is_dir() and not path.name.startswith("_"))


def _scenarios(settings: Settings, nights: list[Night], left: LeftFiles) -> tuple[ScenarioState, ...]:
    by_scenario: dict[tuple[str, str], list[Night]] = {}
    for night in nights:
        by_scenario.setdefault((night.run.source, night.run.scenario), []).append(night)
    models = read_models(settings, dict.fromkeys(scenario for _, scenario in by_scenario), left)
    return tuple(
        ScenarioState(
            scenario=scenario,
            source=source,
            title=left.attempt(lambda s=scenario, o=source: load_pipeline(s, o).scenario.title, scenario),  # type: ignore[misc]  # bound at once
            model=models[scenario],
            nights=tuple(found),
            trends=stage_trends([(one.run.date, one.seconds) for one in found if one.seconds]),
            weekly_list=list_sentences(last_list(found, left), reward_unit(found)),
        )
        for (source, scenario), found in by_scenario.items()
    )


def _disk(settings: Settings, lakes: list[Lake]) -> DiskState | None:
    if not settings.home.is_dir():
        return None
    a_night = bytes_a_night(lakes, known_runs(settings.home))
    tables, folders = bytes_by_table(lakes), bytes_by_folder(settings.home)
    if not settings.lake.is_relative_to(settings.home):
        folders |= {str(settings.lake): sum(tables.values())}
    return DiskState(
        folders=folders,
        tables=dict(sorted(tables.items(), key=lambda pair: -pair[1])),
        a_night=a_night,
        free=shutil.disk_usage(settings.home).free,
        nights_left=nights_left(settings.home, a_night),
    )


def _services(home: Path) -> str:
    """Return where Airflow's page was started last; a record that can't be read tells nothing, and is no problem."""
    address = LeftFiles().mapping(services_record(home)).get("address", "")
    return address if isinstance(address, str) and address.startswith("http://") else ""
