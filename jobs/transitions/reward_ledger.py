"""Where every unit of reward went: counters of each date's manifest, and the sum that must come out exactly.

Of a business day, `reward.events` is what its accepted events are worth and `reward.residual.<name>` what of it no
decision earned. Of a transitions date, `reward.attributed` is what its rows earned, and `reward.attributed_on.<day>`
how much of that came from events of each day; `reward.action_cost` is what its decisions cost, which is taken off what
they earn; `reward.quarantined_on.<day>` is what decisions that are set aside would have earned, and
`reward.residual.quarantined` its sum; likewise of `no_consent`. All in millionths. Where money is counted,
`reward.events_without_money` of a business day is how many counted events lack the money that the reward asks for: they
earn nothing. So counters of sealed dates add up with those of tonight: events up to a day = attributed on days up to it
+ residuals of days up to it; rows = attributed - costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

from conf.kernel_rules import attribution_rule
from conf.specs.scenario import Scenario
from conf.tables import COUNT_RESIDUALS, REFUND_RESIDUALS, REWARD_RESIDUALS
from jobs.transitions.tallies import QUARANTINED, WITHOUT_CONSENT

ATTRIBUTED = "attributed"
EVENTS = "reward.events"
EARNED = "reward.attributed"
RESIDUAL = "reward.residual."
ATTRIBUTED_ON = "reward.attributed_on."
WITHHELD = (QUARANTINED, WITHOUT_CONSENT)
ACTION_COST = "reward.action_cost"
WITHOUT_MONEY = "reward.events_without_money"

Counters = dict[str, int]


@dataclass(frozen=True)
class RewardTotals:
    """Millionths over some days: events = transitions + action_cost + residuals.

    `events_without_money` counts events that earn nothing because the log doesn't say their money.
    """

    events: int
    transitions: int
    residuals: dict[str, int]
    action_cost: int = 0
    events_without_money: int = 0


def residuals_of(scenario: Scenario) -> tuple[str, ...]:
    """Return the names of all residuals that the scenario's ledger has."""
    rule = attribution_rule(scenario)
    refunds = REFUND_RESIDUALS if rule.follows_purchases else ()
    return (*REWARD_RESIDUALS, *refunds, *(COUNT_RESIDUALS if rule.sets_recounts_aside else ()))


def reward_counters(
    dates: Collection[date],
    *,
    accepted: Mapping[date, int],
    repeated: Mapping[date, int],
    outcomes: Collection[tuple[date, str, date | None, int]],
    earned: Mapping[date, int],
    residuals: Collection[str] = REWARD_RESIDUALS,
    extra: Mapping[str, Mapping[date, int]] | None = None,
    partition_of: Callable[[date], date] = lambda day: day,
) -> dict[date, Counters]:
    """Return the counters of each date's manifest.

    Args:
        dates: transitions dates that are made.
        accepted: worth of all accepted events by day, repeated ones too.
        repeated: worth of those that an earlier delivery already held.
        outcomes: of `tallies.outcomes`: worth by the event's day, outcome and date of the transition.
        earned: sum of the reward column as written, by transitions date.
        residuals: names of all there are.
        extra: further counters by name and date, of scenarios that count money.
        partition_of: the transitions date that answers for a day's events.
    """
    counters: dict[date, Counter[str]] = {}
    for day in dates:
        names = [EVENTS, EARNED, *(RESIDUAL + name for name in residuals)]
        counters[day] = Counter(dict.fromkeys(names, 0))
        counters[day].update(dict.fromkeys(extra or {}, 0))
        counters[day][EARNED] = earned.get(day, 0)
    by_name = {EVENTS: accepted, RESIDUAL + "duplicate_across_deliveries": repeated, **(extra or {})}
    for name, by_day in by_name.items():
        for day, n in by_day.items():
            if (owner := partition_of(day)) in counters:
                counters[owner][name] += n
    for event_day, outcome, decision_day, worth in outcomes:
        if decision_day is not None:
            if decision_day in counters:
                _add_earned(counters[decision_day], outcome, event_day, worth)
        elif (owner := partition_of(event_day)) in counters:
            counters[owner][RESIDUAL + outcome] += worth
    return {day: dict(found) for day, found in counters.items()}


def reward_totals(counters: Mapping[date, Counters], last_day: date) -> RewardTotals:
    """Return the totals over all dates up to the last day.

    Where dates were built at a later horizon, their rows also hold reward of later events; that isn't counted here.
    """
    days = [found for day, found in counters.items() if day <= last_day]
    own = [name for name in (*REFUND_RESIDUALS, *COUNT_RESIDUALS) if any(RESIDUAL + name in found for found in days)]
    names = [*REWARD_RESIDUALS, *own]
    return RewardTotals(
        events=sum(found[EVENTS] for found in days),
        transitions=sum(_earned_up_to(found, last_day) for found in days),
        residuals={name: sum(_residual_up_to(found, name, last_day) for found in days) for name in names},
        action_cost=sum(found.get(ACTION_COST, 0) for found in days),
        events_without_money=sum(found.get(WITHOUT_MONEY, 0) for found in days),
    )


def reward_violations(counters: Mapping[date, Counters], last_day: date) -> list[str]:
    """Return what doesn't add up: a date's rows against what was attributed to it, or all dates against all events."""
    problems = []
    for day, found in sorted(counters.items()):
        attributed = sum(worth for name, worth in found.items() if name.startswith(ATTRIBUTED_ON))
        cost = found.get(ACTION_COST, 0)
        if found[EARNED] + cost != attributed:
            less = f" less {cost} that the decisions cost" if cost else ""
            problems.append(
                f"date={day}: rows earned {found[EARNED]} millionths; expected {attributed}, what the "
                f"events attributed to them are worth{less}"
            )
    total = reward_totals(counters, last_day)
    if total.events != total.transitions + total.action_cost + sum(total.residuals.values()):
        costs = f", decisions cost {total.action_cost}" if total.action_cost else ""
        problems.append(
            f"all dates up to {last_day}: transitions earned {total.transitions} millionths{costs} and residuals hold "
            f"{sum(total.residuals.values())}; expected {total.events} together, what the events are worth"
        )
    return problems


def _add_earned(counters: Counter[str], outcome: str, event_day: date, worth: int) -> None:
    """Count what an event's decision earned, or would have earned if it weren't set aside, on the decision's date."""
    if outcome == ATTRIBUTED:
        counters[f"{ATTRIBUTED_ON}{event_day}"] += worth
    else:
        counters[f"{_withheld_on(outcome)}{event_day}"] += worth
        counters[RESIDUAL + outcome] += worth


def _earned_up_to(found: Counters, last_day: date) -> int:
    """Return the millionths earned as written, less what came from events after the last day."""
    return found[EARNED] - _after(found, ATTRIBUTED_ON, last_day)


def _residual_up_to(found: Counters, name: str, last_day: date) -> int:
    """Return the millionths of a residual, less what came from events after the last day."""
    # Manifests of earlier releases don't know every residual.
    total = found.get(RESIDUAL + name, 0)
    return total - _after(found, _withheld_on(name), last_day) if name in WITHHELD else total


def _withheld_on(outcome: str) -> str:
    return f"reward.{outcome}_on."


def _after(found: Counters, prefix: str, last_day: date) -> int:
    by_day = {name.removeprefix(prefix): worth for name, worth in found.items() if name.startswith(prefix)}
    return sum(worth for day, worth in by_day.items() if date.fromisoformat(day) > last_day)
