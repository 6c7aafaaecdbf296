"""A night's look at what is served, put together from what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, timedelta

from conf.specs.scenario import Pipeline
from rl.figures.monitor import (
    ArrivalFigures,
    FrequencyFigures,
    HoldoutFigures,
    MonitorFigures,
    SeriesFigures,
)
from rl.monitor.alerts import (
    arrival_alerts,
    broken_promise,
    change_alerts,
    change_figures,
    outage_alerts,
    unexplained_alerts,
)
from rl.monitor.days import day_figures, seen_now, shares_there
from rl.monitor.drift import Series, Told, Watch, watch
from rl.monitor.launch_outcomes import (
    Outcome,
    WatchedLaunch,
    in_common,
    launch_figures,
    ledger_figures,
    outcome,
    with_final,
)
from rl.monitor.propensity_frequencies import Frequencies
from rl.monitor.realised import ServedEpisodes
from rl.monitor.served_rows import VALUE_BY, ExploredRows, ServedRows, watched_days
from rl.monitor.unserved_days import Unserved, decided_days, unserved


@dataclass(frozen=True)
class Served:
    """What was read of served days.

    Attributes:
        rows: transitions of all days on which something may have been served.
        episodes: of the rows, with their arms.
        launches: of the model, the oldest first.
        judged: the one that is watched: the newest that decided on the last served day.
        fallback: policy version of decisions that no policy made.
        horizon: the night's date.
        explored: what decisions under exploration plans count for.
        holdouts: shares of the shoppers that nights saw held out, ascending.
        in_force: version by day; None where none is.
        changed: days on which it was changed what is served.
        built: rows of each day that is published.
    """

    rows: ServedRows
    episodes: ServedEpisodes
    launches: Sequence[WatchedLaunch]
    judged: WatchedLaunch
    fallback: str
    horizon: date
    explored: ExploredRows
    holdouts: tuple[HoldoutFigures, ...] = ()
    in_force: Callable[[date], int | None] = lambda _: None
    changed: Set[date] = frozenset()
    built: Mapping[date, int] = field(default_factory=dict)

    @property
    def arms(self) -> dict[str, str]:
        """Name of the arm by policy version."""
        return {one.policy_version: one.arm for one in self.launches if one.policy_version is not None}

    @property
    def deciders(self) -> dict[str, str]:
        """What each policy version is called that a service decided under, mixtures of explored days among them."""
        mixtures = {one.policy_version: f"exploration {one.policy_version}" for one in self.explored.days}
        return self.arms | mixtures


@dataclass(frozen=True)
class Checked:
    """What was compared of the decisions themselves; refusals say why something wasn't.

    Attributes:
        frequencies: by day, of the judged version.
        frequencies_refusal: empty where they were compared.
        arrivals: by day.
        arrivals_refusal: likewise.
        unknown_items: share of what is on offer that the judged version doesn't know; None where that isn't known.
    """

    frequencies: Sequence[FrequencyFigures]
    frequencies_refusal: str | None
    arrivals: Sequence[ArrivalFigures]
    arrivals_refusal: str | None
    unknown_items: float | None


@dataclass(frozen=True)
class Look:
    """What came of it.

    Attributes:
        figures: all of it.
        outcome: of the judged launch.
    """

    figures: MonitorFigures
    outcome: Outcome

    @property
    def asks_for_rollback(self) -> bool:
        """Whether the promise is broken, and the version isn't at least shown to gain something."""
        return self.outcome.standing == "broken" and not self.outcome.is_shown_to_gain


