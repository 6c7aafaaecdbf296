"""How a step's log opens and closes, on commands that really run."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dags.step_log import READS, tell_closing
from dags.steps import CommandFailed, LearningStep, SparkStep
from tests.dags.fake_pipeline import write_fake_pipeline

WHERE = ["--source=simulated_shop", "--date=2026-01-31"]


@pytest.fixture(autouse=True)
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Path:
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))
    caplog.set_level(logging.INFO, "dags.step_log")
    return write_fake_pipeline(tmp_path / "venv")


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "dags.step_log"]


def test_a_spark_step_opens_with_what_it_reads_and_closes_with_counts(caplog: pytest.LogCaptureFixture) -> None:
    """Options that are left unset aren't shown."""
    SparkStep(task_id="ingest", arguments=["ingest", *WHERE, "--logs="]).execute({})
    assert told(caplog) == [
        "ingest reads delivered files and raw deliveries: source=simulated_shop, date=2026-01-31",
        "ingest is done: n_lines 10, n_events 7, n_rejected 2, n_not_yet 1",
    ]


def test_a_learning_step_does_so_too(caplog: pytest.LogCaptureFixture) -> None:
    """With the verdict and the version."""
    LearningStep(task_id="register", arguments=["register", *WHERE, "--scenario=recommendation"]).execute({})
    opening, closing = told(caplog)
    assert opening.startswith("register reads the evaluation: source=simulated_shop, date=2026-01-31")
    assert closing == "register is done: version 3, verdict promote"


def test_a_step_that_fails_opens_and_does_not_close(pipeline: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its last line is its error."""
    write_fake_pipeline(pipeline, fail={"build": (1, "no space left")})
    with pytest.raises(CommandFailed):
        SparkStep(task_id="build", arguments=["build", *WHERE]).execute({})
    assert [line.partition(":")[0] for line in told(caplog)] == ["build reads events and sessions"]


def test_only_counts_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Not lists, flags or digests that a result holds beside them."""
    tell_closing(["x"], {"n_days": 2, "n_list": [1], "n_flag": True, "days": ["a"], "verdict": "reject"})
    tell_closing(["x"], {})
    assert told(caplog) == ["x is done: n_days 2, verdict reject", "x is done: it counts nothing"]


def test_every_commands_reading_is_said() -> None:
    """Of each that a DAG runs."""
    from dags import (  # noqa: PLC0415
        decide_dags,
        ingest_events,
        monitor_dags,
        observe_dags,
        scenario_dags,
        shopper_model_dags,
    )

    modules = (decide_dags, ingest_events, monitor_dags, observe_dags, scenario_dags, shopper_model_dags)
    dags = [one for module in modules for one in vars(module).values() if hasattr(one, "task_dict")]
    steps = [task for dag in dags for task in dag.tasks if isinstance(task, SparkStep | LearningStep)]
    commands = {(task.application_args if isinstance(task, SparkStep) else task.arguments)[0] for task in steps}
    assert commands >= {"ingest", "build", "prepare", "decide"}
    assert commands <= READS.keys(), commands - READS.keys()
