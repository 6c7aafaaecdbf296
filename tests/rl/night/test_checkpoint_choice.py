"""The choice among networks kept during training."""

from __future__ import annotations

from rl.data.discount_function import DiscountFunction
from rl.night.checkpoint_choice import ChosenCheckpoint, choose_checkpoints
from rl.night.gate_ahead import GateAhead
from rl.ope.intervals.intervals import Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import EvaluationSettings
from rl.policy import StochasticPolicy
from tests.rl.night.test_selection import bandit_log, policy

SETTINGS = EvaluationSettings(
    discount=DiscountFunction(1.0), resampling=Resampling(n_draws=100), fqe=FqeSettings(method="linear")
)
BAD, GOOD, FLAT = [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]


def choose(
    kept: dict[str, dict[int, StochasticPolicy]], *, estimator: str = "dr", ahead: GateAhead | None = None
) -> dict[str, ChosenCheckpoint]:
    return choose_checkpoints(
        kept,
        train=bandit_log(400, seed=1),
        validation=bandit_log(800, seed=2),
        settings=SETTINGS,
        estimator=estimator,
        temperature=1.0,
        ahead=ahead or GateAhead(50, 20),
    )


def kept(*logits: list[float], name: str = "one-1") -> dict[int, StochasticPolicy]:
    return {100 * place: policy(name, each) for place, each in enumerate(logits, start=1)}


def test_the_best_checkpoint_is_chosen_even_if_it_is_not_the_last() -> None:
    """Training that went wrong after its middle is cut back to it."""
    found = choose({"one-1": kept(FLAT, GOOD, BAD)})["one-1"]
    assert found.update == 200
    assert found.policy.version == policy("one-1", GOOD).version
    assert sorted(found.choices) == [100, 200, 300]
    certainty = {update: choice.certainty or 0.0 for update, choice in found.choices.items()}
    assert certainty[200] > certainty[100] > certainty[300]


def test_of_equal_checkpoints_the_latest_is_chosen() -> None:
    assert choose({"one-1": kept(GOOD, GOOD)})["one-1"].update == 200


def test_each_candidate_is_chosen_for_itself() -> None:
    """One with a single network has no choice, and none is made up for it."""
    found = choose({"one-1": kept(GOOD, BAD), "two-1": {7: policy("two-1", BAD)}})
    assert found["one-1"].update == 100
    assert (found["two-1"].update, found["two-1"].choices) == (7, {})


def test_where_nothing_can_be_weighted_the_last_is_taken() -> None:
    """Of implied decisions a shared Q-function would bias the choice."""
    found = choose({"one-1": kept(GOOD, BAD)}, estimator="dm")["one-1"]
    assert (found.update, found.choices) == (200, {})


def test_checkpoints_that_the_log_cannot_judge_stand_back() -> None:
    """A sharper network of higher certainty but below the floors isn't chosen over one that can be judged."""
    sharp = [0.0, 9.0, 0.0]
    sizes = {
        update: choice.report.effective_sample_size or 0.0
        for update, choice in choose({"one-1": kept(GOOD, sharp)})["one-1"].choices.items()
    }
    between = GateAhead(sizes[100], 1)
    assert sizes[200] < sizes[100]
    assert choose({"one-1": kept(GOOD, sharp)}, ahead=between)["one-1"].update == 100
