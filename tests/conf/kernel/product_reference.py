"""Transitions of products row by row: loops over events as dictionaries, one for each rule of the documentation.

The kernel is compared with it on logs of a few lines, with which it shares no code. Rows hold the columns of the events
table, `event_date` and `delivery_date`; times are aware. `user_id` is the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from conf.event_types import EVENT_TYPE_RANK
from conf.observation_features import id_hash, product_feature, window_of
from conf.specs.problem import WEEKDAYS, Ordering
from conf.specs.reward import EventMetric
from conf.specs.scenario import Pipeline

Row = dict[str, Any]
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
A_MONDAY = date(1970, 1, 5)


@dataclass
class Told:
    """What became of a log: its transitions, decisions set aside with reasons, and outcomes of counted events."""

    rows: list[Row]
    aside: dict[str, str | None]
    outcomes: dict[str, tuple[str, str | None]]


class Periods:
    """The periods of a zone, by their number; a period starts at an hour of its first business day's clock."""

    def __init__(self, pipeline: Pipeline) -> None:
        assert pipeline.scenario.ordering is not None
        self.ordering: Ordering = pipeline.scenario.ordering
        self.zone = ZoneInfo(pipeline.source.zone)

    def first_day(self, period: int) -> date:
        return A_MONDAY + DAY * (WEEKDAYS.index(self.ordering.weekday) + period * self.ordering.days)

    def start(self, period: int) -> datetime:
        first = self.first_day(period)
        return datetime(first.year, first.month, first.day, self.ordering.hour, tzinfo=self.zone).astimezone(UTC)

    def of(self, row: Row) -> int:
        """The latest one that has started at the event's moment."""
        period: int = (row["event_date"] - self.first_day(0)).days // self.ordering.days + 1
        while self.start(period) > row["event_time"]:
            period -= 1
        return period

    def block_day(self, period: int) -> date:
        return self.first_day(period - period % self.ordering.periods)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def told_of(
    rows: Iterable[Row], pipeline: Pipeline, *, items: Sequence[Row], dates: Iterable[date], horizon: date
) -> Told:
    """Everything that the rules say of the products' events."""
    found, asked = Told([], {}, {}), set(dates)
    products: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda one: (one["event_time"], EVENT_TYPE_RANK[one["event_type"]], one["event_id"])):
        products.setdefault(row["user_id"], []).append(row)
    for product, events in sorted(products.items()):
        _Product(product, events, pipeline, [one for one in items if one["item_id"] == product], horizon).tell(
            found, asked
        )
    return found


