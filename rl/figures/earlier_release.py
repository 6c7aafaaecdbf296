"""Evaluations of release 0.1.0 and before, which kept the page's content: read as figures, as far as they held them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BEHAVIOR, _BEHAVIOR_IN_WORDS = "behavior", "behavior policy"
_QUANTILES = {
    "Surer than nine in ten decisions": 0.9,
    "In the middle": 0.5,
    "Less sure than nine in ten": 0.1,
}
_SAME = (
    "data",
    "actions",
    "distance_from_log",
    "opinions",
    "loggers",
    "support",
    "curves",
    "candidates",
)


def figures_of_earlier_release(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures in an evaluation.json that holds a `review`.

    Sentences whose figures were not kept (the allowance, a hidden reason) stay sentences, among the notes.
    """
    review = content["review"]
    judgment, policies = review["judgment"], review["policies"]
    verdict, second = content["verdict"], _second_opinions(policies)
    champion, compared = _champion(content, policies)
    doubts = dict(review.get("doubts") or {})
    hidden = doubts.pop("confounding", None)
    return {
        **{name: review[name] for name in _SAME if name in review},
        "facts": review["night"],
        **{name: content[name] for name in ("dataset_digest", "spec_hash", "code_hash", "selected", "level")},
        "lineage": _lineage(review.get("lineage", ())),
        "verdict": {**verdict, "headlines": judgment.get("headlines", ())},
        "allowance": None,
        "champion_in_force": champion,
        "compared_with": compared,
        "estimator": _gate_estimator(policies),
        "gain": None if judgment["gain"] is None else _plain(judgment["gain"], "baseline"),
        "reports": [one for one in content["reports"] if one["estimator"] not in second],
        "second_reports": [one for one in content["reports"] if one["estimator"] in second],
        "metric_reports": content["metric_reports"],
        "validation_reports": content["validation_reports"],
        "truth": {_name(one): one["truth"] for one in policies if one.get("truth") is not None},
        "guardrails": [_guardrail(one) for one in review.get("guardrails", ())],
        "propensities": review["propensities"],
        "notes": {"earlier": [*judgment.get("notes", ()), *([hidden] if hidden else ())]},
        "returns": _returns(review.get("returns")),
        "doubts": doubts,
        "segments": None if review.get("segments") is None else _plain(review["segments"], "baseline"),
        "explanation": _explanation(review.get("explanation")),
        "ranking": content["ranking"],
    }


def _champion(content: Mapping[str, Any], policies: list[Mapping[str, Any]]) -> tuple[str, str]:
    """Return who was champion and what the gain is over; the oldest releases wrote the champion alone."""
    if "gated_against" not in content:
        return content["champion_in_force"], content["compared_with"]
    before = content["gated_against"]
    return before, before if any(one["role"] == "champion" for one in policies) else _BEHAVIOR


def _name(policy: Mapping[str, Any]) -> str:
    return _BEHAVIOR if policy["role"] == "behavior" else str(policy["name"])


def _plain(part: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return the part of the content with the behavior policy under its name, where it stood in words."""
    return {**part, field: _BEHAVIOR if part.get(field) == _BEHAVIOR_IN_WORDS else part.get(field, "")}


def _second_opinions(policies: list[Mapping[str, Any]]) -> set[str]:
    return {one["estimator"] for policy in policies for one in policy["estimates"] if one.get("is_second_opinion")}


def _gate_estimator(policies: list[Mapping[str, Any]]) -> str:
    found = (one["estimator"] for policy in policies for one in policy["estimates"] if one.get("is_gate"))
    return next(found, "dm")


def _lineage(rows: list[Mapping[str, str]]) -> dict[str, Any]:
    told = {row["name"]: row["value"] for row in rows}
    return {
        "data_spec_hash": told.get("spec (what shapes the data)", ""),
        "key_id": told.get("pseudonym key", ""),
        "embargo": told.get("embargo between splits"),
        **{f"{which}_partition": told.get(f"{which} partition", ": ").split(": ", 1) for which in ("first", "last")},
    }


def _guardrail(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("metric", "max_relative_increase", "max_relative_decrease", "relative_increase", "is_kept")
    return {**{name: row[name] for name in kept if name in row}, "refusal": row.get("detail")}


def _returns(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {**found, "policies": [_plain(one, "name") for one in found.get("policies", ())]}


def _explanation(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    examples = [dict(one) for one in found.get("examples", ())]
    for one in examples:
        one["quantile"] = _QUANTILES.get(one.pop("title", ""), 0.5)
    return {**found, "examples": examples}
