"""Spark's xxhash64 of rows in columns of Arrow: the same numbers, without Spark.

Source: Spark's `XxHash64Function` and `XXH64`, which are Yann Collet's XXH64 for bytes, and shortened forms of it for
numbers. A null leaves the hash as it is; an array is its elements one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

SEED = 42

HashArray = npt.NDArray[np.uint64]
_P1, _P2, _P3, _P4, _P5 = (
    np.uint64(prime)
    for prime in (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)
_WORD, _STRIPE, _INT = 8, 32, 4
_ELEMENTS_AT_A_TIME = 16_384
_P5_INT, _P5_WORD = (np.uint64((int(_P5) + size) % 2**64) for size in (_INT, _WORD))


def hash_text(text: str, seed: int = SEED) -> int:
    """Return the hash of one text, unsigned."""
    return int(fold(np.array([seed], dtype=np.uint64), pa.array([text], pa.string()))[0])


def fold(hashes: HashArray, values: pa.Array) -> HashArray:
    """Return each row's hash once its value has gone in; a null changes nothing.

    Args:
        hashes: of the values before, `(n,)`, or of several seeds at once, `(n_seeds, n)`.
        values: booleans, whole numbers, dates, timestamps, decimals of at most 18 digits or texts, `(n,)`.

    Raises:
        TypeError: values of another type.
    """
    if values.null_count == len(values):
        return hashes
    if values.null_count:
        is_valid = _flags(values.is_valid())
        found = hashes.copy()
        found[..., is_valid] = fold(hashes[..., is_valid], values.drop_null())
        return found
    if pa.types.is_string(values.type):
        return _fold_texts(hashes, values)
    if pa.types.is_boolean(values.type):
        same = _same_flag(values)
        return fold_ints(hashes, _flags(values).astype(np.uint64) if same is None else same)
    if pa.types.is_int32(values.type) or pa.types.is_date32(values.type):
        numbers = np.asarray(values.cast(pa.int32()).to_numpy())
        return fold_ints(hashes, numbers.view(np.uint32).astype(np.uint64))
    return fold_longs(hashes, _longs(values))


def _longs(values: pa.Array) -> HashArray:
    """Return whole numbers, microseconds or unscaled decimals as 64 bits."""
    if pa.types.is_int64(values.type):
        found = np.asarray(values.to_numpy())
    elif pa.types.is_timestamp(values.type):
        found = np.asarray(values.cast(pa.timestamp("us", values.type.tz)).cast(pa.int64()).to_numpy())
    elif pa.types.is_decimal(values.type) and values.type.precision <= 18:
        halves = np.frombuffer(values.buffers()[1], np.int64)
        found = halves[2 * values.offset : 2 * (values.offset + len(values)) : 2]
    else:
        raise TypeError(f"values of type {values.type} are not hashed here")
    return np.ascontiguousarray(found).view(np.uint64)


def fold_ints(hashes: HashArray, numbers: HashArray) -> HashArray:
    """Return the hashes once numbers of 32 bits (unsigned) have gone in."""
    return _mixed(_with_int(hashes + _P5_INT, numbers))


def fold_longs(hashes: HashArray, numbers: HashArray) -> HashArray:
    """Return the hashes once numbers of 64 bits have gone in."""
    return _mixed(_with_word(hashes + _P5_WORD, numbers))


def _with_int(hashes: HashArray, numbers: HashArray) -> HashArray:
    found = _rotate(hashes ^ (numbers * _P1), 23)
    found *= _P2
    found += _P3
    return found


def _with_word(hashes: HashArray, words: HashArray) -> HashArray:
    found = _rotate(_round(words * _P2) ^ hashes, 27)
    found *= _P1
    found += _P4
    return found


def _round(values: HashArray) -> HashArray:
    """Return the values after a round; they are changed themselves."""
    found = _rotate(values, 31)
    found *= _P1
    return found


def _rotate(values: HashArray, n_bits: int) -> HashArray:
    """Turn the bits of the values, in place."""
    low = values >> np.uint64(64 - n_bits)
    values <<= np.uint64(n_bits)
    values |= low
    return values


def _mixed(hashes: HashArray) -> HashArray:
    """Return the final hashes; those given are changed themselves."""
    for n_bits, factor in ((33, _P2), (29, _P3)):
        hashes ^= hashes >> np.uint64(n_bits)
        hashes *= factor
    hashes ^= hashes >> np.uint64(32)
    return hashes


def _fold_texts(hashes: HashArray, texts: pa.StringArray) -> HashArray:
    places = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    content, lengths = np.frombuffer(texts.buffers()[2] or b"", np.uint8), np.diff(places)
    found = np.empty_like(hashes)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        if len(rows) == len(texts):
            letters = content[places[0] : places[-1]].reshape(len(rows), length)
            return _fold_bytes(hashes, letters)
        found[..., rows] = _fold_bytes(hashes[..., rows], content[places[rows][:, None] + np.arange(length)])
    return found


def _fold_bytes(hashes: HashArray, letters: npt.NDArray[np.uint8]) -> HashArray:
    """Return the hashes once bytes `(n, length)` have gone in."""
    length = letters.shape[1]
    n_words = length // _WORD
    words = np.ascontiguousarray(letters[:, : n_words * _WORD]).view("<u8").T
    n_striped = length // _STRIPE * (_STRIPE // _WORD)
    found = _striped(hashes, words[:n_striped]) if n_striped else hashes + _P5
    found = found + np.uint64(length)
    for word in words[n_striped:]:
        found = _with_word(found, word)
    place = n_words * _WORD
    if length - place >= _INT:
        number = np.ascontiguousarray(letters[:, place : place + _INT]).view("<u4")[:, 0].astype(np.uint64)
        found, place = _with_int(found, number), place + _INT
    for letter in letters[:, place:].T:
        found = _rotate(found ^ (letter.astype(np.uint64) * _P5), 11) * _P1
    return _mixed(found)


def _striped(hashes: HashArray, words: HashArray) -> HashArray:
    """Return the hashes of words `(n_words, n)`, four at a time, before the length goes in."""
    lanes = [hashes + _P1 + _P2, hashes + _P2, hashes, hashes - _P1]
    for first in range(0, len(words), len(lanes)):
        lanes = [_round(lane + words[first + place] * _P2) for place, lane in enumerate(lanes)]
    found = np.zeros_like(hashes)
    for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True):
        found += _rotate(lane.copy(), turn)
    for lane in lanes:
        found = (found ^ _round(lane * _P2)) * _P1 + _P4
    return found


def hashed_values(values: pa.Array) -> list[pa.Array]:
    """Return what goes into a row's hash for a value: whether it is null, and what no other value shares.

    It says in columns of Arrow what `content_hash` says in Spark's: a struct is its fields, an array its size and the
    hashes of its elements.
    """
    is_null = values.is_null()
    if pa.types.is_struct(values.type):
        fields = [pc.struct_field(values, [place]) for place in range(values.type.num_fields)]
        return [is_null, *(part for one in fields for part in hashed_values(one))]
    if pa.types.is_list(values.type):
        size = pc.fill_null(pc.list_value_length(values), -1)
        return [is_null, size, _element_hashes(values)]
    return [is_null, values]


def _element_hashes(values: pa.ListArray) -> pa.ListArray:
    elements = values.flatten()
    # So few at a time that they stay near the processor.
    parts = [elements.slice(first, _ELEMENTS_AT_A_TIME) for first in range(0, len(elements), _ELEMENTS_AT_A_TIME)]
    found = [row_hashes(hashed_values(part)) for part in parts or [elements]]
    hashes = np.concatenate(found).view(np.int64)
    ends = np.concatenate([[0], np.cumsum(np.asarray(pc.fill_null(pc.list_value_length(values), 0).to_numpy()))])
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), pa.array(hashes))


def row_hashes(parts: Sequence[pa.Array], seed: int = SEED) -> HashArray:
    """Return the hash of each row of parts, `(n,)`, each of `hashed_values`; lists are folded element by element."""
    found: HashArray = seeded_hashes(parts, [seed])[0]
    return found


def seeded_hashes(parts: Sequence[pa.Array], seeds: Sequence[int]) -> HashArray:
    """Return the hashes of each row from each seed, `(n_seeds, n)`: what is done with a value is done once for all."""
    found, n_rows = np.array(seeds, dtype=np.uint64)[:, None], len(parts[0])
    for place, part in enumerate(parts):
        same = _same_flag(part) if pa.types.is_boolean(part.type) else None
        if same is None:
            parts = parts[place:]
            break
        found = fold_ints(found, same)  # one hash for all rows, so far
    else:
        parts = []
    found = np.repeat(found, n_rows, axis=1)
    for part in parts:
        found = _fold_lists(found, part) if pa.types.is_list(part.type) else fold(found, part)
    return found


def row_marks(parts: Sequence[pa.Array]) -> HashArray:
    """Return a number of each row, `(n,)`, that tells rows apart for much less than their hashes cost.

    Each part is multiplied by an odd number of its own, so rows that differ in one part differ in their marks; who
    knows the numbers can make rows of two parts that don't. Nothing that is kept may depend on it.

    Args:
        parts: of `hashed_values`: flags, whole numbers, lists of them.
    """
    found = np.zeros(len(parts[0]), dtype=np.uint64)
    for place, part in enumerate(parts):
        factor = np.uint64(pow(int(_P1), place + 1, 2**64))
        if pa.types.is_list(part.type):
            found += _by_place(np.zeros((1, len(part)), dtype=np.uint64), part, _add_word)[0] * factor
        elif pa.types.is_boolean(part.type):
            if part.null_count or part.true_count:
                found[_flags(pc.fill_null(part, False))] += factor
        else:
            found += _longs(pc.fill_null(part, 0).cast(pa.int64())) * factor
    return found


def _add_word(sums: HashArray, words: HashArray) -> HashArray:
    return (sums + words) * _P2


def _fold_lists(hashes: HashArray, lists: pa.ListArray) -> HashArray:
    return _by_place(hashes, lists, fold_longs)


def _by_place(hashes: HashArray, lists: pa.ListArray, folded: Callable[[HashArray, HashArray], HashArray]) -> HashArray:
    """Return the hashes `(n_seeds, n)` once the elements of each row's list have gone in, one after the other."""
    sizes = np.asarray(lists.value_lengths().to_numpy())
    first = np.asarray(lists.offsets.to_numpy())[:-1]
    words = np.asarray(lists.values.to_numpy()).view(np.uint64)
    # The longest first, so that those with an element at a place stand together.
    order = np.argsort(-sizes, kind="stable")
    first, by_size = first[order], hashes[:, order]
    n_with = np.searchsorted(-sizes[order], -np.arange(int(sizes.max(initial=0))), side="left")
    for place, n in enumerate(n_with.tolist()):
        by_size[:, :n] = folded(by_size[:, :n], words[first[:n] + place])
    found = np.empty_like(hashes)
    found[:, order] = by_size
    return found


def _same_flag(values: pa.BooleanArray) -> HashArray | None:
    """Return the number of the flag that all rows have, `(1,)`; None where they differ, or one has none."""
    if values.null_count or values.true_count not in (0, len(values)):
        return None
    return np.full(1, int(values.true_count > 0), dtype=np.uint64)


def _flags(values: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)
