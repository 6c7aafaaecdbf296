"""What a candidate's networks begin with: dense layers, or a reader of recent ids."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from conf.strict_yaml import StrictModel


class EncoderSpec(StrictModel):
    """How observations are read.

    Attributes:
        kind: `dense` reads lists of ids as recency-weighted indicators; `gru` and `transformer` read them in order, by
            embeddings.
        history_length: latest entries read of each list.
        embedding_size: numbers that stand for an id.
        width: size of the reader's hidden states.
        depth: layers of the reader.
        n_heads: of a transformer; they divide its width.
        is_output_tied: an action's value is a product with its id's embedding: no last layer as large as the catalogue.
        sampled_above: from more actions than this on, the conservative term is estimated from a sample; None: never.
        n_sampled_actions: in the sample.
    """

    kind: Literal["dense", "gru", "transformer"] = "dense"
    history_length: int = Field(default=10, ge=1, le=1000)
    embedding_size: int = Field(default=32, ge=1)
    width: int = Field(default=64, ge=1)
    depth: int = Field(default=1, ge=1)
    n_heads: int = Field(default=4, ge=1)
    is_output_tied: bool = False
    sampled_above: int | None = Field(default=None, ge=1)
    n_sampled_actions: int = Field(default=256, ge=1)

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
