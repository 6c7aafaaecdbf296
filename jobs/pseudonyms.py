"""Shoppers' ids become keyed hashes; the key stays in the workers' functions, out of plans and messages."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

_DIGITS = 32


def pseudonym(user_id: str, key: bytes) -> str:
    """Return HMAC-SHA256 of the raw id: 128 bits, hex."""
    return hmac.digest(key, user_id.encode("utf-8"), "sha256").hex()[:_DIGITS]


def pseudonyms(key: bytes) -> Callable[[Column], Column]:
    """Return a column function from raw ids to pseudonyms; null stays null."""

    def hashed(ids: pa.Array) -> pa.Array:
        # A shopper has many lines: each id is hashed once a batch.
        encoded = ids.dictionary_encode()
        names = [None if one is None else pseudonym(one, key) for one in encoded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(names, pa.string())).cast(pa.string())

    as_column: Callable[[Column], Column] = F.arrow_udf(hashed, "string")  # type: ignore[attr-defined]  # no stub yet
    return as_column
