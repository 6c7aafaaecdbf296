from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from conf.specs.candidate import CLOSED_FORM_ALGORITHMS, Candidate, ContinuousCandidate, TrainingSpec

KINDS: list[type[TrainingSpec]] = [Candidate, ContinuousCandidate]
EVERY = [(kind, name) for kind in KINDS for name in kind.algorithms]
TRAINED = [(kind, name) for kind, name in EVERY if name not in CLOSED_FORM_ALGORITHMS]
"""Those that learn by updates."""


def make(kind: type[TrainingSpec], algorithm: str, **values: Any) -> TrainingSpec:
    solved = {"n_updates": 1, "action_scores": "by_attributes"} if algorithm in CLOSED_FORM_ALGORITHMS else {}
    return kind.model_validate({"algorithm": algorithm, "seeds": [1], "n_updates": 10, **solved, **values})


@pytest.mark.parametrize(("kind", "algorithm"), EVERY)
def test_algorithm_takes_its_own_parameters_and_no_others(kind: type[TrainingSpec], algorithm: str) -> None:
    """Each parameter is taken by the algorithms that read it, and refused by name by the others."""
    every = {name for entry in kind.algorithms.values() for name in entry.parameters}
    defaults = {name: kind.model_fields[name].default for name in every}
    for name, value in defaults.items():
        if name in kind.algorithms[algorithm].parameters:
            assert getattr(make(kind, algorithm, **{name: value}), name) == value
        else:
            with pytest.raises(ValidationError, match=f"{algorithm} takes no {name}"):
                make(kind, algorithm, **{name: value})


def test_refusal_suggests_a_parameter_that_the_algorithm_knows() -> None:
    """The message names what the algorithm reads instead."""
    with pytest.raises(ValidationError, match="takes no target_rate; did you mean 'target_update_interval'"):
        make(Candidate, "discrete_cql", target_rate=0.1)
    with pytest.raises(ValidationError, match="bc takes no loss; it has none of its own"):
        make(Candidate, "bc", loss="huber")


@pytest.mark.parametrize(("kind", "algorithm"), EVERY)
def test_dumped_candidate_is_read_back(kind: type[TrainingSpec], algorithm: str) -> None:
    """What is written holds only what the algorithm reads, and makes the same candidate again."""
    candidate = make(kind, algorithm)
    dumped = candidate.model_dump(mode="json")
    solved = {"action_scores"} if algorithm in CLOSED_FORM_ALGORITHMS else set()
    assert set(dumped) == set(TrainingSpec.model_fields) | set(kind.algorithms[algorithm].parameters) | solved
    again = kind.model_validate(dumped)
    assert again.model_dump() == candidate.model_dump()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["cqll", "", 3, ["bc"], None])
def test_an_unknown_algorithm_is_refused_with_the_known_ones(kind: type[TrainingSpec], name: object) -> None:
    """Only a name with an entry is an algorithm, whatever else stands there."""
    with pytest.raises(ValidationError) as caught:
        kind.model_validate({"algorithm": name, "seeds": [1], "n_updates": 10})
    (issue,) = caught.value.errors()
    assert (issue["type"], issue["loc"]) == ("literal_error", ("algorithm",))
    assert all(repr(known) in issue["msg"] for known in kind.algorithms)


@pytest.mark.parametrize(("kind", "algorithm"), EVERY)
def test_every_parameter_of_an_entry_is_a_field(kind: type[TrainingSpec], algorithm: str) -> None:
    """An entry can name only what a spec may hold."""
    assert set(kind.algorithms[algorithm].parameters) <= set(kind.model_fields)


@pytest.mark.parametrize(("share", "bound"), [(0.0, "greater than 0"), (1.0, "less than 1")])
def test_action_flexibility_is_a_share(share: float, bound: str) -> None:
    """At 0 nothing is filtered, at 1 everything: neither is this algorithm."""
    with pytest.raises(ValidationError, match=rf"action_flexibility\n.*{bound}"):
        make(Candidate, "discrete_bcq", action_flexibility=share)


@pytest.mark.parametrize(("kind", "algorithm"), TRAINED)
def test_patience_that_could_never_run_out_is_refused(kind: type[TrainingSpec], algorithm: str) -> None:
    """It takes the best network, so many after it, and something left to stop; the message says how many to keep."""
    for n_checkpoints in (1, 3):
        with pytest.raises(ValidationError, match="set n_checkpoints to 4 or more, or leave out patience"):
            make(kind, algorithm, patience=2, n_checkpoints=n_checkpoints)
    with pytest.raises(ValidationError, match="patience 2 never stops a training that keeps 1 networks"):
        make(kind, algorithm, patience=2)
    assert make(kind, algorithm, patience=2, n_checkpoints=4).patience == 2


@pytest.mark.parametrize("hidden_units", [(), (128, 0)])
def test_a_network_has_layers_with_units(hidden_units: tuple[int, ...]) -> None:
    """An encoder of no layers, or a layer of no units, can't be built."""
    with pytest.raises(ValidationError, match="hidden_units"):
        Candidate(algorithm="bc", seeds=(1,), n_updates=1, hidden_units=hidden_units)


def test_ensembles_never_stop_early() -> None:
    """Each network would stop after other updates; a mean is of networks that learned as long."""
    with pytest.raises(ValidationError, match="leave out patience or ensemble"):
        make(Candidate, "discrete_cql", ensemble=4, n_checkpoints=4, patience=2)
    assert make(Candidate, "discrete_cql", ensemble=1, n_checkpoints=4, patience=2)


def test_ensemble_is_written_only_where_there_is_one() -> None:
    """Candidates of one network are written, and hashed, as before there were others."""
    assert "ensemble" not in make(Candidate, "bc", ensemble=1).model_dump()
    assert make(Candidate, "bc", ensemble=2).model_dump()["ensemble"] == 2
