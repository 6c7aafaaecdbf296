"""All estimators on all policies of a night, on one split, with their doubts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from conf.specs.scenario import Scenario
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FeatureArray, FloatArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.density_ratios.fitting import with_density_ratios
from rl.ope.estimators.registry import ESTIMATORS, Estimator, estimator, nightly_estimators
from rl.ope.estimators.slope import ChosenLevel
from rl.ope.intervals.intervals import Interval, Resampling, reaching_intervals, require_units
from rl.ope.intervals.sums import RatioSums
from rl.ope.overlap.differing_units import RowWeights, row_weights
from rl.ope.overlap.weight_overlap import WeightOverlap, weight_overlap
from rl.ope.policy_value import PolicyValueReport
from rl.ope.q_functions.fqe import FittedQ, FqeSettings, FqeTask, fit_fqe_together
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from rl.ope.samples.evaluation_probabilities import logged_action_set, share_outside_support
from rl.ope.samples.own_steps import OnOwnFeatures, ended_at_cuts, with_steps_left
from rl.ope.samples.q_function import ActionValues, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample

__all__ = ["BEHAVIOR", "EvaluationSettings", "PolicyEvaluation", "PolicyValueReport", "evaluate_policies"]

BEHAVIOR = "behavior"
"""Name under which the policy that made the log is reported."""

IMPLIED = "the decisions are implied, not logged: nothing tells how likely they were"
"""Why a log without decisions can't be weighted."""

_LINEAR_COLUMNS = 64  # up to here a metric's Q-function is fitted in closed form


