"""What is to be trained: an algorithm, its seeds, and the parameters that this algorithm knows."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    PositiveInt,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticKnownError

from conf.specs.encoder import EncoderSpec
from conf.specs.strict_yaml import StrictModel, suggest


@dataclass(frozen=True)
class AlgorithmEntry:
    """An algorithm that a spec may name.

    Attributes:
        code: where it stands, as `module:Class`. Only training imports it: specs are also read without torch.
        parameters: names of the candidate's parameters that it reads; giving it another one is an error.
        takes_elapsed_time: it discounts each transition by that transition's own time (a batch's `intervals`), or looks
            at nothing that follows; others are refused where a scenario discounts per day.
    """

    code: str
    parameters: tuple[str, ...] = ()
    takes_elapsed_time: bool = False


_CODE = "rl.learning.algorithms"

# Over a set of actions: what a scenario's candidates may name. A new algorithm is a class and an entry here.
DISCRETE_ALGORITHMS: dict[str, AlgorithmEntry] = {
    "bc": AlgorithmEntry(f"{_CODE}.behavior_cloning:BehaviorCloning", takes_elapsed_time=True),
    "discrete_cql": AlgorithmEntry(
        f"{_CODE}.conservative_q_learning:ConservativeQLearning",
        ("loss", "target_update_interval", "conservative_weight"),
        takes_elapsed_time=True,
    ),
    "discrete_bcq": AlgorithmEntry(
        f"{_CODE}.batch_constrained_q_learning:BatchConstrainedQLearning",
        ("loss", "target_update_interval", "action_flexibility"),
        takes_elapsed_time=True,
    ),
    "double_dqn": AlgorithmEntry(
        f"{_CODE}.double_q_learning:DoubleQLearning", ("loss", "target_update_interval"), takes_elapsed_time=True
    ),
    "nfq": AlgorithmEntry(f"{_CODE}.double_q_learning:NeuralFittedQ", ("loss",), takes_elapsed_time=True),
    "discrete_sac": AlgorithmEntry(
        f"{_CODE}.discrete_soft_actor_critic:DiscreteSoftActorCritic",
        ("loss", "target_update_interval", "initial_temperature"),
        takes_elapsed_time=True,
    ),
    "discrete_iql": AlgorithmEntry(
        f"{_CODE}.discrete_implicit_q_learning:DiscreteImplicitQLearning",
        ("loss", "target_rate", "expectile", "inverse_temperature", "max_weight"),
        takes_elapsed_time=True,
    ),
}
# Over a set of actions, without a gradient: they solve for their weights at once, and every seed tells the same.
CLOSED_FORM_ALGORITHMS: dict[str, AlgorithmEntry] = {
    "resemblance": AlgorithmEntry(
        "rl.learning.closed_form.resemblance_regression:solve_resemblances",
        ("lookahead", "ridge"),
        takes_elapsed_time=True,
    ),
}
# Learn values by a Q-function alone, whose last layer can be tied to embeddings.
_TIED = ("discrete_cql", "double_dqn", "nfq")

# Over order quantities and discounts, scaled to lie between -1 and 1. Nights of orders train and serve them by the
# levels that they order up to.
CONTINUOUS_ALGORITHMS: dict[str, AlgorithmEntry] = {
    "cql": AlgorithmEntry(
        f"{_CODE}.continuous_cql:ContinuousConservativeQLearning",
        ("target_rate", "conservative_weight", "n_action_samples"),
        takes_elapsed_time=True,
    ),
    "iql": AlgorithmEntry(
        f"{_CODE}.continuous_iql:ContinuousImplicitQLearning",
        ("target_rate", "expectile", "inverse_temperature", "max_weight"),
        takes_elapsed_time=True,
    ),
    "td3_plus_bc": AlgorithmEntry(
        f"{_CODE}.td3_plus_bc:TD3WithCloning",
        ("target_rate", "value_weight", "actor_interval"),
        takes_elapsed_time=True,
    ),
    "awac": AlgorithmEntry(
        f"{_CODE}.awac:AdvantageWeightedActorCritic", ("target_rate", "advantage_temperature"), takes_elapsed_time=True
    ),
}


class TrainingSpec(StrictModel):
    """Parameters that every algorithm knows."""

    # The algorithms that a spec of this kind may name.
    algorithms: ClassVar[Mapping[str, AlgorithmEntry]] = {}

    algorithm: str = Field(
        description="Names the learning algorithm, which decides which of the other parameters may be given.",
        examples=["discrete_cql"],
    )
    seeds: tuple[int, ...] = Field(
        min_length=1,
        description="Lists the random seeds; the algorithm is trained once for each, and each makes a candidate.",
        examples=[[1, 2]],
    )
    n_updates: int = Field(ge=1, description="Sets how many gradient updates a training does.", examples=[3000])
    batch_size: int = Field(
        default=256, ge=1, description="Sets how many transitions an update learns from.", examples=[256]
    )
    learning_rate: float = Field(
        default=3e-4,
        gt=0,
        description="Sets the step size of the optimizer at the start; it falls to a hundredth of that by the last "
        "update.",
        examples=[0.0003],
    )
    hidden_units: tuple[PositiveInt, ...] = Field(
        default=(128, 128),
        min_length=1,
        description="Lists the number of units of each hidden layer of a network, from its input on.",
        examples=[[128, 128]],
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="Sets the numbers that the layers of an update compute with; `bfloat16` is half as wide and for "
        "GPUs. Weights are kept in `float32` either way.",
        examples=["bfloat16"],
    )
    n_checkpoints: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Sets how many networks a training keeps, evenly spaced, the last one among them; validation "
        "episodes choose one of them.",
        examples=[3],
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Stops a training after this many kept networks of which none was the best so far on validation "
        "episodes; left out, it never stops early.",
        examples=[2],
    )

    @field_validator("algorithm", mode="before")
    @classmethod
    def _is_known(cls, algorithm: object) -> object:
        if not isinstance(algorithm, str) or algorithm not in cls.algorithms:
            raise PydanticKnownError("literal_error", {"expected": ", ".join(map(repr, cls.algorithms))})
        return algorithm

    @model_validator(mode="after")
    def _knows_its_parameters(self) -> Self:
        own = self.algorithms[self.algorithm].parameters
        if unknown := sorted(self.model_fields_set & (_parameter_names(self) - set(own))):
            hint = suggest(unknown[0], list(own)) if own else "; it has none of its own"
            raise ValueError(f"{self.algorithm} takes no {', '.join(unknown)}{hint}")
        return self

    @model_validator(mode="after")
    def _can_run_out_of_patience(self) -> Self:
        # The first network may be the best, and after the last one there is nothing left to stop.
        if self.patience is not None and self.n_checkpoints < self.patience + 2:
            raise ValueError(
                f"patience {self.patience} never stops a training that keeps {self.n_checkpoints} networks; "
                f"set n_checkpoints to {self.patience + 2} or more, or leave out patience"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_what_the_algorithm_ignores(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        ignored = _parameter_names(self) - set(self.algorithms[self.algorithm].parameters)
        return {name: value for name, value in handler(self).items() if name not in ignored}


class Candidate(TrainingSpec):
    """An algorithm over a set of actions, to be trained once per seed."""

    algorithms: ClassVar[Mapping[str, AlgorithmEntry]] = ChainMap(DISCRETE_ALGORITHMS, CLOSED_FORM_ALGORITHMS)

    loss: Literal["squared", "huber"] = Field(
        default="squared",
        description="Measures values against their targets; `squared` aims at the mean of rare, large rewards, `huber` "
        "(as d3rlpy has it) nearer their median.",
        examples=["huber"],
    )
    target_update_interval: int = Field(
        default=500,
        ge=1,
        description="Sets the number of updates between two copies of the network into the target network.",
        examples=[250],
    )
    conservative_weight: float = Field(
        default=1.0,
        ge=0,
        description="Weights the term that keeps the values of untried actions low; 0 leaves it out.",
        examples=[0.5],
    )
    action_flexibility: float = Field(
        default=0.3,
        gt=0,
        lt=1,
        description="Considers an action where the imitator finds it more than this share as likely as the likeliest.",
        examples=[0.3],
    )
    initial_temperature: float = Field(
        default=1.0,
        gt=0,
        description="Weights the entropy of the policy at the start of training; from there on the weight is learned.",
        examples=[1.0],
    )
    target_rate: float = Field(
        default=0.005,
        gt=0,
        le=1,
        description="Moves the target network towards the network by this share of their distance in every update.",
        examples=[0.005],
    )
    expectile: float = Field(
        default=0.7,
        gt=0,
        lt=1,
        description="Sets which expectile of action values a state's value aims at; 0.5 is the mean over logged "
        "actions, near 1 the best of them.",
        examples=[0.9],
    )
    inverse_temperature: float = Field(
        default=3.0,
        ge=0,
        description="Sets how sharply the policy prefers actions of high advantage; 0 imitates the log.",
        examples=[3.0],
    )
    max_weight: float = Field(
        default=100.0, gt=0, description="Limits the weight of a row in the policy's loss.", examples=[100.0]
    )
    lookahead: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Multiplies the discount of later rewards in what is learned: 0 learns the next reward alone, for "
        "a policy that doesn't look ahead; below 1, later rewards that are mostly noise count less.",
        examples=[0.8],
    )
    ridge: float = Field(
        default=30.0,
        gt=0,
        description="Penalizes squared weights, in rows: what fewer decisions than about this tell counts little.",
        examples=[30.0],
    )
    # Left out of what is written where they say nothing: such candidates are written as before there were others.
    ensemble: int = Field(
        default=1,
        ge=1,
        le=64,
        exclude_if=lambda n_networks: n_networks == 1,
        description="Trains so many networks for each seed, from different weights and in different orders of rows, "
        "and makes one policy of the mean of their outputs: on few or noisy rows, what one network believes is much "
        "luck. Training and decisions take so many times as long.",
        examples=[8],
    )
    encoder: EncoderSpec = Field(
        default_factory=EncoderSpec,
        exclude_if=lambda encoder: not encoder.is_sequence,
        description="Says what the networks begin with; left out, they are dense layers.",
        examples=[{"kind": "gru", "history_length": 20}],
    )

    action_scores: Literal["by_id", "by_attributes"] = Field(
        default="by_id",
        exclude_if=lambda how: how == "by_id",
        description="Says what an action's score is made of: an output of its own (`by_id`), which learns from the "
        "decisions that chose it alone, or what the scenario's `action.attributes` say of it (`by_attributes`), for "
        "catalogues in which each item is seldom shown.",
        examples=["by_attributes"],
    )

    @model_validator(mode="after")
    def _scores_by_attributes_alone(self) -> Self:
        if self.action_scores == "by_attributes" and self.encoder.is_sequence:
            raise ValueError(
                f"action_scores: by_attributes reads items of lists by their attributes, and a {self.encoder.kind} "
                "encoder by their ids; leave out one of them"
            )
        return self

    @model_validator(mode="after")
    def _solves_once(self) -> Self:
        if self.algorithm not in CLOSED_FORM_ALGORITHMS:
            return self
        found = [
            f"{name}: {given} (expected {expected})"
            for name, given, expected in (
                ("seeds", list(self.seeds), "one"),
                ("n_updates", self.n_updates, 1),
                ("n_checkpoints", self.n_checkpoints, 1),
                ("ensemble", self.ensemble, 1),
                ("encoder", self.encoder.kind, "none"),
                ("action_scores", self.action_scores, "by_attributes"),
            )
            if (len(self.seeds) != 1 if name == "seeds" else given != expected)
            and (name != "encoder" or self.encoder.is_sequence)
        ]
        if found:
            raise ValueError(f"{self.algorithm} solves for its weights once, by attributes: {'; '.join(found)}")
        return self

    @model_validator(mode="after")
    def _trains_every_network_as_long(self) -> Self:
        if self.ensemble > 1 and self.patience is not None:
            raise ValueError(
                f"patience {self.patience} would stop each of {self.ensemble} networks at another update, and their "
                "mean is taken after the same ones; leave out patience or ensemble"
            )
        return self

    @model_validator(mode="after")
    def _can_use_its_encoder(self) -> Self:
        if self.encoder.is_output_tied and self.algorithm not in _TIED:
            raise ValueError(f"{self.algorithm} can't tie its output to embeddings; expected one of {', '.join(_TIED)}")
        if self.encoder.sampled_above is not None and self.algorithm != "discrete_cql":
            raise ValueError(f"{self.algorithm} has no conservative term to sample; leave out sampled_above")
        if self.encoder.is_sequence and self.algorithm == "discrete_bcq":
            raise ValueError("discrete_bcq serves dense networks alone; leave out encoder, or choose another algorithm")
        return self


class ContinuousCandidate(TrainingSpec):
    """An algorithm over order quantities or discounts, scaled to lie between -1 and 1."""

    algorithms: ClassVar[Mapping[str, AlgorithmEntry]] = CONTINUOUS_ALGORITHMS

    algorithm: str = Field(
        description="Names the learning algorithm, which decides which of the other parameters may be given.",
        examples=["cql"],
    )
    target_rate: float = Field(
        default=0.005,
        gt=0,
        le=1,
        description="Moves the target networks towards the networks by this share of their distance in every update.",
        examples=[0.005],
    )
    conservative_weight: float = Field(
        default=5.0,
        ge=0,
        description="Weights the term that keeps the values of untried actions low; 0 leaves it out.",
        examples=[5.0],
    )
    n_action_samples: int = Field(
        default=10, ge=1, description="Sets how many actions are drawn for the conservative term.", examples=[10]
    )
    expectile: float = Field(
        default=0.7,
        gt=0,
        lt=1,
        description="Sets which expectile of action values a state's value aims at; 0.5 is the mean over logged "
        "actions, near 1 the best of them.",
        examples=[0.9],
    )
    inverse_temperature: float = Field(
        default=3.0,
        ge=0,
        description="Sets how sharply the policy prefers actions of high advantage; 0 imitates the log.",
        examples=[3.0],
    )
    max_weight: float = Field(
        default=100.0, gt=0, description="Limits the weight of a row in the policy's loss.", examples=[100.0]
    )
    value_weight: float = Field(
        default=2.5, gt=0, description="Weights values against imitation (alpha of TD3+BC).", examples=[2.5]
    )
    actor_interval: int = Field(
        default=2, ge=1, description="Sets the number of updates between two updates of the policy.", examples=[2]
    )
    advantage_temperature: float = Field(
        default=1.0,
        gt=0,
        description="Divides advantages before they weigh rows, so that large ones weigh less (lambda of AWAC).",
        examples=[1.0],
    )


def _parameter_names(spec: TrainingSpec) -> set[str]:
    """Return the parameters that some algorithm of the spec's kind knows."""
    return {name for entry in spec.algorithms.values() for name in entry.parameters}
