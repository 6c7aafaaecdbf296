"""`monitor`: what the champion earned beside its promise, and whether what decides is still what was judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import structlog
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conf.paths import Lake, Run, alerts_log, monitored_dates, serving_folder
from conf.pseudonyms import is_opted_out
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import Pipeline, load_pipeline
from rl.data.shop_rules import rules_of_scenario
from rl.data.transitions_reading import PublishedTransitions, read_availability, read_transitions
from rl.errors import EvaluationError, PolicyError, RegistryError, ServingError
from rl.figures.monitor import Alert, ArrivalFigures, FrequencyFigures, HoldoutFigures, MonitorFigures, read_monitor
from rl.monitor.alerts import keep_alerts
from rl.monitor.arrivals import Arrivals, arrivals
from rl.monitor.explored_days import FollowedPlan, explored_rows, mixtures_in
from rl.monitor.holdouts import holdout_on, holdouts_seen
from rl.monitor.launch_outcomes import WatchedLaunch, arm_of
from rl.monitor.look import Checked, Look, Served, frequency_figures, look_at
from rl.monitor.page import render_monitor_page
from rl.monitor.policy_check import CheckedDay, check_days, unknown_share
from rl.monitor.realised import ServedEpisodes
from rl.monitor.served_decisions import ArrivedDecisions, logged_decisions
from rl.monitor.served_rows import ExploredRows, Lots, ServedRows, read_served_rows, served_episodes
from rl.monitor.undecided import Meant, undecided_alerts
from rl.monitor.watched_launches import days_of_changes, days_of_version_control, in_force, watched_launches
from rl.policy import StochasticPolicy
from rl.registry.approvals import read_approvals
from rl.registry.champion import load_version_policy
from rl.registry.exploration import read_plan
from rl.registry.launches import running_launch, settle_launches
from rl.registry.person import Person
from rl.registry.readiness import remember, settle_model
from rl.registry.runs import log_day
from rl.registry.served_shares import tag_shares
from rl.registry.store import CHAMPION, aliases, open_store
from rl.registry.switching import roll_back
from rl.registry.versions import load_version
from rl.rollout.assignment import control_lot, gets_new_version, is_control
from rl.serving.decide import FALLBACK_VERSION
from rl.serving.decision_log import day_file, has_logs
from rl.serving.explored import Explored

MONITOR = "monitor"
"""Who is written down where a broken promise led to a rollback."""


def run(
    *, settings: Settings, source: str, scenario: str, run_date: date, decisions: Path | None = None
) -> dict[str, Any]:
    """Write monitor.json and monitor.html to the run folder, keep and log alerts, and return a summary.

    `skipped` says that nothing was served on any day up to the date; where shoppers came who were to get a version that
    is launched, there are alerts instead, and no figures. Where the scenario says so, a broken promise rolls the
    champion back, under the registry's lock, if it is still the one that broke it.

    Args:
        settings: what the environment says: home, lake, registry.
        source: its name.
        scenario: its name.
        run_date: last business date whose deliveries count.
        decisions: folder of the service's log; None for the one in the home.

    Raises:
        ServingError: no service answers requests for the scenario.
        DatasetError: nothing was built for the date, or a log that no service wrote.
        RegistryError: the registry doesn't answer, or has nothing to go back to.
    """
    pipeline = load_pipeline(scenario, source)
    if problem := pipeline.scenario.request_problem:
        raise ServingError(f"{problem}; only what a service decides is monitored")
    night = Run(settings.home, source, scenario, run_date)
    launches = watched_launches(settings, f"{scenario}-policy", pipeline.source)
    if not launches:
        return _nothing(night, "nothing was served: no version was approved yet")
    published = read_transitions(pipeline, Lake(settings.lake, source), run_date)
    earlier, before = _earlier(settings, source, scenario, run_date), _taken_before(night)
    holdouts = holdouts_seen(
        () if earlier is None else earlier.holdouts,
        run_date,
        pipeline.scenario.exploration.control_holdout,
        () if before is None else before.holdouts,
    )
    served = _served(settings, pipeline, published, launches, run_date, holdouts)
    if served is None:
        return _nothing(night, f"nothing was served on any day up to {run_date}")
    if not isinstance(served, Served):
        return _undecided(settings, night, served)
    log = decisions or serving_folder(settings.home, source, scenario) / "decisions"
    policy = _policy(settings, scenario, served.judged.version)
    checked = _checked(settings, pipeline, served, policy, log, earlier)
    look = look_at(served, checked, pipeline, earlier)
    if not _has_decided(served, launches[-1]):
        silent = _never_decided(
            settings, pipeline, served.rows, launches[-1], run_date, approved=served.in_force, changed=served.changed
        )
        alerts = () if silent is None else tuple(silent.alerts)
        look = replace(look, figures=look.figures.model_copy(update={"alerts": (*look.figures.alerts, *alerts)}))
    figures = _acted(settings, look, before)
    night.folder.mkdir(parents=True, exist_ok=True)
    figures.write(night.monitor)
    write_atomically(night.monitor_page, render_monitor_page(figures))
    return _summary(figures, _told(settings, night, figures.alerts), night)


def _told(settings: Settings, night: Run, alerts: Sequence[Alert]) -> list[Alert]:
    """Keep and log the alerts, and return those that weren't told before."""
    new = keep_alerts(alerts_log(settings.home), alerts, source=night.source, scenario=night.scenario)
    for alert in new:
        structlog.get_logger().warning("alert", kind=alert.kind, day=str(alert.day), what=alert.sentence)
    return new


