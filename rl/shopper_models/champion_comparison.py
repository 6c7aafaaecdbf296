"""Whether a new model is at least as good as the champion, on test days that neither of them has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.calendar import day_number
from conf.specs.shopper_model import ShopperModel
from rl.shopper_models.comparison import resamples_of
from rl.shopper_models.daily_activity import DailyActivity
from rl.shopper_models.figures import GateAnswer, LearnerFigures, PairedDifference
from rl.shopper_models.fitting import Fit, labeled_examples
from rl.shopper_models.judging import gate_answer, paired_difference
from rl.shopper_models.running_sessions import RunningSessions
from rl.shopper_models.stored_model import StoredModel
from rl.shopper_models.tree_ensemble import Outcome


@dataclass(frozen=True)
class ChampionComparison:
    """How the new model compares with the champion.

    Attributes:
        name: of the champion, such as `champion (version 3)`.
        difference: how much better the new one is; None where they can't be compared.
        objection: why a model that can't be compared may not take its place; empty where it may.
        note: why they aren't compared although the new one may take its place; empty where they are.
    """

    name: str
    difference: PairedDifference | None
    objection: str = ""
    note: str = ""


def compare_with_champion(
    fit: Fit,
    activity: DailyActivity,
    model: ShopperModel,
    champion: StoredModel,
    *,
    name: str,
    running: RunningSessions | None = None,
) -> ChampionComparison:
    """Return the paired difference on the fit's test rows.

    A champion that answers another question (target, horizon or active shoppers differ) is no baseline. One that has
    seen what followed some test day can't be compared fairly, and keeps its place.
    """
    theirs = champion.model
    changed = [key for key in ("target", "horizon_days", "active_days") if getattr(theirs, key) != getattr(model, key)]
    if changed:
        return ChampionComparison(
            name, None, note=f"{name} answers another question: its {' and '.join(changed)} differ"
        )
    if day_number(champion.known_until) > int(fit.test.as_of_day.min()):
        return ChampionComparison(
            name,
            None,
            objection=f"{name} knows all before {champion.known_until}, among it outcomes of the test days, so that "
            "nothing fair can be said of the two; fit on a later date",
        )
    rows, _ = labeled_examples(activity, theirs, np.unique(fit.test.as_of_day), running)
    if rows.feature_names != champion.feature_names:
        return ChampionComparison(name, None, note=f"{name} takes features that this release doesn't make")
    kind: Outcome = "amount" if model.target == "spend" else "probability"
    difference = paired_difference(
        name,
        fit.learners[model.learners[0]].predict(fit.test),
        champion.learner.predict(rows),
        fit.test_outcome,
        kind=kind,
        resamples=resamples_of(fit.test.shopper, n_resamples=model.n_resamples, level=model.level, seed=model.seed),
    )
    return ChampionComparison(name, difference)


def gate_over_champion(
    figures: LearnerFigures, constant: LearnerFigures, model: ShopperModel, champion: ChampionComparison | None
) -> GateAnswer:
    """Return the gate's answer, with the objection of a champion that can't be compared fairly."""
    answer = gate_answer(figures, constant, model, over_champion=champion.difference if champion else None)
    if champion is None:
        return answer
    reasons = (*answer.reasons, *([champion.objection] if champion.objection else []))
    return answer.model_copy(
        update={"verdict": "reject" if reasons else "promote", "reasons": reasons, "champion": champion.name}
    )
