"""How a policy is made of what was learned, valued, and judged."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel

UNIT_WORDS = {"user_id": "shoppers"}  # of each evaluation.unit, in the plural


class PolicySpec(StrictModel):
    """How a stochastic policy is made of what a network learned."""

    temperatures: tuple[float, ...] = Field(
        min_length=1,
        description="Lists the temperatures of the softmax that are tried on validation episodes; the lower, the more "
        "often the best action is chosen. They have no unit: values are divided by their usual spread first.",
        examples=[[0.3, 1.0, 2.0]],
    )
    exploration_floor: float = Field(
        gt=0,
        lt=1,
        description="Sets the share of decisions that are a uniform choice among what is available.",
        examples=[0.1],
    )


SecondOpinionName = Literal["mis_s", "mis_sa", "snmis_s", "snmis_sa", "drl_s", "drl_sa", "sndrl_s", "sndrl_sa"]
"""Estimators by state: they check the gate's estimate, and no gate may use them."""


class Evaluation(GrownModel):
    """Off-policy evaluation."""

    later_keys: ClassVar[frozenset[str]] = frozenset({"after_cut"})

    estimator: Literal["dm", "pdis", "wpdis", "dr", "wdr", "replay"] = Field(
        description="Names the estimator that the gate uses; `dm` is a prediction, on which it always abstains, and "
        "the only one where decisions are implied. `replay` leads orders through logged demand, which is declared not "
        "to depend on them: for scenarios with `orders`, and they have no other.",
        examples=["dr"],
    )
    also: tuple[SecondOpinionName, ...] = Field(
        default=(),
        description="Lists estimators by state whose second opinion is shown beside it; they decide nothing.",
        examples=[["drl_s"]],
    )
    unit: Literal["user_id"] = Field(
        default="user_id",
        description="Names what is independent of each other and resampled: shoppers.",
        examples=["user_id"],
    )
    steps: int = Field(ge=1, description="Sets over how many decisions of an episode its value runs.", examples=[40])
    after_cut: Literal["fitted", "nothing"] = Field(
        default="fitted",
        description="Says what a value counts of what follows where time has cut an episode before its last step: "
        "what a Q-function was fitted to say of it (`fitted`), or `nothing`, so that a value is what the episode's own "
        "steps earn. Where time ends every episode, as it does blocks of weeks, the former is mostly the fit's word.",
        examples=["nothing"],
    )
    weight_clip: float | None = Field(
        default=None,
        gt=0,
        description="Limits cumulative importance weights; left out, nothing does. The page says how often it bites.",
        examples=[50],
    )
    n_bootstrap: int = Field(
        default=1000, ge=100, description="Sets how many bootstrap resamples intervals rest on.", examples=[1000]
    )
    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Sets the confidence of the intervals shown, and of guardrails; the gate's own level follows from "
        "`gate.wrong_promotions_per_year`.",
        examples=[0.95],
    )
    fqe_updates: int = Field(
        default=2000,
        ge=1,
        description="Sets how many gradient updates the Q-functions of fitted Q evaluation take.",
        examples=[200],
    )
    fqe_networks: Literal["separate", "shared"] = Field(
        default="separate",
        description="Gives policies that are judged together networks of their own (`separate`), or one trunk with a "
        "head each (`shared`), which is cheaper where there are many, and lets each policy's values depend on the "
        "others.",
        examples=["shared"],
    )

    @property
    def units(self) -> str:
        """What sentences call the independent units, in the plural."""
        return UNIT_WORDS[self.unit]

    @field_validator("also")
    @classmethod
    def _distinct(cls, also: tuple[SecondOpinionName, ...]) -> tuple[SecondOpinionName, ...]:
        if repeated := sorted({name for name in also if also.count(name) > 1}):
            raise ValueError(f"estimators stand twice: {', '.join(repeated)}; keep one of each")
        return also


