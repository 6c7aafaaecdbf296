"""The page of a loop: one picture of true value by day, one of what each night promised; HTML with SVG inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rl.figures.loop import LoopDay, LoopFigures, LoopNight, NightSeconds
from rl.page import wording
from rl.page.axis import Axis, axis_over
from rl.page.environment import page_environment

_FOLDER = Path(__file__).parent
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 748.0, 14.0, 274.0
_REACH = 1.96


@dataclass(frozen=True)
class Mark:
    """A figure with its interval, as a place in the picture."""

    x: float
    y: float
    top: float
    bottom: float
    tone: str
    title: str


@dataclass(frozen=True)
class Label:
    """A word beside an axis."""

    place: float
    text: str


@dataclass(frozen=True)
class Picture:
    """What the template draws in a box of 760 by 310.

    Attributes:
        lines: tone and points of true values by day; a champion's begins where it decides.
        marks: what was earned, or promised, with intervals.
        diamonds: true values, as marks without intervals.
        promotions: places of nights that promoted, with the version.
        x_labels, y_labels: of the axes.
        zero: place of 0; None where it isn't shown.
    """

    lines: tuple[tuple[str, str], ...]
    marks: tuple[Mark, ...]
    diamonds: tuple[Mark, ...]
    promotions: tuple[Label, ...]
    x_labels: tuple[Label, ...]
    y_labels: tuple[Label, ...]
    zero: float | None = None


def render_loop_page(figures: LoopFigures) -> str:
    """Return the page as HTML; every text from the figures is escaped."""
    filters: dict[str, Callable[..., Any]] = {"signed": wording.signed, "day": wording.day, "level": wording.level}
    environment = page_environment(_FOLDER, filters)
    context = {
        "figures": figures,
        "css": (_FOLDER / "review.css").read_text(encoding="utf-8"),
        "values": values_picture(figures),
        "promises": promises_picture(figures),
        "sentences": loop_sentences(figures),
    }
    return environment.get_template("loop.html.jinja").render(context).strip() + "\n"


def loop_sentences(figures: LoopFigures) -> tuple[str, ...]:
    """Return what came of the loop, the most important first."""
    told = (_outcome(figures), _harm(figures), _untold(figures), _promises(figures), _as_judged(figures))
    return tuple(filter(None, (*told, _seconds(figures.seconds_a_night))))


def _outcome(figures: LoopFigures) -> str:
    n, gain = len(figures.promoted), figures.final_gain
    if not n:
        return f"No night of {len(figures.nights)} promoted anything: the shop's own rule decided throughout."
    last = figures.days[-1].version
    times = "once" if n == 1 else f"{n} times"
    began = f"In {wording.counted(len(figures.nights), 'night')} a policy was promoted {times}"
    if last is None:
        return f"{began}; on the last day the shop's own rule decided."
    if gain is None:
        return f"{began}; version {last} decided at the end, on too few days to tell what it brings."
    worth = f"{wording.signed(gain.value)} {figures.reward_unit} {figures.of}"
    bounds = wording.signed_range(gain.lower, gain.upper)
    if figures.of != "a session":
        told = f"{figures.of[2:]}s that version {last} decided brought {worth} more than the shop's own rule would have"
        return f"{began}; {told} ({bounds})."
    return (
        f"{began}; version {last}, which decided at the end, is truly worth {worth} more than the shop's own rule "
        f"({bounds}, the doubt of playing it)."
    )


def _harm(figures: LoopFigures) -> str:
    if not figures.promoted:
        return ""
    if not figures.worse:
        return "" if figures.untold else "No promotion lowered the true value by more than 2%."
    return f"Promotions that lowered the true value by more than 2%: {_versions(figures.worse)}."


def _untold(figures: LoopFigures) -> str:
    if not figures.untold:
        return ""
    return (
        f"Whether a promotion lowered the true value by more than 2% isn't known of {_versions(figures.untold)}: no "
        "night told what is true beside the version that was replaced."
    )


def _versions(numbers: Sequence[int]) -> str:
    return f"version{'' if len(numbers) == 1 else 's'} {', '.join(str(number) for number in numbers)}"


def _promises(figures: LoopFigures) -> str:
    found = figures.held
    if not found.of:
        return ""
    return (
        f"Of {found.of} nights' {wording.level(figures.level)} intervals of the gain, {found.held} hold the true gain."
    )


def _as_judged(figures: LoopFigures) -> str:
    """Tell of nights that kept the gate's bounds alone."""
    found = figures.held_as_judged
    if not found.of:
        return ""
    return (
        f"Of {wording.counted(found.of, 'night')} that kept the gate's bounds alone, as earlier releases did, "
        f"{found.held} hold the true gain between these: at the level that each was judged by, not at "
        f"{wording.level(figures.level)}."
    )


def _seconds(found: NightSeconds | None) -> str:
    if found is None:
        return ""
    return (
        f"A night took {found.median:.0f} seconds in the median, the slowest ({wording.day(found.slowest_date)}) "
        f"{found.slowest:.0f}."
    )