def _nothing(night: Run, why: str) -> dict[str, Any]:
    return {"scenario": night.scenario, "source": night.source, "date": str(night.date), "skipped": why}


@dataclass(frozen=True)
class _Undecided:
    """A version that is launched and has decided nothing yet, with an alert for each day on which it should have."""

    version: int
    alerts: Sequence[Alert]


def _undecided(settings: Settings, night: Run, found: _Undecided) -> dict[str, Any]:
    """Tell the alerts and return a summary without figures: nothing was earned that could be held beside a promise."""
    new = _told(settings, night, found.alerts)
    nothing = dict.fromkeys(("promised", "earned", "calibration", "rolled_back_to", "page"))
    return {
        "scenario": night.scenario,
        "source": night.source,
        "date": str(night.date),
        "version": found.version,
        **nothing,
        "standing": "open",
        "alerts": [one.sentence for one in new],
        "n_alerts": len(found.alerts),
    }


def _served(
    settings: Settings,
    pipeline: Pipeline,
    published: PublishedTransitions,
    launches: Sequence[WatchedLaunch],
    horizon: date,
    holdouts: tuple[HoldoutFigures, ...],
) -> Served | _Undecided | None:
    """Return what was served up to the date; where nothing was, a launch that should have been, or None."""
    nights = [one.night for one in launches if one.night is not None]
    first = min(nights) + timedelta(days=1) if len(nights) == len(launches) else min(published.pointers)
    rows = read_served_rows(published, first)
    if rows is None:
        return None
    arms = {one.policy_version: one.arm for one in launches if one.policy_version is not None}
    explored = _explored(settings, pipeline, rows, horizon)
    model = f"{pipeline.scenario.name}-policy"
    controlled = days_of_version_control(settings, model, pipeline.source, horizon)
    lots = replace(_lots(settings, pipeline, launches, holdouts), controlled=controlled)
    changed = days_of_changes(settings, model, pipeline.source)
    episodes = served_episodes(
        rows,
        pipeline,
        horizon=horizon,
        arms=arms,
        fallback=FALLBACK_VERSION,
        lots=lots,
        explored=explored,
        changed=changed,
    )
    approved = in_force(settings, model, pipeline.source, launches)
    judged = _judged(rows, episodes, launches)
    if judged is None:
        return _never_decided(settings, pipeline, rows, launches[-1], horizon, approved=approved, changed=changed)
    return Served(
        rows,
        episodes,
        launches,
        judged,
        FALLBACK_VERSION,
        horizon,
        explored,
        holdouts,
        in_force=approved,
        changed=changed,
        built={day: one.n_rows for day, one in published.manifests.items()},
    )


def _has_decided(served: Served, launch: WatchedLaunch) -> bool:
    """Return whether a launch ever decided, also beside an exploration plan of which it isn't known whose it was."""
    mixtures = {one for one in mixtures_in(served.rows) if served.explored.arms.get(one, launch.arm) == launch.arm}
    return bool(served.rows.is_by({str(launch.policy_version)} | mixtures).any())