def look_at(served: Served, checked: Checked, pipeline: Pipeline, earlier: MonitorFigures | None) -> Look:
    """Return the night's figures.

    Args:
        served: what was read.
        checked: what was compared.
        pipeline: scenario and source.
        earlier: figures of the night before; None without one.
    """
    scenario, episodes, judged = pipeline.scenario, served.episodes, served.judged
    level, unit = scenario.evaluation.confidence, scenario.reward.unit
    outcomes = {one.version: outcome(episodes, one, level=level) for one in served.launches}
    launches = with_final(
        [launch_figures(episodes, one, outcomes[one.version]) for one in served.launches],
        {} if earlier is None else {one.version: one for one in earlier.ledger.launches},
    )
    common = in_common(launches, outcomes, () if earlier is None else earlier.ledger.in_common)
    own = next(one for one in launches if one.version == judged.version)
    whole, found = _last_whole_day(served.horizon, pipeline), outcomes[judged.version]
    out = _unserved(served, whole)
    watched = _watched(served, checked, pipeline, earlier, out)
    told = () if earlier is None else earlier.changes
    changes = tuple(sorted((*told, *map(change_figures, watched.changes)), key=lambda one: one.day))
    seen = () if earlier is None else earlier.seen
    there = shares_there(seen, episodes)
    judged_days = [one for one in checked.frequencies if one.day <= whole]
    unexplained = unexplained_alerts(judged_days, scenario.monitor.most_unexplained)
    # What was over before the look before this one was told by it, or by nobody who could still do anything.
    since = whole if earlier is None else _last_whole_day(earlier.date, pipeline)
    outages = [one for one in out.outages if one.last >= since]
    alerts = [*outage_alerts(outages), *arrival_alerts(checked.arrivals), *unexplained, *change_alerts(changes)]
    if found.broken_on is not None:
        alerts.insert(0, broken_promise(own, found.broken_on, unit))
    last = judged_days[-1] if judged_days else None
    figures = MonitorFigures(
        source=pipeline.source.name,
        source_title=pipeline.source.title,
        scenario=scenario.name,
        scenario_title=scenario.title,
        date=served.horizon,
        reward_unit=unit,
        steps=scenario.evaluation.steps,
        version=judged.version,
        policy_version=str(judged.policy_version),
        level=level,
        false_alarms_a_year=scenario.monitor.false_alarms_a_year,
        on_broken_promise=scenario.monitor.on_broken_promise,
        days=day_figures(episodes, judged.arm, found, there, horizon=served.horizon, level=level),
        launch=own,
        ledger=ledger_figures(launches, common, level=level, reward_unit=unit),
        arrivals=tuple(checked.arrivals),
        arrivals_refusal=checked.arrivals_refusal,
        frequencies=tuple(checked.frequencies),
        frequencies_refusal=checked.frequencies_refusal,
        changes=changes,
        series=tuple(
            SeriesFigures(
                kind=one.series.kind,
                name=one.series.name,
                figure=one.figure,
                expected=one.expected,
                evidence=one.evidence,
            )
            for one in watched.states
        ),
        alerts=tuple(alerts),
        unknown_items=checked.unknown_items,
        other_features=None if last is None else 1 - last.n_explained / last.n_decisions,
        fallback=_fallback_share(served),
        explored_days=served.explored.days,
        seen=seen_now(seen, episodes, served.horizon),
        holdouts=served.holdouts,
    )
    return Look(figures, found)


def _last_whole_day(horizon: date, pipeline: Pipeline) -> date:
    """Return the last day whose late lines are in: of a newer one decisions, and what was seen at them, still come."""
    return horizon - timedelta(days=pipeline.source.lateness_days)


def _told(earlier: MonitorFigures, pipeline: Pipeline) -> Told:
    """Return what was told up to an earlier night, and up to when it had judged which series."""
    whole = _last_whole_day(earlier.date, pipeline)
    settled = min(whole, earlier.date - timedelta(days=pipeline.settle_days))
    return Told(
        frozenset((Series(one.kind, one.name), one.day) for one in earlier.changes),
        lambda series: settled if series.name.startswith(VALUE_BY) else whole,
    )


def _unserved(served: Served, whole: date) -> Unserved:
    """Return the days, up to the last one whose late lines are in, on which nothing was served."""
    mixtures = {one.policy_version: served.explored.arms.get(one.policy_version, "") for one in served.explored.days}
    days = decided_days(
        served.rows,
        served.arms | mixtures,
        last=whole,
        in_force=served.in_force,
        changed=served.changed,
        built=served.built,
    )
    return unserved(days)


def _watched(
    served: Served, checked: Checked, pipeline: Pipeline, earlier: MonitorFigures | None, out: Unserved
) -> Watch:
    scores = {
        one.day: Frequencies(one.n_explained, 0, one.statistic or 0.0, one.degrees or 1, one.p_value).score
        for one in checked.frequencies
        if one.p_value is not None
    }
    days = watched_days(
        served.rows,
        served.episodes,
        served=served.deciders,
        fallback=served.fallback,
        scores=scores,
        unserved=out.days,
    )
    whole = _last_whole_day(served.horizon, pipeline)
    return watch(
        [one for one in days if one.day <= whole],
        false_alarms_a_year=pipeline.scenario.monitor.false_alarms_a_year,
        told=None if earlier is None else _told(earlier, pipeline),
    )


def _fallback_share(served: Served) -> float | None:
    """Return the share of the last served day's decisions that no policy made."""
    rows = served.rows
    made = rows.is_by({*served.deciders, served.fallback})
    if not made.any():
        return None
    last = rows.row_day[made].max()
    of_day = made & (rows.row_day == last)
    return float((of_day & rows.is_by({served.fallback})).sum() / of_day.sum())


def frequency_figures(
    earlier: Mapping[date, FrequencyFigures], now: Sequence[FrequencyFigures]
) -> list[FrequencyFigures]:
    """Return the days' comparisons, tonight's in place of earlier ones of the same days, ascending."""
    found = dict(earlier) | {one.day: one for one in now}
    return [found[day] for day in sorted(found)]
