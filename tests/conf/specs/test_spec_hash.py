"""Which changes of a spec mean other data, and which don't."""

from pathlib import Path
from typing import Any

import pytest

from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import code_hash, data_spec_hash, full_spec_hash, source_hash


def changed(pipeline: Pipeline, part: str, **update: Any) -> Pipeline:
    scenario = pipeline.scenario
    new = getattr(scenario, part).model_copy(update=update)
    return pipeline.model_copy(update={"scenario": scenario.model_copy(update={part: new})})


PIPELINE = load_pipeline("recommendation", "simulated_shop")


@pytest.mark.parametrize(
    ("part", "update"),
    [
        ("episode", {"max_steps": 7}),
        ("action", {"key": "category"}),
        ("observation", {"history_days": 3}),
        ("reward", {"weights": {"click": 2.0}}),
    ],
)
def test_data_spec_hash_changes_with_what_shapes_transitions(part: str, update: dict[str, Any]) -> None:
    """Another episode length, action key, look-back or reward is another table."""
    assert data_spec_hash(changed(PIPELINE, part, **update)) != data_spec_hash(PIPELINE)


@pytest.mark.parametrize(
    ("part", "update"),
    [
        ("gate", {"min_effective_rewarded": 1.0}),
        ("discount", {"gamma": 0.5}),
        ("discount", {"per": "day"}),
        ("action", {"max_actions": 9}),
    ],
)
def test_data_spec_hash_ignores_what_comes_after_the_table(part: str, update: dict[str, Any]) -> None:
    """Gate, discount and vocabulary size need no rebuild, but make another registered version."""
    other = changed(PIPELINE, part, **update)
    assert data_spec_hash(other) == data_spec_hash(PIPELINE)
    assert full_spec_hash(other) != full_spec_hash(PIPELINE)


def test_full_spec_hash_ignores_the_approval() -> None:
    """Who approves doesn't change what is approved."""
    auto = PIPELINE.model_copy(update={"scenario": PIPELINE.scenario.model_copy(update={"approval": "auto"})})
    assert full_spec_hash(auto) == full_spec_hash(PIPELINE)


def test_source_hash_ignores_the_title() -> None:
    """A corrected title leaves the tables as they are; another zone doesn't."""
    source = PIPELINE.source
    assert source_hash(source.model_copy(update={"title": "x"})) == source_hash(source)
    assert source_hash(source.model_copy(update={"zone": "UTC"})) != source_hash(source)


def test_code_hash_changes_with_a_file(tmp_path: Path) -> None:
    """Another line of code is other code; a cache file isn't."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n", encoding="utf-8")
    before = code_hash(folder)
    (folder / "a.pyc").write_bytes(b"1")
    assert code_hash(folder) == before
    (folder / "a.py").write_text("x = 2\n", encoding="utf-8")
    assert code_hash(folder) != before
