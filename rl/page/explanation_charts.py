"""Why a policy decides as it does, as bars and a nested tree."""

from __future__ import annotations

from dataclasses import dataclass

from rl.figures.evidence import (
    Contribution,
    DecisionExample,
    DepartureRow,
    FeatureWeight,
    ImitationNode,
    ImitationTree,
    RemovalFigures,
)
from rl.figures.values import Spread
from rl.page.feature_wording import condition, feature
from rl.page.wording import counted, number, one_of, share

_FULL = 78  # percent of the line that the longest bar takes; the rest holds its number
_FULL_WITH_NAME = 50  # where the number is followed by words


@dataclass(frozen=True)
class Bar:
    """A bar from zero, with its interval's ends; all places in percent of the line."""

    label: str
    note: str
    width: float
    low: float
    high: float
    words: str
    title: str = ""


@dataclass(frozen=True)
class SignedBar:
    """A bar to the right of the middle (for the choice) or to the left (against it), percents of the whole line."""

    label: str
    observed: str
    start: float
    width: float
    is_for: bool
    value: float


@dataclass(frozen=True)
class ExampleChart:
    """One decision's contributions, the largest first, then all others and where the margin started."""

    example: DecisionExample
    bars: tuple[SignedBar, ...]


@dataclass(frozen=True)
class Branch:
    """A node of the tree with the condition that leads to it, empty at the root; `answer` at leaves only."""

    condition: str
    answer: str
    n: int
    share: float
    branches: tuple[Branch, ...]


def feature_bars(features: tuple[FeatureWeight, ...]) -> tuple[Bar, ...]:
    """Return the mean sizes of attributions, in the given order."""
    longest = max((weight.mean_absolute.upper for weight in features), default=0.0) or 1.0
    return tuple(
        _bar(
            feature(weight.feature),
            weight.mean_absolute,
            longest,
            number(weight.mean_absolute.value),
            note=share(weight.share),
        )
        for weight in features
    )


def departure_bars(rows: tuple[DepartureRow, ...], units: str = "shoppers") -> tuple[Bar, ...]:
    """Return distances from the log, in the given order."""
    longest = max((row.distance.upper for row in rows), default=0.0) or 1.0
    return tuple(
        _bar(
            row.label,
            row.distance,
            longest,
            share(row.distance.value),
            note=f"{counted(row.n_decisions, 'decision')}, {counted(row.n_shoppers, one_of(units), units)}",
        )
        for row in rows
    )


def removal_bars(removal: RemovalFigures) -> tuple[tuple[str, tuple[Bar, Bar]], ...]:
    """Return two measures, each with the bar of the named features and that of random ones."""
    measures = (
        ("fall of the margin, in log-odds", removal.margin_named, removal.margin_random, number),
        ("move of the action probabilities", removal.moved_named, removal.moved_random, share),
    )
    return tuple(
        (
            title,
            (
                _bar("without the named", named, most, words(named.value), full=_FULL_WITH_NAME),
                _bar("without random ones", drawn, most, words(drawn.value), full=_FULL_WITH_NAME),
            ),
        )
        for title, named, drawn, words in measures
        for most in (max(named.upper, drawn.upper),)
    )


def example_charts(examples: tuple[DecisionExample, ...]) -> tuple[ExampleChart, ...]:
    """Return the chart of each decision, on a scale of its own."""
    return tuple(_example_chart(example) for example in examples)


def branches_of(tree: ImitationTree) -> Branch | None:
    """Return the tree as nested branches; None where it has no nodes."""
    return _branch(tree.nodes, 0, "") if tree.nodes else None


def _bar(label: str, spread: Spread, longest: float, words: str, *, note: str = "", full: float = _FULL) -> Bar:
    scale = full / (longest or 1.0)
    return Bar(
        label=label,
        note=note,
        width=round(max(0.0, scale * spread.value), 2),
        low=round(max(0.0, scale * spread.lower), 2),
        high=round(min(100.0, max(0.0, scale * spread.upper)), 2),
        words=words,
        title=f"between {number(spread.lower)} and {number(spread.upper)}",
    )


def _example_chart(example: DecisionExample) -> ExampleChart:
    rest = (
        Contribution(feature="all other features", observed="", log_odds=example.others),
        Contribution(feature="for a mean observation", observed="", log_odds=example.start),
    )
    found = (*example.contributions, *rest)
    longest = max(abs(one.log_odds) for one in found) or 1.0
    return ExampleChart(example, tuple(_signed_bar(one, longest) for one in found))


def _signed_bar(contribution: Contribution, longest: float) -> SignedBar:
    reach = round(50 * abs(contribution.log_odds) / longest, 2)
    is_for = contribution.log_odds >= 0
    return SignedBar(
        label=feature(contribution.feature),
        observed=contribution.observed,
        start=50.0 if is_for else round(50 - reach, 2),
        width=reach,
        is_for=is_for,
        value=contribution.log_odds,
    )


def _branch(nodes: tuple[ImitationNode, ...], place: int, leading: str) -> Branch:
    node = nodes[place]
    if node.feature is None or node.kind is None or node.threshold is None or node.low is None or node.high is None:
        return Branch(leading, node.label, node.n, node.share, ())
    asked = (node.feature, node.kind, node.name, node.threshold)
    return Branch(
        leading,
        "",
        node.n,
        node.share,
        tuple(
            _branch(nodes, child, _condition(*asked, is_high=is_high))
            for child, is_high in ((node.low, False), (node.high, True))
        ),
    )


def _condition(name: str, kind: str, entry: str, threshold: float, *, is_high: bool) -> str:
    return condition(name, kind, entry=entry, threshold=threshold, is_high=is_high)  # type: ignore[arg-type]  # a Kind
