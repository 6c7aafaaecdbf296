from __future__ import annotations

import pytest

from rl.learning.updates.captured_call import N_WARMUPS, Recorder
from tests.rl.learning.learning_batches import DISCRETE, make_batch, make_tiny_learner
from tests.rl.learning.plain_recorder import PlainRecorder

every_discrete = pytest.mark.parametrize("algorithm", DISCRETE)
every_way = pytest.mark.parametrize("recorder", [None, PlainRecorder()], ids=["plain", "captured"])


@every_discrete
@every_way
def test_terms_are_summed_until_they_are_taken(algorithm: str, recorder: Recorder | None) -> None:
    """In double precision, in the order of the updates, and from 0 again afterwards."""
    learner = make_tiny_learner(algorithm, recorder=recorder)
    for first in (0, N_WARMUPS + 3):
        expected: dict[str, float] = {}
        for update in range(first, first + N_WARMUPS + 3):
            for name, value in learner.update(make_batch(algorithm, seed=update)).items():
                expected[name] = expected.get(name, 0.0) + float(value)
        assert learner.take_sums() == expected


@every_way
def test_sums_add_in_place(recorder: Recorder | None) -> None:
    """A captured graph adds to the memory that it was recorded on."""
    learner = make_tiny_learner("discrete_cql", recorder=recorder)
    learner.update(make_batch("discrete_cql"))
    places = {name: total.data_ptr() for name, total in learner._sums.items()}
    for update in range(N_WARMUPS + 3):
        learner.update(make_batch("discrete_cql", seed=update))
        learner.take_sums()
    assert {name: total.data_ptr() for name, total in learner._sums.items()} == places


def test_sums_are_part_of_the_state() -> None:
    """A resumed run's curve counts the updates before; its own later ones leave the state alone."""
    learner, again = make_tiny_learner("bc"), make_tiny_learner("bc", seed=5)
    first = float(learner.update(make_batch("bc"))["loss"])
    state = learner.state()
    again.load_state(state)
    second = float(again.update(make_batch("bc", seed=1))["loss"])
    assert again.take_sums()["loss"] == first + second
    assert float(state["sums"]["loss"]) == first
