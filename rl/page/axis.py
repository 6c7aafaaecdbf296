"""Round ticks on a number line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rl.page.wording import MINUS

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Tick:
    """A labeled place on an axis; `percent` counts from its start."""

    percent: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A number line from `low` to `high`, which differ."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Return the place of the value on the axis, 0 to 100, kept to its ends."""
        return round(min(100.0, max(0.0, 100 * (value - self.low) / (self.high - self.low))), 2)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def ticks(self, about: int = 5) -> tuple[Tick, ...]:
        """Return between three and about seven round numbers on the axis."""
        step = _round_step((self.high - self.low) / about)
        digits = max(0, -math.floor(math.log10(step) + 1e-9) + (1 if _is_quarter(step) else 0))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [index * step for index in range(first, last + 1)]
        return tuple(Tick(self.percent(value), _label(value, digits)) for value in values)


def axis_over(values: list[float], *, margin: float = 0.06) -> Axis:
    """Return an axis that holds all values, with a margin on both sides as a share of their range."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    reach = (high - low) or abs(high) or 1.0
    return Axis(low - margin * reach, high + margin * reach)


def _round_step(step: float) -> float:
    scale = 10.0 ** math.floor(math.log10(step))
    return next(candidate * scale for candidate in _STEPS if candidate * scale >= step * (1 - 1e-9))


def _is_quarter(step: float) -> bool:
    return abs(step / 10.0 ** math.floor(math.log10(step) + 1e-9) - 2.5) < 1e-6


def _label(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else f"{0:.{digits}f}"
