"""What is to be learned from a shop's log, as strict models of a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.candidate import Candidate as Candidate  # noqa: PLC0414  (re-exported for mypy: it is part of a scenario)
from conf.errors import SpecError
from conf.event_types import EventType
from conf.observation_features import OBSERVATION_FEATURES
from conf.source import Source, load_source
from conf.strict_yaml import StrictModel, merge, parse_model, read_yaml, suggest

SCENARIOS_FOLDER = Path(__file__).parent / "scenarios"
MILLIONTHS = 1_000_000


class Feature(StrictModel):
    """A feature of the observation; `length` bounds a list feature."""

    name: str
    length: int | None = Field(default=None, ge=1, le=200)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.name not in OBSERVATION_FEATURES:
            raise ValueError(f"no feature {self.name!r}{suggest(self.name, list(OBSERVATION_FEATURES))}")
        is_list = OBSERVATION_FEATURES[self.name].kind == "list"
        if is_list != (self.length is not None):
            raise ValueError(f"{self.name}: give length for a list feature, and only then")
        return self


class Observation(StrictModel):
    """Named exact features; `history_days` is how far features of delay `delivery` look back."""

    features: tuple[Feature, ...] = Field(min_length=1)
    history_days: int = Field(default=7, ge=1, le=365)

    @field_validator("features")
    @classmethod
    def _distinct(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        names = [feature.name for feature in features]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"features stand twice: {', '.join(repeated)}")
        return features


class Episode(StrictModel):
    """Bounds of an episode; a session with more decisions goes on in a further episode."""

    max_steps: int = Field(ge=1, le=1000)


class Action(StrictModel):
    """What a decision chooses.

    key: the natural key of the action is the decided event's `action` (falling back to its item), or its category.
    mask: from the decision's availability set, or none (all actions of the vocabulary).
    max_actions: size of the vocabulary; further actions of the training split share one action `(other)`.
    """

    key: Literal["item", "category"]
    mask: Literal["availability", "none"]
    max_actions: int = Field(ge=2, le=100_000)


class Attribution(StrictModel):
    """Which decision a later reward event belongs to, within the window after the decision.

    `decision_id`: the decision the event names. `last_touch`: the shopper's latest earlier decision on the same item
    (where actions are categories: on the same category).
    """

    link: Literal["decision_id", "last_touch"]
    window_hours: int = Field(ge=1, le=24 * 60)


class Reward(StrictModel):
    """Points (or currency) for each event type attributed to a decision; weights with at most six decimals."""

    unit: str
    weights: dict[EventType, float] = Field(min_length=1)
    attribution: Attribution

    @field_validator("weights")
    @classmethod
    def _exact(cls, weights: dict[EventType, float]) -> dict[EventType, float]:
        if inexact := [name for name, weight in weights.items() if round(weight * MILLIONTHS) / MILLIONTHS != weight]:
            raise ValueError(f"more than six decimals: {', '.join(inexact)}")
        return weights

    @property
    def weight_millionths(self) -> dict[str, int]:
        """Weight of each event type in millionths of the unit."""
        return {name: round(weight * MILLIONTHS) for name, weight in self.weights.items()}


class Discount(StrictModel):
    """Discount factor per step."""

    per: Literal["step"] = "step"
    gamma: float = Field(gt=0, le=1)


class Splits(StrictModel):
    """Shares of the time that remains between first decision and the last settled one, after two embargoes.

    embargo_hours None means the least that is safe: attribution window plus longest session.
    """

    train: float = Field(gt=0, lt=1)
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    embargo_hours: int | None = Field(default=None, ge=0)
    min_episodes: int = Field(default=50, ge=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("train, validation and test must sum to 1")
        return self


class PolicySpec(StrictModel):
    """How a stochastic policy is made from learned values; the temperature is chosen on validation episodes."""

    temperatures: tuple[float, ...] = Field(min_length=1)
    exploration_floor: float = Field(gt=0, lt=1)


SecondOpinionName = Literal["mis_s", "mis_sa", "snmis_s", "snmis_sa", "drl_s", "drl_sa", "sndrl_s", "sndrl_sa"]
"""Estimators by state: they check the gate's estimate, and no gate may use them."""


