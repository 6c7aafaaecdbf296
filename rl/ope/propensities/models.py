"""Models of the behavior policy, by name. A new one is a function from decisions to a fitted policy and an entry here.

Simpler ones stand first, and weaker penalties: where held-out shoppers can't tell two apart, the first is taken.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rl.errors import EvaluationError
from rl.ope.propensities.decisions import FittedBehavior, LoggedChoices
from rl.ope.propensities.logistic import fit_masked_logistic, fit_multinomial_logistic
from rl.ope.propensities.trees import MAX_ACTIONS, fit_boosted_trees


class FitBehavior(Protocol):
    """Learns a behavior policy from decisions; equal seeds give equal policies."""

    def __call__(self, decisions: LoggedChoices, *, penalty: float, seed: int) -> FittedBehavior:
        """Return the fitted policy."""
        ...


@dataclass(frozen=True)
class BehaviorModel:
    """One way to estimate the behavior policy.

    Attributes:
        name: in settings and results.
        title: as a reader sees it.
        fit: the function.
        penalties: to choose from by held-out log loss; what they multiply is the model's own affair.
        max_actions: the model isn't tried where there are more; None for no limit.
    """

    name: str
    title: str
    fit: FitBehavior
    penalties: tuple[float, ...]
    max_actions: int | None = None


def _fit_cloned_network(decisions: LoggedChoices, *, penalty: float, seed: int) -> FittedBehavior:
    from rl.ope.propensities.network import fit_cloned_network  # noqa: PLC0415  (d3rlpy takes seconds to import)

    return fit_cloned_network(decisions, penalty=penalty, seed=seed)


BEHAVIOR_MODELS: Mapping[str, BehaviorModel] = {
    model.name: model
    for model in (
        BehaviorModel(
            "masked_logistic", "masked logistic regression", fit_masked_logistic, penalties=(1.0, 30.0, 1000.0)
        ),
        BehaviorModel(
            "multinomial_logistic",
            "logistic regression over all actions",
            fit_multinomial_logistic,
            penalties=(1.0, 30.0, 1000.0),
        ),
        BehaviorModel(
            "gradient_boosted_trees",
            "gradient-boosted trees",
            fit_boosted_trees,
            penalties=(10.0,),
            max_actions=MAX_ACTIONS,
        ),
        BehaviorModel("cloned_network", "cloned network", _fit_cloned_network, penalties=(1e-2,)),
    )
}


def behavior_model(name: str) -> BehaviorModel:
    """Return the model of that name.

    Raises:
        EvaluationError: there is none.
    """
    if name in BEHAVIOR_MODELS:
        return BEHAVIOR_MODELS[name]
    close = difflib.get_close_matches(name, BEHAVIOR_MODELS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise EvaluationError(f"unknown behavior model {name!r}; known are {', '.join(BEHAVIOR_MODELS)}{hint}")
