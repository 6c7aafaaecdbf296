"""Numbers and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta

MINUS = "\u2212"
UNKNOWN = "\u2013"  # a dash where a number isn't known
MILLIONTHS = 1_000_000

ESTIMATOR_NAMES = {
    "on_policy": "Mean of what was logged",
    "dm": "Direct method (FQE)",
    "tis": "Trajectory importance sampling",
    "pdis": "Per-decision importance sampling",
    "wis": "Weighted importance sampling",
    "wpdis": "Weighted per-decision importance sampling",
    "dr": "Doubly robust",
    "wdr": "Weighted doubly robust",
    "ips": "Importance sampling",
    "clipped_ips": "Importance sampling, weights clipped",
    "snips": "Self-normalised importance sampling",
    "sg_ips": "Sub-Gaussian importance sampling",
    "sndr": "Self-normalised doubly robust",
    "switch_dr": "Doubly robust, switching to the model at large weights",
    "dr_os": "Doubly robust with optimistic shrinkage",
    "mips": "Importance sampling by category",
    "mis_s": "Importance sampling by state",
    "mis_sa": "Importance sampling by state and action",
    "snmis_s": "Self-normalised importance sampling by state",
    "snmis_sa": "Self-normalised importance sampling by state and action",
    "drl_s": "Doubly robust by state",
    "drl_sa": "Doubly robust by state and action",
    "sndrl_s": "Self-normalised doubly robust by state",
    "sndrl_sa": "Self-normalised doubly robust by state and action",
}

_SETTLING = 0.5
"""Index of a tail from which on the variance isn't finite, and averages settle slowly."""
_TAILS = (
    (0.25, "Single large amounts hardly matter"),
    (_SETTLING, "Single large amounts matter, and averages still settle"),
    (0.8, "Single large amounts decide much, and averages settle slowly"),
)
_HEAVIEST_TAIL = "Single large amounts decide, and averages hardly ever settle"

SHORT_ESTIMATOR_NAMES = {
    "on_policy": "logged mean",
    "dm": "DM",
    "tis": "TIS",
    "pdis": "PDIS",
    "wis": "WIS",
    "wpdis": "WPDIS",
    "dr": "DR",
    "wdr": "WDR",
    "ips": "IPS",
    "clipped_ips": "clipped IPS",
    "snips": "SNIPS",
    "sg_ips": "sub-Gaussian IPS",
    "sndr": "SNDR",
    "switch_dr": "Switch-DR",
    "dr_os": "DRos",
    "mips": "MIPS",
    "mis_s": "MIS (state)",
    "mis_sa": "MIS (pair)",
    "snmis_s": "SNMIS (state)",
    "snmis_sa": "SNMIS (pair)",
    "drl_s": "DRL (state)",
    "drl_sa": "DRL (pair)",
    "sndrl_s": "SNDRL (state)",
    "sndrl_sa": "SNDRL (pair)",
}

REASON_NAMES = {
    "unreadable": "line can't be read",
    "ignored": "an event type that means nothing to the shop's policies",
    "missing_field": "a required field is missing",
    "half_record": "fewer values than columns: the line was cut off",
    "bad_timestamp": "the time can't be read",
    "bad_id": "an id is no text or number",
    "bad_number": "a number can't be read or is out of bounds",
    "unknown_event_type": "unknown event type",
    "unknown_currency": "no rate for its currency and day",
    "outside_window": "outside the window, or too late",
    "duplicate": "duplicate",
    "bot_rate": "more events an hour than a person makes",
    "duplicate_across_deliveries": "delivered before",
    "no_earlier_decision": "no earlier decision it could belong to",
    "outside_attribution_window": "too long after the decision",
    "quarantined": "its decision's episode was set aside",
    "no_consent": "without the shopper's consent",
    "no_action": "name no action",
    "unknown_set": "name no availability set, or an unknown one",
    "outside_set": "chose what their availability set doesn't offer",
    "missed_count": "are followed by a period without a count of their product",
    "no_shopper": "name no shopper",
    "unknown_decision": "names a decision that isn't in the log",
    "recount": "a further count of a product that had been counted in the period",
    "late_refund": "refunded after its decision was settled",
    "refund_without_purchase": "refund of no known purchase",
}


def count(value: float | None) -> str:
    """Return `12,345`; a dash where it isn't known."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{round(value):,}".replace("-", MINUS)


def is_heavy_tail(index: float | None) -> bool:
    """Return True where averages settle so slowly that bounds promise more than they may hold; False where unknown."""
    return index is not None and index >= _SETTLING


def counted(value: float | None, one: str, many: str | None = None) -> str:
    """Return a count with the word for what is counted, as many as are read: `1 interval`, `1,200 intervals`.

    Args:
        value: how many; a dash stands where it isn't known.
        one: the word for one of them.
        many: the word for several; None adds an s.
    """
    told = count(value)
    return f"{told} {one if told == '1' else many or one + 's'}"


def one_of(units: str) -> str:
    """Return what one of the units is called: `shopper` of `shoppers`."""
    return units.removesuffix("s")


def tail_in_words(index: float) -> str:
    """Return how much single, very large amounts decide, from the index of their tail."""
    for limit, words in _TAILS:
        if index < limit:
            return words
    return _HEAVIEST_TAIL


def number(value: float | None) -> str:
    """Return the number with three significant digits, more before the point: `1.23`, `0.0123`, `1,234`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    if digits > 6:
        return f"{value:.1e}".replace("-", MINUS)
    return f"{value:,.{digits}f}".replace("-", MINUS)


