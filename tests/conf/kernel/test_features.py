"""What holds of every feature the kernel makes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel import favorites
from conf.kernel.history_features import HISTORY_LISTS, HISTORY_SCALARS
from conf.kernel.session_features import SESSION_LISTS, SESSION_SCALARS, _binary_digits
from conf.kernel.stream import type_codes
from conf.observation_features import OBSERVATION_FEATURES
from tests.conf.kernel.columns_of_rows import array
from tests.conf.kernel.comparison import differences, kernel_transitions
from tests.conf.kernel.made_logs import MadeLog, made_logs, random_pipelines

PIPELINES = random_pipelines(40, seed=3)


def test_every_feature_is_made_by_exactly_one_function() -> None:
    """As its definition says: by delay in one of two modules, by kind in one of two dicts."""
    made: dict[tuple[str, str], Mapping[str, object]] = {
        ("scalar", "none"): SESSION_SCALARS,
        ("list", "none"): SESSION_LISTS,
        ("scalar", "delivery"): HISTORY_SCALARS,
        ("list", "delivery"): HISTORY_LISTS,
    }
    for (kind, delay), functions in made.items():
        defined = {name for name, known in OBSERVATION_FEATURES.items() if (known.kind, known.delay) == (kind, delay)}
        assert set(functions) == defined


def test_codes_of_types_differ() -> None:
    """The rank within an instant names the type, too."""
    assert len(set(type_codes(*EVENT_TYPE_RANK).tolist())) == len(EVENT_TYPE_RANK)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(made_logs(PIPELINES))
def test_features_are_whole_numbers_and_lists_padded_behind(log: MadeLog) -> None:
    """int64 throughout, one row a decision, no id behind a padding 0."""
    _, made = kernel_transitions(log)
    lengths = {feature.name: feature.length for feature in log.pipeline.scenario.observation.features}
    for name, values in [*made.observation.items(), *made.next_observation.items()]:
        assert values.dtype == np.int64
        length = lengths[name]
        assert values.shape == ((len(made.row),) if length is None else (len(made.row), length))
        if length is not None:
            is_id = values != 0
            assert (is_id[:, :-1] >= is_id[:, 1:]).all()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(favorites, "_PAIRS_AT_ONCE", 2)


@pytest.mark.usefixtures("small_parts")
def test_favorites_do_not_depend_on_how_many_are_ranked_at_once() -> None:
    """Parts of two pairs each instead of millions."""

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(made_logs(PIPELINES))
    def compare(log: MadeLog) -> None:
        assert differences(log) == []

    compare()


def test_counts_that_appear_and_go_are_ranked_by_what_holds() -> None:
    """Moments 1 to 4; category 7 counts 2 until 3, category 5 counts 1 from 2 on and 3 from 3 on."""
    found = favorites.most_of(
        asked=array([1, 2, 3, 4]),
        category=array([7, 5, 5]),
        appears=array([0, 2, 3]),
        goes=array([3, 9, 9]),
        counts=array([2, 1, 2]),
        length=2,
    )
    assert found.tolist() == [[7, 0], [7, 5], [5, 0], [5, 0]]


def test_binary_digits_are_exact_where_doubles_are_not() -> None:
    """On both sides of every power of two; 0 has one digit, a negative number 64."""
    numbers = [2**n + more for n in range(63) for more in (-1, 0)] + [2**63 - 1]
    assert _binary_digits(array(numbers)).tolist() == [max(number.bit_length(), 1) for number in numbers]
    assert _binary_digits(array([-1, -(2**62)])).tolist() == [64, 64]
