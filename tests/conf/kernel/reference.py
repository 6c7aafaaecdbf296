"""Sessions and transitions row by row: loops over events as dictionaries, one for each rule of the documentation.

The kernel is compared with it on logs of a few lines. It shares no code with the kernel and none with the Spark jobs.
Rows hold the columns of the events table, `event_date` and `delivery_date`; times are aware.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from conf.event_types import EVENT_TYPE_RANK
from conf.observation_features import id_hash, window_of
from conf.specs.problem import WEEKDAYS
from conf.specs.scenario import Pipeline
from tests.conf.kernel.columns_of_rows import money_of

Row = dict[str, Any]
SECOND = timedelta(seconds=1)


@dataclass
class Session:
    """A shopper's session, or block of weeks: its events in order, whether it was cut, when it closed, and its date.

    `n_seen` counts the events before its closing: all but those of weeks after its last decision's.
    """

    events: list[Row]
    is_cut: bool
    closing_time: datetime
    date: date
    n_seen: int = 0


@dataclass
class Outcome:
    """What became of an event that rewards or metrics count."""

    name: str
    decision: Row | None = None


def by_shopper(rows: Iterable[Row], pipeline: Pipeline) -> dict[str, list[Row]]:
    """Each shopper's events in the total order; `tells_again` where an earlier one of the day told the decision."""
    found: dict[str, list[Row]] = {}
    told: set[tuple[Any, ...]] = set()
    for row in sorted(rows, key=lambda one: (one["event_time"], EVENT_TYPE_RANK[one["event_type"]], one["event_id"])):
        tells_again = False
        if pipeline.is_logged and row["decision_id"] is not None and _is_decision(row, pipeline):
            shown = row["item_id"] if row["action"] is None else row["action"]
            decision = (row["user_id"], row["event_date"], row["decision_id"], shown, row["position"])
            tells_again = decision in told
            told.add(decision)
        found.setdefault(row["user_id"], []).append(row | {"tells_again": tells_again})
    return found


def visits_of(events: Sequence[Row], pipeline: Pipeline) -> list[Session]:
    """One shopper's sessions, or blocks of weeks, in which decisions follow one another."""
    return sessions_of(events, pipeline) if pipeline.scenario.week is None else blocks_of(events, pipeline)


