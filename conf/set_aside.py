"""Why most decisions of a night are missing: in one sentence, for its page, its last lines and its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What decisions that can't be used do, by the reason in manifests: they follow "12 decisions", and "they".
DECISION_FAULTS = {
    "no_action": "name no action: neither `action` nor what it falls back to",
    "unknown_set": "name no availability set, or one that was not delivered",
    "no_consent": "are of shoppers without consent",
    "missed_count": "are followed by a period without a count of their product",
    "outside_set": "chose what their availability set doesn't offer",
    "no_shopper": "name no shopper",
}

_CURES = {
    "no_consent": "if the table consent lists those alone who opted out, give consent.unlisted: given",
}
_SUMS = ("decisions", "episodes")


def main_cause(build: Mapping[str, Any]) -> tuple[str, str]:
    """Return what set most of the decisions aside, and its cure; both empty where most are there, or no cure is known.

    Args:
        build: a build's result: `n_transitions`, the decisions that are left, and `quarantined`, the number of
            `decisions` set aside and, by reason, of those that can't be used themselves. An earlier release's may lack
            either.
    """
    aside: Mapping[str, int] = build.get("quarantined", {})
    n_aside = aside.get("decisions", 0)
    n = build.get("n_transitions", 0) + n_aside
    if 2 * n_aside <= n:
        return "", ""
    reasons = {name: n_of_it for name, n_of_it in aside.items() if name not in _SUMS and n_of_it}
    if not reasons:
        return f"{n_aside:,} of {n:,} decisions are set aside, and the build doesn't say why", ""
    leading = min(reasons, key=lambda name: (-reasons[name], name))
    fault = DECISION_FAULTS.get(leading, f"can't be used ({leading})")
    told = f"{reasons[leading]:,} of {n:,} decisions {fault}, and {n_aside:,} are set aside in all"
    beside = n_aside - sum(reasons.values())
    others = f" ({beside:,} of them as others of the same episodes)" if beside > 0 else ""
    return told + others, _CURES.get(leading, "")


def set_aside_sentence(build: Mapping[str, Any]) -> str:
    """Return both as one sentence without its full stop; empty where most decisions are there."""
    return "; ".join(part for part in main_cause(build) if part)
