"""MIPS on a night of single decisions: the gain if an action changes the reward through its category alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.night.evaluation import NightEvaluation
from rl.night.second_look.opinions import SecondOpinion, opinion_of, refused_opinion
from rl.ope.contenders import Contender
from rl.ope.estimators.category_weights import category_sample
from rl.ope.estimators.marginalized_actions import CategorySample
from rl.ope.overlap.weight_overlap import weight_overlap
from rl.ope.policy_value import PolicyValueReport
from rl.ope.report import IMPLIED, EvaluationSettings
from rl.ope.samples.sample import EvaluationSample


def category_opinion(night: NightEvaluation, *, names: Sequence[str], categories: Mapping[str, str]) -> SecondOpinion:
    """Return MIPS of candidate and baseline, or why there is none.

    No night's behavior policy can be asked for categories, so their probabilities are estimated on the test episodes,
    cross-fitted over shoppers. The intervals leave out what that, or estimating propensities, adds.

    Args:
        night: its evaluation, on episodes of one step.
        names: natural keys of the actions, in the order of their dense index.
        categories: by item, both natural keys.
    """
    if not night.evidence.is_logged:
        return refused_opinion("mips", IMPLIED, night)
    candidate, champion = night.samples.contenders
    try:
        category = action_categories(names, categories)
        weighted = _by_category(candidate, category, night.evaluation.settings)
        if champion is None:
            baseline = _own_categories(night.samples.baseline, weighted)
        else:
            baseline = _by_category(champion, category, night.evaluation.settings)
    except EvaluationError as error:
        return refused_opinion("mips", str(error), night)
    opinion = opinion_of("mips", (weighted, baseline), night, (None, None))
    reports = tuple(
        _with_overlap(report, sample) for report, sample in zip(opinion.reports, (weighted, baseline), strict=True)
    )
    return replace(opinion, reports=reports)


def action_categories(names: Sequence[str], categories: Mapping[str, str]) -> IntArray:
    """Return the index of each action's category, `(n_actions,)`; an action without a known one is its own category.

    Raises:
        UnsupportedEstimator: no two actions share a category, so categories are no coarser than actions.
    """
    known = {name: categories.get(name) for name in names}
    if not any(known.values()):
        raise UnsupportedEstimator(f"none of the {len(names)} actions is an item whose category is known")
    keys = [("category", of) if (of := known[name]) is not None else ("action", name) for name in names]
    _, index = np.unique([f"{kind}\0{key}" for kind, key in keys], return_inverse=True)
    if int(index.max()) + 1 == len(names):
        raise UnsupportedEstimator(f"no two of the {len(names)} actions share a category: nothing can be merged")
    return np.asarray(index, dtype=np.int64)


def _by_category(contender: Contender, category: IntArray, settings: EvaluationSettings) -> CategorySample:
    return category_sample(
        contender.policy, contender.test, category, discount=settings.discount, clip=settings.weight_clip
    )


def _own_categories(behavior: EvaluationSample, like: CategorySample) -> CategorySample:
    """Return the behavior policy's sample, whose category weights are 1, as its action weights are."""
    own = {field.name: getattr(behavior, field.name) for field in fields(EvaluationSample)}
    return CategorySample(**own, n_categories=like.n_categories, category_source=like.category_source)


def _with_overlap(report: PolicyValueReport, sample: CategorySample) -> PolicyValueReport:
    """Return the report with the overlap of the categories' weights in place of the actions'."""
    if sample.weights is None:
        return report
    overlap = weight_overlap(sample)
    return replace(
        report,
        effective_sample_size=overlap.effective_sample_size,
        n_effective_rewarded=overlap.n_effective_rewarded,
        mean_weight=overlap.mean_weight,
        max_weight=sample.weights.max_weight,
        share_clipped=sample.weights.share_clipped,
    )
