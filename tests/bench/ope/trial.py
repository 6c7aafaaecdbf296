"""One replication of the coverage bench: every estimate and interval on logs of every size, beside the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import Interval, Resampling, cautious_bounds, reaching_intervals
from rl.ope.intervals.sums import RatioSums, difference
from rl.ope.intervals.tails import tail_report
from rl.ope.propensities.behavior_policy import BehaviorSettings, PropensityRepeats, estimate_behavior
from rl.ope.propensities.cross_fit_variance import cross_fit_variance, widened
from tests.bench.gate.nights import GATE
from tests.bench.intervals.interval_methods import INTERVAL_METHODS, make_interval
from tests.bench.ope.samples import FORMS, FittedValues, Form, KindSamples, fit_values, kind_samples, overlap
from tests.bench.ope.shop import session_log

N_TRAIN = 1000
SIZES = (300, 2500, 6000)
"""Sessions of a log: below the gate's floors, above them, and far above."""

SMALL, COMPARED, _ = SIZES
SELDOM = 4
"""What takes long and isn't asked for at every replication is done at one of so many: estimated propensities of small
logs, density ratios, and the interval methods that no report uses."""

ESTIMATED_KINDS = ("clicks", "baskets", "purchases", "uneven baskets")
"""Rewards valued with estimated propensities too."""

LEVEL = 0.95
GAIN = "dr gain"
RATIO_ESTIMATORS = ("snmis_s", "drl_s")
NIGHTLY, CAUTIOUS, NOT_WIDENED = "reaching", "cautious", "reaching, not widened"
BEHAVIOR = BehaviorSettings(models=("masked_logistic",), n_repeats=3)


@dataclass(frozen=True)
class Row:
    """What one line of the bench is about."""

    log: str
    form: Form
    n: int
    propensities: str
    estimator: str
    method: str


@dataclass(frozen=True)
class Outcome:
    """An interval beside the truth.

    Attributes:
        row: that it belongs to.
        interval: made by the row's method.
        truth: exact.
        ess: effective shoppers behind decisions.
        rewarded: effective shoppers behind rewards.
        is_abstained: the gate's floors or its limit on the tail would keep a verdict back.
    """

    row: Row
    interval: Interval
    truth: float
    ess: float
    rewarded: float
    is_abstained: bool


def replicate(number: int) -> list[Outcome]:
    """All outcomes of one replication; equal numbers give equal logs."""
    seed = 1000 * number
    train = session_log(N_TRAIN, seed)
    values = {form: fit_values(train, form) for form in FORMS}
    found: list[Outcome] = []
    for place, n in enumerate(SIZES, start=1):
        test = session_log(n, seed + place)
        trials = [
            LogTrial(test, form, values[form], n=n, seed=number, has_all=n == COMPARED and number % SELDOM == 0)
            for form in FORMS
        ]
        if n == COMPARED or (n == SMALL and number % SELDOM == 0):
            fits = _estimated(test, seed)
            trials += [
                LogTrial(test, form, values[form].of(ESTIMATED_KINDS), n=n, seed=number, fits=fits) for form in FORMS
            ]
        found += outcomes(trials)
    return found


def outcomes(trials: Sequence[LogTrial]) -> list[Outcome]:
    """Outcomes of trials on one log; all estimates share one set of draws of its shoppers."""
    estimates = [sums for trial in trials for sums in trial.sums.values()]
    made = iter(reaching_intervals(estimates, level=LEVEL, resampling=trials[0].resampling))
    return [
        outcome
        for trial in trials
        for (key, sums), interval in zip(trial.sums.items(), made, strict=False)
        for outcome in trial.outcomes_of(key, sums, interval)
    ]


def _estimated(test: LoggedEpisodes, seed: int) -> PropensityRepeats:
    blind = replace(test, propensity=np.full(test.n_transitions, np.nan))
    return estimate_behavior(blind, replace(BEHAVIOR, seed=seed)).repeats