class _Product:
    def __init__(
        self, product: str, events: list[Row], pipeline: Pipeline, items: Sequence[Row], horizon: date
    ) -> None:
        self.product, self.events, self.pipeline, self.items, self.horizon = product, events, pipeline, items, horizon
        self.scenario, self.periods = pipeline.scenario, Periods(pipeline)
        self.window = timedelta(hours=self.scenario.reward.attribution.window_hours)
        self.counts: list[int] = []
        seen: set[int] = set()
        for place, row in enumerate(events):
            if row["event_type"] == "stock" and row["quantity"] is not None:
                period = self.periods.of(row)
                if period not in seen:
                    self.counts.append(place)
                seen.add(period)
        self.outcomes = self._outcomes()

    def tell(self, found: Told, asked: set[date]) -> None:
        found.outcomes |= {
            event: (name, None if decision is None else self.events[decision]["event_id"])
            for event, (name, decision) in self.outcomes.items()
        }
        blocks: dict[date, list[int]] = {}
        for number, place in enumerate(self.counts):
            blocks.setdefault(self.periods.block_day(self.periods.of(self.events[place])), []).append(number)
        longest = self.scenario.episode.max_steps
        for day, numbers in sorted(blocks.items()):
            if day not in asked:
                continue
            for first in range(0, len(numbers), longest):
                episode = numbers[first : first + longest]
                reasons = {number: "missed_count" if self._misses(number) else None for number in episode}
                if any(reasons.values()):
                    found.aside |= {self._event(number)["event_id"]: reason for number, reason in reasons.items()}
                    continue
                last_of_block = first + longest >= len(numbers)
                for step, number in enumerate(episode):
                    is_last = step + 1 == len(episode)
                    found.rows.append(
                        self._row(day, number, step, first // longest, is_last, is_last and last_of_block)
                    )

    def _event(self, number: int) -> Row:
        return self.events[self.counts[number]]

    def _next(self, number: int) -> int | None:
        """The next count's number, where it comes within the window."""
        if number + 1 == len(self.counts):
            return None
        late = self._event(number + 1)["event_time"] - self._event(number)["event_time"]
        return number + 1 if late <= self.window else None

    def _misses(self, number: int) -> bool:
        period = self.periods.of(self._event(number))
        if number + 1 < len(self.counts) and self.periods.of(self._event(number + 1)) == period + 1:
            return False
        if self._next(number) is not None:
            return True
        # What is sold, ordered or received on, once the next period is known whole, hasn't left the range.
        complete = midnight(self.horizon + DAY * (1 - self.pipeline.source.lateness_days), self.periods.zone)
        moves = [row for row in self._own(number) if row["event_type"] in ("order", "receipt", "purchase")]
        goes_on = any(row["event_time"] >= self.periods.start(period + 1) for row in moves)
        return goes_on and midnight(self.periods.first_day(period + 2), self.periods.zone) <= complete

    def _own(self, number: int) -> list[Row]:
        """The events after a count, up to the next one, within the window."""
        first = self.counts[number]
        end = self.counts[number + 1] if number + 1 < len(self.counts) else len(self.events)
        start = self.events[first]["event_time"]
        return [row for row in self.events[first + 1 : end] if row["event_time"] - start <= self.window]

    def _flows(self, number: int) -> Row:
        own, opening = self._own(number), self._event(number)["quantity"]
        book, least = opening, opening
        for row in own:
            units = row["quantity"] or 0
            book += units if row["event_type"] == "receipt" else -units if row["event_type"] == "purchase" else 0
            least = min(least, book)
        following = self._next(number)
        closing = book if following is None else self._event(following)["quantity"]
        sums = {
            name: sum(row["quantity"] or 0 for row in own if row["event_type"] == kind)
            for name, kind in (("ordered", "order"), ("received", "receipt"), ("sold", "purchase"))
        }
        lost = opening + sums["received"] - sums["sold"] - closing
        return {
            "opening": opening,
            **sums,
            "closing": closing,
            "shrinkage": lost,
            "ran_out": int(min(least, closing) <= 0),
        }

    def _row(self, day: date, number: int, step: int, part: int, is_last: bool, closes: bool) -> Row:
        row, flows = self._event(number), self._flows(number)
        if closes:
            moment, seen = self._closing(number)
        else:
            moment, seen = self._event(number + 1)["event_time"], self.counts[number + 1]
        credits = [
            one for one in self.events if self.outcomes.get(one["event_id"]) == ("attributed", self.counts[number])
        ]
        zone = ZoneInfo(self.pipeline.source.zone)
        first = next(one for one in self.events if self.periods.block_day(self.periods.of(one)) == day)
        return {
            "event_id": row["event_id"],
            "episode": (self.product, first["event_id"], part),
            "step": step,
            "action_id": id_hash(self._action(flows["ordered"])),
            "observation": self._observation(row["event_time"], self.counts[number], number),
            "next_observation": self._observation(moment, seen, number),
            "reward": sum(
                self._worth(one, term.event, term.value, term.weight)
                for term in self.scenario.reward.terms
                for one in credits
            )
            + sum(self.scenario.reward.weight_millionths.get(one["event_type"], 0) for one in credits),
            "metrics": {name: self._metric(metric, credits, flows) for name, metric in self.scenario.metrics.items()},
            "terminal": False,
            "timeout": is_last,
            "reward_settled": row["event_time"] + self.window <= midnight(self.horizon + DAY, zone),
            "elapsed_seconds": (moment - row["event_time"]) // SECOND,
            "next_availability_id": None,
            "date": day,
        }

    def _closing(self, number: int) -> tuple[datetime, int]:
        """When a block closes, and how many events lie before: at the next period's count, or else at its start."""
        period, following = self.periods.of(self._event(number)), self._next(number)
        if following is not None and self.periods.of(self._event(following)) == period + 1:
            return self._event(following)["event_time"], self.counts[following]
        start = self.periods.start(period + 1)
        return start, len([row for row in self.events if row["event_time"] < start])

    def _action(self, ordered: int) -> str:
        keys, least = self.scenario.action.quantity_keys, self.scenario.action.quantities or ()
        return [key for key, units in zip(keys, least, strict=True) if units <= max(ordered, 0)][-1]

    def _outcomes(self) -> dict[str, tuple[str, int | None]]:
        """The counted events: the place of the count that they belong to, or why there is none."""
        reward, metrics = self.scenario.reward, self.scenario.metrics.values()
        counted = {*reward.weights, *(term.event for term in reward.terms)}
        summed = [one for one in metrics if isinstance(one, EventMetric) and not one.is_of_stock]
        counted |= {one.event for one in summed}
        counted |= {one for one in metrics if isinstance(one, str)}
        money = [term.event for term in reward.terms if term.is_money]
        money += [one.event for one in summed if one.value != "units"]
        follows = "purchase" in money
        counted |= {"purchase", "refund"} if follows else set()
        found: dict[str, tuple[str, int | None]] = {}
        days_back = max(self.scenario.observation.history_days, -(-reward.attribution.window_hours // 24) + 1, 2)
        for place, row in enumerate(self.events):
            if row["event_type"] not in counted:
                continue
            if follows and row["event_type"] == "refund":
                found[row["event_id"]] = self._of_refund(row, place, found, days_back)
                continue
            if row["event_type"] == "stock" and row["quantity"] is not None and place not in self.counts:
                found[row["event_id"]] = ("recount", None)
                continue
            before = [count for count in self.counts if count < place]
            found[row["event_id"]] = self._outcome(row, before[-1] if before else None, days_back)
        return found

    def _outcome(self, row: Row, count: int | None, days_back: int) -> tuple[str, int | None]:
        if count is None or self.events[count]["event_date"] < row["event_date"] - DAY * days_back:
            return "no_earlier_decision", None
        if row["event_time"] - self.events[count]["event_time"] > self.window:
            return "outside_attribution_window", None
        return "attributed", count

    def _of_refund(
        self, row: Row, place: int, found: dict[str, tuple[str, int | None]], days_back: int
    ) -> tuple[str, int | None]:
        bought = [one for one in self.events[:place] if one["event_type"] == "purchase"]
        if row["order_id"] is not None:
            bought = [one for one in bought if one["order_id"] == row["order_id"]]
        if not bought or bought[-1]["event_date"] < row["event_date"] - DAY * days_back:
            return "refund_without_purchase", None
        name, count = found[bought[-1]["event_id"]]
        if count is None:
            return name, None
        is_late = row["event_time"] - self.events[count]["event_time"] > self.window
        return ("late_refund", None) if is_late else (name, count)

    def _worth(self, row: Row, event: str, value: str, weight: float) -> int:
        kind, factor = row["event_type"], Fraction(str(weight))
        if value in ("count", "units"):
            units = 1 if value == "count" else row["quantity"] or 0
            return int(units * factor * 1_000_000) if kind == event else 0
        takes_back = kind == "refund" and event == "purchase"
        if kind != event and not takes_back:
            return 0
        amount, cost = row["amount"], row["cost"]
        if amount is None or (value == "margin" and cost is None and not takes_back):
            return 0
        money = (abs(amount) if takes_back else amount) * factor
        if value == "margin":
            money -= (abs(cost or 0) if takes_back else cost) * factor
        nearest = int(abs(money) + Fraction(1, 2)) * (1 if money >= 0 else -1)
        return -nearest if takes_back else nearest

    def _metric(self, metric: Any, credits: Sequence[Row], flows: Row) -> int:
        if isinstance(metric, str):
            return len([one for one in credits if one["event_type"] == metric])
        if metric.is_of_stock:
            return int(flows[metric.value])
        if metric.value == "units":
            return sum(one["quantity"] or 0 for one in credits if one["event_type"] == metric.event)
        return sum(self._worth(one, metric.event, metric.value, 1) for one in credits)

    def _observation(self, moment: datetime, n_before: int, number: int) -> Row:
        """What is known at a moment, before which so many events lie, at a count or after it."""
        day = moment.astimezone(ZoneInfo(self.pipeline.source.zone)).date()
        found: Row = {}
        for feature in self.scenario.observation.features:
            product, window = product_feature(feature.name), window_of(feature.name)
            if window is not None:
                found[feature.name] = self._window(window, day)
            elif product is None:
                found[feature.name] = day.isoweekday()
            else:
                found[feature.name] = self._feature(product, moment, day, n_before, number)
        return found

    def _seen(self, kind: str, first: date, day: date) -> list[Row]:
        """The events of a type from a day on, as far as deliveries before the as-of day had brought them."""
        own = [row for row in self.events if row["event_type"] == kind and first <= row["event_date"] < day]
        return [row for row in own if row["delivery_date"] < day]

    def _window(self, window: tuple[str, int], day: date) -> int:
        bought = self._seen("purchase", day - DAY * window[1], day)
        return {
            "n_purchases": len(bought),
            "spend": sum(one["amount"] or 0 for one in bought),
            "discounts": sum(one["discount"] or 0 for one in bought),
            "n_redeemed": len([one for one in bought if (one["discount"] or 0) > 0]),
        }[window[0]]

    def _feature(self, feature: tuple[str, int], moment: datetime, day: date, n_before: int, number: int) -> Any:
        kind, n = feature
        sold = self._seen("purchase", day - DAY * n, day)
        due = self._on_the_way(day)
        values = {
            "units_on_hand": lambda: self._on_hand(moment, n_before, number),
            "units_on_order": lambda: sum(due.values()),
            "units_due_in_{n}d": lambda: sum(
                units for promised, units in due.items() if (promised == day + DAY * n if n else promised <= day)
            ),
            "units_overdue": lambda: sum(units for promised, units in due.items() if promised < day),
            "units_sold_{n}d": lambda: sum(one["quantity"] or 0 for one in sold),
            "units_sold_day_{n}": lambda: sum(
                one["quantity"] or 0 for one in sold if one["event_date"] == day - DAY * n
            ),
            "last_lead_days": lambda: self._last_lead(day),
            "product_category": lambda: self._category(moment, day),
            "day_of_year": lambda: day.timetuple().tm_yday,
            "price_in_{n}d": lambda: self._price(moment + DAY * n, day),
            "is_reduced_in_{n}d": lambda: self._is_reduced(moment + DAY * n, day),
        }
        return values[kind]()

    def _category(self, moment: datetime, day: date) -> list[int]:
        row = self._told(moment, day, "category_id")
        return [] if row is None or row["category_id"] is None else [id_hash(row["category_id"])]

    def _price(self, moment: datetime, day: date) -> int:
        row = self._told(moment, day, "price", needs=True)
        return -1 if row is None else row["price"]

    def _is_reduced(self, moment: datetime, day: date) -> int:
        price, start = self._price(moment, day), moment - 56 * DAY
        if price == -1:
            return -1
        known = [one for one in self.items if one["delivery_date"] < day and one["price"] is not None]
        first = min(known, key=lambda one: (one["valid_from"], one["delivery_date"]))
        changes = sorted({one["valid_from"] for one in known if start < one["valid_from"] <= moment})
        above = timedelta(0)
        for since, until in pairwise([start, *changes, moment]):
            held = self._price(since, day)
            above += until - since if (first["price"] if held == -1 else held) > price else timedelta(0)
        return int(above >= 14 * DAY)

    def _on_hand(self, moment: datetime, n_before: int, number: int) -> int:
        for place in self.counts:
            if place == n_before and self.events[place]["event_time"] == moment:
                return int(self.events[place]["quantity"])
        book: int = self._event(number)["quantity"]
        for row in self.events[self.counts[number] + 1 : n_before]:
            units = row["quantity"] or 0
            book += units if row["event_type"] == "receipt" else -units if row["event_type"] == "purchase" else 0
        return book

    def _orders(self, day: date) -> dict[tuple[Any, date], list[Row]]:
        """Lines of orders of the history, by number and day, seen or not."""
        first = day - DAY * self.scenario.observation.history_days
        found: dict[tuple[Any, date], list[Row]] = {}
        for row in self.events:
            if row["event_type"] == "order" and first <= row["event_date"]:
                found.setdefault((row["order_id"], row["event_date"]), []).append(row)
        return found

    def _receipts(self, number: Any, ordered: date) -> list[Row]:
        """The receipts of an order, seen or not: of its number, and of no later order's of it."""
        if number is None:
            return []
        history = DAY * self.scenario.observation.history_days
        found = []
        for row in self.events:
            if row["event_type"] == "receipt" and row["order_id"] == number and row["event_date"] >= ordered:
                later = [one for one in self.events if one["event_type"] == "order" and one["order_id"] == number]
                is_other = any(ordered < one["event_date"] <= row["event_date"] for one in later)
                if not is_other and row["event_date"] - ordered <= history:
                    found.append(row)
        return found

    def _on_the_way(self, day: date) -> dict[date, int]:
        """Units that are promised for each day and haven't come, as far as is seen."""
        ordering = self.periods.ordering
        due: dict[date, int] = {}
        for (number, ordered), lines in self._orders(day).items():
            promised = ordered + DAY * ordering.lead_days
            seen = [one for one in lines if max(one["event_date"], one["delivery_date"]) < day]
            units = sum(one["quantity"] or 0 for one in seen)
            if ordering.receipts == "delivered":
                came = self._receipts(number, ordered)
                came = [one for one in came if max(one["event_date"], one["delivery_date"]) < day]
                units -= sum(one["quantity"] or 0 for one in came)
                overdue = 2 if ordering.overdue_days is None else ordering.overdue_days
                if (day - promised).days > overdue or (came and promised < day and ordering.rests == "dropped"):
                    units = 0
            elif promised < day:
                units = 0
            due[promised] = due.get(promised, 0) + max(units, 0)
        return due

    def _last_lead(self, day: date) -> int:
        if self.periods.ordering.receipts == "none":
            return -1
        leads: list[tuple[date, int, int]] = []
        for number, ordered in self._orders(day):
            for row in self._receipts(number, ordered):
                if max(row["event_date"], row["delivery_date"]) < day:
                    leads.append((ordered, self.events.index(row), (row["event_date"] - ordered).days))
        return max(leads)[2] if leads else -1

    def _told(self, moment: datetime, day: date, column: str, *, needs: bool = False) -> Row | None:
        """Of the items' rows valid by the moment and delivered before the day, the one valid from latest."""
        known = [one for one in self.items if one["valid_from"] <= moment and one["delivery_date"] < day]
        known = [one for one in known if not needs or one[column] is not None]
        return max(known, key=lambda one: (one["valid_from"], -one["delivery_date"].toordinal()), default=None)
