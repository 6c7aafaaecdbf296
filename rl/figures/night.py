"""evaluation.json: what came of a night's evaluation, in figures; page and MLflow's metrics are made of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from conf.publication import write_atomically
from conf.specs.strict_yaml import StrictModel
from rl.errors import EvaluationError
from rl.figures.candidates import ActionShare, CandidateFigures, RankingFigures, SelectedCandidate
from rl.figures.data import DataSummary, Propensities
from rl.figures.earlier_release import figures_of_earlier_release
from rl.figures.effects import OneDecision
from rl.figures.evidence import Doubts, ExplanationSummary, Loggers, Opinions, Segments, Support
from rl.figures.exploration import ExplorationFigures
from rl.figures.orders import OrderFigures
from rl.figures.returns import Returns
from rl.figures.second_look import DeclaredLook, TakenLook
from rl.figures.spend import SpendFigures
from rl.figures.values import Gain, GuardrailFigures, PlayedValue, ValueFigures
from rl.figures.verdict import Allowance, VerdictFigures
from rl.learning.curves import Curve

BEHAVIOR = "behavior"
"""Name of the policy that made the log, among policies and as what a gain is over."""

Role = Literal["behavior", "candidate", "champion"]


class NightFacts(StrictModel):
    """Which night it is, and in what its values are counted.

    units: what sentences call the independent units. earns: what a decision earns; an earlier release didn't say.
    after_cut: what a value counts of what follows where time has cut an episode.
    """

    scenario: str
    scenario_title: str
    source: str
    source_title: str
    date: date
    decisions: Literal["logged", "implied"]
    is_simulated: bool
    reward_unit: str
    steps: int
    gamma: float
    approval: Literal["human", "auto"]
    units: str = "shoppers"
    discounted_per: Literal["step", "day"] = "step"
    earns: str = ""
    after_cut: Literal["fitted", "nothing"] = "fitted"


class Lineage(StrictModel):
    """What the night was made from, beside its digest and hashes; `first_partition`, `last_partition`: date, hash."""

    data_spec_hash: str
    key_id: str
    embargo: str | None = None
    first_partition: tuple[str, str]
    last_partition: tuple[str, str]


class UncomparedChampion(StrictModel):
    """The champion in force, and why the candidate couldn't be compared with it."""

    name: str
    problem: str


class Notes(StrictModel):
    """What a reader must know beside the verdict; None or empty where there is nothing to say.

    selection: how temperature and candidate had to be chosen. unknown_actions: share of the test decisions by actions
    that the candidate doesn't know. no_truth: why a simulated shop's true values are unknown. left_out: candidates
    whose training failed. registry_changes: what was changed in MLflow by hand, in sentences. earlier:
    sentences of an earlier release, which kept no figures for them.
    """

    uncompared_champion: UncomparedChampion | None = None
    selection: str | None = None
    unknown_actions: float | None = None
    no_truth: str | None = None
    left_out: tuple[str, ...] = ()
    registry_changes: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()


