"""Two versions held against each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf.specs.scenario import Pipeline
from rl.commands import compare, evaluate, promote, register
from rl.commands.register import SPECS_FILE
from rl.errors import RegistryError
from rl.figures.night import read_figures
from rl.registry.store import open_store
from tests.rl.commands.conftest import NightHome

pytestmark = pytest.mark.xdist_group("nights")

MODEL = "recommendation-policy"


def with_temperatures(pipeline: Pipeline, *temperatures: float) -> Pipeline:
    policy = pipeline.scenario.policy.model_copy(update={"temperatures": temperatures})
    return pipeline.model_copy(update={"scenario": pipeline.scenario.model_copy(update={"policy": policy})})


@pytest.fixture(scope="module")
def two_versions(logged_night: NightHome, tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    """Version 1 is champion; 2 was made of the same data under specs that differ in one key, and judged against it."""
    night = logged_night.copied_to(tmp_path_factory.mktemp("compared") / "home")
    night.command(promote, version=night.command(register)["version"], who=["ann"], why=["good"])
    later = replace(night, pipeline=with_temperatures(night.pipeline, 2.0))
    later.command(evaluate)
    assert later.command(register)["version"] == 2
    return later


def compared(night: NightHome, monkeypatch: pytest.MonkeyPatch, a: int = 1, b: int = 2) -> tuple[dict[str, Any], str]:
    monkeypatch.setattr(compare, "load_pipeline", lambda *_: night.pipeline)
    told = compare.run(settings=night.settings, scenario="recommendation", a=a, b=b)
    return told, Path(told["page"]).read_text(encoding="utf-8")


def test_versions_that_the_gate_compared_keep_its_interval(
    two_versions: NightHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paired difference is that night's own; the other way round it has the other sign."""
    gain = read_figures(two_versions.run.evaluation).gain
    assert gain is not None
    told, page = compared(two_versions, monkeypatch)
    assert told["difference"] == {"value": gain.value, "lower": gain.lower, "upper": gain.upper}
    assert gain.value is not None and gain.lower is not None and gain.upper is not None
    other, _ = compared(two_versions, monkeypatch, a=2, b=1)
    assert other["difference"] == {"value": -gain.value, "lower": -gain.upper, "upper": -gain.lower}
    assert "as its gate saw them against version 1" in page


def test_specs_are_compared_key_by_key(two_versions: NightHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs is named with both values; what people decided stands beside."""
    told, page = compared(two_versions, monkeypatch)
    assert told["n_spec_differences"] == 1
    assert "<td>scenario.policy.temperatures</td><td><code>[0.6, 1.0]</code></td><td><code>[2.0]</code></td>" in page
    assert "approved by ann" in page
    for sentence in (
        "Both learned from the same data.",
        "Both were made by the same code.",
        "Their specs differ in one key, in scenario.policy.",
    ):
        assert sentence in page


def test_it_shows_where_decisions_differ(two_versions: NightHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """In how many, with an interval, by segment and by action; a version is like itself."""
    told, page = compared(two_versions, monkeypatch)
    share = told["share_of_decisions"]
    assert 0 < share["lower"] <= share["value"] <= share["upper"] < 1
    for heading in ("Whom it concerns most", "Which actions"):
        assert heading in page
    assert page.count("<td>item-") >= 5


def test_versions_that_no_gate_compared_are_valued_on_the_later_night(
    two_versions: NightHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the gate's estimator, paired on the same episodes: what the gate had found comes out again."""
    gain = read_figures(two_versions.run.evaluation).gain
    assert gain is not None
    monkeypatch.setattr(compare, "_as_gated", lambda *_: None)
    told, page = compared(two_versions, monkeypatch)
    assert told["difference"]["value"] == pytest.approx(gain.value, abs=1e-5)
    assert told["difference"]["lower"] < told["difference"]["value"] < told["difference"]["upper"]
    assert "computed now" in page


def test_what_is_not_known_is_said(two_versions: NightHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Specs that an earlier release didn't keep, and data that aren't there any more."""
    monkeypatch.setattr(compare, "SPECS_FILE", f"no-{SPECS_FILE}")
    monkeypatch.setattr(compare, "_as_gated", lambda *_: None)
    monkeypatch.setattr(compare, "Lake", lambda _, source: _lake_of(two_versions, f"{source}-gone"))
    told, page = compared(two_versions, monkeypatch)
    assert (told["difference"], told["share_of_decisions"]) == (None, None)
    assert "the specs of version 1 and 2 weren&#39;t kept" in page
    assert "the data of version 2&#39;s night can&#39;t be read" in page


def _lake_of(night: NightHome, source: str) -> Any:
    return replace(night.lake, source=source)


@pytest.mark.parametrize(("a", "b", "why"), [(1, 1, "against itself"), (1, 9, "has no version 9")])
def test_versions_that_are_no_two_are_refused(two_versions: NightHome, a: int, b: int, why: str) -> None:
    with pytest.raises(RegistryError, match=why):
        compare.run(settings=two_versions.settings, scenario="recommendation", a=a, b=b)


def test_a_version_registered_by_hand_is_refused(two_versions: NightHome, tmp_path: Path) -> None:
    """It has no night to be read from."""
    with open_store(two_versions.settings) as client:
        made = client.create_model_version(MODEL, source=str(tmp_path))
    try:
        with pytest.raises(RegistryError, match="was not registered by a night"):
            compare.run(settings=two_versions.settings, scenario="recommendation", a=1, b=int(made.version))
    finally:
        with open_store(two_versions.settings) as client:
            client.delete_model_version(MODEL, made.version)
