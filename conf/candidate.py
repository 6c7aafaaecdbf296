"""What is to be trained: an algorithm, its seeds, and the parameters that this algorithm knows."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, SerializerFunctionWrapHandler, model_serializer, model_validator

from conf.encoder import EncoderSpec
from conf.strict_yaml import StrictModel, suggest

# Which of a candidate's parameters each algorithm reads; giving it another is an error.
_DISCRETE_PARAMETERS: dict[str, tuple[str, ...]] = {
    "bc": (),
    "discrete_cql": ("loss", "target_update_interval", "conservative_weight"),
    "discrete_bcq": ("loss", "target_update_interval", "action_flexibility"),
    "double_dqn": ("loss", "target_update_interval"),
    "nfq": ("loss",),
    "discrete_sac": ("loss", "target_update_interval", "initial_temperature"),
    "discrete_iql": ("loss", "target_rate", "expectile", "inverse_temperature", "max_weight"),
}
# Learn values by a Q-function alone, whose last layer can be tied to embeddings.
_TIED = ("discrete_cql", "double_dqn", "nfq")
_CONTINUOUS_PARAMETERS: dict[str, tuple[str, ...]] = {
    "cql": ("target_rate", "conservative_weight", "n_action_samples"),
    "iql": ("target_rate", "expectile", "inverse_temperature", "max_weight"),
    "td3_plus_bc": ("target_rate", "value_weight", "actor_interval"),
    "awac": ("target_rate", "advantage_temperature"),
}


class TrainingSpec(StrictModel):
    """What every algorithm knows.

    precision: `bfloat16` computes the layers of an update at half width (weights stay as they are); for GPUs.
    n_checkpoints: networks kept, evenly spaced, the last one among them; validation episodes choose one. patience:
    training stops after so many kept networks of which none was the best so far on validation episodes; None: never.
    """

    # By algorithm: the parameters it knows beyond those of this class.
    parameters: ClassVar[dict[str, tuple[str, ...]]] = {}

    algorithm: str
    seeds: tuple[int, ...] = Field(min_length=1)
    n_updates: int = Field(ge=1)
    batch_size: int = Field(default=256, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    hidden_units: tuple[PositiveInt, ...] = Field(default=(128, 128), min_length=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    n_checkpoints: int = Field(default=1, ge=1, le=100)
    patience: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _knows_its_parameters(self) -> Self:
        own = self.parameters[self.algorithm]
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
        ignored = _parameter_names(self) - set(self.parameters[self.algorithm])
        return {name: value for name, value in handler(self).items() if name not in ignored}


class Candidate(TrainingSpec):
    """An algorithm over a set of actions, to be trained once per seed.

    Attributes:
        loss: of values against their targets; `squared` aims at the mean of rare, large rewards, `huber` (d3rlpy's)
            nearer their median.
        target_update_interval: updates between two copies into the target network.
        conservative_weight: of the conservative term.
        action_flexibility: an action is considered where the imitator holds it for more than this share as likely as
            its likeliest one.
        initial_temperature: of the entropy term; learned from there on.
        target_rate: share by which the target network moves towards the network in an update.
        expectile: of action values that state values aim at: .5 the mean over logged actions, near 1 the best of them.
        inverse_temperature: how sharply the policy prefers actions of high advantage; 0 clones.
        max_weight: no row counts for more than this many.
        encoder: what its networks begin with; dense layers where it is left out.
    """

    parameters: ClassVar[dict[str, tuple[str, ...]]] = _DISCRETE_PARAMETERS

    algorithm: Literal["bc", "discrete_cql", "discrete_bcq", "double_dqn", "nfq", "discrete_sac", "discrete_iql"]
    loss: Literal["squared", "huber"] = "squared"
    target_update_interval: int = Field(default=500, ge=1)
    conservative_weight: float = Field(default=1.0, ge=0)
    action_flexibility: float = Field(default=0.3, gt=0, lt=1)
    initial_temperature: float = Field(default=1.0, gt=0)
    target_rate: float = Field(default=0.005, gt=0, le=1)
    expectile: float = Field(default=0.7, gt=0, lt=1)
    inverse_temperature: float = Field(default=3.0, ge=0)
    max_weight: float = Field(default=100.0, gt=0)
    # Left out of what is written where it says nothing: such candidates are written as before there were others.
    encoder: EncoderSpec = Field(default_factory=EncoderSpec, exclude_if=lambda encoder: not encoder.is_sequence)

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
    """An algorithm over order quantities or discounts, scaled to lie between -1 and 1.

    Attributes:
        target_rate: share by which target networks move in an update.
        conservative_weight: of the conservative term.
        n_action_samples: actions drawn for the conservative term.
        expectile: as in `Candidate`.
        inverse_temperature: as in `Candidate`.
        max_weight: as in `Candidate`.
        value_weight: of values against imitation (alpha of TD3+BC).
        actor_interval: updates between two of the actor.
        advantage_temperature: how flat advantages are made before they weigh rows (lambda of AWAC).
    """

    parameters: ClassVar[dict[str, tuple[str, ...]]] = _CONTINUOUS_PARAMETERS

    algorithm: Literal["cql", "iql", "td3_plus_bc", "awac"]
    target_rate: float = Field(default=0.005, gt=0, le=1)
    conservative_weight: float = Field(default=5.0, ge=0)
    n_action_samples: int = Field(default=10, ge=1)
    expectile: float = Field(default=0.7, gt=0, lt=1)
    inverse_temperature: float = Field(default=3.0, ge=0)
    max_weight: float = Field(default=100.0, gt=0)
    value_weight: float = Field(default=2.5, gt=0)
    actor_interval: int = Field(default=2, ge=1)
    advantage_temperature: float = Field(default=1.0, gt=0)


def _parameter_names(spec: TrainingSpec) -> set[str]:
    """Return parameters that some algorithm of the spec's kind knows."""
    return {name for names in spec.parameters.values() for name in names}
