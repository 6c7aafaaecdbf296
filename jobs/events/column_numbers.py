"""Columns of Arrow as whole numbers: dates, moments, ids by their hash, and what so many pieces come to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.kernel.arrays import BoolArray, IntArray
from conf.kernel.stream import NO_ID
from conf.observation_features import id_hash
from jobs.parsing.exact_numbers import LARGEST_MONEY


def whole(values: pa.ChunkedArray | pa.Array) -> IntArray:
    """Return whole numbers without nulls, `(n,)`."""
    return np.asarray(values.to_numpy(), dtype=np.int64)


def days(dates: pa.ChunkedArray) -> IntArray:
    """Return dates as days since the epoch, `(n,)`."""
    return whole(dates.cast(pa.int32()).cast(pa.int64()))


def micros(moments: pa.ChunkedArray) -> IntArray:
    """Return timestamps as UTC microseconds since the epoch, `(n,)`."""
    return whole(moments.cast(pa.timestamp("us", moments.type.tz)).cast(pa.int64()))


def dictionary_places(encoded: pa.DictionaryArray) -> IntArray:
    """Return each value's place in the dictionary, -1 for null, `(n,)`."""
    return whole(pc.fill_null(encoded.indices.cast(pa.int64()), -1))


def by_value(column: pa.ChunkedArray, number_of: Callable[[str], int]) -> IntArray:
    """Return the number of each value, made once for each distinct one; NO_ID for null, `(n,)`."""
    encoded = column.combine_chunks().dictionary_encode()
    numbers = np.array([NO_ID, *map(number_of, encoded.dictionary.to_pylist())], dtype=np.int64)
    found: IntArray = numbers[dictionary_places(encoded) + 1]
    return found


def id_hashes(column: pa.ChunkedArray) -> IntArray:
    """Return the id hash of each natural key, NO_ID for null, `(n,)`."""
    return by_value(column, id_hash)


def of_pieces(each: IntArray, pieces: IntArray) -> tuple[IntArray, BoolArray]:
    """Return money a piece times pieces, and whether that is money that can be stored; 0 where it isn't, `(n,)`."""
    fits = np.abs(each) <= (LARGEST_MONEY - 1) // np.maximum(np.abs(pieces), 1)
    return np.where(fits, each, 0) * np.where(fits, pieces, 0), fits
