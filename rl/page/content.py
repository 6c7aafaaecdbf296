"""What the review page says, as plain models: made of a night's figures, to be drawn.

Values are in the scenario's reward unit per episode; shares lie in [0, 1]; None means that it isn't known.
"""

from __future__ import annotations

from datetime import date

from conf.specs.strict_yaml import StrictModel
from rl.figures.candidates import ActionShare, CandidateFigures
from rl.figures.data import DataSummary, Propensities
from rl.figures.effects import OneDecision
from rl.figures.evidence import Doubts, ExplanationSummary, Loggers, Opinions, Segments, Support
from rl.figures.exploration import ExplorationFigures
from rl.figures.monitor import LedgerFigures
from rl.figures.night import NightFacts, Role
from rl.figures.returns import Returns
from rl.figures.spend import SpendFigures
from rl.figures.values import Gain, PlayedValue
from rl.figures.verdict import Outcome
from rl.learning.curves import Curve


class Judgment(StrictModel):
    """The gate's answer in words: reasons are whole sentences, the most important first.

    headlines: what a reader must know of the log before anything else, reasons aside. close_call: that another seed
    could turn the verdict; empty where it could not.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    candidate: str
    gain: Gain | None
    notes: tuple[str, ...] = ()
    headlines: tuple[str, ...] = ()
    close_call: str = ""


class Estimate(StrictModel):
    """One estimator's value of one policy; `refusal` is the reason where it gives none.

    is_second_opinion: it checks the gate's estimate and decides nothing.

    chosen_level: the largest weight let through, chosen from the data; None where the estimator has no such level, or
    left all weights alone. n_levels: how many levels were tried; 0 where it has none.
    """

    estimator: str
    value: float | None
    lower: float | None
    upper: float | None
    standard_error: float | None = None
    refusal: str | None = None
    is_gate: bool = False
    is_prediction: bool = False
    is_second_opinion: bool = False
    chosen_level: float | None = None
    n_levels: int = 0


class Overlap(StrictModel):
    """How much the log can say about a policy.

    effective_rewarded: effective number of units with a reward. share_outside_support: how often the policy takes
    actions that stand nowhere in the log. mean_ratio, mean_ratio_error: of importance ratios, the share of what the
    policy would do in the logged situations that the log can have done. weight_clip: limit on importance weights, None
    for none; share_clipped: share of decisions at which it bites. share_cut: share of episodes that the log cuts before
    their value ends.
    """

    n_episodes: int
    n_units: int
    effective_sample_size: float | None
    effective_rewarded: float | None
    max_weight: float | None
    share_outside_support: float | None
    mean_ratio: float | None = None
    mean_ratio_error: float | None = None
    weight_clip: float | None = None
    share_clipped: float | None = None
    share_cut: float | None = None
    refusal: str | None = None


class PolicyReport(StrictModel):
    """Everything estimated about one policy on the test episodes."""

    role: Role
    name: str
    estimates: tuple[Estimate, ...]
    level: float
    overlap: Overlap | None = None
    truth: PlayedValue | None = None


class GuardrailRow(StrictModel):
    """A side metric that may not rise, or not fall, by more than allowed; values per episode, a fall is negative.

    One of the two limits is None. `is_kept` None: can't be told.
    """

    metric: str
    behavior: float | None
    candidate: float | None
    max_relative_increase: float | None = None
    max_relative_decrease: float | None = None
    relative_increase: float | None
    is_kept: bool | None
    detail: str


class Ranking(StrictModel):
    """How well something guesses the next action: a policy or a baseline, on the test episodes."""

    name: str
    is_baseline: bool
    k: int
    hit_rate: float
    ndcg: float
    n: int


class LineageRow(StrictModel):
    """A digest, hash or version that names what the entry was made from."""

    name: str
    value: str


class HistoryRow(StrictModel):
    """An earlier version of the policy: what the gate said, what it was predicted to gain, and what it is now.

    against: what the gain is over: a version or `behavior`; champion_in_force: who was champion then, compared or not.
    serves: for which share of the shoppers it decides when the page is written, and since when; None where it never
    did.
    """

    version: int
    date: date
    source: str
    verdict: str
    candidate: str
    against: str
    champion_in_force: str = ""
    gain: float | None = None
    lower: float | None = None
    upper: float | None = None
    aliases: tuple[str, ...] = ()
    serves: str | None = None


class MoneyTerms(StrictModel):
    """How a budget is spent: all money in the reward's unit.

    price: what a unit of committed money has to bring beyond itself; None where the candidate's outputs are no money.
    explored: what chance alone is expected to commit a week; None where it can't be told from what must be sent.
    """

    weekly_budget: float
    price: float | None
    explored: float | None


class ReviewContent(StrictModel):
    """The whole page.

    hidden_reasons: how strong they must be to change the verdict, in words. unseen_losses: what the losses of all
    splits added, and how rare a loss may have stayed unseen, in words. rules: of the shop, that held, in
    sentences. history: None: the registry wasn't asked. serves: for which share of the shoppers the version decides
    already, where its night is repeated; None: for none yet.
    """

    night: NightFacts
    judgment: Judgment
    policies: tuple[PolicyReport, ...]
    returns: Returns | None = None
    spend: SpendFigures | None = None
    money: MoneyTerms | None = None
    one_decision: OneDecision | None = None
    exploration: ExplorationFigures | None = None
    guardrails: tuple[GuardrailRow, ...] = ()
    propensities: Propensities
    data: DataSummary
    actions: tuple[ActionShare, ...] = ()
    distance_from_log: float | None = None
    doubts: Doubts | None = None
    hidden_reasons: str | None = None
    unseen_losses: str | None = None
    opinions: Opinions | None = None
    loggers: Loggers | None = None
    segments: Segments | None = None
    explanation: ExplanationSummary | None = None
    support: Support | None = None
    history: tuple[HistoryRow, ...] | None = None
    serves: str | None = None
    ledger: LedgerFigures | None = None
    curves: tuple[Curve, ...] = ()
    ranking: tuple[Ranking, ...] = ()
    candidates: tuple[CandidateFigures, ...] = ()
    rules: tuple[str, ...] = ()
    lineage: tuple[LineageRow, ...] = ()
    model: str | None = None
    version: str | None = None