class Evaluation(StrictModel):
    """Off-policy evaluation.

    estimator: the one the gate may use. also: second opinions on its estimate, shown beside it.
    unit: independent unit to resample. steps: how many steps the value runs over.
    weight_clip: cumulative importance weights are clipped there, None for none; always reported.
    fqe_networks: policies judged together have networks of their own (`separate`, as if fitted one by one) or one trunk
    with a head each (`shared`, cheaper where there are many; each policy's values then depend on the others).
    """

    estimator: Literal["dm", "pdis", "wpdis", "dr", "wdr"]
    also: tuple[SecondOpinionName, ...] = ()
    unit: Literal["user_id"] = "user_id"
    steps: int = Field(ge=1)
    weight_clip: float | None = Field(default=None, gt=0)
    n_bootstrap: int = Field(default=1000, ge=100)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    fqe_updates: int = Field(default=2000, ge=1)
    fqe_networks: Literal["separate", "shared"] = "separate"

    @field_validator("also")
    @classmethod
    def _distinct(cls, also: tuple[SecondOpinionName, ...]) -> tuple[SecondOpinionName, ...]:
        if repeated := sorted({name for name in also if also.count(name) > 1}):
            raise ValueError(f"estimators stand twice: {', '.join(repeated)}; keep one of each")
        return also


class Guardrail(StrictModel):
    """A side metric that may not rise, or not fall, by more than this share of the baseline's; one of the two limits.

    A metric that may do neither has two guardrails.
    """

    metric: str
    max_relative_increase: float | None = Field(default=None, ge=0)
    max_relative_decrease: float | None = Field(default=None, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.max_relative_increase is None) == (self.max_relative_decrease is None):
            raise ValueError(
                f"guardrail on {self.metric}: give exactly one of max_relative_increase and max_relative_decrease; "
                "where it may neither rise nor fall, write two guardrails"
            )
        return self


class Gate(StrictModel):
    """When a candidate may be promoted; the allowance of wrong promotions a year sets each night's level.

    max_tail_index: heaviest tail of shoppers' parts in the gain (0 exponential, .5 no variance, 1 no mean) of which an
    interval is believed.
    """

    wrong_promotions_per_year: float = Field(gt=0, le=50)
    min_effective_sample_size: float = Field(gt=0)
    min_effective_rewarded: float = Field(gt=0)
    max_tail_index: float = Field(default=0.8, gt=0)
    guardrails: tuple[Guardrail, ...] = ()


class Exploration(StrictModel):
    """Share of decisions kept for a uniform choice, and of shoppers kept on the behavior policy, when served.

    Nothing serves decisions yet: values that only a service could act on are refused.
    """

    floor: float = Field(ge=0, lt=1)
    control_holdout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _nothing_holds_out(self) -> Self:
        if self.control_holdout:
            raise ValueError(
                f"control_holdout {self.control_holdout:g} would keep shoppers on the behavior policy, but nothing "
                "serves decisions yet; set it to 0"
            )
        return self


