"""An evaluated night from two logs and two policies, without a dataset, a selection or a registry."""

from __future__ import annotations

from datetime import date

from rl.data.logged_episodes import LoggedEpisodes, Policy
from rl.gate.alpha_spending import night_level
from rl.gate.evidence import gate_evidence, gate_rules
from rl.gate.rules import judge
from rl.night.evaluation import NightEvaluation
from rl.night.second_look.samples import NightSamples
from rl.ope.contenders import Contender, contender_sample
from rl.ope.intervals.intervals import Resampling
from rl.ope.propensities.known import KnownPropensities
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from rl.ope.samples.discount import Discount
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import evaluation_sample
from tests.rl.factories import make_pipeline

SETTINGS = EvaluationSettings(
    Discount(0.9), estimators=("dm", "dr"), resampling=Resampling(200), fqe=FqeSettings(method="linear")
)


def made_night(
    train: LoggedEpisodes,
    test: LoggedEpisodes,
    policy: Policy,
    *,
    champion: Policy | None = None,
    is_logged: bool = True,
) -> tuple[NightEvaluation, NightSamples]:
    """The night of a candidate against the log or a champion, by DR, with the samples to look inside it."""
    policies = {"candidate": policy} | ({"champion": champion} if champion is not None else {})
    evaluation = evaluate_policies(policies, train=train, test=test, settings=SETTINGS, is_logged=is_logged)
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
    night = NightEvaluation(
        evaluation=evaluation,
        metric_evaluations={},
        evidence=evidence,
        verdict=judge(evidence, gate_rules(gate, alpha=0.05)),
        level=night_level(4, date(2026, 1, 31)),
        champion=None,
        propensities=KnownPropensities(test, "logged" if is_logged else "none", "made up"),
        confounding=None,
        clipping=(),
        loggers=None,
        notes=(),
    )
    candidate = Contender("candidate", policy, train, test)
    other = None if champion is None else Contender("champion", champion, train, test)
    own = evaluation_sample(
        None,
        test,
        discount=SETTINGS.discount,
        values=action_values(evaluation.fits[BEHAVIOR], OnlyAction(), as_one_action(test)),
    )
    return night, NightSamples(
        contender_sample(candidate, evaluation),
        own if other is None else contender_sample(other, evaluation),
        (None, None),
        (candidate, other),
    )
