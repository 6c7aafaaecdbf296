"""One log as estimators read it, for rewards of every kind: whole sessions, or each decision by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.ope.density_ratios.fitting import fit_density_ratios
from rl.ope.propensities.logged_decisions import as_decisions
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from rl.ope.samples.q_function import QFunction, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from rl.ope.samples.weights import effective_rewarded_units, effective_sample_size, weights_from_ratio
from tests.bench.gate.shop import GAMMA, STEPS
from tests.bench.ope.shop import policy, reward_kinds, true_decision_value, true_value
from tests.rl.ope.single_fit import fit_fqe

Form = Literal["sessions", "decisions"]

LINEAR = FqeSettings(method="linear")


@dataclass(frozen=True)
class FormSettings:
    """How a log is read.

    Attributes:
        steps: over which its values run.
        of: the log in that form.
        truth: exact value by kind of reward, of the policy or of the behavior policy.
        estimators: run on it.
    """

    steps: int
    of: Callable[[LoggedEpisodes], LoggedEpisodes]
    truth: Callable[[str, bool], float]
    estimators: tuple[str, ...]


FORMS: Mapping[Form, FormSettings] = {
    "sessions": FormSettings(
        STEPS,
        lambda log: log,
        lambda kind, is_behavior: true_value(kind, of_behavior=is_behavior),
        ("dm", "pdis", "wpdis", "dr", "wdr"),
    ),
    "decisions": FormSettings(
        1,
        as_decisions,
        lambda kind, is_behavior: true_decision_value(kind, of_behavior=is_behavior),
        ("snips", "dr", "sndr"),
    ),
}


@dataclass(frozen=True)
class FittedValues:
    """Q-functions of the policy and of the behavior policy, by kind of reward."""

    candidate: Mapping[str, QFunction]
    behavior: Mapping[str, QFunction]

    def of(self, kinds: Sequence[str]) -> FittedValues:
        """Those of some kinds of reward."""
        return FittedValues(
            {kind: self.candidate[kind] for kind in kinds}, {kind: self.behavior[kind] for kind in kinds}
        )


def fit_values(
    train: LoggedEpisodes, form: Form, settings: FqeSettings = LINEAR, *, kinds: Sequence[str] | None = None
) -> FittedValues:
    """Q-functions fitted on the training log in that form, as a night fits them."""
    log = FORMS[form].of(train)
    merged = as_one_action(log)
    candidate, behavior = (
        {
            kind: fit_fqe(
                fitted_for,
                episodes,
                discount=DiscountFunction(GAMMA),
                steps=FORMS[form].steps,
                settings=settings,
                reward=log.metrics[kind],
            )
            for kind in kinds or reward_kinds()
        }
        for fitted_for, episodes in ((policy(), log), (OnlyAction(), merged))
    )
    return FittedValues(candidate, behavior)


@dataclass(frozen=True)
class KindSamples:
    """Samples of the policy and of the behavior policy, by kind of reward, on one log."""

    candidate: Mapping[str, EvaluationSample]
    behavior: Mapping[str, EvaluationSample]

    def reweighted(self, ratio: FloatArray) -> KindSamples:
        """The same with other ratios of the policy's probabilities to propensities, `(n,)`."""
        weights = weights_from_ratio(ratio, next(iter(self.candidate.values())).offsets)
        return KindSamples(
            {kind: replace(sample, weights=weights) for kind, sample in self.candidate.items()}, self.behavior
        )


def kind_samples(test: LoggedEpisodes, form: Form, values: FittedValues, *, has_ratios: bool = False) -> KindSamples:
    """Samples of every kind of reward; weights, and density ratios where asked, are made once."""
    log = FORMS[form].of(test)
    merged = as_one_action(log)
    candidate = _sample(log, form, is_behavior=False)
    if has_ratios:
        candidate = _with_ratios(candidate, log)
    behavior = _sample(log, form, is_behavior=True)
    return KindSamples(
        {
            kind: replace(candidate, reward=log.metrics[kind], values=action_values(q, policy(), log))
            for kind, q in values.candidate.items()
        },
        {
            kind: replace(behavior, reward=log.metrics[kind], values=action_values(q, OnlyAction(), merged))
            for kind, q in values.behavior.items()
        },
    )


def overlap(sample: EvaluationSample) -> tuple[float, float]:
    """Effective shoppers behind decisions and behind rewards, as a night's reports give them."""
    weight: FloatArray = sample.discount * sample.require_weights()
    unit = sample.unit_of_row
    by_shopper = np.bincount(unit, weights=weight).astype(np.float64)
    return effective_sample_size(by_shopper), effective_rewarded_units(weight * sample.reward, unit)


def _sample(log: LoggedEpisodes, form: Form, *, is_behavior: bool) -> EvaluationSample:
    """All rows stay: no session is longer than the value's steps."""
    return evaluation_sample(
        None if is_behavior else policy(), log, discount=DiscountFunction(GAMMA), steps=FORMS[form].steps
    )


def _with_ratios(sample: EvaluationSample, log: LoggedEpisodes) -> EvaluationSample:
    try:
        model = fit_density_ratios(policy(), log, discount=DiscountFunction(GAMMA), steps=STEPS)
    except UnsupportedEstimator as error:
        return replace(sample, ratio_refusal=str(error))
    return replace(sample, density_ratios=model.ratios(policy(), log))