@dataclass(frozen=True)
class EvaluationSettings:
    """How a split is evaluated.

    Attributes:
        discount: what a later reward counts for, as the spec states it.
        steps: over which values run; None: to the end of the longest episode.
        after_cut: what a value counts of what follows an episode that time has cut: the fitted value, or nothing.
        weight_clip: upper limit on cumulative weights; None for none.
        estimators: names to run.
        confidence: level of the intervals.
        resampling: how units are drawn for the bounds.
        fqe: how Q-functions are fitted.

    Raises:
        EvaluationError: naming every field that can't be.
    """

    discount: DiscountFunction
    steps: int | None = None
    after_cut: Literal["fitted", "nothing"] = "fitted"
    weight_clip: float | None = None
    estimators: tuple[str, ...] = field(default_factory=nightly_estimators)
    confidence: float = 0.95
    resampling: Resampling = field(default_factory=Resampling)
    fqe: FqeSettings = field(default_factory=FqeSettings)

    def __post_init__(self) -> None:
        found = []
        if self.steps is not None and self.steps < 1:
            found.append(f"steps is {self.steps}, expected at least 1, or None")
        if self.weight_clip is not None and not self.weight_clip > 0:
            found.append(f"weight_clip is {self.weight_clip}, expected a number above 0, or None")
        if not 0 < self.confidence < 1:
            found.append(f"confidence is {self.confidence}, expected between 0 and 1")
        if found:
            raise EvaluationError("nothing can be evaluated so: " + "; ".join(found))

    @classmethod
    def from_scenario(
        cls,
        scenario: Scenario,
        *,
        seed: int = 0,
        device: str = "cpu",
        action_attributes: FeatureArray | None = None,
    ) -> EvaluationSettings:
        """Return the settings that the scenario's spec states.

        Args:
            scenario: the spec.
            seed: of resampling and fits.
            device: for torch.
            action_attributes: what is known of each action, `(n_actions, n_attributes)`; Q-functions read it where a
                candidate does.
        """
        spec = scenario.evaluation
        reads_attributes = any(one.action_scores == "by_attributes" for one in scenario.candidates)
        return cls(
            discount=DiscountFunction.of(scenario.discount),
            steps=spec.steps,
            after_cut=spec.after_cut,
            weight_clip=spec.weight_clip,
            confidence=spec.confidence,
            resampling=Resampling(n_draws=spec.n_bootstrap, seed=seed),
            fqe=FqeSettings(
                n_updates=spec.fqe_updates,
                n_rounds=min(40, max(10, spec.fqe_updates // 20)),
                seed=seed,
                device=device,
                networks=spec.fqe_networks,
                action_attributes=action_attributes if reads_attributes else None,
            ),
        )


@dataclass(frozen=True)
class PolicyEvaluation:
    """What came of evaluating several policies on one split.

    Attributes:
        reports: one for each policy and estimator, refused ones included.
        sums: per-unit sums by (policy, estimator), without the refused; all on the same units.
        fits: fitted Q-functions by policy.
        settings: how the split was evaluated.
        is_logged: False where the decisions were implied.
        outcome: `reward` or a side metric.
        weights: of every weighted row by policy, all on the same rows; without the policies that can't be weighted.
        samples: what the estimators read, by policy, without density ratios; empty unless they were to be kept.
        advantages: of policies with a Q-function, the gain that it alone tells (`EvaluationSample.advantage`).
    """

    reports: tuple[PolicyValueReport, ...]
    sums: Mapping[tuple[str, str], RatioSums]
    fits: Mapping[str, FittedQ]
    settings: EvaluationSettings
    is_logged: bool
    outcome: str
    weights: Mapping[str, RowWeights] = field(default_factory=dict)
    samples: Mapping[str, EvaluationSample] = field(default_factory=dict)
    advantages: Mapping[str, float] = field(default_factory=dict)

    def sample(self, policy: str) -> EvaluationSample:
        """Return what the estimators read of that policy.

        Raises:
            EvaluationError: it was not evaluated, or its sample was not kept.
        """
        if policy not in self.samples:
            raise EvaluationError(f"no sample of policy {policy} was kept")
        return self.samples[policy]

    def report(self, policy: str, estimator_name: str) -> PolicyValueReport:
        """Return the report of that policy and estimator.

        Raises:
            EvaluationError: there is none.
        """
        for found in self.reports:
            if (found.policy, found.estimator) == (policy, estimator_name):
                return found
        raise EvaluationError(f"no report of {estimator_name} on policy {policy}")


def evaluate_policies(  # noqa: PLR0913 -- one call says all that a night asks of a split
    policies: Mapping[str, Policy],
    *,
    train: LoggedEpisodes,
    test: LoggedEpisodes,
    settings: EvaluationSettings,
    is_logged: bool = True,
    outcome: str = "reward",
    stand_ins: Mapping[str, Policy] | None = None,
    has_behavior: bool = True,
    keeps_samples: bool = False,
) -> PolicyEvaluation:
    """Return the reports and per-unit sums of the behavior policy and of each given policy on the test split.

    The behavior policy is run through the estimators too, with all weights 1 and its own state values, so that a
    difference compares like with like: `on_policy` misses what a cut took off, its `dr` doesn't. What the log can't
    support is a refusal in the reports: all of them where the split holds a single unit.

    Args:
        policies: evaluation policies by name; `behavior` is reserved.
        train: Q-functions are fitted here.
        test: values are estimated here.
        settings: how values are estimated or models fitted.
        is_logged: False where decisions are implied: weighted estimators refuse and `dm` is marked a prediction.
        outcome: `reward`, or the side metric to value instead.
        stand_ins: by policy name, another policy whose Q-function serves in place of its own; policies with the same
            stand-in share one fit. Doubly robust estimates stay unbiased under logged propensities; `dm` doesn't.
        has_behavior: False leaves the behavior policy out, where another evaluation of the same episodes has it.
        keeps_samples: what the estimators read stays with the evaluation, at the price of its memory.

    Raises:
        EvaluationError: unknown estimators or metric, or an empty split.
    """
    if BEHAVIOR in policies:
        raise EvaluationError(f"a policy can't be named {BEHAVIOR!r}: that is the one that made the log")
    run = _Run(train, test, settings, is_logged=is_logged, outcome=outcome, keeps_samples=keeps_samples)
    judged: dict[str, Policy | None] = {BEHAVIOR: None} if has_behavior else {}
    judged |= policies
    run.fit(judged | {name: stand_in for name, stand_in in (stand_ins or {}).items() if name in policies})
    for name, policy in judged.items():
        run.evaluate(name, policy)
    return PolicyEvaluation(
        tuple(run.reports), run.sums, run.fits, settings, is_logged, outcome, run.weights, run.samples, run.advantages
    )


class _Run:
    """Accumulates the reports of one call."""

    def __init__(
        self,
        train: LoggedEpisodes,
        test: LoggedEpisodes,
        settings: EvaluationSettings,
        *,
        is_logged: bool,
        outcome: str,
        keeps_samples: bool,
    ) -> None:
        self._train, self._test, self._settings = train, test, settings
        self._is_bounded = settings.after_cut == "nothing"
        if self._is_bounded:
            self._train, self._test = ended_at_cuts(train), ended_at_cuts(test)
            steps = settings.steps or int(max(train.lengths.max(initial=1), test.lengths.max(initial=1)))
            self._fitted_on, self._valued_on = (with_steps_left(one, steps) for one in (self._train, self._test))
        else:
            self._fitted_on, self._valued_on = train, test
        self._is_logged, self._outcome, self._keeps_samples = is_logged, outcome, keeps_samples
        self._estimators = [estimator(name) for name in settings.estimators]
        self._logged_actions = logged_action_set(train, test)
        self.reports: list[PolicyValueReport] = []
        self.sums: dict[tuple[str, str], RatioSums] = {}
        self.fits: dict[str, FittedQ] = {}
        self.weights: dict[str, RowWeights] = {}
        self.samples: dict[str, EvaluationSample] = {}
        self.advantages: dict[str, float] = {}

    def fit(self, fitted_for: Mapping[str, Policy | None]) -> None:
        """Fit all Q-functions in one pass and keep them by name; None stands for the behavior policy."""
        if not any(entry.needs_values for entry in self._estimators):
            return
        distinct = {id(policy): policy for policy in fitted_for.values()}
        fqe = self._settings.fqe
        if self._outcome != "reward" and self._fitted_on.features.shape[1] <= _LINEAR_COLUMNS:
            fqe = replace(fqe, method="linear")
        fitted = fit_fqe_together(
            [self._task(policy) for policy in distinct.values()],
            discount=self._settings.discount,
            steps=self._settings.steps,
            settings=fqe,
        )
        by_policy = dict(zip(distinct, fitted, strict=True))
        self.fits = {name: by_policy[id(policy)] for name, policy in fitted_for.items()}

    def evaluate(self, name: str, policy: Policy | None) -> None:
        """Add the reports of one policy; None stands for the behavior policy."""
        values = self._fitted_values(name, policy) if name in self.fits else None
        sample = evaluation_sample(
            policy,
            self._test,
            discount=self._settings.discount,
            steps=self._settings.steps,
            clip=self._settings.weight_clip,
            values=values,
            reward=_outcome(self._test, self._outcome),
        )
        if (found := row_weights(sample, beside=next(iter(self.weights.values()), None))) is not None:
            self.weights[name] = found
        if self._keeps_samples:
            self.samples[name] = sample
        if (advantage := sample.advantage) is not None:
            self.advantages[name] = advantage
        if policy is not None and any(entry.needs_density_ratios for entry in self._estimators):
            sample = self._with_density_ratios(policy, sample)
        outside = (
            0.0 if policy is None else share_outside_support(policy, self._test, logged_actions=self._logged_actions)
        )
        others = [entry for entry in self._estimators if entry.name != "on_policy"]
        self._report_all(name, [ESTIMATORS["on_policy"], *others] if policy is None else others, sample, outside)

    def _task(self, policy: Policy | None) -> FqeTask:
        reward = _outcome(self._train, self._outcome)
        if policy is None:
            return FqeTask(OnlyAction(), as_one_action(self._fitted_on), reward)
        return FqeTask(self._seeing(policy), self._fitted_on, reward)

    def _fitted_values(self, name: str, policy: Policy | None) -> ActionValues:
        if policy is None:
            return action_values(self.fits[name], OnlyAction(), as_one_action(self._valued_on))
        return action_values(self.fits[name], self._seeing(policy), self._valued_on)

    def _seeing(self, policy: Policy) -> Policy:
        """Return the policy over the features that Q-functions see."""
        return OnOwnFeatures(policy, self._train.features.shape[1]) if self._is_bounded else policy

    def _with_density_ratios(self, policy: Policy, sample: EvaluationSample) -> EvaluationSample:
        """Return the sample with ratios cross-fitted on the test split, or with the reason why there are none."""
        test, settings = self._test, self._settings
        try:
            return with_density_ratios(sample, policy, test, discount=settings.discount, steps=settings.steps)
        except UnsupportedEstimator as error:
            return replace(sample, ratio_refusal=str(error))

    def _report_all(self, name: str, entries: list[Estimator], sample: EvaluationSample, outside: float | None) -> None:
        """Add the reports of one policy by all estimators, their intervals made from one set of draws."""
        estimates = [self._estimate(entry, sample) for entry in entries]
        confidence = self._settings.confidence
        intervals = iter(
            reaching_intervals(
                [found.sums for found in estimates if found.sums is not None],
                level=confidence,
                resampling=self._settings.resampling,
            )
        )
        overlap = weight_overlap(sample)
        for entry, found in zip(entries, estimates, strict=True):
            interval = None
            if found.sums is not None:
                interval, self.sums[name, entry.name] = next(intervals), found.sums
            self.reports.append(
                _value_report(
                    name,
                    entry,
                    sample,
                    outcome=self._outcome,
                    level=confidence,
                    interval=interval,
                    refusal=found.refusal,
                    outside=outside,
                    is_logged=self._is_logged,
                    choice=found.choice,
                    overlap=overlap if self._is_logged or entry.name == "on_policy" else WeightOverlap(),
                )
            )

    def _estimate(self, entry: Estimator, sample: EvaluationSample) -> _Estimate:
        try:
            if entry.needs_weights and not self._is_logged:
                raise UnsupportedEstimator(IMPLIED)
            sums, choice = entry.estimate(sample)
            require_units(sums)
            return _Estimate(sums, choice)
        except UnsupportedEstimator as error:
            return _Estimate(refusal=str(error))


@dataclass(frozen=True)
class _Estimate:
    """An estimator's sums and level, or why there are none."""

    sums: RatioSums | None = None
    choice: ChosenLevel | None = None
    refusal: str | None = None


def _value_report(  # noqa: PLR0913 -- one argument per source of the report's fields
    name: str,
    entry: Estimator,
    sample: EvaluationSample,
    *,
    outcome: str,
    level: float,
    interval: Interval | None,
    refusal: str | None,
    outside: float | None,
    is_logged: bool,
    choice: ChosenLevel | None,
    overlap: WeightOverlap,
) -> PolicyValueReport:
    return PolicyValueReport(
        policy=name,
        estimator=entry.name,
        outcome=outcome,
        value=interval.value if interval else None,
        lower=interval.lower if interval else None,
        upper=interval.upper if interval else None,
        standard_error=interval.standard_error if interval else None,
        level=level,
        interval_method=interval.method if interval else None,
        n_episodes=sample.n_episodes,
        n_units=sample.n_units,
        effective_sample_size=overlap.effective_sample_size,
        n_effective_rewarded=overlap.n_effective_rewarded,
        mean_weight=overlap.mean_weight,
        mean_ratio=overlap.balance.mean if overlap.balance else None,
        mean_ratio_error=overlap.balance.standard_error if overlap.balance else None,
        max_weight=sample.weights.max_weight if sample.weights else None,
        clip=sample.weights.clip if sample.weights else None,
        share_clipped=sample.weights.share_clipped if sample.weights else None,
        share_outside_support=outside,
        steps=sample.steps,
        share_cut=float(sample.is_cut.mean()),
        is_bootstrapped_at_cut=entry.needs_values,
        is_prediction=entry.name == "dm" and not is_logged,
        refusal=refusal,
        chosen_level=choice,
    )


def _outcome(episodes: LoggedEpisodes, outcome: str) -> FloatArray:
    if outcome == "reward":
        return episodes.reward
    if outcome not in episodes.metrics:
        raise EvaluationError(f"no metric {outcome!r}; known are {', '.join(episodes.metrics) or 'none'}")
    return episodes.metrics[outcome]