class Guardrail(StrictModel):
    """A side metric that may not rise, or not fall, by more than a share; one that may do neither has two."""

    metric: str = Field(description="Names the side metric, one of `metrics`.", examples=["clicks"])
    max_relative_increase: float | None = Field(
        default=None,
        ge=0,
        description="Rejects a candidate whose metric may rise by more than this share of the baseline's.",
        examples=[0.5],
    )
    max_relative_decrease: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Rejects a candidate whose metric may fall by more than this share of the baseline's.",
        examples=[0.1],
    )

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.max_relative_increase is None) == (self.max_relative_decrease is None):
            raise ValueError(
                f"guardrail on {self.metric}: give exactly one of max_relative_increase and max_relative_decrease; "
                "where it may neither rise nor fall, write two guardrails"
            )
        return self


class Gate(GrownModel):
    """When a candidate may be promoted."""

    later_keys: ClassVar[frozenset[str]] = frozenset({"hidden_reasons", "second_look_days"})

    wrong_promotions_per_year: float = Field(
        gt=0,
        le=50,
        description="Sets how many candidates that are no better may be promoted in a year, on average, if every "
        "candidate is no better; it sets each night's level.",
        examples=[4],
    )
    min_effective_sample_size: float = Field(
        gt=0,
        description="Abstains where fewer shoppers than this, effectively, stand behind the weighted decisions, or "
        "behind those in which candidate and baseline differ; with `orders`, weeks of products count.",
        examples=[200],
    )
    min_effective_rewarded: float = Field(
        gt=0,
        description="Abstains where fewer rewarded shoppers than this, effectively, stand behind the estimate; with "
        "`orders`, weeks of products that sold something.",
        examples=[100],
    )
    max_tail_index: float = Field(
        default=0.8,
        gt=0,
        description="Is read for the sake of older specs and decides nothing: the index of a tail says too little of "
        "what a few shoppers may cost, and the losses of all splits, which say more, lower the bound instead.",
        examples=[0.8],
    )
    hidden_reasons: float = Field(
        default=1.2,
        ge=1,
        le=100,
        description="Abstains where the log holds no propensities, so that they were estimated, and a hidden reason of "
        "this strength could undo the gain: one that makes a logged choice up to so many times as likely, in odds, as "
        "what was recorded says. 1 says that there is no hidden reason. Gains of single decisions survive it if they "
        "are large; of episodes of several decisions hardly any does. Logged propensities know no hidden reasons.",
        examples=[1.1],
    )
    second_look_days: int = Field(
        default=0,
        ge=0,
        le=180,
        description="Looks a second time, so many days later, at a candidate whose gain stands out and that a floor on "
        "weights alone kept back: frozen, by sessions that the first look didn't see alone, before that night's own "
        "candidates. The night's level, of which such a first look spends nothing, is spent when the second one is "
        "declared. 0 declares none. For scenarios without `budget` and `orders`.",
        examples=[14],
    )
    guardrails: tuple[Guardrail, ...] = Field(
        default=(),
        description="Lists limits on how side metrics may change.",
        examples=[[{"metric": "clicks", "max_relative_decrease": 0.1}]],
    )


class Exploration(GrownModel):
    """What a service keeps for exploration and for comparison."""

    later_keys: ClassVar[frozenset[str]] = frozenset({"max_share", "max_cost"})

    floor: float = Field(
        ge=0,
        lt=1,
        description="Sets the share of served decisions that are a uniform choice; it must equal "
        "`policy.exploration_floor`.",
        examples=[0.1],
    )
    control_holdout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Keeps this share of shoppers, always the same ones, on the shop's own decisions: the service "
        "answers `use_yours`.",
        examples=[0.05],
    )
    max_share: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="Sets the largest share of any shoppers' decisions that may follow a night's candidate under an "
        "approved exploration plan; 0: plans are suggested on the page, and no service follows one.",
        examples=[0.2],
    )
    max_cost: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Sets what a night of exploration may cost at worst, as a share of what the night earns.",
        examples=[0.02],
    )
