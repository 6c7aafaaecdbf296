"""What to explore next, in figures."""

from __future__ import annotations

import math

from rl.figures.exploration import ExplorationFigures, ExploredShoppers
from rl.night.night import Night
from rl.ope.report import BEHAVIOR


def exploration_figures(night: Night) -> ExplorationFigures | None:
    """Return the plan in figures, or why there is none; None where nothing is to be explored."""
    found = night.exploration
    if found is None or isinstance(found, str):
        return None if found is None else ExplorationFigures(refusal=found)
    plan, scenario = found.plan, night.dataset.pipeline.scenario
    told = zip(plan.strata.labels, plan.shares.tolist(), found.parts, found.actions, strict=True)
    return ExplorationFigures(
        dimension=plan.strata.dimension,
        shoppers=tuple(
            ExploredShoppers(label=label, share=round(share, 4), part=part, actions=actions)
            for label, share, part, actions in told
        ),
        nights=_finite(plan.forecast.median),
        soonest=_finite(plan.forecast.soonest),
        latest=_finite(plan.forecast.latest),
        chance=plan.forecast.chance,
        chance_better=plan.forecast.chance_better,
        planned_nights=plan.planned_nights,
        cost=plan.cost,
        worst_cost=plan.worst_cost,
        uniform_nights=_finite(plan.uniform_nights),
        unexplored_nights=_finite(plan.unexplored_nights),
        is_allowed=scenario.exploration.max_share > 0 and night.compared_with == night.champion_in_force != BEHAVIOR,
    )


def _finite(nights: float) -> float | None:
    return nights if math.isfinite(nights) else None
