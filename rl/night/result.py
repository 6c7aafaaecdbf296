"""evaluation.json: everything that came of a night's evaluation, for registry, review page and monitors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from conf.publication import write_atomically
from conf.strict_yaml import StrictModel
from rl.errors import EvaluationError
from rl.page.content import ReviewContent


class SelectedCandidate(StrictModel):
    """The candidate that was selected, as it is registered; its network as it was kept after `update` updates."""

    name: str
    update: int
    temperature: float
    policy_version: str


class EvaluationResult(StrictModel):
    """A night's evaluation.

    Attributes:
        dataset_digest: of the prepared dataset.
        spec_hash: of both specs whole.
        code_hash: of the code and its pins.
        selected: on validation episodes.
        verdict: the gate's decision, reasons and every check.
        champion_in_force: version of the champion on this night, or `behavior` where there was none.
        compared_with: what the gain is over: that version, or `behavior` where it couldn't be compared.
        level: one-sided, that the gate's look might spend of the year's allowance.
        reports: of all policies and estimators on test episodes.
        metric_reports: of the guardrails' side metrics, by metric.
        validation_reports: of all candidates and temperatures on validation episodes.
        ranking: of the next action; empty where decisions were logged.
        calibration: of estimated propensities; None where there are none.
        review: what the page says, its version aside.
    """

    dataset_digest: str
    spec_hash: str
    code_hash: str
    selected: SelectedCandidate
    verdict: dict[str, Any]
    champion_in_force: str
    compared_with: str
    level: float
    reports: tuple[dict[str, Any], ...]
    metric_reports: dict[str, tuple[dict[str, Any], ...]]
    validation_reports: tuple[dict[str, Any], ...]
    ranking: tuple[dict[str, Any], ...]
    calibration: dict[str, Any] | None
    review: ReviewContent

    @model_validator(mode="before")
    @classmethod
    def _told_apart(cls, content: Any) -> Any:
        """Older releases wrote the champion in force alone, compared or not; its report tells which."""
        if not isinstance(content, dict) or "gated_against" not in content:
            return content
        content = dict(content)
        before = content.pop("gated_against")
        policies = content.get("review", {}).get("policies", ())
        was_compared = any(policy.get("role") == "champion" for policy in policies)
        return {**content, "champion_in_force": before, "compared_with": before if was_compared else "behavior"}

    def write(self, path: Path) -> None:
        """The file holds the evaluation, replaced atomically."""
        write_atomically(path, self.model_dump_json(indent=1))


def read_evaluation(path: Path) -> EvaluationResult:
    """The evaluation that `write` left.

    Raises:
        EvaluationError: missing, or of another form.
    """
    try:
        return EvaluationResult.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EvaluationError(f"{path}: no such file; run evaluate first") from error
    except ValidationError as error:
        raise EvaluationError(f"{path}: not an evaluation of this version: {error}; run evaluate again") from error
