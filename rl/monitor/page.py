"""The monitor's page: one self-contained HTML file with the picture first, drawn from the figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from markupsafe import Markup

import rl.page
from rl.figures.monitor import DayFigures, MonitorFigures, SeriesFigures
from rl.monitor.alerts import series_name
from rl.monitor.drift import Series
from rl.page import wording
from rl.page.axis import Axis, Tick, axis_over
from rl.page.environment import page_environment
from rl.page.launches_chart import launches_chart

SHOWN_SERIES = 12
_PAGES = Path(rl.page.__file__).parent


@dataclass(frozen=True)
class Dot:
    """A day's own gain, as a place in a box of 100 by 100, `y` from the top."""

    day: DayFigures
    x: float
    y: float


@dataclass(frozen=True)
class GainChart:
    """The gain since the launch: a band that holds at all days together, days' own gains, and the promise.

    Places are in percent, from the top where they go up; `promised` is the top and the height of the promise's band.
    """

    line: str
    band: str
    dots: tuple[Dot, ...]
    promised: tuple[float, float] | None
    promised_value: float | None
    zero: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def render_monitor_page(figures: MonitorFigures) -> str:
    """Return the page as HTML; every text from the figures is escaped."""
    context: dict[str, Any] = {
        "found": figures,
        "ledger": figures.ledger,
        "launches": launches_chart(figures.ledger),
        "css": Markup((_PAGES / "review.css").read_text(encoding="utf-8")),
        "chart": gain_chart(figures),
        "shown_series": figures.series[:SHOWN_SERIES],
        "headline": headline(figures),
        "last": figures.days[-1] if figures.days else None,
    }
    environment = page_environment(
        Path(__file__).parent,
        {
            "count": wording.count,
            "number": wording.number,
            "signed": wording.signed,
            "signed_range": wording.signed_range,
            "share": wording.share,
            "level": wording.level,
            "day": wording.day,
            "series_name": _series_name,
            "figure": _figure,
        },
        _PAGES,
    )
    return environment.get_template("monitor.html.jinja").render(context).strip() + "\n"


def headline(figures: MonitorFigures) -> str:
    """Return in one sentence how the champion does."""
    launch, unit = figures.launch, figures.reward_unit
    if launch.earned is None:
        return f"What version {figures.version} gains isn't known: {launch.refusal}."
    earned = launch.earned
    gains = f"Version {figures.version} gains {wording.signed(earned.value)} {unit} an episode over the control group "
    gains += f"({wording.signed_range(earned.lower, earned.upper)})"
    if launch.promised is None:
        return f"{gains}; nothing was promised."
    promised = f"promised were {wording.signed(launch.promised.value)}"
    words = {
        "kept": "the promise is kept",
        "broken": "the promise is broken",
        "open": "too early to tell if it is kept",
    }
    return f"{gains}; {promised}: {words[launch.standing]}."


def gain_chart(figures: MonitorFigures) -> GainChart | None:
    """Return the picture; None while no day has both arms."""
    days = [day for day in figures.days if day.gain is not None or day.running is not None]
    if not days:
        return None
    promised, numbers = figures.launch.promised, [day.day.toordinal() for day in days]
    running = [(day.day.toordinal(), day.running) for day in days if day.running is not None]
    # The first days' bounds are wide; they may not press the rest together.
    late = [one for _, one in running[len(running) // 3 :]]
    ends = [end for one in late for end in (one.lower, one.upper)]
    ends += [day.gain.value for day in days if day.gain is not None]
    ends += [] if promised is None else [promised.lower, promised.upper]
    x_axis, y_axis = Axis(numbers[0] - 0.5, numbers[-1] + 0.5), axis_over([0.0, *ends])
    spots = [(x_axis.percent(x), one) for x, one in running]
    band = [f"{x:g},{_from_top(y_axis, one.lower):g}" for x, one in spots]
    band += [f"{x:g},{_from_top(y_axis, one.upper):g}" for x, one in reversed(spots)]
    top = None if promised is None else _from_top(y_axis, promised.upper)
    return GainChart(
        line=" ".join(f"{x:g},{_from_top(y_axis, one.value):g}" for x, one in spots),
        band=" ".join(band),
        dots=tuple(
            Dot(day, x_axis.percent(day.day.toordinal()), _from_top(y_axis, day.gain.value))
            for day in days
            if day.gain is not None
        ),
        promised=None if promised is None or top is None else (top, _from_top(y_axis, promised.lower) - top),
        promised_value=None if promised is None else _from_top(y_axis, promised.value),
        zero=_from_top(y_axis, 0.0),
        x_ticks=_day_ticks(x_axis, numbers),
        y_ticks=y_axis.ticks(5),
    )


def _day_ticks(axis: Axis, numbers: list[int]) -> tuple[Tick, ...]:
    """Return the first day, the last and one between, where there are so many."""
    shown = sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]})
    return tuple(Tick(axis.percent(number), str(date.fromordinal(number))) for number in shown)


def _from_top(axis: Axis, value: float) -> float:
    return round(100 - axis.percent(value), 2)


def _series_name(series: SeriesFigures) -> str:
    return series_name(Series(series.kind, series.name))


def _figure(value: float | None, series: SeriesFigures) -> str:
    return wording.share(value) if series.kind == "share" else wording.number(value)
