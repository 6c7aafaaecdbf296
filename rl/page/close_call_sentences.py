"""Close calls in sentences: what a person must know of a verdict that another seed could turn."""

from __future__ import annotations

from collections.abc import Sequence

from rl.figures.night import NightFigures
from rl.figures.verdict import ClosenessFigures

_WHAT_HINGES = {
    "better_than_baseline": "whether the gain's lower bound is above nothing",
    "effective_sample_size": "how much of the log resembles the policy",
    "effective_differing_units": "how much of the log differs from the policy's own choices",
    "effective_rewarded_units": "how many rewards the estimate rests on",
    "survives_hidden_reasons": "whether the gain survives hidden reasons",
}


def close_call_sentence(figures: NightFigures) -> str:
    """Return that the verdict is a close call, why, and what to do; empty where it isn't, or isn't known."""
    found = figures.verdict.closeness
    if found is None or not found.is_close:
        return ""
    sentence = (
        f"Close call: trained again on the same log with another seed, the verdict could be {found.other}. "
        f"It hinges on {_hinges(found)}, which another seed moves by as much as is left to the limit."
    )
    return f"{sentence} {_what_to_do(figures, found)}".rstrip()


def _hinges(found: ClosenessFigures) -> str:
    return _listed([_hinge(name) for name in found.hinges_on])


def _hinge(name: str) -> str:
    if name in _WHAT_HINGES:
        return _WHAT_HINGES[name]
    metric = name.removeprefix("guardrail_").removesuffix("_fall").replace("_", " ")
    return f"how {metric} change"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _what_to_do(figures: NightFigures, found: ClosenessFigures) -> str:
    if figures.verdict.decision == "promote":
        return "The risk of a wrong promotion is as low as ever; but wait for a longer log if nothing presses."
    if found.other == "promote":
        return "Don't train again until it passes, which would promote by luck: a longer log tells."
    return ""
