"""Which of the networks kept during training a candidate goes on with, on validation episodes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from rl.data.logged_episodes import LoggedEpisodes
from rl.night.gate_ahead import GateAhead
from rl.night.selection import AtTemperature, Choice, judged_choice
from rl.ope.report import EvaluationSettings, evaluate_policies
from rl.policy import StochasticPolicy


@dataclass(frozen=True)
class ChosenCheckpoint:
    """A candidate as it goes on to the choice of temperature.

    Attributes:
        update: after how many updates its network was kept.
        policy: made of it.
        choices: every kept policy as seen on validation episodes, by update; empty where there was nothing to choose,
            or nothing to choose by.
    """

    update: int
    policy: StochasticPolicy
    choices: Mapping[int, Choice]


def choose_checkpoints(
    kept: Mapping[str, Mapping[int, StochasticPolicy]],
    *,
    train: LoggedEpisodes,
    validation: LoggedEpisodes,
    settings: EvaluationSettings,
    estimator: str,
    temperature: float,
    ahead: GateAhead,
    at_temperature: AtTemperature = StochasticPolicy.with_temperature,
) -> dict[str, ChosenCheckpoint]:
    """Return the kept policy of each candidate that ranks first, as candidates are ranked; of equals the latest.

    All kept policies of a candidate share the Q-function of its last one: doubly robust estimates stay unbiased by it,
    and so alike policies are told apart by their rewards, not by two fits. Where the estimator has no weights (implied
    decisions) a shared Q-function would bias the choice, and the last policy is taken.

    Args:
        kept: policies by candidate and update, the last update's among them.
        train: Q-functions are fitted here.
        validation: values are estimated here.
        settings: how values are estimated or models fitted.
        estimator: the spec's.
        temperature: that all are compared at.
        ahead: what the gate will ask on test episodes.
        at_temperature: how a policy is made of a network's; where there is a budget, at its price of money.
    """
    several = {name: found for name, found in kept.items() if len(found) > 1 and estimator != "dm"}
    warmed = {
        _label(name, update): at_temperature(policy, temperature)
        for name, found in several.items()
        for update, policy in found.items()
    }
    if not warmed:
        return {name: ChosenCheckpoint(max(found), found[max(found)], {}) for name, found in kept.items()}
    evaluation = evaluate_policies(
        warmed,
        train=train,
        test=validation,
        settings=replace(settings, estimators=(estimator,)),
        stand_ins={
            _label(name, update): warmed[_label(name, max(found))]
            for name, found in several.items()
            for update in found
        },
    )
    chosen = {}
    for name, found in kept.items():
        choices = {
            update: judged_choice(evaluation, _label(name, update), policy, estimator, ahead)
            for update, policy in found.items()
            if name in several
        }
        best = max(found, key=lambda update: (choices[update].rank if choices else (), update))
        chosen[name] = ChosenCheckpoint(best, found[best], choices)
        if choices:
            structlog.get_logger().info("checkpoint chosen", candidate=name, update=best, of=sorted(found))
    return chosen


def _label(name: str, update: int) -> str:
    return f"{name} after {update}"
