"""`decide`: the week's list, a decision for every shopper, within the budget and with its propensities."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import structlog

from conf.errors import SpecError
from conf.kernel.calendar import calendar_of, day_number
from conf.kernel.clocks.shopper_week import ShopperWeek
from conf.kernel_rules import clock_of
from conf.paths import Lake, Run
from conf.plain_json import to_json
from conf.publication import publishing, write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.budget import Budget
from conf.specs.reward import millionths
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import code_hash, full_spec_hash
from rl.commands import decide_orders, decide_recommendations
from rl.commands.rule_names import refuse_unknown_actions
from rl.data.offer_costs import committed_costs
from rl.data.shop_rules import rules_of_scenario
from rl.data.transitions_reading import read_availability
from rl.data.week_observations import WeekObservations, read_week
from rl.errors import PolicyError
from rl.lists.list_checks import refuse_wrong_list
from rl.lists.list_publishing import ListOrigin, ListPrices, publish_list, write_draft_csv
from rl.lists.pacing import PacedWeek, read_paced_week
from rl.lists.weekly_decisions import DecidedWeek, WeekStart, decide_week, offers_of
from rl.policy import StochasticPolicy
from rl.policy.offer_prices import MILLIONTHS, Cap, OfferPrices
from rl.registry.champion import load_version_policy
from rl.registry.deciding_version import NobodyDecides, deciding_version, registered_version
from rl.registry.versions import RegisteredVersion

log = structlog.get_logger()


@dataclass(frozen=True)
class _List:
    """A list that holds what it must, what it was made of, and what is said of it."""

    rows: pa.Table
    inputs: Mapping[str, str]
    key_id: str
    told: Mapping[str, Any]
    prices: ListPrices


def run(
    *,
    settings: Settings,
    source: str,
    scenario: str,
    run_date: date,
    version: int | None,
    budget: float | None,
    asked: Mapping[str, Any] | None = None,
    stock: Path | None = None,
) -> dict[str, Any]:
    """Write the list of the day after the date: of its week, of its orders or of its sessions; return its summary.

    `skipped` says that nothing decides yet, or that the scenario was turned off. Before anything was approved, the list
    of the version that the night registered is drafted in the night's run folder, for whoever reviews it: the table
    `decisions` holds what somebody approved, or named.

    Args:
        settings: what the environment says: home, lake, registry.
        source: its name.
        scenario: its name.
        run_date: last business date whose deliveries count.
        version: of the registered policy; None for the champion.
        budget: of the week, in the reward's unit; None for the scenario's.
        asked: fields of `decide_recommendations.Asked`, for a scenario that decides within sessions alone.
        stock: file with what the shop has, for orders of a log that counts none.

    Raises:
        SpecError: a scenario of which no list can be decided, or whose rules name an action that nothing knows; or an
            option that is another scenario's.
        RegistryError: no such version.
        PolicyError: a policy that was judged without a budget, or a list that isn't right or that the period's budget
            doesn't pay; nothing is published.
    """
    pipeline = load_pipeline(scenario, source)
    if stock is not None and pipeline.scenario.orders is None:
        raise SpecError(f"{scenario} decides on no orders; leave out --stock")
    if pipeline.scenario.clock == "session_step":
        if budget is not None:
            raise SpecError(f"{scenario} decides within sessions, which have no weekly budget; leave out --budget")
        recommended = decide_recommendations.Asked(**(asked or {}))
        return decide_recommendations.run(
            settings=settings, pipeline=pipeline, run_date=run_date, version=version, asked=recommended
        )
    if asked:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise SpecError(
            f"{options}: {scenario} decides by {pipeline.scenario.clock}, not within sessions; leave it out"
        )
    if pipeline.scenario.orders is not None:
        return decide_orders.run(
            settings=settings,
            source=source,
            scenario=scenario,
            run_date=run_date,
            version=version,
            budget=budget,
            stock=stock,
        )
    lake, start = Lake(settings.lake, source), week_start(pipeline, run_date + timedelta(days=1))
    refuse_unknown_actions(settings, pipeline, horizon=run_date)
    with publishing(lake.list_lock(scenario)):  # lists of a period are decided one by one
        return _decided(settings, pipeline, lake, start, run_date=run_date, version=version, budget=budget)


def _decided(
    settings: Settings,
    pipeline: Pipeline,
    lake: Lake,
    start: WeekStart,
    *,
    run_date: date,
    version: int | None,
    budget: float | None,
) -> dict[str, Any]:
    """Return the summary of the list of a week, published or drafted; arguments as of `run`."""
    started = time.monotonic()
    source, scenario = pipeline.source.name, pipeline.scenario.name
    weekly_budget, paced = _weekly_budget(pipeline, lake, start, budget)
    result: dict[str, Any] = {
        "source": source,
        "scenario": scenario,
        "date": str(run_date),
        "as_of": str(start.as_of),
        "weekly_budget": weekly_budget / MILLIONTHS,
        "period": None if paced is None else paced.to_json(),
    }
    found = deciding_version(settings, pipeline, version, load_version_policy)
    night = Run(settings.home, source, scenario, run_date)
    if isinstance(found, NobodyDecides):
        drafted = (
            deciding_version(settings, pipeline, registered_version(night), load_version_policy)
            if found.is_unapproved
            else found
        )
        if isinstance(drafted, NobodyDecides):
            return result | {"skipped": found.why}
        week = _listed(pipeline, lake, *drafted, start=start, weekly_budget=weekly_budget)
        verdict = str(week.told["verdict"])
        write_draft_csv(night.draft_list, week.rows, week.prices, verdict=verdict)
        result |= {**week.told, "is_draft": True, "csv": str(night.draft_list)}
        write_atomically(night.decide_result, to_json(result, indent=1))
        return result | {
            "skipped": f"{found.why}; version {week.told['version']}'s list is drafted{_caution(verdict)}: "
            f"{night.draft_list}"
        }
    week = _listed(pipeline, lake, *found, start=start, weekly_budget=weekly_budget)
    if paced is not None:
        paced.refuse_overrun(sum(week.rows["committed"].to_pylist()))
    origin = ListOrigin(
        scenario=scenario,
        as_of=start.as_of,
        horizon=run_date,
        spec_hash=full_spec_hash(pipeline),
        code_hash=code_hash(*(PROJECT_ROOT / folder for folder in ("conf", "rl"))),
        key_id=week.key_id,
        weekly_budget=weekly_budget,
        inputs=week.inputs,
        prices=week.prices,
    )
    pointer, is_new = publish_list(lake, week.rows, origin)
    result |= {
        **week.told,
        "is_draft": False,
        "is_new": is_new,
        "content_hash": pointer.manifest.content_hash,
        "table": str(lake.decisions(scenario)),
        "csv": str(lake.decisions_csv(scenario, start.as_of)),
        "seconds": round(time.monotonic() - started, 1),
    }
    write_atomically(night.decide_result, to_json(result, indent=1))
    night.draft_list.unlink(missing_ok=True)
    names = ("as_of", "committed", "weekly_budget", "price", "registered_price")
    log.info("decided", **{name: result[name] for name in names})
    return result


def _listed(
    pipeline: Pipeline,
    lake: Lake,
    registered: RegisteredVersion,
    policy: StochasticPolicy,
    *,
    start: WeekStart,
    weekly_budget: int,
) -> _List:
    """Return the week's list by a version's policy.

    Raises:
        PolicyError: a policy that was judged without a budget, or a list that isn't right.
    """
    observed, horizon = read_week(pipeline, lake, start.as_of), start.as_of - timedelta(days=1)
    committed = committed_costs(pipeline, lake, policy.vocabulary.keys, horizon)
    policy = _as_now(policy, committed, pipeline.scenario.budget).with_rules(rules_of_scenario(pipeline.scenario))
    offers = offers_of(pipeline.scenario, read_availability(lake, horizon))
    name = pipeline.scenario.name
    decided = decide_week(policy, observed, offers, start, scenario=name, weekly_budget=weekly_budget)
    costs = dict(zip(policy.vocabulary.keys, committed, strict=True))
    refuse_wrong_list(decided.rows, observed, offers, committed=costs, weekly_budget=weekly_budget)
    inputs = {
        f"observations/as_of={start.as_of}": observed.pointer.manifest.content_hash,
        f"mlflow/{registered.model}": f"{registered.version}/{policy.version}",
        "weekly_budget": str(weekly_budget),
        "committed": ", ".join(f"{key} {cost}" for key, cost in costs.items()),
    }
    told = {
        "model": registered.model,
        "version": registered.version,
        "verdict": registered.tags["verdict"],
        **_summary(decided, policy, observed),
    }
    prices = ListPrices(told["price"], told["registered_price"])
    return _List(decided.rows, inputs, observed.pointer.manifest.key_id, told, prices)


def week_start(pipeline: Pipeline, as_of: date) -> WeekStart:
    """Return the start of the week that begins on the day.

    Raises:
        SpecError: no list can be decided for the scenario, or no week starts on that day.
    """
    scenario, clock, day = pipeline.scenario, clock_of(pipeline), day_number(as_of)
    if scenario.list_problem or not isinstance(clock, ShopperWeek):
        raise SpecError(scenario.list_problem)
    calendar = calendar_of(pipeline.source.zone, day - 8, day + 8)
    week = clock.weeks_of(calendar.start_of_day(np.array([day + 1], dtype=np.int64)), calendar)
    moment = int(clock.starts_us(week, calendar)[0])
    starting = int(calendar.day(np.array([moment], dtype=np.int64))[0])
    if starting != day:
        raise SpecError(
            f"{as_of}: no week of {scenario.name} starts on that day, but on each {scenario.week.weekday}"
            if scenario.week is not None
            else f"{scenario.name} has no weeks"
        )
    return WeekStart(as_of, moment)


def _weekly_budget(
    pipeline: Pipeline, lake: Lake, start: WeekStart, asked: float | None
) -> tuple[int, PacedWeek | None]:
    """Return the week's budget, in millionths, and what its period leaves; None where each week has its own.

    Raises:
        SpecError: a scenario without a budget.
        PolicyError: more was asked for than the period has left.
    """
    budget = pipeline.scenario.budget
    if budget is None:
        raise SpecError(f"{pipeline.scenario.name} has no budget; write one, so that its nights fix a price of money")
    weekly = millionths(budget.weekly)
    if budget.pacing is None:
        return weekly if asked is None else millionths(asked), None
    paced = read_paced_week(budget.pacing, lake, pipeline.scenario.name, start.as_of, weekly=weekly)
    if paced.left < 0:
        log.warning("the period's lists committed more than its budget", **paced.to_json())
    if asked is None:
        return paced.weekly_budget, paced
    paced.refuse_overrun(millionths(asked))
    return millionths(asked), paced


def _caution(verdict: str) -> str:
    """Return what must be said of a draft by a version that didn't pass the gate; empty where it passed."""
    return "" if verdict == "promote" else f" for review alone (the gate's verdict on it is {verdict})"


