"""Charts of what actions do to whom: curves of gain against spend by whose order it is spent, and effects by tenths."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rl.figures.effects import Bounded, CurveLine, DecileFigures, SpendLines
from rl.page import wording
from rl.page.axis import Axis, Tick, axis_over

LEARNER_NAMES = {"t_learner": "T-learner", "dr_learner": "DR-learner"}
_LEARNER_MEANINGS = {
    "t_learner": "one model for each action predicts",
    "dr_learner": "a model learns from doubly robust scores of each action",
}
AS_ABOVE = "as above"
_LINE_TONES = ("candidate", "champion", "behavior", "behavior", "behavior")
_N_DASHES = 4


@dataclass(frozen=True)
class SpendLine:
    """A curve as points of a box of 100 by 100; `dash` is its pattern."""

    name: str
    tone: str
    dash: int
    points: str


@dataclass(frozen=True)
class SpendChart:
    """Curves of gain against spend; `even` is where what is brought is what was spent."""

    lines: tuple[SpendLine, ...]
    even: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class SpendRow:
    """A row of the table of gains: the spend, or the spends at which all cells read alike, and what each line brings.

    A cell that reads as the one above it is `AS_ABOVE`.
    """

    spend: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class DecileRow:
    """A tenth's effect as places on the axis in percent; `predicted` is the place of what was predicted."""

    number: int
    n: int
    effect: Bounded
    told: float
    start: float
    width: float
    point: float
    predicted: float


@dataclass(frozen=True)
class DecileChart:
    """Effects by tenths, on one axis with its zero."""

    rows: tuple[DecileRow, ...]
    ticks: tuple[Tick, ...]
    zero: float


def spend_lines_chart(spend: SpendLines) -> SpendChart:
    """Return all curves in one box, from no spend to the largest."""
    most = max(max(line.spend) for line in spend.lines)
    x_axis = Axis(0.0, max(most, spend.spends[-1]))
    y_axis = axis_over([0.0, x_axis.high, *[value for line in spend.lines for value in line.gain]])
    lines = []
    for number, line in enumerate(spend.lines):
        # Beyond its last step a curve stays where it is: there is nothing left to buy.
        points = [*zip(line.spend, line.gain, strict=True), (x_axis.high, line.gain[-1])]
        lines.append(
            SpendLine(
                line_name(line),
                _LINE_TONES[min(number, len(_LINE_TONES) - 1)],
                number % _N_DASHES,
                _path(points, x_axis, y_axis),
            )
        )
    even = _path([(0.0, 0.0), (x_axis.high, x_axis.high)], x_axis, y_axis)
    return SpendChart(tuple(lines), even, x_axis.ticks(4), y_axis.ticks(4))


def spend_rows(spend: SpendLines) -> tuple[SpendRow, ...]:
    """Return the gains at each spend, lines first and the lead last; spends that read alike are one row.

    Curves end where nothing more is worth its money: what they bring at more money is what the row above says.
    """
    found: list[SpendRow] = []
    told: list[str] = []
    group: list[float] = []
    for place, amount in enumerate(spend.spends):
        cells = [bounded(one) for one in (*(line.at[place] for line in spend.lines), spend.ahead[place])]
        if cells == told:
            group.append(amount)
            found[-1] = replace(found[-1], spend=f"{wording.number(group[0])} to {wording.number(group[-1])}")
            continue
        above = told or [""] * len(cells)
        shown = tuple(AS_ABOVE if one == before else one for one, before in zip(cells, above, strict=True))
        found.append(SpendRow(wording.number(amount), shown))
        told, group = cells, [amount]
    return tuple(found)


def line_meanings(spend: SpendLines, *, unit: str) -> tuple[tuple[str, str], ...]:
    """Return each line's name with what it means, in words.

    Args:
        spend: the lines.
        unit: of money.
    """
    return tuple((line_name(line), _meaning(line, unit)) for line in spend.lines)


def _meaning(line: CurveLine, unit: str) -> str:
    if line.kind == "candidate":
        return "shoppers in the order of the candidate's values, those first whose offer brings most for its money"
    if line.kind == "learner":
        return f"shoppers in the order of effects that {_LEARNER_MEANINGS[line.name]}"
    return (
        f"nobody is chosen: {line.name}, as the shop calls this action, goes to shoppers drawn by lot, as many as the "
        f"money is enough for; all who may get it would take {wording.number(max(line.spend))} {unit} a shopper"
    )


def decile_chart(deciles: DecileFigures) -> DecileChart:
    """Return the tenths on one axis, the highest prediction first."""
    ends = [end for one in deciles.deciles for end in (one.effect.lower, one.effect.upper, one.predicted)]
    axis = axis_over([0.0, *ends])
    rows = []
    for number, one in enumerate(deciles.deciles, start=1):
        start, end = axis.percent(one.effect.lower), axis.percent(one.effect.upper)
        rows.append(
            DecileRow(
                number=number,
                n=one.n,
                effect=one.effect,
                told=one.predicted,
                start=start,
                width=round(end - start, 2),
                point=axis.percent(one.effect.value),
                predicted=axis.percent(one.predicted),
            )
        )
    return DecileChart(tuple(rows), axis.ticks(), axis.percent(0.0))


def _path(points: list[tuple[float, float]], x_axis: Axis, y_axis: Axis) -> str:
    return " ".join(f"{x_axis.percent(x):g},{round(100 - y_axis.percent(y), 2):g}" for x, y in points)


def bounded(figure: Bounded) -> str:
    """Return `+0.012 (−0.004 to +0.028)`."""
    return f"{wording.signed(figure.value)} ({wording.signed_range(figure.lower, figure.upper)})"


def line_name(line: CurveLine) -> str:
    """Return what a page calls a curve."""
    if line.kind == "arm":
        return f"{line.name} to a random share"
    return f"{LEARNER_NAMES[line.name]}'s order" if line.kind == "learner" else f"{line.name}'s order"