class LogTrial:
    """Every estimate on one log, in one form, with logged propensities or estimated ones.

    Attributes:
        sums: by kind of reward and estimator.
        resampling: of the log's shoppers.
    """

    def __init__(
        self,
        test: LoggedEpisodes,
        form: Form,
        values: FittedValues,
        *,
        n: int,
        seed: int,
        fits: PropensityRepeats | None = None,
        has_all: bool = False,
    ) -> None:
        """With density ratios and every interval method where `has_all`."""
        self._form, self._n, self._fits = form, n, fits
        self._has_all = has_all and form == "sessions"
        self.resampling = Resampling(seed=seed)
        known = test if fits is None else replace(test, propensity=fits.pooled())
        self._samples = kind_samples(known, form, values, has_ratios=self._has_all)
        self.sums = _all_sums(self._samples, FORMS[form].estimators + (RATIO_ESTIMATORS if self._has_all else ()))
        self._extra = {} if fits is None else self._scatter(fits)
        self._overlaps = {kind: overlap(sample) for kind, sample in self._samples.candidate.items()}

    def outcomes_of(self, key: tuple[str, str], sums: RatioSums, interval: Interval) -> Iterator[Outcome]:
        """Those of one estimate, by interval method."""
        kind, estimator = key
        ess, rewarded = self._overlaps[kind]
        gain = sums if estimator == GAIN else self._gain(kind, estimator, sums)
        tail = tail_report(gain.influence()).tail_index or 0.0
        is_kept_back = (
            ess < GATE.min_effective_sample_size or rewarded < GATE.min_effective_rewarded or tail > GATE.max_tail_index
        )
        source = "logged" if self._fits is None else "estimated"
        for method, found in self._intervals(estimator, sums, interval, self._extra.get(key, 0.0)):
            row = Row(kind, self._form, self._n, source, estimator, method)
            yield Outcome(row, found, self._truth(kind, estimator), ess, rewarded, is_kept_back)

    def _intervals(
        self, estimator: str, sums: RatioSums, interval: Interval, extra: float
    ) -> Iterator[tuple[str, Interval]]:
        yield NIGHTLY, widened(interval, extra)
        if self._fits is not None:
            yield NOT_WIDENED, interval
        if estimator == GAIN and self._n == COMPARED:
            bounds = cautious_bounds(sums, alpha=(1 - LEVEL) / 2, resampling=self.resampling)
            yield CAUTIOUS, widened(bounds, extra)
        if estimator == "dr" and self._has_all:
            for method in INTERVAL_METHODS:
                if method != NIGHTLY:
                    yield method, make_interval(method, sums, level=LEVEL, resampling=self.resampling)

    def _gain(self, kind: str, estimator: str, sums: RatioSums) -> RatioSums:
        return difference(sums, ESTIMATORS[estimator].per_unit_sums(self._samples.behavior[kind]))

    def _truth(self, kind: str, estimator: str) -> float:
        truth = FORMS[self._form].truth
        return truth(kind, False) - (truth(kind, True) if estimator == GAIN else 0.0)

    def _scatter(self, fits: PropensityRepeats) -> dict[tuple[str, str], float]:
        """Extra standard error of each estimate, from its values under every fit of the propensities."""
        n_repeats, n_folds, _ = fits.by_model.shape
        estimators = FORMS[self._form].estimators
        ratio, pooled = _ratio(self._samples), fits.pooled()
        propensities = np.concatenate([fits.by_repeat, *fits.by_model])
        values = [_values(self._samples.reweighted(ratio * pooled / each), estimators) for each in propensities]
        extra = {
            key: cross_fit_variance(
                self.sums[key].value(),
                by_repeat=np.array([each[key] for each in values[:n_repeats]]),
                by_model=np.array([each[key] for each in values[n_repeats:]]).reshape(n_repeats, n_folds),
            ).extra_standard_error
            for key in values[0]
        }
        # The behavior policy's value hangs on no propensity, so a gain scatters as the value does.
        return extra | {(kind, GAIN): extra[kind, "dr"] for kind in self._samples.candidate}


def _ratio(samples: KindSamples) -> FloatArray:
    weights = next(iter(samples.candidate.values())).weights
    if weights is None:
        raise EvaluationError("the log can't be weighted")
    return weights.ratio


def _all_sums(samples: KindSamples, estimators: Sequence[str]) -> dict[tuple[str, str], RatioSums]:
    """By kind of reward and estimator; the doubly robust gain over the behavior policy is one more estimator."""
    found: dict[tuple[str, str], RatioSums] = {}
    for kind, sample in samples.candidate.items():
        for name in estimators:
            found[kind, name] = ESTIMATORS[name].per_unit_sums(sample)
        found[kind, GAIN] = difference(found[kind, "dr"], ESTIMATORS["dr"].per_unit_sums(samples.behavior[kind]))
    return found


def _values(samples: KindSamples, estimators: Sequence[str]) -> Mapping[tuple[str, str], float]:
    return {
        (kind, name): ESTIMATORS[name].per_unit_sums(sample).value()
        for kind, sample in samples.candidate.items()
        for name in estimators
    }