def _never_decided(
    settings: Settings,
    pipeline: Pipeline,
    rows: ServedRows,
    launch: WatchedLaunch,
    horizon: date,
    *,
    approved: Callable[[date], int | None],
    changed: Set[date],
) -> _Undecided | None:
    """Return the newest launch where shoppers came who were to get it; None where it has ended, or is in the shadow.

    Days count on which it was approved from midnight to midnight, and not turned off.
    """
    key, name = settings.pseudonym_key(), pipeline.scenario.name
    running = running_launch(settings, f"{name}-policy", launch.version)
    if running is None or running.is_shadow or launch.policy_version is None:
        return None
    holdout, version = pipeline.scenario.exploration.control_holdout, launch.policy_version

    def gets(shopper: str, day: date) -> bool | None:
        if is_opted_out(shopper, key):
            return None
        is_drawn = gets_new_version(shopper, key, scenario=name, policy_version=version, share=launch.share_on(day))
        return is_drawn and not is_control(shopper, key, scenario=name, share=holdout)

    meant = Meant(gets, chance=lambda day: (1 - holdout) * launch.share_on(day))
    night = launch.night or date.fromordinal(int(rows.day.min()))
    first = launch.shares[0][0] if launch.shares else night + timedelta(days=1)
    last = horizon - timedelta(days=pipeline.source.lateness_days)
    told = undecided_alerts(rows, launch, meant, first=first, last=last, fallback=FALLBACK_VERSION)
    if running.promoted_at is not None:
        since = running.promoted_at.astimezone(ZoneInfo(pipeline.source.zone)).date()
        # Not where nights of the past are lived again: there everything was approved long after its day.
        told = [one for one in told if not one.day <= since <= horizon]
    found = [one for one in told if approved(one.day) == launch.version and one.day not in changed]
    return _Undecided(launch.version, found) if found else None


def _lots(
    settings: Settings, pipeline: Pipeline, launches: Sequence[WatchedLaunch], holdouts: Sequence[HoldoutFigures]
) -> Lots:
    """Return who is meant to get what, as the service draws it."""
    key, scenario = settings.pseudonym_key(), pipeline.scenario
    of_arm = {one.arm: one for one in launches}

    def gets(shopper: str, arm: str, day: date) -> bool:
        share, version = of_arm[arm].share_on(day), of_arm[arm].policy_version or ""
        return gets_new_version(shopper, key, scenario=scenario.name, policy_version=version, share=share)

    return Lots(
        control_lot=partial(control_lot, key=key, scenario=scenario.name),
        holdout=partial(holdout_on, seen=holdouts),
        is_opted_out=partial(is_opted_out, key=key),
        gets=gets,
    )


def _judged(rows: ServedRows, episodes: ServedEpisodes, launches: Sequence[WatchedLaunch]) -> WatchedLaunch | None:
    """Return the newest launch that decided on the last day on which any did; None where none ever did.

    A day under an exploration plan is a day of the champion that is explored beside, where it counts.
    """
    last: dict[int, int] = {}
    for one in launches:
        own = np.zeros(len(rows.row_day), dtype=np.bool_)
        if one.policy_version is not None:
            own = rows.is_by({one.policy_version})
        days = [*rows.row_day[own].tolist(), *episodes.of(one.arm).day.tolist()]
        if days:
            last[one.version] = max(days)
    if not last:
        return None
    return next(one for one in reversed(launches) if last.get(one.version) == max(last.values()))


def _explored(settings: Settings, pipeline: Pipeline, rows: ServedRows, horizon: date) -> ExploredRows:
    """Return what decisions under exploration plans count for."""
    names = mixtures_in(rows)
    plans = _followed_plans(settings, pipeline, names) if names else {}
    return explored_rows(rows, plans, rules_of_scenario(pipeline.scenario), _known_sets(settings, pipeline, horizon))


def _followed_plans(settings: Settings, pipeline: Pipeline, names: Sequence[str]) -> dict[str, FollowedPlan]:
    """Return the approved plans whose mixtures have these names; one that can't be had is left out with a warning."""
    model, found = f"{pipeline.scenario.name}-policy", dict[str, FollowedPlan]()
    with open_store(settings) as client:
        for number in dict.fromkeys(one.version for one in read_approvals(settings, model) if one.kind == "explore"):
            try:
                version = None if number is None else load_version(client, model, number)
                plan = None if version is None else read_plan(client, version)
                beside = None if plan is None else load_version(client, model, plan.champion)
                if version is None or plan is None or beside is None:
                    continue
                policies = [load_version_policy(client, one) for one in (beside, version)]
            except (RegistryError, PolicyError, MlflowException, OSError) as error:
                structlog.get_logger().warning("an explored plan can't be read", version=number, why=str(error))
                continue
            explored = Explored.of(plan, policies[1], pipeline.scenario.exploration.max_share)
            if (name := explored.version_beside(policies[0])) in names:
                found[name] = FollowedPlan(arm_of(beside.version), policies[0], explored)
    return found