def signed(value: float | None) -> str:
    """Return the number with its sign: `+1.23` or `−1.23`."""
    return number(value) if value is None or value <= 0 else f"+{number(value)}"


def signed_share(value: float | None) -> str:
    """Return a share as a percentage with its sign: `+12.3%`."""
    return share(value) if value is None or value <= 0 else f"+{share(value)}"


def signed_range(lower: float | None, upper: float | None, words: Callable[[float | None], str] = signed) -> str:
    """Return `+3.8% to +28.2%`; an end that isn't known is left open."""
    if lower is None and upper is None:
        return "no bounds"
    if lower is None:
        return f"at most {words(upper)}"
    return f"at least {words(lower)}" if upper is None else f"{words(lower)} to {words(upper)}"


def chance(value: float) -> str:
    """Return a probability as a percentage of two digits, rounded up: what is said to be at most so much is."""
    if not 0 < value < 1:
        return share(value)
    digits = 1 - math.floor(math.log10(100 * value))
    scale = 10.0**digits
    return f"{math.ceil(100 * value * scale - 1e-6) / scale:.{max(0, digits)}f}%"


def odds(log_odds: float) -> str:
    """Return a margin as odds: `odds of 1.8 to 1`."""
    return f"odds of {number(math.exp(log_odds))} to 1"


def interval(lower: float | None, upper: float | None) -> str:
    """Return `1.02 to 1.31`; a dash where there is none."""
    return UNKNOWN if lower is None or upper is None else f"{number(lower)} to {number(upper)}"


def share(value: float | None) -> str:
    """Return a share as a percentage: `12.3%`, `0.04%`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    percent = 100 * value
    digits = 0 if abs(percent) >= 99.95 or percent == 0 else 1 if abs(percent) >= 1 else 2
    return f"{percent:.{digits}f}%".replace("-", MINUS)


def level(value: float) -> str:
    """Return a confidence level as a percentage that never rounds up to certainty: `95%`, `98.9%`, `99.97%`."""
    for digits in range(6):
        text = f"{100 * value:.{digits}f}"
        if abs(float(text) - 100 * value) <= 0.1 * (100 - 100 * value):
            return f"{text}%"
    return f"{100 * value:.6f}%"


def duration(seconds: float | None) -> str:
    """Return `12 s` or `3 min 20 s`."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def age(since: timedelta) -> str:
    """Return how long it has been, in its largest whole unit: `3 days`, `5 hours`, `20 minutes`."""
    minutes = max(0, int(since.total_seconds() // 60))
    for length, name in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if minutes >= length:
            n = minutes // length
            return counted(n, name)
    return "less than a minute"


def size(n_bytes: float) -> str:
    """Return bytes in the largest unit that leaves a number above 1: `12.3 MB`, `999 bytes`."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            return f"{number(n_bytes / scale)} {unit}"
    return f"{n_bytes:,.0f} byte{'' if n_bytes == 1 else 's'}"


def day(value: date) -> str:
    """Return `Saturday, 31 January 2026`."""
    return f"{value:%A}, {value.day} {value:%B %Y}"


def moment(text: str) -> str:
    """Return an ISO time to the minute: `2026-01-31 14:05`; text that isn't one, as it is."""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"
    except ValueError:
        return text


def date_range(dates: tuple[date, ...]) -> str:
    """Return the first and last date and how many there are: days, or of longer periods (weeks, blocks) first days."""
    if not dates:
        return "no dates"
    first, last = min(dates), max(dates)
    days = counted(len(dates), "day")
    if 1 < len(dates) < (last - first).days / 2:
        days = f"first days of {len(dates)} periods"
    return f"{first} ({days})" if first == last else f"{first} to {last} ({days})"


def reason(code: str) -> str:
    """Return a reason's or residual's code in words."""
    return REASON_NAMES.get(code, code.replace("_", " "))


def estimator(name: str) -> str:
    """Return an estimator's full name."""
    return ESTIMATOR_NAMES.get(name, name)


def short_estimator(name: str) -> str:
    """Return an estimator's abbreviation."""
    return SHORT_ESTIMATOR_NAMES.get(name, name)


def millionths(value: int, unit: str) -> str:
    """Return an exact amount in its unit: `12,345 points`, `1.5 points`."""
    whole, rest = divmod(abs(value), MILLIONTHS)
    decimals = f"{rest:06d}".rstrip("0")
    sign = MINUS if value < 0 else ""
    return f"{sign}{whole:,}{'.' + decimals if decimals else ''} {unit}"


def example_title(quantile: float) -> str:
    """Return where a decision's certainty lies among all: `Surer than nine in ten decisions`."""
    if quantile == 0.5:
        return "In the middle"
    share_in_ten = round(10 * quantile)
    words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    if quantile > 0.5:
        return f"Surer than {words[share_in_ten]} in ten decisions"
    return f"Less sure than {words[10 - share_in_ten]} in ten"
