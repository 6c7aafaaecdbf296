"""Who approves a version, how many people it takes, and how long an answer is waited for, as a strict model."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from conf.specs.strict_yaml import StrictModel


class Review(StrictModel):
    """How a person is asked whether a version that passed the gate becomes champion."""

    respondents: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$")], ...] = Field(
        default=(),
        description="Lists who may answer, by the names they log in to Airflow with; `make up` gives each an account. "
        "Left out, everybody may who can log in.",
        examples=[["ann", "bob"]],
    )
    second_person_above: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Asks a second person where the version decides differently from the log in more than "
        "this share of the decisions (mean total variation distance), or where that isn't known; left out, one person "
        "is enough.",
        examples=[0.3],
    )
    days_to_answer: int = Field(
        default=3,
        ge=1,
        le=30,
        description="Waits so many days for each answer; none in time rejects the version.",
        examples=[3],
    )

    @model_validator(mode="after")
    def _two_people_to_ask(self) -> Self:
        if len(set(self.respondents)) < len(self.respondents):
            raise ValueError("respondents names somebody twice")
        if self.second_person_above is not None and len(self.respondents) < 2:
            raise ValueError("second_person_above asks two people: name two respondents at least, to tell them apart")
        return self

    def n_people(self, share_changed: float | None) -> int:
        """Return how many people have to approve a version.

        Args:
            share_changed: share of the decisions that it makes differently from the log; None where it isn't known.
        """
        if self.second_person_above is None:
            return 1
        return 2 if share_changed is None or share_changed > self.second_person_above else 1
