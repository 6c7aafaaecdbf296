"""Why most decisions of a night are missing."""

from __future__ import annotations

from typing import Any

import pytest

from conf.set_aside import DECISION_FAULTS, main_cause, set_aside_sentence
from jobs.transitions.quarantine import REASONS


def build(n_left: int, **quarantined: int) -> dict[str, Any]:
    return {"n_transitions": n_left, "quarantined": {"episodes": 0, "decisions": 0} | quarantined}


def test_the_cause_of_most_is_named_with_its_share_and_cure() -> None:
    cause, cure = main_cause(build(100, decisions=900, no_consent=800, no_action=60))
    assert cause == (
        "800 of 1,000 decisions are of shoppers without consent, and 900 are set aside in all "
        "(40 of them as others of the same episodes)"
    )
    assert cure.endswith("give consent.unlisted: given")


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_can_be_the_main_cause(reason: str) -> None:
    """One that no person has words for would be named by its key alone."""
    told = set_aside_sentence(build(1, decisions=9, **{reason: 9}))
    assert told.startswith(f"9 of 10 decisions {DECISION_FAULTS[reason]}, and 9 are set aside in all")
    assert "others of the same episodes" not in told
    assert ("consent.unlisted" in told) == (reason == "no_consent")


def test_a_reason_of_a_later_release_is_named_by_its_key() -> None:
    assert "decisions can't be used (odd), and" in set_aside_sentence(build(1, decisions=9, odd=9))


def test_nothing_is_said_up_to_one_half() -> None:
    """Nor of a build without decisions, nor of an earlier release's result."""
    assert set_aside_sentence(build(50, decisions=50, no_consent=50)) == ""
    assert set_aside_sentence(build(49, decisions=51, no_consent=51)) != ""
    assert [set_aside_sentence(one) for one in (build(0), {}, {"n_transitions": 4})] == ["", "", ""]


def test_equal_reasons_are_named_alike_each_night() -> None:
    one = build(0, decisions=8, outside_set=4, no_action=4)
    other = build(0, decisions=8, no_action=4, outside_set=4)
    assert main_cause(one) == main_cause(other)


def test_a_result_without_reasons_says_so() -> None:
    assert main_cause(build(1, decisions=9)) == ("9 of 10 decisions are set aside, and the build doesn't say why", "")
