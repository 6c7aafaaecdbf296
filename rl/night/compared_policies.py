"""Two policies on the same test episodes: what each earns, the paired difference, and where they decide differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from rl.data.dataset import Dataset
from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.data.shopper_segments import segments_of
from rl.errors import EvaluationError
from rl.figures.comparison import ActionChange, DecisionChanges, PairedValues, SegmentChange
from rl.figures.values import Spread
from rl.night.evaluation import aligned_contender, evaluate_contenders
from rl.night.explanation.shopper_means import mean_over_shoppers
from rl.ope.contenders import Contender
from rl.ope.intervals.intervals import Interval, cautious_bounds
from rl.ope.intervals.sums import difference
from rl.ope.propensities.known import know_propensities
from rl.ope.report import EvaluationSettings
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches
from rl.policy import StochasticPolicy

_FEWEST_UNITS = 20
_SHOWN_ACTIONS = 12
_SHOWN_SEGMENTS = 12


def compare_values(
    a: StochasticPolicy, b: StochasticPolicy, dataset: Dataset, *, rests_on: str, settings: EvaluationSettings
) -> PairedValues:
    """Return the values of both policies on the dataset's test episodes, and the interval of their difference.

    Both are valued by the estimator that the gate may use, on the same episodes and propensities. One that was chosen
    on episodes that lie in this test split looks better than it is.

    Args:
        a: the one that is subtracted.
        b: the other one.
        dataset: whose test episodes are looked at; Q-functions are fitted on its training episodes.
        rests_on: which episodes these are, in words.
        settings: of the evaluation.

    Raises:
        EvaluationError: the log can't value one of them, with the reason.
    """
    is_logged = dataset.pipeline.is_logged
    estimator = dataset.pipeline.scenario.evaluation.estimator if is_logged else "dm"
    test = know_propensities(dataset.to_logged_episodes("test"), is_logged=is_logged).episodes
    contenders = [aligned_contender(dataset, name, policy, test) for name, policy in (("a", a), ("b", b))]
    found = evaluate_contenders(contenders, replace(settings, estimators=(estimator,)), is_logged=is_logged)
    for name in ("a", "b"):
        if (refusal := found.report(name, estimator).refusal) is not None:
            raise EvaluationError(refusal)
    paired = difference(found.sums["b", estimator], found.sums["a", estimator])
    alpha = (1 - settings.confidence) / 2
    interval = cautious_bounds(paired, alpha=alpha, resampling=settings.resampling)
    reports = {name: found.report(name, estimator) for name in ("a", "b")}
    return PairedValues(
        estimator=estimator,
        level=settings.confidence,
        rests_on=rests_on,
        difference=_spread(interval),
        **{
            name: Spread(value=one.value, lower=one.lower, upper=one.upper)
            for name, one in reports.items()
            if one.value is not None and one.lower is not None and one.upper is not None
        },
    )


def compare_decisions(
    a: StochasticPolicy, b: StochasticPolicy, dataset: Dataset, names: Mapping[int, str], *, level: float
) -> DecisionChanges:
    """Return in how many of the test decisions the two would choose differently, by action and by segment.

    Args:
        a: one policy.
        b: the other one.
        dataset: whose test episodes are looked at.
        names: natural key by id hash, for the words of segments.
        level: of the intervals, two-sided.

    Raises:
        EvaluationError: fewer than two units decided anything.
    """
    test = dataset.to_logged_episodes("test")
    policies = [aligned_contender(dataset, name, policy, test) for name, policy in (("a", a), ("b", b))]
    distance, shares = _distances(policies, test)
    unit = np.repeat(test.unit, np.diff(test.offsets))
    observation = dataset.transitions("test").observation
    segments = []
    for part in segments_of(observation, names, of_episodes=False):
        inside = part.is_member
        if (n_units := len(np.unique(unit[inside]))) >= _FEWEST_UNITS:
            found = mean_over_shoppers(distance[inside], unit[inside], level=level)
            segments.append(
                SegmentChange(
                    dimension=part.dimension,
                    label=part.label,
                    n_decisions=int(inside.sum()),
                    n_units=n_units,
                    distance=_share(found),
                )
            )
    return DecisionChanges(
        n_decisions=test.n_transitions,
        n_units=len(np.unique(unit)),
        overall=_share(mean_over_shoppers(distance, unit, level=level)),
        actions=_actions(dataset, shares),
        segments=tuple(sorted(segments, key=lambda one: -one.distance.value)[:_SHOWN_SEGMENTS]),
    )


def _distances(policies: list[Contender], test: LoggedEpisodes) -> tuple[FloatArray, FloatArray]:
    """Return the distance of both at each decision, `(n,)`, and each action's share under both, `(2, n_actions)`."""
    distance = np.zeros(test.n_transitions)
    shares = np.zeros((2, test.n_actions))
    for rows in row_batches(test.n_transitions, test.n_actions):
        mask = test.mask(rows)
        both = [checked_probabilities(one.policy, one.test.features[rows], mask) for one in policies]
        distance[rows] = np.abs(both[0] - both[1]).sum(axis=1) / 2
        shares += [found.sum(axis=0) for found in both]
    return distance, shares / max(test.n_transitions, 1)


def _actions(dataset: Dataset, shares: FloatArray) -> tuple[ActionChange, ...]:
    order: IntArray = np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")[:_SHOWN_ACTIONS]
    names = dataset.vocabulary.names
    return tuple(ActionChange(action=names[i], a=float(shares[0, i]), b=float(shares[1, i])) for i in order)


def _spread(found: Interval) -> Spread:
    return Spread(value=found.value, lower=found.lower, upper=found.upper)


def _share(found: Interval) -> Spread:
    return Spread(value=found.value, lower=max(0.0, found.lower), upper=min(1.0, found.upper))
