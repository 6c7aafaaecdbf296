"""Keys that models gained later leave the hashes of specs without them as they were."""

from __future__ import annotations

import pytest

from conf.specs.source import Source, load_source
from conf.specs.spec_hash import source_hash

# As they were before the first later key.
HASHES = {
    "canonical": "c3e2c4e1380b4417",
    "online_retail": "3c510d27efb403f4",
    "open_bandit": "b856662dc7db0eae",
    "retailrocket": "073942fd3c963878",
    "simulated_shop": "4e89b26e9b66392e",
    "taobao": "9e5f86177a86fa31",
}


@pytest.mark.parametrize("name", HASHES)
def test_shipped_sources_keep_their_hashes(name: str) -> None:
    """Else every lake would be ingested again."""
    assert source_hash(load_source(name)) == HASHES[name]


def test_later_key_that_is_set_is_written_and_hashed() -> None:
    """One that is set shapes the tables."""
    source = load_source("taobao")
    changed = source.model_copy(update={"null_words": ("-",)})
    assert "null_words" not in source.model_dump()
    assert source_hash(changed) != source_hash(source)
    assert Source.model_validate(changed.model_dump(mode="json")) == changed


def test_share_of_rejected_lines_shapes_no_data() -> None:
    """Raised at night, it must not ingest a lake again."""
    source = load_source("taobao")
    assert source_hash(source.model_copy(update={"max_rejected_share": 0.5})) == source_hash(source)