def values_picture(figures: LoopFigures) -> Picture:
    """Return the picture of values by day."""
    days = figures.days
    known = [one for day in days for one in (day.behavior, day.champion, day.best) if one is not None]
    earned = [one for day in days for one in (day.served, day.control) if one is not None]
    reach = [value.value + way * _REACH * value.standard_error for value in earned for way in (-1, 1)]
    y_axis = axis_over([*(value.value for value in known), *reach])
    place = _places(len(days))
    lines = [("behavior", _path(y_axis, [(place(n), day.behavior) for n, day in enumerate(days)]))]
    lines += [("truth", _path(y_axis, [(place(n), day.best) for n, day in enumerate(days)]))]
    lines += [
        ("candidate", _path(y_axis, [(place(n), day.champion) for n, day in part])) for part in _reigns(tuple(days))
    ]
    marks = [mark for n, day in enumerate(days) for mark in _earned(y_axis, place(n), day)]
    at = {day.date: place(n) for n, day in enumerate(days)}
    promotions = [
        Label(at[night.date] + place(1) / 2 - place(0) / 2, f"v{night.version}")
        for night in figures.promoted
        if night.date in at
    ]
    return Picture(
        lines=tuple((tone, points) for tone, points in lines if points),
        marks=tuple(marks),
        diamonds=(),
        promotions=tuple(promotions),
        x_labels=_dates([day.date for day in days], place),
        y_labels=_ticks(y_axis),
    )


def promises_picture(figures: LoopFigures) -> Picture | None:
    """Return the picture of each judged night's gain beside its true gain; None where no night judged any."""
    nights = [night for night in figures.nights if night.shown is not None]
    if not nights:
        return None
    every = [one for night in nights if night.shown is not None for one in (night.shown.lower, night.shown.upper)]
    y_axis = axis_over([0.0, *every, *(night.true_gain for night in nights if night.true_gain is not None)])
    place = _places(len(nights))
    diamonds = [
        Mark(place(n), _y(y_axis, night.true_gain), 0, 0, "truth", f"true {wording.signed(night.true_gain)}")
        for n, night in enumerate(nights)
        if night.true_gain is not None
    ]
    return Picture(
        lines=(),
        marks=tuple(_promise(y_axis, place(n), night) for n, night in enumerate(nights)),
        diamonds=tuple(diamonds),
        promotions=tuple(Label(place(n), f"v{night.version}") for n, night in enumerate(nights) if night.is_promoted),
        x_labels=_dates([night.date for night in nights], place),
        y_labels=_ticks(y_axis),
        zero=_y(y_axis, 0.0),
    )


def _promise(axis: Axis, x: float, night: LoopNight) -> Mark:
    gain = night.shown
    if gain is None:
        raise ValueError("a night without a gain has no place in the picture")
    against = "the shop's rule" if night.compared_with == "behavior" else f"version {night.compared_with}"
    title = f"{night.date}: {night.verdict}, {wording.signed(gain.value)} over {against}"
    tone = {"promote": "promote", "reject": "reject", "abstain": "abstain"}[night.verdict]
    return Mark(x, _y(axis, gain.value), _y(axis, gain.upper), _y(axis, gain.lower), tone, title)


def _earned(axis: Axis, x: float, day: LoopDay) -> list[Mark]:
    found = []
    for earned, tone, who, shift in (
        (day.control, "behavior", "the shop's rule", -4),
        (day.served, "candidate", "champion", 4),
    ):
        if earned is not None:
            half = _REACH * earned.standard_error
            title = f"{day.date}: {who} earned {wording.number(earned.value)} in "
            title += wording.counted(earned.n_episodes, "session")
            bounds = _y(axis, earned.value + half), _y(axis, earned.value - half)
            found.append(Mark(x + shift, _y(axis, earned.value), *bounds, tone, title))
    return found


def _reigns(days: Sequence[LoopDay]) -> list[list[tuple[int, LoopDay]]]:
    """Return the days in runs of one version each."""
    runs: list[list[tuple[int, LoopDay]]] = []
    for number, day in enumerate(days):
        if day.version is None:
            continue
        if runs and runs[-1][-1][0] == number - 1 and runs[-1][-1][1].version == day.version:
            runs[-1].append((number, day))
        else:
            runs.append([(number, day)])
    return runs


def _places(n: int) -> Callable[[int], float]:
    """Return the place of each of so many days across the picture, by its number."""
    step = (_RIGHT - _LEFT) / max(n, 1)
    return lambda number: round(_LEFT + (number + 0.5) * step, 1)


def _path(axis: Axis, points: Sequence[tuple[float, object]]) -> str:
    known = [(x, getattr(value, "value", None)) for x, value in points]
    return " ".join(f"{x:g},{_y(axis, y):g}" for x, y in known if y is not None)


def _y(axis: Axis, value: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * axis.percent(value) / 100, 1)


def _ticks(axis: Axis) -> tuple[Label, ...]:
    return tuple(Label(round(_BOTTOM - (_BOTTOM - _TOP) * tick.percent / 100, 1), tick.label) for tick in axis.ticks(5))


def _dates(days: Sequence[date], place: Callable[[int], float]) -> tuple[Label, ...]:
    every = max(1, len(days) // 7)
    return tuple(Label(place(n), f"{day:%b} {day.day}") for n, day in enumerate(days) if n % every == 0)
