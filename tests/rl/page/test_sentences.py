"""Figures in sentences."""

from __future__ import annotations

from datetime import date

import pytest

from rl.figures.evidence import Confounding, SplitLossFigures
from rl.figures.values import GuardrailFigures
from rl.figures.verdict import Allowance
from rl.page.sentences import allowance_in_words, guardrail_detail, hidden_reasons, policy_name, unseen_losses


@pytest.mark.parametrize(
    ("rail", "expected"),
    [
        ({"max_relative_increase": 0.1, "upper": 0.05}, "may rise by at most 5.0%"),
        ({"max_relative_increase": 0.1, "upper": -0.02}, "doesn't rise, as far as the log can tell"),
        ({"max_relative_increase": 0.1, "is_bounded": False}, "may rise by any amount"),
        ({"max_relative_decrease": 0.1, "lower": -0.05, "upper": 0.3}, "may fall by at most 5.0%"),
        ({"max_relative_decrease": 0.1, "lower": 0.02, "upper": 0.3}, "doesn't fall, as far as the log can tell"),
        ({"max_relative_decrease": 0.1, "is_bounded": False}, "may fall by any amount"),
        ({"max_relative_increase": 0.1}, "no bound"),
        ({"max_relative_increase": 0.1, "upper": 0.05, "refusal": "it was not evaluated"}, "it was not evaluated"),
    ],
)
def test_a_guardrail_is_told_by_the_bound_on_its_own_side(rail: dict[str, object], expected: str) -> None:
    assert guardrail_detail(GuardrailFigures.model_validate({"metric": "refunds", **rail})) == expected


def test_hidden_reasons_say_what_they_would_flip() -> None:
    """A shown gain would be undone, a doubt would hide one; odds that even the largest can't reach are said."""
    found = Confounding(flips="gain", gamma=1.4, largest_gamma=100, bounded="wdr", longest_steps=3)
    assert "up to 1.40 times as likely (in odds) at every decision" in hidden_reasons(found)
    assert hidden_reasons(found).endswith("would be enough to undo the gain.")
    single = found.model_copy(update={"longest_steps": 1, "flips": "doubt"})
    assert "at every decision" not in hidden_reasons(single)
    assert hidden_reasons(single).endswith("would be enough to hide a real gain.")
    assert "even one of 100 times the odds" in hidden_reasons(found.model_copy(update={"gamma": None}))


def test_rare_losses_say_what_was_added_and_what_may_be_unseen() -> None:
    """Three in n of those who differ; of a handful nothing rare can be seen."""
    found = SplitLossFigures(shift=0.25, rarest=0.005, n_differing=600)
    text = unseen_losses(found, units="shoppers", reward_unit="points")
    assert "counts 0.250 points per episode more." in text
    assert "600 shoppers for whom candidate and baseline decide differently" in text
    assert "fewer than 3 in 600 of them may have stayed unseen" in text
    level = unseen_losses(found.model_copy(update={"shift": 0}), units="products", reward_unit="EUR")
    assert level.startswith("The test episodes hold as many of the candidate's losses as all episodes do")
    few = found.model_copy(update={"rarest": None, "n_differing": 2.0})
    assert "too few to see any but frequent losses" in unseen_losses(few, units="shoppers", reward_unit="points")


def test_the_allowance_tells_what_was_spent_before() -> None:
    first = Allowance(level=0.0137, per_year=5, n_looks=0, spent=0, since=date(2026, 1, 1))
    assert allowance_in_words(first).startswith("Of 5 wrong promotions allowed a year, tonight's look may take 0.0137")
    assert allowance_in_words(first).endswith("no earlier look spent any of it.")
    later = first.model_copy(update={"n_looks": 3, "spent": 0.04})
    assert "; 1 earlier look since" in allowance_in_words(first.model_copy(update={"n_looks": 1}))
    assert allowance_in_words(later).endswith("3 earlier looks since 2026-01-01 spent 0.040 of it.")


def test_the_behavior_policy_is_named_in_words() -> None:
    assert (policy_name("behavior"), policy_name("champion, version 3")) == ("behavior policy", "champion, version 3")
