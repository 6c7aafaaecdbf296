"""Specs that don't fit."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException

from conf.specs import scenario
from conf.specs.scenario import SCENARIOS_FOLDER, load_pipeline, scenarios_for
from dags import specs
from dags.specs import candidate_names, read_pipelines


@pytest.fixture
def one_broken_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario with a typo beside the project's own."""
    good = (SCENARIOS_FOLDER / "recommendation.yaml").read_text(encoding="utf-8")
    (tmp_path / "recommendation.yaml").write_text(good, encoding="utf-8")
    (tmp_path / "typo.yaml").write_text(good.replace("\nowner:", "\nonwer:"), encoding="utf-8")
    monkeypatch.setattr(specs, "scenarios_for", lambda source: scenarios_for(source, tmp_path))
    monkeypatch.setattr(specs, "load_pipeline", lambda name, source: load_pipeline(name, source, folder=tmp_path))
    read_pipelines.cache_clear()


def test_read_pipelines_keeps_the_good_ones(one_broken_spec: None) -> None:
    """A spec that doesn't fit costs its own DAGs only."""
    pipelines, problems = read_pipelines("simulated_shop")
    assert list(pipelines) == ["recommendation"]
    assert list(problems) == ["typo"]
    assert "did you mean 'owner'?" in problems["typo"]


def test_broken_specs_shows_what_is_wrong(one_broken_spec: None) -> None:
    """The file that holds no DAG fails to import, so that the web page shows the spec's violations."""
    sys.modules.pop("dags.broken_specs", None)
    with pytest.raises(AirflowException, match="these scenarios have no DAGs until their specs fit"):
        importlib.import_module("dags.broken_specs")


@pytest.fixture(autouse=True)
def _forget() -> None:
    read_pipelines.cache_clear()


def test_candidate_names_are_algorithm_and_seed() -> None:
    """Each candidate of the spec, once for each of its seeds, in the spec's order."""
    pipeline = scenario.load_pipeline("recommendation", "simulated_shop")
    assert candidate_names(pipeline) == ["bc-1", "bc-2", "discrete_cql-1", "discrete_cql-2"]