class Scenario(StrictModel):
    """One of the jobs: decisions, what they see, what they earn, how a policy is learned, judged and promoted."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    owner: str
    clock: Literal["session_step"]
    episode: Episode
    observation: Observation
    action: Action
    reward: Reward
    metrics: dict[str, EventType] = Field(default_factory=dict)
    discount: Discount
    train_on_unsettled: bool = False
    splits: Splits
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    policy: PolicySpec
    evaluation: Evaluation
    gate: Gate
    exploration: Exploration
    approval: Literal["human", "auto"]

    @model_validator(mode="after")
    def _one_exploration_floor(self) -> Self:
        """Return what is evaluated explores by policy.exploration_floor; what is served would have to by the other."""
        if self.exploration.floor != self.policy.exploration_floor:
            raise ValueError(
                f"exploration.floor is {self.exploration.floor:g} and policy.exploration_floor "
                f"{self.policy.exploration_floor:g}: what is evaluated is what would be served; write the same in both"
            )
        return self

    @model_validator(mode="after")
    def _guardrails_name_metrics(self) -> Self:
        known = list(self.metrics)
        if unknown := [rail.metric for rail in self.gate.guardrails if rail.metric not in self.metrics]:
            hints = "; ".join(f"{name}{suggest(name, known)}" for name in dict.fromkeys(unknown))
            raise ValueError(f"guardrails on unknown metrics: {hints}")
        return self

    @model_validator(mode="after")
    def _guardrails_stand_once(self) -> Self:
        sides = [
            f"the {'rise' if rail.max_relative_decrease is None else 'fall'} of {rail.metric}"
            for rail in self.gate.guardrails
        ]
        if repeated := sorted({side for side in sides if sides.count(side) > 1}):
            raise ValueError(f"limited by two guardrails: {', '.join(repeated)}; keep one of each")
        return self


class Pipeline(StrictModel):
    """A scenario on a source: everything a run needs to know."""

    source: Source
    scenario: Scenario

    @property
    def is_logged(self) -> bool:
        """True where decisions were logged, False where they are implied."""
        return self.source.decisions.kind == "logged"

    @property
    def embargo_hours(self) -> int:
        """Hours left out between splits: as the spec says, at least attribution window plus longest session."""
        return max(self.scenario.splits.embargo_hours or 0, self._least_embargo_hours)

    @property
    def embargo_in_words(self) -> str:
        """The embargo, and which settings make it that long."""
        window, longest = self.scenario.reward.attribution.window_hours, self.source.session.max_hours
        least = f"reward.attribution.window_hours ({window}) + session.max_hours ({longest})"
        stated = self.scenario.splits.embargo_hours
        if stated is None:
            return f"{self.embargo_hours} hours, from {least}"
        if stated < self._least_embargo_hours:
            return f"{self.embargo_hours} hours, raised from splits.embargo_hours ({stated}) by {least}"
        return f"{self.embargo_hours} hours, from splits.embargo_hours"

    @property
    def _least_embargo_hours(self) -> int:
        return self.scenario.reward.attribution.window_hours + self.source.session.max_hours

    @property
    def settle_days(self) -> int:
        """After this many days a partition no longer changes: lateness + longest session + attribution window.

        One hour more, since the day on which clocks go forward is an hour short.
        """
        hours = self.scenario.reward.attribution.window_hours + self.source.session.max_hours
        gap_hours = -(-self.source.session.gap_minutes // 60)
        return self.source.lateness_days + -(-(hours + gap_hours + 1) // 24)


def load_pipeline(
    scenario: str, source: str, *, folder: Path = SCENARIOS_FOLDER, sources_folder: Path | None = None
) -> Pipeline:
    """Return the scenario's spec, with the overrides it has for the source, and the source's.

    Raises:
        SpecError: unknown names or files that don't fit; with suggestions.
    """
    loaded_source = load_source(source) if sources_folder is None else load_source(source, sources_folder)
    path = folder / f"{scenario}.yaml"
    content = read_yaml(path)
    overrides: dict[str, Any] = content.pop("overrides", {}) or {}
    effective = merge(content, overrides.get(source, {}))
    loaded = parse_model(Scenario, effective, f"{path} (source {source})")
    if problem := _estimator_problem(loaded, loaded_source):
        raise SpecError(f"{path} (source {source}): evaluation.estimator: {problem}")
    return Pipeline(source=loaded_source, scenario=loaded)


def _estimator_problem(scenario: Scenario, source: Source) -> str | None:
    """Why the gate's estimator can't apply to the source's decisions, and what to write instead; None where it can."""
    estimator = scenario.evaluation.estimator
    if source.decisions.kind == "logged" or estimator == "dm":
        return None
    return (
        f"{estimator} weights decisions by the probability they were made with, and those of {source.name} are "
        f"implied: nobody made them; write evaluation: {{estimator: dm}} under overrides.{source.name} (a prediction, "
        "on which the gate abstains)"
    )


def scenario_names(folder: Path = SCENARIOS_FOLDER) -> list[str]:
    """Return names of all scenarios in the folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))
