"""What names an event, its decision, its slate or its file leaves the workers as a keyed hash."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.id_form import keyed_id
from jobs.parsing.field_reading import remembered

_LINKS = ("decision_id", "slate_id")


class HiddenNames:
    """Hashes the names in parsed lines under one key."""

    def __init__(self, key: bytes) -> None:
        self._hashed = remembered(lambda given: keyed_id(given, key))

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the lines, columns of `PARSED_SCHEMA`, without the names that were given."""
        columns = {name: batch.column(place) for place, name in enumerate(batch.schema.names)}
        columns |= {name: _each(columns[name], self._hashed) for name in ("file", "event_id", *_LINKS)}
        columns["further"] = self._hidden_further(columns["further"])
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)

    def _hidden_further(self, further: pa.ListArray) -> pa.ListArray:
        events = further.flatten()
        if not len(events):
            return further
        fields = {field.name: events.field(place) for place, field in enumerate(events.type)}
        fields |= {name: _each(fields[name], self._hashed) for name in _LINKS}
        lengths = np.asarray(pc.fill_null(pc.list_value_length(further), 0))
        offsets = pa.array(np.append(0, np.cumsum(lengths)).astype(np.int32))
        hidden = pa.StructArray.from_arrays(list(fields.values()), fields=list(events.type))
        return pa.ListArray.from_arrays(offsets, hidden, type=further.type)


def _each(names: pa.StringArray, hashed: Callable[[str], str]) -> pa.StringArray:
    """Return the hash of each name, made once for each distinct one; null for null."""
    encoded = names.dictionary_encode()
    known = pa.array(list(map(hashed, encoded.dictionary.to_pylist())), pa.string())
    return known.take(encoded.indices)
