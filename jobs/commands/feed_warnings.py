"""What is probably wrong with a feed although its lines are read: no money, cents for units, one kind of event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from conf.specs.event_mapping import event_types_of
from conf.specs.reward import MILLIONTHS
from conf.specs.source import Source
from jobs.commands.source_outlook import OutlookEvent
from jobs.landing.spelled_ids import numbered_anew_in

_MONEY = ("amount", "price")
_EARNING = ("purchase", "refund")
_LEAST_EVENTS, _LEAST_AMOUNTS = 20, 5
_MOST_MISSING = 3  # a format that shops share maps all types, and none has them all


def feed_warnings(
    events: Sequence[OutlookEvent], source: Source, *, is_all: bool = True, n_files: int = 1
) -> Iterator[str]:
    """Yield what is probably wrong with a feed's events, a sentence each.

    Args:
        events: of the lines that were looked at.
        source: narrowed to the feed.
        is_all: whether no line of the feed was left out.
        n_files: of the feed.
    """
    if told := numbered_anew_in(source, n_files):
        yield told
    yield from _without_money(events)
    yield from _like_cents(events, source)
    yield from _without_currency(events, source)
    yield from _without_rates_after_midnight(source)
    yield from _missing_types(events, source, is_all=is_all)


def _without_money(events: Sequence[OutlookEvent]) -> Iterator[str]:
    for kind in _EARNING:
        sold = [event.fields for event in events if event.event_type == kind]
        n_without = sum(not ("amount" in one or {"price", "quantity"} <= one.keys()) for one in sold)
        if sold and n_without == len(sold):
            lacks = (
                "a quantity beside the price"
                if any("price" in one for one in sold)
                else "amount, or price and quantity"
            )
            yield f"none of {len(sold)} {kind} events carries money: map {lacks}; rewards could only count them"
        elif n_without:
            yield f"{n_without} of {len(sold)} {kind} events carry no money (no amount, nor price and quantity)"


def _like_cents(events: Sequence[OutlookEvent], source: Source) -> Iterator[str]:
    for name in _MONEY:
        mapping = getattr(source.events, name)
        if mapping is None or mapping.scale is not None:
            continue
        values = [int(str(event.fields[name])) for event in events if name in event.fields]
        values = [one for one in values if one]
        is_whole = all(one % MILLIONTHS == 0 for one in values)
        if len(values) >= _LEAST_AMOUNTS and is_whole and median(map(abs, values)) >= 100 * MILLIONTHS:
            yield (
                f"{name} is a whole number in all of {len(values)} events, most of them from 100 on. Are these cents? "
                f"Then {name} needs scale: 0.01"
            )
            return


def _without_currency(events: Sequence[OutlookEvent], source: Source) -> Iterator[str]:
    if source.currency is not None:
        return
    n_money = sum(any(name in event.fields for name in _MONEY) for event in events)
    named = Counter(str(event.fields["currency"]) for event in events if "currency" in event.fields)
    if n_money and not named:
        yield f"money of {n_money} events has no currency: add currency: EUR (or another) to the source"
    elif n_money and len(named) > 1:
        told = ", ".join(f"{name} {n}" for name, n in named.most_common(5))
        yield (
            f"money is in several currencies ({told}), and would be added up as it stands. Add currency, in which it "
            "is counted, and currencies with the rates of the others"
        )


def _without_rates_after_midnight(source: Source) -> Iterator[str]:
    """Yield that money of hours past a delivery's day has no rate yet: its day's come with the next delivery."""
    rates = source.currencies
    if source.hours_past_day and rates is not None and not rates.hold_days:
        yield (
            "hours_past_day: money after midnight needs the next day's rate, which hasn't come yet, and is rejected as "
            "unknown_currency. Write hold_days: 1 in currencies, and it takes the latest rate"
        )


def _missing_types(events: Sequence[OutlookEvent], source: Source, *, is_all: bool) -> Iterator[str]:
    """Yield the types that the mapping expects and no event is: one type alone, of several, is seldom meant."""
    if len(events) < _LEAST_EVENTS or source.events.event_type.constant is not None:
        return
    found = {event.event_type for event in events}
    derived = {one.type for one in source.events.derived}
    missing = sorted(event_types_of(source.events) - found - derived)
    if len(found - derived) == 1 and missing:
        where = "" if is_all else " among these lines"
        asked = "Is" if is_all else "Others may stand elsewhere; if not, is"
        yield (
            f"all {len(events)} events{where} are of one type ({', '.join(found - derived)}), and the mapping knows "
            f"{', '.join(missing)} too. {asked} event_type read from the right column?"
        )
    elif 0 < len(missing) <= _MOST_MISSING:
        yield f"no event among these lines is {' or '.join(missing)}, which the mapping knows"
