"""An evaluated night from two logs and two policies, without a dataset, a selection or a registry."""

from __future__ import annotations

from datetime import date

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes, Policy
from rl.gate.alpha_spending import night_level
from rl.gate.evidence import gate_evidence, gate_rules, with_losses
from rl.gate.rules import judge
from rl.gate.split_losses import SplitLosses
from rl.night.evaluation import NightEvaluation
from rl.night.samples import night_samples
from rl.ope.contenders import Contender
from rl.ope.intervals.intervals import Resampling
from rl.ope.propensities.known import KnownPropensities
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from tests.rl.factories import make_pipeline

SETTINGS = EvaluationSettings(
    DiscountFunction(0.9), estimators=("dm", "dr"), resampling=Resampling(200), fqe=FqeSettings(method="linear")
)


def made_night(
    train: LoggedEpisodes,
    test: LoggedEpisodes,
    policy: Policy,
    *,
    champion: Policy | None = None,
    is_logged: bool = True,
) -> NightEvaluation:
    """Return the night of a candidate against the log or a champion, by DR."""
    policies = {"candidate": policy} | ({"champion": champion} if champion is not None else {})
    evaluation = evaluate_policies(
        policies, train=train, test=test, settings=SETTINGS, is_logged=is_logged, keeps_samples=True
    )
    gate, baseline = make_pipeline().scenario.gate, BEHAVIOR if champion is None else "champion"
    evidence = gate_evidence(
        evaluation,
        {},
        candidate="candidate",
        baseline=baseline,
        estimator="dr",
        gate=gate,
        alpha=0.05,
        unit_of_value="points",
    )
    losses = SplitLosses(shift=0.0, standard_error=0.0, n_units=len(test.unit), n_differing=float(len(test.unit)))
    evidence = with_losses(evidence, losses, evaluation, alpha=0.05)
    contenders = [Contender(name, one, train, test) for name, one in policies.items()]
    return NightEvaluation(
        evaluation=evaluation,
        metric_evaluations={},
        evidence=evidence,
        verdict=judge(evidence, gate_rules(gate, alpha=0.05)),
        level=night_level(4, date(2026, 1, 31)),
        champion=None,
        propensities=KnownPropensities(test, "logged" if is_logged else "none", "made up"),
        samples=night_samples(evaluation, contenders, None),
        confounding=None,
        clipping=(),
        loggers=None,
    )
