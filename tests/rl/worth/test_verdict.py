"""The stated rule decides, and its sentence says the figure it rests on."""

from __future__ import annotations

import pytest

from rl.worth.verdict import WorthVerdict, judge_worth, refuse_worth
from tests.rl.worth.findings_factory import make_comparison, make_future

PAYS, DOES_NOT, OPEN = (0.95, 0.93, 0.97), (0.995, 0.98, 1.01), (0.97, 0.93, 1.01)
CLEAR, DIM = (0.3, 0.2, 0.4), (0.3, 0.1, 0.5)


def judged(
    reached: tuple[float, float, float],
    *,
    is_moved: bool = True,
    gain: tuple[float, float, float] = CLEAR,
    is_enough: bool = True,
    is_estimated: bool = False,
) -> WorthVerdict:
    return judge_worth(
        make_comparison(reached, gain=gain),
        make_future(is_moved=is_moved),
        is_enough=is_enough,
        is_estimated=is_estimated,
    )


@pytest.mark.parametrize(
    ("reached", "is_moved", "gain", "answer"),
    [
        (PAYS, True, CLEAR, "pays"),
        (PAYS, False, CLEAR, "cannot_tell"),
        (DOES_NOT, False, CLEAR, "does_not_pay"),
        (DOES_NOT, True, CLEAR, "does_not_pay"),
        (DOES_NOT, False, DIM, "cannot_tell"),
        (DOES_NOT, False, (-0.2, -0.3, -0.1), "cannot_tell"),
        (OPEN, True, CLEAR, "cannot_tell"),
        ((0.985, 0.975, 0.995), True, CLEAR, "pays"),
        ((0.985, 0.975, 0.995), False, CLEAR, "does_not_pay"),
    ],
)
def test_judge_worth_follows_its_rule(
    reached: tuple[float, float, float], is_moved: bool, gain: tuple[float, float, float], answer: str
) -> None:
    """Interval below 1 and a moved future: pays; above 1 less the margin and a clear log: doesn't; else can't tell."""
    assert judged(reached, is_moved=is_moved, gain=gain).answer == answer


@pytest.mark.parametrize("reached", [PAYS, DOES_NOT])
def test_judge_worth_abstains_where_too_few_shoppers_speak(reached: tuple[float, float, float]) -> None:
    """Below the floors no interval counts, and the sentence says how many there are."""
    found = judged(reached, is_enough=False)
    assert found.answer == "cannot_tell"
    assert "too few shoppers speak for it: effectively 600" in found.sentence


def test_sentence_says_the_share_with_its_interval() -> None:
    """The figure that decided stands in the sentence."""
    assert "95.0% (95% interval 93.0% to 97.0%)" in judged(PAYS).sentence


def test_margin_shrinks_with_the_share_handed_over() -> None:
    """With half of the decisions handed over, a possible loss of 2% is too much to rule look-ahead out."""
    comparison = make_comparison(DOES_NOT).model_copy(update={"margin": 0.015})
    assert judge_worth(comparison, make_future(is_moved=False), is_enough=True).answer == "cannot_tell"


def test_estimated_propensities_are_named_among_the_reasons() -> None:
    """What rests on a model of the logger says so."""
    assert any("were estimated" in reason for reason in judged(PAYS, is_estimated=True).reasons)


def test_judge_worth_abstains_where_the_value_is_not_positive() -> None:
    """No share can be taken of a value that isn't positive."""
    comparison = make_comparison().model_copy(
        update={"share_reached": make_comparison().share_reached.model_copy(update={"value": None})}
    )
    assert judge_worth(comparison, make_future(), is_enough=True).answer == "cannot_tell"


def test_refuse_worth_calls_a_models_word_a_prediction() -> None:
    """The log can't tell, says why and what would help, and the model's figure is no estimate."""
    found = refuse_worth("the log holds no propensities", make_comparison(is_prediction=True))
    assert found.answer == "cannot_tell"
    assert "because the log holds no propensities" in found.sentence
    assert "prediction, not an estimate" in found.reasons[0]
    assert "random" in found.reasons[1]
