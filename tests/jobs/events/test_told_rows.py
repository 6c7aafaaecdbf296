"""What was told of a partition's shoppers: as it was delivered, or by plain words."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa

from conf.observation_features import id_hash
from conf.specs.budget import plain_word
from jobs.events.told_rows import ATTRIBUTE, apart

FIELDS = pa.struct(
    {
        "attribute": pa.string(),
        "valid_from": pa.timestamp("us", "UTC"),
        "delivery_date": pa.date32(),
        "value": pa.string(),
    }
)


def rows(*values: str | None) -> pa.Table:
    """A shopper with an event, of whom so many values were told one after another."""
    told = [
        {
            "attribute": "newsletter",
            "valid_from": datetime(2026, 1, 1 + place, tzinfo=UTC),
            "delivery_date": date(2026, 1, 1 + place),
            "value": value,
        }
        for place, value in enumerate(values)
    ]
    return pa.table(
        {"user_id": ["u"] * (len(told) + 1), ATTRIBUTE: pa.chunked_array([pa.array([None, *told], FIELDS)])}
    )


def test_values_are_told_as_they_were_delivered() -> None:
    events, told = apart(rows("nein", "Nein", None))
    assert events.num_rows == 1
    assert told is not None
    assert told.told.value.tolist() == [id_hash("nein"), id_hash("Nein"), 0]


def test_plain_words_are_alike_whatever_their_letters_and_blanks() -> None:
    """So that who says `Nein` has opted out where the scenario says `nein`; another word stays another one."""
    _, told = apart(rows("nein", "Nein", " NEIN ", "keineswegs", None), plain_word)
    assert told is not None
    assert told.told.value.tolist() == [id_hash("nein")] * 3 + [id_hash("keineswegs"), 0]
