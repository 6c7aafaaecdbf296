"""Rows that a worker made become sorted Parquet files, one for each combination of values of the path's columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS_A_GROUP = 32_768
"""So few that who asks for some shoppers of a file decodes little of the others."""

IntArray = npt.NDArray[np.int64]


def write_cells(
    rows: pa.Table, schema: pa.Schema, path_columns: Sequence[str], sort_columns: Sequence[str], folder: Path, name: str
) -> None:
    """Write the rows below the folder, each cell to `column=value/.../<name>.parquet`.

    Args:
        rows: the schema's columns and the path's.
        schema: of the files.
        path_columns: name the folders, outermost first; none holds a null.
        sort_columns: order of the rows in a file; none holds a null.
        folder: where the cells go.
        name: of each file; another for each writer of the same cells.
    """
    if not rows.num_rows:
        return
    places = sorted_places(rows, [*path_columns, *sort_columns])
    ordered = rows.take(pa.array(places)).combine_chunks()
    content = ordered.select(schema.names).cast(schema)
    starts = run_starts([codes(ordered[one]) for one in path_columns])
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        below = [f"{one}={ordered[one][start].as_py()}" for one in path_columns]
        path = folder.joinpath(*below, f"{name}.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole at once: a task that runs twice at a time writes the same rows to the same place.
        draft = path.with_name(f".{uuid4().hex}")
        pq.write_table(content.slice(start, end - start), draft, compression="zstd", row_group_size=ROWS_A_GROUP)
        draft.replace(path)


def sorted_places(rows: pa.Table, columns: Sequence[str]) -> IntArray:
    """Return the places of the rows in ascending order of the columns, `(n,)`; texts by their bytes.

    The last column is looked at only where all others agree: often it is an id, of which no two are alike.
    """
    *first, last = columns
    keys = [codes(rows[name]) for name in first]
    if not keys:
        return np.lexsort([codes(rows[last])])
    places = np.lexsort(keys[::-1])
    is_same = np.all([key[places[1:]] == key[places[:-1]] for key in keys], axis=0)
    tied = np.flatnonzero(np.append(False, is_same) | np.append(is_same, False))
    if len(tied):
        among = places[tied]
        of_last = codes(rows[last].take(pa.array(among)))
        places[tied] = among[np.lexsort([of_last, *[key[among] for key in keys[::-1]]])]
    return places


def run_starts(keys: Sequence[npt.NDArray[np.int64]]) -> IntArray:
    """Return where each run of rows begins that agree in all keys, and the number of rows, `(n_runs + 1,)`."""
    is_other = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.concatenate([[0], np.flatnonzero(is_other) + 1, [len(keys[0])]])


def codes(values: pa.ChunkedArray | pa.Array) -> IntArray:
    """Return numbers in the order of the values, equal for equal ones, `(n,)`.

    Args:
        values: whole numbers, dates, times or texts; no nulls.
    """
    flat = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if not (pa.types.is_string(flat.type) or pa.types.is_dictionary(flat.type)):
        whole = flat.cast(pa.int32()) if pa.types.is_date32(flat.type) else flat
        return np.asarray(whole.cast(pa.int64()).to_numpy())
    encoded = flat if pa.types.is_dictionary(flat.type) else flat.dictionary_encode()
    ranks = np.empty(len(encoded.dictionary), dtype=np.int64)
    ranks[np.asarray(pc.sort_indices(encoded.dictionary))] = np.arange(len(ranks))
    found: IntArray = ranks[np.asarray(encoded.indices)]
    return found