def _known_sets(settings: Settings, pipeline: Pipeline, horizon: date) -> Mapping[str, frozenset[str]] | None:
    """Return the natural keys by availability id; None where every action is always available."""
    if pipeline.scenario.action.mask != "availability":
        return None
    return read_availability(Lake(settings.lake, pipeline.source.name), horizon)


def _earlier(settings: Settings, source: str, scenario: str, run_date: date) -> MonitorFigures | None:
    """Return the figures of the night monitored before; None where there is none."""
    before = [day for day in monitored_dates(settings.home, source, scenario) if day < run_date]
    return read_monitor(Run(settings.home, source, scenario, before[-1]).monitor) if before else None


def _taken_before(night: Run) -> MonitorFigures | None:
    """Return the figures of the same night's first look; None where there was none, or another release took it."""
    try:
        return read_monitor(night.monitor)
    except EvaluationError:
        return None


def _policy(settings: Settings, scenario: str, number: int) -> StochasticPolicy | str:
    """Return the policy of a version, or why it can't be asked."""
    with open_store(settings) as client:
        version = load_version(client, f"{scenario}-policy", number)
        if version is None:
            return f"version {number} was deleted from the registry"
        try:
            return load_version_policy(client, version)
        except (PolicyError, MlflowException, OSError) as error:
            return f"version {number} can't be loaded ({str(error).splitlines()[-1]})"


def _checked(
    settings: Settings,
    pipeline: Pipeline,
    served: Served,
    policy: StochasticPolicy | str,
    log: Path,
    earlier: MonitorFigures | None,
) -> Checked:
    found, refusal = _arrivals(settings, pipeline, served, log, earlier)
    if isinstance(policy, str):
        return Checked((), policy, found, refusal, None)
    sets = _known_sets(settings, pipeline, served.horizon)
    known = {
        one.day: one for one in (() if earlier is None else earlier.frequencies) if one.policy_version == policy.version
    }
    ruled = policy.with_rules(rules_of_scenario(pipeline.scenario))
    days = check_days(_since(served.rows, max(known, default=None)), ruled, sets)
    last = served.episodes.of(served.judged.arm).days[-1]
    unknown = None if sets is None else unknown_share(served.rows, last, policy, sets)
    now = [_frequency(one, policy.version) for one in days]
    return Checked(frequency_figures(known, now), None, found, refusal, unknown)


def _since(rows: ServedRows, last: date | None) -> ServedRows:
    """Return the rows of days after one; all where it is None."""
    if last is None:
        return rows
    kept = np.flatnonzero(rows.day > last.toordinal())
    return ServedRows(rows.transitions.take_episodes(kept), rows.shoppers, rows.day[kept])


def _frequency(one: CheckedDay, version: str) -> FrequencyFigures:
    found = one.found
    return FrequencyFigures(
        day=one.day,
        policy_version=version,
        n_decisions=one.n_decisions,
        n_explained=one.n_explained,
        statistic=None if found is None else found.statistic,
        degrees=None if found is None else found.degrees,
        p_value=None if found is None else found.p_value,
    )


def _arrivals(
    settings: Settings, pipeline: Pipeline, served: Served, log: Path, earlier: MonitorFigures | None
) -> tuple[list[ArrivalFigures], str | None]:
    """Return what of the last days' decisions arrived, or why that can't be told.

    The days are those that may have changed since the night before, and all since the one that was looked at last. One
    without a log counts where the folder holds a log of any day: what the tables have of it, nobody is known to have
    decided.
    """
    lake, lateness = Lake(settings.lake, pipeline.source.name), pipeline.source.lateness_days
    arrived, names = ArrivedDecisions(lake, served.horizon), {*served.deciders, FALLBACK_VERSION}
    event_type = pipeline.source.decisions.event_type
    first = served.horizon - timedelta(days=lateness + 1)
    if earlier is not None:  # what it looked at while lines could still come is looked at again
        first = min(first, earlier.date - timedelta(days=lateness - 1))
    found = []
    for back in range((served.horizon - first).days, -1, -1):
        day = served.horizon - timedelta(days=back)
        logged = logged_decisions(log, day, lake, settings.pseudonym_key())
        came = arrived.of_day(day, event_type, names)
        if logged is not None or came:
            one = arrivals(logged or frozenset(), came, is_due=back >= lateness)
            found.append(_arrival_figures(day, one, log_file=None if logged else day_file(log, day)))
    if not has_logs(log):
        return [], f"{log} holds no log of any day's decisions; name the service's folder (--decisions)"
    return found, None if found else f"nothing was decided from {first} to {served.horizon}"


