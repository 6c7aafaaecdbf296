"""Every key of a spec says what it decides, and hashes take just what they depend on."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from conf.specs.key_kinds import DATA, OPERATION, content_of, kinds_at, mark_of
from conf.specs.scenario import Scenario, load_pipeline
from conf.specs.source import Source, load_source
from conf.specs.spec_hash import data_spec_hash, full_spec_hash, source_hash
from conf.specs.spec_sections import sections_of
from conf.specs.strict_yaml import StrictModel
from jobs.landing.raw_deliveries import landing_hash

# Source, landing, transitions: as they were before keys were marked. Registered version: since the gate's floors are
# 150 and 75, by which a past night, judged again, is another version.
HASHES = {
    "canonical": ("c3e2c4e1380b4417", "8de1fc97b2e33958", "dbc32fd1d94a1c45", "13a06c4cf2614228"),
    "online_retail": ("3c510d27efb403f4", "d502053009fef6d6", "c4c9b89f20873049", "2486febfabdac948"),
    "open_bandit": ("b856662dc7db0eae", "4686b3b9ffbf4d6f", "c03820fd26ee1909", "3e3fdb1b9ae6bd9f"),
    "retailrocket": ("073942fd3c963878", "ca85af437a71f6ef", "58ed26da0fc7a922", "c131e648ed5acafd"),
    "simulated_shop": ("4e89b26e9b66392e", "8de1fc97b2e33958", "89a0ebe7a3a02246", "1dbe0ff0c6fd5f10"),
    "taobao": ("9e5f86177a86fa31", "7df1a884b2a4c806", "8047b6d7b3472c75", "8063833293c5e9cf"),
}


@pytest.mark.parametrize("name", HASHES)
def test_hashes_of_shipped_specs_stay(name: str) -> None:
    """Else every lake would be landed and ingested again, and every night register another version."""
    pipeline = load_pipeline("recommendation", name)
    source = pipeline.source
    found = source_hash(source), landing_hash(source), data_spec_hash(pipeline), full_spec_hash(pipeline)
    assert found == HASHES[name]


@pytest.mark.parametrize("spec", [Source, Scenario])
def test_every_key_of_the_top_level_is_marked(spec: type[StrictModel]) -> None:
    """What stands below one is of its kind, unless it is marked itself."""
    assert [name for name, field in spec.model_fields.items() if mark_of(field) is None] == []


@pytest.mark.parametrize("spec", [Source, Scenario])
def test_every_key_has_one_kind_at_each_place(spec: type[StrictModel]) -> None:
    for section in sections_of(spec):
        for place in section.places:
            for name in section.model.model_fields:
                assert len(kinds_at(spec, place, name)) == 1, f"{place}.{name}"


def test_kinds_are_inherited_and_overridden() -> None:
    """The action's key shapes transitions, its vocabulary doesn't; a feed's bound is as operational as the source's."""
    assert kinds_at(Scenario, "action", "key") == ["data"]
    assert kinds_at(Scenario, "action", "max_actions") == ["learning"]
    assert kinds_at(Scenario, "reward.attribution", "window_hours") == ["data"]
    assert kinds_at(Source, "feeds[]", "max_rejected_share") == ["operation"]
    assert kinds_at(Source, "feeds[].delivery", "files") == ["landing"]


class _Who(StrictModel):
    approvers: tuple[str, ...] = Field(default=(), json_schema_extra=OPERATION)
    level: int = 1


class _Part(StrictModel):
    who: _Who = Field(default=_Who(), json_schema_extra=DATA)
    run: _Who = Field(default=_Who(), json_schema_extra=OPERATION)
    rows: tuple[_Who, ...] = ()


def test_content_leaves_out_other_kinds_at_any_depth() -> None:
    """Also within lists; a section of which nothing is left is left out whole."""
    part = _Part(who=_Who(approvers=("ann",)), rows=(_Who(level=2), _Who(level=3)))
    assert content_of(part, {"data"}) == {"who": {"level": 1}, "rows": [{"level": 2}, {"level": 3}]}
    operation = content_of(part, {"operation"})
    assert operation["who"] == {"approvers": ["ann"]}
    assert operation["run"] == {"approvers": [], "level": 1}


@pytest.mark.parametrize(
    ("update", "changed"),
    [
        ({"max_rejected_share": 0.5}, (False, False)),
        ({"title": "x"}, (False, False)),
        ({"lateness_days": 3}, (True, False)),
        ({"hours_past_day": 4}, (True, False)),
        ({"hours_past_day": 0}, (False, False)),
        ({"encoding": "latin-1"}, (True, True)),
    ],
)
def test_what_a_changed_key_of_a_source_makes_anew(update: dict[str, Any], changed: tuple[bool, bool]) -> None:
    """Its tables, and where its lines land."""
    source = load_source("taobao")
    other = source.model_copy(update=update)
    assert (source_hash(other) != source_hash(source), landing_hash(other) != landing_hash(source)) == changed