def blocks_of(events: Sequence[Row], pipeline: Pipeline) -> list[Session]:
    """One shopper's blocks of weeks, each closed where the week of its last decision ends."""
    zone, week = ZoneInfo(pipeline.source.zone), pipeline.scenario.week
    assert week is not None
    first_monday = date(1970, 1, 5)
    # Blocks are counted from the first such weekday of 1970, its first Monday or after it.
    day = first_monday + timedelta(days=WEEKDAYS.index(week.weekday))
    first_block = day + timedelta(days=7 * week.weeks) * ((events[0]["event_date"] - day).days // (7 * week.weeks) - 1)
    starts = [first_block]
    while starts[-1] <= events[-1]["event_date"]:
        starts.append(starts[-1] + timedelta(days=7))
    moments = {day: datetime.combine(day, time(week.hour), tzinfo=zone).astimezone(UTC) for day in starts}
    blocks: dict[date, list[Row]] = {}
    for row in events:
        number = max(place for place, day in enumerate(starts) if moments[day] <= row["event_time"])
        blocks.setdefault(starts[number - number % week.weeks], []).append(row)
    found = []
    for day, own in blocks.items():
        closing = moments[day]
        for row in own:
            if _is_decision(row, pipeline):
                closing = min(moment for moment in moments.values() if moment > row["event_time"])
        n_seen = len([row for row in own if row["event_time"] < closing])
        found.append(Session(own, True, closing, day, n_seen))
    return found


def sessions_of(events: Sequence[Row], pipeline: Pipeline) -> list[Session]:
    """One shopper's sessions.

    A new one starts after a silence longer than the gap, with the first event of each day that lies two or more days
    after the chain's first, and with the first event of each further longest duration.
    """
    gap = timedelta(minutes=pipeline.source.session.gap_minutes)
    longest = timedelta(hours=pipeline.source.session.max_hours)
    found: list[Session] = []
    chain_day = last_day = piece_start = last_time = None
    n_full = 0
    for row in events:
        now, day = row["event_time"], row["event_date"]
        is_gap = last_time is None or now - last_time > gap
        if is_gap:
            chain_day = day
        is_late_day = day != last_day and day >= chain_day + timedelta(days=2)
        if is_gap or is_late_day:
            piece_start, n_full = now, 0
        is_full = (now - piece_start) // longest != n_full
        n_full = (now - piece_start) // longest
        if is_gap or is_late_day or is_full:
            if found and not is_gap:
                found[-1].is_cut, found[-1].closing_time = True, now
            found.append(Session([], False, now + gap, day))
        found[-1].events.append(row)
        found[-1].n_seen += 1
        if not found[-1].is_cut:
            found[-1].closing_time = now + gap
        last_time, last_day = now, day
    return found


def outcomes_of(events: Sequence[Row], pipeline: Pipeline) -> dict[str, Outcome]:
    """One shopper's counted events by event id: the latest decision before each that it is linked to, or why none."""
    counted, follows = counted_types(pipeline)
    found: dict[str, Outcome] = {}
    for place, row in enumerate(events):
        if row["event_type"] not in counted:
            continue
        if follows and row["event_type"] == "refund":
            found[row["event_id"]] = _outcome_of_refund(row, events[:place], found, pipeline)
        elif pipeline.scenario.reward.attribution.link == "itself":
            is_own = _is_decision(row, pipeline)
            found[row["event_id"]] = Outcome("attributed", row) if is_own else Outcome("no_earlier_decision")
        else:
            linked = [one for one in events[:place] if _is_decision(one, pipeline) and _links(row, one, pipeline)]
            found[row["event_id"]] = _outcome(row, _decision_among(linked, row, pipeline), pipeline)
    return found


def _decision_among(linked: Sequence[Row], row: Row, pipeline: Pipeline) -> Row | None:
    """The latest of the decisions that showed the row's item, or else of all: a slate's click finds its item."""
    by_item = []
    if pipeline.scenario.reward.attribution.link == "decision_id" and row["item_id"] is not None:
        first_day = row["event_date"] - timedelta(days=_look_back_days(pipeline))
        by_item = [one for one in linked if _shown_item(one, pipeline) == row["item_id"]]
        by_item = [one for one in by_item if one["event_date"] >= first_day]
    return ([None, *linked, *by_item])[-1]


def counted_types(pipeline: Pipeline) -> tuple[set[str], bool]:
    """Types of the events that rewards or metrics count, and whether refunds follow their purchases."""
    reward, metrics = pipeline.scenario.reward, pipeline.scenario.metrics.values()
    money = [one for one in (*reward.terms, *metrics) if getattr(one, "value", "count") != "count"]
    follows = any(one.event == "purchase" for one in money)  # type: ignore[union-attr]
    named = {getattr(one, "event", one) for one in (*reward.weights, *reward.terms, *metrics)}
    return named | ({"purchase", "refund"} if follows else set()), follows


def _outcome_of_refund(refund: Row, before: Sequence[Row], outcomes: dict[str, Outcome], pipeline: Pipeline) -> Outcome:
    """Where its purchase went: of its order (and there of its item), else of its item; unless it comes too late."""
    purchases = [one for one in before if one["event_type"] == "purchase"]
    order, item = refund.get("order_id"), refund["item_id"]
    if order is not None:
        fitting = [one for one in purchases if one.get("order_id") == order]
        of_item = [one for one in fitting if item is not None and one["item_id"] == item]
        fitting = of_item or fitting
    else:
        fitting = [one for one in purchases if item is not None and one["item_id"] == item]
    if not fitting or fitting[-1]["event_date"] < refund["event_date"] - timedelta(days=_look_back_days(pipeline)):
        return Outcome("refund_without_purchase")
    outcome = outcomes[fitting[-1]["event_id"]]
    if outcome.decision is None:
        return outcome
    window = timedelta(hours=pipeline.scenario.reward.attribution.window_hours)
    is_late = refund["event_time"] - outcome.decision["event_time"] > window
    return Outcome("late_refund") if is_late else outcome


def worth_of(row: Row, event: str, value: str, factor: Fraction) -> int:
    """What an event is worth to a term: its number, or its money times the factor; a refund takes back."""
    kind = row["event_type"]
    if value == "count":
        return int(factor) if kind == event else 0
    takes_back = kind == "refund" and event == "purchase"
    if kind != event and not takes_back:
        return 0
    amount, cost = money_of(row, "amount"), row.get("cost")
    if takes_back and value == "margin":
        cost = cost or 0
    parts = {"revenue": [amount], "margin": [amount, cost], "discount": [row.get("discount")], "cost": [cost]}[value]
    if None in parts:
        return 0
    if takes_back:
        parts = [abs(part) for part in parts]
    money = (parts[0] - parts[1] if len(parts) == 2 else parts[0]) * factor
    nearest = int(abs(money) + Fraction(1, 2)) * (1 if money >= 0 else -1)
    return -nearest if takes_back else nearest


def reward_of(credits: Sequence[Row], decision: Row, pipeline: Pipeline) -> int:
    """What the attributed events are worth, less what the decision cost."""
    reward = pipeline.scenario.reward
    total = sum(reward.weight_millionths.get(row["event_type"], 0) for row in credits)
    for term in reward.terms:
        factor = Fraction(str(term.weight)) * (1_000_000 if term.value == "count" else 1)
        if term.value == "margin" and reward.margin_rate is not None:
            total += sum(
                worth_of(row, term.event, "revenue", factor * Fraction(str(reward.margin_rate))) for row in credits
            )
        else:
            total += sum(worth_of(row, term.event, term.value, factor) for row in credits)
    cost = reward.action_cost
    if cost is not None and cost.logged:
        return total - (decision.get("cost") or 0)
    if cost is not None and cost.declared is not None:
        given = cost.declared.get(_action(decision, pipeline), cost.otherwise)
        return total - int(Fraction(str(given)) * 1_000_000)
    return total


def metric_of(credits: Sequence[Row], metric: Any, pipeline: Pipeline) -> int:
    """The number of attributed events of the type, or their money."""
    if isinstance(metric, str):
        return len([one for one in credits if one["event_type"] == metric])
    rate = pipeline.scenario.reward.margin_rate
    if metric.value == "margin" and rate is not None:
        return sum(worth_of(one, metric.event, "revenue", Fraction(str(rate))) for one in credits)
    return sum(worth_of(one, metric.event, metric.value, Fraction(1)) for one in credits)


def transitions_of(
    rows: Iterable[Row],
    pipeline: Pipeline,
    *,
    sets: Sequence[Row],
    dates: Iterable[date],
    horizon: date,
    shoppers: Sequence[Row] = (),
    items: Sequence[Row] = (),
) -> list[Row]:
    """Every transition of the sessions that start on the dates, in the shoppers' ascending order and the total order.

    Beside the table's columns that are computed: `event_id` of the decision, `episode` (shopper, start of the session
    and part).
    """
    asked = set(dates)
    found: list[Row] = []
    rows = [row | {"known_category": _known_category(row, items, pipeline)} for row in rows]
    for shopper, events in sorted(by_shopper(rows, pipeline).items()):
        told = [one for one in shoppers if one["user_id"] == shopper]
        earned = _earned(outcomes_of(events, pipeline), events)
        for session in visits_of(events, pipeline):
            if session.date in asked:
                found += _transitions_of_session(shopper, session, events, earned, pipeline, sets, horizon, told)
    return found


def _transitions_of_session(
    shopper: str,
    session: Session,
    history: Sequence[Row],
    earned: dict[str, list[Row]],
    pipeline: Pipeline,
    sets: Sequence[Row],
    horizon: date,
    told: Sequence[Row],
) -> list[Row]:
    zone, scenario = ZoneInfo(pipeline.source.zone), pipeline.scenario
    complete_until = _midnight(horizon + timedelta(days=1 - pipeline.source.lateness_days), zone)
    horizon_end = _midnight(horizon + timedelta(days=1), zone)
    window = timedelta(hours=scenario.reward.attribution.window_hours)
    decided = [place for place, row in enumerate(session.events) if _is_decision(row, pipeline)]
    reasons = [problem_of(session.events[place], session, pipeline, sets) for place in decided]
    made: list[Row] = []
    for number, place in enumerate(decided):
        row = session.events[place]
        step = number % scenario.episode.max_steps
        if any(reasons[number - step : number - step + scenario.episode.max_steps]):
            continue
        credits = earned.get(row["event_id"], [])
        if number + 1 < len(decided):
            next_place = decided[number + 1]
            next_time = session.events[next_place]["event_time"]
            next_set = session.events[next_place]["availability_id"]
            if reasons[number + 1] == "unknown_set":
                in_force = _set_in_force(sets, next_time, zone)
                next_set = row["availability_id"] if in_force is None else in_force
            terminal, timeout = False, step + 1 == scenario.episode.max_steps
        else:
            next_place, next_time = session.n_seen, session.closing_time
            in_force = _set_in_force(sets, next_time, zone)
            next_set = row["availability_id"] if in_force is None else in_force
            terminal = not session.is_cut and next_time < complete_until
            timeout = not terminal
        made.append(
            {
                "event_id": row["event_id"],
                "episode": (shopper, session.events[0]["event_id"], number // scenario.episode.max_steps),
                "step": step,
                "action_id": _hashed(_action(row, pipeline)),
                "observation": _observation(session.events[:place], row["event_time"], history, told, pipeline),
                "next_observation": _observation(session.events[:next_place], next_time, history, told, pipeline),
                "reward": reward_of(credits, row, pipeline),
                "metrics": {name: metric_of(credits, kind, pipeline) for name, kind in scenario.metrics.items()},
                "terminal": terminal,
                "timeout": timeout,
                "reward_settled": row["event_time"] + window <= horizon_end,
                "elapsed_seconds": (next_time - row["event_time"]) // SECOND,
                "next_availability_id": next_set,
                "date": session.date,
            }
        )
    return made


def set_aside_of(
    rows: Iterable[Row], pipeline: Pipeline, *, sets: Sequence[Row], dates: Iterable[date]
) -> dict[str, str | None]:
    """The decisions without a transition, by event id: what is wrong with each, None where it stands beside such."""
    asked, longest = set(dates), pipeline.scenario.episode.max_steps
    found: dict[str, str | None] = {}
    for events in by_shopper(rows, pipeline).values():
        for session in visits_of(events, pipeline):
            decided = [row for row in session.events if _is_decision(row, pipeline)]
            for first in range(0, len(decided), longest):
                episode = decided[first : first + longest]
                problems = {row["event_id"]: problem_of(row, session, pipeline, sets) for row in episode}
                if session.date in asked and any(problems.values()):
                    found |= problems
    return found


def problem_of(row: Row, session: Session, pipeline: Pipeline, sets: Sequence[Row]) -> str | None:
    """Why a decision can't be used: no consent, no action, or one that its set doesn't offer, or a set nobody knows.

    What is delivered after the session's partition is sealed stays unknown.
    """
    if not row.get("has_consent", True):
        return "no_consent"
    if _action(row, pipeline) is None:
        return "no_action"
    if pipeline.scenario.action.mask == "none":
        return None
    last = session.date + timedelta(days=pipeline.settle_days)
    known = [one for one in sets if one["availability_id"] == row["availability_id"]]
    if not any(one["delivery_date"] <= last for one in known):
        return "unknown_set"
    return None if _action(row, pipeline) in known[0]["actions"] else "outside_set"


def _earned(outcomes: dict[str, Outcome], events: Sequence[Row]) -> dict[str, list[Row]]:
    earned: dict[str, list[Row]] = {}
    for row in events:
        outcome = outcomes.get(row["event_id"])
        if outcome is not None and outcome.decision is not None:
            earned.setdefault(outcome.decision["event_id"], []).append(row)
    return earned


def _outcome(row: Row, decision: Row | None, pipeline: Pipeline) -> Outcome:
    attribution = pipeline.scenario.reward.attribution
    days_back = _look_back_days(pipeline)
    if decision is not None and decision["event_date"] >= row["event_date"] - timedelta(days=days_back):
        if row["event_time"] - decision["event_time"] <= timedelta(hours=attribution.window_hours):
            return Outcome("attributed", decision)
        return Outcome("outside_attribution_window")
    names_one = attribution.link == "decision_id" and row["decision_id"] is not None
    return Outcome("unknown_decision" if names_one else "no_earlier_decision")


def _look_back_days(pipeline: Pipeline) -> int:
    """Farther back than history, window and sessions need, a decision counts as not there."""
    window_hours = pipeline.scenario.reward.attribution.window_hours
    return max(pipeline.scenario.observation.history_days, -(-window_hours // 24) + 1, 2)


def _links(row: Row, decision: Row, pipeline: Pipeline) -> bool:
    """True where the row is tied to the decision; a decision is tied to an earlier one by what it itself chose."""
    if pipeline.scenario.reward.attribution.link == "decision_id":
        named = row["decision_id"]
        if named is None and _is_decision(row, pipeline):
            named = row["event_id"]
        return named is not None and bool(named == (decision["decision_id"] or decision["event_id"]))
    if pipeline.scenario.reward.attribution.link == "last_decision":
        return True
    if _is_decision(row, pipeline):
        touched = _action(row, pipeline)
    else:
        touched = row["item_id"] if pipeline.scenario.action.key == "item" else row["category_id"]
    return touched is not None and bool(touched == _action(decision, pipeline))


def _observation(
    before: Sequence[Row], moment: datetime, history: Sequence[Row], told: Sequence[Row], pipeline: Pipeline
) -> Row:
    """What is known at the moment: of the session's events before it, and of the days that deliveries brought."""
    day = moment.astimezone(ZoneInfo(pipeline.source.zone)).date()
    values = _session_values(before, moment, pipeline) | _history_values(_delivered(history, day, pipeline), day)
    found: Row = {}
    for feature in pipeline.scenario.observation.features:
        if feature.values is not None:
            own = [one for one in told if f"shopper_{one['attribute']}" == feature.name]
            known = _known_value(own, "value", moment, day)
            listed = [*feature.values]
            found[feature.name] = -1 if known is None else 1 + listed.index(known) if known in listed else 0
            continue
        if (window := window_of(feature.name)) is not None:
            first = day - timedelta(days=window[1])
            seen = [one for one in history if first <= one["event_date"] < day and one["delivery_date"] < day]
            found[feature.name] = _in_window(seen, window[0], day, pipeline)
            continue
        value = values[feature.name]
        if feature.length is not None:
            value = [id_hash(key) for key in value if key is not None][: feature.length]
        found[feature.name] = value
    return found


def _session_values(before: Sequence[Row], moment: datetime, pipeline: Pipeline) -> Row:
    local = moment.astimezone(ZoneInfo(pipeline.source.zone))
    shown = [row for row in reversed(before) if _is_decision(row, pipeline)]
    engaged = [row for row in reversed(before) if _shows_interest(row)]
    prices = [row["price"] for row in engaged if row["price"] is not None]
    return {
        "recent_shown_items": [_shown_item(row, pipeline) for row in shown],
        "recent_shown_categories": [row["known_category"] for row in shown],
        "recent_engaged_items": [row["item_id"] for row in engaged],
        "recent_engaged_categories": [row["known_category"] for row in engaged],
        "session_step": len(shown),
        "n_session_clicks": _n_of(before, "click", "view"),
        "n_session_carts": _n_of(before, "cart", "favorite"),
        "n_session_purchases": _n_of(before, "purchase"),
        "seconds_since_session_start": (moment - before[0]["event_time"]) // SECOND if before else 0,
        "seconds_since_previous_event": (moment - before[-1]["event_time"]) // SECOND if before else -1,
        "n_decisions_since_engagement": _decisions_after_engagement(before, pipeline),
        "n_engaged_in_a_row": _engaged_in_a_row(before, pipeline),
        "last_price_band": len(bin(prices[0])) - 2 if prices else -1,
        "hour_of_day": local.hour,
        "day_of_week": local.isoweekday(),
    }


def _decisions_after_engagement(before: Sequence[Row], pipeline: Pipeline) -> int:
    n_decisions = 0
    for row in reversed(before):
        if _shows_interest(row):
            break
        n_decisions += _is_decision(row, pipeline)
    return n_decisions


def _engaged_in_a_row(before: Sequence[Row], pipeline: Pipeline) -> int:
    n_in_a_row, is_answered = 0, False
    for row in reversed(before):
        is_answered = is_answered or _shows_interest(row)
        if _is_decision(row, pipeline):
            if not is_answered:
                break
            n_in_a_row, is_answered = n_in_a_row + 1, False
    return n_in_a_row


def _history_values(known: Sequence[Row], day: date) -> Row:
    return {
        "n_past_sessions_days": len({row["event_date"] for row in known}),
        "days_since_last_visit": (day - max(row["event_date"] for row in known)).days if known else -1,
        "n_past_clicks": _n_of(known, "click", "view"),
        "n_past_purchases": _n_of(known, "purchase"),
        "favorite_categories": _favorites(known),
    }


def _in_window(seen: Sequence[Row], name: str, day: date, pipeline: Pipeline) -> int:
    bought = [one for one in seen if one["event_type"] == "purchase"]
    offers = [one for one in seen if _is_decision(one, pipeline) and _action(one, pipeline) not in (None, "none")]
    visits = [one for one in seen if _shows_interest(one)]
    since = {"days_since_visit": visits, "days_since_purchase": bought, "days_since_offer": offers}
    if name in since:
        return min(((day - one["event_date"]).days for one in since[name]), default=-1)
    return {
        "n_visit_days": len({one["event_date"] for one in visits}),
        "n_purchases": len(bought),
        "n_clicks": _n_of(seen, "click", "view"),
        "spend": sum(money_of(one, "amount") or 0 for one in bought),
        "discounts": sum(one.get("discount") or 0 for one in bought),
        "n_redeemed": len([one for one in bought if (one.get("discount") or 0) > 0]),
        "n_offers": len(offers),
    }[name]


def _delivered(history: Sequence[Row], day: date, pipeline: Pipeline) -> list[Row]:
    """The shopper's events of the days looked back on, as far as deliveries before the day had brought them."""
    first = day - timedelta(days=pipeline.scenario.observation.history_days)
    return [row for row in history if first <= row["event_date"] < day and row["delivery_date"] < day]


def _favorites(known: Iterable[Row]) -> list[str]:
    liked: dict[str, int] = {}
    for row in known:
        if row["known_category"] is not None and _shows_interest(row):
            liked[row["known_category"]] = liked.get(row["known_category"], 0) + 1
    return sorted(liked, key=lambda key: (-liked[key], id_hash(key)))


def _known_category(row: Row, items: Sequence[Row], pipeline: Pipeline) -> Any:
    """The event's category, or else where the scenario says so that of its item, as told before the event's day."""
    if row["category_id"] is not None or not pipeline.scenario.observation.item_categories:
        return row["category_id"]
    of_item = [one for one in items if one["item_id"] == row["item_id"]]
    return _known_value(of_item, "category_id", row["event_time"], row["event_date"])


def _known_value(told: Iterable[Row], column: str, moment: datetime, day: date) -> Any:
    """Of the rows valid by the moment and delivered before its day, the one valid from latest, delivered first."""
    known = [one for one in told if one["valid_from"] <= moment and one["delivery_date"] < day]
    if not known:
        return None
    return max(known, key=lambda one: (one["valid_from"], -one["delivery_date"].toordinal()))[column]


def _n_of(before: Iterable[Row], *types: str) -> int:
    return len([row for row in before if row["event_type"] in types])


def _set_in_force(sets: Sequence[Row], moment: datetime, zone: ZoneInfo) -> str | None:
    """Of the sets valid and delivered by the moment, the one valid from latest; ties by the greater id."""
    known = [one for one in sets if max(one["valid_from"], _midnight(one["delivery_date"], zone)) <= moment]
    if not known:
        return None
    latest: str = max(known, key=lambda one: (one["valid_from"], one["availability_id"]))["availability_id"]
    return latest


def _is_decision(row: Row, pipeline: Pipeline) -> bool:
    return bool(row["event_type"] == pipeline.source.decisions.event_type) and not row.get("tells_again")


def _shows_interest(row: Row) -> bool:
    return row["event_type"] in {"view", "click", "favorite", "cart", "purchase"}


def _action(row: Row, pipeline: Pipeline) -> Any:
    """What a decision chose: the action or else the item; the category, or else, where logged, the action."""
    if pipeline.scenario.action.key == "item":
        return row["item_id"] if row["action"] is None else row["action"]
    return row["action"] if row["category_id"] is None and pipeline.is_logged else row["category_id"]


def _shown_item(row: Row, pipeline: Pipeline) -> Any:
    is_item_chosen = pipeline.is_logged and pipeline.scenario.action.key == "item"
    return _action(row, pipeline) if is_item_chosen else row["item_id"]


def _hashed(key: str | None) -> int:
    return 0 if key is None else id_hash(key)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
