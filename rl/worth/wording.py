"""Answers, names and figures of the worth-it page as people read them."""

from __future__ import annotations

from rl.page import wording
from rl.worth.findings import Bounded, Response

_ANSWERS = {
    "pays": "✓ Looking ahead pays",
    "does_not_pay": "= Looking ahead does not pay",
    "cannot_tell": "? This log cannot tell",
}
_POLICIES = {"behavior": "Today's policy", "one_step": "One-step rule", "look_ahead": "Look-ahead rule"}


def answer_word(answer: str) -> str:
    """Return the answer in a few words, its sign never color alone."""
    return _ANSWERS[answer]


def policy_name(policy: str) -> str:
    """Return a compared policy's name."""
    return _POLICIES[policy]


def nights(found: Bounded) -> str:
    """Return `31 nights (24 to 40)`."""
    if found.value is None:
        return wording.UNKNOWN
    return f"{wording.counted(found.value, 'night')} ({wording.count(found.lower)} to {wording.count(found.upper)})"


def p_value(value: float) -> str:
    """Return the p-value with two digits; a tiny one is never shown as 0."""
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def response_sentence(response: Response) -> str:
    """Return what the test of one outcome says."""
    if response.is_moved:
        return (
            f"Moved: what was predicted came true to {wording.share(response.explained.value)} in shoppers it wasn't "
            "learned from."
        )
    return "Not seen to move: in shoppers it wasn't learned from, what was predicted did not come true beyond chance."
