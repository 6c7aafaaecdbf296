"""What a candidate's networks begin with: dense layers, or a reader of recent ids."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from conf.specs.strict_yaml import StrictModel


class EncoderSpec(StrictModel):
    """How observations are read."""

    kind: Literal["dense", "gru", "transformer"] = Field(
        default="dense",
        description="Chooses how lists of ids are read: `dense` as recency-weighted indicators, `gru` and "
        "`transformer` in their order, by embeddings. A `dense` encoder takes no other key of this section.",
        examples=["gru"],
    )
    history_length: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Sets how many of the latest entries of each list are read.",
        examples=[20],
    )
    embedding_size: int = Field(
        default=32, ge=1, description="Sets how many numbers the embedding of an id has.", examples=[32]
    )
    width: int = Field(
        default=64, ge=1, description="Sets how many units the reader's hidden states have.", examples=[64]
    )
    depth: int = Field(default=1, ge=1, description="Sets how many layers the reader has.", examples=[2])
    n_heads: int = Field(
        default=4,
        ge=1,
        description="Sets how many attention heads a `transformer` has; its `width` must be divisible by them.",
        examples=[4],
    )
    is_output_tied: bool = Field(
        default=False,
        description="Makes an action's value a product with its id's embedding, so that no layer is as large as the "
        "catalogue.",
        examples=[True],
    )
    sampled_above: int | None = Field(
        default=None,
        ge=1,
        description="Estimates the conservative term of `discrete_cql` from a sample where there are more actions than "
        "this; left out, it never does. It needs `is_output_tied`.",
        examples=[5000],
    )
    n_sampled_actions: int = Field(
        default=256, ge=1, description="Sets how many actions are in that sample.", examples=[256]
    )

    @property
    def is_sequence(self) -> bool:
        """Whether the encoder reads ids in order."""
        return self.kind != "dense"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = sorted(self.model_fields_set - {"kind"})
        if not self.is_sequence and given:
            raise ValueError(
                f"a dense encoder takes no {', '.join(given)}; its layers are the candidate's hidden_units"
            )
        if self.kind != "transformer" and "n_heads" in self.model_fields_set:
            raise ValueError(f"a {self.kind} encoder takes no n_heads; they are a transformer's")
        if self.kind == "transformer" and self.width % self.n_heads:
            raise ValueError(f"width {self.width} can't be divided among {self.n_heads} heads")
        if self.sampled_above is not None and not self.is_output_tied:
            raise ValueError("sampled_above needs is_output_tied: only then can few actions' values be had alone")
        return self
