"""Every estimator of policy value, by name. A new one is a function of a sample and an entry here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from rl.data.logged_episodes import IntArray
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.doubly_robust import dm, dr, wdr
from rl.ope.estimators.importance_sampling import on_policy, pdis, tis, wis, wpdis
from rl.ope.estimators.limited_weights import (
    clipped_ips,
    clipped_ips_at,
    dr_os,
    dr_os_at,
    sg_ips,
    sg_ips_at,
    switch_dr,
    switch_dr_at,
)
from rl.ope.estimators.marginalized_actions import mips
from rl.ope.estimators.marginalized_importance_sampling import (
    drl_s,
    drl_sa,
    mis_s,
    mis_sa,
    sndrl_s,
    sndrl_sa,
    snmis_s,
    snmis_sa,
)
from rl.ope.estimators.one_step import ips, sndr, snips
from rl.ope.estimators.slope import AtLevel, ChosenLevel, sums_at_chosen_level
from rl.ope.intervals.sums import RatioSums
from rl.ope.samples.sample import EvaluationSample

MAX_SHARE_CUT = 0.02
"""Of episodes, for estimators that don't look past a cut: up to here their intervals were seen to cover as they should
(`docs/evaluation.md`)."""


@dataclass(frozen=True)
class Estimator:
    """How a value is estimated, and what that takes.

    Attributes:
        name: as in specs.
        per_unit_sums: the sums of a sample, from which value, resamples and influence values follow.
        needs_weights: refuses logs without propensities, and deterministic ones.
        needs_values: takes a fitted Q-function, and bootstraps from it where an episode is cut.
        is_one_step: refuses episodes of more than one step.
        needs_categories: refuses a sample whose weights aren't those of the actions' categories.
        at_level: the sums at a given level, for those that limit their weights at a level chosen from data.
        needs_density_ratios: takes estimated ratios of occupancy.
        is_nightly: a night runs it, unless it is told otherwise, and shows it on the page.
        weight_column: the column of `overlap_sums` that holds the weights it gives; it refuses where all are 0.
    """

    name: str
    per_unit_sums: Callable[[EvaluationSample], RatioSums]
    needs_weights: bool
    needs_values: bool
    is_one_step: bool = False
    needs_categories: bool = False
    at_level: AtLevel | None = None
    needs_density_ratios: bool = False
    weight_column: str = "weight"
    is_nightly: bool = False

    def refusal_of_cuts(self, share_cut: float) -> str | None:
        """Return why cuts keep the estimator from estimating; None where they are few, or it looks past a cut."""
        sums_histories = self.needs_weights and not (self.needs_values or self.needs_density_ratios or self.is_one_step)
        if not sums_histories or share_cut <= MAX_SHARE_CUT:
            return None
        return (
            f"the log cuts {share_cut:.1%} of the episodes before their value ends, and this estimator counts what is "
            f"missing as nothing (at most {MAX_SHARE_CUT:.0%} may be cut); use dr or wdr, which look past a cut, or "
            "let the value run over fewer steps"
        )

    def sums_of_whole(self, sample: EvaluationSample) -> RatioSums:
        """Return the sums of a sample that is evaluated by itself: a whole log, a segment, one logger's episodes.

        Parts of a log that are merged afterwards are summed by `per_unit_sums`; the merged log is then asked.

        Raises:
            UnsupportedEstimator: the sample can't be weighted, or is cut too often for this estimator.
        """
        self._require_few_cuts(sample)
        return self.per_unit_sums(sample)

    def _require_few_cuts(self, sample: EvaluationSample) -> None:
        if reason := self.refusal_of_cuts(float(sample.is_cut.mean())):
            raise UnsupportedEstimator(reason)

    def estimate(self, sample: EvaluationSample) -> tuple[RatioSums, ChosenLevel | None]:
        """Return the sums, and the level they were computed at; None for an estimator without a level.

        Raises:
            UnsupportedEstimator: the log can't be weighted, or is cut too often for this estimator.
        """
        if self.at_level is None:
            return self.sums_of_whole(sample), None
        self._require_few_cuts(sample)
        leveled = sums_at_chosen_level(sample, self.at_level)
        return leveled.sums, leveled.choice


def _by_state(name: str, sums: Callable[[EvaluationSample], RatioSums], *, needs_values: bool) -> Estimator:
    return Estimator(
        name,
        sums,
        needs_weights=True,
        needs_values=needs_values,
        needs_density_ratios=True,
        weight_column="state_weight",
    )


def _by_pair(name: str, sums: Callable[[EvaluationSample], RatioSums], *, needs_values: bool) -> Estimator:
    return replace(_by_state(name, sums, needs_values=needs_values), weight_column="pair_weight")


ESTIMATORS: dict[str, Estimator] = {
    "on_policy": Estimator("on_policy", on_policy, needs_weights=False, needs_values=False, is_nightly=True),
    "dm": Estimator("dm", dm, needs_weights=False, needs_values=True, is_nightly=True),
    "tis": Estimator("tis", tis, needs_weights=True, needs_values=False, weight_column="whole_weight", is_nightly=True),
    "pdis": Estimator("pdis", pdis, needs_weights=True, needs_values=False, is_nightly=True),
    "wis": Estimator("wis", wis, needs_weights=True, needs_values=False, weight_column="whole_weight", is_nightly=True),
    "wpdis": Estimator("wpdis", wpdis, needs_weights=True, needs_values=False, is_nightly=True),
    "dr": Estimator("dr", dr, needs_weights=True, needs_values=True, is_nightly=True),
    "wdr": Estimator("wdr", wdr, needs_weights=True, needs_values=True, is_nightly=True),
    "ips": Estimator("ips", ips, needs_weights=True, needs_values=False, is_one_step=True),
    "clipped_ips": Estimator(
        "clipped_ips", clipped_ips, needs_weights=True, needs_values=False, is_one_step=True, at_level=clipped_ips_at
    ),
    "snips": Estimator("snips", snips, needs_weights=True, needs_values=False, is_one_step=True),
    "sg_ips": Estimator("sg_ips", sg_ips, needs_weights=True, needs_values=False, is_one_step=True, at_level=sg_ips_at),
    "mips": Estimator("mips", mips, needs_weights=True, needs_values=False, is_one_step=True, needs_categories=True),
    "sndr": Estimator("sndr", sndr, needs_weights=True, needs_values=True, is_one_step=True),
    "switch_dr": Estimator(
        "switch_dr", switch_dr, needs_weights=True, needs_values=True, is_one_step=True, at_level=switch_dr_at
    ),
    "dr_os": Estimator("dr_os", dr_os, needs_weights=True, needs_values=True, is_one_step=True, at_level=dr_os_at),
    "mis_s": _by_state("mis_s", mis_s, needs_values=False),
    "mis_sa": _by_pair("mis_sa", mis_sa, needs_values=False),
    "snmis_s": _by_state("snmis_s", snmis_s, needs_values=False),
    "snmis_sa": _by_pair("snmis_sa", snmis_sa, needs_values=False),
    "drl_s": _by_state("drl_s", drl_s, needs_values=True),
    "drl_sa": _by_pair("drl_sa", drl_sa, needs_values=True),
    "sndrl_s": _by_state("sndrl_s", sndrl_s, needs_values=True),
    "sndrl_sa": _by_pair("sndrl_sa", sndrl_sa, needs_values=True),
}

SEQUENTIAL_ESTIMATORS = tuple(
    name for name, entry in ESTIMATORS.items() if not (entry.is_one_step or entry.needs_density_ratios)
)
"""Those that take episodes of any length, one step included, and rest on weights of histories or on values."""

MARGINALIZED_ESTIMATORS = tuple(name for name, entry in ESTIMATORS.items() if entry.needs_density_ratios)
"""Those that weight by state; they take episodes of any length."""

ONE_STEP_ESTIMATORS = tuple(
    name for name, entry in ESTIMATORS.items() if entry.is_one_step and not entry.needs_categories
)
"""Those that a night runs as well where every episode has one step."""


def nightly_estimators() -> tuple[str, ...]:
    """Return the names of those that a night runs unless it is told otherwise."""
    return tuple(name for name, entry in ESTIMATORS.items() if entry.is_nightly)


def with_one_step(names: Iterable[str], lengths: IntArray) -> tuple[str, ...]:
    """Return the names, with those of logged bandit feedback added where every episode has one step.

    Args:
        names: estimators', as in the registry.
        lengths: of the episodes, `(n_episodes,)`.
    """
    more = ONE_STEP_ESTIMATORS if len(lengths) and int(lengths.max()) == 1 else ()
    return tuple(dict.fromkeys((*names, *more)))


def estimator(name: str) -> Estimator:
    """Return the estimator of that name.

    Raises:
        EvaluationError: there is none.
    """
    if name in ESTIMATORS:
        return ESTIMATORS[name]
    close = difflib.get_close_matches(name, ESTIMATORS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise EvaluationError(f"unknown estimator {name!r}; known are {', '.join(ESTIMATORS)}{hint}")
