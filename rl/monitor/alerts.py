"""What a person should know, in sentences, and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from rl.figures.monitor import Alert, ArrivalFigures, ChangeFigures, FrequencyFigures, LaunchFigures
from rl.monitor.drift import Change, Series
from rl.monitor.unserved_days import Outage
from rl.page import wording


def change_figures(change: Change) -> ChangeFigures:
    """Return a change with its sentence."""
    return ChangeFigures(
        kind=change.series.kind,
        name=change.series.name,
        day=change.day,
        figure=change.figure,
        expected=change.expected,
        sentence=_change_sentence(change),
    )


def _change_sentence(change: Change) -> str:
    kind, name = change.series
    now, before = wording.number(change.figure), wording.number(change.expected)
    if kind == "score":
        return f"The champion's actions are chosen otherwise than their logged propensities say ({change.day})."
    if kind == "share":
        shares = wording.share(change.figure), wording.share(change.expected)
        return f"{name.capitalize()} became more: {shares[0]} on {change.day}, {shares[1]} on this weekday before."
    if kind in ("shape", "names"):
        return f"{series_name(change.series)} is another than in the first weeks: noticed on {change.day}."
    return f"{series_name(change.series)} has changed: {now} on {change.day}, {before} on this weekday before."


def series_name(series: Series) -> str:
    """Return what a page calls a series."""
    kind, name = series
    said = name.replace("_", " ")
    words = {
        "volume": "The number of decisions a day",
        "mean": f"The mean of {said}",
        "shape": f"The distribution of {said}",
        "names": f"The choice of {said}",
        "share": f"The share of {said}",
        "score": f"The test of {said}",
    }
    return words[kind]


def broken_promise(launch: LaunchFigures, broken_on: date, unit: str) -> Alert:
    """Return the alert of a promise that isn't kept."""
    promised, earned = launch.promised, launch.earned
    if promised is None or earned is None:
        raise ValueError("a promise without figures can't be broken")
    said = f"{wording.signed(promised.value)} ({wording.signed_range(promised.lower, promised.upper)})"
    seen = f"{wording.signed(earned.value)} ({wording.signed_range(earned.lower, earned.upper)})"
    return Alert(
        kind="broken_promise",
        day=broken_on,
        subject=f"version {launch.version}",
        sentence=f"Version {launch.version} was promised to gain {said} {unit} an episode over the control group, and "
        f"gains {seen}: the promise is broken.",
    )


def arrival_alerts(found: Sequence[ArrivalFigures]) -> list[Alert]:
    """Return an alert for each day whose decisions are not all in the tables, or that has some nobody decided."""
    alerts = []
    for one in found:
        if one.is_due and one.n_missing:
            named = ", ".join(one.missing)
            logged = wording.counted(one.n_logged, "served decision")
            said = f"{one.n_missing} of {logged} of {one.day} never arrived, such as {named}."
            alerts.append(Alert(kind="missing_decisions", day=one.day, subject="log", sentence=said))
        if one.n_strange and one.log_file is not None:
            came = wording.counted(one.n_strange, "decision came", "decisions came")
            said = f"{came} of {one.day} in a served policy's name, and that day's log is missing or empty: put back "
            said += f"{one.log_file}, and run monitor again."
            alerts.append(Alert(kind="strange_decisions", day=one.day, subject="log", sentence=said))
        elif one.n_strange:
            named = ", ".join(one.strange)
            strange = wording.counted(one.n_strange, "decision")
            said = f"{strange} of {one.day} came in a served policy's name, in no log of a service, such as {named}."
            alerts.append(Alert(kind="strange_decisions", day=one.day, subject="tables", sentence=said))
    return alerts


def unexplained_alerts(found: Sequence[FrequencyFigures], most: float | None) -> list[Alert]:
    """Return an alert for each day of whose decisions too many have another propensity than the champion gives them.

    Args:
        found: the champion's decisions by day.
        most: share of a day's decisions that may be unexplained; None: any but all.
    """
    alerts = []
    for one in found:
        share = 1 - one.n_explained / one.n_decisions
        if one.n_explained and (most is None or share <= most):
            continue
        of_all = wording.counted(one.n_decisions, "decision")
        told = f"None of {of_all} of {one.day} has"
        if one.n_explained:
            told = f"{wording.share(share)} of {of_all} of {one.day} don't have"
        said = (
            f"{told} the propensity that the champion gives the row in the tables: whether actions are chosen as told"
        )
        said += (
            " isn't known of these, and nights to come weigh by what was logged. Compare the service's version, rules "
        )
        said += "and features with the tables'."
        alerts.append(Alert(kind="unexplained_decisions", day=one.day, subject="propensities", sentence=said))
    return alerts


def outage_alerts(found: Sequence[Outage]) -> list[Alert]:
    """Return an alert for each time in which nothing was served; it is told on its first day, and goes on."""
    alerts = []
    for one in found:
        days = f"{one.first}" if one.first == one.last else f"{one.first} to {one.last}"
        who = "Nothing was served" if one.version is None else f"Version {one.version} decided nothing"
        made = wording.counted(one.n_decisions, "decision was", "decisions were")
        though = f"though {made} made" if one.n_decisions else "and no decision of anybody's arrived either"
        said = f"{who} on {days}, {though}: see whether the service answers, and whether the shop asks it."
        alerts.append(Alert(kind="nothing_served", day=one.first, subject="service", sentence=said))
    return alerts


def change_alerts(changes: Sequence[ChangeFigures]) -> list[Alert]:
    """Return an alert for each change."""
    return [
        Alert(
            kind="other_frequencies" if one.kind == "score" else "changed",
            day=one.day,
            subject=f"{one.kind} {one.name}",
            sentence=one.sentence,
        )
        for one in changes
    ]


def keep_alerts(path: Path, alerts: Sequence[Alert], *, source: str, scenario: str) -> list[Alert]:
    """Add alerts to the file, a JSON line each, and return those that it didn't hold yet: a repeated night adds none.

    Args:
        path: of all scenarios' alerts.
        alerts: of the night.
        source: its name.
        scenario: its name.
    """
    known = {_key(one) for one in _lines(path)}
    told = datetime.now(tz=UTC).isoformat(timespec="seconds")
    lines = [
        {"time": told, "source": source, "scenario": scenario, **alert.model_dump(mode="json")} for alert in alerts
    ]
    new = [place for place, line in enumerate(lines) if _key(line) not in known]
    if new:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_cut = path.exists() and not path.read_bytes().endswith(b"\n")  # by a process that was killed as it wrote
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" if is_cut else "")
            file.writelines(json.dumps(lines[place]) + "\n" for place in new)
    return [alerts[place] for place in new]


def _lines(path: Path) -> list[dict[str, object]]:
    """Return the file's lines; what a killed process left unfinished is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _key(line: dict[str, object]) -> tuple[str, ...]:
    return tuple(str(line.get(name)) for name in ("source", "scenario", "kind", "day", "subject"))