def _arrival_figures(day: date, one: Arrivals, *, log_file: Path | None) -> ArrivalFigures:
    return ArrivalFigures(
        day=day,
        n_logged=one.n_logged,
        n_arrived=one.n_arrived,
        n_missing=one.n_missing,
        missing=one.missing,
        n_strange=one.n_strange,
        strange=one.strange,
        is_due=one.is_due,
        log_file=None if log_file is None else str(log_file),
    )


def _acted(settings: Settings, look: Look, before: MonitorFigures | None) -> MonitorFigures:
    """Log the figures to the champion's run, roll it back where that is called for, and return the figures with it.

    A look that is taken again (`before` is the first one's) still tells what that led to.
    """
    figures = look.figures
    model = f"{figures.scenario}-policy"
    with open_store(settings) as client:
        settle_model(client, settings, model)
        version = load_version(client, model, figures.version)
        if version is not None:
            log_day(client, version.run_id, figures.date, monitor_metrics(figures))
        wants = figures.on_broken_promise == "rollback" and look.asks_for_rollback
        if before is not None and before.version == figures.version and _was_rolled_back(before):
            return figures.model_copy(update=before.model_dump(include={"rolled_back_to", "is_withdrawn"}))
        if not wants or aliases(client, model).get(CHAMPION) != figures.version:
            return figures
        return _rolled_back(client, settings, model, figures)


def _rolled_back(client: MlflowClient, settings: Settings, model: str, figures: MonitorFigures) -> MonitorFigures:
    why = next(one.sentence for one in figures.alerts if one.kind == "broken_promise")
    try:
        approval = roll_back(client, settings, model, Person(MONITOR, why))
    except RegistryError as error:
        structlog.get_logger().error("no rollback", why=str(error))
        return figures.model_copy(update={"rollback_refusal": str(error)})
    settle_launches(settings, model)
    tag_shares(client, settings, model)
    remember(client, settings, model)
    structlog.get_logger().warning("rollback", model=model, version=approval.version, why=why)
    return figures.model_copy(update={"rolled_back_to": approval.version, "is_withdrawn": approval.version is None})


def _was_rolled_back(figures: MonitorFigures) -> bool:
    return figures.rolled_back_to is not None or figures.is_withdrawn


def monitor_metrics(figures: MonitorFigures) -> dict[str, float]:
    """Return the night's figures for the champion's run in MLflow."""
    last, earned, promised = figures.days[-1], figures.launch.earned, figures.launch.promised
    found: dict[str, float | None] = {
        "earned_gain": None if earned is None else earned.value,
        "earned_gain_lower": None if earned is None else earned.lower,
        "earned_gain_upper": None if earned is None else earned.upper,
        "promised_gain": None if promised is None else promised.value,
        "champion_value": None if last.champion is None else last.champion.value,
        "control_value": None if last.control is None else last.control.value,
        "calibration": figures.ledger.calibration,
        "other_features": figures.other_features,
        "unknown_items": figures.unknown_items,
        "fallback": figures.fallback,
        "n_missing": float(sum(one.n_missing for one in figures.arrivals if one.is_due)),
        "n_strange": float(sum(one.n_strange for one in figures.arrivals)),
        "n_alerts": float(len(figures.alerts)),
    }
    return {f"monitor/{name}": value for name, value in found.items() if value is not None}


def _summary(figures: MonitorFigures, new: Sequence[Alert], night: Run) -> dict[str, Any]:
    earned = figures.launch.earned
    return {
        "scenario": figures.scenario,
        "source": figures.source,
        "date": str(figures.date),
        "version": figures.version,
        "promised": None if figures.launch.promised is None else figures.launch.promised.value,
        "earned": None if earned is None else {"value": earned.value, "lower": earned.lower, "upper": earned.upper},
        "standing": figures.launch.standing,
        "calibration": figures.ledger.calibration,
        "alerts": [one.sentence for one in new],
        "n_alerts": len(figures.alerts),
        "rolled_back_to": "the shop's own rule" if figures.is_withdrawn else figures.rolled_back_to,
        "page": str(night.monitor_page),
    }
