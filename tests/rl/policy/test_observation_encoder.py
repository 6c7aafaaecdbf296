from __future__ import annotations

import json

import numpy as np
import pytest

from rl.errors import PolicyError
from rl.policy.observation_encoder import ColumnEncoding, ObservationEncoder

LIST = ColumnEncoding("shown", "list", space="item", length=3, decay=0.5, has_latest=True)


def encoder(*columns: ColumnEncoding) -> ObservationEncoder:
    return ObservationEncoder(columns, {"item": (2**62, -7)})


def test_encode_weighs_list_entries_by_recency() -> None:
    """Entries count 1, .5, .25; repeats add up; ids without a place share one; padding counts nothing."""
    found = encoder(LIST).encode({"shown": np.array([[2**62, -7, 2**62], [99, 0, 0], [0, 0, 0]])})
    recent, latest = found[:, :3], found[:, 3:]
    assert recent.tolist() == [[1.25, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert latest.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_encode_reads_lists_up_to_their_length() -> None:
    """Shorter lists stand for padded ones, longer ones are cut."""
    short = encoder(LIST).encode({"shown": np.array([[-7]])})
    long = encoder(LIST).encode({"shown": np.array([[-7, 0, 0, 99]])})
    assert short.tolist() == long.tolist()


def test_encode_flags_missing_counts() -> None:
    """Below 0 is the mean with a flag, and large values are cut off."""
    column = ColumnEncoding("days", "count", mean=1.0, spread=0.5, has_missing=True)
    found = encoder(column).encode({"days": np.array([-1, 0, 10**9])})
    assert found.tolist() == [[0.0, 1.0], [-2.0, 0.0], [5.0, 0.0]]


def test_encode_puts_midnight_beside_eleven() -> None:
    """A cyclic feature's ends meet."""
    found = encoder(ColumnEncoding("hour", "cyclic", period=24)).encode({"hour": np.array([0, 23, 12])})
    assert np.linalg.norm(found[0] - found[1]) < 0.3
    assert np.linalg.norm(found[0] - found[2]) == pytest.approx(2.0)


def test_feature_names_match_the_encoded_width() -> None:
    """Every encoded number has a name."""
    columns = (LIST, ColumnEncoding("n", "count", has_missing=True), ColumnEncoding("hour", "cyclic", period=24))
    made = encoder(*columns)
    observation = {"shown": np.zeros((2, 3), dtype=int), "n": np.zeros(2, dtype=int), "hour": np.zeros(2, dtype=int)}
    assert len(made.feature_names) == len(set(made.feature_names)) == made.n_features
    assert made.encode(observation).shape == (2, made.n_features)


def test_encoder_survives_json() -> None:
    """An encoder read back from JSON text encodes alike."""
    made = encoder(LIST, ColumnEncoding("n", "count", mean=0.1 + 0.2, spread=1 / 3))
    again = ObservationEncoder.from_json(json.loads(json.dumps(made.to_json())))
    observation = {"shown": np.array([[2**62, -7, 5]]), "n": np.array([4])}
    assert np.array_equal(made.encode(observation), again.encode(observation))


def test_encoder_refuses_another_format() -> None:
    """A later format isn't guessed at."""
    with pytest.raises(PolicyError, match="format 99"):
        ObservationEncoder.from_json({"format": 99, "columns": [], "spaces": {}})


def test_encode_names_all_that_does_not_fit() -> None:
    """Missing and misshapen features are named at once."""
    made = encoder(LIST, ColumnEncoding("n", "count"), ColumnEncoding("hour", "cyclic", period=24))
    with pytest.raises(PolicyError) as raised:
        made.encode({"shown": np.zeros(2, dtype=int), "n": np.zeros(2)})  # type: ignore[dict-item]  # the wrong type is the point
    message = str(raised.value)
    assert "hour is missing" in message
    assert "shown is 1-dimensional" in message
    assert "n is 1-dimensional float64" in message


def test_encode_refuses_unequal_numbers_of_rows() -> None:
    """Columns describe the same observations."""
    made = encoder(ColumnEncoding("n", "count"), ColumnEncoding("hour", "cyclic", period=24))
    with pytest.raises(PolicyError, match=r"numbers of rows: \[2, 3\]"):
        made.encode({"n": np.zeros(2, dtype=int), "hour": np.zeros(3, dtype=int)})