class NightFigures(StrictModel):
    """A night's evaluation.

    Attributes:
        facts: which night it is.
        dataset_digest: of the prepared dataset.
        spec_hash: of both specs whole.
        code_hash: of the code and its pins.
        lineage: what else it was made from.
        selected: on validation episodes.
        verdict: the gate's decision, reasons and every check.
        allowance: what the look might spend; None where an earlier release kept its level alone.
        level: one-sided, that the look might spend of the year's allowance.
        champion_in_force: version of the champion on this night, or `behavior` where there was none.
        compared_with: what the gain is over: that version, or `behavior` where it couldn't be compared.
        estimator: the one that the gate may use.
        gain: that the verdict rests on; None where there is none.
        over_control: over the shop's own rule, which control keeps; None where it can't be told, or an earlier release
            didn't.
        reports: of all policies by the gate's estimator and those beside it, on test episodes.
        second_reports: of candidate and baseline by the estimators that only give second opinions.
        metric_reports: of the guardrails' side metrics, by metric.
        validation_reports: of all candidates and temperatures on validation episodes.
        truth: true values by policy, where the shop is simulated and at hand.
        guardrails: side metrics against what they may rise or fall by.
        propensities: where they come from, with their calibration.
        notes: what a reader must know beside the verdict.
        data: what it was learned from.
        spend: what the candidate gains at each weekly spend; None where the scenario has no budget.
        orders: what was found of ways to order, where the scenario decides on orders; None elsewhere.
        one_decision: what the first test week's money brings, and whom it moves; None likewise.
        exploration: what to explore next, or why nothing is; None after a promotion, where requests aren't served, and
            in evaluations of earlier releases.
        actions: that the log or the candidate takes most.
        distance_from_log: total variation distance of candidate and log, over all decisions.
        ranking: of the next action; empty where decisions were logged.
        curves: learning curves of all candidates.
        candidates: as seen on validation episodes.
        rules: of the shop, that the candidate learned and was valued under, as its policy holds them; empty where there
            were none, or an earlier release evaluated.
        declared: second look at the candidate; None where none is declared.
        taken: second look at an earlier night's version that this night settles; None where it settles none.
    """

    facts: NightFacts
    dataset_digest: str
    spec_hash: str
    code_hash: str
    lineage: Lineage
    selected: SelectedCandidate
    verdict: VerdictFigures
    allowance: Allowance | None
    level: float
    champion_in_force: str
    compared_with: str
    estimator: str
    gain: Gain | None
    over_control: Gain | None = None
    reports: tuple[ValueFigures, ...]
    second_reports: tuple[ValueFigures, ...] = ()
    metric_reports: dict[str, tuple[ValueFigures, ...]]
    validation_reports: tuple[ValueFigures, ...]
    truth: dict[str, PlayedValue]
    guardrails: tuple[GuardrailFigures, ...]
    propensities: Propensities
    notes: Notes
    data: DataSummary
    returns: Returns | None = None
    doubts: Doubts | None = None
    opinions: Opinions | None = None
    loggers: Loggers | None = None
    segments: Segments | None = None
    explanation: ExplanationSummary | None = None
    support: Support | None = None
    spend: SpendFigures | None = None
    orders: OrderFigures | None = None
    one_decision: OneDecision | None = None
    exploration: ExplorationFigures | None = None
    actions: tuple[ActionShare, ...] = ()
    distance_from_log: float | None = None
    ranking: tuple[RankingFigures, ...] = ()
    curves: tuple[Curve, ...] = ()
    candidates: tuple[CandidateFigures, ...] = ()
    rules: dict[str, Any] = Field(default_factory=dict)
    declared: DeclaredLook | None = None
    taken: TakenLook | None = None

    @property
    def is_second_look(self) -> bool:
        """Whether the figures are of a frozen version that passed its second look, not of tonight's candidates."""
        return self.taken is not None and self.taken.outcome == "promote"

    @property
    def spent(self) -> float:
        """One-sided level that the night spends: its own look's, and that of the second look that it declares."""
        own = self.level if self.verdict.spends_level and not self.is_second_look else 0.0
        return own + (0.0 if self.declared is None else self.declared.level)

    @model_validator(mode="before")
    @classmethod
    def _of_any_release(cls, content: Any) -> Any:
        """Take the content of a release that kept the page's wording instead of figures."""
        return figures_of_earlier_release(content) if isinstance(content, dict) and "review" in content else content

    def role(self, policy: str) -> Role:
        """Return whether the policy of that name was candidate, champion or behavior policy on this night."""
        if policy == BEHAVIOR:
            return "behavior"
        return "candidate" if policy == self.selected.name else "champion"

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the policies reported on, the behavior policy first, each once."""
        return tuple(dict.fromkeys(report.policy for report in self.reports))

    def told_reports(self, policy: str, *, is_second: bool = False) -> tuple[ValueFigures, ...]:
        """Return the reports on a policy, without those that say nothing beyond its logged mean.

        Most estimates of the behavior policy are its logged mean by definition, all its weights being 1.

        Args:
            policy: its name.
            is_second: those of estimators that only give second opinions, instead of the others.
        """
        kept = ("on_policy", "dm", self.estimator)
        reports = self.second_reports if is_second else self.reports
        found = (one for one in reports if one.policy == policy)
        return tuple(one for one in found if self.role(policy) != "behavior" or one.estimator in kept)

    def fullest_report(self, policy: str) -> ValueFigures:
        """Return the report that knows most about a policy's weights, which are the same for all its estimators."""
        reports = (*self.told_reports(policy), *self.told_reports(policy, is_second=True))
        return max(reports, key=lambda one: (one.effective_sample_size is not None, one.max_weight is not None))

    def write(self, path: Path) -> None:
        """Write the figures to the file, replacing it atomically."""
        write_atomically(path, self.model_dump_json(indent=1))


def read_figures(path: Path) -> NightFigures:
    """Return the figures that `write` left.

    Raises:
        EvaluationError: the file is missing, or of another form.
    """
    try:
        return NightFigures.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EvaluationError(f"{path}: no such file; run evaluate first") from error
    except ValidationError as error:
        raise EvaluationError(f"{path}: not an evaluation of this version: {error}; run evaluate again") from error
