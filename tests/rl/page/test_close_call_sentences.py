"""What a person is told of a verdict that another seed could turn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rl.figures.night import NightFigures
from rl.figures.verdict import ClosenessFigures
from rl.gate.close_call import moves_to_limits
from rl.gate.rules import GateRules
from rl.ope.propensities.trust import ESTIMATED
from rl.page.close_call_sentences import close_call_sentence
from rl.page.render import render_page
from tests.rl.gate.test_rules import clicks, evidence, refunds
from tests.rl.page.content_factory import judgment, review

LIMITS = GateRules(alpha=0.011, min_effective_sample_size=200, min_effective_rewarded=100, hidden_reasons=1.2)
FULL = evidence(guardrails=(refunds(), clicks()), survived=2.0, propensities=ESTIMATED)


def told(decision: str = "promote", **given: Any) -> str:
    """The sentence of a verdict whose bound is beside nothing, unless a field says otherwise."""
    fields = {"other": "reject", "hinges_on": ("better_than_baseline",), "moves": 0.4, "is_close": True, **given}
    verdict = SimpleNamespace(decision=decision, closeness=ClosenessFigures(**fields))
    return close_call_sentence(cast(NightFigures, SimpleNamespace(verdict=verdict)))


def test_a_verdict_that_no_seed_turns_has_nothing_to_tell() -> None:
    """Neither has an evaluation of an earlier release, which didn't ask."""
    assert told(is_close=False) == ""
    earlier = SimpleNamespace(verdict=SimpleNamespace(decision="promote", closeness=None))
    assert close_call_sentence(cast(NightFigures, earlier)) == ""


def test_a_close_call_says_what_else_it_could_be_and_what_to_do() -> None:
    """A promotion may wait; what failed isn't to be tried until it passes."""
    assert told().startswith(
        "Close call: trained again on the same log with another seed, the verdict could be reject."
    )
    assert "the gain's lower bound is above nothing" in told()
    assert "wait for a longer log" in told()
    assert "Don't train again until it passes" in told("reject", other="promote")
    assert told("reject", other="abstain").endswith("is left to the limit.")


@pytest.mark.parametrize("name", sorted(moves_to_limits(FULL, LIMITS)))
def test_every_check_that_can_turn_has_words(name: str) -> None:
    """Names for machines are nothing that a person reads."""
    assert name not in told(hinges_on=(name,))
    assert "  " not in told(hinges_on=(name, name))


def test_the_page_says_it_beside_the_verdict() -> None:
    """Or nothing at all."""
    page = render_page(review(judgment=judgment(close_call="Close call: so.")))
    assert '<p id="close-call"><b>Close call: so.</b></p>' in page
    assert "close-call" not in render_page(review(judgment=judgment()))