def _as_now(policy: StochasticPolicy, committed: tuple[int, ...], budget: Budget | None) -> StochasticPolicy:
    """Return the policy where actions commit what they do now, within its own caps and the scenario's.

    It is the one that was registered, while all is as before.

    Raises:
        PolicyError: it was judged without a budget.
    """
    prices = policy.prices
    if prices is None:
        raise PolicyError(
            f"policy {policy.version} was judged without a budget, so that it has no price of money; register a night "
            "of the scenario as it is now, and promote it"
        )
    costs = (*committed, *((max(committed),) if policy.vocabulary.has_other else ()))
    asked = () if budget is None else tuple(Cap(cap.feature, cap.offers) for cap in budget.caps)
    now = replace(prices.with_committed(costs), caps=tuple(dict.fromkeys((*prices.caps, *asked))))
    return policy if now == prices else policy.with_prices(now)


def _summary(decided: DecidedWeek, policy: StochasticPolicy, observed: WeekObservations) -> dict[str, Any]:
    drawn, prices = decided.drawn, policy.prices
    names = policy.vocabulary.names
    return {
        "policy_version": policy.version,
        "n_shoppers": len(observed),
        "n_eligible": int(decided.may_get_offers.sum()),
        "n_opted_out": int(observed.has_opted_out.sum()),
        "n_inactive": int((~observed.is_active & ~observed.has_opted_out).sum()),
        "offers": dict(sorted(Counter(decided.rows["action"].to_pylist()).items())),
        "committed": int(drawn.committed.sum()) / MILLIONTHS,
        "expected": round(drawn.expected, 6),
        "price": drawn.price,
        "registered_price": prices.price if isinstance(prices, OfferPrices) else None,
        "left_out": [names[one] for one in drawn.left_out],
    }
